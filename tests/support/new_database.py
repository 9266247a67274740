"""A database of the newest version with nothing in it: to migrate to it takes longer than most tests."""

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from bot.clock import Clock
from bot.store import migrate
from bot.store.engine import connect
from bot.store.store import Store


def put_new_database(file: Path) -> None:
    """Make one at *file*, unless there is a database already."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(_new_database())


async def open_in_memory(clock: Clock) -> Store:
    """A store over one that is gone when it is closed."""
    engine = connect("sqlite:///:memory:")
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.executescript(_new_tables())
    return Store(engine, clock)


def migrate_postgres(url: str) -> None:
    """Make an empty database of PostgreSQL a new one."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)
    with engine.begin() as connection:
        migrate._migrate(connection)
    engine.dispose()


@cache
def _new_tables() -> str:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(_new_database())
        return "\n".join(connection.iterdump())


@cache
def _new_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "bot.db")
        engine = sa.create_engine(f"sqlite:///{file}")
        with engine.begin() as connection:
            migrate._migrate(connection)
        engine.dispose()
        return file.read_bytes()
