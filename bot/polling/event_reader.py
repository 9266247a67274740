"""Reads a server's events from before the cursor on, each at least once, and determines which are new.

The theory of operation is in `cursor.py`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.response_rows import SkippedRow
from bot.patchwork.wire import EventHint
from bot.poll import Baseline, KnownSeries, WatchPosition
from bot.polling import cursor
from bot.store.store import Store, Transaction

_MAX_PAGES = 400
_MAX_PAGES_OF_NEWS = 20  # of one poll; the next poll continues
_KNOWN_IN_A_ROW = 200
_FAILURES_UNTIL_APART = 3
_APART_SECONDS = 60.0  # with one request per project before all are requested together again; doubles with each failure
_LONGEST_APART_SECONDS = 15 * 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NamedObjects:
    """The stored state of the series and patches that events name; None or False for those that are not stored."""

    series: Mapping[SeriesId, KnownSeries | None] = field(default_factory=dict)
    patches: Mapping[PatchId, bool] = field(default_factory=dict)

    async def with_more(
        self, tx: Transaction, server: ServerName, series: Collection[SeriesId], patches: Collection[PatchId]
    ) -> "NamedObjects":
        """Return a copy that also has the stored state of further *series* and *patches*."""
        known_series = await tx.watch.known_series(server, series)
        known_patches = await tx.watch.known_patches(server, patches)
        return NamedObjects(
            {**self.series, **{number: known_series.get(number) for number in series}},
            {**self.patches, **{number: number in known_patches for number in patches}},
        )


async def named_objects(tx: Transaction, server: ServerName, events: Iterable[EventHint]) -> NamedObjects:
    """Return the stored state of the series and patches that *events* name."""
    all_events = list(events)
    series = {event.series for event in all_events if event.series is not None}
    patches = {event.patch.id for event in all_events if event.patch is not None}
    return await NamedObjects().with_more(tx, server, series, patches)


@dataclass(frozen=True, slots=True)
class EventsRead:
    """The result of reading events.

    *new* are the unknown ones of *events*, by date and id. *cut* is true if the server has more. *rebuilt* is true if
    the server's ids started over, which invalidates everything stored. *skipped* is the number of unreadable events.
    *named* is the stored state of objects that *new* names, as far as it was read.
    """

    events: tuple[EventHint, ...] = ()
    new: tuple[EventHint, ...] = ()
    cursor: str | None = None
    cut: bool = False
    rebuilt: bool = False
    skipped: int = 0
    named: NamedObjects = field(default_factory=NamedObjects)


Baselines = Mapping[ProjectName, Baseline]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of events; *cut* is true if the server has more, *whole* is false if a project could not be requested.

    *reached* is the date up to which everything was read, None if there were no events. *skipped* are unreadable rows.
    """

    events: list[EventHint]
    reached: str | None
    cut: bool = False
    whole: bool = True
    skipped: tuple[SkippedRow, ...] = ()


class EventReader:
    """Reads the events of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, store: Store, clock: Clock) -> None:
        self._server = server
        self._api = api
        self._store = store
        self._clock = clock
        self._windows = cursor.ReadWindows(started=clock.monotonic())
        self._at: str | None = None
        self._moved_at = clock.monotonic()
        self._goes_on = False  # whether the last walk was cut, so that the next one starts where it ended
        self._failures = 0
        self._apart_until = 0.0
        self._apart_seconds = _APART_SECONDS

    async def read(self, watched: WatchPosition, baselines: Baselines) -> EventsRead:
        """Return all events since shortly before the cursor; re-anchor if the known ones have moved."""
        now, goes_on = self._clock.monotonic(), self._goes_on
        window = self._windows.window(now)
        at = watched.cursor or cursor.newest(base.date for base in baselines.values() if base.date is not None)
        rows = await self._rows(baselines, at if goes_on else self._since(at, window))
        async with self._store.reading() as tx:
            new = await self._unknown_in(tx, rows.events, baselines)
            named = await named_objects(tx, self._server, new)
        if rows.whole and not goes_on:
            self._windows.done(now, window)
        is_doubtful = at is not None and rows.whole and not goes_on and not _anchored(rows.events, new, at)
        if at is not None and is_doubtful and not await self._is_anchored_by(rows, new, baselines):
            return await self._reanchor(watched, baselines, at)
        self._goes_on = rows.cut and rows.whole
        moved = cursor.newest(date for date in (at, rows.reached) if date is not None) if rows.whole else at
        skipped = len(rows.skipped)
        new = cursor.in_order(new)
        return EventsRead(tuple(rows.events), tuple(new), moved, cut=self._goes_on, skipped=skipped, named=named)

    async def read_project(self, base: Baseline, since: str) -> EventsRead:
        """Return all events of one project since a date ("" for all), which the walk over all projects skipped."""
        baselines = {base.project: base}
        at = cursor.since(since, 0.0, cursor.DEEP) if since else None
        rows = await self._walk([base.project], baselines, at)
        new = await self._unknown(rows.events, baselines)
        return EventsRead(tuple(rows.events), tuple(cursor.in_order(new)), rows.reached, cut=rows.cut)

    async def _is_anchored_by(self, rows: _Rows, new: Sequence[EventHint], baselines: Baselines) -> bool:
        """Return whether an unreadable row is a known event, while all readable rows are as expected."""
        ids = [row.id for row in rows.skipped if row.id is not None]
        if not ids or len(new) < len({event.id for event in rows.events}):
            return False
        past = max((base.event for base in baselines.values()), default=0)
        if min(ids) <= past:
            return True
        async with self._store.reading() as tx:
            return bool(await tx.watch.known_events(self._server, ids))

    def _since(self, at: str | None, window: timedelta) -> str | None:
        now = self._clock.monotonic()
        if at != self._at:
            self._at, self._moved_at = at, now
        return None if at is None else cursor.since(at, now - self._moved_at, window)

    async def _rows(self, baselines: Baselines, since: str | None) -> _Rows:
        """Return the events of all projects in one request; after repeated failures, one per project for a while."""
        now = self._clock.monotonic()
        if now < self._apart_until:
            return await self._one_by_one(baselines, since)
        try:
            rows = await self._walk(list(baselines), baselines, since)
        except TransportError as error:
            self._failures += 1
            if self._failures < _FAILURES_UNTIL_APART or len(baselines) == 1:
                raise
            _log.warning("events.read_by_project", server=self._server, reason=str(error))
            self._apart_until = now + self._apart_seconds
            self._apart_seconds = min(self._apart_seconds * 2, _LONGEST_APART_SECONDS)
            return await self._one_by_one(baselines, since)
        self._failures, self._apart_seconds = 0, _APART_SECONDS
        return rows

    async def _one_by_one(self, baselines: Baselines, since: str | None) -> _Rows:
        parts: list[_Rows] = []
        failed: TransportError | None = None
        for project in baselines:
            try:
                parts.append(await self._walk([project], baselines, since))
            except TransportError as error:
                _log.warning("events.project_unreadable", server=self._server, project=project, reason=str(error))
                failed = error
        if failed is not None and not parts:
            raise failed
        events = [event for part in parts for event in part.events]
        cut = [part.reached for part in parts if part.cut and part.reached is not None]
        reached = min(cut, key=cursor.parse) if cut else cursor.newest(event.date for event in events)
        skipped = tuple(row for part in parts for row in part.skipped)
        return _Rows(events, reached, cut=bool(cut), whole=failed is None, skipped=skipped)

    async def _walk(self, projects: Sequence[ProjectName], baselines: Baselines, since: str | None) -> _Rows:
        """Read page after page until a short one, even if a page has nothing new.

        The next page starts at the date of the last row, because rows that vanish shift page numbers; page numbers are
        used only if a full page has a single date, or the server supports no other order than newest first.
        """
        events: list[EventHint] = []
        skipped: list[SkippedRow] = []
        page, full_of_news = 1, 0
        for _ in range(_MAX_PAGES):
            answer = await self._api.events(projects, since=since, page=page)
            events += answer.events
            skipped += answer.skipped
            if not answer.more:
                return _Rows(events, cursor.newest(event.date for event in events), skipped=tuple(skipped))
            if await self._unknown(answer.events, baselines):
                full_of_news += 1
            last = answer.events[-1].date if answer.events else None
            if answer.newest_first or last is None or (since is not None and cursor.parse(last) <= cursor.parse(since)):
                page += 1
                continue
            if full_of_news >= _MAX_PAGES_OF_NEWS:
                break
            page, since = 1, last
        return _Rows(events, cursor.newest(event.date for event in events), cut=True, skipped=tuple(skipped))

    async def _unknown(self, events: Sequence[EventHint], baselines: Baselines) -> list[EventHint]:
        async with self._store.reading() as tx:
            return await self._unknown_in(tx, events, baselines)

    async def _unknown_in(self, tx: Transaction, events: Sequence[EventHint], baselines: Baselines) -> list[EventHint]:
        known = await tx.watch.known_events(self._server, [event.id for event in events])
        return [event for event in events if event.id not in known and event.id > baselines[event.project].event]

    async def _reanchor(self, watched: WatchPosition, baselines: Baselines, at: str) -> EventsRead:
        """Find the known events again, newest first and without a date, and the new events after them.

        If the ids are lower although the events are newer than all known ones, the server was rebuilt; if the events
        are older, only the newest ones were deleted.
        """
        _log.info("events.reread", server=self._server, cursor=at)
        apart = self._clock.monotonic() < self._apart_until
        requests = [[project] for project in baselines] if apart else [list(baselines)]
        events = [event for projects in requests for event in await self._read_back(projects, baselines)]
        newest = cursor.newest(event.date for event in events)
        if newest is None:
            return EventsRead(cursor=at)
        if max(event.id for event in events) < watched.highest and cursor.parse(newest) > cursor.parse(at):
            return EventsRead(rebuilt=True)
        new = await self._unknown(events, baselines)
        return EventsRead(tuple(events), tuple(cursor.in_order(new)), newest)

    async def _read_back(self, projects: Sequence[ProjectName], baselines: Baselines) -> list[EventHint]:
        """Return the newest events of *projects*, down to 200 known ones in a row."""
        events: list[EventHint] = []
        in_a_row = 0
        for page in range(1, _MAX_PAGES + 1):
            answer = await self._api.events(projects, page=page, oldest_first=False)
            new = {event.id for event in await self._unknown(answer.events, baselines)}
            for event in answer.events:
                in_a_row = 0 if event.id in new else in_a_row + 1
            events += answer.events
            if not answer.more or in_a_row >= _KNOWN_IN_A_ROW:
                break
        return events


def _anchored(events: Sequence[EventHint], new: Sequence[EventHint], at: str) -> bool:
    """Return whether some of *events* are known, and none of these is dated after the cursor *at*."""
    ids = {event.id for event in new}
    known = [event for event in events if event.id not in ids]
    return bool(known) and all(cursor.parse(event.date) <= cursor.parse(at) for event in known)
