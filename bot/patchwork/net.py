"""The safety net: every half hour the newest series and patches by id, which no clock and no event can hide.

It finds what events missed (an hour that came twice, a date in the future, a project that was away for a while) and
what raises none. Pages go back until each project shows something that is known or past.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import ProjectName, ServerName
from bot.incidents import Incidents
from bot.patchwork.api import NewestPage, PatchworkApi
from bot.patchwork.client import NotFound
from bot.patchwork.events import ObjectMemory
from bot.patchwork.model import Patch, Series
from bot.patchwork.pending import Baseline

EVERY_SECONDS = 30 * 60.0
RETRY_SECONDS = 5 * 60.0
SWEEP_FAILED = "sweep.failed"
_MAX_PAGES = 20
_Found = TypeVar("_Found", Series, Patch)


@dataclass(frozen=True, slots=True)
class Catch:
    """What the net brought, newest first; nothing when it was not its time."""

    series: tuple[Series, ...] = ()
    patches: tuple[Patch, ...] = ()


class SafetyNet:
    """The net of one server."""

    def __init__(
        self, server: ServerName, api: PatchworkApi, memory: ObjectMemory, clock: Clock, incidents: Incidents
    ) -> None:
        self._server = server
        self._api = api
        self._memory = memory
        self._clock = clock
        self._incidents = incidents
        self._due_at = clock.monotonic() + EVERY_SECONDS

    async def cast(self, baselines: Mapping[ProjectName, Baseline]) -> Catch:
        """What there is to see now; nothing before half an hour has passed, or when the server fails."""
        now = self._clock.monotonic()
        if now < self._due_at:
            return Catch()
        self._due_at = now + EVERY_SECONDS
        series = await self._swept("series", self._series(baselines))
        return Catch(series, await self._swept("patches", self._patches(baselines)))

    async def _swept(self, what: str, sweep: Awaitable[tuple[_Found, ...]]) -> tuple[_Found, ...]:
        """What a sweep found; nothing where the server fails, which is then asked again soon."""
        name = f"the newest {what} of {self._server}"
        try:
            found = await sweep
        except TransportError as error:
            self._due_at = self._clock.monotonic() + RETRY_SECONDS
            self._incidents.record(SWEEP_FAILED, name, str(error))
            return ()
        self._incidents.resolve(SWEEP_FAILED, name)
        return found

    async def _series(self, baselines: Mapping[ProjectName, Baseline]) -> tuple[Series, ...]:
        async def page(number: int) -> NewestPage[Series]:
            return await self._api.newest_series(list(baselines), page=number)

        async def is_known(found: Sequence[Series]) -> set[int]:
            known = await self._memory.known_series(self._server, [item.id for item in found])
            return {item.id for item in found if item.id in known or item.id <= baselines[item.project].series}

        return await _back_to_the_known(page, is_known)

    async def _patches(self, baselines: Mapping[ProjectName, Baseline]) -> tuple[Patch, ...]:
        async def page(number: int) -> NewestPage[Patch]:
            return await self._api.newest_patches(list(baselines), page=number)

        async def is_known(found: Sequence[Patch]) -> set[int]:
            known = await self._memory.known_patches(self._server, [item.id for item in found])
            return {item.id for item in found if item.id in known or item.id <= baselines[item.project].patch}

        return await _back_to_the_known(page, is_known)


async def _back_to_the_known(
    page: Callable[[int], Awaitable[NewestPage[_Found]]], known_of: Callable[[Sequence[_Found]], Awaitable[set[int]]]
) -> tuple[_Found, ...]:
    """Pages, newest first, until every project that is on them has shown something known."""
    found: list[_Found] = []
    reached: set[ProjectName] = set()
    for number in range(1, _MAX_PAGES + 1):
        try:
            answer = await page(number)
        except NotFound:
            if number == 1:
                raise
            break
        found += answer.rows
        known = await known_of(answer.rows)
        reached |= {row.project for row in answer.rows if row.id in known}
        if not answer.more or {row.project for row in found} <= reached:
            break
    return tuple(found)
