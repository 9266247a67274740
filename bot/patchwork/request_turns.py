"""Decides whose request goes to a server next, and bounds those of rechecks to 60 within any hour.

Polls and commands share the few concurrent requests. Commands take at most one of the places, so that people who ask a
server that does not answer never block its poll. Places are given in the order of asking, so that a poll that reads an
import keeps a command waiting only for the requests that were made before.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from bot.clock import Clock

_COMMANDS_AT_ONCE = 1
REQUESTS_AN_HOUR: Final = 60
_HOUR: Final = timedelta(hours=1)


class Purpose(Enum):
    """What a request is made for."""

    POLL = "poll"
    COMMAND = "command"


class RequestTurns:
    """The places at one server; *is_silent* says that it left the last request without an answer."""

    def __init__(self, at_once: int) -> None:
        self.is_silent = False
        self._places = asyncio.Semaphore(at_once)
        self._for_commands = asyncio.Semaphore(_COMMANDS_AT_ONCE)

    @asynccontextmanager
    async def taken(self, purpose: Purpose) -> AsyncIterator[None]:
        """Hold a place, as soon as one is free."""
        if purpose is Purpose.POLL:
            async with self._places:
                yield
        else:
            async with self._for_commands, self._places:
                yield


class OverBudget(Exception):
    """A request would exceed the budget; *until* is when it no longer does (UTC)."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"not before {until}")
        self.until = until


class RecheckBudget:
    """The requests for rechecks that one server got within the last hour, `REQUESTS_AN_HOUR` at most."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: deque[datetime] = deque()
        self._unsaved = 0

    def restore(self, made: Iterable[tuple[datetime, int]]) -> None:
        """Count the requests of an earlier process, by time."""
        self._made.extend(sorted(at for at, requests in made for _ in range(requests)))

    @property
    def left(self) -> int:
        """How many requests may be made now."""
        now = self._clock.now()
        while self._made and not abs(now - self._made[0]) < _HOUR:  # a clock that was set back delays nothing
            self._made.popleft()
        return max(REQUESTS_AN_HOUR - len(self._made), 0)

    def see_to(self, requests: int) -> None:
        """Check that so many requests may be made, 1 or more.

        Raises:
            OverBudget: they may not.
        """
        missing = requests - self.left
        if missing > 0:
            raise OverBudget(self._made[missing - 1] + _HOUR)

    def spend(self) -> None:
        """Count a request made now.

        Raises:
            OverBudget: it must not be made.
        """
        self.see_to(1)
        self._made.append(self._clock.now())
        self._unsaved += 1

    def take_unsaved(self) -> int:
        """Return how many requests were made since the last call, to be saved in the store."""
        unsaved, self._unsaved = self._unsaved, 0
        return unsaved
