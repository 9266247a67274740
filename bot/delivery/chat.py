"""The `Chat` port, and a chat in memory that keeps its rules."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import DeviceId, EventId, NoticeKey, RoomId, TxnId
from bot.notices.notice import Message


class Chat(Protocol):
    """Rooms that take messages."""

    @property
    def device(self) -> DeviceId:
        """What transaction ids belong to; another device may send the same one again."""

    async def send(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        """Put a message into a room; the same *txn* of the same device makes one event, however often it is sent.

        Raises:
            Temporary: the outcome is unknown, or it may work later.
            Forbidden: the room does not let us.
            LoggedOut: nothing works any more as this device.
            Permanent: this message will never be taken.
        """

    async def find(self, room: RoomId, key: NoticeKey, since: datetime) -> EventId | None:
        """The event of ours with this key, looked for back to *since* (UTC) and 1,000 events at most.

        Raises:
            Temporary: it could not be looked for.
        """


_DEVICE = DeviceId("MEMORY")


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """A message in a room; *at* is UTC."""

    event: EventId
    room: RoomId
    message: Message
    at: datetime


@dataclass
class MemoryChat:
    """A chat that keeps its rooms in memory, for tests and dry runs.

    *before_send* and *after_send* may raise what a network would: before, nothing has arrived; after, it has, and
    the answer is lost.
    """

    clock: Clock
    device: DeviceId = _DEVICE
    posted: list[PostedMessage] = field(default_factory=list)
    sends: int = 0
    before_send: Callable[[RoomId], TransportError | None] = lambda _: None
    after_send: Callable[[RoomId], TransportError | None] = lambda _: None
    _events: dict[tuple[DeviceId, RoomId, TxnId], EventId] = field(default_factory=dict)

    async def send(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        """Put *message* into *room*, once per *txn* and device."""
        self.sends += 1
        if (error := self.before_send(room)) is not None:
            raise error
        event = self._events.get((self.device, room, txn)) or self._post(room, txn, message)
        if (error := self.after_send(room)) is not None:
            raise error
        return event

    async def find(self, room: RoomId, key: NoticeKey, since: datetime) -> EventId | None:
        """The event with *key*, not older than *since*."""
        found = (post for post in self.posted if post.room == room and post.message.tag.key == key and post.at >= since)
        return next((post.event for post in found), None)

    def bodies(self, room: RoomId) -> list[str]:
        """The plain text of a room's messages as they were sent, in order; edits and reactions are none."""
        return [post.message.body for post in self._messages(room)]

    def shown(self, room: RoomId) -> list[str]:
        """The plain text of a room's messages as they stand after all edits, in order."""
        edits = {post.message.edits: post.message.body for post in self._posts(room)}
        return [edits.get(post.event, post.message.body) for post in self._messages(room)]

    def thread(self, room: RoomId, root: EventId) -> list[str]:
        """The plain text of what hangs on an event, in order."""
        return [post.message.body for post in self._posts(room) if post.message.thread == root]

    def edits(self, room: RoomId) -> list[PostedMessage]:
        """The edits in a room, in order."""
        return [post for post in self._posts(room) if post.message.edits is not None]

    def reactions(self, room: RoomId) -> list[tuple[EventId, str]]:
        """The reactions in a room, in order: the event, and the emoji put to it."""
        return [(event, post.message.body) for post in self._posts(room) if (event := post.message.reaction)]

    def forget_transactions(self) -> None:
        """As homeservers do after a while: the events stay, their transaction ids mean nothing any more."""
        self._events.clear()

    def _messages(self, room: RoomId) -> list[PostedMessage]:
        return [post for post in self._posts(room) if post.message.reaction is None and post.message.edits is None]

    def _posts(self, room: RoomId) -> list[PostedMessage]:
        return [post for post in self.posted if post.room == room]

    def _post(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        event = EventId(f"${len(self.posted) + 1}")
        self.posted.append(PostedMessage(event, room, message, self.clock.now()))
        self._events[self.device, room, txn] = event
        return event
