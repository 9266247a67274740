"""The sweep: every half hour it reads the newest series and patches by id, to find what events missed.

Events miss objects if an hour comes twice, a date is in the future, or a project was missing for a while. `poll.py`
describes how far each list is read. The sweep also finds changes that raise no event:

* Archived patches. The number of the last page of size one is their total, on every version of the API. If it changed,
  the list is read, newest first, until the differences to the known patches account for the change, or down to the
  baselines. Patches missing on the list are read individually, because only a row proves a state.
* Edited submissions. Each sweep reads a few open ones again, so that all are read within hours. One request reads a
  series with its patches as a list shows them, including its name. An old server that silently ignores the filter
  cannot mislead: only rows of the requested series count.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

import structlog

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import PatchId, ProjectName, ServerName
from bot.incidents import Incidents
from bot.patchwork.api import PatchworkApi
from bot.patchwork.model import Patch, Series
from bot.patchwork.response_rows import NewestPage
from bot.patchwork.responses import NotFound
from bot.poll import Baseline, ListMark, OpenSubmission, SweepState
from bot.store.store import Store

_PAGE_ROWS = 50
_MAX_ARCHIVE_PAGES = 40
_MAX_MISSING = 50  # submissions per sweep, each read individually
SWEEPS_A_ROUND = 8  # four hours
_LEAST_ROWS, _MOST_ROWS = 10, 100  # patches per sweep
EVERY = timedelta(minutes=30)
NAMES_EVERY = timedelta(days=1)
RETRY_SECONDS = 5 * 60.0
SWEEP_FAILED = "sweep.failed"
_MAX_PAGES = 20
_log = structlog.get_logger(__name__)
_Object = TypeVar("_Object", Series, Patch)
_Page = Callable[[int, int], Awaitable[NewestPage[_Object]]]


@dataclass(frozen=True, slots=True)
class Archived:
    """The archived patches that were read, and their total; *total* is None if the server does not return it.

    *missing* were archived and are no longer on the list.
    """

    total: int | None
    patches: tuple[Patch, ...] = ()
    missing: tuple[OpenSubmission, ...] = ()


class Archive:
    """The archived patches of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, store: Store) -> None:
        self._server = server
        self._api = api
        self._store = store

    async def read(self, baselines: Mapping[ProjectName, int], before: int | None) -> Archived:
        """Return the archived patches of the projects with these *baselines*, if their total is not *before*.

        Raises:
            TransportError: the server fails.
        """
        projects = list(baselines)
        total = await self._api.archived_total(projects)
        if total is None or total == before:
            return Archived(total)
        async with self._store.reading() as tx:
            known = await tx.sweeps.archived(self._server, projects)
        patches: list[Patch] = []
        new: set[PatchId] = set()
        gone: set[PatchId] = set()
        async for page in self._pages(projects):
            patches += page.rows
            ids = {patch.id for patch in page.rows}
            async with self._store.reading() as tx:
                new |= await tx.watch.known_patches(self._server, ids) - known.keys()
            reached = page.lowest if page.more else 0
            gone = {patch for patch in known if patch >= reached}.difference(patch.id for patch in patches)
            accounts = before is not None and bool(new or gone) and len(new) - len(gone) == total - before
            if accounts or reached <= min(baselines.values()):
                break
        missing = {each.series or each.newest: each for each in map(known.__getitem__, sorted(gone, reverse=True))}
        return Archived(total, tuple(patches), tuple(missing.values())[:_MAX_MISSING])

    async def _pages(self, projects: Collection[ProjectName]) -> AsyncIterator[NewestPage[Patch]]:
        for number in range(1, _MAX_ARCHIVE_PAGES + 1):
            try:
                page = await self._api.archived_patches(projects, _PAGE_ROWS, number)
            except NotFound:
                if number == 1:
                    raise
                return
            yield page


@dataclass(frozen=True, slots=True)
class RoundResult:
    """The result of a part of the round, newest first; *below* is the patch id where it continues, None for the start.

    *failure* is the error that ended it early: the round continues after the unreadable submission.
    """

    patches: tuple[Patch, ...] = ()
    series: tuple[Series, ...] = ()
    below: PatchId | None = None
    failure: TransportError | None = None


class OpenRound:
    """The round through the open submissions of one server, a few in each sweep."""

    def __init__(self, server: ServerName, api: PatchworkApi, store: Store) -> None:
        self._server = server
        self._api = api
        self._store = store
        self._overdrawn = 0  # rows that a large series used in excess of the last sweep's share

    async def read_next(self, projects: Collection[ProjectName], below: PatchId | None) -> RoundResult:
        """Read the next few submissions."""
        async with self._store.reading() as tx:
            opened = await tx.sweeps.open(self._server, projects, below, _MOST_ROWS)
        rows = min(max(-(-opened.patches // SWEEPS_A_ROUND), _LEAST_ROWS), _MOST_ROWS) - self._overdrawn
        patches: list[Patch] = []
        series: list[Series] = []
        failure: TransportError | None = None
        for submission in opened.submissions:
            if rows <= 0 or failure is not None:
                break
            below = submission.newest
            try:
                submission_patches, renamed = await self.read(submission)
            except TransportError as error:
                failure = error
                continue
            patches += submission_patches
            series += renamed
            rows -= max(len(submission_patches), 1)
        else:
            below = None  # the round is complete
        self._overdrawn = max(-rows, 0)
        return RoundResult(tuple(patches), tuple(series), below, failure)

    async def read(self, submission: OpenSubmission) -> tuple[tuple[Patch, ...], tuple[Series, ...]]:
        """Return the patches of a *submission* as a list shows them, and its series if its name has changed.

        Raises:
            TransportError: they cannot be read.
        """
        if submission.series is None:
            return _of(submission, await self._lone(submission.newest)), ()
        patches, name = await self._api.listed_in(submission.series)
        mine = _of(submission, patches)
        if not (mine and name and submission.name) or name == submission.name:
            return mine, ()
        series = await self._api.series(submission.series)
        return mine, (replace(series, project=submission.project),)

    async def _lone(self, patch: PatchId) -> tuple[Patch, ...]:
        try:
            return (await self._api.patch(patch),)
        except NotFound:
            return ()


def _of(submission: OpenSubmission, patches: tuple[Patch, ...]) -> tuple[Patch, ...]:
    """Return the *patches* in the project of *submission*, with the known spelling of the project."""
    mine = (patch for patch in patches if patch.project.lower() == submission.project.lower())
    return tuple(replace(patch, project=submission.project) for patch in mine)


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The result of a sweep, newest first; empty if none was due.

    *state* is the new progress of the sweeps, None if unchanged. *names* are the names of states on a page, by slug.
    """

    series: tuple[Series, ...] = ()
    patches: tuple[Patch, ...] = ()
    state: SweepState | None = None
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Swept:
    """The result of a part of a sweep, its progress, and the error that ended it early."""

    state: SweepState
    series: tuple[Series, ...] = ()
    patches: tuple[Patch, ...] = ()
    failure: TransportError | None = None


_Part = Callable[[Mapping[ProjectName, Baseline], SweepState], Awaitable[_Swept]]


class ListSweep:
    """The sweeps of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, store: Store, clock: Clock, incidents: Incidents) -> None:
        self._server = server
        self._api = api
        self._archive = Archive(server, api, store)
        self._round = OpenRound(server, api, store)
        self._clock = clock
        self._incidents = incidents
        self._not_before = 0.0  # after a failure

    async def run(self, baselines: Mapping[ProjectName, Baseline], state: SweepState | None) -> SweepResult:
        """Run a sweep if the last one, whose progress is *state*, is half an hour old; else return an empty result.

        Without an earlier sweep, the half hour begins now, because the baselines are current.
        """
        now = self._clock.now()
        if state is None:
            return SweepResult(state=SweepState(now, named_at=now), names=await self._state_names(baselines))
        is_recent = timedelta() <= now - state.at < EVERY
        if is_recent or self._clock.monotonic() < self._not_before:
            return SweepResult()
        parts: Mapping[str, _Part] = {
            "newest series": self._newest_series,
            "newest patches": self._newest_patches,
            "archived patches": self._archived,
            "open submissions": self._open,
        }
        swept, has_failed = _Swept(state), False
        for what, part in parts.items():
            result = await self._run_part(f"the {what} of {self._server}", part, baselines, swept.state)
            swept = _Swept(result.state, (*swept.series, *result.series), (*swept.patches, *result.patches))
            has_failed |= result.failure is not None
        if has_failed:  # all of it is repeated soon
            self._not_before = self._clock.monotonic() + RETRY_SECONDS
            return SweepResult(swept.series, swept.patches, swept.state)
        if state.named_at is not None and timedelta() <= now - state.named_at < NAMES_EVERY:
            return SweepResult(swept.series, swept.patches, replace(swept.state, at=now))
        names = await self._state_names(baselines)
        return SweepResult(swept.series, swept.patches, replace(swept.state, at=now, named_at=now), names)

    async def _state_names(self, baselines: Mapping[ProjectName, Baseline]) -> dict[str, str]:
        """Return the names of states on a page of the server, by slug; empty if the page cannot be read."""
        try:
            return await self._api.state_names(next(iter(baselines)))
        except TransportError as error:
            _log.info("states.not_shown", server=self._server, reason=str(error))
            return {}

    async def _run_part(
        self, name: str, part: _Part, baselines: Mapping[ProjectName, Baseline], state: SweepState
    ) -> _Swept:
        """Return the result of a *part*; if the server fails, record an incident and return the error."""
        try:
            result = await part(baselines, state)
        except TransportError as error:
            result = _Swept(state, failure=error)
        if result.failure is None:
            self._incidents.resolve(SWEEP_FAILED, name)
        else:
            self._incidents.record(SWEEP_FAILED, name, str(result.failure))
        return result

    async def _newest_series(self, baselines: Mapping[ProjectName, Baseline], state: SweepState) -> _Swept:
        floors = {name: base.series for name, base in baselines.items()}

        async def page(rows: int, number: int) -> NewestPage[Series]:
            return await self._api.newest_series(list(floors), rows, number)

        series, mark = await _read_to_mark(page, floors, state.series)
        return _Swept(replace(state, series=mark), series=series)

    async def _newest_patches(self, baselines: Mapping[ProjectName, Baseline], state: SweepState) -> _Swept:
        floors = {name: base.patch for name, base in baselines.items()}

        async def page(rows: int, number: int) -> NewestPage[Patch]:
            return await self._api.newest_patches(list(floors), rows, number)

        patches, mark = await _read_to_mark(page, floors, state.patches)
        return _Swept(replace(state, patches=mark), patches=patches)

    async def _archived(self, baselines: Mapping[ProjectName, Baseline], state: SweepState) -> _Swept:
        floors = {name: base.patch for name, base in baselines.items()}
        archived = await self._archive.read(floors, state.archived)
        patches = list(archived.patches)
        for submission in archived.missing:
            more, _ = await self._round.read(submission)
            patches += more
        return _Swept(replace(state, archived=archived.total), patches=tuple(patches))

    async def _open(self, baselines: Mapping[ProjectName, Baseline], state: SweepState) -> _Swept:
        result = await self._round.read_next(list(baselines), state.below)
        return _Swept(replace(state, below=result.below), result.series, result.patches, result.failure)


async def _read_to_mark(
    page: _Page[_Object], baselines: Mapping[ProjectName, int], mark: ListMark
) -> tuple[tuple[_Object, ...], ListMark]:
    """Return the first row, or all rows down to the floor of *mark* if the list changed, and the new mark."""
    first = await page(1, 1)
    moved = mark.moved(baselines, first.highest, first.total)
    if mark.is_at(baselines, first.highest, first.total):
        return first.rows, moved
    objects: list[_Object] = []
    rows, floor = mark.rows_to_read(first.total), mark.floor(baselines)
    for number in range(1, _MAX_PAGES + 1):
        try:
            read = await page(rows, number)
        except NotFound:
            if number == 1:
                raise
            break
        objects += read.rows
        if not read.more or read.lowest <= floor:
            break
    return tuple(objects), moved
