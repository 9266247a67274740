"""Which series may be, and which are, versions of the same work."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import SeriesId, ServerName
from bot.patchwork.model import Series
from bot.patchwork.versions import Candidate, Newcomer, version_of
from bot.store import rows, schema

MOST_CANDIDATES: Final = 50  # the newest; one submitter sends fewer series to a project between two versions
_MOST_HASHES = 500  # below the number of parameters that any SQLite takes; of a longer series, so many say enough


class VersionBook:
    """The part of one transaction that knows which series follows which."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def candidates(self, server: ServerName, new: Newcomer) -> list[Candidate]:
        """The series that *new* may follow, the newest first: by its submitter, in its project, of no higher version.

        Their hashes are those that *new* has, too.
        """
        table, series = schema.series, new.series
        query = sa.select(table).where(
            table.c.server == server,
            table.c.submitter == rows.folded_address(series.submitter.email),
            table.c.id < series.id,
            sa.func.lower(table.c.project) == series.project.lower(),
            table.c.version <= version_of(series).number,
        )
        found = await self._connection.execute(query.order_by(table.c.id.desc()).limit(MOST_CANDIDATES))
        earlier = found.mappings().all()
        shared = await self._shared(server, [row["id"] for row in earlier], new)
        return [Candidate(rows.to_series(row), row["former"], frozenset(shared[row["id"]])) for row in earlier]

    async def following(self, server: ServerName, series: SeriesId) -> list[Series]:
        """The series that are new versions of one, by id."""
        table = schema.series
        query = sa.select(table).where(table.c.server == server, table.c.former == series).order_by(table.c.id)
        return [rows.to_series(row) for row in (await self._connection.execute(query)).mappings()]

    async def _shared(self, server: ServerName, series: Sequence[int], new: Newcomer) -> dict[int, set[str]]:
        table = schema.patch
        found: defaultdict[int, set[str]] = defaultdict(set)
        if new.hashes:
            hashes = sorted(new.hashes)[:_MOST_HASHES]
            query = sa.select(table.c.series, table.c.hash).where(table.c.server == server, table.c.series.in_(series))
            for row in await self._connection.execute(query.where(table.c.hash.in_(hashes))):
                found[row.series].add(row.hash)
        return found
