"""A store over a real database, and what is put into it."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from alembic import command

from bot.clock import VirtualClock
from bot.ids import (
    DeviceId,
    Msgid,
    NoticeKey,
    PatchId,
    PatchworkEventId,
    ProjectName,
    RoomId,
    SeriesId,
    ServerName,
    UserId,
)
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag
from bot.patchwork.model import FileChange, Patch, PatchRef, Person, Series
from bot.patchwork.wire import EventHint
from bot.poll import Baseline, Pending, PendingKind
from bot.store import migrate
from bot.store.engine import connect
from bot.store.store import Store, Transaction
from support.postgres_server import rows

SERVER = ServerName("ozlabs")
OTHER_SERVER = ServerName("kernel.org")
PROJECT = ProjectName("qemu-devel")
ROOM = RoomId("!room:hs")
OTHER_ROOM = RoomId("!other:hs")
DEVICE = DeviceId("ONE")
SUBMITTER = Person("Jane Doe", "jane@example.org")

_T = TypeVar("_T")

only_sqlite = pytest.mark.parametrize("rig", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("rig", ["postgresql"], indirect=True)


class StoreRig:
    """A database that stores come and go over, in virtual time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = VirtualClock()

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return self.clock.now()

    def advance(self, **duration: float) -> None:
        """Let time pass: `advance(days=1)`."""
        self.clock.advance(timedelta(**duration).total_seconds())

    async def open(self) -> Store:
        """A store over the database, as after a start."""
        return await Store.open(self.url, self.clock)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """What a statement answers, run and committed from outside."""
        return rows(self.url, statement)

    def count(self, table: str) -> int:
        """How many rows a table has, seen from outside."""
        found: int = self.execute(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608  # a test's own name
        return found

    def columns(self, table: str) -> set[str]:
        """The columns of a table, seen from outside."""
        found = self.execute(f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'")  # noqa: S608  # the same
        return {name for (name,) in found}


class FileRig(StoreRig):
    """The same over a SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "bot.db"
        super().__init__(f"sqlite:///{self.file}")

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """The same, past the driver that the bot uses."""
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    def columns(self, table: str) -> set[str]:
        """The same, from SQLite's own catalogue."""
        return {row[1] for row in self.execute(f"PRAGMA table_info({table})")}


NEWER = '''
"""A later version."""

import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = "{newest}"


def upgrade() -> None:
    op.add_column("server", sa.Column("note", sa.Text()))
    {more}
'''


def with_another_version(folder: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> None:
    """A program one version newer."""
    scripts = folder / "migrations"
    copytree(migrate.SCRIPTS, scripts, dirs_exist_ok=True)
    (scripts / "versions" / "later.py").write_text(NEWER.format(newest=migrate.newest(), more=more))
    monkeypatch.setattr(migrate, "SCRIPTS", scripts)


async def ask(store: Store, question: Callable[[Transaction], Awaitable[_T]]) -> _T:
    """What the store answers to one *question*, in a transaction of its own."""
    async with store.transaction() as tx:
        return await question(tx)


async def made_at(version: str, rig: StoreRig) -> None:
    """A database as the program of *version* made it."""

    def make(connection: sa.Connection) -> None:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, version)

    engine = connect(rig.url)
    async with engine.begin() as connection:
        await connection.run_sync(make)
    await engine.dispose()


def an_event(number: int) -> EventHint:
    return EventHint(PatchworkEventId(number), "series-completed", "2026-01-01T00:00:00", PROJECT)


def a_series(number: int = 1, *, patches: tuple[int, ...] = (), received_all: bool = True) -> Series:
    return Series(
        id=SeriesId(number),
        project=PROJECT,
        name=f"Series {number}",
        version=1,
        submitter=SUBMITTER,
        received_all=received_all,
        patches=tuple(PatchRef(PatchId(patch), Msgid(f"{patch}@hs"), f"Patch {patch}") for patch in patches),
    )


def a_patch(number: int = 1, *, series: int | None = None, state: str | None = "new") -> Patch:
    return Patch(
        id=PatchId(number),
        project=PROJECT,
        msgid=Msgid(f"{number}@hs"),
        name=f"Patch {number}",
        submitter=SUBMITTER,
        series=None if series is None else SeriesId(series),
        state=state,
        files=(FileChange("migration/ram.c", None, 1, 2),),
    )


def a_pending(number: int, now: datetime, *, project: ProjectName = PROJECT) -> Pending:
    return Pending(PendingKind.SERIES, number, project, f"Series {number}", now, now, now + timedelta(minutes=30))


def a_baseline(project: ProjectName = PROJECT, *, event: int = 10) -> Baseline:
    return Baseline(project, event=event, date="2026-01-01T00:00:00", patch=20, series=30)


def a_notice(
    key: str = "card/1", room: RoomId = ROOM, lane: Lane = Lane.CARD, *, asked_by: UserId | None = None
) -> Notice:
    message = Message(f"body of {key}", f"<p>{key}</p>", Tag(NoticeKind.CARD, NoticeKey(key)))
    return Notice(room, lane, message, asked_by=asked_by)
