"""Polls one Patchwork server: reads the new events, and the objects that they announce.

The poller writes nothing. It compares the server with the store and returns a `Poll`: everything that must be written
in one transaction, so that a poll is stored completely or not at all. `event_reader.py` reads the events; `pending.py`
decides which objects are read, and when.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.incidents import Incidents
from bot.patchwork.api import PatchworkApi
from bot.patchwork.model import Patch, PatchRef, Series
from bot.patchwork.responses import NotFound
from bot.patchwork.states import StateClasses, States
from bot.patchwork.updates import CommentHint, PatchUpdate, listed_fields, updates_in
from bot.poll import Baseline, Pending, PendingKind, Poll, SeriesRead, WatchPosition
from bot.polling import cursor
from bot.polling.covers import Covers
from bot.polling.event_reader import EventReader, EventsRead
from bot.polling.follow_ups import Followers, FollowUps, NoFollowers
from bot.polling.pending import Fetch, KnownObjects, PendingQueue
from bot.polling.projects import Availability, BaselineReader, Unavailable, VersionCheck
from bot.polling.sweep import ListSweep, SweepResult
from bot.store.store import Store

EMPTY_CHECK_EVERY = 600.0
BACKLOG_SECONDS = 30.0  # without new events during an import: each of its polls would read its events again
_NOBODY = NoFollowers()
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """A configured server: its projects, how long a series may stay incomplete, and its poll interval."""

    server: ServerName
    projects: tuple[str, ...]
    incomplete_after: timedelta
    interval: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class OldNewsFilter:
    """A filter for mails that are too old: sent before a time, and first seen until another (both UTC)."""

    sent_before: datetime
    seen_until: datetime

    def has(self, item: Pending, date: str) -> bool:
        """Return whether *item* is too old, given its mail's *date* (naive UTC); False without a readable date."""
        try:
            sent = datetime.fromisoformat(date).replace(tzinfo=UTC)
        except ValueError:
            return False
        return sent < self.sent_before and item.first_seen <= self.seen_until


@dataclass(frozen=True, slots=True)
class _SeriesResult:
    """A series, and the patches of it that could not be read, each with the error."""

    read: SeriesRead
    unread: tuple[tuple[PatchRef, TransportError], ...] = ()


@dataclass(frozen=True, slots=True)
class _Hints:
    """The hints of a poll: pending objects, the sweep's result, updates of patches, and new comments."""

    queue: PendingQueue
    swept: SweepResult
    updates: tuple[PatchUpdate, ...]
    new_comments: tuple[CommentHint, ...]


class Poller:
    """Polls one server for all its configured projects.

    `poll` raises `Temporary` and `Permanent` if the whole server fails; errors with one project or one object are
    recorded, kept in *problems* by project, and retried.
    """

    def __init__(  # noqa: PLR0913  # the parts of a server's watch, wired in one place
        self,
        source: Source,
        api: PatchworkApi,
        store: Store,
        clock: Clock,
        followers: Followers = _NOBODY,
        *,
        incidents: Incidents | None = None,
    ) -> None:
        self.server = source.server
        self._source = source
        self._api = api
        self._store = store
        self._clock = clock
        self._incidents = incidents or Incidents(clock)
        self._events = EventReader(source.server, api, store, clock)
        self._follow_ups = FollowUps(source.server, api, store, followers, clock)
        self._backlog_until = 0.0  # until then, due objects are read and no new events
        self._old_news: OldNewsFilter | None = None  # of this poll
        self._sweeps = ListSweep(source.server, api, store, clock, self._incidents)
        self._availability = Availability(source.server, source.projects, api, clock)
        self._projects = BaselineReader(source.server, api, self._events, self._availability)
        self._empty_recheck_at = 0.0  # when to check again why a server that never had events has none
        self._version = VersionCheck(source.server, api, clock)
        self._covers = Covers(source.server, api, store, followers)
        self._is_first_poll = True

    @property
    def problems(self) -> dict[str, Unavailable]:
        """The configured projects that cannot be watched now, by name."""
        return dict(self._availability)

    def is_available(self, project: ProjectName) -> bool:
        """Return whether a configured project is available, as far as known."""
        return self._availability.is_available(project)

    @property
    def url(self) -> str:
        """The configured address of the server."""
        return self._api.url

    @property
    def states(self) -> States:
        """The patch states of the server, as of the last poll."""
        return self._api.states

    @property
    def classes(self) -> StateClasses:
        """What the states of the server mean."""
        return self._api.classes

    @property
    def api_version(self) -> str:
        """The version of the API in use; "" before the first poll."""
        return self._api.version

    @property
    def interval(self) -> timedelta:
        """The poll interval."""
        return self._source.interval

    @property
    def links_by_msgid(self) -> bool:
        """True if the server's pages are named by message-id (API 1.2 and newer)."""
        return self._api.version != "1.1"

    async def poll(self, watched: WatchPosition, too_old: OldNewsFilter | None = None) -> Poll:
        """Return what is new since *watched*, with one request if nothing is; of *too_old* mails, read only names."""
        self._old_news = too_old
        await self._version.run()
        self._api.states = watched.states
        fresh = await self._projects.missing_baselines(watched)
        known = (*watched.baselines, *fresh)
        baselines = {base.project: base for base in known if self.is_available(base.project)}
        if not baselines:
            return self._nothing(watched)
        has_backlog = self._clock.monotonic() < self._backlog_until
        walk = EventsRead(cursor=watched.cursor) if has_backlog else await self._events.read(watched, baselines)
        if walk.rebuilt:
            return await self._start_over(list(baselines))
        if not walk.events and not walk.skipped and not has_backlog:
            await self._check_projects(list(baselines), had_events=watched.cursor is not None)
        walk, unread_from = await self._projects.catch_up(watched, walk)
        hints = await self._hints(watched, baselines, walk)
        fetch = Fetch(self.server, hints.queue, self._clock, self._incidents)
        series, patches, old_patches = await self._read_submissions(fetch)
        followed = await self._follow_ups.read(fetch, hints.new_comments)
        covers = await self._covers.read(fetch)
        fetch.resolve_settled()
        more, pending, settled = await asyncio.to_thread(_left_over, hints.queue)
        if not has_backlog or not more:
            self._backlog_until = self._clock.monotonic() + BACKLOG_SECONDS if more and not walk.cut else 0.0
        return Poll(
            server=self.server,
            cursor=walk.cursor,
            events=walk.new,
            series=series,
            patches=patches,
            updates=hints.updates,
            listed=(*hints.swept.series, *covers.renamed),
            followed=replace(followed, covers=covers.needs),
            baselines=fresh,
            pending=pending,
            settled=settled,
            more=walk.cut or more,
            wait=fetch.delay,
            too_old=old_patches,
            unread_from=unread_from,
            sweep=hints.swept.state,
            state_names=hints.swept.names,
        )

    def _nothing(self, watched: WatchPosition) -> Poll:
        """Return the poll of a server without an available project.

        Raises:
            TransportError: a project could not even be requested.
        """
        if (error := self._availability.outage) is not None:
            raise error
        return Poll(self.server, watched.cursor, polled=False)

    async def _start_over(self, projects: Sequence[ProjectName]) -> Poll:
        _log.warning("server.rebuilt", server=self.server)
        fresh = tuple([await self._projects.baseline(project) for project in projects])
        date = cursor.newest(base.date for base in fresh if base.date is not None)
        return Poll(self.server, date, baselines=fresh, rebuilt=True)

    # Projects

    async def _check_projects(self, projects: Sequence[ProjectName], *, had_events: bool) -> None:
        """Check for an unknown project, which makes a response about several projects empty.

        If there never was an event, an empty response is normal, and an occasional check is enough.
        """
        if not had_events and self._clock.monotonic() < self._empty_recheck_at:
            return
        self._empty_recheck_at = self._clock.monotonic() + EMPTY_CHECK_EVERY
        configured = {name.lower(): name for name in self._source.projects}
        for project in projects:
            await self._availability.find(configured[project.lower()])

    # Hints and look-ups

    async def _hints(self, watched: WatchPosition, baselines: dict[ProjectName, Baseline], walk: EventsRead) -> _Hints:
        """Return the hints and updates of the sweep and of events; the sweep comes first, because it may be older."""
        swept = await self._sweeps.run(baselines, watched.sweep)
        known = await self._known(watched, baselines, walk, swept)
        now, wait = self._clock.now(), self._source.incomplete_after
        # Off the event loop, because an import has many.
        queue = await asyncio.to_thread(lambda: _hinted(PendingQueue(watched.pending, known, now, wait), walk, swept))
        if self._is_first_poll:
            queue.retry_unreadable()  # the cause may have been removed before the restart
            self._is_first_poll = False
        new_comments = await self._follow_ups.hint(queue, known, walk.new, swept)
        listed = [patch for patch in swept.patches if not known.old_patch(patch.project, patch.id)]
        updates = updates_in(event for event in walk.new if known.concerns(event))
        return _Hints(queue, swept, (*listed_fields(listed), *updates), new_comments)

    async def _known(
        self,
        watched: WatchPosition,
        baselines: dict[ProjectName, Baseline],
        walk: EventsRead,
        swept: SweepResult,
    ) -> KnownObjects:
        """Return the stored state of all objects that this poll concerns."""
        series = {event.series for event in walk.new if event.series is not None}
        series |= {item.id for item in swept.series}
        series |= {patch.series for patch in swept.patches if patch.series is not None}
        series |= {SeriesId(item.id) for item in watched.pending if item.kind is PendingKind.SERIES}
        patches = {event.patch.id for event in walk.new if event.patch is not None}
        patches |= {patch.id for patch in swept.patches}
        patches |= {PatchId(item.id) for item in watched.pending if item.kind is PendingKind.PATCH}
        named = walk.named
        more_series, more_patches = series - named.series.keys(), patches - named.patches.keys()
        if more_series or more_patches:
            async with self._store.reading() as tx:
                named = await named.with_more(tx, self.server, more_series, more_patches)
        return KnownObjects(
            baselines=baselines,
            series={number: known for number, known in named.series.items() if known is not None},
            patches=frozenset(number for number, is_known in named.patches.items() if is_known),
        )

    async def _read_submissions(
        self, fetch: Fetch
    ) -> tuple[tuple[SeriesRead, ...], tuple[Patch, ...], frozenset[PatchId]]:
        """Read due series, which settle their patches, then other patches; return them, and the ids of too old ones."""
        queue = fetch.queue
        series: list[SeriesRead] = []
        for item, result in await fetch.read_due(self._read_series, PendingKind.SERIES):
            series.append(result.read)
            queue.settle(*item.key)
            unread = {ref.id for ref, _ in result.unread}
            for ref in result.read.series.patches:
                if ref.id not in unread:
                    queue.settle(PendingKind.PATCH, ref.id)
            for ref, error in result.unread:
                fetch.failed(queue.unread_patch(item.project, ref), error)
        results = await fetch.read_due(self._read_patch, PendingKind.PATCH)
        patches = [patch for _, patch in results]
        too_old = frozenset(patch.id for item, patch in results if self._is_past(item, patch.date))
        members = {patch.series for patch in patches if patch.series is not None}
        if members:
            async with self._store.reading() as tx:
                queue.learn(await tx.watch.known_series(self.server, members))
        for patch in patches:
            queue.settle(PendingKind.PATCH, patch.id)
            if patch.series is not None:
                # No event announced it in its series, so none may announce the complete series either: read it at once.
                queue.series(patch.project, patch.series, complete=True, patch=patch.id)
        return tuple(series), tuple(patch for patch in patches if patch.series is None), too_old

    async def _read_series(self, queue: PendingQueue, item: Pending) -> _SeriesResult | None:
        """Return the series with the patches that are not stored; None while it may still become complete.

        After its deadline, patches that are unreadable or missing on the server are left out.
        """
        series = await self._api.series(item.id)
        is_late = self._clock.now() >= item.deadline
        if not series.received_all and not is_late:
            return None
        unread = [ref for ref in series.patches if not queue.has_read(series.id, ref.id)]
        if self._is_past(item, series.date):
            return _SeriesResult(SeriesRead(series, tuple(_by_name(series, ref) for ref in unread), too_old=True))
        contents = await self._api.read_contents(series, unread, partly=is_late)
        failures = contents.failures
        failure = next((error for error in failures.values() if not isinstance(error, NotFound)), None)
        if failure is not None and not contents.patches:
            raise failure
        missing = tuple((ref, failures[ref.id]) for ref in unread if ref.id in failures)
        return _SeriesResult(SeriesRead(series, contents.patches), missing)

    def _is_past(self, item: Pending, date: str) -> bool:
        return self._old_news is not None and self._old_news.has(item, date)

    async def _read_patch(self, _: PendingQueue, item: Pending) -> Patch:
        return await self._api.patch(item.id)


def _hinted(queue: PendingQueue, walk: EventsRead, swept: SweepResult) -> PendingQueue:
    """Add the objects that events and the sweep hint at to *queue*, and return it."""
    for event in walk.new:
        queue.hint(event)
    for series in swept.series:
        queue.series(series.project, series.id, complete=series.received_all)
    for patch in swept.patches:
        if patch.series is None:
            queue.patch(patch.project, PatchRef(patch.id, patch.msgid, patch.name))
        else:
            queue.series(patch.project, patch.series, patch=patch.id)
    return queue


def _left_over(queue: PendingQueue) -> tuple[bool, tuple[Pending, ...], tuple[Pending, ...]]:
    """Return whether readable objects are due, which items are new or changed, and which are settled.

    Unreadable objects are no reason for another poll at once.
    """
    return any(item.unreadable_since is None for item in queue.due(1)), queue.changed, queue.settled


def _by_name(series: Series, ref: PatchRef) -> Patch:
    """Return a patch with only the data that its series has of it."""
    return Patch(ref.id, series.project, ref.msgid, ref.name, series.submitter, series.date, series.id)
