"""The inbox: what people said to the bot, until it is answered."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import EventId, RoomId, UserId
from bot.patchwork.text import valid
from bot.store import schema
from bot.store.housekeeping import drop_batch


@dataclass(frozen=True, slots=True)
class Said:
    """A message for the bot; *sent_at* is UTC. *thread* and *replies_to* are the events it hangs on."""

    room: RoomId
    event: EventId
    sender: UserId
    body: str
    sent_at: datetime
    thread: EventId | None = None
    replies_to: EventId | None = None


MAX_BODY = 16_384  # characters; a longer message is no command


class InboxBook:
    """The inbox's part of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, said: Said) -> None:
        """Write a message down; one that is there already (a sync delivered twice) is left as it is.

        NUL and lone surrogates, which JSON can spell and PostgreSQL cannot keep, become U+FFFD and question marks.
        """
        table = schema.inbox
        known = sa.select(table.c.id).where(table.c.room == said.room, table.c.event == said.event)
        if (await self._connection.execute(known)).first() is None:
            values = {
                "room": said.room,
                "event": said.event,
                "sender": said.sender,
                "body": valid(said.body[:MAX_BODY]),
                "sent_at": said.sent_at,
                "answered": False,
            }
            await self._connection.execute(sa.insert(table).values(values))

    async def unanswered(self, limit: int = 20) -> list[Said]:
        """The oldest messages that still want an answer."""
        table = schema.inbox
        query = sa.select(table).where(table.c.answered.is_(False)).order_by(table.c.id).limit(limit)
        rows = (await self._connection.execute(query)).mappings()
        return [
            Said(
                room=RoomId(row["room"]),
                event=EventId(row["event"]),
                sender=UserId(row["sender"]),
                body=row["body"],
                sent_at=row["sent_at"],
            )
            for row in rows
        ]

    async def answered(self, said: Said) -> None:
        """Nothing more is owed for this message."""
        table = schema.inbox
        where = (table.c.room == said.room, table.c.event == said.event)
        await self._connection.execute(sa.update(table).where(*where).values(answered=True))

    async def tidy(self, before: datetime) -> bool:
        """Drop a batch of the answered messages that were sent *before*; whether there may be more of them."""
        table = schema.inbox
        return await drop_batch(self._connection, table, table.c.answered.is_(True), table.c.sent_at < before)
