"""Writes what a poll read and handles it step by step; an item on which a step fails is put off by itself.

An object that cannot be written is read again later.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from bot.ids import NoticeKey, ProjectName, RoomId, ServerName
from bot.incidents import Incidents
from bot.notices.catch_up import Absence
from bot.notices.changes import ChangedSubmission
from bot.notices.floods import Flood
from bot.patchwork.updates import MailKind
from bot.poll import CommentsRead, FollowUpResult, Pending, PendingKind, Poll, Rechecks
from bot.store.retry_book import Retry
from bot.store.store import Transaction
from bot.submission import SubmissionKind, SubmissionRef
from bot.watch.announce import AnnouncedCard, Announcer, Arrived, CardRequest, by_room, keep_for_digests, open_flood
from bot.watch.card_edits import touch_cards
from bot.watch.catch_up_lines import CatchUp
from bot.watch.change_replies import ChangeReplies, PendingChange, RoomChange
from bot.watch.dependents import is_shown, touch_dependents
from bot.watch.item_isolation import Isolation, isolated
from bot.watch.retries import Part, PollParts, incident_of, part_of, retry_of
from bot.watch.snooze_returns import wake_commented, wake_replaced
from bot.watch.version_links import LinkedSeries, UnlinkedSeries, link_cards, link_versions, links

NOT_SAVED = "poll.object_not_saved"


@dataclass(frozen=True, slots=True)
class SavedPoll:
    """The part of a *poll* that was written, and what *changed*."""

    poll: Poll
    changed: tuple[ChangedSubmission, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a poll about one object; *again* says how to read it again, None if that is impossible."""

    name: str
    poll: Poll
    again: Pending | None = None


async def save_whole(tx: Transaction, poll: Poll) -> SavedPoll:
    """Write what a *poll* found, all of it or nothing."""
    return SavedPoll(poll, await tx.watch.save(poll))


async def save(tx: Transaction, poll: Poll, incidents: Incidents, now: datetime) -> SavedPoll:
    """Write what a *poll* found: as a whole, or, if that fails, piece by piece without those that cannot be written.

    An unwritable object is read again like one that could not be read; what an event said about it is lost.

    Raises:
        StoreError: when the database cannot be used at all.
    """
    whole = await isolated(tx, [poll], lambda polls: _saved(tx, polls), _nothing)
    if whole:
        return SavedPoll(poll, whole[0].changed)
    base = replace(
        poll, series=(), patches=(), updates=(), listed=(), followed=FollowUpResult(rechecks=poll.followed.rechecks)
    )
    changed = list(await tx.watch.save(base))

    async def put_off(piece: _Piece, error: Exception) -> None:
        incidents.record(NOT_SAVED, piece.name, error)
        if piece.again is not None:
            await tx.watch.save(replace(_empty(poll), pending=(piece.again.again(now),)))

    async def write(pieces: Sequence[_Piece]) -> list[SavedPoll]:
        return await _saved(tx, [piece.poll for piece in pieces])

    written = await isolated(tx, list(_pieces(poll, now)), write, put_off)
    changed += [each for saved in written for each in saved.changed]
    series = tuple(read for saved in written for read in saved.poll.series)
    patches = tuple(patch for saved in written for patch in saved.poll.patches)
    return SavedPoll(replace(poll, series=series, patches=patches), tuple(changed))


async def _saved(tx: Transaction, polls: Sequence[Poll]) -> list[SavedPoll]:
    return [await save_whole(tx, poll) for poll in polls]


async def _nothing(poll: Poll, error: Exception) -> None:
    """Record nothing: the fault is located piece by piece."""


def _empty(poll: Poll) -> Poll:
    """Return a poll that only moves the cursor to where *poll* does."""
    rechecks = None if poll.followed.rechecks is None else Rechecks()
    return Poll(poll.server, poll.cursor, followed=FollowUpResult(rechecks=rechecks))


def _pieces(poll: Poll, now: datetime) -> Iterator[_Piece]:
    """Return what a *poll* found, object by object."""
    empty, server, followed = _empty(poll), poll.server, poll.followed
    nothing = empty.followed
    for read in poll.series:
        item = _item(poll, PendingKind.SERIES, read.series.id, read.series.project, now)
        yield _Piece(f"series {read.series.id} of {server}", replace(empty, series=(read,)), item)
    for patch in poll.patches:
        item = _item(poll, PendingKind.PATCH, patch.id, patch.project, now)
        yield _Piece(f"patch {patch.id} of {server}", replace(empty, patches=(patch,), too_old=poll.too_old), item)
    for number, told in groupby(sorted(poll.updates, key=lambda each: each.patch), key=lambda each: each.patch):
        yield _Piece(f"what was told of patch {number} of {server}", replace(empty, updates=tuple(told)))
    for series in poll.listed:
        yield _Piece(f"series {series.id} of {server}", replace(empty, listed=(series,)))
    for comment in followed.new_comments:
        name = f"comment {comment.id} of {server}"
        yield _Piece(name, replace(empty, followed=replace(nothing, new_comments=(comment,))))
    for comments in followed.comments:
        name = f"comments on {comments.on.kind} {comments.on.id} of {server}"
        yield _Piece(name, replace(empty, followed=replace(nothing, comments=(comments,))), _comments(poll, comments))
    for trailers in followed.trailers:
        kind = PendingKind.PATCH_TRAILERS if trailers.series is None else PendingKind.SERIES_TRAILERS
        number = trailers.series or next((patch for patch, _ in trailers.patches), 0)
        name = f"trailers of {number} of {server}"
        yield _Piece(
            name, replace(empty, followed=replace(nothing, trailers=(trailers,))), _settled(poll, kind, number)
        )
    for cover in followed.covers:
        name = f"what series {cover.series} of {server} needs"
        yield _Piece(name, replace(empty, followed=replace(nothing, covers=(cover,))))
    for checks in followed.checks:
        name, again = f"checks of patch {checks.patch} of {server}", _settled(poll, PendingKind.CHECKS, checks.patch)
        yield _Piece(name, replace(empty, followed=replace(nothing, checks=(checks,))), again)


def _item(poll: Poll, kind: PendingKind, number: int, project: ProjectName, now: datetime) -> Pending:
    """Return the pending item that reads an object again."""
    new = Pending(kind, number, project, name="", first_seen=now, due=now, deadline=now)
    return _settled(poll, kind, number) or new


def _settled(poll: Poll, kind: PendingKind, number: int) -> Pending | None:
    """Return the pending item of an object that waited before the poll; None without one."""
    return next((item for item in poll.settled if item.key == (kind, number)), None)


def _comments(poll: Poll, read: CommentsRead) -> Pending | None:
    kind = PendingKind.PATCH_COMMENTS if read.on.kind is MailKind.PATCH else PendingKind.COVER_COMMENTS
    return _settled(poll, kind, read.on.id)


def resolve_saved(saved: SavedPoll, incidents: Incidents) -> None:
    """Resolve the incidents of objects that are written now; to be called after the commit."""
    for read in saved.poll.series:
        incidents.resolve(NOT_SAVED, f"series {read.series.id} of {saved.poll.server}")
    for patch in saved.poll.patches:
        incidents.resolve(NOT_SAVED, f"patch {patch.id} of {saved.poll.server}")


@dataclass(frozen=True, slots=True)
class NoticeMakers:
    """The makers of notices and cards for one server."""

    announcer: Announcer
    change_replies: ChangeReplies
    catch_up: CatchUp
    incidents: Incidents


def new_parts(saved: SavedPoll, rebuilds: int) -> PollParts:
    """Return what a *saved* poll brought, in the order of arrival; submissions too old to be posted are only linked."""
    poll, server = saved.poll, saved.poll.server
    news = [
        (SubmissionRef(server, SubmissionKind.SERIES, each.series.id, rebuilds), each.news)
        for each in poll.series
        if not each.too_old
    ]
    news += [
        (SubmissionRef(server, SubmissionKind.PATCH, patch.id, rebuilds), (patch,))
        for patch in poll.patches
        if patch.id not in poll.too_old
    ]
    return PollParts(
        submissions=[Arrived(about, {patch.id: patch.text for patch in patches}) for about, patches in news],
        changes=[PendingChange(each) for each in saved.changed],
        links=links(saved.changed, poll.series, server, rebuilds),
        learned=[
            SubmissionRef(server, SubmissionKind.SERIES, cover.series, rebuilds) for cover in poll.followed.covers
        ],
    )


def _late(links: Sequence[UnlinkedSeries], linked: Sequence[LinkedSeries]) -> list[UnlinkedSeries]:
    """Return those of *links* that found a former version, of series that had arrived before."""
    numbers = {each.series.id for each in linked}
    return [link for link in links if link.series is None and link.about.id in numbers]


class PollSteps:
    """The steps of one transaction for one server."""

    def __init__(
        self, tx: Transaction, server: ServerName, makers: NoticeMakers, isolate: Isolation = isolated
    ) -> None:
        self._tx = tx
        self._server = server
        self._announcer = makers.announcer
        self._change_replies = makers.change_replies
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
            [part for part in parts if isinstance(part, PendingChange)],
            [part for part in parts if isinstance(part, CardRequest)],
            [part for part in parts if isinstance(part, UnlinkedSeries)],
        )

    async def requests(self, parts: PollParts) -> tuple[list[CardRequest], list[LinkedSeries]]:
        """Return the requested cards, each once: for arrivals, then for changes; and the new versions."""
        tx = self._tx
        changes = await self._isolate(tx, parts.changes, self._touched, self._put_off)
        await self._touch_needs(parts)
        linked = await self._isolate(tx, parts.links, lambda some: link_versions(tx, some), self._put_off)
        await self._wake_snoozes(changes, linked)
        wanted = [*parts.cards, *await self._isolate(tx, parts.submissions, self._arrived, self._put_off)]
        wanted += await self._isolate(tx, _late(parts.links, linked), self._late_versions, self._put_off)
        rooms = await self._isolate(tx, changes, lambda some: self._change_replies.by_room(tx, some), self._put_off)
        wanted += await self._isolate(
            tx, rooms, lambda some: self._change_replies.card_requests(tx, some), self._put_off_room
        )
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
        return [] if poll.more and poll.wait is None else await self.post_held(absence)

    async def post_held(self, absence: Absence) -> list[AnnouncedCard]:
        """Post what is held since an *absence*."""
        return await self._catch_up.post(self._tx, absence, self._tx.now, self._put_off)

    async def link_cards(self, linked: Sequence[LinkedSeries]) -> None:
        """Link the cards of both versions to each other."""
        await self._isolate(self._tx, linked, self._cards_linked, self._put_off_linked)

    def resolve(self) -> None:
        """Resolve the incidents of parts that succeeded this time; to be called after the commit."""
        for kind, name in self._retried - self._failed:
            self._incidents.resolve(kind, name)

    # Steps

    async def _wake_snoozes(self, changes: Sequence[PendingChange], linked: Sequence[LinkedSeries]) -> None:
        """Let what is snoozed be back that was commented on, or has a new version."""
        tx, server = self._tx, self._server
        await self._isolate(tx, changes, lambda some: wake_commented(tx, some), self._not_woken)
        await self._isolate(tx, linked, lambda some: wake_replaced(tx, server, some), self._not_woken)

    async def _touch_needs(self, parts: PollParts) -> None:
        """Mark the cards that show what is needed, where that arrived, changed, or became known now."""
        tx, server = self._tx, self._server
        news = [each.about for each in parts.submissions]
        news += [each.changed.about for each in parts.changes if is_shown(each.changed)]
        await self._isolate(tx, news, lambda some: touch_dependents(tx, server, some), self._not_touched)
        await self._isolate(tx, parts.learned, self._touch, self._not_touched)

    async def _touch(self, abouts: Sequence[SubmissionRef]) -> Sequence[SubmissionRef]:
        for about in abouts:
            await self._tx.cards.touch(about, urgent=False)
        return abouts

    async def _not_touched(self, about: SubmissionRef, error: Exception) -> None:
        """Record a fault; cards show what is needed as it is then with their next edit."""
        self._incidents.record("card.needs_not_shown", f"{about.kind} {about.id} of {about.server}", error)

    async def _not_woken(self, part: PendingChange | LinkedSeries, error: Exception) -> None:
        """Record a fault; what it is about is back when its time is over."""
        about = part.changed.about.id if isinstance(part, PendingChange) else part.series.id
        self._incidents.record("snooze.not_ended", f"{about} of {self._server}", error)

    async def _parts(self, taken: Sequence[Retry]) -> list[Part]:
        found = [await part_of(self._tx, retry) for retry in taken]
        return [part for part in found if part is not None]

    async def _touched(self, changes: Sequence[PendingChange]) -> Sequence[PendingChange]:
        for each in changes:
            await touch_cards(self._tx, each.changed)
        return changes

    async def _late_versions(self, links: Sequence[UnlinkedSeries]) -> list[CardRequest]:
        return await self._announcer.late_versions(self._tx, [link.about for link in links])

    async def _arrived(self, submissions: Sequence[Arrived]) -> list[CardRequest]:
        return await self._announcer.requests_for(self._tx, submissions)

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

    async def _cards_linked(self, linked: Sequence[LinkedSeries]) -> Sequence[LinkedSeries]:
        await link_cards(self._tx, self._server, linked)
        return linked

    # What fails

    async def _put_off(self, part: Part, error: Exception) -> None:
        retry = retry_of(part)
        self._fail(retry, error)
        await self._tx.retries.add(retry)

    async def _put_off_all(self, wanted: Sequence[CardRequest], error: Exception) -> None:
        for each in wanted:
            await self._put_off(each, error)

    async def _put_off_room(self, of_room: RoomChange, error: Exception) -> None:
        await self._put_off(replace(of_room.change, room=of_room.result.match.room), error)

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
