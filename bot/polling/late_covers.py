"""Cover letters that arrive after their series was judged: they name it, and no event says so of the series.

An event tells of every cover letter, but not of which series it is. Most are known with their series by the time that
they are looked at, and cost nothing; of the others one request says which series, and a second how that stands.
"""

from typing import Protocol

from bot.ids import Msgid, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.model import Series
from bot.polling.event_reader import ObjectMemory
from bot.polling.fetch import Look
from bot.polling.follow_ups import FollowUpMemory
from bot.polling.pending import Board, Pending, PendingKind


class CoverMemory(FollowUpMemory, ObjectMemory, Protocol):
    """What looking at cover letters needs to know of the past."""


class Covers:
    """The cover letters of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, memory: CoverMemory) -> None:
        self._server = server
        self._api = api
        self._memory = memory

    async def look(self, look: Look) -> tuple[Series, ...]:
        """Read the known series that the cover letters which are due have named."""
        found = await look.settled(self._series_of, PendingKind.COVER)
        return tuple(series for some in found for series in some)

    async def _series_of(self, _: Board, item: Pending) -> tuple[Series, ...]:
        """The series as it stands now; none where it is known with its cover letter, or was not judged yet."""
        if await self._memory.work_of_cover(self._server, item.project, Msgid(item.name)) is not None:
            return ()
        number = await self._api.series_of_cover_number(item.id)
        if number is None or not await self._memory.known_series(self._server, [number]):
            return ()
        return (await self._api.series(number),)
