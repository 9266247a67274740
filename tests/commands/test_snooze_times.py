"""Until when people want to snooze something, as they type it."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.snooze_times import SnoozeEnd, SnoozeWords, read_snooze
from bot.errors import UserError

NOW = datetime(2026, 12, 2, 10, 30, tzinfo=UTC)  # a Wednesday; 11:30 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")


def read(text: str, now: datetime = NOW, zone: ZoneInfo = BERLIN) -> SnoozeWords:
    return read_snooze(text, now, zone)


def end_of(text: str, now: datetime = NOW, zone: ZoneInfo = BERLIN) -> str:
    """The end that is read, in the zone."""
    end = read(text, now, zone).end
    assert end is not None
    assert end.until is not None
    return f"{end.until.astimezone(zone):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2w", "2026-12-16 11:30"),
        ("2 weeks", "2026-12-16 11:30"),
        ("for 2w", "2026-12-16 11:30"),
        ("for a week", "2026-12-09 11:30"),
        ("36h", "2026-12-03 23:30"),
        ("a month", "2027-01-01 11:30"),
        ("tomorrow", "2026-12-03 00:00"),
        ("until tomorrow 9:00", "2026-12-03 09:00"),
        ("till Friday", "2026-12-04 00:00"),
        ("until fri.", "2026-12-04 00:00"),
        ("til Wednesday", "2026-12-09 00:00"),
        ("until Monday at 8am", "2026-12-07 08:00"),
        ("next week", "2026-12-07 00:00"),
        ("until next month", "2027-01-01 00:00"),
        ("until 2026-12-24", "2026-12-24 00:00"),
        ("until 2026-12-24 18:00", "2026-12-24 18:00"),
        ("2026/12/24", "2026-12-24 00:00"),
        ("today 18:00", "2026-12-02 18:00"),
        ("24.12.", "2026-12-24 00:00"),
        ("24.12", "2026-12-24 00:00"),
        ("until 24. 12. 2026", "2026-12-24 00:00"),
        ("1.2.27", "2027-02-01 00:00"),
        ("24 Dec", "2026-12-24 00:00"),
        ("until December 24th", "2026-12-24 00:00"),
        ("until 1st of january", "2027-01-01 00:00"),
        ("Dec 24, 2026", "2026-12-24 00:00"),
    ],
)
def test_what_is_clear_is_read(text: str, end: str) -> None:
    assert end_of(text) == end


@pytest.mark.parametrize(
    ("text", "version"),
    [("until v7", 7), ("v7", 7), ("until version 7", 7), ("until v7 comes", 7), ("until the next version", 0)],
)
def test_versions_are_read(text: str, version: int) -> None:
    assert read(text) == SnoozeWords("", SnoozeEnd(version=version))
    assert read(f"2194095 {text}") == SnoozeWords("2194095", SnoozeEnd(version=version))


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("2194095 2w", "2194095"),
        ("2194095 for 2 weeks", "2194095"),
        ("#3 until Friday", "#3"),
        ("https://lore.kernel.org/r/20260101.1-2-a@b/ until 24 Dec", "https://lore.kernel.org/r/20260101.1-2-a@b/"),
        ("2 2 weeks", "2"),
        ("me about this in 2 weeks", ""),
        ("it until Friday", ""),
        ("2w", ""),
    ],
)
def test_what_stands_before_the_end_is_the_reference(text: str, ref: str) -> None:
    assert read(text).ref == ref


def test_off_ends_a_snooze() -> None:
    assert read("2194095 off") == SnoozeWords("2194095", None)
    assert read("off") == SnoozeWords("", None)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("2194095", "Until when?"),
        ("2194095 until", "Until when?"),
        ("2194095 until the merge window", "Until when?"),
        ("7 until 12/24", "“12/24” may be one of two days. Type it as 2026-12-16, with the year first."),
        ("7 until next Friday", "“next friday” may be 2026-12-04 or 2026-12-11. Type the one that you mean."),
        ("7 until 2026-12-01", "“2026-12-01” is in the past. Type for example: 2w, until"),
        ("7 today", "“today” is in the past. Type for example: 2w, until"),
        ("7 until 2026-02-30", "“2026-02-30” is not a day. Type for example: 2w, until"),
        ("7 until 2029-01-01", "A year is the longest that something can be snoozed."),
        ("7 until 0001-01-01", "“0001-01-01” is not a day. Type for example: 2w, until"),
        ("7 until 0002-01-01", "“0002-01-01” is in the past. Type for example: 2w, until"),
        ("7 until 9999-12-31", "A year is the longest that something can be snoozed."),
        ("7 99w", "A year is the longest that something can be snoozed."),
    ],
)
def test_what_is_not_clear_is_told_with_the_right_spelling(text: str, answer: str) -> None:
    with pytest.raises(UserError) as refusal:
        read(text)

    assert str(refusal.value).startswith(answer)


def test_the_zone_decides_when_a_day_begins() -> None:
    late = datetime(2026, 12, 2, 23, 30, tzinfo=UTC)  # the 3rd in Berlin, the 2nd in New York

    assert end_of("tomorrow", late) == "2026-12-04 00:00"
    assert end_of("tomorrow", late, ZoneInfo("America/New_York")) == "2026-12-03 00:00"


def test_days_keep_the_time_of_day_when_the_clock_is_changed_and_hours_their_length() -> None:
    before = datetime(2026, 10, 24, 10, 0, tzinfo=UTC)  # 12:00 in Berlin, the day before winter time

    assert end_of("2d", before) == "2026-10-26 12:00"
    assert end_of("25h", before) == "2026-10-25 12:00"


def test_a_day_that_begins_later_than_midnight_begins_then() -> None:
    now = datetime(2018, 11, 1, tzinfo=UTC)

    assert end_of("until 2018-11-04", now, ZoneInfo("America/Sao_Paulo")) == "2018-11-04 01:00"


def test_a_leap_day_is_the_next_one() -> None:
    assert end_of("29 Feb", datetime(2027, 12, 1, tzinfo=UTC)) == "2028-02-29 00:00"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        words = read(text)
    except UserError:
        return
    assert words.end is None or words.end.version is not None or (words.end.until or NOW) > NOW


@pytest.mark.parametrize("word", ["1", "v", "at", "12:30", "monday", "x" * 15_000])
def test_a_long_text_is_read_in_little_time(word: str) -> None:
    text = " ".join([word] * (16_000 // len(word)))
    begin = time.process_time()

    with suppress(UserError):
        read(text)

    assert time.process_time() - begin < 1
