"""How many requests a server gets for rechecks: 60 within any hour, and none is made beyond that."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from bot.clock import Clock

REQUESTS_AN_HOUR: Final = 60
_HOUR: Final = timedelta(hours=1)


class OverBudget(Exception):
    """A request would be one too many; *until* is when it is not (UTC)."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"not before {until}")
        self.until = until


class Budget:
    """The requests for rechecks that one server got within the last hour, `REQUESTS_AN_HOUR` at most."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: deque[datetime] = deque()
        self._unsaved = 0

    def restore(self, made: Iterable[tuple[datetime, int]]) -> None:
        """Count what an earlier process did: how many requests, at which times."""
        self._made.extend(sorted(at for at, requests in made for _ in range(requests)))

    @property
    def left(self) -> int:
        """How many requests may be made now."""
        now = self._clock.now()
        while self._made and not abs(now - self._made[0]) < _HOUR:  # a clock that was set back holds nothing up
            self._made.popleft()
        return max(REQUESTS_AN_HOUR - len(self._made), 0)

    def see_to(self, requests: int) -> None:
        """See that so many requests may be made, 1 or more.

        Raises:
            OverBudget: they may not.
        """
        missing = requests - self.left
        if missing > 0:
            raise OverBudget(self._made[missing - 1] + _HOUR)

    def spend(self) -> None:
        """Count a request that is made now.

        Raises:
            OverBudget: it is not to be made.
        """
        self.see_to(1)
        self._made.append(self._clock.now())
        self._unsaved += 1

    def take_unsaved(self) -> int:
        """How many requests were made since this was last asked, to be kept in the store."""
        unsaved, self._unsaved = self._unsaved, 0
        return unsaved
