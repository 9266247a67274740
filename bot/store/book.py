"""The base of the books: a connection in a transaction, its time, and helpers to read, write and delete rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import BotError
from bot.incidents import Incidents

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

_CHUNK = 500  # below the parameter limit of every SQLite version
_ROWS = 250  # per statement, because preparing rows blocks the event loop
_Item = TypeVar("_Item")
_Read = TypeVar("_Read")
BATCH: Final = 1_000  # rows of a table in one transaction


class Book:
    """The base class of the books; *now* is the time of the transaction, UTC."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    @property
    def connection(self) -> AsyncConnection:
        """The connection of the transaction."""
        return self._connection

    async def _one(self, query: sa.Select[Any]) -> sa.RowMapping | None:
        row: sa.RowMapping | None = (await self._connection.execute(query)).mappings().first()
        return row

    async def _all(self, query: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        rows: Sequence[sa.RowMapping] = (await self._connection.execute(query)).mappings().all()
        return rows

    async def _batch(self, query: sa.Select[Any]) -> tuple[Sequence[sa.RowMapping], bool]:
        """Return up to `BATCH` rows of *query*, and whether there may be more."""
        rows = await self._all(query.limit(BATCH))
        return rows, len(rows) >= BATCH

    async def _among(self, query: sa.Select[Any], column: sa.Column[Any], ids: Iterable[int]) -> list[sa.RowMapping]:
        """Return the rows of *query* whose *column* is one of *ids*; any number of ids is possible."""
        rows: list[sa.RowMapping] = []
        for chunk in batched(sorted(set(ids)), _CHUNK):
            rows += await self._all(query.where(column.in_(chunk)))
        return rows

    async def _delete(self, table: sa.Table, key: Mapping[str, object]) -> None:
        where = [table.c[name] == value for name, value in key.items()]
        await self._connection.execute(sa.delete(table).where(*where))

    async def _delete_all(self, table: sa.Table, keys: Iterable[Mapping[str, object]]) -> None:
        """Delete the rows with *keys*, all of which have the same columns."""
        for some in batched(keys, _ROWS):
            where = [table.c[name] == sa.bindparam(f"key_{name}") for name in some[0]]
            bound = [{f"key_{name}": value for name, value in key.items()} for key in some]
            await self._connection.execute(sa.delete(table).where(*where), bound)

    async def _replace(self, table: sa.Table, key: Mapping[str, object], values: Mapping[str, object]) -> None:
        """Write *values* to the row with *key*, inserting it if it is missing."""
        await self._delete(table, key)
        await self._insert(table, [{**key, **values}])

    async def _put(
        self, table: sa.Table, key: Mapping[str, object], values: Mapping[str, object], *, is_new: bool
    ) -> None:
        """Insert the row with *key* if it *is_new*, otherwise update it."""
        if is_new:
            await self._insert(table, [{**key, **values}])
        else:
            where = [table.c[name] == value for name, value in key.items()]
            await self._connection.execute(sa.update(table).where(*where).values(values))

    async def _insert_new(self, table: sa.Table, values: Iterable[Mapping[str, object]]) -> None:
        """Insert the rows whose keys do not exist yet."""
        insert = upsert(self._connection.dialect.name, table).on_conflict_do_nothing()
        for some in batched(values, _ROWS):
            await self._connection.execute(insert, some)

    async def _insert(self, table: sa.Table, values: Iterable[Mapping[str, object]]) -> None:
        for some in batched(values, _ROWS):
            await self._connection.execute(sa.insert(table), some)


def upsert(dialect: str, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
    """Return an INSERT that may say what happens if the key exists already, in the *dialect* of that name."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415  # 2 MiB that a bot with SQLite does not need

    return postgresql.insert(table)


def batched(items: Iterable[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Yield *items* in non-empty batches of at most *size*, lazily."""
    left = iter(items)
    while piece := list(islice(left, size)):
        yield piece


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that cannot be read: it is damaged, or another version of the program wrote it; *key* names it."""

    key: str
    error: Exception


def read_each(
    rows: Iterable[sa.RowMapping], read: Callable[[sa.RowMapping], _Read], key: Callable[[sa.RowMapping], str]
) -> tuple[list[_Read], list[UnreadableRow]]:
    """Return the results of *read* for *rows*, and the unreadable rows, each named by *key*."""
    results: list[_Read] = []
    unreadable: list[UnreadableRow] = []
    for row in rows:
        try:
            results.append(read(row))
        except (TypeError, ValueError, LookupError, BotError) as error:
            unreadable.append(UnreadableRow(key(row), error))
    return results, unreadable


def readable(
    rows: Iterable[sa.RowMapping],
    read: Callable[[sa.RowMapping], _Read],
    key: Callable[[sa.RowMapping], str],
    incidents: Incidents,
) -> list[_Read]:
    """Return the results of *read* for *rows*, and record the rows for which it fails as incidents."""
    results, unreadable = read_each(rows, read, key)
    for each in unreadable:
        incidents.record("store.row_unreadable", each.key, each.error)
    return results


async def drop_batch(connection: AsyncConnection, table: sa.Table, *where: sa.ColumnElement[bool]) -> bool:
    """Delete up to `BATCH` of the rows that match *where*, and return whether there may be more."""
    key = tuple(table.primary_key)
    some = sa.select(*key).where(*where).limit(BATCH)  # in no order, which would hide the indexes from SQLite
    deleted = await connection.execute(sa.delete(table).where(sa.tuple_(*key).in_(some)))
    return deleted.rowcount >= BATCH
