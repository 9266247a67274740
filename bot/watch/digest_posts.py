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

SECONDS = 20.0  # for all that a digest lists; the rest are listed as the store has them
_log = structlog.get_logger(__name__)
_MOST_LISTED = MOST_MESSAGES * MOST_LINES


@dataclass(frozen=True, slots=True)
class _DigestQueries:
    """The queries of a digest about submissions that are *stale*, and those whose *queue* it lists."""

    stale: list[Query] = field(default_factory=list)
    queue: list[Query] = field(default_factory=list)


_QueriesByDigest: TypeAlias = Mapping[tuple[RoomId, DigestTimes], _DigestQueries]


@dataclass(frozen=True, slots=True)
class CurrentListing:
    """Its *project* and *name* on its server now; *project* is None if it is not there any more."""

    project: ProjectName | None
    name: str = ""


class ListedNow:
    """Asks the servers, each until it does not answer."""

    def __init__(self, apis: Mapping[ServerName, PatchworkApi]) -> None:
        self._apis = apis

    async def of(self, abouts: Sequence[SubmissionRef]) -> dict[SubmissionRef, CurrentListing]:
        """Return what the servers say of *abouts*, without those for which no answer comes in time."""
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
    """Return what a server says of a submission; None if it does not answer."""
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
class _Entry:
    """What is to be listed; *earlier* and *idle_since* as `DigestLine` has them."""

    about: SubmissionRef
    earlier: tuple[int, ...] = ()
    idle_since: datetime | None = None


class DigestPosts:
    """Posts the digests of all rooms."""

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
        self._queries: _QueriesByDigest = {}

    @property
    def are_arranged(self) -> bool:
        """Whether there is an appointment for each digest that a subscription asks for."""
        return self._audience.index.changes == self._arranged

    async def tick(self) -> None:
        """Write those that are due; one that cannot be written waits for its next try."""
        await self._arrange()
        async with self._store.reading() as tx:
            due = await tx.digests.due()
        for each in due:
            try:
                await self._post(each)
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
        self._queries = await asyncio.to_thread(lambda: _queries_by_digest(self._audience.index.subscriptions))
        async with self._store.transaction() as tx:
            await tx.digests.schedule(self._queries.keys())
        self._arranged = changes

    async def _post(self, due: DigestDue) -> None:
        stale = await self._stale(due)
        async with self._store.reading() as tx:
            entries = (await self._entries(tx, due, stale))[:_MOST_LISTED] if await tx.digests.is_still_due(due) else []
        now = await self._now.of([each.about for each in entries])
        queue = await self._open_queue(due, is_all=not entries)
        async with self._store.transaction() as tx:
            if not await tx.digests.is_still_due(due):
                return
            muted_until = await tx.subscriptions.muted_until(due.room)
            if muted_until is not None and muted_until > self._clock.now():
                await tx.digests.put_off(due)
                return
            content, left_out = await self._content(tx, due, stale, now)
            numbered_queue = replace(queue, first=len(content.listed) + 1)
            await tx.outbox.add(await asyncio.to_thread(self._notices, due, content, numbered_queue))
            listed = [each.ref for each in content.listed if each.ref is not None]
            listed += [each.ref for each in numbered_queue.entries]
            if listed:
                await tx.queues.number(due.room, listed)
            await tx.digests.settle(due, left_out)
            await tx.retries.settle(RetryKind.DIGEST, [due.key])
            if (due.room, due.digest) not in self._queries:
                await tx.digests.end(due)
        self._incidents.resolve(RetryKind.DIGEST.incident, due.key)
        _log.info(
            "digest.posted",
            room=due.room,
            digest=str(due.digest),
            series=len(content.listed) + content.unlisted,
            queued=queue.total,
        )

    async def _stale(self, due: DigestDue) -> list[_Entry]:
        """Return the entries for submissions to which nothing happened, newest first, except for snoozed ones."""
        found: dict[SubmissionRef, _Entry] = {}
        for query in self._queries_of(due).stale:
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
                found.setdefault(match.about, _Entry(match.about, idle_since=match.idle_since))
        async with self._store.reading() as tx:
            snoozed = await tx.snoozes.refs(due.room) if found else set()
        return [each for about, each in found.items() if about not in snoozed]

    def _queries_of(self, due: DigestDue) -> _DigestQueries:
        return self._queries.get((due.room, due.digest), _DigestQueries())

    async def _open_queue(self, due: DigestDue, *, is_all: bool) -> QueueContent:
        """Return the queue that a digest lists; empty if it lists none, or if it fails and is not all of the digest."""
        trees = tuple(dict.fromkeys(query.tree for query in self._queries_of(due).queue))
        async with self._store.reading() as tx:
            snoozed = frozenset(await tx.snoozes.refs(due.room) if trees else ())
        try:
            rows = await self._queue.rows(QueueScope(trees, snoozed=snoozed))
            rows = [row for row in rows if row.ref.server in self._sites]
        except StoreError:
            raise
        except Exception as error:  # a fault of ours in the queue, which must not hold up the rest of the digest
            if is_all:
                raise  # so that the digest is tried again
            self._incidents.record("digest.queue_not_found", due.key, error)
            rows = []
        shown = rows[:_MOST_LISTED]
        items = await self._queue.contents([row.ref for row in shown])
        entries = [
            QueueEntry(self._sites[row.ref.server](item.submission.project), row.ref, item.submission, item.verdict)
            for row in shown
            if (item := items.get(row.ref)) is not None
        ]
        return QueueContent(entries, Counter(row.turn for row in rows), self._clock.now())

    async def _entries(self, tx: Transaction, due: DigestDue, stale: Sequence[_Entry]) -> list[_Entry]:
        """Return the entries of a digest: new submissions in the order of arrival, then the *stale* ones."""
        entries = [each for each in await tx.digests.entries(due.room, due.digest) if each.about.server in self._sites]
        came = {each.about for each in entries}
        return [*await _folded(tx, entries), *(each for each in stale if each.about not in came)]

    async def _content(
        self, tx: Transaction, due: DigestDue, stale: Sequence[_Entry], now: Mapping[SubmissionRef, CurrentListing]
    ) -> tuple[DigestContent, list[SubmissionRef]]:
        """Return the content of a digest, and the submissions that are left for the next one, since they failed."""
        entries = await self._entries(tx, due, stale)
        zone = zone_named(await tx.subscriptions.timezone(due.room))
        left_out: list[SubmissionRef] = []

        async def leave_out(each: _Entry, error: Exception) -> None:
            about = each.about
            self._incidents.record("digest.item_not_shown", f"{about.kind} {about.id} of {about.server}", error)
            left_out.append(about)

        listed = await isolated(tx, entries[:_MOST_LISTED], partial(self._listed, tx, now), leave_out)
        return DigestContent(listed, max(0, len(entries) - _MOST_LISTED), due.since, self._clock.now(), zone), left_out

    async def _listed(
        self, tx: Transaction, now: Mapping[SubmissionRef, CurrentListing], entries: Sequence[_Entry]
    ) -> list[DigestLine]:
        """Return the lines of those *entries* that are still stored; each is written once, to see that it can be."""
        listed: list[DigestLine] = []
        for each in entries:
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

    def _notices(self, due: DigestDue, content: DigestContent, queue: QueueContent) -> list[Notice]:
        """Return the messages; none if nothing is listed; to be called off the event loop."""
        when, rings = (due.room, str(due.digest), due.next_due_at), self._audience.rings(due.room)
        messages = [
            (Tag(NoticeKind.DIGEST, digest_key(*when, number)), written(document, allowed_in(content.listed)))
            for number, document in enumerate(digest(content), start=1)
        ]
        messages += [
            (Tag(NoticeKind.QUEUE, queue_key(*when, number)), written(document, allowed_in_queue(queue.entries)))
            for number, document in enumerate(queue_pages(queue), start=1)
        ]
        return [Notice(due.room, Lane.CARD, Message(*forms, tag, rings=rings)) for tag, forms in messages]


def _queries_by_digest(subscriptions: Iterable[Subscription]) -> _QueriesByDigest:
    """Return the digests of all subscriptions, with their queries about stale submissions and those of their queues."""
    by_digest: dict[tuple[RoomId, DigestTimes], _DigestQueries] = {}
    for each in subscriptions:
        if (asked := each.query.options.digest) is not None:
            queries = by_digest.setdefault((each.room, asked), _DigestQueries())
            if each.query.is_queue:
                queries.queue.append(each.query)
            elif any(FactName.IDLE in term.facts for term in positive_terms(each.query.tree)):
                queries.stale.append(each.query)
    return by_digest


@dataclass(frozen=True, slots=True)
class _Standing:
    """A series or lone patch as stored; *successor* is the version that follows it, 0 for none."""

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


async def _folded(tx: Transaction, entries: Sequence[DigestEntry]) -> list[_Entry]:
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
    newest = [each.about for each in entries if each.about not in gone]
    return [_Entry(about, await _versions(tx, earlier.get(about, ()))) for about in newest]


async def _versions(tx: Transaction, abouts: Iterable[SubmissionRef]) -> tuple[int, ...]:
    found = [await tx.watch.series(each.server, each.id) for each in abouts]
    return tuple(series.version for series in found if series is not None)
