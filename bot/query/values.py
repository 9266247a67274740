"""The values of terms besides plain text, and the folded form in which texts are compared.

`str` of a value is its text in a query, without quotes.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from bot.patchwork.model import CheckState
from bot.query.index.globs import glob_matches
from bot.text import DASHES, visible

REGEX_BYTES = 1 << 20  # for one compiled regex and its states during a search
ANY_STATE = "*"
LONGEST_GUESSED: Final = 20  # characters; the search for similar names is slow for long names

_Choice = TypeVar("_Choice", bound=StrEnum)


class ValueMistake(ValueError):
    """A value that cannot be used; *hint* is what to type instead."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Regex:
    """A compiled regular expression of RE2, which always searches in linear time.

    Raises:
        ValueMistake: RE2 rejects it; has RE2's reason.
    """

    source: str  # with unescaped slashes
    _search: Callable[[bytes], object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_search", _compiled(self.source))

    def __str__(self) -> str:
        """Return the expression between slashes, with escaped slashes inside."""
        pieces: list[str] = []
        escaped = False
        for character in self.source:
            pieces.append("\\/" if character == "/" and not escaped else character)
            escaped = character == "\\" and not escaped
        return f"/{''.join(pieces)}/"

    def finds(self, text: bytes) -> bool:
        """Return whether it matches anywhere in *text*, which is UTF-8."""
        return self._search(text) is not None


@dataclass(frozen=True, slots=True)
class Bound:
    """A number to compare with."""

    sign: str  # one of = >= <= > <
    number: int

    def __str__(self) -> str:
        return f"{'' if self.sign == '=' else self.sign}{self.number}"

    def holds(self, number: int) -> bool:
        """Return whether *number* satisfies the bound."""
        match self.sign:
            case ">=":
                return number >= self.number
            case "<=":
                return number <= self.number
            case ">":
                return number > self.number
            case "<":
                return number < self.number
            case _:
                return number == self.number


def plain_slug(slug: str) -> str:
    """Return a state's *slug* with dashes instead of the server's separators: needs_ack becomes needs-ack."""
    return slug.replace("_", "-")


class Turn(StrEnum):
    """Whose turn an open submission is, in the order of a queue's sections."""

    FAILING = "failing"  # a check fails
    AUTHOR = "author"  # the submitter has to answer, or to send another version
    READY = "ready"  # reviewed, and to be applied
    REVIEW = "review"  # reviewers


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state; each side is a slug, or ANY_STATE."""

    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.before}->{self.after}"

    def holds(self, before: str, after: str) -> bool:
        """Return whether the change from *before* to *after* is this transition."""
        return self.before in (ANY_STATE, before) and self.after in (ANY_STATE, after)


@dataclass(frozen=True, slots=True)
class CheckCondition:
    """A state of the worst check, or of any check whose context matches the glob *context* (`*` matches slashes)."""

    state: CheckState
    context: str | None = None

    def __str__(self) -> str:
        return self.state if self.context is None else f"{self.state}/{self.context}"

    def covers(self, context: str) -> bool:
        """Return whether a check's *context* matches, ignoring case."""
        return self.context is not None and glob_matches(folded(self.context), folded(context))


@dataclass(frozen=True, slots=True)
class Age:
    """A minimum time since the last change."""

    hours: int

    def __str__(self) -> str:
        days, hours = divmod(self.hours, 24)
        return f"{self.hours}h" if hours else f"{days}d"

    @property
    def time(self) -> timedelta:
        """The duration."""
        return timedelta(hours=self.hours)


class IsFlag(StrEnum):
    """The flags of a patch."""

    MINE = "mine"  # from an address of the subscription's owner
    PULL = "pull"
    COMPLETE = "complete"
    REVIEWED = "reviewed"
    ARCHIVED = "archived"


Value: TypeAlias = str | Regex | Bound | Transition | CheckCondition | Age


def _compiled(source: str) -> Callable[[bytes], object]:
    options = re2.Options()
    options.max_mem = REGEX_BYTES
    options.never_capture = True
    options.log_errors = False
    try:
        search: Callable[[bytes], object] = re2.compile(unicodedata.normalize("NFC", source).encode(), options).search
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueMistake(f"This regex cannot be used: {reason}.") from None
    except UnicodeEncodeError:
        raise ValueMistake("This regex has a character that is none.") from None
    return search


def choice(key: str, choices: type[_Choice], name: str) -> _Choice:
    """Return the one of *choices* with a *name*.

    Raises:
        ValueMistake: there is none; the error names *key* and the most similar choice.
    """
    if name in set(choices):
        return choices(name)
    near = get_close_matches(name, list(choices), n=1) if len(name) <= LONGEST_GUESSED else []
    hint = f"Did you mean {key}:{near[0]}?" if near else None
    *others, last = choices
    raise ValueMistake(f"{key}: takes {', '.join(others)} or {last}.", hint)


# Variants typed by phones and word processors; mails have both.
_PLAIN_QUOTES = str.maketrans(
    {**dict.fromkeys("`‘’‚‛′＇´ʼ", "'"), **dict.fromkeys("“”„‟″＂«»", '"'), **dict.fromkeys(DASHES, "-")}
)


def folded(text: str) -> str:
    """Return *text* without differences of case, composition, quotes, dashes, white space and invisible characters."""
    if text.isascii():
        return " ".join(text.lower().split())
    text = unicodedata.normalize("NFC", visible(text)).translate(_PLAIN_QUOTES)
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())


def domain_of(email: str) -> str:
    """Return the "@domain" of a folded address; "" if it has none."""
    _, at, domain = folded(email).rpartition("@")
    return at + domain if at else ""
