"""What did not work with somebody else's homeserver or device, and when to try it again."""

from collections.abc import Callable

FIRST_SECONDS = 300.0
LONGEST_SECONDS = 3_600.0
MOST = 100_000


class Patience:
    """Waits that double while something does not work, by the monotonic clock *now*; kept in memory."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waits: dict[str, tuple[float, float]] = {}  # what: until when, and how long that was

    def put_off(self, name: str) -> None:
        """It did not work: wait twice as long as the last time."""
        _, last = self._waits.pop(name, (0.0, FIRST_SECONDS / 2))
        seconds = min(last * 2, LONGEST_SECONDS)
        self._waits[name] = self._now() + seconds, seconds
        if len(self._waits) > MOST:
            del self._waits[next(iter(self._waits))]

    def is_put_off(self, name: str) -> bool:
        """Whether it is too early to try again."""
        return name in self._waits and self._now() < self._waits[name][0]

    def works(self, name: str) -> None:
        """It worked."""
        self._waits.pop(name, None)

    def next_try(self, latest: float) -> float:
        """When the first of all waits is over, *latest* at the latest; by the monotonic clock."""
        return min((until for until, _ in self._waits.values() if until > self._now()), default=latest)
