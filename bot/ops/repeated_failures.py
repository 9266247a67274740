"""What fails again and again: told once, and tried later and later. Pure; times are monotonic seconds."""

import traceback
from dataclasses import dataclass

from bot.backoff import JOBS
from bot.errors import BotError


@dataclass(slots=True)
class RepeatedFailure:
    """How something that is tried again and again fails; *failures* in a row, the last as *known*."""

    failures: int = 0
    known: tuple[str, ...] = ()
    not_before: float = 0.0

    def is_news(self, error: Exception) -> bool:
        """Count a failure; whether it is another one than the last."""
        before, self.known = self.known, tuple(_kinds(error))
        self.failures += 1
        return before != self.known

    def wait(self, now: float) -> None:
        """Not again before a while has passed: 2 s, doubling to half a minute."""
        self.not_before = now + JOBS.seconds(self.failures)

    def ended(self) -> int:
        """It is well again; how many failures went before."""
        failures = self.failures
        self.failures, self.known, self.not_before = 0, (), 0.0
        return failures


def _kinds(error: BaseException) -> list[str]:
    """What tells failures from each other: our own by what they say, a fault of the program by its place.

    The words of a fault may differ each time, by a number or a time in them.
    """
    if isinstance(error, BaseExceptionGroup):
        return sorted({kind for each in error.exceptions for kind in _kinds(each)})
    if isinstance(error, BotError):
        return [f"{type(error).__name__}: {error}"]
    places = traceback.extract_tb(error.__traceback__)
    return [f"{type(error).__name__} at {places[-1].filename}:{places[-1].lineno}" if places else type(error).__name__]
