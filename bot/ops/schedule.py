"""The schedule: the only place that knows APScheduler, which ticks intervals and nothing else.

A tick that comes too late runs all the same and once (`misfire_grace_time=None`, `coalesce`), one at a time
(`max_instances=1`); what a skipped tick would have read, the next one reads.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import metrics
from bot.errors import BotError

_log = structlog.get_logger(__name__)


class Schedule:
    """Calls coroutines at intervals, until it is closed; one that fails is logged and called again.

    An outage, of the database say, is a line when it begins and a line when it is over, however often it is met.
    """

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._runs: set[asyncio.Task[object]] = set()
        self._outages: dict[str, str] = {}  # by the name of the job that met it
        # It would tell of each tick skipped because the run before goes on, and of each run that closing cancels.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)

    def every(self, seconds: float, job: Callable[[], Awaitable[object]], name: str) -> None:
        """Call *job* every *seconds*, the first time as soon as it starts; *name* is unique."""
        metrics.LOOP_FAILURES.labels(name)  # a first failure is seen only as one more than none

        async def run() -> None:
            await self._run(job, name)

        self._scheduler.add_job(run, "interval", seconds=seconds, id=name, name=name, next_run_time=datetime.now(UTC))

    def start(self) -> None:
        """Begin to tick; needs a running event loop."""
        self._scheduler.start()

    def close(self) -> None:
        """Tick no more; what runs is cancelled at the loop's next turn."""
        self._scheduler.shutdown(wait=False)

    async def wait_closed(self) -> None:
        """Return when nothing runs any more, so that what the runs used can be closed."""
        if self._runs:
            await asyncio.wait(self._runs)

    async def _run(self, job: Callable[[], Awaitable[object]], name: str) -> None:
        task = asyncio.current_task()
        assert task is not None, "ticks run in tasks"  # noqa: S101  # for the type; asyncio always has one here
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        try:
            await job()
            if self._outages.pop(name, None) is not None:
                _log.info("a scheduled job works again", job=name)
        except BotError as error:
            if self._outages.get(name) != str(error):
                _log.error("a scheduled job failed and runs again at its time", job=name, reason=str(error))
            self._outages[name] = str(error)
        except Exception:  # noqa: BLE001  # the one broad catch of the ticks; it is logged
            _log.exception("a scheduled job failed and runs again at its time", job=name)
            metrics.LOOP_FAILURES.labels(name).inc()
