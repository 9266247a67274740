"""The schedule: the only place that knows APScheduler, which ticks intervals and nothing else.

A tick that comes too late runs all the same and once (`misfire_grace_time=None`, `coalesce`), one at a time
(`max_instances=1`); what a skipped tick would have read, the next one reads.
"""

from collections.abc import Awaitable, Callable

from apscheduler.schedulers.asyncio import AsyncIOScheduler


class Schedule:
    """Calls coroutines at intervals, until it is closed."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def every(self, seconds: float, job: Callable[[], Awaitable[object]], name: str) -> None:
        """Call *job* every *seconds*, the first time one interval from now."""
        self._scheduler.add_job(job, "interval", seconds=seconds, id=name, name=name)

    def start(self) -> None:
        """Begin to tick; needs a running event loop."""
        self._scheduler.start()

    def close(self) -> None:
        """Tick no more; what runs is left to end."""
        self._scheduler.shutdown(wait=False)
