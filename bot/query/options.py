"""The options of a subscription: for which kinds of news it posts messages, in which form, and when."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bot.query.values import ValueMistake, choice
from bot.text import DASHES

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAILY = "daily"
_PLAIN_SIGNS = str.maketrans({**dict.fromkeys(DASHES, "-"), "：": ":", "，": ",", "、": ","})
_DEFAULT_HOUR = 9  # of a digest without a time
_SETS_OF_DAYS = {
    **dict.fromkeys((_DAILY, "everyday", "every-day", "day", "days"), frozenset(range(7))),
    **dict.fromkeys(("weekly", "week"), frozenset({0})),
    **dict.fromkeys(("weekdays", "weekday", "workdays", "workday"), frozenset(range(5))),
    **dict.fromkeys(("weekend", "weekends"), frozenset({5, 6})),
}
_DASH = re.compile(r"\s*(?:[-‐‑‒–—―−]|\bto\b)\s*", re.IGNORECASE)
_BETWEEN_DAYS = re.compile(r"\s*[,&+]\s*|\s+(?:and\s+)?(?![-‐‑‒–—―−])(?<![-‐‑‒–—―−]\s)")
_A_TIME = r"[0-9]{1,2}(?:[:.h][0-9]{2})?\s*(?:[ap]\.?m\.?)?"
_TIME = re.compile(r"([0-9]{1,2})(?:[:.h]([0-9]{2}))?\s*([ap]\.?m\.?)?", re.IGNORECASE)
_SMALL_WORDS = frozenset({"every", "each", "on", "at"})
_DAY_NAMES = [f"{name}s?" for name in (*_LONG_DAYS, "thurs", "tues", *_DAYS)]
_DAY_WORD = rf"(?:{'|'.join((*_DAY_NAMES, *_SETS_OF_DAYS))})\b"
_BARE_DIGEST = re.compile(
    rf"(?:(?:every|each)\s+)?(?:{_DAY_WORD}(?:\s*(?:[-‐‑‒–—―−,&+]|\bto\b|\band\b)\s*{_DAY_WORD})*)?"
    rf"(?:\s*,?\s*(?:\bat\s+)?\b{_A_TIME}(?![^\s),]))?",
    re.IGNORECASE,
)
_SHORTEST_RANGE = 3  # days; "Mon,Tue" reads better than "Mon-Tue"


class OptionKind(StrEnum):
    """An option that a query may have besides its terms; *example*, *meaning* and *more* are shown in help."""

    example: str
    meaning: str
    more: tuple[str, ...]
    words: tuple[str, ...]

    def __new__(
        cls, name: str, example: str, meaning: str, more: tuple[str, ...] = (), words: tuple[str, ...] = ()
    ) -> Self:
        """Create the member with a *name*; questions find it by its *words*."""
        option = str.__new__(cls, name)
        option._value_ = name
        option.example = example
        option.meaning = meaning
        option.more = more
        option.words = words
        return option

    ON = (
        "on",
        "on:new,state",
        "which news to post: new, revision, state, check, comment",
        ("Without it: new,revision. state, check and comment are replies in the card's thread.",),
        ("news", "events"),
    )
    AS = (
        "as",
        "as:compact",
        "how a new series is shown: card, or compact (two lines)",
        ("With `digest:`, also queue: at these times, all that is open and whose turn it is, instead of what came.",),
    )
    DIGEST = (
        "digest",
        'digest:"Mon-Fri 09:00"',
        "one list at these times instead of cards",
        (
            "`digest:daily` is every day at 09:00; other days: `Mon,Thu 18:30`, `weekly`, `weekdays 8:00`.",
            "Times are in the zone of `set timezone Europe/Berlin`, UTC without it.",
        ),
        ("daily", "weekly", "digests", "summary", "summaries", "schedule", "morning", "once", "bundle", "day", "week"),
    )


class OnKind(StrEnum):
    """A kind of news of a series."""

    NEW = "new"
    REVISION = "revision"
    STATE = "state"
    CHECK = "check"
    COMMENT = "comment"


ARRIVALS = frozenset({OnKind.NEW, OnKind.REVISION})  # the others are changes
DEFAULT_ON = (OnKind.NEW, OnKind.REVISION)


class CardForm(StrEnum):
    """The form in which a new series is posted in a room."""

    CARD = "card"
    COMPACT = "compact"


class AsForm(StrEnum):
    """A value of `as:`: the form of new series, or a queue instead of them."""

    CARD = "card"
    COMPACT = "compact"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class DigestTimes:
    """The days and the time, in the room's time zone, at which a digest is posted."""

    days: frozenset[int]  # 0 is Monday
    hour: int
    minute: int

    def __str__(self) -> str:
        return f"{_spelled_days(self.days)} {self.hour:02}:{self.minute:02}"


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """The options of a query; `on` is in the order of OnKind, and empty if the query has no `on:`.

    *as_queue* is true if the digest is the queue of what matches, `as:queue`.
    """

    on: tuple[OnKind, ...] = ()
    form: CardForm | None = None
    digest: DigestTimes | None = None
    as_queue: bool = False

    def __bool__(self) -> bool:
        return bool(self.on or self.form or self.digest or self.as_queue)

    def __str__(self) -> str:
        parts = [f"{OptionKind.ON}:{','.join(self.on)}"] if self.on else []
        parts += [f"{OptionKind.AS}:{self.form}"] if self.form else []
        parts += [f"{OptionKind.AS}:{AsForm.QUEUE}"] if self.as_queue else []
        parts += [f'{OptionKind.DIGEST}:"{self.digest}"'] if self.digest else []
        return " ".join(parts)


NO_OPTIONS = SubscriptionOptions()


def richest(
    options: Iterable[SubscriptionOptions], default: CardForm
) -> tuple[CardForm | None, tuple[DigestTimes, ...]]:
    """Return the form of a submission in a room with several matching subscriptions: a card rather than a compact one.

    *default* is the form of subscriptions without an option. If all of them are digests, return None and the digests.
    """
    every = tuple(options)
    forms = {each.form or default for each in every if each.digest is None}
    if forms:
        return (CardForm.CARD if CardForm.CARD in forms else CardForm.COMPACT), ()
    return None, tuple(dict.fromkeys(each.digest for each in every if each.digest is not None))


def read_on(text: str) -> OnKind:
    """Return the kind of news with the name *text*, which may be in the plural.

    Raises:
        ValueMistake: there is none.
    """
    name = text.strip().lower()
    return choice(OptionKind.ON, OnKind, name.removesuffix("s") if name not in set(OnKind) else name)


def read_form(text: str) -> AsForm:
    """Return the form with the name *text*.

    Raises:
        ValueMistake: there is none.
    """
    return choice(OptionKind.AS, AsForm, text.strip().lower())


def read_digest(text: str) -> DigestTimes:
    """Return the days and the time that *text* names: every day if it names no days, 09:00 if it names no time.

    Raises:
        ValueMistake: it says something else.
    """
    words = [word for word in text.translate(_PLAIN_SIGNS).split() if word.lower() not in _SMALL_WORDS]
    if not words:
        raise ValueMistake("digest: takes days and a time in quotes,", f"e.g. {OptionKind.DIGEST.example}")
    count = next((place for place, word in enumerate(words) if any(map(str.isdigit, word))), len(words))
    hour, minute = _read_time(" ".join(words[count:])) if words[count:] else (_DEFAULT_HOUR, 0)
    return DigestTimes(_read_days(" ".join(words[:count])), hour, minute)


def bare_digest(text: str) -> str:
    """Return the beginning of *text* that says days, a time or both, as far as it is typed without quotes; else ""."""
    match = _BARE_DIGEST.match(text)
    return match[0].rstrip() if match else ""


def _read_time(text: str) -> tuple[int, int]:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueMistake(f"“{text.strip()}” is not a time of day;", "e.g. 09:00 or 18:30")
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").lower().replace(".", "")
    if half and not 1 <= hour <= 12:
        raise ValueMistake(f"“{text.strip()}” is not a time of day;", "e.g. 09:00 or 18:30")
    hour = hour % 12 + 12 * (half == "pm") if half else hour
    if hour > 23 or minute > 59:
        raise ValueMistake(f"“{text.strip()}” is not a time of day;", "e.g. 09:00 or 18:30")
    return hour, minute


def _read_days(text: str) -> frozenset[int]:
    parts = [part for part in _BETWEEN_DAYS.split(text.strip()) if part]
    named = [_SETS_OF_DAYS.get(part.lower()) for part in parts]
    if not parts:
        return _SETS_OF_DAYS[_DAILY]
    return frozenset(
        day for part, days in zip(parts, named, strict=True) for day in (days if days is not None else _range(part))
    )


def _range(text: str) -> list[int]:
    """Return the days of a range such as "Fri-Mon", which may extend into the next week, or of a single day."""
    first, dash, last = _DASH.sub("-", text).partition("-")
    start = _day(first)
    end = _day(last) if dash else start
    return [(start + step) % len(_DAYS) for step in range((end - start) % len(_DAYS) + 1)]


def _day(text: str) -> int:
    name = text.strip().rstrip(".").capitalize()
    for number, (short, long) in enumerate(zip(_DAYS, _LONG_DAYS, strict=True)):
        if name == short or (len(name) > 2 and f"{long}s".startswith(name)):
            return number
    raise ValueMistake(f"“{text}” is not a day: {', '.join(_DAYS)}, daily or weekly.")


def _spelled_days(days: frozenset[int]) -> str:
    if len(days) == len(_DAYS):
        return _DAILY
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(_spelled_run([_DAYS[day] for day in run]) for run in runs)


def _spelled_run(run: list[str]) -> str:
    return f"{run[0]}-{run[-1]}" if len(run) >= _SHORTEST_RANGE else ",".join(run)
