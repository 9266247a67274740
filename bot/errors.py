"""What can go wrong, as one tree.

    BotError
    ├── UserError             what somebody typed or wrote; the text is for them
    │   ├── ConfigError       a setting; names its key (exit 2)
    │   │   └── ConfigErrors  several of them at once
    │   └── QueryError        a query; knows where the mistake is
    ├── TransportError        another machine did not do what it was asked
    │   ├── Temporary         worth another try, and perhaps when
    │   └── Permanent         another try will not help
    │       └── Forbidden     unless the room lets us again
    ├── LoggedOut             the homeserver wants no more of this device
    └── StoreError            the database is not ours to use as it is

A transport raises `Temporary` or `Permanent`; nothing inside sees httpx or nio.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

_SHOWN = 200  # characters of a query
_BEFORE = 40  # of them before a mistake


class BotError(Exception):
    """The root: everything the bot itself raises."""


class UserError(BotError):
    """A mistake of the person in front of the bot; the message is written for them."""


class ConfigError(UserError):
    """A setting that cannot be used; *key* is its dotted name in the file."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason


class ConfigErrors(ConfigError):
    """Several settings that cannot be used, one line each; *key* and *reason* are the first one's."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__(errors[0].key, errors[0].reason)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        """A line per mistake."""
        return "\n".join(map(str, self.errors))


@dataclass(eq=False)
class QueryError(UserError):
    """A query that cannot be read: why, and where.

    *start* and *end* are offsets into *text* (end exclusive); *hint* is what to type instead.
    """

    text: str
    start: int
    end: int
    reason: str
    hint: str | None = None

    def __str__(self) -> str:
        """The reason, with the hint where there is one."""
        return f"{self.reason} {self.hint}" if self.hint else self.reason

    def pointed(self) -> str:
        """The query with a caret line under the mistake, then the reason; for a fixed-width reader.

        Of a long query the part around the beginning of the mistake.
        """
        first = max(0, self.start - _BEFORE) if len(self.text) > _SHOWN else 0
        shown = self.text[first : first + _SHOWN]
        before, after = "…" * (first > 0), "…" * (first + len(shown) < len(self.text))
        length = max(1, min(self.end, first + len(shown)) - self.start)
        return f"{before}{shown}{after}\n{' ' * (len(before) + self.start - first)}{'^' * length}\n{self}"


class TransportError(BotError):
    """Another machine did not do what it was asked."""


class Temporary(TransportError):
    """May succeed later; *retry_after* is the other side's own wish, None where it told none."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Permanent(TransportError):
    """Will not succeed however often it is tried."""


class Forbidden(Permanent):
    """The room does not let us, or is gone; an invitation or a power level may change that."""


class LoggedOut(BotError):
    """The homeserver does not know our access token; *soft* where the same device may log in again."""

    def __init__(self, reason: str, *, soft: bool = False) -> None:
        super().__init__(reason)
        self.soft = soft


class StoreError(BotError):
    """The database cannot be used as it is: newer than the program, locked, or damaged."""


def outage(error: BaseException) -> BotError | None:
    """The error of ours that *error* is, in a group the first of several; None where a fault of the bot is in it."""
    if not isinstance(error, BaseExceptionGroup):
        return error if isinstance(error, BotError) else None
    inner = [outage(each) for each in error.exceptions]
    return None if None in inner else inner[0]
