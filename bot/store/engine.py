"""Opens the database: the right pragmas, the right file mode, its complaints in plain words.

Theory of operation of transactions. Every transaction is explicit (`Store.transaction`) and, on SQLite, takes the
write lock when it begins (BEGIN IMMEDIATE), so that what it read still holds when it writes and no upgrade of a read
lock can fail half-way. One connection serves the process; transactions queue for it. WAL with synchronous=FULL: a
commit that returned survives a power loss, which NORMAL does not promise. No transaction spans a request to
another machine. Only what looks at a whole database (`db check`) begins without the lock, with `READ_ONLY`.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bot.errors import ConfigError, StoreError

BUSY_SECONDS: Final = 30  # how long a transaction waits for its turn, here and for other programs
READ_ONLY: Final = {"patchbot_read_only": True}  # execution options of a connection that takes no write lock

_IN_MEMORY = ":memory:"
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL")
_OUR_FAULTS = (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError, sa.exc.NotSupportedError)

# What SQLite says -> what it means to an operator
_MEANINGS = {
    "is locked": f"is in use by another program, which did not let go of it within {BUSY_SECONDS} s",
    "not a database": "is no SQLite database",
    "malformed": "is damaged; restore a backup",
    "readonly": "cannot be written: it or its folder is read-only",
    "unable to open": "cannot be opened: it or its folder cannot be read and written",
    "disk is full": "cannot be written: the disk is full",
}


def connect(url: str) -> AsyncEngine:
    """An engine for a `sqlite:///FILE` URL; the file is made, for its owner only, where there is none.

    Raises:
        ConfigError: when the URL is none that this program can use.
        StoreError: when the file cannot be made, or not used.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError("store.url", f"{parsed.get_backend_name()} is not supported by this version, only sqlite is")
    if parsed.query:
        raise ConfigError("store.url", f"takes no parameters, and has {', '.join(sorted(parsed.query))}")
    file = file_of(url)
    if file is not None:
        if not file.exists():
            _make(file)
        _prove(file)
    engine = create_async_engine(
        parsed.set(drivername="sqlite+aiosqlite"),
        poolclass=sa.AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS},
    )
    sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
    sa.event.listen(engine.sync_engine, "begin", _begin)
    return engine


def file_of(url: str | sa.URL) -> Path | None:
    """The database file of a SQLite URL; None where there is none."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", _IN_MEMORY}:
        return None
    return Path(str(parsed.database))


@contextmanager
def plain_errors(file: Path | None) -> Iterator[None]:
    """What the database in *file* (None: in memory) refuses, in a line; faults of our own statements pass.

    Raises:
        StoreError: says which database, and what is the matter with it.
    """
    try:
        yield
    except _OUR_FAULTS:
        raise
    except sa.exc.DBAPIError as error:
        raise StoreError(complaint(file, error.orig or error)) from error
    except sa.exc.TimeoutError as error:
        raise StoreError(f"{_name(file)} is busy: no transaction ended within {BUSY_SECONDS} s") from error


def complaint(file: Path | None, error: BaseException) -> str:
    """What *error* of the driver means, in a line."""
    said = next(iter(str(error).splitlines()), "") or type(error).__name__
    meaning = next((meaning for part, meaning in _MEANINGS.items() if part in said), f"cannot be used: {said}")
    return f"{_name(file)} {meaning}"


def _name(file: Path | None) -> str:
    return f"the database {file}" if file else "the database"


def _make(path: Path) -> None:
    """An empty file with mode 0600; SQLite gives its side files the mode of the database."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreError(f"the database {path} cannot be made: {error.strerror}") from error


def _prove(path: Path) -> None:
    """See that SQLite can use the file, here and not in a connection's own thread, which a failure would leave behind.

    Only what it can use is made private.
    """
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            for pragma in ("journal_mode=WAL", "schema_version"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            _keep_private(path)
    except sqlite3.Error as error:
        raise StoreError(complaint(path, error)) from error


def _keep_private(path: Path) -> None:
    """Mode 0600, also for a database that came from elsewhere.

    By name, not by descriptor: closing one would drop SQLite's own locks on the file.
    """
    try:
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if file.exists():
                file.chmod(0o600)
    except OSError as error:
        raise StoreError(f"the database {path} cannot be kept private (mode 0600): {error.strerror}") from error


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver shall not begin transactions of its own
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _begin(connection: sa.Connection) -> None:
    read_only = READ_ONLY.items() <= connection.get_execution_options().items()
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
