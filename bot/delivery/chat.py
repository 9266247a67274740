"""Defines the `Chat` port, and an implementation in memory with the same guarantees."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import DeviceId, EventId, NoticeKey, RoomId, TxnId
from bot.notices.notice import Message


class Chat(Protocol):
    """A chat service with rooms that accept messages."""

    @property
    def device(self) -> DeviceId:
        """The device that transaction ids belong to; another device may send the same id again."""

    @property
    def shows_pictures(self) -> bool:
        """Whether a message with a chart is posted as a picture; otherwise its text is."""

    async def send(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        """Send a message to a room; the same *txn* of the same device creates one event, however often it is sent.

        Raises:
            Temporary: the outcome is unknown, or it may succeed later.
            Forbidden: the bot may not send to this room.
            LoggedOut: the device's session has ended.
            Permanent: this message will never be accepted.
        """

    async def find(self, room: RoomId, key: NoticeKey, since: datetime) -> EventId | None:
        """Return the bot's event with this key, or None, searching back to *since* (UTC), but 1,000 events at most.

        Raises:
            Temporary: the search failed.
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
    """A chat with its rooms in memory, for tests and dry runs.

    *before_send* and *after_send* may return an error to raise, as a network might cause: before the message has
    arrived, or after it has arrived, when the response is lost.
    """

    clock: Clock
    device: DeviceId = _DEVICE
    shows_pictures: bool = False
    posted: list[PostedMessage] = field(default_factory=list)
    sends: int = 0
    before_send: Callable[[RoomId], TransportError | None] = lambda _: None
    after_send: Callable[[RoomId], TransportError | None] = lambda _: None
    _events: dict[tuple[DeviceId, RoomId, TxnId], EventId] = field(default_factory=dict)

    async def send(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        """Add *message* to *room*, once per *txn* and device."""
        self.sends += 1
        if (error := self.before_send(room)) is not None:
            raise error
        event = self._events.get((self.device, room, txn)) or self._post(room, txn, message)
        if (error := self.after_send(room)) is not None:
            raise error
        return event

    async def find(self, room: RoomId, key: NoticeKey, since: datetime) -> EventId | None:
        """Return the event with *key*, if it was sent at *since* or later; otherwise None."""
        events = (
            post for post in self.posted if post.room == room and post.message.tag.key == key and post.at >= since
        )
        return next((post.event for post in events), None)

    def bodies(self, room: RoomId) -> list[str]:
        """Return the plain text of a room's messages as sent, in order, without edits and reactions."""
        return [post.message.body for post in self._messages(room)]

    def shown(self, room: RoomId) -> list[str]:
        """Return the plain text of a room's messages after all edits, in order."""
        edits = {post.message.edits: post.message.body for post in self._posts(room)}
        return [edits.get(post.event, post.message.body) for post in self._messages(room)]

    def thread(self, room: RoomId, root: EventId) -> list[str]:
        """Return the plain text of the messages in an event's thread, in order."""
        return [post.message.body for post in self._posts(room) if post.message.thread == root]

    def edits(self, room: RoomId) -> list[PostedMessage]:
        """Return the edits in a room, in order."""
        return [post for post in self._posts(room) if post.message.edits is not None]

    def reactions(self, room: RoomId) -> list[tuple[EventId, str]]:
        """Return the reactions in a room, in order, as pairs of an event and an emoji."""
        return [(event, post.message.body) for post in self._posts(room) if (event := post.message.reaction)]

    def forget_transactions(self) -> None:
        """Forget all transaction ids but keep the events, as homeservers do after a while."""
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
