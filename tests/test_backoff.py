"""Delays before retries."""

from datetime import timedelta

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.backoff import (
    DEVICES,
    JOBS,
    LONGEST_REQUESTED,
    POLLS,
    PROJECTS,
    SYNCS,
    USUAL,
    Backoff,
    RetryTimes,
    next_attempt,
    retry_after_in,
)
from bot.clock import VirtualClock

MINUTE = 60


@pytest.mark.parametrize(
    ("backoff", "seconds"),
    [
        (USUAL, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]),
        (JOBS, [2, 4, 8, 16, 30, 30]),
        (PROJECTS, [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 15 * MINUTE, 15 * MINUTE]),
        (DEVICES, [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 60 * MINUTE, 60 * MINUTE]),
    ],
)
def test_waits_double_up_to_the_longest(backoff: Backoff, seconds: list[float]) -> None:
    assert [backoff.seconds(failures) for failures in range(1, len(seconds) + 1)] == seconds
    assert backoff.wait(10**9) == backoff.longest


@pytest.mark.parametrize(
    ("backoff", "part", "longest"), [(POLLS, 1 / 2, 15 * MINUTE), (SYNCS, 3 / 4, MINUTE)], ids=["polls", "syncs"]
)
def test_chance_spreads_the_waits_of_those_whose_server_comes_back(
    backoff: Backoff, part: float, longest: float
) -> None:
    for failures, wait in ((1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (100, longest)):
        waits = [backoff.seconds(failures) for _ in range(2_000)]

        assert part * wait <= min(waits) < (part + 0.02) * wait
        assert 0.98 * wait < max(waits) <= wait


@pytest.mark.parametrize("backoff", [USUAL, POLLS, SYNCS])
def test_what_the_server_asks_for_counts_where_it_is_longer(backoff: Backoff) -> None:
    assert backoff.wait(1, timedelta(minutes=5)) == timedelta(minutes=5)
    assert backoff.wait(100, timedelta(seconds=1)) > timedelta(seconds=1)


def test_a_homeserver_may_ask_for_an_hour_and_no_more() -> None:
    now = VirtualClock().now()

    assert next_attempt(1, now, None) == now + timedelta(seconds=2)
    assert next_attempt(1, now, timedelta(minutes=30)) == now + timedelta(minutes=30)
    assert next_attempt(1, now, timedelta(days=1)) == now + LONGEST_REQUESTED
    assert next_attempt(100, now, timedelta(seconds=1)) == now + USUAL.longest


def test_each_thing_has_waits_of_its_own_which_begin_anew_once_it_works() -> None:
    clock = VirtualClock()
    times = RetryTimes(clock.monotonic, DEVICES, limit=2)
    times.put_off("ann")
    clock.advance(300)
    times.put_off("ann")
    times.put_off("bob")

    assert (times.is_put_off("ann"), times.is_put_off("bob"), times.is_put_off("cid")) == (True, True, False)
    assert times.next_try(latest=10_000) == 600
    clock.advance(300)
    assert (times.is_put_off("ann"), times.is_put_off("bob")) == (True, False)
    assert times.next_try(latest=10_000) == 900
    times.works("ann")
    times.put_off("ann")
    assert times.next_try(latest=10_000) == 900
    times.put_off("cid")
    assert (times.is_put_off("ann"), times.is_put_off("bob"), times.is_put_off("cid")) == (True, False, True)


NOW = "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("120", NOW, 120),
        ("0", NOW, 0),
        (" 7 ", "", 7),
        ("999999999999999999999999", NOW, 6 * 3600),
        ("86400", NOW, 6 * 3600),
        ("Thu, 01 Jan 2026 00:05:00 GMT", NOW, 300),
        ("Thu, 01 Jan 2026 00:05:00 -0000", NOW, 300),
        ("Thu, 01 Jan 2026 01:05:00 +0100", NOW, 300),
        ("Wed, 31 Dec 2025 00:00:00 GMT", NOW, 0),
        ("Fri, 01 Jan 2027 00:00:00 GMT", NOW, 6 * 3600),
        ("Thu, 01 Jan 2026 00:05:00 GMT", "", None),
        ("Thu, 01 Jan 2026 00:05:00 GMT", "yesterday", None),
        ("Mon, 01 Jan 0001 00:00:00 +2300", NOW, 0),
        ("Thu, 01 Jan 2026 00:05:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2300", 6 * 3600),
        ("", NOW, None),
        ("soon", NOW, None),
        ("-5", NOW, None),
        ("1.5", NOW, None),
        ("٣", NOW, None),
    ],
)
def test_retry_after(value: str, date: str, seconds: int | None) -> None:
    delay = retry_after_in(httpx.Headers([(b"retry-after", value.encode()), (b"date", date.encode())]))

    assert delay == (None if seconds is None else timedelta(seconds=seconds))


@given(st.text(), st.text())
@example("Mon, 01 Jan 0001 00:00:00 -2359", "Fri, 31 Dec 9999 23:59:59 +2359")
@example("9" * 5000, "")
def test_retry_after_is_total_and_bounded(value: str, date: str) -> None:
    headers = [(b"retry-after", value.encode("utf-8", "replace")), (b"date", date.encode("utf-8", "replace"))]

    delay = retry_after_in(httpx.Headers(headers))

    assert delay is None or timedelta() <= delay <= timedelta(hours=6)
