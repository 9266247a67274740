"""Tracks a task that fails repeatedly: each new kind of failure is logged once, retries back off. Pure.

Times are monotonic seconds.
"""

import traceback
from dataclasses import dataclass

from bot.backoff import JOBS
from bot.errors import BotError


@dataclass(slots=True)
class RepeatedFailure:
    """The state of a task that is retried: *failures* in a row, the last one described by *known*."""

    failures: int = 0
    known: tuple[str, ...] = ()
    not_before: float = 0.0

    def is_news(self, error: Exception) -> bool:
        """Count a failure, and return whether it differs from the last one."""
        before, self.known = self.known, tuple(_kinds(error))
        self.failures += 1
        return before != self.known

    def wait(self, now: float) -> None:
        """Delay the next attempt: by 2 s, doubling to half a minute."""
        self.not_before = now + JOBS.seconds(self.failures)

    def ended(self) -> int:
        """Reset after a success, and return the number of failures before it."""
        failures = self.failures
        self.failures, self.known, self.not_before = 0, (), 0.0
        return failures


def _kinds(error: BaseException) -> list[str]:
    """Return what identifies a failure: the text of the bot's own errors, the source line of any other.

    The text of other exceptions may differ each time, because it may contain numbers or times.
    """
    if isinstance(error, BaseExceptionGroup):
        return sorted({kind for each in error.exceptions for kind in _kinds(each)})
    if isinstance(error, BotError):
        return [f"{type(error).__name__}: {error}"]
    places = traceback.extract_tb(error.__traceback__)
    return [f"{type(error).__name__} at {places[-1].filename}:{places[-1].lineno}" if places else type(error).__name__]
