"""Storage of where queues are used, and of the numbers of listed rows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from bot.ids import RoomId, ServerName
from bot.store.book import Book
from bot.store.queue_tables import listed_row, queue_room
from bot.submission import SubmissionKind, SubmissionRef

KEEP_USE: Final = timedelta(days=30)  # after which nobody is expected to ask for the queue of a room again


class QueueBook(Book):
    """The queues in one transaction."""

    async def use(self, room: RoomId) -> None:
        """Note that somebody asked for the queue of a room, so that its submissions are watched for a while."""
        await self._replace(queue_room, {"room": room}, {"used_at": self._now})

    async def rooms(self) -> dict[RoomId, datetime]:
        """Return the rooms of which somebody asked for the queue lately, with the last time (UTC)."""
        query = sa.select(queue_room).where(queue_room.c.used_at > self._now - KEEP_USE)
        return {RoomId(row["room"]): row["used_at"] for row in await self._all(query)}

    async def number(self, room: RoomId, listed: Sequence[SubmissionRef]) -> None:
        """Number the rows of a list, which replaces the last one of the room; the first row is 1."""
        await self._connection.execute(sa.delete(listed_row).where(listed_row.c.room == room))
        rows = (
            {"room": room, "number": number, "server": ref.server, "kind": ref.kind, "object": ref.id}
            for number, ref in enumerate(listed, 1)
        )
        await self._insert(listed_row, rows)

    async def listed(self, room: RoomId, number: int) -> SubmissionRef | None:
        """Return the row with a *number* in the last list of a room; None if there is none."""
        table = listed_row
        row = await self._one(sa.select(table).where(table.c.room == room, table.c.number == number))
        if row is None:
            return None
        return SubmissionRef(ServerName(row["server"]), SubmissionKind(row["kind"]), row["object"])

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Move the queue of one room to another, without replacing what is there."""
        for table in (queue_room, listed_row):
            known = await self._one(sa.select(table.c.room).where(table.c.room == new).limit(1))
            if known is None:
                await self._connection.execute(sa.update(table).where(table.c.room == old).values(room=new))
            await self._connection.execute(sa.delete(table).where(table.c.room == old))

    async def forget(self, server: ServerName) -> None:
        """Delete the rows of a server whose ids started over."""
        await self._connection.execute(sa.delete(listed_row).where(listed_row.c.server == server))

    async def tidy(self) -> bool:
        """Delete the rooms whose queue nobody asked for lately; return False, because that is all."""
        await self._connection.execute(sa.delete(queue_room).where(queue_room.c.used_at <= self._now - KEEP_USE))
        return False
