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
_USUAL_VISIBILITY = "shared"  # specification, "Room History Visibility"
_OPEN_TO_LATER = frozenset({"shared", "world_readable"})


class Rosters:
    """The members of encrypted rooms."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._clear: set[RoomId] = set()
        self._encrypted: set[RoomId] = set()  # overrides a response that says otherwise
        self._visibility: dict[RoomId, str] = {}
        self._members: dict[RoomId, dict[UserId, str]] = {}
        self._news: dict[RoomId, dict[UserId, str]] = {}  # updates to member lists that are being requested

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
            told = await self._state(room, _VISIBILITY)
            self._visibility[room] = _visibility(told or {})
        members = self._members.get(room) or await self._told_members(room)
        wanted = {"join"} if self._visibility[room] == "joined" else {"join", "invite"}
        return tuple(user for user, membership in members.items() if membership in wanted)

    def shares_history(self, room: RoomId) -> bool:
        """Return whether later members may read new messages; False before `readers` was called for the room."""
        return self._visibility.get(room) in _OPEN_TO_LATER

    async def _told_members(self, room: RoomId) -> dict[UserId, str]:
        """Request the list of members, and store it with the updates since, unless a sync left some out."""
        news = self._news[room] = {}
        try:
            members = dict(wire.members(await self._ask(requests.members(room))))
        finally:
            is_whole = self._news.pop(room, None) is news
        if not is_whole:
            raise Temporary("not all was told of who came and went just now")
        self._members[room] = members | news
        return self._members[room]

    def hear(self, answer: SyncAnswer, *, whole: bool) -> dict[RoomId, Content]:
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
        """Drop the members of a room, and a running request for them."""
        self._members.pop(room, None)
        self._news.pop(room, None)

    def _note(self, room: RoomId, event: Event) -> None:
        membership = event.content.get("membership")
        if event.type == _VISIBILITY and event.state_key == "":
            self._visibility[room] = _visibility(event.content)
        elif event.type == "m.room.member" and event.state_key is not None and isinstance(membership, str):
            for members in (self._members.get(room), self._news.get(room)):
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


def _visibility(told: Content) -> str:
    found = told.get("history_visibility")
    return found if isinstance(found, str) else _USUAL_VISIBILITY
