"""Runs jobs at intervals; the only module that uses APScheduler, and only for intervals.

A late run still happens, but only once (`misfire_grace_time=None`, `coalesce`), and runs of a job do not overlap
(`max_instances=1`). The next run of a job makes up for skipped ones.

A job that fails repeatedly is retried at growing intervals; each new kind of failure is logged once.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import metrics
from bot.backoff import JOBS
from bot.errors import BotError

AGAIN_SECONDS = 2.0
SOON = timedelta(seconds=1)
_log = structlog.get_logger(__name__)


async def end(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel these tasks, and return when they have ended."""
    for task in tasks:
        task.cancel()
    await gone(tasks)


async def gone(cancelled: Collection["asyncio.Task[Any]"]) -> None:
    """Return when these cancelled tasks have ended, cancelling again those that continue.

    A cancellation can be lost: a library may take it for an error of its own, or a task group may raise another error
    of the same moment instead. A loop that retries after errors would then run forever.
    """
    left = set(cancelled)
    while left:
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
        for task in left:
            task.cancel()


@dataclass(slots=True)
class RepeatedFailure:
    """The state of a task that is retried: *failures* in a row, the last one described by *known*."""

    failures: int = 0
    known: tuple[str, ...] = ()
    not_before: float = 0.0

    def is_news(self, error: Exception) -> bool:
        """Count a failure, and return whether it differs from the last one."""
        before, self.known = self.known, tuple(_kinds(error))
        self.failures += 1
        return before != self.known

    def wait(self, now: float) -> None:
        """Delay the next attempt: by 2 s, doubling to half a minute."""
        self.not_before = now + JOBS.seconds(self.failures)

    def ended(self) -> int:
        """Reset after a success, and return the number of failures before it."""
        failures = self.failures
        self.failures, self.known, self.not_before = 0, (), 0.0
        return failures


def _kinds(error: BaseException) -> list[str]:
    """Return what identifies a failure: the text of the bot's own errors, the source line of any other.

    The text of other exceptions may differ each time, because it may contain numbers or times.
    """
    if isinstance(error, BaseExceptionGroup):
        return sorted({kind for each in error.exceptions for kind in _kinds(each)})
    if isinstance(error, BotError):
        return [f"{type(error).__name__}: {error}"]
    places = traceback.extract_tb(error.__traceback__)
    return [f"{type(error).__name__} at {places[-1].filename}:{places[-1].lineno}" if places else type(error).__name__]


class Job:
    """Something that is run again and again: a failure is logged, once until it fails otherwise, and puts it off."""

    def __init__(self, job: Callable[[], Awaitable[object]], name: str) -> None:
        metrics.LOOP_FAILURES.labels(name)  # a first failure is seen only as one more than none
        self._job = job
        self._name = name
        self._trouble = RepeatedFailure()

    @property
    def not_before(self) -> float:
        """When it may be run again after a failure, by the clock that `run` goes by."""
        return self._trouble.not_before

    async def run(self, monotonic: Callable[[], float]) -> None:
        """Run it once; *monotonic* tells the seconds of a clock that never goes back."""
        try:
            await self._job()
        except Exception as error:  # noqa: BLE001  # the one broad catch of a run; it is logged
            if self._trouble.is_news(error):
                _log_failure(self._name, error)
            metrics.LOOP_FAILURES.labels(self._name).inc()
            self._trouble.wait(monotonic())
        else:
            if failures := self._trouble.ended():
                _log.info("job.recovered", job=self._name, failures=failures)


class Schedule:
    """Calls coroutines at intervals until it is closed.

    A job that fails is logged, once per kind of failure, and called again after an increasing delay.
    """

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._runs: set[asyncio.Task[object]] = set()
        # It would tell of each tick skipped because the run before goes on, and of each run that closing cancels.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)

    def every(self, seconds: float, job: Callable[[], Awaitable[object]], name: str) -> None:
        """Call *job* every *seconds*, beginning at the start of the schedule; *name* must be unique."""
        made = Job(job, name)

        async def run() -> None:
            await self._run(made)

        self._scheduler.add_job(run, "interval", seconds=seconds, id=name, name=name, next_run_time=datetime.now(UTC))

    def soon(self, name: str) -> None:
        """Call the job with this *name* a second from now, and every interval from then on."""
        self._scheduler.modify_job(name, next_run_time=datetime.now(UTC) + SOON)

    def start(self) -> None:
        """Start the schedule; this requires a running event loop."""
        self._scheduler.start()

    def close(self) -> None:
        """Stop the schedule; running jobs are cancelled at the next turn of the event loop."""
        self._scheduler.shutdown(wait=False)

    async def wait_closed(self) -> None:
        """Wait until no job is running, after which the resources that jobs use can be closed."""
        await gone(self._runs)

    async def _run(self, job: Job) -> None:
        now = asyncio.get_running_loop().time
        if now() < job.not_before:
            return
        task = asyncio.current_task()
        assert task is not None, "ticks run in tasks"  # noqa: S101  # for the type; asyncio always has one here
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        await job.run(now)


def _log_failure(job: str, error: Exception) -> None:
    """Log an outage as one line, and any other failure with its traceback."""
    if isinstance(error, BotError):
        _log.error("job.failed", job=job, reason=str(error))
    else:
        _log.error("job.failed", job=job, exc_info=True)
