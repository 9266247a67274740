"""Brings the database to the program's version: forward only, and after a backup."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import StoreError

_log = structlog.get_logger(__name__)


async def upgrade(engine: AsyncEngine, file: Path | None) -> str | None:
    """Migrate to the newest version; returns the version it had, None for a new database.

    Raises:
        StoreError: when the database is newer than the program.
    """
    before = await version(engine)
    if before == newest():
        return before
    _refuse_newer(before)
    if before is not None and file is not None:
        copy = backup(file, file.with_name(f"{file.name}.{before}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}"))
        _log.info("database backed up before its migration", copy=str(copy))
    async with engine.begin() as connection:
        await connection.run_sync(_migrate)
    return before


async def check(engine: AsyncEngine) -> None:
    """Whether the database is sound and of the program's version.

    Raises:
        StoreError: says what is wrong.
    """
    found = await version(engine)
    if found != newest():
        _refuse_newer(found)
        raise StoreError(f"the database is at version {found or 'none'}, the program at {newest()}: run `db upgrade`")
    async with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            answer = (await connection.exec_driver_sql("PRAGMA integrity_check")).scalar_one()
            if answer != "ok":
                raise StoreError(f"the database is damaged: {str(answer).splitlines()[0]}")


async def version(engine: AsyncEngine) -> str | None:
    """The version the database is at; None for an empty one."""
    async with engine.connect() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


def newest() -> str:
    """The version this program writes."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "the package carries its migrations"  # noqa: S101  # a broken installation
    return head


def backup(file: Path, copy: Path) -> Path:
    """A consistent copy of a database in use, readable by its owner only.

    Raises:
        StoreError: when there is no database, or the copy cannot be written.
    """
    if not file.exists():
        raise StoreError(f"there is no database at {file}")
    try:
        os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreError(f"cannot write {copy}: {error.strerror}") from error
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(f"the database is newer ({found}) than this program ({newest()}): upgrade the program")


def _migrate(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
