"""Migration of the database to the program's version: forward only, and on SQLite after a backup.

Alembic is imported only if there is something to migrate, which saves 4 MiB of memory at all other starts.
"""

import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import StoreError
from bot.store import postgres
from bot.store.engine import BUSY_SECONDS, READ_ONLY, complaint, file_of, name_of, plain_errors

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).parent / "migrations"
_BEFORE_THE_FIRST_RELEASE = frozenset(f"{number:04}" for number in range(1, 23))
_REVISIONS: Final = re.compile(r'^(down_)?revision = "(\w+)"$', re.MULTILINE)  # as the head of a migration names them
_VERSION: Final = sa.table("alembic_version", sa.column("version_num"))
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The result of an upgrade: the version *before* (None for a new database), and the backup *copy*, if any."""

    before: str | None
    now: str
    copy: Path | None = None


async def upgrade(engine: AsyncEngine) -> Upgrade:
    """Migrate to the newest version, in one transaction.

    Raises:
        StoreError: the database cannot be used, is another program's, or is newer than this one.
    """
    file, copy = file_of(engine.url), None
    with plain_errors(engine.url):
        before = await _version(engine)
        if before == newest():
            return Upgrade(before, before)
        _refuse_unknown(before)
        if before is not None and file is not None:
            copy = backup(file, file.with_name(f"{file.name}.{before}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}"))
            _log.info("database.backed_up", copy=str(copy))
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
        return Upgrade(before, newest(), copy)


async def create(engine: AsyncEngine) -> None:
    """Create the tables in an empty database; one of an older version is left as it is.

    Raises:
        StoreError: the database cannot be used, is another program's, or is newer than this one.
    """
    with plain_errors(engine.url):
        version = await _version(engine)
    if version is None:
        await upgrade(engine)
    elif version != newest():
        _refuse_unknown(version)


async def check_version(engine: AsyncEngine) -> None:
    """Check that the database exists and is of the program's version, without disturbing other users of it.

    Raises:
        StoreError: it does not exist, or has another version; the message has the reason.
    """
    with plain_errors(engine.url):
        version = await _version(engine)
    if version != newest():
        _refuse_unknown(version)
        raise StoreError(
            f"the database is at version {version or 'none'}, the program at {newest()}: run `patchbot db upgrade`"
        )


async def check(engine: AsyncEngine) -> None:
    """Check that the database is of the program's version, and that a SQLite file is intact.

    PostgreSQL checks its own files.

    Raises:
        StoreError: one of these checks fails; the message has the reason.
    """
    file = file_of(engine.url)
    await check_version(engine)
    with plain_errors(engine.url):
        if engine.dialect.name == "sqlite":
            async with engine.connect() as connection:
                await connection.execution_options(**READ_ONLY)
                answer = (await connection.exec_driver_sql("PRAGMA integrity_check(1)")).scalar_one()
            if answer != "ok":
                problem = " ".join(str(answer).split())
                raise StoreError(f"the database {file} is damaged; restore a backup ({problem})")


def newest() -> str:
    """Return the version that this program writes."""
    revisions, followed = _revisions()
    [head] = revisions - followed
    return head


def backup(file: Path, copy: Path) -> Path:
    """Create a consistent copy of a database in use, readable by its owner only.

    Raises:
        StoreError: there is no database, it is damaged, or the copy cannot be written.
    """
    if not file.is_file():
        raise StoreError(f"there is no database at {file}")
    try:
        os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise StoreError(f"{copy} exists already; name a new file for the copy") from None
    except OSError as error:
        raise StoreError(f"cannot write {copy}: {error.strerror}") from error
    try:
        _copy(file, copy)
        _prove(copy)
    except BaseException as error:
        copy.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise StoreError(complaint(file, error)) from error
        raise
    return copy


def _prove(copy: Path) -> None:
    """Check the integrity of a copy, which shows damage of its original."""
    with closing(sqlite3.connect(copy)) as connection:
        result = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if result != "ok":
        raise StoreError(f"the database is damaged, so there is nothing to back up ({result})")


def _copy(file: Path, copy: Path) -> None:
    source_uri = f"{file.absolute().as_uri()}?mode=rw"  # a missing file is not created
    with (
        closing(sqlite3.connect(source_uri, uri=True, timeout=BUSY_SECONDS)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


async def _version(engine: AsyncEngine) -> str | None:
    """Return the version of the database; None for an empty one."""
    async with engine.connect() as connection:
        await connection.execution_options(**READ_ONLY)
        version, tables = await connection.run_sync(_version_and_tables)
    if version is None and tables:
        raise StoreError(f"{name_of(engine.url)} belongs to another program: set another one in store.url")
    return version


def _version_and_tables(connection: sa.Connection) -> tuple[str | None, list[str]]:
    tables = sa.inspect(connection).get_table_names()
    if _VERSION.name not in tables:
        return None, tables
    return connection.execute(sa.select(_VERSION.c.version_num)).scalar_one_or_none(), tables


def _revisions() -> tuple[set[str], set[str]]:
    """Return the versions of all migrations, and those that others follow."""
    revisions, followed = set[str](), set[str]()
    for file in (SCRIPTS / "versions").glob("*.py"):
        for is_followed, revision in _REVISIONS.findall(file.read_text()):
            (followed if is_followed else revisions).add(revision)
    return revisions, followed


def _refuse_unknown(version: str | None) -> None:
    known, _ = _revisions()
    if version is not None and version in _BEFORE_THE_FIRST_RELEASE:
        raise StoreError(
            f"the database is of a version before the first release ({version}), which cannot be upgraded: "
            "move it away, and the bot starts with a new one"
        )
    if version is not None and version not in known:
        raise StoreError(f"the database is newer ({version}) than this program ({newest()}): upgrade the program")


def _migrate(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415  # only who migrates needs it

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(postgres.TAKE_YOUR_TIME)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415  # only who migrates needs it

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
