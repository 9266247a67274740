"""Scheduling of requests to a server: slots for polls and commands, an hourly budget for rechecks, and metrics.

Polls and commands share the few concurrent requests. Commands take at most one of the slots, so that commands to a
server that does not respond never block its poll. Slots are given out in the order of requests, so a poll that reads an
import delays a command only by the requests that were made before.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from bot import metrics
from bot.clock import Clock
from bot.ids import ServerName

_COMMANDS_AT_ONCE = 1
REQUESTS_AN_HOUR: Final = 60
_HOUR: Final = timedelta(hours=1)
_OF_AN_OBJECT = frozenset({"mbox", "comments", "checks"})
_LISTS = frozenset({"events", "series", "patches", "projects", "covers"})
_API = "api"


class Purpose(Enum):
    """The purpose of a request."""

    POLL = "poll"
    COMMAND = "command"


class RequestTurns:
    """The request slots of one server; *is_silent* is true if the last request got no response."""

    def __init__(self, at_once: int) -> None:
        self.is_silent = False
        self._slots = asyncio.Semaphore(at_once)
        self._for_commands = asyncio.Semaphore(_COMMANDS_AT_ONCE)

    @asynccontextmanager
    async def slot(self, purpose: Purpose) -> AsyncIterator[None]:
        """Wait for a free slot, and hold it."""
        if purpose is Purpose.POLL:
            async with self._slots:
                yield
        else:
            async with self._for_commands, self._slots:
                yield


class OverBudget(Exception):
    """A request that would exceed the budget; *until* is when it no longer does (UTC)."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"not before {until}")
        self.until = until


class RecheckBudget:
    """The budget of recheck requests to one server: `REQUESTS_AN_HOUR` within any hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: deque[datetime] = deque()
        self._unsaved = 0

    def restore(self, made: Iterable[tuple[datetime, int]]) -> None:
        """Count the requests that an earlier process made, given by time."""
        self._made.extend(sorted(at for at, requests in made for _ in range(requests)))

    @property
    def left(self) -> int:
        """The number of requests that may be made now."""
        now = self._clock.now()
        while self._made and not abs(now - self._made[0]) < _HOUR:  # also if the clock was set back
            self._made.popleft()
        return max(REQUESTS_AN_HOUR - len(self._made), 0)

    def check(self, requests: int) -> None:
        """Check that the budget has room for the given number of *requests*, 1 or more.

        Raises:
            OverBudget: it does not.
        """
        missing = requests - self.left
        if missing > 0:
            raise OverBudget(self._made[missing - 1] + _HOUR)

    def spend(self) -> None:
        """Count a request that is made now.

        Raises:
            OverBudget: the budget is used up, and the request must not be made.
        """
        self.check(1)
        self._made.append(self._clock.now())
        self._unsaved += 1

    def take_unsaved(self) -> int:
        """Return the number of requests since the last call, so that they can be stored."""
        unsaved, self._unsaved = self._unsaved, 0
        return unsaved


@dataclass(slots=True)
class Answered:
    """The status of a response; "none" if there was none."""

    code: str = "none"


@contextmanager
def counted(server: ServerName, path: str) -> Iterator[Answered]:
    """Count a request for *path* and its duration, however it ends; the caller sets the status."""
    began, answered, endpoint = time.perf_counter(), Answered(), endpoint_of(path)
    try:
        yield answered
    finally:
        metrics.PATCHWORK_REQUESTS.labels(server, endpoint, answered.code).inc()
        metrics.PATCHWORK_SECONDS.labels(server, endpoint).observe(time.perf_counter() - began)


def endpoint_of(path: str) -> str:
    """Return the metric label for a request *path*; "other" if it has none of its own."""
    parts = path.partition("?")[0].strip("/").split("/")
    name = parts[2] if parts[0] == _API and len(parts) > 2 else ""  # behind the version
    if parts[-1] in _OF_AN_OBJECT and name != "projects":
        return parts[-1]
    return name if name in _LISTS else "other"
