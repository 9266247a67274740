"""How long to wait before something that failed is tried again: the one formula, and what goes by it.

A wait doubles with each failure in a row. Where many fail at the same moment, because their server does, chance takes
a part of it off, so that they do not all come back at once. What a server asks for counts where it is longer.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_MOST_DOUBLINGS = 12


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from *first* to *longest*; chance takes off *jitter* of each at most, a part from 0 to 1."""

    first: timedelta
    longest: timedelta
    jitter: float = 0.0

    def wait(self, failures: int, asked: timedelta | None = None) -> timedelta:
        """Return how long to wait after *failures* in a row (1 or more), at least as long as the server *asked* for."""
        doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
        wait = min(self.first * (1 << doublings), self.longest)
        if self.jitter:
            wait *= 1 - self.jitter * random.random()  # noqa: S311  # spreads load, no secret
        return max(wait, asked or timedelta())

    def seconds(self, failures: int, asked: timedelta | None = None) -> float:
        """Return `wait` in seconds."""
        return self.wait(failures, asked).total_seconds()


USUAL: Final = Backoff(timedelta(seconds=2), timedelta(minutes=15))  # what is kept in the store, or asked for by itself
JOBS: Final = Backoff(timedelta(seconds=2), timedelta(seconds=30))  # what runs at intervals, or when it is due
POLLS: Final = Backoff(timedelta(seconds=2), timedelta(minutes=15), jitter=0.5)
SYNCS: Final = Backoff(timedelta(seconds=2), timedelta(minutes=1), jitter=0.25)
PROJECTS: Final = Backoff(timedelta(minutes=1), timedelta(minutes=15))  # those that a server does not show
DEVICES: Final = Backoff(timedelta(minutes=5), timedelta(hours=1))  # those that keys cannot be given to
LONGEST_ASKED: Final = timedelta(hours=1)  # that a homeserver's wish counts for


def next_attempt(attempts: int, now: datetime, retry_after: timedelta | None) -> datetime:
    """Return when to try again what the homeserver did not take.

    *retry_after*, the server's own wish, wins when longer than the usual wait, up to an hour. *attempts* counts those
    already made (1 or more); times are UTC.
    """
    return now + USUAL.wait(attempts, min(retry_after or timedelta(), LONGEST_ASKED))


class RetryTimes:
    """The waits of many things by name, by the monotonic clock *now*; kept in memory, the newest *most* of them."""

    def __init__(self, now: Callable[[], float], backoff: Backoff, most: int) -> None:
        self._now = now
        self._backoff = backoff
        self._most = most
        self._waits: dict[str, tuple[float, int]] = {}  # what: until when, and after how many failures

    def put_off(self, name: str) -> None:
        """Wait for *name*, which did not work, longer than the last time."""
        _, failures = self._waits.pop(name, (0.0, 0))
        self._waits[name] = self._now() + self._backoff.seconds(failures + 1), failures + 1
        if len(self._waits) > self._most:
            del self._waits[next(iter(self._waits))]

    def is_put_off(self, name: str) -> bool:
        """Return whether it is too early to try *name* again."""
        return name in self._waits and self._now() < self._waits[name][0]

    def works(self, name: str) -> None:
        """Forget the failures of *name*, which worked."""
        self._waits.pop(name, None)

    def next_try(self, latest: float) -> float:
        """Return when the first of all waits is over, *latest* at the latest; by the monotonic clock."""
        return min((until for until, _ in self._waits.values() if until > self._now()), default=latest)
