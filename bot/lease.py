"""The lease that lets one of several instances act: its terms, the decision who may take it, and the right it gives.

Theory of operation. Instances of one installation share a PostgreSQL database. Whoever holds the lease acts, the others
stand by. The lease ends by the database's clock; its holder renews it every few seconds. Each take-over increases the
lease's *epoch*, and a transaction that writes is refused by the database unless it comes from the current epoch.

The database cannot recall a request to another machine. Therefore the holder may begin one only until USABLE_SECONDS
after it asked for its last renewal that succeeded, by a clock that counts while the machine sleeps. Then every running
request is aborted, and what is under way has DEADLINE_SECONDS to arrive or to be dropped before another instance may
act. Should the process not run at that moment, because it is stopped or starved, the kernel ends it (`KernelDeadline`)
before it executes anything else.
"""

import asyncio
import ctypes
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from bot.errors import Temporary

LEASE_SECONDS: Final = 20.0
DEADLINE_SECONDS: Final = 8.0  # what was begun under the lease is over so long after it could last be begun
USABLE_SECONDS: Final = LEASE_SECONDS - DEADLINE_SECONDS
RENEW_SECONDS: Final = 5.0  # between two renewals
GRACE_SECONDS: Final = 2.0  # for the process itself, before the kernel ends it
SOCKET_SECONDS: Final = DEADLINE_SECONDS - GRACE_SECONDS  # so long the kernel tries to deliver what was written
_NOT_NOW: Final = "this instance may not act: its lease was not renewed in time"


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """The lease as the database shows it; *ends_in_seconds* is negative if it has ended, by the database's clock.

    *holder* is the last instance that held it, on the machine *host*; "" if none ever did.
    """

    holder: str = ""
    host: str = ""
    epoch: int = 0
    ends_in_seconds: float = -1.0


@dataclass(frozen=True, slots=True)
class Candidacy:
    """Whether an instance may take the lease, and why; if not, *wait_seconds* is when it ends at the earliest."""

    may_take: bool
    reason: str
    wait_seconds: float = 0.0


def candidacy(row: LeaseRow, instance: str) -> Candidacy:
    """Decide whether *instance* may take the lease. Pure.

    An instance is one folder on one running machine, locked by one process. So a lease of its own is that of a former
    process, which has certainly ended.
    """
    if not row.holder:
        return Candidacy(may_take=True, reason="first")
    if row.holder == instance:
        return Candidacy(may_take=True, reason="restarted")
    if row.ends_in_seconds <= 0:
        return Candidacy(may_take=True, reason="ended")
    return Candidacy(may_take=False, reason="held", wait_seconds=row.ends_in_seconds)


class Permit(Protocol):
    """The right to act: to send requests that change something at another machine."""

    def check(self) -> None:
        """Return if it may be done now.

        Raises:
            Temporary: it may not.
        """

    def doubt(self) -> None:
        """Note that a request ended without a response, so that the other machine may still carry it out."""


class Unlimited:
    """The right of the only instance that there can be."""

    def check(self) -> None:
        """Return."""

    def doubt(self) -> None:
        """Do nothing."""


UNLIMITED: Final = Unlimited()


def boot_seconds() -> float:
    """Return the seconds since the machine was started, including those in which it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Tenure:
    """The right of this process to act under the lease's *epoch*, until it is not renewed in time, or lost for good."""

    def __init__(self, epoch: int, now: Callable[[], float] = boot_seconds) -> None:
        self.epoch = epoch
        self.lost = asyncio.Event()
        self.extended = asyncio.Event()
        self._now = now
        self._until = now()
        self._doubted_at: float | None = None
        self._on_lapse: list[Callable[[], None]] = []

    @property
    def seconds_in_doubt(self) -> float:
        """For how long a request may still be carried out that has ended without a response; 0 if none may."""
        return 0.0 if self._doubted_at is None else max(self._doubted_at + DEADLINE_SECONDS - self._now(), 0.0)

    @property
    def seconds_left(self) -> float:
        """For how long requests may still be begun; 0 if they may not."""
        return 0.0 if self.lost.is_set() else max(self._until - self._now(), 0.0)

    def check(self) -> None:
        """Return if this process may act now. Raises `Temporary`."""
        if self.seconds_left <= 0:
            raise Temporary(_NOT_NOW)

    def doubt(self) -> None:
        """Note that a request ended without a response."""
        self._doubted_at = self._now()

    def extend(self, asked_at: float) -> None:
        """Extend the right after a renewal that was asked for at *asked_at*, by the clock of `boot_seconds`."""
        self._until = max(self._until, asked_at + USABLE_SECONDS)
        if self.seconds_left > 0:
            self.extended.set()

    def on_lapse(self, abort: Callable[[], None]) -> None:
        """Call *abort* whenever the right ends, to abort what is under way."""
        self._on_lapse.append(abort)

    def lapse(self) -> None:
        """Abort what is under way, because the right has ended."""
        self.extended.clear()
        for abort in self._on_lapse:
            abort()

    def lose(self) -> None:
        """End the right for good: another instance has the lease, or it was given up."""
        if not self.lost.is_set():
            self.lost.set()
            self.lapse()


class ProcessDeadline(Protocol):
    """Ends this process at a certain time, even if it does not run then."""

    def set(self, seconds: float) -> None:
        """End the process in so many *seconds*, unless set again before."""

    def clear(self) -> None:
        """Do not end the process."""


class KernelDeadline:
    """A timer of the kernel that ends the process when the lease could not be renewed and the process did not notice.

    A stopped process has the signal pending, and ends by it when it is continued, before any other of its instructions
    (in the main thread: `leave_to_main_thread`). The handler is the C library's `_exit`: a function in Python would run
    only after the instructions under way, and the default action does not exist for the first process of a container.
    The exit status is 14, the number of SIGALRM.
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        library.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
        library.signal(signal.SIGALRM, ctypes.cast(library["_exit"], ctypes.c_void_p))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})

    def set(self, seconds: float) -> None:
        """End the process in so many *seconds*, unless set again before."""
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))

    def clear(self) -> None:
        """Do not end the process."""
        signal.setitimer(signal.ITIMER_REAL, 0)


def leave_to_main_thread() -> None:
    """Let only the main thread, which sends, take the signal of the deadline; to be called in every other thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
