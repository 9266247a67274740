"""What the cryptography could not handle, until somebody records it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

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
