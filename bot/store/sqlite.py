"""SQLite in a thread of its own, with one round trip to the thread per statement.

aiosqlite makes four: for a cursor, for the statement, for its rows and for closing the cursor. Each wakes two threads,
and takes longer than most of our statements.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Self

import aiosqlite

_CHUNK_ROWS = 64  # of aiosqlite's own iteration, which is not used here


class _Native(sqlite3.Connection):
    """A connection that releases the write lock when it is closed.

    Statements left behind by a cancelled transaction live until they are garbage-collected, and until then SQLite only
    appears to close the connection: the lock would remain.
    """

    def close(self) -> None:
        """Roll back, and close; a second call does nothing."""
        with suppress(sqlite3.Error):
            self.rollback()
        super().close()


class _Cursor(aiosqlite.Cursor):
    """A cursor that fetches all its rows at once, so that closing it needs no round trip."""

    _conn: "_Connection"
    _cursor: sqlite3.Cursor

    def __init__(self, connection: "_Connection") -> None:
        self._conn = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> Self:
        """Return the cursor."""
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
        """Return the rows, which are fetched already."""
        return self._rows

    async def close(self) -> None:
        """Do nothing, because a statement whose rows were all fetched is finished."""

    async def _in_thread(self, run: Callable[..., object], sql: str, parameters: Iterable[Any]) -> None:
        def work() -> None:
            self._cursor = self._conn.make_cursor()
            run(self._cursor, sql, parameters)
            if self._cursor.description:
                self._rows = self._cursor.fetchall()

        await self._execute(work)  # type: ignore[no-untyped-call] # aiosqlite has no types there


class _Connection(aiosqlite.Connection):
    """A connection with cursors of our own, which may be stopped while it is being closed."""

    _end: "asyncio.Future[None] | None" = None
    _begun = 0  # calls in the thread, counted by the event loop
    _ended = 0  # counted by the thread

    def stop(self) -> "asyncio.Future[None] | None":
        """End the thread, once; further calls return the same future, because a second stop would never be answered."""
        if self._end is None:
            self._end = super().stop()
        return self._end

    def cursor(self) -> _Cursor:  # type: ignore[override] # whoever waits for it gets the same
        """Return a cursor, without a round trip to the thread."""
        return _Cursor(self)

    async def rollback(self) -> None:
        """Roll back; without a round trip if there is nothing to roll back, as at the end of each transaction.

        While something of a cancelled task is still under way in the thread, it may yet begin a transaction.
        """
        if self.in_transaction or self._begun != self._ended:
            await super().rollback()

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call *fn* in the connection's thread."""

        def work() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                self._ended += 1

        self._begun += 1
        return await super()._execute(work)  # type: ignore[no-untyped-call] # the same

    def make_cursor(self) -> sqlite3.Cursor:
        """Return a cursor of the `sqlite3` module; called in the connection's thread."""
        return self._conn.cursor()


def connection(database: str, wait_seconds: float) -> aiosqlite.Connection:
    """Return a connection to be awaited; a statement waits *wait_seconds* for another program's lock."""
    made = _Connection(partial(sqlite3.connect, database, timeout=wait_seconds, factory=_Native), _CHUNK_ROWS)
    made._thread.daemon = True  # noqa: SLF001  # as SQLAlchemy does: no thread shall keep a process that ends
    return made
