"""Lengths of time as people type them."""

import time
from datetime import timedelta

import pytest

from bot.query.durations import in_words, read_duration, spelled_duration, split_duration


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("30m", 30),
        ("2H", 120),
        ("2 h", 120),
        ("2h30m", 150),
        ("2h 30m", 150),
        ("1 hour and 5 minutes", 65),
        ("an hour", 60),
        ("half an hour", 30),
        ("two hours", 120),
        ("15 min.", 15),
        ("for 2-hour", 120),
        ("7days", 7 * 1440),
        ("7 days", 7 * 1440),
        ("the last week", 7 * 1440),
        ("over the past two weeks", 14 * 1440),
        ("a month", 30 * 1440),
    ],
)
def test_a_duration_in_words_or_units(text: str, minutes: int) -> None:
    assert read_duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "7", "soon", "0d", "7dx", "m", "a", "90 seconds", "path:2h/", "2h path:a/"])
def test_what_is_not_a_duration(text: str) -> None:
    assert read_duration(text) is None


@pytest.mark.parametrize(
    ("text", "rest", "phrase"),
    [
        ("7 for 2 hours", "7", "for 2 hours"),
        ("2h 7", "7", "2h"),
        ("path:a/", "path:a/", ""),
        ('s:"for 7d"', 's:"for 7d"', ""),
    ],
)
def test_a_duration_is_taken_out_of_a_text(text: str, rest: str, phrase: str) -> None:
    assert split_duration(text) == (rest, phrase)


def test_after_a_query_a_duration_counts_at_the_end_only() -> None:
    assert split_duration("path:a/ last 7 days", at_end=True) == ("path:a/", "last 7 days")
    assert split_duration("7 days of path:a/", at_end=True) == ("7 days of path:a/", "")


@pytest.mark.parametrize(
    "text", ["7d" * 8_000, "7d and " * 4_000 + "x", "for the " * 4_000, "a " * 8_000, "1" * 20_000]
)
def test_a_long_text_is_read_at_once(text: str) -> None:
    begun = time.process_time()

    split_duration(text)
    split_duration(text, at_end=True)

    assert time.process_time() - begun < 0.5


def test_a_duration_is_spelled_as_it_is_typed_and_as_it_is_said() -> None:
    spelled = [spelled_duration(timedelta(minutes=each)) for each in (0, 59, 60, 1440, 10_080, 90)]

    assert spelled == ["1m", "59m", "1h", "1d", "1w", "90m"]
    assert [in_words(timedelta(hours=each)) for each in (1, 12, 24, 168)] == ["1 hour", "12 hours", "1 day", "7 days"]
