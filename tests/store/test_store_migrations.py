"""The schema and its history."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from bot.errors import StoreError
from bot.store import columns, migrate, schema
from bot.store.engine import connect
from bot.store.store import Store
from support.store_rig import SERVER, FileRig, StoreRig, ask, only_postgres, only_sqlite, with_another_version

NEWEST = migrate.newest()


async def test_the_migrations_make_what_the_metadata_says(store: Store) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, columns.metadata))

    async with store._engine.connect() as connection:
        found = await connection.run_sync(differences)

    assert found == []


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


async def test_a_database_from_before_the_first_release_is_refused(rig: StoreRig, store: Store) -> None:
    await store.close()
    rig.execute("UPDATE alembic_version SET version_num = '0021'")

    with pytest.raises(
        StoreError,
        match=r"^the database is of a version before the first release \(0021\), which cannot be upgraded: move it",
    ):
        await rig.open()


async def test_the_database_of_another_program_is_refused_and_left_as_it_is(rig: StoreRig) -> None:
    rig.execute("CREATE TABLE users (name TEXT)")

    with pytest.raises(
        StoreError, match=r"^the database .* belongs to another program: set another one in store\.url$"
    ):
        await rig.open()

    assert rig.columns("users") == {"name"}
    assert rig.columns("alembic_version") == rig.columns("server") == set()


async def test_a_sound_database_passes_the_check_while_it_is_written(rig: StoreRig, store: Store) -> None:
    engine = connect(rig.url)

    async with store.transaction() as tx:
        await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 7})
        await migrate.check(engine)

    await engine.dispose()
    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).highest == 7


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

    with pytest.raises(
        StoreError, match=r"^the database .*bot\.db is (not a SQLite database|damaged; restore a backup)$"
    ):
        migrate.backup(rig.file, tmp_path / "copy.db")

    assert [path.name for path in tmp_path.iterdir()] == ["bot.db"]
