"""Runs what becomes due with time.

Theory of operation. Each duty sleeps until the store says that something is due for it (`DueBook`). The store is asked,
in one statement that takes no lock: after each transaction of this process that wrote a row which may be due some time
(`Store.on_write`), after each run of a duty, when the next such time comes, and every half minute, for clocks are set
and other programs write, too. After a crash all is in the store, and the first look finds it. A duty is run once a
second at most, beside the others and never beside itself; one that fails is tried later and later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.clock import Clock, wait_until_set
from bot.ops.schedule import Job, end
from bot.store.due_book import DUE_TABLES, DueTimes
from bot.store.retry_book import RetryKind
from bot.store.store import Store

LOOK_SECONDS = 30.0  # the longest sleep
APART_SECONDS = 1.0  # between the beginnings of two runs of a duty


@dataclass(frozen=True, slots=True)
class Duty:
    """What to *run* when something of its *kind* waits in the store, *after* so long, or when it *is_wanted* anyway."""

    kind: RetryKind
    run: Callable[[], Awaitable[None]]
    after: timedelta = timedelta()
    is_wanted: Callable[[], bool] = lambda: False

    @property
    def name(self) -> str:
        """What it is called in the log and the metrics."""
        return self.run.__qualname__

    def wait(self, due: DueTimes, now: datetime) -> float | None:
        """Return in how many seconds it is due, 0 or less: now; None: not as far as is known."""
        if self.is_wanted():
            return 0.0
        since = due.waiting.get(self.kind)
        return None if since is None else (since + self.after - now).total_seconds()


@dataclass(slots=True, eq=False)
class _Run:
    """A duty with its job, the task that runs it, None while none does, and when it may begin again (monotonic)."""

    duty: Duty
    job: Job
    task: "asyncio.Task[None] | None" = None
    not_before: float = 0.0


class Duties:
    """The duties of one bot."""

    def __init__(self, store: Store, clock: Clock, duties: Sequence[Duty]) -> None:
        self._store = store
        self._clock = clock
        self._runs = [_Run(duty, Job(duty.run, duty.name)) for duty in duties]
        self._wake = asyncio.Event()
        store.on_write(DUE_TABLES, self.wake)

    @property
    def all(self) -> tuple[Duty, ...]:
        """Each of them, in order."""
        return tuple(each.duty for each in self._runs)

    def wake(self) -> None:
        """Something may be due: look at once."""
        self._wake.set()

    async def run(self) -> None:
        """Do what becomes due, until cancelled; `close` ends what is then under way.

        Raises:
            StoreError: when the database cannot be used.
        """
        while True:
            self._wake.clear()
            await wait_until_set(self._wake, await self._look(), self._clock)

    async def close(self) -> None:
        """Cancel what is under way, and return when it has ended."""
        await end([each.task for each in self._runs if each.task is not None])

    async def _look(self) -> float:
        """Begin what is due; return how many seconds to sleep. The end of a run wakes us."""
        async with self._store.reading() as tx:
            due, now = await tx.due.times(), tx.now
        waits = [LOOK_SECONDS]
        if due.retry_at is not None:
            waits.append((due.retry_at - now).total_seconds())
        monotonic = self._clock.monotonic()
        for each in self._runs:
            wait = each.duty.wait(due, now) if each.task is None else None
            if wait is None:
                continue
            wait = max(wait, max(each.not_before, each.job.not_before) - monotonic)
            if wait > 0:
                waits.append(wait)
            else:
                each.not_before = monotonic + APART_SECONDS
                each.task = asyncio.create_task(self._do(each))
        return min(waits)

    async def _do(self, each: _Run) -> None:
        try:
            await each.job.run(self._clock.monotonic)
        finally:
            each.task = None
            self._wake.set()
