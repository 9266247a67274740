"""Power levels and members of the homeserver's rooms: implements the ports `RoomRights` and `BotRooms`."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace

import structlog

from bot.commands.rights import DEFAULT_LEVEL, STATE_TYPE, RightsDecision, RoomText
from bot.errors import TransportError
from bot.ids import EventId, RoomId, TxnId, UserId
from bot.matrix import requests, wire
from bot.matrix.client import MatrixClient
from bot.matrix.rooms import Levels, Room
from bot.matrix.session import Session

_PRESENT = frozenset({"join", "invite", "knock"})
_log = structlog.get_logger(__name__)


class MatrixRoomRights:
    """The rights in the rooms of a session; power levels are requested again for each decision."""

    def __init__(self, admins: Collection[UserId]) -> None:
        self._admins = frozenset(admins)
        self._home: tuple[MatrixClient, Session] | None = None

    def open(self, client: MatrixClient, session: Session) -> None:
        """Start to use *client* and *session*."""
        self._home = client, session

    def is_admin(self, user: UserId) -> bool:
        """Return whether *user* is an admin of the bot."""
        return user in self._admins

    async def may_change(self, room: RoomId, user: UserId) -> RightsDecision:
        """Return whether *user* may change subscriptions, by the current power levels, or the last known ones."""
        client, session = await self._at_home()
        seen = session.rooms.get(room) or Room(room)
        try:
            seen = replace(seen, levels=Levels.of(await client.state(room, "m.room.power_levels")))
        except TransportError as error:
            _log.info("power_levels.outdated", room=room, reason=str(error))
        needed = seen.level_to_set(STATE_TYPE, DEFAULT_LEVEL)
        return RightsDecision(needed, seen.level(user), self.is_admin(user))

    async def rooms(self) -> Mapping[RoomId, str]:
        """Return all rooms except direct chats, with the canonical alias of each, its name, or ""."""
        _, session = await self._at_home()
        return {
            room.id: room.canonical_alias or room.name or "" for room in session.rooms.values() if not room.is_direct
        }

    async def text_of(self, room: RoomId) -> RoomText:
        """Return the name of a room with the localpart of its alias, and its topic."""
        _, session = await self._at_home()
        seen = session.rooms.get(room) or Room(room)
        local = (seen.canonical_alias or "").partition(":")[0]
        return RoomText(" ".join(filter(None, [seen.name, local])), seen.topic or "")

    async def room_of(self, name: str) -> RoomId:
        """Return the room with an alias; anything else is an id."""
        client, _ = await self._at_home()
        return await client.resolve(name) if name.startswith("#") else RoomId(name)

    async def leave(self, room: RoomId) -> None:
        """Leave a room; do nothing if we are not in it."""
        client, _ = await self._at_home()
        await client.leave(room)

    async def companions(self, room: RoomId) -> frozenset[UserId]:
        """Return the users besides the bot who are in a room now or are invited there, as the homeserver tells."""
        client, _ = await self._at_home()
        found = wire.members(await client.ask(requests.members(room)))
        return frozenset(user for user, membership in found.items() if membership in _PRESENT) - {client.user}

    async def redact(self, room: RoomId, event: EventId) -> bool:
        """Redact a message, and return whether that was done."""
        client, _ = await self._at_home()
        txn = TxnId(f"redact-{hashlib.sha256(event.encode()).hexdigest()[:32]}")
        try:
            await client.ask(requests.redact(room, event, txn))
        except TransportError as error:
            _log.warning("message.not_redacted", room=room, message=event, reason=str(error))
            return False
        return True

    async def _at_home(self) -> tuple[MatrixClient, Session]:
        """Wait for the first sync, because before it the creators of rooms are unknown."""
        assert self._home is not None, "nothing is answered before the session"  # noqa: S101  # ensured by `run_bot`
        await self._home[1].has_synced()
        return self._home
