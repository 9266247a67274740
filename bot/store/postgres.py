"""PostgreSQL: connections, requirements, and errors in plain words; the theory is in `bot.store.engine`."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.errors import ConfigError, StoreError

if TYPE_CHECKING:
    import psycopg

OLDEST: Final = 14  # the oldest version that PostgreSQL's own developers kept up when this was written
STATEMENT_SECONDS: Final = 60  # the timeout of a statement, except in migrations
_LOCKS: Final = 0x70617463  # "patc", the first key of the bot's advisory locks, which keeps them apart from others
BEGIN: Final = f"SELECT pg_advisory_xact_lock({_LOCKS}, 1)"
FENCED: Final = "PB001"  # the SQLSTATE of a refusal because the lease is another instance's
_BEGIN_UNDER_LEASE: Final = """DO $$ BEGIN
    PERFORM pg_advisory_xact_lock({locks}, 1);
    IF NOT EXISTS (SELECT FROM lease WHERE id = 1 AND epoch = {epoch}) THEN
        RAISE EXCEPTION USING ERRCODE = '{fenced}', MESSAGE = 'the lease is another instance''s';
    END IF;
END $$"""
BEGIN_READ_ONLY: Final = "SET TRANSACTION READ ONLY"
TAKE_YOUR_TIME: Final = "SET LOCAL statement_timeout = 0"
_MARK: Final = f"SELECT pg_advisory_lock_shared({_LOCKS}, 2)"  # held by each connection that acts under a lease
END_MARKED: Final = f"""SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND classid = {_LOCKS} AND objid = 2 AND objsubid = 2 AND pid <> pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""  # noqa: S608  # our own number

# Defaults of connection parameters: either side detects within a minute that the other one is gone
_PARAMETERS = {
    "application_name": "patchbot",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
# A commit survives a power loss, even if the server's settings guarantee less
_SESSION = f"""
    SELECT set_config('lock_timeout', %s, false),
           set_config('statement_timeout', '{STATEMENT_SECONDS}s', false),
           set_config('tcp_keepalives_idle', '30', false),
           set_config('tcp_keepalives_interval', '10', false),
           set_config('tcp_keepalives_count', '3', false),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit')
               WHEN 'off' THEN 'local' ELSE current_setting('synchronous_commit') END, false)
"""

# Explanations for an operator, by SQLSTATE
_STATES = {
    "25006": "can only be read: is it a standby?",
    "42501": "denies this user a permission that the bot needs; {message}",
    "53100": "cannot be written: the disk is full",
    "55P03": "is in use by another program, which did not release it within {wait:g} s",
    "57014": f"took more than {STATEMENT_SECONDS} s for a statement",
}
# Explanations of failed connections, by the error message
_REFUSALS = {
    r"pg_hba\.conf": "does not accept this user from this host (pg_hba.conf)",
    r"password authentication failed": "rejects the user name or password in store.url",
    r"no password supplied": "requires a password, but store.url has none",
    r'role ".*" does not exist': "does not have the user in store.url",
    r'database ".*" does not exist': "does not exist: create it with createdb",
    r"Connection refused|No such file or directory": "cannot be reached: no server listens there",
    r"failed to resolve host": "cannot be reached: no such host is known",
    r"timeout": "cannot be reached: no response in time",
    r"starting up|shutting down|in recovery mode": "is not ready: the server is starting or stopping",
}


def begin_under(epoch: int) -> str:
    """Return the statement that begins a transaction which writes under the lease of *epoch*.

    Each statement in the block sees what was committed before it, so the epoch is read after the lock was acquired,
    without which nobody takes over.
    """
    return _BEGIN_UNDER_LEASE.format(locks=_LOCKS, epoch=int(epoch), fenced=FENCED)


def engine_for(url: str, wait_seconds: float, *, is_marked: bool = False) -> AsyncEngine:
    """Return an engine of one connection for a `postgresql://` URL; *wait_seconds* is how long locks wait.

    libpq reads the URL. *is_marked*: each connection is recognizable as one of the instance that has the lease, so that
    whoever takes over can end it, even in a transaction.

    Raises:
        ConfigError: libpq cannot read the URL.
        StoreError: the driver is not installed.
    """
    try:
        import psycopg  # noqa: PLC0415  # an extra: whoever uses SQLite needs none
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415  # the same
    except ImportError as error:
        raise StoreError(
            'PostgreSQL needs a driver that is not installed: pip install "patchwork-matrix-bot[postgres]"'
        ) from error
    try:
        given = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except psycopg.Error:  # its message may contain the password
        raise ConfigError("store.url", "cannot be read: postgresql://USER@HOST/DATABASE?PARAMETER=VALUE") from None
    address = _address(given)
    conninfo = make_conninfo(**{**_PARAMETERS, **given, "client_encoding": "UTF8"})

    async def opened() -> "psycopg.AsyncConnection":
        connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
        try:
            _check_server(connection.info, address)
            await connection.execute(_SESSION, [f"{max(1, round(wait_seconds * 1000))}ms"])
            if is_marked:
                await connection.execute(_MARK)
            await connection.set_autocommit(False)
        except BaseException:
            await connection.close()
            raise
        return connection

    return create_async_engine(
        address,
        async_creator=opened,
        poolclass=sa.AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=wait_seconds,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        use_native_hstore=False,
    )


def name_of(url: sa.URL) -> str:
    """Return the name of a database in messages."""
    name = f"the database {url.database}" if url.database else "the database"
    return f"{name} on {url.host}" if url.host else name


def complaint(url: sa.URL, error: sa.exc.DBAPIError, wait_seconds: float) -> str | None:
    """Return the meaning of *error* in one line; None if our own statement may be at fault."""
    message = next(iter(str(error.orig).splitlines()), "") or type(error.orig).__name__
    state = getattr(error.orig, "sqlstate", None)
    if state in _STATES:
        return f"{name_of(url)} {_STATES[state].format(message=message, wait=wait_seconds)}"
    if not isinstance(error, (sa.exc.OperationalError, sa.exc.InternalError, sa.exc.InterfaceError)):
        return None
    meaning = next((meaning for part, meaning in _REFUSALS.items() if state is None and re.search(part, message)), None)
    return f"{name_of(url)} {meaning or f'cannot be used: {message}'}"


def _address(parameters: Mapping[str, str]) -> sa.URL:
    """Return the address of the database, without user and password."""
    place = ":".join(parameters[key] for key in ("host", "port") if key in parameters)
    return sa.URL.create("postgresql+psycopg", host=place or None, database=parameters.get("dbname"))


def _check_server(info: "psycopg.ConnectionInfo", address: sa.URL) -> None:
    """Raise an error for an unsupported server, before a statement fails because of it."""
    version = info.server_version // 10_000
    if version < OLDEST:
        raise StoreError(f"{name_of(address)} is served by PostgreSQL {version}; {OLDEST} or newer is needed")
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"{name_of(address)} has the encoding {encoding}: create one with createdb -T template0 -E UTF8"
        )
