"""Implements `patchbot db`."""

import argparse
import asyncio
import os

from bot.errors import ConfigError, StoreError


def upgrade(arguments: argparse.Namespace) -> int:
    """Upgrade the database to this program's version."""
    from bot.store import migrate
    from bot.store.engine import connect

    async def upgraded() -> migrate.Upgrade:
        engine = connect(store_url(arguments))
        try:
            return await migrate.upgrade(engine)
        finally:
            await engine.dispose()

    quiet_log()
    done = asyncio.run(upgraded())
    if done.copy is not None:
        print(f"Backed up the database to {done.copy}.")
    match done.before:
        case None:
            print(f"Created a new database, version {done.now}.")
        case done.now:
            print(f"The database already has version {done.now}.")
        case before:
            print(f"Upgraded the database from version {before} to {done.now}.")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Check that the database can be used."""
    from bot.store import migrate
    from bot.store.engine import connect, file_of

    url = store_url(arguments)
    file = file_of(url)

    async def checked() -> None:
        if file is not None and not file.exists():
            raise StoreError(f"there is no database at {file}")
        engine = connect(url)
        try:
            await migrate.check(engine)
        finally:
            await engine.dispose()

    quiet_log()
    asyncio.run(checked())
    print(f"The database {'is intact' if file else 'responds'} and matches this program's version.")
    return 0


def backup(arguments: argparse.Namespace) -> int:
    """Copy a SQLite file."""
    from bot.store import migrate
    from bot.store.engine import file_of

    file = file_of(store_url(arguments))
    if file is None:
        raise ConfigError(
            "store.url", "is a PostgreSQL database, which pg_dump backs up; this command copies SQLite files only"
        )
    print(f"Wrote {migrate.backup(file, arguments.copy)}.")
    return 0


def store_url(arguments: argparse.Namespace) -> str:
    """Return the URL of the database from the settings."""
    from bot.config import load

    return load(arguments.config, os.environ).store.url.get_secret_value()


def quiet_log() -> None:
    """Log warnings and errors only, because the verb itself prints what it did."""
    from bot.ops.logging import configure

    configure("WARNING")
