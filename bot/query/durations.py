"""Reads lengths of time as people type them: 30m, 2h, 7 days, an hour, the last two weeks. Pure."""

import re
from datetime import timedelta
from typing import Final

EXAMPLES: Final = "30m, 2h or 7d"
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_UNITS: Final = {
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), _HOUR),
    **dict.fromkeys(("d", "day", "days"), _DAY),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), 7 * _DAY),
    **dict.fromkeys(("month", "months"), 30 * _DAY),
}
_NUMBERS: Final[dict[str, float]] = {
    **dict.fromkeys(("a", "an", "one"), 1),
    **{
        word: number
        for number, word in enumerate(["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 2)
    },
    "twelve": 12,
    "a few": 3,
    "a couple of": 2,
    "half an": 0.5,
}
_LONG = sorted((unit for unit in _UNITS if len(unit) > 1), key=len, reverse=True)
_LONG_UNIT = "|".join(_LONG)
_ONE = rf"(?:[0-9]{{1,5}}\s*-?\s*(?:{_LONG_UNIT}|[mhdw])|(?:{'|'.join(_NUMBERS)})\s+(?:{_LONG_UNIT}))(?![^\W\d_])"
_AMOUNT = rf"{_ONE}(?:\s*(?:,|and)?\s*{_ONE}){{0,3}}"
_LEADING = r"(?:(?:for|in|over|within|during|since|from)\s+)?(?:the\s+)?(?:next\s+)?"
_LATELY = rf"(?:last|past)\s+(?:{_AMOUNT}|(?:{'|'.join(_LONG)})\b)"
_PHRASE = rf"(?<!\S){_LEADING}(?:{_LATELY}|{_AMOUNT})(?:\s+ago)?(?![^\s.,;!?…])[.,;!?…]*"
_LONGEST: Final = 100  # characters of a phrase
_ANYWHERE = re.compile(_PHRASE, re.IGNORECASE)
_AT_END = re.compile(rf"{_PHRASE}\s*\Z", re.IGNORECASE)
_NUMBER = "|".join(sorted(_NUMBERS, key=len, reverse=True))
_PART = re.compile(
    rf"(?:([0-9]{{1,5}})\s*-?\s*|\b({_NUMBER})\s+|\b)({'|'.join(_LONG)}|[mhdw])(?![^\W\d_])", re.IGNORECASE
)


def read_duration(text: str) -> timedelta | None:
    """Return the duration that *text* spells, None if it spells none, or one of no length."""
    match = _ANYWHERE.fullmatch(" ".join(text.split()))
    return _length(match[0]) if match else None


def split_duration(text: str, *, at_end: bool = False) -> tuple[str, str]:
    """Return *text* without the first phrase that spells a duration, and that phrase, "" if there is none.

    With *at_end*, only a phrase at the end of *text* counts.
    """
    match = _AT_END.search(text, max(len(text) - _LONGEST, 0)) if at_end else _ANYWHERE.search(text)
    if match is None or _length(match[0]) is None:
        return text, ""
    return f"{text[: match.start()]} {text[match.end() :]}".strip(), match[0].strip()


def spelled_duration(time: timedelta) -> str:
    """Return a duration of whole minutes as it may be typed, in the largest unit that gives a whole number."""
    minutes = max(int(time / timedelta(minutes=1)), 1)
    for unit, size in (("w", 10_080), ("d", 1_440), ("h", 60)):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m" if minutes < 100_000 else f"{-(-minutes // 60)}h"


def in_words(time: timedelta) -> str:
    """Return a duration in days, or in hours where it is not whole days: "7 days", "1 hour"."""
    number, unit = (time // _DAY, "day") if time % _DAY == timedelta() else (max(time // _HOUR, 1), "hour")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _length(phrase: str) -> timedelta | None:
    total = sum((_times(*part) for part in _PART.findall(phrase)), timedelta())
    return total or None


def _times(digits: str, word: str, unit: str) -> timedelta:
    return (int(digits) if digits else _NUMBERS[word.lower() or "one"]) * _UNITS[unit.lower()]
