"""Who may take the lease, and for how long its holder may act."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.errors import Temporary
from bot.lease import (
    DEADLINE_SECONDS,
    GRACE_SECONDS,
    LEASE_SECONDS,
    RENEW_SECONDS,
    SOCKET_SECONDS,
    USABLE_SECONDS,
    Candidacy,
    LeaseRow,
    Tenure,
    candidacy,
)

ROOT = Path(__file__).parents[1]
DIES_AT_ITS_DEADLINE = """
import os, signal, sys
from bot.lease import KernelDeadline
deadline = KernelDeadline()
deadline.set(float(sys.argv[1]))
os.kill(os.getpid(), signal.SIGSTOP)
os.write(1, b"sent")
"""


@dataclass
class Seconds:
    """A clock that is moved by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.mark.parametrize(
    ("row", "decision"),
    [
        (LeaseRow(), Candidacy(may_take=True, reason="first")),
        (LeaseRow("other", "ada", 3, 7.5), Candidacy(may_take=False, reason="held", wait_seconds=7.5)),
        (LeaseRow("other", "ada", 3, 0.0), Candidacy(may_take=True, reason="ended")),
        (LeaseRow("other", "ada", 3, -5.0), Candidacy(may_take=True, reason="ended")),
        (LeaseRow("me", "ada", 3, 7.5), Candidacy(may_take=True, reason="restarted")),
    ],
)
def test_the_lease_is_taken_when_nobody_else_has_it(row: LeaseRow, decision: Candidacy) -> None:
    assert candidacy(row, "me") == decision


def test_what_is_begun_under_a_lease_is_over_before_another_instance_acts() -> None:
    assert USABLE_SECONDS + GRACE_SECONDS + SOCKET_SECONDS <= USABLE_SECONDS + DEADLINE_SECONDS <= LEASE_SECONDS
    assert 2 * RENEW_SECONDS < USABLE_SECONDS  # one renewal may fail


async def test_a_tenure_lasts_from_when_its_renewal_was_asked_for() -> None:
    seconds = Seconds()
    tenure = Tenure(1, seconds)

    with pytest.raises(Temporary, match="its lease was not renewed in time"):
        tenure.check()
    tenure.extend(asked_at=99.0)
    tenure.check()
    seconds.now = 99.0 + USABLE_SECONDS
    with pytest.raises(Temporary):
        tenure.check()


async def test_a_renewal_that_comes_too_late_gives_no_right_to_act() -> None:
    seconds = Seconds()
    tenure = Tenure(1, seconds)

    seconds.now += USABLE_SECONDS + 1
    tenure.extend(asked_at=100.0)

    assert tenure.seconds_left == 0
    assert not tenure.extended.is_set()


async def test_an_older_renewal_does_not_shorten_a_newer_one() -> None:
    tenure = Tenure(1, Seconds())

    tenure.extend(asked_at=100.0)
    tenure.extend(asked_at=95.0)

    assert tenure.seconds_left == USABLE_SECONDS


async def test_a_lost_tenure_aborts_what_is_under_way_once_and_is_not_extended() -> None:
    tenure, aborted = Tenure(1, Seconds()), list[str]()
    tenure.extend(asked_at=100.0)
    tenure.on_lapse(lambda: aborted.append("requests"))

    tenure.lose()
    tenure.lose()
    tenure.extend(asked_at=100.0)

    assert aborted == ["requests"]
    with pytest.raises(Temporary):
        tenure.check()


async def test_a_request_without_a_response_is_in_doubt_for_a_while() -> None:
    seconds = Seconds()
    tenure = Tenure(1, seconds)

    assert tenure.seconds_in_doubt == 0
    tenure.doubt()
    seconds.now += 3
    assert tenure.seconds_in_doubt == DEADLINE_SECONDS - 3
    seconds.now += DEADLINE_SECONDS
    assert tenure.seconds_in_doubt == 0


def stopped(seconds: float) -> subprocess.Popen[bytes]:
    """A process with a deadline in so many seconds that has just been stopped, before it sends."""
    command = [sys.executable, "-c", DIES_AT_ITS_DEADLINE, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})  # noqa: S603  # our own
    os.waitpid(process.pid, os.WUNTRACED)
    return process


async def test_a_process_that_was_stopped_beyond_its_deadline_executes_nothing_more() -> None:
    process = await asyncio.to_thread(stopped, 0.2)

    await asyncio.sleep(0.5)  # it passes while the process is stopped
    process.send_signal(signal.SIGCONT)
    output, _ = await asyncio.to_thread(process.communicate)

    assert (process.returncode, output) == (signal.SIGALRM, b"")


async def test_a_process_that_was_stopped_for_a_moment_goes_on() -> None:
    process = await asyncio.to_thread(stopped, 60)

    process.send_signal(signal.SIGCONT)
    output, _ = await asyncio.to_thread(process.communicate)

    assert (process.returncode, output) == (0, b"sent")
