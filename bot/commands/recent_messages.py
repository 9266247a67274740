"""Remembers how many messages the rooms had lately. Pure; times are monotonic seconds.

What is remembered begins with the process. It is complete from a moment on, which moves when a quiet room is forgotten.
"""

from collections import OrderedDict, deque
from typing import Final

from bot.ids import RoomId

LATEST: Final = 50  # messages of a room, in which its members see a card again by themselves
_MOST_ROOMS: Final = 1_000


class RecentMessages:
    """When the latest messages of people came to each room."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._latest: OrderedDict[RoomId, deque[float]] = OrderedDict()

    def count(self, room: RoomId, now: float) -> None:
        """Remember a message."""
        self._latest.setdefault(room, deque(maxlen=LATEST)).append(now)
        self._latest.move_to_end(room)
        while len(self._latest) > _MOST_ROOMS:
            _, times = self._latest.popitem(last=False)
            self._began = max(self._began, times[-1])

    def since(self, room: RoomId, moment: float) -> int:
        """Return how many messages came to a room after *moment*, at most `LATEST`."""
        return sum(at > moment for at in self._latest.get(room, ()))

    def is_complete_since(self, moment: float) -> bool:
        """Return whether all messages after *moment* were counted."""
        return moment >= self._began
