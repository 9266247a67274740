"""Opens the database: pragmas, file mode, locks, and errors in plain words.

Theory of operation of transactions. Every transaction is explicit. One that writes (`Store.transaction`) takes the one
write lock when it begins, so that the rows it read are unchanged when it writes, and no upgrade of a read lock can
fail. A read-only one (`Store.reading`, `READ_ONLY`) takes no lock and waits for no other program; a write in it is
refused. One connection serves the process; transactions queue for it. No transaction spans a request to another
machine. The tables that a transaction writes are recorded (`written_by`), to wake tasks that wait for new rows.

On SQLite, the lock is that of the file (BEGIN IMMEDIATE). WAL mode with synchronous=FULL makes a commit survive a power
loss, which NORMAL does not guarantee.

On PostgreSQL, it is an advisory lock of the database, held to the end of the transaction. All writers (this process,
`db upgrade` in another) queue for it as with SQLite, and no transaction has to be repeated, as under SERIALIZABLE. The
isolation level is READ COMMITTED: each statement sees everything committed before it, and thus before the lock was
acquired; REPEATABLE READ would show the state before the wait. synchronous_commit is at least on. A connection is
tested before each transaction, so that a server's restart affects only the current one.

Two bots must not send from one outbox. On SQLite, the lock on the data directory keeps them apart. On PostgreSQL, the
lease does (`bot.lease`): the statement that acquires the lock also compares the lease's epoch, and fails if another
instance has taken over, which takes the same lock. A second advisory lock marks the connections of the instance that
has the lease: whoever takes over ends them, because a transaction of a stopped process, or of a machine that was cut
off, would hold the first lock for as long as it likes.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bot.errors import ConfigError, LeaseLost, StoreError
from bot.store import postgres, sqlite

BUSY_SECONDS: Final = 30  # how long a transaction waits for the lock, here and for other programs
_WAIT_SECONDS: Final = 1.0  # per attempt, because a wait inside SQLite cannot be cancelled, and a bot must stop in time
READ_ONLY: Final = {"patchbot_read_only": True}  # execution options of a connection that takes no write lock
UNNOTED: Final = {"patchbot_unnoted": True}  # execution options of a statement whose writes wake no task
_WRITTEN: Final = "patchbot_written"

_IN_MEMORY = ":memory:"
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL")
_OUR_FAULTS = (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError, sa.exc.NotSupportedError)

# SQLite's messages and their explanations for an operator
_MEANINGS = {
    "is locked": f"is in use by another program, which did not release it within {BUSY_SECONDS} s",
    "not a database": "is not a SQLite database",
    "malformed": "is damaged; restore a backup",
    "readonly": "cannot be written: it or its folder is read-only",
    "unable to open": "cannot be opened: it or its folder cannot be read and written",
    "disk is full": "cannot be written: the disk is full",
}


def connect(url: str, epoch: int | None = None) -> AsyncEngine:
    """Return an engine for a `sqlite:///FILE` or `postgresql://` URL.

    A missing file is created, for its owner only; a server is not contacted before the first transaction. With the
    *epoch* of a lease, on PostgreSQL, transactions that write fail as soon as another instance has taken over.

    Raises:
        ConfigError: the URL is not supported.
        StoreError: the file cannot be created or used, or the driver is missing.
    """
    if is_postgres(url):
        engine = postgres.engine_for(url, BUSY_SECONDS, is_marked=epoch is not None)
    else:
        engine = _connect_file(url)
    sa.event.listen(engine.sync_engine, "begin", partial(_begin, epoch))
    sa.event.listen(engine.sync_engine, "before_execute", _note_write)
    return engine


def is_postgres(url: str) -> bool:
    """Return whether a URL is that of a PostgreSQL database, which several instances can share."""
    return url.startswith("postgresql://")


def written_by(connection: AsyncConnection) -> AbstractSet[str]:
    """Return the names of the tables that the transaction of *connection* has written so far."""
    written: set[str] = connection.info[_WRITTEN]
    return written


def _connect_file(url: str) -> AsyncEngine:
    parsed = sa.make_url(url)
    if parsed.query:
        raise ConfigError("store.url", f"takes no parameters, but has {', '.join(sorted(parsed.query))}")
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
        async_creator=lambda: sqlite.connection(parsed.database or _IN_MEMORY, _WAIT_SECONDS),
    )
    sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def file_of(url: str | sa.URL) -> Path | None:
    """Return the database file of a SQLite URL; None if there is none."""
    if isinstance(url, str) and not url.startswith("sqlite:"):
        return None
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", _IN_MEMORY}:
        return None
    return Path(str(parsed.database))


def name_of(url: sa.URL) -> str:
    """Return the name of a database in messages."""
    return _name(file_of(url)) if url.get_backend_name() == "sqlite" else postgres.name_of(url)


@contextmanager
def plain_errors(url: sa.URL) -> Iterator[None]:
    """Translate errors of the database at *url* into plain words; errors in our own statements pass unchanged.

    Raises:
        StoreError: names the database, and the error.
        LeaseLost: another instance has taken over.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == postgres.FENCED:
            raise LeaseLost(f"another instance of the bot has taken over {name_of(url)}") from error
        text = _complaint_about(url, error)
        if text is None:
            raise
        raise StoreError(text) from error
    except sa.exc.TimeoutError as error:
        raise StoreError(f"{name_of(url)} is busy: no transaction ended within {BUSY_SECONDS} s") from error


def _complaint_about(url: sa.URL, error: sa.exc.DBAPIError) -> str | None:
    if url.get_backend_name() == "postgresql":
        return postgres.complaint(url, error, BUSY_SECONDS)
    return None if isinstance(error, _OUR_FAULTS) else complaint(file_of(url), error.orig or error)


def complaint(file: Path | None, error: BaseException) -> str:
    """Return the meaning of a SQLite *error* in one line."""
    message = next(iter(str(error).splitlines()), "") or type(error).__name__
    meaning = next((meaning for part, meaning in _MEANINGS.items() if part in message), f"cannot be used: {message}")
    return f"{_name(file)} {meaning}"


def _name(file: Path | None) -> str:
    return f"the database {file}" if file else "the database"


def _make(path: Path) -> None:
    """Create an empty file with mode 0600, which SQLite also gives to its side files."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreError(f"the database {path} cannot be created: {error.strerror}") from error


def _prove(path: Path) -> None:
    """Check that SQLite can use the file; a failure later would leave the connection's thread behind.

    Only a usable file is made private.
    """
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            for pragma in ("journal_mode=WAL", "schema_version"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            _keep_private(path)
    except sqlite3.Error as error:
        raise StoreError(complaint(path, error)) from error


def _keep_private(path: Path) -> None:
    """Set mode 0600, even for a database from elsewhere.

    The path is used, because closing a file descriptor would release SQLite's own locks on the file.
    """
    try:
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if file.exists():
                file.chmod(0o600)
    except OSError as error:
        raise StoreError(f"the database {path} cannot be kept private (mode 0600): {error.strerror}") from error


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _note_write(
    connection: sa.Connection, statement: sa.Executable, _: object, __: object, options: Mapping[str, object]
) -> None:
    """Record the table that a *statement* writes.

    Raises:
        RuntimeError: the transaction is read-only; PostgreSQL refuses that itself.
    """
    if not isinstance(statement, sa.UpdateBase):
        return
    if READ_ONLY.items() <= options.items() and connection.dialect.name == "sqlite":
        raise RuntimeError(f"a transaction that only reads must not write: {statement}")
    if not UNNOTED.items() <= options.items():
        connection.info[_WRITTEN].add(statement.entity_description["name"])


def _begin(epoch: int | None, connection: sa.Connection) -> None:
    connection.info[_WRITTEN] = set()
    read_only = READ_ONLY.items() <= connection.get_execution_options().items()
    if connection.dialect.name == "postgresql":
        begin = postgres.BEGIN if epoch is None else postgres.begin_under(epoch)
        connection.exec_driver_sql(postgres.BEGIN_READ_ONLY if read_only else begin)
    else:
        _begin_in_file(connection, "BEGIN" if read_only else "BEGIN IMMEDIATE")


def _begin_in_file(connection: sa.Connection, begin: str) -> None:
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.exec_driver_sql(begin)
        except sa.exc.OperationalError as error:
            if "is locked" not in str(error.orig) or time.monotonic() >= deadline:
                raise
        else:
            return
