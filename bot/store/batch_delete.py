"""Deletes in batches, so that no transaction keeps the others waiting for long."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

BATCH: Final = 1_000  # rows of a table in one transaction


async def drop_batch(connection: AsyncConnection, table: sa.Table, *where: sa.ColumnElement[bool]) -> bool:
    """Delete up to `BATCH` of the rows that fit *where*; whether there may be more of them."""
    key = tuple(table.primary_key)
    some = sa.select(*key).where(*where).order_by(*key).limit(BATCH)
    deleted = await connection.execute(sa.delete(table).where(sa.tuple_(*key).in_(some)))
    return deleted.rowcount >= BATCH
