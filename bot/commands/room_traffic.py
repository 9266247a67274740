"""Remembers in which rooms people are talking. Pure; times are monotonic seconds."""

from collections import OrderedDict, deque
from typing import Final

from bot.ids import RoomId, UserId

BUSY_MESSAGES: Final = 3  # of others than the person who asks
BUSY_SECONDS: Final = 300.0
_MOST_MESSAGES: Final = 10  # remembered of a room
_MOST_ROOMS: Final = 1_000


class RoomTraffic:
    """The latest messages in each room that were not for the bot; it forgets the rooms that are quiet for longest."""

    def __init__(self) -> None:
        self._latest: OrderedDict[RoomId, deque[tuple[UserId, float]]] = OrderedDict()

    def count(self, room: RoomId, sender: UserId, now: float) -> None:
        """Remember a message."""
        self._latest.setdefault(room, deque(maxlen=_MOST_MESSAGES)).append((sender, now))
        self._latest.move_to_end(room)
        while len(self._latest) > _MOST_ROOMS:
            self._latest.popitem(last=False)

    def is_busy(self, room: RoomId, user: UserId, now: float) -> bool:
        """Return whether others than *user* talked in a room within the last minutes."""
        messages = self._latest.get(room, ())
        return sum(sender != user and now - at < BUSY_SECONDS for sender, at in messages) >= BUSY_MESSAGES
