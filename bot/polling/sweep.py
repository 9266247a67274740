"""The safety net: every half hour the newest series and patches by id, which no clock and no event can hide.

It finds what events missed (an hour that came twice, a date in the future, a project that was away for a while), how
far that has to be read is said in `poll.py`; and what raises none: what was archived (`archive.py`), and what is
edited of a submission that is open (`rounds.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

import structlog

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import ProjectName, ServerName
from bot.incidents import Incidents
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import NotFound
from bot.patchwork.listing import NewestPage
from bot.patchwork.model import Patch, Series
from bot.poll import Baseline, ListMark, SweepState
from bot.polling.archived import Archive
from bot.polling.rounds import OpenRound
from bot.store.store import Store

EVERY = timedelta(minutes=30)
NAMES_EVERY = timedelta(days=1)
RETRY_SECONDS = 5 * 60.0
SWEEP_FAILED = "sweep.failed"
_MAX_PAGES = 20
_log = structlog.get_logger(__name__)
_Found = TypeVar("_Found", Series, Patch)
_Page = Callable[[int, int], Awaitable[NewestPage[_Found]]]


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

    async def cast(self, baselines: Mapping[ProjectName, Baseline], state: SweepState | None) -> SweepResult:
        """Run a sweep after those that came to *state*; return an empty result within half an hour of the last one.

        Without an earlier sweep, that half hour begins now, because the baselines are current.
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
            found = await self._tried(f"the {what} of {self._server}", part, baselines, swept.state)
            swept = _Swept(found.state, (*swept.series, *found.series), (*swept.patches, *found.patches))
            has_failed |= found.failure is not None
        if has_failed:  # all is asked again soon
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

    async def _tried(
        self, name: str, part: _Part, baselines: Mapping[ProjectName, Baseline], state: SweepState
    ) -> _Swept:
        """Return the result of a *part*; if the server fails, with the error, which is recorded as an incident."""
        try:
            found = await part(baselines, state)
        except TransportError as error:
            found = _Swept(state, failure=error)
        if found.failure is None:
            self._incidents.resolve(SWEEP_FAILED, name)
        else:
            self._incidents.record(SWEEP_FAILED, name, str(found.failure))
        return found

    async def _newest_series(self, baselines: Mapping[ProjectName, Baseline], state: SweepState) -> _Swept:
        past = {name: base.series for name, base in baselines.items()}

        async def page(rows: int, number: int) -> NewestPage[Series]:
            return await self._api.newest_series(list(past), rows, number)

        found, mark = await _down_to_the_mark(page, past, state.series)
        return _Swept(replace(state, series=mark), series=found)

    async def _newest_patches(self, baselines: Mapping[ProjectName, Baseline], state: SweepState) -> _Swept:
        past = {name: base.patch for name, base in baselines.items()}

        async def page(rows: int, number: int) -> NewestPage[Patch]:
            return await self._api.newest_patches(list(past), rows, number)

        found, mark = await _down_to_the_mark(page, past, state.patches)
        return _Swept(replace(state, patches=mark), patches=found)

    async def _archived(self, baselines: Mapping[ProjectName, Baseline], state: SweepState) -> _Swept:
        past = {name: base.patch for name, base in baselines.items()}
        archived = await self._archive.look(past, state.archived)
        found = list(archived.patches)
        for submission in archived.missing:
            patches, _ = await self._round.look(submission)
            found += patches
        return _Swept(replace(state, archived=archived.total), patches=tuple(found))

    async def _open(self, baselines: Mapping[ProjectName, Baseline], state: SweepState) -> _Swept:
        looked = await self._round.go_on(list(baselines), state.below)
        return _Swept(replace(state, below=looked.below), looked.series, looked.patches, looked.failure)


async def _down_to_the_mark(
    page: _Page[_Found], past: Mapping[ProjectName, int], mark: ListMark
) -> tuple[tuple[_Found, ...], ListMark]:
    """Return the first row, or, if the list changed, all down to the floor of *mark*; and the new mark."""
    first = await page(1, 1)
    moved = mark.moved(past, first.highest, first.total)
    if mark.is_at(past, first.highest, first.total):
        return first.rows, moved
    found: list[_Found] = []
    rows, floor = mark.rows_to_read(first.total), mark.floor(past)
    for number in range(1, _MAX_PAGES + 1):
        try:
            answer = await page(rows, number)
        except NotFound:
            if number == 1:
                raise
            break
        found += answer.rows
        if not answer.more or answer.lowest <= floor:
            break
    return tuple(found), moved
