"""The questions the bot asks a Patchwork server, each answered in the model.

A wrong filter value is never an error there but an empty list, and an unknown parameter is ignored; so every row is
checked against what was asked.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from bot.errors import Permanent, Temporary
from bot.ids import Msgid, PatchId, ProjectName
from bot.patchwork import wire
from bot.patchwork.client import NotFound, Page, Params, PatchworkClient, Refused
from bot.patchwork.mbox import read_series_mbox
from bot.patchwork.model import Patch, PatchRef, Series
from bot.patchwork.wire import Event, EventRow, PatchRow, SeriesRow

PER_PAGE = 250  # Patchwork's own maximum; more is silently clamped
NET_SIZE = 100
_VERSIONS = ("1.3", "1.2", "1.1")
_log = structlog.get_logger(__name__)
_Row = TypeVar("_Row", PatchRow, SeriesRow)


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of events, as the server ordered them, and whether it was a full one."""

    events: tuple[Event, ...]
    more: bool

    @property
    def newest_first(self) -> bool:
        """Whether the server ignored `order=date`, as those before API 1.2 do."""
        return len(self.events) > 1 and self.events[0].date > self.events[-1].date


class PatchworkApi:
    """One server's answers in the model; raises what `PatchworkClient` raises."""

    def __init__(self, client: PatchworkClient) -> None:
        self._client = client

    @property
    def url(self) -> str:
        """The configured address."""
        return self._client.url

    @property
    def version(self) -> str:
        """The API version in use, "" before `discover`."""
        return self._client.version

    async def discover(self) -> str:
        """Find the newest API version that both sides speak, and use it.

        Raises:
            Refused: when it is no Patchwork, or one that is too old or another kind.
        """
        for version in _VERSIONS:
            self._client.version = version
            try:
                await self._client.json("")
            except NotFound:
                continue
            return version
        self._client.version = ""
        raise Refused(await self._what_it_is())

    async def _what_it_is(self) -> str:
        self._client.version = "1.0"
        try:
            page = await self._client.json("")
        except NotFound:
            return f"no Patchwork API at {self._client.url}/api/"
        finally:
            self._client.version = ""
        if b'"revision"' in page.body:
            return "this is the freedesktop.org fork of Patchwork, whose API is another one"
        return "Patchwork 2.0 is too old: API 1.1 (Patchwork 2.1) or newer is needed"

    async def project(self, name: str) -> ProjectName:
        """The project's link_name as the server spells it; `NotFound` where there is none."""
        page = await self._client.json(f"projects/{name}/")
        return wire.read_project(page.body).link_name

    async def events(
        self,
        projects: Collection[str],
        *,
        since: str | None = None,
        page: int = 1,
        per_page: int = PER_PAGE,
        oldest_first: bool = True,
    ) -> EventPage:
        """A page of the projects' events, from the naive server date *since* on; none past the last page."""
        params = [("project", name) for name in projects]
        params += [("order", "date")] if oldest_first else []
        params += [("per_page", str(per_page))]
        params += [("since", since)] if since is not None else []
        params += [("page", str(page))] if page > 1 else []
        try:
            answer = await self._client.json("events/", params)
        except NotFound:
            if page > 1:
                return EventPage((), more=False)
            raise
        rows = wire.read_rows(EventRow, answer.body)
        self._say_rejected("events", rows.rejected)
        asked = {name.lower() for name in projects}
        events = tuple(event for row in rows.rows if (event := row.model()).project.lower() in asked)
        return EventPage(events, more=answer.has_next or len(rows.rows) + rows.rejected >= per_page)

    async def newest_patches(self, projects: Collection[str], count: int = NET_SIZE) -> tuple[Patch, ...]:
        """The patches with the highest ids, newest first, without their diffs."""
        page = await self._client.json("patches/", _newest(projects, count))
        rows = self._of_projects(wire.read_rows(PatchRow, page.body), "patches", projects)
        return tuple(row.model() for row in rows)

    async def newest_series(self, projects: Collection[str], count: int = NET_SIZE) -> tuple[Series, ...]:
        """The series with the highest ids, newest first."""
        page = await self._client.json("series/", _newest(projects, count))
        rows = self._of_projects(wire.read_rows(SeriesRow, page.body), "series", projects)
        return tuple(row.model() for row in rows)

    async def series(self, number: int) -> Series:
        """A series as it stands now."""
        page = await self._client.json(f"series/{number}/")
        return wire.read_row(SeriesRow, page.body).model()

    async def patch(self, number: int) -> Patch:
        """A patch with its diff, addresses and trailers."""
        page: Page = await self._client.json(f"patches/{number}/")
        return wire.read_row(PatchRow, page.body).model()

    async def by_msgid(self, msgid: Msgid, projects: Collection[str]) -> tuple[Patch, ...]:
        """The patches with a message-id, without their diffs; servers before API 1.2 cannot look for one."""
        page = await self._client.json("patches/", [*(("project", name) for name in projects), ("msgid", msgid)])
        rows = self._of_projects(wire.read_rows(PatchRow, page.body), "patches", projects)
        return tuple(patch for row in rows if (patch := row.model()).msgid == msgid)

    async def contents(self, series: Series, refs: Sequence[PatchRef]) -> tuple[Patch, ...]:
        """The patches *refs* of *series* with their diffs; those that are gone by now are left out.

        A single patch is read from its own page, which says more at the same price; several come in one mbox
        where that is the series' own, else from their pages, two at a time.
        """
        if len(refs) > 1:
            read = await self._mbox(series)
            if read is not None:
                return tuple(read[ref.id] for ref in refs)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._page_of(ref.id)) for ref in refs]
        found = [task.result() for task in tasks]
        failures = [item for item in found if isinstance(item, Temporary)]
        if failures:
            raise failures[0]
        return tuple(item for item in found if isinstance(item, Patch))

    async def _mbox(self, series: Series) -> dict[PatchId, Patch] | None:
        try:
            text = await self._client.text(f"/series/{series.id}/mbox/")
        except (Temporary, Permanent) as error:
            _log.info("no series mbox, reading the patches one by one", series=series.id, reason=str(error))
            return None
        return await asyncio.to_thread(read_series_mbox, text, series)

    async def _page_of(self, patch: PatchId) -> Patch | Temporary | None:
        """The patch, None when it is gone, or the error worth another try."""
        try:
            return await self.patch(patch)
        except Temporary as error:
            return error
        except Permanent as error:
            _log.warning("a patch cannot be read", patch=patch, reason=str(error))
            return None

    def _of_projects(self, rows: wire.Rows[_Row], what: str, projects: Collection[str]) -> list[_Row]:
        self._say_rejected(what, rows.rejected)
        asked = {name.lower() for name in projects}
        return [row for row in rows.rows if row.project.link_name.lower() in asked]

    def _say_rejected(self, what: str, count: int) -> None:
        if count:
            _log.warning("rows that cannot be read were left out", server=self._client.url, what=what, count=count)


def _newest(projects: Collection[str], count: int) -> Params:
    return [*(("project", name) for name in projects), ("order", "-id"), ("per_page", str(count))]
