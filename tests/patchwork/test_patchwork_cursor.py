from datetime import timedelta
from itertools import pairwise

import pytest

from bot.ids import PatchworkEventId, ProjectName
from bot.patchwork.wire import EventHint
from bot.polling import cursor
from bot.polling.cursor import DAILY, DEEP, QUARTER, SHORT, WINDOW, ReadWindows

HOUR = 3600.0


def an_event(number: int, date: str) -> EventHint:
    return EventHint(PatchworkEventId(number), "series-created", date, ProjectName("qemu-devel"))


@pytest.mark.parametrize(
    ("quiet_seconds", "window", "since"),
    [
        (0, WINDOW, "2026-11-23T12:41:47.500000"),
        (60, WINDOW, "2026-11-23T12:42:47.500000"),
        (120, WINDOW, "2026-11-23T12:43:47.500000"),
        (86_400, WINDOW, "2026-11-23T12:43:47.500000"),
        (60, DEEP, "2026-11-23T09:44:47.500000"),
        (0, DAILY, "2026-11-22T10:43:47.500000"),
    ],
)
def test_a_poll_begins_a_window_before_the_servers_now_and_never_behind_the_cursor(
    quiet_seconds: float, window: timedelta, since: str
) -> None:
    assert cursor.since("2026-11-23T12:43:47.500000", quiet_seconds, window) == since


def test_what_is_asked_for_is_naive_whatever_the_server_printed() -> None:
    assert cursor.since("2026-11-23T12:43:47Z", 120, WINDOW) == "2026-11-23T12:43:47"


def test_the_newest_date_is_so_by_time_not_by_spelling() -> None:
    assert cursor.newest(["2026-11-23T12:43:47.5", "2026-11-23T12:43:47"]) == "2026-11-23T12:43:47.5"
    assert cursor.newest([]) is None


def test_events_come_by_date_then_id_and_each_once() -> None:
    first, second, third = (
        an_event(9, "2026-01-01T00:00:00"),
        an_event(1, "2026-01-01T00:00:00.1"),
        an_event(2, "2026-01-01T00:00:00.1"),
    )

    assert cursor.in_order([third, first, second, third]) == [first, second, third]


def polls(sweeps: ReadWindows, moments: list[float]) -> list[timedelta]:
    """The windows of polls at *moments*, all of which succeed."""
    windows = []
    for now in moments:
        windows.append(sweeps.window(now))
        sweeps.done(now, windows[-1])
    return windows


def test_the_first_poll_and_one_every_three_hours_go_deep() -> None:
    windows = polls(ReadWindows(started=0), [minute * 60.0 for minute in range(8 * 60)])

    assert [minute for minute, window in enumerate(windows) if window == DEEP] == [0, 180, 360]


@pytest.mark.parametrize("seconds", [5, 30, 59.5, 60])
def test_every_ten_minutes_a_poll_reaches_a_quarter_of_an_hour(seconds: float) -> None:
    moments = [number * seconds for number in range(int(2400 / seconds) + 1)]
    windows = polls(ReadWindows(started=0), moments)

    far = [moment for moment, window in zip(moments, windows, strict=True) if window == QUARTER]
    assert [round(moment / 600) for moment in far] == [1, 2, 3, 4]


@pytest.mark.parametrize("seconds", [1, 5, 30, 59.5, 60, 300])
def test_two_minutes_are_read_again_every_minute_or_with_every_poll(seconds: float) -> None:
    moments = [number * seconds for number in range(int(3600 / seconds) + 1)]
    windows = polls(ReadWindows(started=0), moments)

    far = [moment for moment, window in zip(moments, windows, strict=True) if window >= WINDOW]
    assert all(later - earlier <= max(60, seconds) for earlier, later in pairwise(far))
    assert len(far) <= 3600 / 50
    assert {window for window in windows if window < WINDOW} <= {SHORT}


def test_what_is_read_again_is_bounded_however_often_the_server_is_polled() -> None:
    """Seconds of events that an hour of polls reads, for each second that passes."""
    shares = {}
    for seconds in (5, 15, 60):
        windows = polls(ReadWindows(started=0), [number * float(seconds) for number in range(3600 // seconds)])
        shares[seconds] = sum(max(window, timedelta(seconds=seconds)).total_seconds() for window in windows[1:]) / 3600

    assert max(shares.values()) < 6


def test_once_a_day_a_poll_reaches_more_than_a_day() -> None:
    windows = polls(ReadWindows(started=0), [number * HOUR for number in range(60)])

    assert [hour for hour, window in enumerate(windows) if window == DAILY] == [24, 48]


def test_a_daily_sweep_is_a_deep_one_too() -> None:
    sweeps = ReadWindows(started=0)
    polls(sweeps, [0, 24 * HOUR])

    assert sweeps.window(24 * HOUR + 60) == WINDOW


def test_a_sweep_stays_due_until_it_is_done() -> None:
    sweeps = ReadWindows(started=0)

    assert [sweeps.window(0), sweeps.window(60)] == [DEEP, DEEP]
