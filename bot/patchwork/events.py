"""Reads a server's events from behind the cursor: every one at least once, and says which are new.

The theory of operation stands in `cursor.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from bot.clock import Clock
from bot.errors import Temporary
from bot.ids import PatchworkEventId, ProjectName, ServerName
from bot.patchwork import cursor
from bot.patchwork.api import PatchworkApi
from bot.patchwork.pending import Baseline, Pending
from bot.patchwork.wire import Event

_MAX_PAGES = 400
_MAX_PAGES_OF_NEWS = 20  # then the poll writes what it has, and the next one goes on
_KNOWN_IN_A_ROW = 200
_FAILURES_UNTIL_SPLIT = 3
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """Where the watch of a server stands.

    *cursor* is None while no event was ever seen; *highest* is the greatest event id ever seen.
    """

    cursor: str | None
    highest: int
    baselines: tuple[Baseline, ...]
    pending: tuple[Pending, ...]


class EventMemory(Protocol):
    """What reading events needs to know of the past."""

    async def known_events(self, server: ServerName, ids: Iterable[int]) -> set[PatchworkEventId]:
        """Those of *ids* that an earlier poll brought."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What one reading brought.

    *new* are the unknown ones of *events*, by date and id. *cut* when more wait on the server; *rebuilt* when the
    server's ids fell back, so that nothing known holds any more.
    """

    events: tuple[Event, ...] = ()
    new: tuple[Event, ...] = ()
    cursor: str | None = None
    cut: bool = False
    rebuilt: bool = False


Baselines = Mapping[ProjectName, Baseline]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows as they came; *whole* unless a project could not be asked."""

    events: list[Event]
    cut: bool = False
    whole: bool = True


class EventReader:
    """Reads the events of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, memory: EventMemory, clock: Clock) -> None:
        self._server = server
        self._api = api
        self._memory = memory
        self._clock = clock
        self._sweeps = cursor.Sweeps(started=clock.monotonic())
        self._at: str | None = None
        self._moved_at = clock.monotonic()
        self._failures = 0

    async def read(self, watched: Watched, baselines: Mapping[ProjectName, Baseline]) -> Walk:
        """All events since shortly before the cursor; re-anchored where no known one is among them."""
        at = watched.cursor or cursor.newest(base.date for base in baselines.values() if base.date is not None)
        rows = await self._rows(baselines, self._since(at))
        new = await self._unknown(rows.events, baselines)
        if at is not None and rows.whole and len(new) == len(rows.events):
            return await self._reanchor(watched, baselines, at)
        dates = [event.date for event in rows.events] if rows.whole else []
        moved = cursor.newest([*([] if at is None else [at]), *dates])
        return Walk(tuple(rows.events), tuple(cursor.in_order(new)), moved, cut=rows.cut)

    def _since(self, at: str | None) -> str | None:
        now = self._clock.monotonic()
        window = self._sweeps.window(now)
        if at != self._at:
            self._at, self._moved_at = at, now
        return None if at is None else cursor.since(at, now - self._moved_at, window)

    async def _rows(self, baselines: Baselines, since: str | None) -> _Rows:
        """The events of all projects in one question; after repeated failures, each project by itself."""
        if self._failures >= _FAILURES_UNTIL_SPLIT:
            return await self._one_by_one(baselines, since)
        try:
            rows = await self._walk(list(baselines), baselines, since)
        except Temporary:
            self._failures += 1
            raise
        self._failures = 0
        return rows

    async def _one_by_one(self, baselines: Baselines, since: str | None) -> _Rows:
        parts: list[_Rows] = []
        failed: Temporary | None = None
        for project in baselines:
            try:
                parts.append(await self._walk([project], baselines, since))
            except Temporary as error:
                _log.warning("no events of one project", server=self._server, project=project, reason=str(error))
                failed = error
        if failed is not None and not parts:
            raise failed
        if failed is None:
            self._failures = _FAILURES_UNTIL_SPLIT - 1  # once more together; one more failure splits again
        events = [event for part in parts for event in part.events]
        return _Rows(events, cut=any(part.cut for part in parts), whole=failed is None)

    async def _walk(self, projects: Sequence[ProjectName], baselines: Baselines, since: str | None) -> _Rows:
        """Page after page until a short one; a page that brings nothing new is no reason to stop.

        Pages go by the date of the last row, not by number, because rows that vanish shift the numbers; only where
        a full page has one date, or where the server knows no other order than newest first, numbers it is.
        """
        found: list[Event] = []
        page, full_of_news = 1, 0
        for _ in range(_MAX_PAGES):
            answer = await self._api.events(projects, since=since, page=page)
            found += answer.events
            if not answer.more:
                return _Rows(found)
            if await self._unknown(answer.events, baselines):
                full_of_news += 1
            last = answer.events[-1].date if answer.events else None
            if answer.newest_first or last is None or (since is not None and last <= since):
                page += 1
                continue
            if full_of_news >= _MAX_PAGES_OF_NEWS:
                break
            page, since = 1, last
        return _Rows(found, cut=True)

    async def _unknown(self, events: Sequence[Event], baselines: Baselines) -> list[Event]:
        known = await self._memory.known_events(self._server, [event.id for event in events])
        return [event for event in events if event.id not in known and event.id > baselines[event.project].event]

    async def _reanchor(self, watched: Watched, baselines: Baselines, at: str) -> Walk:
        """Find the known past again, newest first and without a date, and what is new in front of it."""
        _log.info("no known event in the answer, reading back", server=self._server, cursor=at)
        found: list[Event] = []
        in_a_row = 0
        for page in range(1, _MAX_PAGES + 1):
            answer = await self._api.events(list(baselines), page=page, oldest_first=False)
            new = {event.id for event in await self._unknown(answer.events, baselines)}
            for event in answer.events:
                in_a_row = 0 if event.id in new else in_a_row + 1
            found += answer.events
            if not answer.more or in_a_row >= _KNOWN_IN_A_ROW:
                break
        if not found:
            return Walk(cursor=at)
        known = await self._memory.known_events(self._server, [event.id for event in found])
        if not known and max(event.id for event in found) < watched.highest:
            return Walk(rebuilt=True)
        new_events = await self._unknown(found, baselines)
        newest = cursor.newest(event.date for event in found)
        return Walk(tuple(found), tuple(cursor.in_order(new_events)), newest)
