"""Reads the times of stored patches, for figures."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.ids import PatchId, ServerName
from bot.patchwork.updates import MailKind
from bot.store import schema
from bot.store.book import Book


@dataclass(frozen=True, slots=True)
class PatchTimes:
    """When a patch was read, and when it changed last (UTC); None if it did not change since."""

    read_at: datetime
    changed_at: datetime | None


class FigureBook(Book):
    """The times of patches and comments in one transaction."""

    async def times_of(self, server: ServerName, patches: Collection[PatchId]) -> dict[PatchId, PatchTimes]:
        """Return the times of the stored ones of *patches*."""
        table = schema.patch
        query = sa.select(table.c.id, table.c.read_at, table.c.changed_at).where(table.c.server == server)
        stored = await self._among(query, table.c.id, patches)
        return {PatchId(row["id"]): PatchTimes(row["read_at"], row["changed_at"]) for row in stored}

    async def first_comments(self, server: ServerName, kind: MailKind, mails: Collection[int]) -> dict[int, datetime]:
        """Return when the first comment on each of *mails* was seen (UTC), by their ids; those without are missing."""
        table = schema.comment
        query = sa.select(table.c.object, sa.func.min(table.c.seen_at, type_=table.c.seen_at.type).label("seen_at"))
        query = query.where(table.c.server == server, table.c.kind == kind).group_by(table.c.object)
        return {row["object"]: row["seen_at"] for row in await self._among(query, table.c.object, mails)}
