"""Defines the bot's errors, as one tree.

    BotError
    ├── UserError             a mistake in input or settings; the text is for the person who made it
    │   ├── ConfigError       in a setting; names its key (exit 2)
    │   │   └── ConfigErrors  in several settings
    │   └── QueryError        in a query; has the position of the mistake
    ├── TransportError        a request to another machine failed
    │   ├── Temporary         worth a retry, perhaps at a given time
    │   └── Permanent         a retry will not help
    │       └── Forbidden     a retry will not help until the room permits it
    ├── LoggedOut             the homeserver ended the session of this device
    └── StoreError            the database cannot be used as it is
        └── LeaseLost         another instance has taken over, so that the database refuses this one

A transport raises `Temporary` or `Permanent`; the rest of the bot never sees exceptions of httpx or nio.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

_MAX_SHOWN = 200  # characters of a query that are shown
_BEFORE = 40  # characters before the mistake


class BotError(Exception):
    """The base class of all errors that the bot raises."""


class UserError(BotError):
    """A mistake by a user or operator; the message is written for them."""


class ConfigError(UserError):
    """A setting that cannot be used; *key* is its path in the file."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason


class ConfigErrors(ConfigError):
    """Several settings that cannot be used, one per line; *key* and *reason* are those of the first one."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__(errors[0].key, errors[0].reason)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        """Return one line per mistake."""
        return "\n".join(map(str, self.errors))


@dataclass(eq=False)
class QueryError(UserError):
    """A query that cannot be parsed, with the reason and the position of the mistake.

    *start* and *end* are offsets into *text* (end exclusive); *hint* suggests a correction.
    """

    text: str
    start: int
    end: int
    reason: str
    hint: str | None = None

    def __str__(self) -> str:
        """Return the reason, with the hint if there is one."""
        return f"{self.reason} {self.hint}" if self.hint else self.reason

    def pointed(self) -> str:
        """Return the query with carets below the mistake, followed by the reason, for a fixed-width font.

        Of a long query, only the part around the beginning of the mistake is included.
        """
        first = max(0, self.start - _BEFORE) if len(self.text) > _MAX_SHOWN else 0
        shown = self.text[first : first + _MAX_SHOWN]
        before, after = "…" * (first > 0), "…" * (first + len(shown) < len(self.text))
        length = max(1, min(self.end, first + len(shown)) - self.start)
        return f"{before}{shown}{after}\n{' ' * (len(before) + self.start - first)}{'^' * length}\n{self}"


class TransportError(BotError):
    """A failed request to another machine."""


class Temporary(TransportError):
    """A failure that may go away; *retry_after* is the delay that the other side requested, or None."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Permanent(TransportError):
    """A failure that a retry will not fix."""


class Forbidden(Permanent):
    """A refusal by a room, or a room that is gone; an invitation or a power level may change that."""


class LoggedOut(BotError):
    """The homeserver's rejection of the access token; *soft* means that the same device may log in again."""

    def __init__(self, reason: str, *, soft: bool = False) -> None:
        super().__init__(reason)
        self.soft = soft


class StoreError(BotError):
    """A database that cannot be used as it is: newer than the program, locked, or damaged."""


class LeaseLost(StoreError):
    """The refusal of a transaction by the database, because another instance of the bot has taken over."""


def outage(error: BaseException) -> BotError | None:
    """Return the expected error in *error*, the first one of a group, or None if the error is a fault of the bot."""
    if not isinstance(error, BaseExceptionGroup):
        return error if isinstance(error, BotError) else None
    inner = [outage(each) for each in error.exceptions]
    return None if None in inner else inner[0]
