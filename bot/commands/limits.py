"""How often people may ask. Pure; times are monotonic seconds.

A person and a room have a window each, which begins with the first command in it and lasts a minute. Only what is let
through counts, in both: so one person cannot use up a room's share, and what is remembered is bounded by what was let
through in the last minute, however many people come and go.

An answer may wait long to be sent where the homeserver allows less than people ask for. So whoever has as many unsent
answers as a window holds is over the limit, too, until the next window: that bounds what waits for a person and in a
room, and so how long it waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bot.ids import RoomId, UserId

WINDOW_SECONDS = 60.0
_SWEEP_AT = 1_024  # windows; those that are over are forgotten then, at the latest
_Key = TypeVar("_Key", UserId, RoomId)


@dataclass(slots=True)
class _Window:
    """What happened since *begins*."""

    begins: float
    count: int = 0
    told: bool = False

    def is_over(self, now: float) -> bool:
        return now - self.begins >= WINDOW_SECONDS


@dataclass(slots=True)
class RateLimits:
    """The windows of all who asked in the last minute."""

    per_user: int
    per_room: int
    _users: dict[UserId, _Window] = field(default_factory=dict)
    _rooms: dict[RoomId, _Window] = field(default_factory=dict)
    _sweep_at: int = _SWEEP_AT

    def __len__(self) -> int:
        """How many windows are remembered."""
        return len(self._users) + len(self._rooms)

    def allow(self, user: UserId, room: RoomId, now: float) -> bool:
        """Whether one more command of *user* in *room* may be answered."""
        return self._full(user, room, now) is None

    def count(self, user: UserId, room: RoomId, now: float) -> None:
        """A command of *user* in *room*, which is allowed, is answered."""
        if len(self) >= self._sweep_at:
            self._sweep(now)
        _window(self._users, user, now).count += 1
        _window(self._rooms, room, now).count += 1

    def hold_back(self, people: Mapping[UserId, int], rooms: Mapping[RoomId, int], now: float) -> frozenset[RoomId]:
        """Fill the windows of those with as many unsent answers as one holds; return the rooms with even more."""
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
        """Whether a command that is not allowed is the first in its window; the next one is not."""
        full = self._full(user, room, now)
        if full is None or full.told:
            return False
        full.told = True
        return True

    def _full(self, user: UserId, room: RoomId, now: float) -> _Window | None:
        """The window that has no room for one more; None where both have."""
        for window, limit in ((self._users.get(user), self.per_user), (self._rooms.get(room), self.per_room)):
            if window is not None and not window.is_over(now) and window.count >= limit:
                return window
        return None

    def _sweep(self, now: float) -> None:
        self._users = {user: window for user, window in self._users.items() if not window.is_over(now)}
        self._rooms = {room: window for room, window in self._rooms.items() if not window.is_over(now)}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self))


def _window(windows: dict[_Key, _Window], key: _Key, now: float) -> _Window:
    """The window of *key*, a new one where it has none or that is over."""
    window = windows.get(key)
    if window is None or window.is_over(now):
        window = windows[key] = _Window(now)
    return window
