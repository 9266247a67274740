"""The questions the bot asks a Patchwork server, each answered in the model.

A wrong filter value is never an error there but an empty list, and an unknown parameter is ignored; so every row is
checked against what was asked.
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
from bot.patchwork.client import AT_ONCE, NotFound, Params, PatchworkClient, ResponseTooLarge, Wall
from bot.patchwork.discovery import NEWEST, find_version, newer_version
from bot.patchwork.listing import NewestPage, asked_for, joined, last_page, newest, page_of
from bot.patchwork.mbox import read_series_mbox
from bot.patchwork.model import Check, Comment, Patch, PatchPage, PatchRef, Series, Trailer
from bot.patchwork.recheck_schedule import raises_comment_events
from bot.patchwork.refs import msgid_of
from bot.patchwork.request_turns import OverBudget, RecheckBudget
from bot.patchwork.response_rows import Garbled, Page, SkippedRow, read_row
from bot.patchwork.skipped_rows import RowLog, read_list
from bot.patchwork.states import States, states_in
from bot.patchwork.updates import CommentTarget, MailKind, TrailersRead
from bot.patchwork.wire import CheckRow, CommentRow, CoverRow, EventHint, EventRow, PatchRow, SeriesRow, read_project

PER_PAGE = 250  # Patchwork's own maximum; more is silently clamped
NET_SIZE = 100
_MAX_PARTS = 10  # in which a page is asked for that is too large as a whole
WALLED = "mbox.walled"
_EMPTY_LIST = [("q", "no patch has this name")]  # a page without patches is a short one
_MAX_PAGES = 4  # of what hangs on one object
MAX_FAILED_PAGES = 8  # of one object's, each of which may take as long as a request may; then others are not asked for
MAX_COMMENTED = 100  # patches whose comments are read one after the other, at a time
_MAX_REMEMBERED = 2_000
_READ_ASIDE_BYTES = 128 * 1024
_log = structlog.get_logger(__name__)
_Row = TypeVar("_Row", EventRow, PatchRow, SeriesRow, CoverRow, CheckRow, CommentRow)
_Single = TypeVar("_Single", PatchRow, SeriesRow, CoverRow)
_Model = TypeVar("_Model")


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of events, as the server ordered them, and whether it was a full one; *skipped* could not be read."""

    events: tuple[EventHint, ...]
    more: bool
    newest_first: bool = False
    skipped: tuple[SkippedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class PatchContents:
    """Patches read whole, and why each other one that was asked for could not be."""

    patches: tuple[Patch, ...]
    failures: Mapping[PatchId, TransportError]


class PatchworkApi:
    """One server's answers in the model; raises what `PatchworkClient` raises.

    *incidents* records the rows of lists that cannot be read.
    """

    def __init__(self, client: PatchworkClient, incidents: Incidents | None = None) -> None:
        self._client = client
        self._discovering = asyncio.Lock()
        self._remembered: dict[PatchId, Patch] = {}  # read from pages of a series of which another page failed
        name = client.server or client.url
        self._incidents = incidents or Incidents(SystemClock())
        self._row_log = RowLog(name, self._incidents)
        self._all_mboxes = f"the mboxes of {name}"

    def for_commands(self) -> "PatchworkApi":
        """The same server's answers, asked for by people."""
        return PatchworkApi(self._client.for_commands())

    def within(self, budget: RecheckBudget) -> "PatchworkApi":
        """The same server's answers, as far as a *budget* allows requests; beyond it, all raise `OverBudget`."""
        return PatchworkApi(self._client.within(budget), self._incidents)

    @property
    def url(self) -> str:
        """The configured address."""
        return self._client.url

    @property
    def version(self) -> str:
        """The API version in use, "" before `discover`."""
        return self._client.version

    @property
    def raises_comment_events(self) -> bool:
        """Whether events tell of comments."""
        return raises_comment_events(self.version)

    @property
    def states(self) -> States:
        """The states that the server has, as far as they are known; for all who ask it."""
        return self._client.states

    @states.setter
    def states(self, states: States) -> None:
        self._client.states = states

    async def state_names(self, project: str) -> dict[str, str]:
        """The states by slug as the page of a *project* spells them; none where it does not."""
        page = await self._client.page(f"/project/{quote(project, safe='')}/list/", _EMPTY_LIST)
        return states_in(page)

    @property
    def may_be_newer(self) -> bool:
        """Whether a newer version than the one in use would be spoken, if the server did."""
        return self.version != NEWEST

    async def discover(self) -> str:
        """Find the newest API version that both sides speak, and use it.

        Raises:
            Refused: when it is no Patchwork, or one that is too old or another kind.
        """
        async with self._discovering:
            if not self.version:
                self._client.version = await find_version(self._client)
            return self.version

    async def discover_newer(self) -> bool:
        """Use a newer version where the server speaks one by now; whether it does."""
        async with self._discovering:
            newer = await newer_version(self._client, self.version)
            self._client.version = newer or self.version
            return newer is not None

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
        events, skipped = await self._read(EventRow, answer, EventRow.model)
        more = answer.has_next or len(events) + len(skipped) >= per_page
        newest_first = not oldest_first or self.version < "1.2"
        return EventPage(asked_for(projects, events), more, newest_first, skipped)

    async def newest_patches(
        self, projects: Collection[str], count: int = NET_SIZE, page: int = 1
    ) -> NewestPage[Patch]:
        """The patches with the highest ids, newest first, without their diffs."""
        return await self._listed_patches(projects, newest(projects, count, page), count)

    async def archived_patches(self, projects: Collection[str], count: int, page: int = 1) -> NewestPage[Patch]:
        """The archived patches with the highest ids, newest first, without their diffs."""
        listed = await self._listed_patches(projects, newest(projects, count, page, archived=True), count)
        return replace(listed, rows=tuple(patch for patch in listed.rows if patch.archived))

    async def archived_total(self, projects: Collection[str]) -> int | None:
        """How many archived patches there are, by the number of the last page of one row; None: that cannot be told."""
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
        """The series with the highest ids, newest first; one with too many patches for any answer is left out."""
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
        """A series as it stands now."""
        return (await self._one(SeriesRow, "series", number)).model()

    async def patch(self, number: int) -> Patch:
        """A patch with its files, addresses and trailers."""
        return (await self.patch_page(number)).patch

    async def patch_page(self, number: int) -> PatchPage:
        """A patch with all that its own page shows."""
        row = await self._one(PatchRow, "patches", number)
        return await asyncio.to_thread(row.page)  # a diff may be large

    async def patches_of(self, series: SeriesId) -> tuple[Patch, ...]:
        """The patches of a series as they stand now, without their diffs, in the order of their numbers."""
        found = await self._all(PatchRow, "patches/", PatchRow.model, [("series", str(series))])
        return tuple(sorted((patch for patch in found if patch.series == series), key=_place))

    async def shown_in(self, series: SeriesId) -> tuple[tuple[Patch, ...], str]:
        """The patches of a series as a list shows them, and what that calls the series; "" where it shows none."""
        found = await self._all(PatchRow, "patches/", _with_series_name, [("series", str(series))])
        shown = [(patch, name) for patch, name in found if patch.series == series]
        return tuple(patch for patch, _ in shown), next((name for _, name in shown), "")

    async def checks(self, patch: PatchId) -> tuple[Check, ...]:
        """All that tools said of a patch."""
        return tuple(await self._all(CheckRow, f"patches/{patch}/checks/", CheckRow.model))

    async def comments(self, on: CommentTarget) -> tuple[Comment, ...]:
        """The comments on a patch or a cover letter, oldest first."""
        if on.kind is MailKind.PATCH:
            return await self.patch_comments(PatchId(on.id))
        return await self._comments(f"covers/{on.id}/comments/")

    async def trailers(self, series: Series, patches: Sequence[Patch]) -> TrailersRead:
        """The trailers of the *patches* of a series now: from its mbox, which has those of their comments, too.

        Where there is no mbox, or it is not the series', their comments are read one patch after the other. The cover
        letter's are not among them.
        """
        read = await self._mbox(series)
        if read is None:
            return replace(await self._trailers_of(patches), series=series.id)
        known = {patch.id for patch in patches}
        found = tuple((number, patch.trailers) for number, patch in read.items() if number in known)
        return TrailersRead(found, series.id)

    async def cover_trailers(self, series: Series) -> frozenset[Trailer]:
        """The trailers in the comments on the cover letter of a series; none where it has no cover letter."""
        if series.cover_id is not None:
            return _trailers_in(await self.comments(CommentTarget(MailKind.COVER, series.cover_id)))
        return _trailers_in(await self.cover_comments(series.id) if series.cover else ())

    async def patch_trailers(self, patch: Patch) -> TrailersRead:
        """The trailers of a patch: those that are known, which its own mail has, and those of its comments."""
        found = _trailers_in(await self.patch_comments(patch.id))
        return TrailersRead(((patch.id, patch.trailers | found),))

    async def _trailers_of(self, patches: Sequence[Patch]) -> TrailersRead:
        """The trailers of each of the *patches*; those whose comments are still to be read are named."""
        found: list[tuple[PatchId, frozenset[Trailer]]] = []
        unread = [patch.id for patch in patches[MAX_COMMENTED:]]
        most_unread = len(unread) + MAX_FAILED_PAGES
        for patch in patches[:MAX_COMMENTED]:
            if len(unread) >= most_unread:
                unread.append(patch.id)
                continue
            try:
                found += (await self.patch_trailers(patch)).patches
            except TransportError as error:
                if isinstance(error, Temporary) and error.retry_after is not None:
                    raise  # who asks for patience is not asked for each patch instead
                unread.append(patch.id)
            except OverBudget:
                unread.append(patch.id)
        return TrailersRead(tuple(found), unread=tuple(unread))

    async def patch_comments(self, patch: PatchId) -> tuple[Comment, ...]:
        """The comments on a patch, oldest first."""
        return await self._comments(f"patches/{patch}/comments/")

    async def cover_comments(self, series: SeriesId) -> tuple[Comment, ...]:
        """The comments on the cover letter of a series, oldest first; none where it has no cover letter."""
        cover = (await self._one(SeriesRow, "series", series)).cover_letter
        return await self._comments(f"covers/{cover.id}/comments/") if cover else ()

    async def _comments(self, path: str) -> tuple[Comment, ...]:
        found = await self._all(CommentRow, path, CommentRow.model)
        return tuple(sorted(found, key=lambda comment: (comment.date, comment.id)))

    async def by_msgid(self, msgid: Msgid, projects: Collection[str]) -> tuple[Patch, ...]:
        """The patches with a message-id, without their diffs; servers before API 1.2 cannot look for one."""
        page = await self._client.json("patches/", [*(("project", name) for name in projects), ("msgid", msgid)])
        found, _ = await self._read(PatchRow, page, PatchRow.model)
        return tuple(patch for patch in asked_for(projects, found) if patch.msgid == msgid)

    async def series_of_cover(self, msgid: Msgid, projects: Collection[str]) -> int | None:
        """The series that the cover letter with a message-id opens; servers before API 1.2 cannot look for one."""
        answer = await self._client.json("covers/", [*(("project", name) for name in projects), ("msgid", msgid)])
        asked = {name.lower() for name in projects}
        rows, _ = await self._read(CoverRow, answer, lambda row: row)
        covers = [row for row in rows if msgid_of(row.msgid) == msgid and row.project.link_name.lower() in asked]
        return next((cover.series[0].id for cover in covers if cover.series), None)

    async def series_of_cover_number(self, number: int) -> int | None:
        """The series that the cover letter with an id opens."""
        opened = (await self._one(CoverRow, "covers", number)).series
        return opened[0].id if opened else None

    async def contents(self, series: Series, refs: Sequence[PatchRef]) -> tuple[Patch, ...]:
        """The patches *refs* of *series* with their diffs; those that the server says are gone are left out."""
        return (await self.read_contents(series, refs)).patches

    async def read_contents(self, series: Series, refs: Sequence[PatchRef], *, partly: bool = False) -> PatchContents:
        """The patches *refs* of *series* with their diffs; *partly*: as far as they can be read.

        A single patch is read from its own page, which says more at the same price; several come in one mbox
        where that is the series' own, else from their pages, two at a time; after some that failed, the others are not
        asked for. So does what has no diff in the mbox, which does not say where a pull request is pulled from. Pages
        that were read are not asked for again when another one failed.

        Raises:
            Temporary: unless *partly*, when a patch cannot be read now.
        """
        read = (await self._mbox(series, or_pages=partly) or {}) if len(refs) > 1 else {}
        patches = {ref.id: read[ref.id] for ref in refs if ref.id in read and not _may_be_pull(read[ref.id])}
        failures: dict[PatchId, TransportError] = {}
        by_page = [ref for ref in refs if ref.id not in patches]
        for start in range(0, len(by_page), AT_ONCE):
            some = by_page[start : start + AT_ONCE]
            for ref, found in zip(some, await asyncio.gather(*(self._page_of(ref.id) for ref in some)), strict=True):
                if isinstance(found, Patch):
                    patches[ref.id] = found
                else:
                    failures[ref.id] = found
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

    async def _mbox(self, series: Series, *, or_pages: bool = False) -> dict[PatchId, Patch] | None:
        try:
            text = await self._client.text(f"/series/{series.id}/mbox/")
        except TransportError as error:
            if isinstance(error, Wall):
                self._incidents.record(WALLED, self._all_mboxes, str(error))
            if isinstance(error, Temporary) and error.retry_after is not None and not or_pages:
                raise  # who asks for patience is not asked for each patch instead
            _log.info("series.mbox_missing", series=series.id, reason=str(error))
            return None
        self._incidents.resolve(WALLED, self._all_mboxes)
        return await asyncio.to_thread(read_series_mbox, text, series)

    async def _page_of(self, patch: PatchId) -> Patch | TransportError:
        """The patch, or why it cannot be read."""
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

    async def _one(self, kind: type[_Single], path: str, number: int) -> _Single:
        """The object with an id.

        Raises:
            Garbled: when the answer is about another one.
        """
        page = await self._client.json(f"{path}/{number}/")
        row = await asyncio.to_thread(read_row, kind, page.body)
        if row.id != number:
            raise Garbled(f"answered about {path} {row.id} where {number} was asked for")
        return row

    async def _all(
        self, kind: type[_Row], path: str, model: Callable[[_Row], _Model], params: Params = ()
    ) -> list[_Model]:
        """The rows of a list to its end, or for `_MAX_PAGES` pages."""
        found: list[_Model] = []
        for number in range(1, _MAX_PAGES + 1):
            asked = [*params, ("per_page", str(PER_PAGE))] + ([("page", str(number))] if number > 1 else [])
            page = await self._client.json(path, asked)
            found += (await self._read(kind, page, model))[0]
            if not page.has_next:
                break
        return found

    async def _read(
        self, kind: type[_Row], page: Page, model: Callable[[_Row], _Model]
    ) -> tuple[tuple[_Model, ...], tuple[SkippedRow, ...]]:
        """What the rows of a page say, and those that cannot be read; off the event loop where they are many."""
        if len(page.body) < _READ_ASIDE_BYTES:
            listed = read_list(kind, page.body, model)
        else:
            listed = await asyncio.to_thread(read_list, kind, page.body, model)
        self._row_log.note(kind, listed)
        return tuple(found for _, found in listed.found), tuple(row for row, _ in listed.skipped)


def _with_series_name(row: PatchRow) -> tuple[Patch, str]:
    return row.model(), row.series[0].name if row.series else ""


def _trailers_in(comments: Sequence[Comment]) -> frozenset[Trailer]:
    return frozenset(trailer for comment in comments for trailer in comment.trailers)


def _may_be_pull(patch: Patch) -> bool:
    """Whether a *patch* of a series mbox may be a pull request: one without a diff, or in a cover letter's place."""
    return not patch.files or (patch.number is not None and patch.number[0] == 0)


def _place(patch: Patch) -> tuple[tuple[int, int], int]:
    return patch.number or (0, 0), patch.id


def _split(count: int) -> int:
    """Return in how many parts of the same size a page of *count* rows, 2 or more, is asked for."""
    return next((parts for parts in range(_MAX_PARTS, 1, -1) if count % parts == 0), count)
