"""What the cryptography cannot handle: errors of vodozemac as one error, and faults that wait to be recorded."""

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
    """Something that could not be handled: what kind of thing, which, and why."""

    kind: str
    name: str
    reason: str | Exception


class Faults:
    """Those that nobody has taken yet; added in one thread, taken in another."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque(maxlen=_MOST)

    def add(self, kind: str, name: str, reason: str | Exception) -> None:
        """One more; the oldest is dropped where nobody takes them."""
        self._waiting.append(Fault(kind, name, reason))

    def taken(self) -> Iterator[Fault]:
        """Each of them once, the oldest first."""
        while self._waiting:
            yield self._waiting.popleft()


class CryptoRefused(BotError):
    """Keys or a message of somebody else that the cryptography cannot be done with."""


@contextmanager
def refusing() -> Iterator[None]:
    """Turn every error of vodozemac into `CryptoRefused`.

    Its errors are `ValueError`; numbers that do not fit are `OverflowError`. A panic of the library is no `Exception`,
    so that nothing else would catch it: an ed25519 key of 33 bytes causes one in version 0.10.
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
    """Whether a panic of Rust code was raised; its class cannot be imported."""
    return type(error).__name__ == "PanicException"
