"""Opens the database: the right pragmas, the right version, the right file mode.

Theory of operation of transactions. Every transaction is explicit (`Store.transaction`) and, on SQLite, takes the
write lock when it begins (BEGIN IMMEDIATE), so that what it read still holds when it writes and no upgrade of a read
lock can fail half-way. One connection serves the process; transactions queue for it. WAL with synchronous=FULL: a
commit that returned survives a power loss, which NORMAL does not promise. No transaction spans a request to
another machine.
"""

import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bot.errors import StoreError

_BUSY_SECONDS = 30


def connect(url: str) -> AsyncEngine:
    """An engine for a `sqlite:///FILE` URL; the file is made, for its owner only, where there is none.

    Raises:
        StoreError: when the file or its folder cannot be used.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(f"store.url: {parsed.get_backend_name()} is not supported by this version")
    if parsed.database and parsed.database != ":memory:":
        _own_file(Path(parsed.database))
    engine = create_async_engine(
        parsed.set(drivername="sqlite+aiosqlite"),
        poolclass=sa.AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=_BUSY_SECONDS,
        connect_args={"timeout": _BUSY_SECONDS},
    )
    sa.event.listen(engine.sync_engine, "connect", _prepare)
    sa.event.listen(engine.sync_engine, "begin", _begin)
    return engine


def file_of(url: str) -> Path | None:
    """The database file of a SQLite URL; None where there is none."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def _own_file(path: Path) -> None:
    """Make *path* with mode 0600; SQLite gives its side files the mode of the database."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreError(f"store.url: cannot write {path}: {error.strerror}") from error


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver shall not begin transactions of its own
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_SECONDS}000"):
            cursor.execute(f"PRAGMA {pragma}")
    except sqlite3.DatabaseError as error:
        raise StoreError(f"store.url: not a database, or a damaged one: {error}") from error
    finally:
        cursor.close()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
