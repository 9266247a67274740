"""Posts digests when they are due, once, however long the bot was away.

No event tells that a submission was renamed, moved or deleted, so its server is asked first.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

import structlog

from bot.clock import Clock
from bot.errors import StoreError, TransportError, UserError
from bot.ids import ProjectName, RoomId, SeriesId, ServerName
from bot.notices.card import ServerLinks
from bot.notices.digest import MOST_LINES, MOST_MESSAGES, DigestContent, DigestLine, allowed_in, digest
from bot.notices.markup import written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag, digest_key, queue_key
from bot.notices.queue import QueueContent, QueueEntry, queue_pages
from bot.notices.queue import allowed_in as allowed_in_queue
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import AT_ONCE
from bot.patchwork.model import Patch, Series
from bot.patchwork.responses import NotFound
from bot.query.facts import FactName
from bot.query.index.index import Subscription
from bot.query.options import DigestTimes
from bot.query.query import Query, positive_terms
from bot.review_queue import QueueScope, ReviewQueue
from bot.search import MOST_IDLE, PatchSearch
from bot.store.digest_book import DigestDue, DigestEntry
from bot.store.retry_book import RetryKind
from bot.store.store import Store, Transaction
from bot.submission import SubmissionKind, SubmissionRef
from bot.subscriptions.digest_schedule import zone_named
from bot.subscriptions.registry import Audience
from bot.watch.item_isolation import isolated

SECONDS = 20.0  # for all that a digest lists; the rest is told as the store has it
_log = structlog.get_logger(__name__)
_MOST_LISTED = MOST_MESSAGES * MOST_LINES


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a digest is asked for besides what came: the queries about what is *stale*, and those of a *queue*."""

    stale: list[Query] = field(default_factory=list)
    queue: list[Query] = field(default_factory=list)


_AllWanted: TypeAlias = Mapping[tuple[RoomId, DigestTimes], _Wanted]


@dataclass(frozen=True, slots=True)
class CurrentListing:
    """How a submission is now: in which project, and under which name; None where its server says it has none such."""

    project: ProjectName | None
    name: str = ""


class ListedNow:
    """Asks the servers, each until it does not answer."""

    def __init__(self, apis: Mapping[ServerName, PatchworkApi]) -> None:
        self._apis = apis

    async def of(self, abouts: Sequence[SubmissionRef]) -> dict[SubmissionRef, CurrentListing]:
        """How those of *abouts* are of which a server says it in time."""
        found: dict[SubmissionRef, CurrentListing] = {}
        by_server: dict[ServerName, list[SubmissionRef]] = {}
        for about in abouts:
            by_server.setdefault(about.server, []).append(about)
        try:
            async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
                for server, some in by_server.items():
                    group.create_task(self._ask(server, some, found))
        except TimeoutError:
            _log.info("digest.lookup_cut", found=len(found), listed=len(abouts))
        return found

    async def _ask(
        self, server: ServerName, abouts: Sequence[SubmissionRef], found: dict[SubmissionRef, CurrentListing]
    ) -> None:
        api = self._apis.get(server)
        if api is None or not api.version:
            return
        for start in range(0, len(abouts), AT_ONCE):
            some = abouts[start : start + AT_ONCE]
            answers = await asyncio.gather(*(_now(api, about) for about in some))
            found |= {about: now for about, now in zip(some, answers, strict=True) if now is not None}
            if None in answers:
                return


async def _now(api: PatchworkApi, about: SubmissionRef) -> CurrentListing | None:
    """How a submission is; None where the server does not say."""
    try:
        what = await (api.series(about.id) if about.kind == "series" else api.patch(about.id))
    except NotFound:
        return CurrentListing(None)
    except TransportError as error:
        _log.info("digest.lookup_failed", server=about.server, kind=str(about.kind), id=about.id, reason=str(error))
        return None
    return CurrentListing(what.project, what.name)


@dataclass(frozen=True, slots=True)
class DigestSources:
    """Where a digest learns of what it lists: the *past*, what is open in the *queue*, and how all is *now*.

    *sites* say by server how links are written.
    """

    past: PatchSearch
    queue: ReviewQueue
    sites: Mapping[ServerName, Callable[[ProjectName], ServerLinks]]
    now: ListedNow


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is to be listed; *earlier* and *idle_since* as `DigestLine` has them."""

    about: SubmissionRef
    earlier: tuple[int, ...] = ()
    idle_since: datetime | None = None


class DigestPosts:
    """Tells the digests of all rooms."""

    def __init__(self, store: Store, audience: Audience, sources: DigestSources, clock: Clock) -> None:
        self._store = store
        self._audience = audience
        self._past = sources.past
        self._queue = sources.queue
        self._sites = sources.sites
        self._now = sources.now
        self._clock = clock
        self._incidents = store.incidents
        self._arranged = -1  # the count of the index's changes that the appointments go by
        self._wanted: _AllWanted = {}

    @property
    def are_arranged(self) -> bool:
        """Whether there is an appointment for each digest that a subscription asks for."""
        return self._audience.index.changes == self._arranged

    async def tell(self) -> None:
        """Write those that are due; one that cannot be written waits for its next try."""
        await self._arrange()
        async with self._store.reading() as tx:
            due = await tx.digests.due()
        for each in due:
            try:
                await self._tell(each)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001  # the one broad catch of a digest: it is put off and recorded
                await self._fail(each, error)

    async def _fail(self, due: DigestDue, error: Exception) -> None:
        async with self._store.transaction() as tx:
            await tx.retries.put_off(RetryKind.DIGEST, due.key, error)

    async def _arrange(self) -> None:
        """Have an appointment for each digest that a subscription asks for."""
        if self.are_arranged:
            return
        changes = self._audience.index.changes
        self._wanted = await asyncio.to_thread(lambda: _wanted(self._audience.index.subscriptions))
        async with self._store.transaction() as tx:
            await tx.digests.schedule(self._wanted.keys())
        self._arranged = changes

    async def _tell(self, due: DigestDue) -> None:
        stale = await self._stale(due)
        async with self._store.reading() as tx:
            kept = (await self._kept(tx, due, stale))[:_MOST_LISTED] if await tx.digests.is_still_due(due) else []
        now = await self._now.of([each.about for each in kept])
        queue = await self._queued(due)
        async with self._store.transaction() as tx:
            if not await tx.digests.is_still_due(due):
                return
            muted_until = await tx.subscriptions.muted_until(due.room)
            if muted_until is not None and muted_until > self._clock.now():
                await tx.digests.put_off(due)
                return
            told, untold = await self._told(tx, due, stale, now)
            told_queue = replace(queue, first=len(told.listed) + 1)
            await tx.outbox.add(await asyncio.to_thread(self._notices, due, told, told_queue))
            listed = [each.ref for each in told.listed if each.ref is not None]
            listed += [each.ref for each in told_queue.entries]
            if listed:
                await tx.queues.number(due.room, listed)
            await tx.digests.settle(due, untold)
            await tx.retries.settle(RetryKind.DIGEST, [due.key])
            if (due.room, due.digest) not in self._wanted:
                await tx.digests.end(due)
        self._incidents.resolve(RetryKind.DIGEST.incident, due.key)
        _log.info(
            "digest.posted",
            room=due.room,
            digest=str(due.digest),
            series=len(told.listed) + told.unlisted,
            queued=queue.total,
        )

    async def _stale(self, due: DigestDue) -> list[_Kept]:
        """What a digest tells of because nothing happened to it, newest first, without what the room snoozes."""
        found: dict[SubmissionRef, _Kept] = {}
        for query in self._wanted_of(due).stale:
            try:
                matches = await self._past.idle(query, MOST_IDLE)
            except StoreError:
                raise
            except UserError as error:
                _log.warning("digest.stale_unknown", room=due.room, query=str(query), reason=str(error))
                continue
            except Exception as error:  # noqa: BLE001  # a fault of ours in one query, which is recorded
                self._incidents.record("digest.stale_not_found", f"{query} in {due.room}", error)
                continue
            for match in matches.found:
                found.setdefault(match.about, _Kept(match.about, idle_since=match.idle_since))
        async with self._store.reading() as tx:
            snoozed = await tx.snoozes.refs(due.room) if found else set()
        return [each for about, each in found.items() if about not in snoozed]

    def _wanted_of(self, due: DigestDue) -> _Wanted:
        return self._wanted.get((due.room, due.digest), _Wanted())

    async def _queued(self, due: DigestDue) -> QueueContent:
        """What is open and in the queue that a digest is asked for."""
        trees = tuple(dict.fromkeys(query.tree for query in self._wanted_of(due).queue))
        rows = [row for row in await self._queue.rows(QueueScope(trees)) if row.ref.server in self._sites]
        shown = rows[:_MOST_LISTED]
        submissions = await self._queue.contents([row.ref for row in shown])
        entries = [
            QueueEntry(self._sites[row.ref.server](submission.project), row.ref, submission, row.verdict)
            for row in shown
            if (submission := submissions.get(row.ref)) is not None
        ]
        return QueueContent(entries, Counter(row.verdict.turn for row in rows), self._clock.now())

    async def _kept(self, tx: Transaction, due: DigestDue, stale: Sequence[_Kept]) -> list[_Kept]:
        """What a digest tells of: what came, in the order of arrival, then what is *stale*."""
        entries = [each for each in await tx.digests.entries(due.room, due.digest) if each.about.server in self._sites]
        came = {each.about for each in entries}
        return [*await _folded(tx, entries), *(each for each in stale if each.about not in came)]

    async def _told(
        self, tx: Transaction, due: DigestDue, stale: Sequence[_Kept], now: Mapping[SubmissionRef, CurrentListing]
    ) -> tuple[DigestContent, list[SubmissionRef]]:
        """What a digest tells of, as it stands *now*; with it what cannot be shown, and is told with the next one."""
        kept = await self._kept(tx, due, stale)
        zone = zone_named(await tx.subscriptions.timezone(due.room))
        untold: list[SubmissionRef] = []

        async def leave_out(each: _Kept, error: Exception) -> None:
            about = each.about
            self._incidents.record("digest.item_not_shown", f"{about.kind} {about.id} of {about.server}", error)
            untold.append(about)

        listed = await isolated(tx, kept[:_MOST_LISTED], partial(self._listed, tx, now), leave_out)
        return DigestContent(listed, max(0, len(kept) - _MOST_LISTED), due.since, self._clock.now(), zone), untold

    async def _listed(
        self, tx: Transaction, now: Mapping[SubmissionRef, CurrentListing], kept: Sequence[_Kept]
    ) -> list[DigestLine]:
        """The lines of what is *kept* and still known, each of which was written once to see that it can be."""
        listed: list[DigestLine] = []
        for each in kept:
            found = await _standing(tx, each.about)
            if found is not None:
                line = DigestLine(self._sites[each.about.server](found.what.project), found.what, found.states)
                line = replace(
                    line, ref=each.about, earlier=each.earlier, idle_since=each.idle_since, is_pull=found.is_pull
                )
                listed.append(_as_it_is(replace(line, successor=found.successor), now.get(each.about)))
        if listed:
            allowed, moment = allowed_in(listed), self._clock.now()
            probe = DigestContent(listed, 0, moment, moment, zone_named(None))
            await asyncio.to_thread(lambda: [written(document, allowed) for document in digest(probe)])
        return listed

    def _notices(self, due: DigestDue, told: DigestContent, queue: QueueContent) -> list[Notice]:
        """The messages, none where there is nothing to tell; for a thread."""
        when, rings = (due.room, str(due.digest), due.next_due_at), self._audience.rings(due.room)
        messages = [
            (Tag(NoticeKind.DIGEST, digest_key(*when, number)), written(document, allowed_in(told.listed)))
            for number, document in enumerate(digest(told), start=1)
        ]
        messages += [
            (Tag(NoticeKind.QUEUE, queue_key(*when, number)), written(document, allowed_in_queue(queue.entries)))
            for number, document in enumerate(queue_pages(queue), start=1)
        ]
        return [Notice(due.room, Lane.CARD, Message(*forms, tag, rings=rings)) for tag, forms in messages]


def _wanted(subscriptions: Iterable[Subscription]) -> _AllWanted:
    """The digests that are asked for, each with the queries about what is stale, and those of its queue."""
    all_wanted: dict[tuple[RoomId, DigestTimes], _Wanted] = {}
    for each in subscriptions:
        if (asked := each.query.options.digest) is not None:
            wanted = all_wanted.setdefault((each.room, asked), _Wanted())
            if each.query.is_queue:
                wanted.queue.append(each.query)
            elif any(FactName.IDLE in term.facts for term in positive_terms(each.query.tree)):
                wanted.stale.append(each.query)
    return all_wanted


@dataclass(frozen=True, slots=True)
class _Standing:
    """A series or lone patch as the store has it; *successor* is the version that follows it, 0 for none."""

    what: Series | Patch
    states: Counter[str]
    is_pull: bool
    successor: int = 0


def _as_it_is(listed: DigestLine, now: CurrentListing | None) -> DigestLine:
    """What is *listed* by its name of *now*, and with what became of it; as it is where that is not known."""
    if now is None or now.project is None:
        return replace(listed, is_gone=now is not None)
    what = replace(listed.what, name=now.name or listed.what.name)
    if now.project.lower() == what.project.lower():
        return replace(listed, what=what)
    return replace(listed, what=replace(what, project=now.project), is_moved=True)


async def _standing(tx: Transaction, about: SubmissionRef) -> _Standing | None:
    """A series or lone patch; None where it is not known any more."""
    if about.kind == "series":
        number = SeriesId(about.id)
        series = await tx.watch.series(about.server, number)
        states = await tx.watch.states_of(about.server, [number])
        pulls = await tx.watch.pull_requests(about.server, [number])
        following = await tx.versions.following(about.server, number)
        successor = following[-1].version if following else 0
        return _Standing(series, states.get(number, Counter()), number in pulls, successor) if series else None
    patch = await tx.watch.patch(about.server, about.id)
    if patch is None:
        return None
    return _Standing(patch, Counter([patch.state] if patch.state else []), patch.pull_url is not None)


async def _folded(tx: Transaction, entries: Sequence[DigestEntry]) -> list[_Kept]:
    """The *entries* without those of which a later version is among them."""
    there = {each.about for each in entries}
    earlier: dict[SubmissionRef, list[SubmissionRef]] = {}
    for each in entries:
        if each.has_former:
            server = each.about.server
            ids = await tx.watch.earlier(server, SeriesId(each.about.id))
            former = [SubmissionRef(server, SubmissionKind.SERIES, number) for number in ids]
            earlier[each.about] = [about for about in former if about in there]
    gone = {about for abouts in earlier.values() for about in abouts}
    kept = [each.about for each in entries if each.about not in gone]
    return [_Kept(about, await _versions(tx, earlier.get(about, ()))) for about in kept]


async def _versions(tx: Transaction, abouts: Iterable[SubmissionRef]) -> tuple[int, ...]:
    found = [await tx.watch.series(each.server, each.id) for each in abouts]
    return tuple(series.version for series in found if series is not None)
