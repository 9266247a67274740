"""Queries to a Patchwork server, with responses as model objects.

A Patchwork server answers an invalid filter value with an empty list and ignores unknown parameters, so each row is
checked against the request.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import quote

import structlog

from bot.clock import SystemClock
from bot.errors import Temporary, TransportError
from bot.ids import Msgid, PatchId, ProjectName, SeriesId
from bot.incidents import Incidents
from bot.patchwork.client import AT_ONCE, PatchworkClient
from bot.patchwork.discovery import NEWEST, find_version, newer_version, version_with_dependencies
from bot.patchwork.mails import read_series_bodies, read_series_mbox
from bot.patchwork.model import Check, Comment, CoverPage, Patch, PatchPage, PatchRef, Series, Trailer
from bot.patchwork.personal import PersonalApi
from bot.patchwork.references import msgid_of
from bot.patchwork.request_turns import OverBudget, RecheckBudget
from bot.patchwork.response_rows import (
    Garbled,
    NewestPage,
    Params,
    RowLog,
    SkippedRow,
    joined,
    last_page,
    newest,
    of_projects,
    page_of,
    read_list,
    read_maintainers,
    read_project,
    read_row,
)
from bot.patchwork.responses import NoSuchPage, NotFound, Page, ResponseTooLarge, Wall
from bot.patchwork.states import StateClasses, States, states_in
from bot.patchwork.tokens import ApiToken
from bot.patchwork.updates import CommentTarget, MailComments, MailKind, TrailersRead, raises_comment_events
from bot.patchwork.wire import CheckRow, CommentRow, CoverRow, EventHint, EventRow, PatchRow, SeriesRow

PER_PAGE = 250  # Patchwork's own maximum; larger values are silently clamped
NET_SIZE = 100
_MAX_PARTS = 10  # parts of a page that is too large as a whole
WALLED = "mbox.walled"
_EMPTY_LIST = [("q", "no patch has this name")]  # a page without patches is short
_MAX_PAGES = 4  # of a list that belongs to one object
MAX_FAILED_PAGES = 8  # of one object; each may take as long as the request timeout, so the rest are not requested
MAX_COMMENTED = 100  # patches whose comments are read one after the other in one call
MAX_PAGES = 60  # of patches of one series that are read for a command
_DIFF_BEGIN = 200  # characters of a diff, by which it is found in its mail
_MAX_REMEMBERED = 2_000
_READ_ASIDE_BYTES = 128 * 1024
_log = structlog.get_logger(__name__)
_Row = TypeVar("_Row", EventRow, PatchRow, SeriesRow, CoverRow, CheckRow, CommentRow)
_Single = TypeVar("_Single", PatchRow, SeriesRow, CoverRow)
_Model = TypeVar("_Model")


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of events in the server's order; *more* is true if it was full, *skipped* are the unreadable rows."""

    events: tuple[EventHint, ...]
    more: bool
    newest_first: bool = False
    skipped: tuple[SkippedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class PatchContents:
    """Patches with their diffs, and the error for each requested patch that could not be read."""

    patches: tuple[Patch, ...]
    failures: Mapping[PatchId, TransportError]


class PatchworkApi:
    """The API of one Patchwork server, with responses as model objects; raises what `PatchworkClient` raises.

    *incidents* records unreadable rows of lists.
    """

    def __init__(self, client: PatchworkClient, incidents: Incidents | None = None) -> None:
        self._client = client
        self._discovering = asyncio.Lock()
        self._remembered: dict[PatchId, Patch] = {}  # read from their pages while other patches of the series failed
        name = client.server or client.url
        self._incidents = incidents or Incidents(SystemClock())
        self._row_log = RowLog(name, self._incidents)
        self._all_mboxes = f"the mboxes of {name}"

    def for_commands(self) -> "PatchworkApi":
        """Return an API for the same server that sends its requests on behalf of commands."""
        return PatchworkApi(self._client.for_commands())

    def personal(self, token: ApiToken) -> PersonalApi:
        """Return the API for the same server in a person's name, with the person's *token*."""
        return PersonalApi(self._client, token)

    @property
    def is_private(self) -> bool:
        """True if nobody on the way can read what is sent to the server, so that tokens may be sent."""
        return self._client.is_private

    async def maintainers(self, project: str) -> tuple[str, ...]:
        """Return the account names of a project's maintainers, to whom alone patches can be delegated."""
        page = await self._client.json(f"projects/{quote(project, safe='')}/")
        return read_maintainers(page.body)

    def within(self, budget: RecheckBudget) -> "PatchworkApi":
        """Return an API for the same server that raises `OverBudget` for requests beyond *budget*."""
        return PatchworkApi(self._client.within(budget), self._incidents)

    @property
    def url(self) -> str:
        """The configured address."""
        return self._client.url

    @property
    def version(self) -> str:
        """The API version in use; "" before `discover`."""
        return self._client.version

    @property
    def raises_comment_events(self) -> bool:
        """True if the server announces comments by events."""
        return raises_comment_events(self.version)

    @property
    def states(self) -> States:
        """The known patch states of the server, shared by all APIs made from this one."""
        return self._client.states

    @states.setter
    def states(self, states: States) -> None:
        self._client.states = states

    @property
    def classes(self) -> StateClasses:
        """What the states of the server mean."""
        return self._client.classes

    async def state_names(self, project: str) -> dict[str, str]:
        """Return the names of the patch states by slug, as on the page of a *project*; empty if the page lists none."""
        page = await self._client.page(f"/project/{quote(project, safe='')}/list/", _EMPTY_LIST)
        return states_in(page)

    @property
    def may_be_newer(self) -> bool:
        """True if a later version of the API is supported than the one in use."""
        return self.version != NEWEST

    async def discover(self) -> str:
        """Find the newest API version that both sides support, and use it.

        Raises:
            InvalidResponse: the server is not Patchwork, is too old, or is the freedesktop.org fork.
        """
        async with self._discovering:
            if not self.version:
                version = await find_version(self._client)
                if version == NEWEST:
                    self._client.series_version = await version_with_dependencies(self._client)
                self._client.version = version
            return self.version

    async def discover_newer(self) -> bool:
        """Switch to a newer API version if the server supports one by now, and return whether it does."""
        async with self._discovering:
            newer = await newer_version(self._client, self.version)
            self._client.version = newer or self.version
            return newer is not None

    async def project(self, name: str) -> ProjectName:
        """Return the project's link_name in the server's spelling.

        Raises:
            NotFound: there is no such project.
        """
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
        """Return a page of the projects' events since the server's naive date *since*; empty past the last page.

        Servers before API 1.2 ignore *oldest_first*.
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
        events, skipped = await self._read(EventRow, answer, EventRow.model)
        more = answer.has_next or len(events) + len(skipped) >= per_page
        newest_first = not oldest_first or self.version < "1.2"
        return EventPage(of_projects(projects, events), more, newest_first, skipped)

    async def newest_patches(
        self, projects: Collection[str], count: int = NET_SIZE, page: int = 1
    ) -> NewestPage[Patch]:
        """Return the patches with the highest ids, newest first, without their diffs."""
        return await self._listed_patches(projects, newest(projects, count, page), count)

    async def archived_patches(self, projects: Collection[str], count: int, page: int = 1) -> NewestPage[Patch]:
        """Return the archived patches with the highest ids, newest first, without their diffs."""
        listed = await self._listed_patches(projects, newest(projects, count, page, archived=True), count)
        return replace(listed, rows=tuple(patch for patch in listed.rows if patch.archived))

    async def archived_total(self, projects: Collection[str]) -> int | None:
        """Return the number of archived patches, taken from the last page of size one; None if it is unknown."""
        answer = await self._client.json("patches/", last_page(projects))
        patches, skipped = await self._read(PatchRow, answer, PatchRow.model)
        if not all(patch.archived for patch in patches) or len(patches) + len(skipped) > 1:
            return None
        return (answer.previous or 0) + len(patches) + len(skipped)

    async def _listed_patches(self, projects: Collection[str], params: Params, count: int) -> NewestPage[Patch]:
        answer = await self._client.json("patches/", params)
        patches, skipped = await self._read(PatchRow, answer, PatchRow.model)
        return page_of(projects, patches, skipped, answer, count)

    async def newest_series(
        self, projects: Collection[str], count: int = NET_SIZE, page: int = 1
    ) -> NewestPage[Series]:
        """Return the series with the highest ids, newest first, without any that is too large for a response."""
        try:
            return await self._newest_series(projects, count, page)
        except ResponseTooLarge:
            if count == 1:
                raise
        split = _split(count)
        parts: list[NewestPage[Series]] = []
        for number in range((page - 1) * split + 1, page * split + 1):
            try:
                parts.append(await self.newest_series(projects, count // split, number))
            except ResponseTooLarge as error:
                _log.warning("series.skipped", server=self._client.server, reason=str(error))
            except NotFound:  # past the last page
                parts.append(NewestPage((), more=False, highest=0))
            if parts and not parts[-1].more:
                break
        return joined(parts)

    async def _newest_series(self, projects: Collection[str], count: int, page: int) -> NewestPage[Series]:
        answer = await self._client.json("series/", newest(projects, count, page))
        series, skipped = await self._read(SeriesRow, answer, SeriesRow.model)
        return page_of(projects, series, skipped, answer, count)

    async def series(self, number: int) -> Series:
        """Return the current state of a series, with what it needs if the server has that version of the API."""
        version = self._client.series_version
        try:
            return (await self._one(SeriesRow, "series", number, version)).model()
        except NoSuchPage:
            if version is None:
                raise
        self._client.series_version = None  # the server was set back to an older release
        return (await self._one(SeriesRow, "series", number)).model()

    async def patch(self, number: int) -> Patch:
        """Return a patch with its files, addresses and trailers."""
        return (await self.patch_page(number)).patch

    async def patch_page(self, number: int) -> PatchPage:
        """Return a patch with everything that its own page has."""
        row = await self._one(PatchRow, "patches", number)
        return await asyncio.to_thread(row.page)  # a diff may be large

    async def patch_status(self, number: int) -> Patch:
        """Return a patch with its status alone, without what its text and diff tell."""
        row = await self._one(PatchRow, "patches", number)
        return row.model_copy(update={"headers": None, "content": "", "diff": ""}).model()

    async def patches_of(self, series: SeriesId) -> tuple[Patch, ...]:
        """Return the current patches of a series, without their diffs, in the order of their numbers."""
        patches = await self._all(PatchRow, "patches/", PatchRow.model, [("series", str(series))])
        return tuple(sorted((patch for patch in patches if patch.series == series), key=_place))

    async def listed_in(self, series: SeriesId) -> tuple[tuple[Patch, ...], str]:
        """Return the patches of a series as listed, and the series' name in the list; "" if none is listed."""
        rows = await self._all(PatchRow, "patches/", _with_series_name, [("series", str(series))])
        patches = [(patch, name) for patch, name in rows if patch.series == series]
        return tuple(patch for patch, _ in patches), next((name for _, name in patches), "")

    async def checks(self, patch: PatchId) -> tuple[Check, ...]:
        """Return all checks of a patch."""
        return tuple(await self._all(CheckRow, f"patches/{patch}/checks/", CheckRow.model))

    async def comments(self, on: CommentTarget) -> tuple[Comment, ...]:
        """Return the comments on a patch or a cover letter, oldest first."""
        if on.kind is MailKind.PATCH:
            return await self.patch_comments(PatchId(on.id))
        return await self._comments(f"covers/{on.id}/comments/")

    async def trailers(self, series: Series, patches: Sequence[Patch]) -> TrailersRead:
        """Return the current trailers of *patches*, read from the series' mbox, which includes those of their comments.

        If there is no mbox, or it does not match the series, the comments are read one patch after the other. The
        trailers in comments on the cover letter are not included.
        """
        read = await self._mbox(series)
        if read is None:
            return replace(await self._trailers_of(patches), series=series.id)
        known = {patch.id for patch in patches}
        trailers = tuple((number, patch.trailers) for number, patch in read.items() if number in known)
        return TrailersRead(trailers, series.id)

    async def comments_on_cover(self, series: Series) -> tuple[Comment, ...]:
        """Return the comments on a series' cover letter, oldest first; empty if it has no cover letter."""
        if series.cover_id is not None:
            return await self.comments(CommentTarget(MailKind.COVER, series.cover_id))
        return await self.cover_comments(series.id) if series.cover else ()

    async def patch_trailers(self, patch: Patch) -> TrailersRead:
        """Return the trailers of a patch: the known ones, which its own mail has, and those in its comments."""
        comments = await self.patch_comments(patch.id)
        read = ((CommentTarget(MailKind.PATCH, patch.id), comments),)
        return TrailersRead(((patch.id, patch.trailers | trailers_in(comments)),), comments=read)

    async def _trailers_of(self, patches: Sequence[Patch]) -> TrailersRead:
        """Return the trailers of each of *patches*, with the ids of those whose comments could not be read."""
        trailers: list[tuple[PatchId, frozenset[Trailer]]] = []
        comments: list[MailComments] = []
        unread = [patch.id for patch in patches[MAX_COMMENTED:]]
        most_unread = len(unread) + MAX_FAILED_PAGES
        for patch in patches[:MAX_COMMENTED]:
            if len(unread) >= most_unread:
                unread.append(patch.id)
                continue
            try:
                read = await self.patch_trailers(patch)
                trailers += read.patches
                comments += read.comments
            except TransportError as error:
                if isinstance(error, Temporary) and error.retry_after is not None:
                    raise  # a server that requests a delay must not get a request for each patch
                unread.append(patch.id)
            except OverBudget:
                unread.append(patch.id)
        return TrailersRead(tuple(trailers), unread=tuple(unread), comments=tuple(comments))

    async def patch_comments(self, patch: PatchId) -> tuple[Comment, ...]:
        """Return the comments on a patch, oldest first."""
        return await self._comments(f"patches/{patch}/comments/")

    async def cover_comments(self, series: SeriesId) -> tuple[Comment, ...]:
        """Return the comments on a series' cover letter, oldest first; empty if it has no cover letter."""
        cover = (await self._one(SeriesRow, "series", series)).cover_letter
        return await self._comments(f"covers/{cover.id}/comments/") if cover else ()

    async def _comments(self, path: str) -> tuple[Comment, ...]:
        comments = await self._all(CommentRow, path, CommentRow.model)
        return tuple(sorted(comments, key=lambda comment: (comment.date, comment.id)))

    async def by_msgid(self, msgid: Msgid, projects: Collection[str]) -> tuple[Patch, ...]:
        """Return the patches with a message-id, without their diffs; requires API 1.2."""
        page = await self._client.json("patches/", [*(("project", name) for name in projects), ("msgid", msgid)])
        patches, _ = await self._read(PatchRow, page, PatchRow.model)
        return tuple(patch for patch in of_projects(projects, patches) if patch.msgid == msgid)

    async def series_of_cover(self, msgid: Msgid, projects: Collection[str]) -> int | None:
        """Return the id of the series whose cover letter has a message-id; requires API 1.2."""
        answer = await self._client.json("covers/", [*(("project", name) for name in projects), ("msgid", msgid)])
        names = {name.lower() for name in projects}
        rows, _ = await self._read(CoverRow, answer, lambda row: row)
        covers = [row for row in rows if msgid_of(row.msgid) == msgid and row.project.link_name.lower() in names]
        return next((cover.series[0].id for cover in covers if cover.series), None)

    async def cover(self, number: int) -> CoverPage:
        """Return what a cover letter opens, and what it needs."""
        return (await self._one(CoverRow, "covers", number)).model()

    async def contents(self, series: Series, refs: Sequence[PatchRef]) -> tuple[Patch, ...]:
        """Return the patches *refs* of *series* with their diffs, without those that no longer exist on the server."""
        return (await self.read_contents(series, refs)).patches

    async def read_contents(self, series: Series, refs: Sequence[PatchRef], *, partly: bool = False) -> PatchContents:
        """Return the patches *refs* of *series* with their diffs, or, if *partly*, those of them that can be read.

        A single patch is read from its own page, which has more information at the same cost. Several patches are read
        from the series' mbox if it matches the series, otherwise from their pages, `AT_ONCE` at a time; after
        `MAX_FAILED_PAGES` failures the rest are not requested. A patch without a diff in the mbox is also read from its
        page, because the mbox lacks the pull URL of a pull request. Pages that were read are kept for the next call if
        another one failed.

        Raises:
            Temporary: a patch cannot be read now, unless *partly*.
        """
        read = (await self._mbox(series, or_pages=partly) or {}) if len(refs) > 1 else {}
        patches = {ref.id: read[ref.id] for ref in refs if ref.id in read and not _may_be_pull(read[ref.id])}
        failures: dict[PatchId, TransportError] = {}
        by_page = [ref for ref in refs if ref.id not in patches]
        for start in range(0, len(by_page), AT_ONCE):
            some = by_page[start : start + AT_ONCE]
            for ref, result in zip(some, await asyncio.gather(*(self._page_of(ref.id) for ref in some)), strict=True):
                if isinstance(result, Patch):
                    patches[ref.id] = result
                else:
                    failures[ref.id] = result
            failed = [error for error in failures.values() if not isinstance(error, NotFound)]
            if failed and not partly:
                self._remember({ref.id: patches[ref.id] for ref in by_page if ref.id in patches})
                raise failed[0]
            if len(failed) >= MAX_FAILED_PAGES:
                failures |= {ref.id: failed[-1] for ref in by_page[start + AT_ONCE :]}
                break
        for ref in by_page:
            self._remembered.pop(ref.id, None)
        return PatchContents(tuple(patches[ref.id] for ref in refs if ref.id in patches), failures)

    async def bodies(self, series: Series) -> dict[PatchId, str]:
        """Return the messages and diffs of a series' patches, from its mbox, or else from at most `MAX_PAGES` pages.

        Patches that cannot be read are missing.

        Raises:
            Temporary: the server cannot be reached.
        """
        text = await self._mbox_text(series, or_pages=False) if len(series.patches) > 1 else None
        read = None if text is None else await asyncio.to_thread(read_series_bodies, text, series)
        if read is not None:
            return read
        bodies: dict[PatchId, str] = {}
        for start in range(0, min(len(series.patches), MAX_PAGES), AT_ONCE):
            some = series.patches[start : start + AT_ONCE]
            pages = await asyncio.gather(*(self._found_page(ref.id) for ref in some))
            bodies |= {page.patch.id: _body(page) for page in pages if page is not None}
        return bodies

    async def _found_page(self, patch: PatchId) -> PatchPage | None:
        try:
            return await self.patch_page(patch)
        except NotFound:
            return None

    async def _mbox(self, series: Series, *, or_pages: bool = False) -> dict[PatchId, Patch] | None:
        text = await self._mbox_text(series, or_pages=or_pages)
        return None if text is None else await asyncio.to_thread(read_series_mbox, text, series)

    async def _mbox_text(self, series: Series, *, or_pages: bool) -> str | None:
        """Return the mbox of a series; None if the server has none, or does not give it."""
        try:
            text = await self._client.text(f"/series/{series.id}/mbox/")
        except TransportError as error:
            if isinstance(error, Wall):
                self._incidents.record(WALLED, self._all_mboxes, str(error))
            if isinstance(error, Temporary) and error.retry_after is not None and not or_pages:
                raise  # a server that requests a delay must not get a request for each patch
            _log.info("series.mbox_missing", series=series.id, reason=str(error))
            return None
        self._incidents.resolve(WALLED, self._all_mboxes)
        return text

    async def _page_of(self, patch: PatchId) -> Patch | TransportError:
        """Return the patch, or the error if it cannot be read."""
        if patch in self._remembered:
            return self._remembered[patch]
        try:
            return await self.patch(patch)
        except TransportError as error:
            return error

    def _remember(self, patches: Mapping[PatchId, Patch]) -> None:
        if len(self._remembered) + len(patches) > _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered.update(patches)

    async def _one(self, kind: type[_Single], path: str, number: int, version: str | None = None) -> _Single:
        """Return the object with an id; *version* is that of the API, None for the one in use.

        Raises:
            Garbled: the response is about another object.
        """
        page = await self._client.json(f"{path}/{number}/", version=version)
        row = await asyncio.to_thread(read_row, kind, page.body)
        if row.id != number:
            raise Garbled(f"the response for {path} {number} is about {row.id}")
        return row

    async def _all(
        self, kind: type[_Row], path: str, model: Callable[[_Row], _Model], params: Params = ()
    ) -> list[_Model]:
        """Return the rows of a list to its end, up to `_MAX_PAGES` pages."""
        rows: list[_Model] = []
        for number in range(1, _MAX_PAGES + 1):
            query = [*params, ("per_page", str(PER_PAGE))] + ([("page", str(number))] if number > 1 else [])
            page = await self._client.json(path, query)
            rows += (await self._read(kind, page, model))[0]
            if not page.has_next:
                break
        return rows

    async def _read(
        self, kind: type[_Row], page: Page, model: Callable[[_Row], _Model]
    ) -> tuple[tuple[_Model, ...], tuple[SkippedRow, ...]]:
        """Return the rows of a page as model objects, and the unreadable ones; parse large pages off the event loop."""
        if len(page.body) < _READ_ASIDE_BYTES:
            listed = read_list(kind, page.body, model)
        else:
            listed = await asyncio.to_thread(read_list, kind, page.body, model)
        self._row_log.note(kind, listed)
        return tuple(row for _, row in listed.rows), tuple(row for row, _ in listed.skipped)


def _with_series_name(row: PatchRow) -> tuple[Patch, str]:
    return row.model(), row.series[0].name if row.series else ""


def trailers_in(comments: Sequence[Comment]) -> frozenset[Trailer]:
    """Return the trailers in *comments*."""
    return frozenset(trailer for comment in comments for trailer in comment.trailers)


def _may_be_pull(patch: Patch) -> bool:
    """Return whether a *patch* from a series mbox may be a pull request: without a diff, or numbered 0."""
    return not patch.files or (patch.number is not None and patch.number[0] == 0)


def _body(page: PatchPage) -> str:
    """Return the message of a patch, which is cut if it is very long, and its whole diff."""
    text = page.patch.text.partition("\n\n")[2]
    message = text.partition(page.diff[:_DIFF_BEGIN])[0] if page.diff else text
    return f"{message}\n---\n\n{page.diff}" if page.diff else message


def _place(patch: Patch) -> tuple[tuple[int, int], int]:
    return patch.number or (0, 0), patch.id


def _split(count: int) -> int:
    """Return the number of equal parts in which to request a page of *count* rows, which is 2 or more."""
    return next((parts for parts in range(_MAX_PARTS, 1, -1) if count % parts == 0), count)
