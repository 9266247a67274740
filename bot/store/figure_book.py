"""Reads the times of stored patches, for figures."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.ids import PatchId, SeriesId, ServerName
from bot.store import schema
from bot.store.book import Book


@dataclass(frozen=True, slots=True)
class PatchTimes:
    """When a patch was read, and when its state changed last (UTC); None if it did not change since."""

    read_at: datetime
    state_changed_at: datetime | None


class FigureBook(Book):
    """The times of patches and series in one transaction."""

    async def times_of(self, server: ServerName, patches: Collection[PatchId]) -> dict[PatchId, PatchTimes]:
        """Return the times of the stored ones of *patches*."""
        table = schema.patch
        query = sa.select(table.c.id, table.c.read_at, table.c.state_changed_at).where(table.c.server == server)
        stored = await self._among(query, table.c.id, patches)
        return {PatchId(row["id"]): PatchTimes(row["read_at"], row["state_changed_at"]) for row in stored}

    async def replaced(self, server: ServerName, series: Collection[SeriesId]) -> dict[SeriesId, datetime]:
        """Return which of *series* a later version replaces, and when that came (UTC)."""
        table = schema.series
        query = sa.select(
            table.c.former, sa.func.min(table.c.evaluated_at, type_=table.c.evaluated_at.type).label("came_at")
        )
        query = query.where(table.c.server == server).group_by(table.c.former)
        return {SeriesId(row["former"]): row["came_at"] for row in await self._among(query, table.c.former, series)}
