"""Limits how often people may send commands. Pure; times are monotonic seconds.

Each person and each room has a window, which begins with its first command and lasts a minute. Only allowed commands
count, and they count in both windows. One person can therefore not use up a room's limit, and memory is bounded by the
commands allowed in the last minute, however many people come and go.

If the homeserver accepts fewer messages than people request, answers may have to wait. A person or room with as many
unsent answers as a window allows is therefore over the limit, too, until the next window. This bounds the number of
unsent answers per person and per room, and so their waiting time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bot.ids import RoomId, UserId

WINDOW_SECONDS = 60.0
_SWEEP_AT = 1_024  # number of windows at which expired ones are dropped
_Key = TypeVar("_Key", UserId, RoomId)


@dataclass(slots=True)
class _Window:
    """The commands allowed since *begins*; *told* is true once a command over the limit was reported."""

    begins: float
    count: int = 0
    told: bool = False

    def is_over(self, now: float) -> bool:
        return now - self.begins >= WINDOW_SECONDS


@dataclass(slots=True)
class RateLimits:
    """The windows of all people and rooms of the last minute."""

    per_user: int
    per_room: int
    _users: dict[UserId, _Window] = field(default_factory=dict)
    _rooms: dict[RoomId, _Window] = field(default_factory=dict)
    _sweep_at: int = _SWEEP_AT

    def __len__(self) -> int:
        """Return the number of windows in memory."""
        return len(self._users) + len(self._rooms)

    def allow(self, user: UserId, room: RoomId, now: float) -> bool:
        """Return whether one more command of *user* in *room* may be answered."""
        return self._full(user, room, now) is None

    def count(self, user: UserId, room: RoomId, now: float) -> None:
        """Count a command of *user* in *room* that was allowed."""
        if len(self) >= self._sweep_at:
            self._sweep(now)
        _window(self._users, user, now).count += 1
        _window(self._rooms, room, now).count += 1

    def hold_back(self, people: Mapping[UserId, int], rooms: Mapping[RoomId, int], now: float) -> frozenset[RoomId]:
        """Fill the windows of people and rooms with too many unsent answers; return the rooms that exceed the limit."""
        for user, count in people.items():
            if count >= self.per_user:
                window = _window(self._users, user, now)
                window.count = max(window.count, self.per_user)
        for room, count in rooms.items():
            if count >= self.per_room:
                window = _window(self._rooms, room, now)
                window.count = max(window.count, self.per_room)
        return frozenset(room for room, count in rooms.items() if count > self.per_room)

    def is_first_over(self, user: UserId, room: RoomId, now: float) -> bool:
        """Return whether a command that is not allowed is the first such one in its window, and remember it."""
        full = self._full(user, room, now)
        if full is None or full.told:
            return False
        full.told = True
        return True

    def _full(self, user: UserId, room: RoomId, now: float) -> _Window | None:
        """Return the window that has reached its limit, or None if neither has."""
        for window, limit in ((self._users.get(user), self.per_user), (self._rooms.get(room), self.per_room)):
            if window is not None and not window.is_over(now) and window.count >= limit:
                return window
        return None

    def _sweep(self, now: float) -> None:
        self._users = {user: window for user, window in self._users.items() if not window.is_over(now)}
        self._rooms = {room: window for room, window in self._rooms.items() if not window.is_over(now)}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self))


def _window(windows: dict[_Key, _Window], key: _Key, now: float) -> _Window:
    """Return the current window of *key*, a new one if it has none or its last one is over."""
    window = windows.get(key)
    if window is None or window.is_over(now):
        window = windows[key] = _Window(now)
    return window
