"""The questions the bot asks a Patchwork server, each answered in the model.

A wrong filter value is never an error there but an empty list, and an unknown parameter is ignored; so every row is
checked against what was asked.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import quote

import structlog

from bot.errors import Permanent, Temporary
from bot.ids import Msgid, PatchId, ProjectName, SeriesId
from bot.patchwork.answers import Rows, read_row, read_rows
from bot.patchwork.client import AT_ONCE, NotFound, Page, Params, PatchworkClient, Refused
from bot.patchwork.mbox import read_series_mbox
from bot.patchwork.model import Check, Comment, Patch, PatchPage, PatchRef, Series, Trailer
from bot.patchwork.refs import msgid_of
from bot.patchwork.told import Commented, MailKind, TrailersRead
from bot.patchwork.wire import CheckRow, CommentRow, CoverRow, Event, EventRow, PatchRow, SeriesRow, read_project

PER_PAGE = 250  # Patchwork's own maximum; more is silently clamped
NET_SIZE = 100
_VERSIONS = ("1.3", "1.2", "1.1")
_MAX_PAGES = 4  # of what hangs on one object
_MAX_REMEMBERED = 2_000
_READ_ASIDE_BYTES = 128 * 1024
_log = structlog.get_logger(__name__)
_Row = TypeVar("_Row", EventRow, PatchRow, SeriesRow, CoverRow, CheckRow, CommentRow)
_Of = TypeVar("_Of", Event, Patch, Series)


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of events, as the server ordered them, and whether it was a full one."""

    events: tuple[Event, ...]
    more: bool
    newest_first: bool = False


class PatchworkApi:
    """One server's answers in the model; raises what `PatchworkClient` raises."""

    def __init__(self, client: PatchworkClient) -> None:
        self._client = client
        self._discovering = asyncio.Lock()
        self._remembered: dict[PatchId, Patch] = {}  # read from pages of a series of which another page failed

    def for_commands(self) -> "PatchworkApi":
        """The same server's answers, asked for by people."""
        return PatchworkApi(self._client.for_commands())

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
        async with self._discovering:
            for version in () if self.version else _VERSIONS:
                if await self._is_patchwork(version):
                    self._client.version = version
                    break
            if not self.version:
                raise Refused(await self._what_it_is())
            return self.version

    async def _is_patchwork(self, version: str) -> bool:
        """Whether *version* is spoken; its index names what there is."""
        try:
            page = await self._client.json("", version=version)
        except NotFound:
            return False
        return b'"events"' in page.body

    async def _what_it_is(self) -> str:
        try:
            page = await self._client.json("", version="1.0")
        except NotFound:
            return f"no Patchwork API at {self._client.url}/api/"
        if b'"revision"' in page.body:
            return "this is the freedesktop.org fork of Patchwork, whose API is another one"
        if b'"events"' in page.body:
            return "Patchwork 2.0 is too old: API 1.1 (Patchwork 2.1) or newer is needed"
        return f"what answers at {self._client.url}/api/ is no Patchwork"

    async def project(self, name: str) -> ProjectName:
        """The project's link_name as the server spells it; `NotFound` where there is none."""
        page = await self._client.json(f"projects/{quote(name, safe='')}/")
        return read_project(page.body)

    async def events(
        self,
        projects: Collection[str],
        *,
        since: str | None = None,
        page: int = 1,
        per_page: int = PER_PAGE,
        oldest_first: bool = True,
    ) -> EventPage:
        """A page of the projects' events, from the naive server date *since* on; none past the last page.

        Servers before API 1.2 ignore that the oldest shall come first.
        """
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
        rows = await _rows(EventRow, answer)
        events = _asked_for(projects, [row.model() for row in self._readable(rows)])
        more = answer.has_next or len(rows.rows) + rows.rejected >= per_page
        return EventPage(events, more, newest_first=not oldest_first or self.version < "1.2")

    async def newest_patches(
        self, projects: Collection[str], count: int = NET_SIZE, page: int = 1
    ) -> tuple[Patch, ...]:
        """The patches with the highest ids, newest first, without their diffs."""
        answer = await self._client.json("patches/", _newest(projects, count, page))
        return _asked_for(projects, [row.model() for row in self._readable(await _rows(PatchRow, answer))])

    async def newest_series(
        self, projects: Collection[str], count: int = NET_SIZE, page: int = 1
    ) -> tuple[Series, ...]:
        """The series with the highest ids, newest first."""
        answer = await self._client.json("series/", _newest(projects, count, page))
        return _asked_for(projects, [row.model() for row in self._readable(await _rows(SeriesRow, answer))])

    async def series(self, number: int) -> Series:
        """A series as it stands now."""
        page = await self._client.json(f"series/{number}/")
        return read_row(SeriesRow, page.body).model()

    async def patch(self, number: int) -> Patch:
        """A patch with its files, addresses and trailers."""
        return (await self.patch_page(number)).patch

    async def patch_page(self, number: int) -> PatchPage:
        """A patch with all that its own page shows."""
        page = await self._client.json(f"patches/{number}/")
        return await asyncio.to_thread(lambda: read_row(PatchRow, page.body).page())  # a diff may be large

    async def patches_of(self, series: SeriesId) -> tuple[Patch, ...]:
        """The patches of a series as they stand now, without their diffs, in the order of their numbers."""
        rows = await self._all(PatchRow, "patches/", [("series", str(series))])
        found = [row.model() for row in rows if row.series_id == series]
        return tuple(sorted(found, key=_place))

    async def checks(self, patch: PatchId) -> tuple[Check, ...]:
        """All that tools said of a patch."""
        return tuple(row.model() for row in await self._all(CheckRow, f"patches/{patch}/checks/"))

    async def comments(self, on: Commented) -> tuple[Comment, ...]:
        """The comments on a patch or a cover letter, oldest first."""
        if on.kind is MailKind.PATCH:
            return await self.patch_comments(PatchId(on.id))
        return await asyncio.to_thread(_by_date, await self._all(CommentRow, f"covers/{on.id}/comments/"))

    async def trailers(self, series: Series, patches: Sequence[Patch]) -> TrailersRead:
        """The trailers of a series now: of its *patches* from its mbox, which has those of their comments, too.

        Where there is no mbox, or it is not the series', their comments are read one patch after the other.
        """
        if series.cover_id is not None:
            cover = _trailers_in(await self.comments(Commented(MailKind.COVER, series.cover_id)))
        else:
            cover = _trailers_in(await self.cover_comments(series.id) if series.cover else ())
        read = await self._mbox(series)
        if read is None:
            return replace(await self.patch_trailers(patches), series=series.id, cover=cover)
        known = {patch.id for patch in patches}
        found = tuple((number, patch.trailers) for number, patch in read.items() if number in known)
        return TrailersRead(found, series.id, cover)

    async def patch_trailers(self, patches: Sequence[Patch]) -> TrailersRead:
        """The trailers of *patches*: those that are known, which their own mails have, and those of their comments.

        What is gone by now is left out.
        """
        found: list[tuple[PatchId, frozenset[Trailer]]] = []
        for patch in patches:
            try:
                said = _trailers_in(await self.patch_comments(patch.id))
            except Permanent as error:
                _log.info("the comments of a patch cannot be read", patch=patch.id, reason=str(error))
            else:
                found.append((patch.id, patch.trailers | said))
        return TrailersRead(tuple(found))

    async def patch_comments(self, patch: PatchId) -> tuple[Comment, ...]:
        """The comments on a patch, oldest first."""
        return await asyncio.to_thread(_by_date, await self._all(CommentRow, f"patches/{patch}/comments/"))

    async def cover_comments(self, series: SeriesId) -> tuple[Comment, ...]:
        """The comments on the cover letter of a series, oldest first; none where it has no cover letter."""
        page = await self._client.json(f"series/{series}/")
        cover = read_row(SeriesRow, page.body).cover_letter
        rows = await self._all(CommentRow, f"covers/{cover.id}/comments/") if cover else []
        return await asyncio.to_thread(_by_date, rows)

    async def by_msgid(self, msgid: Msgid, projects: Collection[str]) -> tuple[Patch, ...]:
        """The patches with a message-id, without their diffs; servers before API 1.2 cannot look for one."""
        page = await self._client.json("patches/", [*(("project", name) for name in projects), ("msgid", msgid)])
        found = [row.model() for row in self._readable(await _rows(PatchRow, page))]
        return tuple(patch for patch in _asked_for(projects, found) if patch.msgid == msgid)

    async def series_of_cover(self, msgid: Msgid, projects: Collection[str]) -> int | None:
        """The series that the cover letter with a message-id opens; servers before API 1.2 cannot look for one."""
        answer = await self._client.json("covers/", [*(("project", name) for name in projects), ("msgid", msgid)])
        asked = {name.lower() for name in projects}
        rows = self._readable(await _rows(CoverRow, answer))
        covers = [row for row in rows if msgid_of(row.msgid) == msgid and row.project.link_name.lower() in asked]
        return next((cover.series[0].id for cover in covers if cover.series), None)

    async def series_of_cover_number(self, number: int) -> int | None:
        """The series that the cover letter with an id opens."""
        page = await self._client.json(f"covers/{number}/")
        opened = read_row(CoverRow, page.body).series
        return opened[0].id if opened else None

    async def contents(self, series: Series, refs: Sequence[PatchRef]) -> tuple[Patch, ...]:
        """The patches *refs* of *series* with their diffs; those that are gone by now are left out.

        A single patch is read from its own page, which says more at the same price; several come in one mbox
        where that is the series' own, else from their pages, two at a time. Pages that were read are not asked for
        again when another one failed.
        """
        if len(refs) > 1:
            read = await self._mbox(series)
            if read is not None:
                return tuple(read[ref.id] for ref in refs)
        patches: dict[PatchId, Patch] = {}
        for start in range(0, len(refs), AT_ONCE):
            found = await asyncio.gather(*(self._page_of(ref.id) for ref in refs[start : start + AT_ONCE]))
            patches |= {item.id: item for item in found if isinstance(item, Patch)}
            failure = next((item for item in found if isinstance(item, Temporary)), None)
            if failure is not None:
                self._remember(patches)
                raise failure
        for patch in patches:
            self._remembered.pop(patch, None)
        return tuple(patches.values())

    async def _mbox(self, series: Series) -> dict[PatchId, Patch] | None:
        try:
            text = await self._client.text(f"/series/{series.id}/mbox/")
        except (Temporary, Permanent) as error:
            if isinstance(error, Temporary) and error.retry_after is not None:
                raise  # who asks for patience is not asked for each patch instead
            _log.info("no series mbox, reading the patches one by one", series=series.id, reason=str(error))
            return None
        return await asyncio.to_thread(read_series_mbox, text, series)

    async def _page_of(self, patch: PatchId) -> Patch | Temporary | None:
        """The patch, None when it is gone, or the error worth another try."""
        if patch in self._remembered:
            return self._remembered[patch]
        try:
            return await self.patch(patch)
        except Temporary as error:
            return error
        except Permanent as error:
            _log.warning("a patch cannot be read", patch=patch, reason=str(error))
            return None

    def _remember(self, patches: Mapping[PatchId, Patch]) -> None:
        if len(self._remembered) + len(patches) > _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered.update(patches)

    async def _all(self, kind: type[_Row], path: str, params: Params = ()) -> list[_Row]:
        """The rows of a list to its end, or for `_MAX_PAGES` pages."""
        found: list[_Row] = []
        for number in range(1, _MAX_PAGES + 1):
            asked = [*params, ("per_page", str(PER_PAGE))] + ([("page", str(number))] if number > 1 else [])
            page = await self._client.json(path, asked)
            found += self._readable(await _rows(kind, page))
            if not page.has_next:
                break
        return found

    def _readable(self, rows: Rows[_Row]) -> tuple[_Row, ...]:
        if rows.rejected:
            _log.warning("rows that cannot be read were left out", server=self._client.url, count=rows.rejected)
        return rows.rows


def _trailers_in(comments: Sequence[Comment]) -> frozenset[Trailer]:
    return frozenset(trailer for comment in comments for trailer in comment.trailers)


def _place(patch: Patch) -> tuple[tuple[int, int], int]:
    return patch.number or (0, 0), patch.id


def _by_date(rows: Sequence[CommentRow]) -> tuple[Comment, ...]:
    return tuple(row.model() for row in sorted(rows, key=lambda row: (row.date, row.id)))


def _newest(projects: Collection[str], count: int, page: int) -> Params:
    asked = [*(("project", name) for name in projects), ("order", "-id"), ("per_page", str(count))]
    return asked if page == 1 else [*asked, ("page", str(page))]


def _asked_for(projects: Collection[str], found: Sequence[_Of]) -> tuple[_Of, ...]:
    """Those of *found* that belong to one of the *projects*, whose name they get as it was asked for."""
    asked = {name.lower(): ProjectName(name) for name in projects}
    named = [(item, asked.get(item.project.lower())) for item in found]
    return tuple(replace(item, project=project) for item, project in named if project is not None)


async def _rows(kind: type[_Row], page: Page) -> Rows[_Row]:
    """The rows of a page, read off the event loop where they are many."""
    if len(page.body) < _READ_ASIDE_BYTES:
        return read_rows(kind, page.body)
    return await asyncio.to_thread(read_rows, kind, page.body)
