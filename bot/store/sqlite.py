"""SQLite in a thread of its own, with one trip there for each statement.

aiosqlite takes four: for a cursor, for the statement, for its rows and for the cursor's end. Each wakes two threads,
and costs more than what most of our statements do.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Self

import aiosqlite

_CHUNK_ROWS = 64  # of aiosqlite's own loops, which nobody runs here


class _Native(sqlite3.Connection):
    """A connection that lets go of the write lock when it is closed.

    What a cancelled transaction leaves behind holds statements until the garbage is collected, and so long SQLite only
    makes as if it had closed: the lock would stay.
    """

    def close(self) -> None:
        """Give up what was not committed, and close; a second time nothing is left to do."""
        with suppress(sqlite3.Error):
            self.rollback()
        super().close()


class _Cursor(aiosqlite.Cursor):
    """A cursor that brings all its rows along; it is made with its statement, and has nothing left to close."""

    _conn: "_Connection"
    _cursor: sqlite3.Cursor

    def __init__(self, connection: "_Connection") -> None:
        self._conn = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> Self:
        """Itself; there is nothing to do yet."""
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> Self:
        """Run a statement."""
        await self._in_thread(sqlite3.Cursor.execute, sql, parameters or ())
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Self:
        """Run a statement for each of *parameters*."""
        await self._in_thread(sqlite3.Cursor.executemany, sql, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        """The rows; they are here already."""
        return self._rows

    async def close(self) -> None:
        """Nothing: a statement whose rows were all read is at its end."""

    async def _in_thread(self, run: Callable[..., object], sql: str, parameters: Iterable[Any]) -> None:
        def work() -> None:
            self._cursor = self._conn.make_cursor()
            run(self._cursor, sql, parameters)
            if self._cursor.description:
                self._rows = self._cursor.fetchall()

        await self._execute(work)  # type: ignore[no-untyped-call] # aiosqlite has no types there


class _Connection(aiosqlite.Connection):
    """A connection whose cursors are those, and that can be stopped while it is being closed."""

    _end: "asyncio.Future[None] | None" = None

    def stop(self) -> "asyncio.Future[None] | None":
        """End the thread, once: whoever asks again waits for the same end, for nobody would answer a second time."""
        if self._end is None:
            self._end = super().stop()
        return self._end

    def cursor(self) -> _Cursor:  # type: ignore[override] # whoever waits for it gets the same
        """A cursor, at once."""
        return _Cursor(self)

    def make_cursor(self) -> sqlite3.Cursor:
        """A cursor of SQLite's, in the connection's thread."""
        return self._conn.cursor()


def connection(database: str, wait_seconds: float) -> aiosqlite.Connection:
    """A connection to be awaited; a statement waits so long for another program's lock."""
    made = _Connection(partial(sqlite3.connect, database, timeout=wait_seconds, factory=_Native), _CHUNK_ROWS)
    made._thread.daemon = True  # noqa: SLF001  # as SQLAlchemy does: no thread shall keep a process that ends
    return made
