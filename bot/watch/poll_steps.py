"""Handles arrivals and changes, step by step; a part on which a step fails is put off, and affects nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.ids import NoticeKey, RoomId, ServerName
from bot.incidents import Incidents
from bot.notices.catch_up import Absence
from bot.notices.floods import Flood
from bot.poll import Poll
from bot.store.retry_book import Retry
from bot.store.store import Transaction
from bot.submission import SubmissionKind, SubmissionRef
from bot.watch.announce import AnnouncedCard, Announcer, Arrived, CardRequest, keep_for_digests
from bot.watch.card_edits import touch_cards
from bot.watch.catch_up_lines import CatchUp
from bot.watch.change_replies import ChangeReplies, ChangeToTell, RoomChange
from bot.watch.flood_lists import by_room, open_flood
from bot.watch.item_isolation import Isolation, isolated
from bot.watch.retries import Part, PollParts, incident_of, part_of, retry_of
from bot.watch.save_poll import SavedPoll
from bot.watch.version_links import LinkedSeries, UnlinkedSeries, link_versions, links, tell_cards


@dataclass(frozen=True, slots=True)
class NoticeMakers:
    """The makers of notices and cards for one server."""

    announcer: Announcer
    hearing: ChangeReplies
    catch_up: CatchUp
    incidents: Incidents


def found(saved: SavedPoll, rebuilds: int) -> PollParts:
    """Return what a *saved* poll brought, in the order of arrival; submissions too old to be posted are only linked."""
    poll, server = saved.poll, saved.poll.server
    news = [
        (SubmissionRef(server, SubmissionKind.SERIES, each.series.id, rebuilds), each.news)
        for each in poll.series
        if not each.past
    ]
    news += [
        (SubmissionRef(server, SubmissionKind.PATCH, patch.id, rebuilds), (patch,))
        for patch in poll.patches
        if patch.id not in poll.past
    ]
    return PollParts(
        submissions=[Arrived(about, {patch.id: patch.text for patch in patches}) for about, patches in news],
        changes=[ChangeToTell(each) for each in saved.changed],
        links=links(saved.changed, poll.series, server, rebuilds),
    )


class PollSteps:
    """The steps of one transaction for one server."""

    def __init__(
        self, tx: Transaction, server: ServerName, makers: NoticeMakers, isolate: Isolation = isolated
    ) -> None:
        self._tx = tx
        self._server = server
        self._announcer = makers.announcer
        self._hearing = makers.hearing
        self._catch_up = makers.catch_up
        self._incidents = makers.incidents
        self._isolate = isolate
        self._retried: set[tuple[str, str]] = set()
        self._failed: set[tuple[str, str]] = set()

    async def due(self) -> PollParts:
        """Return the parts that failed before and are due for a retry."""
        taken = await self._tx.retries.take(self._server)
        self._retried.update(map(incident_of, taken))
        parts = await self._isolate(self._tx, taken, self._parts, self._unreadable)
        return PollParts(
            [part for part in parts if isinstance(part, Arrived)],
            [part for part in parts if isinstance(part, ChangeToTell)],
            [part for part in parts if isinstance(part, CardRequest)],
            [part for part in parts if isinstance(part, UnlinkedSeries)],
        )

    async def asked(self, parts: PollParts) -> tuple[list[CardRequest], list[LinkedSeries]]:
        """Return the requested cards, each once: for arrivals, then for changes; and the new versions."""
        tx = self._tx
        changes = await self._isolate(tx, parts.changes, self._touched, self._put_off)
        linked = await self._isolate(tx, parts.links, lambda some: link_versions(tx, some), self._put_off)
        wanted = [*parts.cards, *await self._isolate(tx, parts.submissions, self._arrived, self._put_off)]
        heard = await self._isolate(tx, changes, self._hearing.heard, self._put_off)
        wanted += await self._isolate(tx, heard, lambda some: self._hearing.wanted(tx, some), self._put_off_heard)
        once: dict[tuple[RoomId, SubmissionRef], CardRequest] = {}
        for each in wanted:
            once.setdefault((each.room, each.about), each)
        kept = list(once.values())
        return await self._isolate(tx, kept, lambda some: keep_for_digests(tx, some), self._put_off), linked

    async def post(self, wanted: Sequence[CardRequest], floods: Mapping[RoomId, Flood]) -> list[AnnouncedCard]:
        """Write the *wanted* cards; if a room has too many, they become a flood, or part of one of *floods*."""

        async def sifted(rooms: Sequence[Sequence[CardRequest]]) -> list[CardRequest]:
            return [each for some in rooms for each in await self._sifted(some, floods.get(some[0].room))]

        cards = await self._isolate(self._tx, by_room(wanted), sifted, self._put_off_all)
        posted = {(each.room, each.about) for each in cards}
        in_order = [each for each in wanted if (each.room, each.about) in posted]
        return await self._isolate(self._tx, in_order, lambda some: self._announcer.post(self._tx, some), self._put_off)

    async def hold(self, absence: Absence, poll: Poll, wanted: Sequence[CardRequest]) -> list[AnnouncedCard]:
        """Hold the *wanted* cards after an *absence*, and post them when a *poll* brings the last of them."""
        absence = await self._catch_up.count(self._tx, absence, poll)
        tx = self._tx
        await self._isolate(tx, wanted, lambda some: self._catch_up.hold(tx, absence, some), self._put_off)
        return [] if poll.more and poll.wait is None else await self.tell(absence)

    async def tell(self, absence: Absence) -> list[AnnouncedCard]:
        """Post what is held since an *absence*."""
        return await self._catch_up.tell(self._tx, absence, self._tx.now, self._put_off)

    async def tell_versions(self, linked: Sequence[LinkedSeries]) -> None:
        """Link the cards of both versions to each other."""
        await self._isolate(self._tx, linked, self._cards_told, self._put_off_linked)

    def resolve(self) -> None:
        """Resolve the incidents of parts that succeeded this time; to be called after the commit."""
        for kind, name in self._retried - self._failed:
            self._incidents.resolve(kind, name)

    # Steps

    async def _parts(self, taken: Sequence[Retry]) -> list[Part]:
        found = [await part_of(self._tx, retry) for retry in taken]
        return [part for part in found if part is not None]

    async def _touched(self, changes: Sequence[ChangeToTell]) -> Sequence[ChangeToTell]:
        for each in changes:
            await touch_cards(self._tx, each.changed)
        return changes

    async def _arrived(self, submissions: Sequence[Arrived]) -> list[CardRequest]:
        return await self._announcer.wanted_of(self._tx, submissions)

    async def _sifted(self, wanted: Sequence[CardRequest], flood: Flood | None) -> Sequence[CardRequest]:
        """Return the cards to write in a room; if there are too many, they are part of a flood instead."""
        flood = await open_flood(self._tx, wanted, flood, self._tx.now)
        if flood is None:
            return wanted
        await self._gather(flood.key, wanted)
        return []

    async def _gather(self, key: NoticeKey, wanted: Sequence[CardRequest]) -> None:
        async def gather(some: Sequence[CardRequest]) -> Sequence[CardRequest]:
            await self._tx.floods.gather(some[0].room, key, [each.held for each in some])
            return some

        await self._isolate(self._tx, wanted, gather, self._put_off)

    async def _cards_told(self, linked: Sequence[LinkedSeries]) -> Sequence[LinkedSeries]:
        await tell_cards(self._tx, self._server, linked)
        return linked

    # What fails

    async def _put_off(self, part: Part, error: Exception) -> None:
        retry = retry_of(part)
        self._fail(retry, error)
        await self._tx.retries.add(retry)

    async def _put_off_all(self, wanted: Sequence[CardRequest], error: Exception) -> None:
        for each in wanted:
            await self._put_off(each, error)

    async def _put_off_heard(self, heard: RoomChange, error: Exception) -> None:
        await self._put_off(replace(heard.change, room=heard.heard.match.room), error)

    async def _put_off_linked(self, linked: LinkedSeries, error: Exception) -> None:
        rebuilds = await self._tx.watch.rebuilds(self._server)
        await self._put_off(
            UnlinkedSeries(
                SubmissionRef(self._server, SubmissionKind.SERIES, linked.series.id, rebuilds), linked.failures
            ),
            error,
        )

    async def _unreadable(self, retry: Retry, error: Exception) -> None:
        self._fail(retry, error)
        await self._tx.retries.add(replace(retry, failures=retry.failures + 1))

    def _fail(self, retry: Retry, error: Exception) -> None:
        incident = incident_of(retry)
        self._failed.add(incident)
        self._incidents.record(*incident, error)
