"""The configured projects of a server: whether each can be watched, and from where on it is.

"No such project" is Patchwork's own 404 only; a redirect, a refusal or a login page is reported as such. In both cases
the project is requested again after 1, 2, 4, 8, and then every 15 minutes, or later if the server asks for that.

A baseline is where watching starts; a project that was missing catches up from where it was last read.

The check for a newer API version, which a wall may have hidden at the start, runs after ten minutes, then daily.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.backoff import PROJECTS
from bot.clock import Clock
from bot.errors import Temporary, TransportError
from bot.ids import ProjectName, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.response_rows import Garbled
from bot.patchwork.responses import NotFound
from bot.poll import Baseline, UnreadFrom, WatchPosition
from bot.polling import cursor
from bot.polling.event_reader import EventReader, EventsRead

FIRST_CHECK = 600.0  # seconds after an older version was found, in case a wall hid the newer one
CHECK_EVERY = 24 * 3600.0
BASELINE_ROWS = 10  # rows requested for the highest id, in case the newest one is unreadable
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The reason why a project cannot be watched, since when, and when it is requested again (UTC).

    *at* is the time of that request by the monotonic clock, in seconds. *error* is None if the server itself said so.
    """

    reason: str
    since: datetime
    retry_at: datetime
    at: float
    attempts: int = 1
    error: TransportError | None = None


class Availability:
    """The availability of one server's configured projects."""

    def __init__(self, server: ServerName, names: Sequence[str], api: PatchworkApi, clock: Clock) -> None:
        self.names = tuple(names)
        self._server = server
        self._api = api
        self._clock = clock
        self._unavailable: dict[str, Unavailable] = {}

    def __iter__(self) -> Iterator[tuple[str, Unavailable]]:
        """Iterate over the projects that cannot be watched now."""
        return iter(tuple(self._unavailable.items()))

    def is_available(self, project: str) -> bool:
        """Return whether *project* is configured, and not known to be unavailable; case does not matter."""
        return any(name not in self._unavailable for name in self.names if name.lower() == project.lower())

    def is_gone(self, project: str) -> bool:
        """Return whether *project* is configured, but cannot be watched."""
        return not self.is_available(project) and any(name.lower() == project.lower() for name in self.names)

    @property
    def outage(self) -> TransportError | None:
        """The error that makes all projects unavailable; None if some are available, or if none exists."""
        if len(self._unavailable) < len(self.names):
            return None
        return next((known.error for known in self._unavailable.values() if known.error is not None), None)

    def doubtful(self, known: set[str]) -> list[str]:
        """Return the configured names to request now: those that are not *known* (in lower case) or were missing."""
        names = [name for name in self.names if name.lower() not in known or name in self._unavailable]
        return [name for name in names if self._is_due(name)]

    async def find(self, name: str) -> ProjectName | None:
        """Request a project, and return its name in the server's spelling; None if it cannot be watched now."""
        try:
            project = await self._api.project(name)
        except NotFound:
            self.note(name, f"{self._api.url} has no project {name}")
        except TransportError as error:
            self.note(name, f"{self._api.url} does not show the project {name}: {error}", error)
        else:
            if project.lower() == name.lower():
                self._settle(name)
                return project
            # the server accepts numbers, too
            self.note(name, f"{self._api.url} calls the project {name} {project}; configure that name")
        return None

    def note(self, name: str, reason: str, error: TransportError | None = None) -> None:
        """Record that a project cannot be watched, and when to request it again."""
        now, before = self._clock.now(), self._unavailable.get(name)
        attempts = before.attempts + 1 if before else 1
        requested = error.retry_after if isinstance(error, Temporary) else None
        wait = PROJECTS.wait(attempts, requested)
        problem = Unavailable(reason, now, now + wait, self._clock.monotonic() + wait.total_seconds(), attempts, error)
        self._unavailable[name] = replace(problem, since=before.since) if before else problem
        if before is None or before.reason != reason:
            _log.error("project.unavailable", server=self._server, project=name, reason=reason)

    def _settle(self, name: str) -> None:
        if (before := self._unavailable.pop(name, None)) is not None:
            _log.info("project.available", server=self._server, project=name, since=str(before.since))

    def _is_due(self, name: str) -> bool:
        """Return whether to request a project now; while no project can be watched, the poller determines the delay."""
        known = self._unavailable.get(name)
        if known is None or self._clock.monotonic() >= known.at:
            return True
        return known.error is not None and self.outage is not None


class VersionCheck:
    """The API version of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, clock: Clock) -> None:
        self._server = server
        self._api = api
        self._clock = clock
        self._due_at = 0.0

    async def run(self) -> None:
        """Find the version; if it is not the newest, check again ten minutes later, and then once a day.

        Raises:
            TransportError: no version is known, and none can be found.
        """
        now = self._clock.monotonic()
        if not self._api.version:
            version = await self._api.discover()
            _log.info("server.api_version", server=self._server, api=version)
            self._due_at = now + FIRST_CHECK
        elif self._api.may_be_newer and now >= self._due_at:
            self._due_at = now + CHECK_EVERY
            try:
                if await self._api.discover_newer():
                    _log.info("server.api_version", server=self._server, api=self._api.version)
            except TransportError as error:
                _log.info("server.version_check_failed", server=self._server, reason=str(error))


class BaselineReader:
    """The baselines of one server's projects, and the catch-up of projects that were missing."""

    def __init__(self, server: ServerName, api: PatchworkApi, events: EventReader, projects: Availability) -> None:
        self._server = server
        self._api = api
        self._events = events
        self._projects = projects

    async def missing_baselines(self, watched: WatchPosition) -> tuple[Baseline, ...]:
        """Return the baselines of projects that have none: at the first start, and for a project added later.

        A missing project is requested again after some minutes.
        """
        known = {base.project.lower() for base in watched.baselines}
        spellings = {name: await self._projects.find(name) for name in self._projects.doubtful(known)}
        fresh: list[Baseline] = []
        for name, project in spellings.items():
            if project is None or project.lower() in known:
                continue
            try:
                fresh.append(await self.baseline(project))
            except TransportError as error:
                self._projects.note(name, f"{self._api.url} does not show the project {name}: {error}", error)
        return tuple(fresh)

    async def baseline(self, project: ProjectName) -> Baseline:
        """Return the baseline of a project: its newest event, patch and series."""
        page = await self._api.events([project], per_page=BASELINE_ROWS, oldest_first=False)
        if page.skipped and not page.events:
            raise Garbled("none of its newest events can be read")
        patches = await self._api.newest_patches([project], BASELINE_ROWS)
        series = await self._api.newest_series([project], BASELINE_ROWS)
        skipped = (row.id for row in page.skipped if row.id is not None)
        baseline = Baseline(
            project=project,
            event=max([*(event.id for event in page.events), *skipped], default=0),
            date=cursor.newest(event.date for event in page.events),
            patch=patches.highest,
            series=series.highest,
        )
        _log.info(
            "baseline.taken",
            server=self._server,
            project=project,
            up_to_event=baseline.event,
        )
        return baseline

    async def catch_up(self, watched: WatchPosition, walk: EventsRead) -> tuple[EventsRead, UnreadFrom]:
        """Return *walk* with the missed events of projects that are back, and where missing projects are unread."""
        unread_from: dict[ProjectName, str | None] = {
            base.project: watched.cursor or ""
            for base in watched.baselines
            if base.unread_from is None and self._projects.is_gone(base.project)
        }
        for base in watched.baselines:
            if base.unread_from is None or not self._projects.is_available(base.project):
                continue
            try:
                missed = await self._events.read_project(base, base.unread_from)
            except TransportError as error:
                _log.info("project.catch_up_failed", server=self._server, project=base.project, reason=str(error))
                continue
            unread_from[base.project] = missed.cursor if missed.cut else None
            new = cursor.in_order((*walk.new, *missed.new))
            walk = replace(walk, events=(*walk.events, *missed.events), new=tuple(new), cut=walk.cut or missed.cut)
        return walk, unread_from
