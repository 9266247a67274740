"""Defines the ports `Rights` (permission to change subscriptions) and `BotRooms`, and an implementation in memory."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bot.ids import EventId, RoomId, UserId

STATE_TYPE = "org.patchbot.subscription"  # whoever may set this state of a room may change its subscriptions
DEFAULT_LEVEL = 50  # where the room says nothing of that type


@dataclass(frozen=True, slots=True)
class RoomText:
    """What a room says of itself: its name, with its alias, and its topic; "" where there is none."""

    name: str = ""
    topic: str = ""


@dataclass(frozen=True, slots=True)
class RightsDecision:
    """The power level needed to change a room's subscriptions, and the level that a person has."""

    needed: int
    has: int
    is_admin: bool = False  # of the bot; levels do not matter then

    @property
    def allowed(self) -> bool:
        """True if the person may change the subscriptions."""
        return self.is_admin or self.has >= self.needed


class Rights(Protocol):
    """The permissions of people."""

    def is_admin(self, user: UserId) -> bool:
        """Return whether *user* is an admin of the bot."""

    async def may_change(self, room: RoomId, user: UserId) -> RightsDecision:
        """Return whether *user* may change the subscriptions of *room* now, with the power levels involved."""


class BotRooms(Protocol):
    """The rooms that the bot is in."""

    async def rooms(self) -> Mapping[RoomId, str]:
        """Return all rooms except direct chats, each with its alias, or else its name, or ""."""

    async def text_of(self, room: RoomId) -> RoomText:
        """Return the name and topic of a room, as far as they are known."""

    async def room_of(self, name: str) -> RoomId:
        """Return the room with this alias or id.

        Raises:
            TransportError: there is no such room, or the homeserver could not resolve it.
        """

    async def leave(self, room: RoomId) -> None:
        """Leave a room; this succeeds if the bot is not in it.

        Raises:
            TransportError: the room could not be left.
        """


class ChatPrivacy(Protocol):
    """The people in a room, and the redaction of what they said there."""

    async def companions(self, room: RoomId) -> frozenset[UserId]:
        """Return the users besides the bot who are in a room now, or are invited there.

        Raises:
            TransportError: the homeserver could not tell.
        """

    async def redact(self, room: RoomId, event: EventId) -> bool:
        """Redact somebody's message, and return whether that was done; the bot may not be allowed to."""


class RoomRights(Rights, BotRooms, ChatPrivacy, Protocol):
    """The permissions of people, and the rooms that the bot is in."""


@dataclass
class MemoryRoomRights:
    """Rooms and power levels in memory, for the demo, tests and dry runs; a missing level is 0."""

    admins: Collection[UserId] = ()
    levels: dict[tuple[RoomId, UserId], int] = field(default_factory=dict)
    needed: int = DEFAULT_LEVEL
    joined: dict[RoomId, str] = field(default_factory=dict)
    people: dict[RoomId, frozenset[UserId]] = field(default_factory=dict)
    may_redact: bool = True
    redacted: list[tuple[RoomId, EventId]] = field(default_factory=list)
    topics: dict[RoomId, str] = field(default_factory=dict)

    def is_admin(self, user: UserId) -> bool:
        """Return whether *user* is an admin of the bot."""
        return user in self.admins

    async def may_change(self, room: RoomId, user: UserId) -> RightsDecision:
        """Return the decision by the levels in memory."""
        return RightsDecision(self.needed, self.levels.get((room, user), 0), self.is_admin(user))

    async def rooms(self) -> Mapping[RoomId, str]:
        """Return the rooms, each with its alias or ""."""
        return dict(self.joined)

    async def text_of(self, room: RoomId) -> RoomText:
        """Return the alias as the name, and the topic in memory."""
        return RoomText(self.joined.get(room, ""), self.topics.get(room, ""))

    async def room_of(self, name: str) -> RoomId:
        """Return the room with this alias; any other name is taken for an id."""
        return next((room for room, alias in self.joined.items() if alias == name), RoomId(name))

    async def leave(self, room: RoomId) -> None:
        """Remove the room."""
        self.joined.pop(room, None)

    async def companions(self, room: RoomId) -> frozenset[UserId]:
        """Return the people in memory."""
        return self.people.get(room, frozenset())

    async def redact(self, room: RoomId, event: EventId) -> bool:
        """Note the redaction, if redactions are allowed."""
        if self.may_redact:
            self.redacted.append((room, event))
        return self.may_redact
