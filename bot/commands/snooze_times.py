"""Reads until when people want to snooze something: 2w, tomorrow, Friday, 2026-12-24, 24.12., v7. Pure.

A day without a time means its beginning, and a duration of whole days the same time of day, both in the zone of the
chat. Where the clock is put forward, a time that does not exist is the one as long after the change.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.errors import UserError
from bot.query.durations import read_duration

EXAMPLES: Final = "2w, until 2026-12-24, or until v7"
LONGEST: Final = timedelta(days=366)
_MOST_WORDS: Final = 12  # of an end, with all that may stand before it
_MOST_LETTERS: Final = 100
_DAY: Final = timedelta(days=1)
_LEADING: Final = re.compile(r"(?:(?:for|until|untill|till|til|unless|to|by|on|after|=)\s+)+", re.IGNORECASE)
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_VERSION: Final = re.compile(r"(?:v|version\s*|revision\s*)(\d{1,4})(?:\s+(?:comes|arrives|is\s+out|is\s+posted))?")
_ANY_VERSION: Final = re.compile(r"(?:the\s+|a\s+|its\s+)?(?:next|new)\s+(?:version|revision|respin|reroll)")
_CLOCK: Final = re.compile(r"\s*[,T]?\s*(?:\bat\s+)?(\d{1,2})(?:[:.h](\d{2}))?\s*(am|pm)?\Z", re.IGNORECASE)
_ISO: Final = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\.\s?(\d{1,2})(?:\.(?:\s?(\d{4}|\d{2}))?)?")
_SLASHED: Final = re.compile(r"\d{1,2}[/-]\d{1,2}(?:[/-]\d{2,4})?")
_MONTH: Final = "|".join(f"{name[:3]}(?:{name[3:]})?" if len(name) > 3 else name for name in _MONTHS)
_NAMED: Final = re.compile(
    rf"(?:(\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?({_MONTH})|({_MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?)\.?"
    r"(?:,?\s+(\d{4}))?"
)
_WEEKDAYS: Final = "|".join(("tues", "thurs", *(f"{name[:3]}(?:{name[3:]})?" for name in _DAYS)))
_WEEKDAY: Final = re.compile(rf"(next\s+|this\s+|coming\s+)?({_WEEKDAYS})")
_FILLERS: Final = frozenset({"me", "us", "please", "of", "about", "this", "that", "it", "one", "the", "card"})
_END: Final = frozenset({"off", "end", "cancel", "none", "never", "over"})


@dataclass(frozen=True, slots=True)
class SnoozeEnd:
    """When something is back: *until* a time (UTC), or when a *version* of it comes, 0 for the next one."""

    until: datetime | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class SnoozeWords:
    """What was typed: the reference, "" without one, and the end; None if a snooze is to end now."""

    ref: str
    end: SnoozeEnd | None


def read_snooze(text: str, now: datetime, zone: ZoneInfo) -> SnoozeWords:
    """Return the reference and the end in *text*; *now* is UTC.

    Raises:
        UserError: it names no end, or one that is not clear; the text has the right spelling.
    """
    words = text.strip().rstrip(".!,;?").split()
    if words and words[-1].lower() in _END:
        return SnoozeWords(_reference(words[:-1]), None)
    for count in range(max(len(words) - _MOST_WORDS, 0), len(words)):
        tail = " ".join(words[count:])
        if len(tail) <= _MOST_LETTERS and (end := _read_end(tail, now, zone)) is not None:
            return SnoozeWords(_reference(words[:count]), end)
    raise UserError(f"Until when? Say it after the patch or series, for example: {EXAMPLES}.")


def _reference(words: Sequence[str]) -> str:
    """Return what is left of *words* without those that name nothing."""
    named = list(words)
    while named and named[0].lower() in _FILLERS:
        named.pop(0)
    return " ".join(named)


def _read_end(text: str, now: datetime, zone: ZoneInfo) -> SnoozeEnd | None:
    """Return the end that the whole *text* names; None if it names none.

    Raises:
        UserError: it is not clear, or in the past, or too far away.
    """
    bare = _LEADING.sub("", text, count=1).strip().lower()
    if (version := _VERSION.fullmatch(bare)) is not None:
        return SnoozeEnd(version=int(version[1]))
    if _ANY_VERSION.fullmatch(bare) is not None:
        return SnoozeEnd(version=0)
    local = now.astimezone(zone)
    if (length := read_duration(bare)) is not None:
        if length > LONGEST:
            raise UserError("A year is the longest that something can be snoozed.")
        return SnoozeEnd(_after(local, length, zone))
    day, clock = _day_and_clock(bare, local.date())
    if day is None:
        return None
    return SnoozeEnd(_checked(datetime.combine(day, clock, zone), now, bare))


def _after(local: datetime, length: timedelta, zone: ZoneInfo) -> datetime:
    """Return the time (UTC) after a *length*: at the same time of day if that is whole days."""
    if length % _DAY:
        return local.astimezone(UTC) + length
    return (local.replace(tzinfo=None, fold=0) + length).replace(tzinfo=zone).astimezone(UTC)


def _checked(end: datetime, now: datetime, text: str) -> datetime:
    """Return an *end* in UTC.

    Raises:
        UserError: it is in the past or too far away.
    """
    try:
        end = end.astimezone(UTC)
    except OverflowError:  # in the year 1 or 9999
        raise _not_a_day(text) from None
    if end <= now:
        raise UserError(f"“{text}” is in the past. Type for example: {EXAMPLES}.")
    if end - now > LONGEST:
        raise UserError("A year is the longest that something can be snoozed.")
    return end


def _day_and_clock(text: str, today: date) -> tuple[date | None, time]:
    """Return the day that *text* names, None if it names none, and the time of day, 00:00 without one."""
    if (day := _day(text, today)) is not None:
        return day, time()
    if (match := _CLOCK.search(text)) is None or (match[2] is None and match[3] is None):
        return None, time()
    hour, minute, half = int(match[1]), int(match[2] or 0), match[3] or ""
    if half and 1 <= hour <= 12:
        hour = hour % 12 + 12 * (half == "pm")
    day = _day(text[: match.start()].strip(), today)
    return (day, time(hour, minute)) if day is not None and hour < 24 and minute < 60 else (None, time())


def _day(text: str, today: date) -> date | None:
    """Return the day that *text* names; None if it names none."""
    near = {
        "today": today,
        "tomorrow": today + _DAY,
        "next week": today + (7 - today.weekday()) * _DAY,
        "next month": (today.replace(day=1) + 32 * _DAY).replace(day=1),
    }
    return near.get(text.removeprefix("the ")) or _calendar_day(text, today) or _weekday(text, today)


def _calendar_day(text: str, today: date) -> date | None:
    """Return the date that *text* is; None if it is none."""
    if (iso := _ISO.fullmatch(text)) is not None:
        return _date(text, int(iso[1]), int(iso[3]), int(iso[4]))
    if (day_first := _DAY_FIRST.fullmatch(text)) is not None:
        year = int(day_first[3]) if day_first[3] else None
        year = year + 2000 if year is not None and year < 100 else year
        return _in_year(text, year, int(day_first[2]), int(day_first[1]), today)
    if (named := _NAMED.fullmatch(text)) is not None:
        month = next(n for n, name in enumerate(_MONTHS, 1) if name.startswith((named[2] or named[3])[:3]))
        return _in_year(text, int(named[5]) if named[5] else None, month, int(named[1] or named[4]), today)
    if _SLASHED.fullmatch(text) is not None:
        raise UserError(f"“{text}” may be one of two days. Type it as {today + 14 * _DAY}, with the year first.")
    return None


def _weekday(text: str, today: date) -> date | None:
    """Return the coming day of the week that *text* names; None if it names none."""
    match = _WEEKDAY.fullmatch(text)
    if match is None:
        return None
    number = next(n for n, name in enumerate(_DAYS) if name.startswith(match[2][:3]))
    coming = today + ((number - today.weekday() - 1) % 7 + 1) * _DAY
    if (match[1] or "").startswith("next"):
        raise UserError(f"“{text}” may be {coming} or {coming + 7 * _DAY}. Type the one that you mean.")
    return coming


def _in_year(text: str, year: int | None, month: int, day: int, today: date) -> date:
    """Return a date; without a *year*, the next one that comes."""
    if year is not None:
        return _date(text, year, month, day)
    for candidate in range(today.year, today.year + 9):  # the 29th of February comes within eight years
        try:
            found = date(candidate, month, day)
        except ValueError:
            continue
        if found > today:
            return found
    return _date(text, today.year, month, day)


def _date(text: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise _not_a_day(text) from None


def _not_a_day(text: str) -> UserError:
    return UserError(f"“{text}” is not a day. Type for example: {EXAMPLES}.")
