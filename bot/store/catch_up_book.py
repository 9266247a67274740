"""The absences: when each server was last polled, and what is held until an absence is told."""

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import ServerName
from bot.notices.catch_up import Absence, Whose
from bot.store import schema


class AbsenceBook:
    """The absences' part of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def polled_at(self, server: ServerName) -> datetime | None:
        """When a poll of *server* last succeeded (UTC); None: never, as far as is known."""
        query = sa.select(schema.server.c.polled_at).where(schema.server.c.name == server)
        found: datetime | None = (await self._connection.execute(query)).scalar_one_or_none()
        return found

    async def last(self, server: ServerName) -> Absence | None:
        """The last absence from *server*."""
        query = sa.select(schema.absence).where(schema.absence.c.server == server)
        row = (await self._connection.execute(query)).mappings().first()
        if row is None:
            return None
        return Absence(
            server=ServerName(row["server"]),
            since=row["since"],
            until=row["until"],
            whose=Whose(row["whose"]),
            came=row["came"],
            old=row["old"],
            ended=row["ended"],
        )

    async def put(self, absence: Absence) -> None:
        """How an absence stands; it takes the place of an earlier one."""
        table = schema.absence
        await self._connection.execute(sa.delete(table).where(table.c.server == absence.server))
        await self._connection.execute(sa.insert(table).values(**asdict(absence)))
