"""Baselines of a server's projects: where watching starts, and the catch-up of a project that was missing."""

from dataclasses import replace

import structlog

from bot.errors import TransportError
from bot.ids import ProjectName, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.response_rows import Garbled
from bot.poll import Baseline, UnreadFrom, WatchPosition
from bot.polling import cursor
from bot.polling.availability import Availability
from bot.polling.event_reader import EventReader, EventsRead

BASELINE_ROWS = 10  # rows requested for the highest id, in case the newest one is unreadable
_log = structlog.get_logger(__name__)


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
