"""A bot whose time runs faster than the machine's; run as a process of its own, like `patchbot run`."""

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.config import load
from bot.ops.logging import configure
from bot.run import run_bot


@dataclass(frozen=True, slots=True)
class HurriedClock:
    """Time that runs *speed* times as fast as the machine's since *origin*, which is in seconds of the epoch.

    All who share an origin tell the same time, also after a restart. Requests and the schedule go by the machine's.
    """

    origin: float
    speed: float

    def now(self) -> datetime:
        """The hurried time in UTC."""
        return datetime.fromtimestamp(self.origin + (time.time() - self.origin) * self.speed, UTC)

    def monotonic(self) -> float:
        """Hurried seconds."""
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Let the event loop run for *seconds* of ours."""
        await asyncio.sleep(seconds / self.speed)


if __name__ == "__main__":
    _, _origin, _speed, _config = sys.argv
    _settings = load(Path(_config), os.environ)
    configure("INFO")
    asyncio.run(run_bot(_settings, HurriedClock(float(_origin), float(_speed))))
