"""The inbox: what people said to the bot, until it is answered."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import metrics
from bot.ids import EventId, RoomId, UserId
from bot.store import schema
from bot.store.book import drop_batch
from bot.text import storable


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message for the bot; *sent_at* is UTC.

    *thread* is the root of the thread it was said in, *replies_to* the event that it answers; None where there is none.
    """

    room: RoomId
    event: EventId
    sender: UserId
    body: str
    sent_at: datetime
    thread: EventId | None = None
    replies_to: EventId | None = None


MAX_BODY = 16_384  # characters; a longer message is no command
MAX_WAITING = 200  # unanswered messages of one sender; what comes on top is not taken in


class InboxBook:
    """The inbox's part of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, said: InboxMessage) -> None:
        """Write a message down; one that is there already (a sync delivered twice) is left as it is.

        Nothing more is taken in of a sender of whom too much waits.
        NUL and lone surrogates, which JSON can spell and PostgreSQL cannot keep, become U+FFFD and question marks.
        """
        table = schema.inbox
        known = sa.select(table.c.id).where(table.c.room == said.room, table.c.event == said.event)
        if (await self._connection.execute(known)).first() is not None:
            return
        if await self._waiting(said.sender) >= MAX_WAITING:
            metrics.COMMANDS.labels("", "limited").inc()
            return
        values = {
            "room": said.room,
            "event": said.event,
            "sender": said.sender,
            "body": storable(said.body[:MAX_BODY]),
            "sent_at": said.sent_at,
            "answered": False,
            "thread": said.thread,
            "replies_to": said.replies_to,
        }
        await self._connection.execute(sa.insert(table).values(values))

    async def unanswered(self, limit: int = 50, without: Collection[UserId] = ()) -> list[InboxMessage]:
        """Messages that still want an answer: the oldest of each sender, then the second of each, and so on.

        Those of senders *without* whom it is asked are left out.
        """
        table = schema.inbox
        turn = sa.func.row_number().over(partition_by=table.c.sender, order_by=table.c.id)
        wanted = (table.c.answered.is_(False), table.c.sender.not_in(list(without)))
        queue = sa.select(table.c.id, turn.label("turn")).where(*wanted).subquery()
        query = sa.select(table).join(queue, table.c.id == queue.c.id).order_by(queue.c.turn, queue.c.id).limit(limit)
        return [_said(row) for row in (await self._connection.execute(query)).mappings()]

    async def answered(self, said: InboxMessage) -> None:
        """Nothing more is owed for this message, of which only that it was there is kept."""
        table = schema.inbox
        where = (table.c.room == said.room, table.c.event == said.event)
        await self._connection.execute(sa.update(table).where(*where).values(answered=True, body=""))

    async def drop(self, said: InboxMessage) -> None:
        """Keep nothing of a message that was not meant for the bot."""
        table = schema.inbox
        await self._connection.execute(sa.delete(table).where(table.c.room == said.room, table.c.event == said.event))

    async def tidy(self, before: datetime) -> bool:
        """Drop a batch of the answered messages that were sent *before*; whether there may be more of them."""
        table = schema.inbox
        return await drop_batch(self._connection, table, table.c.answered.is_(True), table.c.sent_at < before)

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
    )
