"""Members of encrypted rooms who may read new messages, and rooms known to be unencrypted.

A list of members is requested when it is first needed, and then kept up to date from the member events of each sync;
those of syncs during the request override the response, so frequent joins and leaves never delay a message. If a sync
leaves events out, member events may be among them, so the list is requested again.
"""

from bot.errors import Forbidden, Temporary
from bot.ids import RoomId, UserId
from bot.matrix import requests, wire
from bot.matrix.identity import Ask
from bot.matrix.model import Content, Event, SyncAnswer

_ENCRYPTION, _VISIBILITY = "m.room.encryption", "m.room.history_visibility"
_USUAL_VISIBILITY = "shared"  # the default (specification, "Room History Visibility")
_OPEN_TO_LATER = frozenset({"shared", "world_readable"})


class Rosters:
    """The members of encrypted rooms."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._clear: set[RoomId] = set()
        self._encrypted: set[RoomId] = set()  # overrides a response that says otherwise
        self._visibility: dict[RoomId, str] = {}
        self._members: dict[RoomId, dict[UserId, str]] = {}
        self._member_updates: dict[RoomId, dict[UserId, str]] = {}  # updates to member lists that are being requested

    def is_clear(self, room: RoomId) -> bool:
        """Return whether a room is known to be unencrypted."""
        return room in self._clear and room not in self._encrypted

    async def rules(self, room: RoomId) -> Content | None:
        """Return the encryption event of a room from the homeserver; None without one. Raises as `Chat.send` does."""
        rules = await self._state(room, _ENCRYPTION)
        if rules is None:
            self._clear.add(room)
        return rules

    async def readers(self, room: RoomId) -> tuple[UserId, ...]:
        """Return the members of a room, and the invited users if they may read messages from before their join."""
        if room not in self._visibility:
            content = await self._state(room, _VISIBILITY)
            self._visibility[room] = _visibility(content or {})
        members = self._members.get(room) or await self._fetch_members(room)
        memberships = {"join"} if self._visibility[room] == "joined" else {"join", "invite"}
        return tuple(user for user, membership in members.items() if membership in memberships)

    def shares_history(self, room: RoomId) -> bool:
        """Return whether later members may read new messages; False before `readers` was called for the room."""
        return self._visibility.get(room) in _OPEN_TO_LATER

    async def _fetch_members(self, room: RoomId) -> dict[UserId, str]:
        """Request the list of members, and store it with later updates, unless a sync left out events."""
        news = self._member_updates[room] = {}
        try:
            members = dict(wire.members(await self._ask(requests.members(room))))
        finally:
            is_whole = self._member_updates.pop(room, None) is news
        if not is_whole:
            raise Temporary("a sync left out events while the members were requested")
        self._members[room] = members | news
        return self._members[room]

    def update(self, answer: SyncAnswer, *, whole: bool) -> dict[RoomId, Content]:
        """Apply the updates of a sync, and return the encryption events in it by room.

        *whole* is true if it contains the state of every room.
        """
        encrypted: dict[RoomId, Content] = {}
        for left in answer.left:
            self._forget_members(left.room)
        for joined in answer.joined:
            if joined.limited:
                self._forget_members(joined.room)
            for event in (*joined.state, *joined.timeline):
                if event.type == _ENCRYPTION and event.state_key == "":
                    encrypted[joined.room] = event.content
                self._note(joined.room, event)
            if whole and not joined.is_partial and joined.room not in encrypted:
                self._clear.add(joined.room)
        self._encrypted.update(encrypted)
        return encrypted

    def _forget_members(self, room: RoomId) -> None:
        """Drop the member list of a room, and the result of a running request for it."""
        self._members.pop(room, None)
        self._member_updates.pop(room, None)

    def _note(self, room: RoomId, event: Event) -> None:
        membership = event.content.get("membership")
        if event.type == _VISIBILITY and event.state_key == "":
            self._visibility[room] = _visibility(event.content)
        elif event.type == "m.room.member" and event.state_key is not None and isinstance(membership, str):
            for members in (self._members.get(room), self._member_updates.get(room)):
                if members is not None:
                    members[UserId(event.state_key)] = membership

    async def _state(self, room: RoomId, kind: str) -> Content | None:
        """Return the content of a state event; None if there is none."""
        try:
            return await self._ask(requests.state(room, kind))
        except Forbidden as error:
            if "M_NOT_FOUND" in str(error):
                return None
            raise


def _visibility(content: Content) -> str:
    visibility = content.get("history_visibility")
    return visibility if isinstance(visibility, str) else _USUAL_VISIBILITY
