"""Storage of the inbox: messages to the bot until they are answered."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import metrics
from bot.ids import EventId, RoomId, UserId
from bot.patchwork.tokens import masked
from bot.store import schema
from bot.store.book import drop_batch
from bot.store.vault import Vault
from bot.text import storable


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message to the bot; *sent_at* is UTC.

    *thread* is the root of its thread, *replies_to* the event that it replies to; None if there is none. *encrypted* is
    true if a device of the sender encrypted it. A stored message has no API token in its body: *sealed* is the token
    that was in it, encrypted for `purpose`; None if there was none. *reaction* is the emoji of a reaction to the event
    *replies_to*, which has no body; "" for a message.
    """

    room: RoomId
    event: EventId
    sender: UserId
    body: str = field(repr=False)
    sent_at: datetime
    thread: EventId | None = None
    replies_to: EventId | None = None
    encrypted: bool = False
    sealed: str | None = field(default=None, repr=False)
    reaction: str = ""

    @property
    def purpose(self) -> str:
        """What its token is sealed for."""
        return f"message {self.room} {self.event} {self.sender}"


ARRIVAL = EventId("$arrival")  # stands for the bot's own arrival in a room, which is answered with the welcome
MAX_BODY = 16_384  # characters; no command is longer
MAX_WAITING = 200  # unanswered messages of one sender; further ones are dropped


class InboxBook:
    """The inbox in one transaction."""

    def __init__(self, connection: AsyncConnection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault

    async def add(self, message: InboxMessage) -> None:
        """Store a message, unless it is stored already, as after a sync that was delivered twice.

        A message from a sender with too many unanswered ones is dropped. NUL and lone surrogates, which are valid in
        JSON but not in PostgreSQL, become U+FFFD and question marks. A word that may be an API token is removed from
        the text, and stored encrypted.
        """
        table = schema.inbox
        known = sa.select(table.c.id).where(table.c.room == message.room, table.c.event == message.event)
        if (await self._connection.execute(known)).first() is not None:
            return
        if await self._waiting(message.sender) >= MAX_WAITING:
            metrics.COMMANDS.labels("", "limited").inc()
            return
        without = masked(message.body)
        values = {
            "room": message.room,
            "event": message.event,
            "sender": message.sender,
            "body": storable(without.text[:MAX_BODY]),
            "sent_at": message.sent_at,
            "answered": False,
            "thread": message.thread,
            "replies_to": message.replies_to,
            "encrypted": message.encrypted,
            "sealed": self._vault.seal(without.token, message.purpose) if without.token else None,
            "reaction": message.reaction or None,
        }
        await self._connection.execute(sa.insert(table).values(values))

    async def unanswered(self, limit: int = 50, without: Collection[UserId] = ()) -> list[InboxMessage]:
        """Return messages to answer: the oldest of each sender, then the second of each, and so on.

        Senders in *without* are left out.
        """
        table = schema.inbox
        turn = sa.func.row_number().over(partition_by=table.c.sender, order_by=table.c.id)
        open_messages = (table.c.answered.is_(False), table.c.sender.not_in(list(without)))
        queue = sa.select(table.c.id, turn.label("turn")).where(*open_messages).subquery()
        query = sa.select(table).join(queue, table.c.id == queue.c.id).order_by(queue.c.turn, queue.c.id).limit(limit)
        return [_said(row) for row in (await self._connection.execute(query)).mappings()]

    async def answered(self, message: InboxMessage) -> bool:
        """Mark a message as answered, and delete its text and the token that was in it.

        Return whether it was waiting for that: it may have been answered or withdrawn before.
        """
        table = schema.inbox
        where = (table.c.room == message.room, table.c.event == message.event, table.c.answered.is_(False))
        done = sa.update(table).where(*where).values(answered=True, body="", sealed=None)
        return (await self._connection.execute(done)).rowcount > 0

    async def withdraw(self, room: RoomId, event: EventId) -> None:
        """Delete a reaction that was taken back before it was answered."""
        table = schema.inbox
        where = (table.c.room == room, table.c.event == event, table.c.reaction.is_not(None))
        await self._connection.execute(sa.delete(table).where(*where, table.c.answered.is_(False)))

    async def drop(self, message: InboxMessage) -> None:
        """Delete a message that was not meant for the bot."""
        table = schema.inbox
        await self._connection.execute(
            sa.delete(table).where(table.c.room == message.room, table.c.event == message.event)
        )

    async def tidy(self, before: datetime) -> bool:
        """Delete a batch of answered messages that were sent *before*, and return whether there may be more."""
        table = schema.inbox
        return await drop_batch(self._connection, table, table.c.answered.is_(True), table.c.sent_at < before)

    async def arrivals(self, inviter: UserId) -> int:
        """Return in how many rooms the welcome waits to be written that a person brought the bot into."""
        table = schema.inbox
        waiting = (table.c.answered.is_(False), table.c.sender == inviter, table.c.event == ARRIVAL)
        query = sa.select(sa.func.count()).where(*waiting)
        return (await self._connection.execute(query)).scalar_one()

    async def _waiting(self, sender: UserId) -> int:
        table = schema.inbox
        query = sa.select(sa.func.count()).where(table.c.answered.is_(False), table.c.sender == sender)
        return (await self._connection.execute(query)).scalar_one()


def _said(row: sa.RowMapping) -> InboxMessage:
    return InboxMessage(
        room=RoomId(row["room"]),
        event=EventId(row["event"]),
        sender=UserId(row["sender"]),
        body=row["body"],
        sent_at=row["sent_at"],
        thread=row["thread"],
        replies_to=row["replies_to"],
        encrypted=row["encrypted"],
        sealed=row["sealed"],
        reaction=row["reaction"] or "",
    )
