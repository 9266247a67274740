"""The `Rights` and `BotRooms` ports: who may change what a room hears, and which rooms we are in; both in memory."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bot.ids import RoomId, UserId

STATE_TYPE = "org.patchbot.subscription"  # whoever may set this state of a room may change its subscriptions
DEFAULT_LEVEL = 50  # where the room says nothing of that type


@dataclass(frozen=True, slots=True)
class RightsDecision:
    """Whether somebody may change a room's subscriptions: the power level that it needs, and the one they have."""

    needed: int
    has: int
    is_admin: bool = False  # of the bot; levels do not matter then

    @property
    def allowed(self) -> bool:
        """Whether they may."""
        return self.is_admin or self.has >= self.needed


class Rights(Protocol):
    """Who may do what."""

    def is_admin(self, user: UserId) -> bool:
        """Whether *user* is an admin of the bot."""

    async def may_change(self, room: RoomId, user: UserId) -> RightsDecision:
        """Whether *user* may change the subscriptions of *room* at this moment."""


class BotRooms(Protocol):
    """The rooms that we are in."""

    async def rooms(self) -> Mapping[RoomId, str]:
        """The rooms but for direct chats, with the alias of each, or else its name, or ""."""

    async def room_of(self, name: str) -> RoomId:
        """The room behind an alias or id.

        Raises:
            TransportError: there is none, or nobody could tell.
        """

    async def leave(self, room: RoomId) -> None:
        """Go out of a room; not to be there is as good.

        Raises:
            TransportError: it did not work.
        """


class RoomRights(Rights, BotRooms, Protocol):
    """Both."""


@dataclass
class MemoryRoomRights:
    """Rooms in memory, for the demo, tests and dry runs; who has no level there has none of their own."""

    admins: Collection[UserId] = ()
    levels: dict[tuple[RoomId, UserId], int] = field(default_factory=dict)
    needed: int = DEFAULT_LEVEL
    joined: dict[RoomId, str] = field(default_factory=dict)

    def is_admin(self, user: UserId) -> bool:
        """Whether *user* is an admin of the bot."""
        return user in self.admins

    async def may_change(self, room: RoomId, user: UserId) -> RightsDecision:
        """By the levels that are known now."""
        return RightsDecision(self.needed, self.levels.get((room, user), 0), self.is_admin(user))

    async def rooms(self) -> Mapping[RoomId, str]:
        """The rooms, with the alias of each, or ""."""
        return dict(self.joined)

    async def room_of(self, name: str) -> RoomId:
        """The room with that alias; anything else is an id."""
        return next((room for room, alias in self.joined.items() if alias == name), RoomId(name))

    async def leave(self, room: RoomId) -> None:
        """Be in it no more."""
        self.joined.pop(room, None)
