"""Delays before retries: the one formula, its parameters for each kind of retry, and the Retry-After header.

The delay doubles with each failure in a row. If many requests fail at the same moment because of their server, random
jitter keeps the retries apart. A longer delay that the server asks for takes precedence.
"""

import email.utils
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_MOST_DOUBLINGS = 12
_MAX_RETRY_AFTER = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from *first* to *longest*, each randomly shortened by up to a fraction *jitter* (0–1)."""

    first: timedelta
    longest: timedelta
    jitter: float = 0.0

    def wait(self, failures: int, requested: timedelta | None = None) -> timedelta:
        """Return the delay after *failures* in a row (1 or more), at least as long as *requested* by the server."""
        doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
        wait = min(self.first * (1 << doublings), self.longest)
        if self.jitter:
            wait *= 1 - self.jitter * random.random()  # noqa: S311  # spreads load, no secret
        return max(wait, requested or timedelta())

    def seconds(self, failures: int, requested: timedelta | None = None) -> float:
        """Return the delay of `wait` in seconds."""
        return self.wait(failures, requested).total_seconds()


USUAL: Final = Backoff(timedelta(seconds=2), timedelta(minutes=15))  # stored work, and single requests
JOBS: Final = Backoff(timedelta(seconds=2), timedelta(seconds=30))  # scheduled jobs
POLLS: Final = Backoff(timedelta(seconds=2), timedelta(minutes=15), jitter=0.5)
SYNCS: Final = Backoff(timedelta(seconds=2), timedelta(minutes=1), jitter=0.25)
PROJECTS: Final = Backoff(timedelta(minutes=1), timedelta(minutes=15))  # projects missing on a server
DEVICES: Final = Backoff(timedelta(minutes=5), timedelta(hours=1))  # devices that cannot be given keys
LONGEST_REQUESTED: Final = timedelta(hours=1)  # the longest delay that a homeserver may request


def next_attempt(attempts: int, now: datetime, retry_after: timedelta | None) -> datetime:
    """Return when to retry a request that the homeserver did not accept, after *attempts* (1 or more); times are UTC.

    The delay *retry_after* that the server asked for applies if it is longer than the usual one, up to an hour.
    """
    return now + USUAL.wait(attempts, min(retry_after or timedelta(), LONGEST_REQUESTED))


def retry_after_in(headers: Mapping[str, str]) -> timedelta | None:
    """Return the delay in a response's Retry-After header (RFC 9110 §10.2.3), at most six hours; None without one.

    The header has seconds or a date; a date is compared with the response's own Date header, never with the local
    clock. *headers* must ignore the case of names.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = int(value) if len(value) < 10 else _MAX_RETRY_AFTER.total_seconds()
        return min(timedelta(seconds=seconds), _MAX_RETRY_AFTER)
    moment, now = _moment(value), _moment(headers.get("date", ""))
    if moment is None or now is None:
        return None
    return min(max(moment - now, timedelta()), _MAX_RETRY_AFTER)


def _moment(date: str) -> datetime | None:
    """Return an HTTP date, in UTC if it has no zone; None if it is not a date."""
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


class RetryTimes:
    """The retry times of many items by name, by the monotonic clock *now*; the newest *limit* are kept in memory."""

    def __init__(self, now: Callable[[], float], backoff: Backoff, limit: int) -> None:
        self._now = now
        self._backoff = backoff
        self._limit = limit
        self._waits: dict[str, tuple[float, int]] = {}  # end of the delay and number of failures, by name

    def put_off(self, name: str) -> None:
        """Record a failure of *name*, which doubles its delay."""
        _, failures = self._waits.pop(name, (0.0, 0))
        self._waits[name] = self._now() + self._backoff.seconds(failures + 1), failures + 1
        if len(self._waits) > self._limit:
            del self._waits[next(iter(self._waits))]

    def is_put_off(self, name: str) -> bool:
        """Return whether it is too early to retry *name*."""
        return name in self._waits and self._now() < self._waits[name][0]

    def works(self, name: str) -> None:
        """Forget the failures of *name* after a success."""
        self._waits.pop(name, None)

    def next_try(self, latest: float) -> float:
        """Return the time of the first retry, or *latest* if that is earlier; by the monotonic clock."""
        return min((until for until, _ in self._waits.values() if until > self._now()), default=latest)
