"""One poll of one Patchwork server: what is new there, read whole.

The poller keeps no books. It reads what the store knows, asks the server, and answers with a `Poll`: everything
that must be written in one transaction, so that a poll either happened or did not. How it reads events stands in
`events.py`, what it looks at, and when, in `pending.py`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.incidents import Incidents
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import NotFound
from bot.patchwork.model import Patch, PatchRef, Series
from bot.patchwork.states import States
from bot.patchwork.updates import CommentHint, Told, shown_by, told_by
from bot.poll import Baseline, Pending, PendingKind, Poll, SeriesRead, WatchPosition
from bot.polling import cursor
from bot.polling.availability import Availability, Unavailable, VersionCheck
from bot.polling.baselines import BaselineReader
from bot.polling.event_reader import EventReader, EventsRead
from bot.polling.fetch import Fetch
from bot.polling.follow_ups import Followers, FollowUps, LateCovers, NoFollowers
from bot.polling.pending import KnownObjects, PendingQueue
from bot.polling.sweep import ListSweep, SweepResult
from bot.store.store import Store

EMPTY_CHECK_EVERY = 600.0
BACKLOG_SECONDS = 30.0  # an import is read over many polls, and each would read its thousands of events again
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
    heard_until: datetime

    def has(self, item: Pending, date: str) -> bool:
        """Return whether *item* is too old, given its mail's *date* (naive UTC); False without a readable date."""
        try:
            sent = datetime.fromisoformat(date).replace(tzinfo=UTC)
        except ValueError:
            return False
        return sent < self.sent_before and item.first_seen <= self.heard_until


@dataclass(frozen=True, slots=True)
class _SeriesFound:
    """A series that was read, and those of its patches that could not be, each with the error."""

    read: SeriesRead
    unread: tuple[tuple[PatchRef, TransportError], ...] = ()


@dataclass(frozen=True, slots=True)
class _Hints:
    """The hints of a poll: pending objects, the sweep's result, updates of patches, and new comments."""

    board: PendingQueue
    catch: SweepResult
    told: tuple[Told, ...]
    heard: tuple[CommentHint, ...]


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
        listening: Followers = _NOBODY,
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
        self._follow_ups = FollowUps(source.server, api, store, listening, clock)
        self._backlog_until = 0.0  # until when what is due is read before new events are asked for
        self._past: OldNewsFilter | None = None  # of this poll
        self._net = ListSweep(source.server, api, store, clock, self._incidents)
        self._availability = Availability(source.server, source.projects, api, clock)
        self._projects = BaselineReader(source.server, api, self._events, self._availability)
        self._empty_recheck_at = 0.0  # when to ask again why a server without a past has no events
        self._version = VersionCheck(source.server, api, clock)
        self._covers = LateCovers(source.server, api, store)
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

    async def poll(self, watched: WatchPosition, past: OldNewsFilter | None = None) -> Poll:
        """Ask the server what is new since *watched*; one request when nothing is. What is *past* is not read whole."""
        self._past = past
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
        look = Fetch(self.server, hints.board, self._clock, self._incidents)
        series, patches, old = await self._look(look)
        followed = await self._follow_ups.look(look, hints.heard)
        named = await self._covers.look(look)
        look.resolve_settled()
        more, pending, settled = await asyncio.to_thread(_left_over, hints.board)
        if not has_backlog or not more:
            self._backlog_until = self._clock.monotonic() + BACKLOG_SECONDS if more and not walk.cut else 0.0
        return Poll(
            server=self.server,
            cursor=walk.cursor,
            events=walk.new,
            series=series,
            patches=patches,
            told=hints.told,
            shown=(*hints.catch.series, *named),
            followed=followed,
            baselines=fresh,
            pending=pending,
            settled=settled,
            more=walk.cut or more,
            wait=look.asked_to_wait,
            past=old,
            unread_from=unread_from,
            sweep=hints.catch.state,
            state_names=hints.catch.names,
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
        """Find the unknown project that empties a response about several.

        If there never was an event, an empty response is normal, and checking now and then is enough.
        """
        if not had_events and self._clock.monotonic() < self._empty_recheck_at:
            return
        self._empty_recheck_at = self._clock.monotonic() + EMPTY_CHECK_EVERY
        configured = {name.lower(): name for name in self._source.projects}
        for project in projects:
            await self._availability.find(configured[project.lower()])

    # Hints and look-ups

    async def _hints(self, watched: WatchPosition, baselines: dict[ProjectName, Baseline], walk: EventsRead) -> _Hints:
        """Return what events and the sweep hint at, and their updates: those of the sweep first, because it may lag."""
        catch = await self._net.cast(baselines, watched.sweep)
        known = await self._known(watched, baselines, walk, catch)
        now, wait = self._clock.now(), self._source.incomplete_after
        # Off the event loop, for of an import there is much.
        board = await asyncio.to_thread(lambda: _hinted(PendingQueue(watched.pending, known, now, wait), walk, catch))
        if self._is_first_poll:
            board.retry_unreadable()  # whoever starts the bot anew may have removed the reason
            self._is_first_poll = False
        heard = await self._follow_ups.hint(board, known, walk.new, catch)
        shown = [patch for patch in catch.patches if not known.old_patch(patch.project, patch.id)]
        told = told_by(event for event in walk.new if known.concerns(event))
        return _Hints(board, catch, (*shown_by(shown), *told), heard)

    async def _known(
        self,
        watched: WatchPosition,
        baselines: dict[ProjectName, Baseline],
        walk: EventsRead,
        catch: SweepResult,
    ) -> KnownObjects:
        """Return the stored state of all objects that this poll is about."""
        series = {event.series for event in walk.new if event.series is not None}
        series |= {item.id for item in catch.series}
        series |= {patch.series for patch in catch.patches if patch.series is not None}
        series |= {SeriesId(item.id) for item in watched.pending if item.kind is PendingKind.SERIES}
        patches = {event.patch.id for event in walk.new if event.patch is not None}
        patches |= {patch.id for patch in catch.patches}
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

    async def _look(self, look: Fetch) -> tuple[tuple[SeriesRead, ...], tuple[Patch, ...], frozenset[PatchId]]:
        """Read due series, which settle their patches, then the other patches, and tell which are past."""
        board = look.board
        series: list[SeriesRead] = []
        for item, found_series in await look.at(self._read_series, PendingKind.SERIES):
            series.append(found_series.read)
            board.settle(*item.key)
            unread = {ref.id for ref, _ in found_series.unread}
            for ref in found_series.read.series.patches:
                if ref.id not in unread:
                    board.settle(PendingKind.PATCH, ref.id)
            for ref, error in found_series.unread:
                look.failed(board.unread_patch(item.project, ref), error)
        found = await look.at(self._read_patch, PendingKind.PATCH)
        patches = [patch for _, patch in found]
        past = frozenset(patch.id for item, patch in found if self._is_past(item, patch.date))
        members = {patch.series for patch in patches if patch.series is not None}
        if members:
            async with self._store.reading() as tx:
                board.learn(await tx.watch.known_series(self.server, members))
        for patch in patches:
            board.settle(PendingKind.PATCH, patch.id)
            if patch.series is not None:
                # Nobody told of it in its series, so nobody may tell when that is complete: look at once.
                board.series(patch.project, patch.series, complete=True, patch=patch.id)
        return tuple(series), tuple(patch for patch in patches if patch.series is None), past

    async def _read_series(self, board: PendingQueue, item: Pending) -> _SeriesFound | None:
        """Return the series with its unread patches; None while it may still become complete.

        After its deadline, patches that cannot be read, or that the server does not have, are left out.
        """
        series = await self._api.series(item.id)
        is_late = self._clock.now() >= item.deadline
        if not series.received_all and not is_late:
            return None
        unread = [ref for ref in series.patches if not board.has_read(series.id, ref.id)]
        if self._is_past(item, series.date):
            return _SeriesFound(SeriesRead(series, tuple(_by_name(series, ref) for ref in unread), past=True))
        contents = await self._api.read_contents(series, unread, partly=is_late)
        failures = contents.failures
        failure = next((error for error in failures.values() if not isinstance(error, NotFound)), None)
        if failure is not None and not contents.patches:
            raise failure
        missing = tuple((ref, failures[ref.id]) for ref in unread if ref.id in failures)
        return _SeriesFound(SeriesRead(series, contents.patches), missing)

    def _is_past(self, item: Pending, date: str) -> bool:
        return self._past is not None and self._past.has(item, date)

    async def _read_patch(self, _: PendingQueue, item: Pending) -> Patch:
        return await self._api.patch(item.id)


def _hinted(board: PendingQueue, walk: EventsRead, catch: SweepResult) -> PendingQueue:
    """Return *board* with the objects that events and the sweep hint at."""
    for event in walk.new:
        board.hint(event)
    for series in catch.series:
        board.series(series.project, series.id, complete=series.received_all)
    for patch in catch.patches:
        if patch.series is None:
            board.patch(patch.project, PatchRef(patch.id, patch.msgid, patch.name))
        else:
            board.series(patch.project, patch.series, patch=patch.id)
    return board


def _left_over(board: PendingQueue) -> tuple[bool, tuple[Pending, ...], tuple[Pending, ...]]:
    """Return whether more is due, which items are new or changed, and which are settled.

    Unreadable objects are no reason to poll at once.
    """
    return any(item.unreadable_since is None for item in board.due(1)), board.changed, board.settled


def _by_name(series: Series, ref: PatchRef) -> Patch:
    """Return a patch with only the data that its series has."""
    return Patch(ref.id, series.project, ref.msgid, ref.name, series.submitter, series.date, series.id)
