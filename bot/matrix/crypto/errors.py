"""Errors of the cryptography: those of vodozemac as one class, and faults to be recorded as incidents."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.errors import BotError

DEVICE_LEFT_OUT = "encryption.device_left_out"
MESSAGE_REFUSED = "encryption.message_refused"
REQUEST_REFUSED = "encryption.request_refused"
_MOST = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """An error with one device or message: its kind, the device or user, and the reason."""

    kind: str
    name: str
    reason: str | Exception


class Faults:
    """The faults not yet recorded; added in one thread, and removed in another."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque(maxlen=_MOST)

    def add(self, kind: str, name: str, reason: str | Exception) -> None:
        """Add a fault; drop the oldest one if there are too many."""
        self._waiting.append(Fault(kind, name, reason))

    def take_all(self) -> Iterator[Fault]:
        """Yield each fault once, the oldest first, and remove it."""
        while self._waiting:
            yield self._waiting.popleft()


class CryptoRefused(BotError):
    """Keys or a message of another device that cannot be used."""


@contextmanager
def refusing() -> Iterator[None]:
    """Turn every error of vodozemac into `CryptoRefused`.

    Its errors are `ValueError`; numbers out of range are `OverflowError`. A panic of the library is not an `Exception`,
    so no other handler would catch it: an ed25519 key of 33 bytes causes one in version 0.10.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CryptoRefused(str(error)) from error
    except BaseException as error:
        if not _is_panic(error):
            raise
        raise CryptoRefused(f"the library panicked: {error}") from error


def _is_panic(error: BaseException) -> bool:
    """Return whether *error* is a panic of Rust code, whose class cannot be imported."""
    return type(error).__name__ == "PanicException"
