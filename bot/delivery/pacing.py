"""How fast the bot may speak: a token bucket per bot user, taught by the homeserver's refusals. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """A bucket of *burst* tokens that fills at *per_second*; times are monotonic seconds."""

    per_second: float
    burst: float
    tokens: float
    at: float

    @classmethod
    def full(cls, per_second: float, burst: float, now: float) -> "Pace":
        """A bucket that was left alone for long."""
        return cls(per_second, burst, burst, now)

    def available(self, now: float) -> int:
        """How many messages may go now."""
        self._fill(now)
        return int(self.tokens + 1e-9)

    def take(self, count: int, now: float) -> None:
        """*count* messages go."""
        self._fill(now)
        self.tokens -= count

    def refused(self, retry_after: float, now: float) -> None:
        """The homeserver knows better: nothing for *retry_after* seconds, then one."""
        self._fill(now)
        self.tokens = min(self.tokens, 1.0 - retry_after * self.per_second)

    def wait(self, now: float) -> float:
        """Seconds until the next message may go."""
        self._fill(now)
        return max(0.0, (1.0 - self.tokens) / self.per_second)

    def _fill(self, now: float) -> None:
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.per_second)
        self.at = max(self.at, now)
