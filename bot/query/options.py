"""The options of a subscription: for which kinds of news it posts messages, in which form, and when."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bot.query.values import ValueMistake, choice
from bot.text import DASHES

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAILY = "daily"
_PLAIN_SIGNS = str.maketrans({**dict.fromkeys(DASHES, "-"), "：": ":", "，": ",", "、": ","})
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_SHORTEST_RANGE = 3  # days; "Mon,Tue" reads better than "Mon-Tue"


class OptionKind(StrEnum):
    """An option that a query may have besides its terms; *example* and *meaning* are shown in help."""

    example: str
    meaning: str

    def __new__(cls, name: str, example: str, meaning: str) -> Self:
        """Create the member with a *name*."""
        option = str.__new__(cls, name)
        option._value_ = name
        option.example = example
        option.meaning = meaning
        return option

    ON = "on", "on:new,state", "what is told below the card later"
    AS = "as", "as:compact", "a card in a line"
    DIGEST = "digest", 'digest:"Mon-Fri 09:00"', "all at once, at these times"


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
    """The options of a query; `on` is in the order of OnKind, and empty if the query has no `on:`."""

    on: tuple[OnKind, ...] = ()
    form: CardForm | None = None
    digest: DigestTimes | None = None

    def __bool__(self) -> bool:
        return bool(self.on or self.form or self.digest)

    def __str__(self) -> str:
        parts = [f"{OptionKind.ON}:{','.join(self.on)}"] if self.on else []
        parts += [f"{OptionKind.AS}:{self.form}"] if self.form else []
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


def read_form(text: str) -> CardForm:
    """Return the form with the name *text*.

    Raises:
        ValueMistake: there is none.
    """
    return choice(OptionKind.AS, CardForm, text.strip().lower())


def read_digest(text: str) -> DigestTimes:
    """Return the digest times in a text such as "Mon-Fri 09:00".

    Raises:
        ValueMistake: it has no days, or no time.
    """
    *days, time = text.translate(_PLAIN_SIGNS).split()
    match = _TIME.fullmatch(time)
    if not days or match is None:
        raise ValueMistake("digest: takes days and a time in quotes,", f"e.g. {OptionKind.DIGEST.example}")
    hour, minute = int(match[1]), int(match[2])
    if hour > 23 or minute > 59:
        raise ValueMistake(f"{time} is no time of day.")
    return DigestTimes(_read_days("".join(days)), hour, minute)


def _read_days(text: str) -> frozenset[int]:
    if text.lower() == _DAILY:
        return frozenset(range(len(_DAYS)))
    return frozenset(day for part in text.split(",") for day in _range(part))


def _range(text: str) -> list[int]:
    """Return the days of a range such as "Fri-Mon", which may extend into the next week, or of a single day."""
    first, dash, last = text.partition("-")
    start = _day(first)
    end = _day(last) if dash else start
    return [(start + step) % len(_DAYS) for step in range((end - start) % len(_DAYS) + 1)]


def _day(text: str) -> int:
    try:
        return _DAYS.index(text.capitalize())
    except ValueError:
        raise ValueMistake(f"“{text}” is no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun or daily.") from None


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
