"""The clock port, the only place where time comes in."""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A source of time that can sleep."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC; it may jump."""

    def monotonic(self) -> float:
        """Return the seconds since an arbitrary moment; they never decrease."""

    async def sleep(self, seconds: float) -> None:
        """Sleep for *seconds* of this clock."""


async def wait_until_set(event: asyncio.Event, seconds: float, clock: Clock) -> None:
    """Return when *event* is set, or after *seconds* of *clock*."""
    sleep = asyncio.ensure_future(clock.sleep(seconds))
    woken = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({sleep, woken}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleep.cancel()
        woken.cancel()


class SystemClock:
    """The system's clock."""

    def now(self) -> datetime:
        """Return the wall-clock time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds of the kernel's monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep for *seconds* without blocking the event loop."""
        await asyncio.sleep(seconds)


class VirtualClock:
    """A clock that only moves when told to, which lets tests run through days in moments."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """Return the start time plus the seconds advanced."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds advanced since the start."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has advanced by *seconds*."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), future))
        await future

    def set_back(self, by: timedelta) -> None:
        """Set the wall clock back; the monotonic clock is unaffected."""
        self._start -= by

    def advance(self, seconds: float) -> None:
        """Advance by *seconds*, and wake all sleepers whose time has come."""
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
