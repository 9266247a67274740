"""The schema and its history."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copytree

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from bot.errors import StoreError
from bot.ids import EventId, UserId
from bot.notices.notice import CardRef
from bot.polling.poller import Poll
from bot.store import columns, migrate, schema
from bot.store.engine import connect
from bot.store.store import Store
from store_rig import ROOM, SERVER, FileRig, StoreRig, a_patch, made_at, only_postgres, only_sqlite

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


NEWEST = migrate.newest()
NOTICE_0005 = "key, txn, room, lane, message, state, attempts, created_at, next_at, event"


def with_another_version(folder: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> None:
    """A program one version newer."""
    scripts = folder / "migrations"
    copytree(migrate.SCRIPTS, scripts, dirs_exist_ok=True)
    (scripts / "versions" / "later.py").write_text(NEWER.format(newest=NEWEST, more=more))
    monkeypatch.setattr(migrate, "SCRIPTS", scripts)


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a newer program may be made, outside the folder of the database."""
    yield tmp_path_factory.mktemp("program")
    monkeypatch.undo()


async def test_the_migrations_make_what_the_metadata_says(store: Store) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, columns.metadata))

    async with store._engine.connect() as connection:
        found = await connection.run_sync(differences)

    assert found == []


async def test_cards_that_were_sent_before_get_their_events(rig: StoreRig) -> None:
    await made_at("0005", rig)
    for number, (key, event) in enumerate((("card/1", "'$1'"), ("card/2", "NULL")), start=1):
        said = (
            f"'{key}', '{key}', '!room:hs', 1, '{{}}', 'done', 1, '2026-11-23 12:00:00', '2026-11-23 12:00:00', {event}"
        )
        rig.execute(f"INSERT INTO notice ({NOTICE_0005}) VALUES ({said})")  # noqa: S608  # constants
        card = f"'!room:hs', 'ozlabs', 'series', {number}, '{key}', '[]', '2026-11-23 12:00:00'"
        rig.execute(f"INSERT INTO card (room, server, kind, object, notice_key, why, created_at) VALUES ({card})")  # noqa: S608  # the same

    again = await rig.open()
    async with again.transaction() as tx:
        found = await tx.cards.about_event(ROOM, EventId("$1"))
    await again.close()

    assert found == CardRef(SERVER, "series", 1)
    assert [event for (event,) in rig.execute("SELECT event FROM card ORDER BY object")] == ["$1", None]


async def test_states_that_waited_for_their_patches_still_do(rig: StoreRig) -> None:
    await made_at("0007", rig)
    waiting = "'ozlabs', 7, 'accepted', '2026-11-23 12:00:00'"
    rig.execute(f"INSERT INTO told_state (server, patch, state, told_at) VALUES ({waiting})")  # noqa: S608  # constants

    store = await rig.open()
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, None, patches=(a_patch(7),)))
    patch = await store.patch(SERVER, 7)
    await store.close()

    assert patch == a_patch(7, state="accepted")


async def test_a_new_database_gets_the_newest_version_without_a_backup(rig: StoreRig) -> None:
    engine = connect(rig.url)

    done = await migrate.upgrade(engine)
    again = await migrate.upgrade(engine)

    await engine.dispose()
    assert done == migrate.Upgrade(before=None, now=migrate.newest())
    assert again == migrate.Upgrade(before=migrate.newest(), now=migrate.newest())


@only_sqlite
async def test_a_new_database_is_alone_in_its_folder(rig: FileRig, store: Store) -> None:
    await store.close()

    assert [path.name for path in rig.file.parent.iterdir()] == ["bot.db"]


@only_sqlite
async def test_an_older_database_is_backed_up_then_migrated(
    rig: FileRig, store: Store, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store.transaction() as tx:
        await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 7})
    await store.close()
    with_another_version(program, monkeypatch)
    engine = connect(rig.url)

    done = await migrate.upgrade(engine)

    await engine.dispose()
    assert (done.before, done.now) == (NEWEST, "later")
    assert done.copy is not None
    assert done.copy.name.startswith(f"bot.db.{NEWEST}.2")
    assert stat.S_IMODE(done.copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(done.copy)) as connection:
        copied = {row[1] for row in connection.execute("PRAGMA table_info(server)")}
    assert copied == {"name", "cursor", "highest_event", "rebuilds", "polled_at"}
    assert rig.columns("server") == {"name", "cursor", "highest_event", "rebuilds", "polled_at", "note"}
    assert rig.count("server") == 1


@only_postgres
async def test_an_older_database_of_postgresql_is_migrated_without_a_copy(
    rig: StoreRig, store: Store, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store.transaction() as tx:
        await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 7})
    await store.close()
    with_another_version(program, monkeypatch)
    engine = connect(rig.url)

    done = await migrate.upgrade(engine)

    await engine.dispose()
    assert done == migrate.Upgrade(NEWEST, "later", copy=None)
    assert rig.columns("server") == {"name", "cursor", "highest_event", "rebuilds", "polled_at", "note"}
    assert rig.count("server") == 1


async def test_a_database_of_the_first_version_is_migrated_with_all_that_is_in_it(rig: StoreRig) -> None:
    await made_at("0001", rig)
    rig.execute("INSERT INTO room (room, direct, suspended, name) VALUES ('!room:hs', true, true, '#name:hs')")

    store = await rig.open()

    async with store.transaction() as tx:
        kept = await tx.session.kept(UserId("@bot:hs"))
        resumed = await tx.outbox.resumed(ROOM)
    await store.close()
    assert (kept.direct, kept.suspended) == (frozenset([ROOM]), frozenset([ROOM]))
    assert kept.named == {"#name:hs": ROOM}
    assert resumed == 0


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    rig: StoreRig, store: Store, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.close()
    with_another_version(program, monkeypatch, more='raise RuntimeError("half-way")')

    with pytest.raises(RuntimeError, match="half-way"):
        await rig.open()

    assert rig.columns("server") == {"name", "cursor", "highest_event", "rebuilds", "polled_at"}
    monkeypatch.undo()
    await (await rig.open()).close()


async def test_a_newer_database_is_refused(rig: StoreRig, store: Store) -> None:
    await store.close()
    rig.execute("UPDATE alembic_version SET version_num = '0999'")

    with pytest.raises(
        StoreError, match=rf"^the database is newer \(0999\) than this program \({NEWEST}\): upgrade the"
    ):
        await rig.open()


async def test_the_database_of_another_program_is_refused_and_left_as_it_is(rig: StoreRig) -> None:
    rig.execute("CREATE TABLE users (name TEXT)")

    with pytest.raises(StoreError, match=r"^the database .* is another program's: name another one in store\.url$"):
        await rig.open()

    assert rig.columns("users") == {"name"}
    assert rig.columns("alembic_version") == rig.columns("server") == set()


async def test_a_sound_database_passes_the_check_while_it_is_written(rig: StoreRig, store: Store) -> None:
    engine = connect(rig.url)

    async with store.transaction() as tx:
        await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 7})
        await migrate.check(engine)

    await engine.dispose()
    assert (await store.watched(SERVER)).highest == 7


async def test_the_check_tells_of_an_older_database(
    rig: StoreRig, store: Store, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.close()
    with_another_version(program, monkeypatch)
    engine = connect(rig.url)

    with pytest.raises(
        StoreError, match=rf"^the database is at version {NEWEST}, the program at later: run `patchbot db upgrade`$"
    ):
        await migrate.check(engine)

    await engine.dispose()


@only_sqlite
async def test_the_check_tells_of_rows_that_an_index_lost(rig: FileRig, store: Store) -> None:
    async with store.transaction() as tx:
        await tx.watch._insert(schema.seen_event, [{"server": SERVER, "id": 1, "seen_at": rig.now}])
    await store.close()
    with closing(sqlite3.connect(rig.file)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'ix_patch_msgid'")
        connection.commit()
    engine = connect(rig.url)

    with pytest.raises(StoreError, match=r"bot\.db is damaged; restore a backup") as caught:
        await migrate.check(engine)

    assert "\n" not in str(caught.value)
    await engine.dispose()


@only_sqlite
async def test_a_backup_of_a_database_in_use_is_whole_and_private(rig: FileRig, store: Store, tmp_path: Path) -> None:
    async with store.transaction() as tx:
        await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 7})

    async with store.transaction() as tx:
        await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 8})
        copy = migrate.backup(rig.file, tmp_path / "copy.db")

    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT highest_event FROM server").fetchall() == [(7,)]


@only_sqlite
async def test_a_backup_overwrites_nothing(rig: FileRig, store: Store, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")

    with pytest.raises(StoreError, match=r"copy\.db exists already; name a new file for the copy$"):
        migrate.backup(rig.file, tmp_path / "copy.db")

    assert (tmp_path / "copy.db").read_text() == "precious"
    await store.close()


@only_sqlite
@pytest.mark.parametrize("content", [b"this is a text file, not a database", b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_backup_that_fails_leaves_no_copy(rig: FileRig, tmp_path: Path, content: bytes) -> None:
    rig.file.write_bytes(content)

    with pytest.raises(StoreError, match=r"^the database .*bot\.db is (no SQLite database|damaged; restore a backup)$"):
        migrate.backup(rig.file, tmp_path / "copy.db")

    assert [path.name for path in tmp_path.iterdir()] == ["bot.db"]
