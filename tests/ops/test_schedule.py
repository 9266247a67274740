"""The schedule, in real time and short intervals."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import structlog

from bot.errors import StoreError
from bot.ops.schedule import Schedule

SECONDS = 0.05


@asynccontextmanager
async def ticking(schedule: Schedule) -> AsyncIterator[None]:
    schedule.start()
    try:
        async with asyncio.timeout(120):
            yield
    finally:
        schedule.close()
        await schedule.wait_closed()


class Job:
    """Counts its runs; *goal* is set when there were enough."""

    def __init__(self, enough: int = 3) -> None:
        self.runs = 0
        self.at_once = 0
        self.most_at_once = 0
        self.goal = asyncio.Event()
        self._enough = enough

    async def run(self, seconds: float = 0.0) -> None:
        """One run."""
        self.runs += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.at_once -= 1
        if self.runs >= self._enough:
            self.goal.set()


async def test_a_job_runs_again_and_again() -> None:
    job, schedule = Job(), Schedule()
    schedule.every(SECONDS, job.run, "job")

    async with ticking(schedule):
        await job.goal.wait()

    assert job.runs >= 3


async def test_a_run_that_takes_longer_than_its_interval_is_never_beside_itself() -> None:
    job, schedule = Job(), Schedule()
    schedule.every(SECONDS, partial(job.run, SECONDS * 2.5), "slow")

    async with ticking(schedule):
        await job.goal.wait()

    assert job.most_at_once == 1


async def test_a_late_tick_runs_once_for_all_that_were_missed() -> None:
    job, schedule = Job(enough=1), Schedule()
    schedule.every(SECONDS, job.run, "job")

    async with ticking(schedule):
        time.sleep(SECONDS * 6)  # noqa: ASYNC251  # what keeps the loop busy is the point
        await job.goal.wait()
        runs_at_once = job.runs

    assert runs_at_once == 1


async def test_a_job_that_fails_is_logged_and_runs_again() -> None:
    job, schedule = Job(), Schedule()

    async def fail() -> None:
        await job.run()
        raise ValueError("no luck")

    schedule.every(SECONDS, fail, "housekeeping")

    with structlog.testing.capture_logs() as logs:
        async with ticking(schedule):
            await job.goal.wait()

    assert logs[0] == {
        "event": "job.failed",
        "job": "housekeeping",
        "log_level": "error",
        "exc_info": True,
    }


async def test_an_outage_is_a_line_when_it_begins_and_one_when_it_is_over() -> None:
    job, schedule = Job(enough=4), Schedule()

    async def fail_twice() -> None:
        await job.run()
        if job.runs < 3:
            raise StoreError("the disk is full")

    schedule.every(SECONDS, fail_twice, "housekeeping")

    with structlog.testing.capture_logs() as logs:
        async with ticking(schedule):
            await job.goal.wait()

    failed = "job.failed"
    assert logs[:2] == [
        {"event": failed, "job": "housekeeping", "reason": "the disk is full", "log_level": "error"},
        {"event": "job.recovered", "job": "housekeeping", "failures": 2, "log_level": "info"},
    ]
    assert len(logs) == 2


async def test_closing_cancels_a_run_and_waits_until_it_has_let_go(caplog: pytest.LogCaptureFixture) -> None:
    began, let_go = asyncio.Event(), asyncio.Event()
    schedule = Schedule()

    async def hold() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            let_go.set()

    schedule.every(SECONDS, hold, "hold")

    async with ticking(schedule):
        await began.wait()

    assert let_go.is_set()
    assert caplog.records == []


async def test_a_job_that_begins_at_once_does_not_wait_for_its_first_interval() -> None:
    schedule, job = Schedule(), Job(enough=1)
    schedule.every(3600, job.run, "job")

    async with ticking(schedule):
        await job.goal.wait()

    assert job.runs == 1
