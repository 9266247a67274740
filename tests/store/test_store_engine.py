"""How the database file is opened, and what its refusals read like."""

import asyncio
import gc
import itertools
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.clock import VirtualClock
from bot.errors import ConfigError, StoreError
from bot.ids import ServerName
from bot.store import engine as engine_module
from bot.store import schema, sqlite
from bot.store.engine import complaint, connect, file_of
from bot.store.store import Store
from support.store_rig import SERVER, FileRig, ask


@pytest.fixture
def rig(tmp_path: Path) -> FileRig:
    return FileRig(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def loose_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("loose_umask")
async def test_the_database_and_its_side_files_are_for_their_owner_only(rig: FileRig) -> None:
    store = await rig.open()
    async with store.transaction() as tx:
        await tx.watch.watched(SERVER)

    assert {path.name: mode(path) for path in rig.file.parent.iterdir()} == {
        "bot.db": 0o600,
        "bot.db-wal": 0o600,
        "bot.db-shm": 0o600,
    }
    await store.close()


@pytest.mark.usefixtures("loose_umask")
async def test_a_database_that_came_from_elsewhere_becomes_private(rig: FileRig) -> None:
    await (await rig.open()).close()
    rig.file.chmod(0o644)

    store = await rig.open()

    assert {mode(path) for path in rig.file.parent.iterdir()} == {0o600}
    await store.close()


async def test_a_file_that_is_no_database_is_left_as_it_is(rig: FileRig) -> None:
    rig.file.write_text("ops:x:1000:1000::/home/ops:/bin/sh\n")
    rig.file.chmod(0o644)

    with pytest.raises(StoreError, match=r"^the database .*bot\.db is not a SQLite database$"):
        await rig.open()

    assert mode(rig.file) == 0o644
    assert rig.file.read_text().startswith("ops:x")
    assert [path.name for path in rig.file.parent.iterdir()] == ["bot.db"]


async def test_the_promised_pragmas_are_in_force(rig: FileRig) -> None:
    engine = connect(rig.url)

    async with engine.connect() as connection:
        found = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }

    await engine.dispose()
    assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 1_000}


async def test_a_transaction_takes_the_write_lock_when_it_begins(store: Store, rig: FileRig) -> None:
    async with store.transaction():
        with closing(sqlite3.connect(rig.file, timeout=0, isolation_level=None)) as other:
            assert other.execute("SELECT count(*) FROM server").fetchone() == (0,)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")


async def test_a_transaction_that_only_looks_takes_no_lock_and_waits_for_none(store: Store, rig: FileRig) -> None:
    with closing(sqlite3.connect(rig.file, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO server (name, highest_event) VALUES ('elsewhere', 7)")
        async with store.reading() as tx:
            before = await tx.watch.watched(ServerName("elsewhere"))
            other.execute("COMMIT")
            other.execute("BEGIN IMMEDIATE")
            during = await tx.watch.watched(ServerName("elsewhere"))
        other.execute("ROLLBACK")
    async with store.reading() as tx:
        after = await tx.watch.watched(ServerName("elsewhere"))

    assert [each.highest for each in (before, during, after)] == [0, 0, 7]


async def test_a_transaction_that_only_looks_is_refused_to_write(store: Store, rig: FileRig) -> None:
    with pytest.raises(RuntimeError, match="must not write: DELETE FROM server"):
        async with store.reading() as tx:
            await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 7})

    assert rig.count("server") == 0


async def test_whoever_waits_for_a_table_is_woken_when_a_row_of_it_is_written_for_good(store: Store) -> None:
    woken: list[str] = []
    store.on_write({"server"}, lambda: woken.append("server"))
    store.on_write({"notice", "inbox"}, lambda: woken.append("notice or inbox"))
    seen: list[list[str]] = []

    async with store.transaction() as tx:
        await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 7})
        seen.append([*woken])
    seen.append([*woken])
    with suppress(ValueError):
        async with store.transaction() as tx:
            await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 8})
            raise ValueError("undone")
    async with store.transaction() as tx:
        await tx.watch.watched(SERVER)
    seen.append([*woken])

    assert seen == [[], ["server"], ["server"]]


async def test_a_store_in_memory_keeps_its_rows_between_transactions() -> None:
    store = await Store.open("sqlite://", VirtualClock())
    async with store.transaction() as tx:
        await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 7})

    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).highest == 7
    await store.close()


async def test_a_lock_of_another_program_is_told_in_a_line(
    store: Store, rig: FileRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.close()
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0)
    impatient = await rig.open()

    with closing(sqlite3.connect(rig.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as caught:
            async with impatient.transaction():
                pass

    assert str(caught.value) == (
        f"the database {rig.file} is in use by another program, which did not release it within 30 s"
    )
    await impatient.close()


async def fill(store: Store) -> None:
    async with store.transaction() as tx:
        for first in range(0, 400, 8):
            rows = [{"server": SERVER, "id": first + each, "seen_at": store._clock.now()} for each in range(8)]
            await tx.watch._insert(schema.seen_event, rows)
            await tx.watch.watched(SERVER)


async def cancelled(store: Store, statement: int) -> BaseException:
    """How a transaction ends, with all that it holds, that is cancelled when it is at its n-th *statement*."""
    begun, reached = itertools.count(1), asyncio.Event()

    def count(*_: object) -> None:
        if next(begun) == statement:
            reached.set()

    sa.event.listen(store._engine.sync_engine, "before_cursor_execute", count)
    task = asyncio.create_task(fill(store))
    await reached.wait()
    task.cancel()
    (end,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(end, BaseException)
    return end


@pytest.fixture
def no_garbage_is_collected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_is_collected")
@pytest.mark.parametrize("statement", range(1, 9))
async def test_a_transaction_that_is_cancelled_lets_go_of_the_write_lock(
    store: Store, rig: FileRig, statement: int
) -> None:
    end = await cancelled(store, statement)

    with closing(sqlite3.connect(rig.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
    assert isinstance(end, asyncio.CancelledError)


async def test_a_transaction_waits_longer_than_sqlite_does_for_another_program(
    store: Store, rig: FileRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.close()
    monkeypatch.setattr(engine_module, "_WAIT_SECONDS", 0.05)
    patient = await rig.open()
    with closing(sqlite3.connect(rig.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.5, other.rollback)  # ten waits of SQLite's later

        began = asyncio.get_running_loop().time()
        async with patient.transaction() as tx:
            watched = await tx.watch.watched(SERVER)
        waited = asyncio.get_running_loop().time() - began

    await patient.close()
    assert watched.cursor is None
    assert waited >= 0.4  # seconds, though SQLite itself waits 0.05


async def test_a_transaction_that_waits_for_another_program_ends_soon_when_it_is_cancelled(
    store: Store, rig: FileRig
) -> None:
    with closing(sqlite3.connect(rig.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        async with asyncio.timeout(20):  # less than the wait
            end = await cancelled(store, statement=1)

    assert isinstance(end, asyncio.CancelledError)


async def test_a_connection_that_is_stopped_while_it_is_closed_is_closed_all_the_same(tmp_path: Path) -> None:
    connection = await sqlite.connection(str(tmp_path / "bot.db"), 1.0)
    closing_ = asyncio.create_task(connection.close())
    await asyncio.sleep(0)  # it is on its way

    connection.stop()

    async with asyncio.timeout(120):
        await closing_


async def test_damage_is_told_in_a_line(store: Store, rig: FileRig) -> None:
    async with store.transaction() as tx:
        await tx.watch._insert(
            schema.seen_event, [{"server": SERVER, "id": number, "seen_at": rig.now} for number in range(2_000)]
        )
    await store.close()
    content = bytearray(rig.file.read_bytes())
    content[8_192:] = b"\xff" * (len(content) - 8_192)
    rig.file.write_bytes(content)

    with pytest.raises(StoreError, match=r"bot\.db is damaged; restore a backup$"):
        await rig.open()


async def test_a_read_only_database_is_told_in_a_line(store: Store) -> None:
    async def write() -> None:
        async with store.transaction() as tx:
            await tx.watch._connection.exec_driver_sql("PRAGMA query_only=ON")
            await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 7})

    with pytest.raises(StoreError, match="cannot be written: it or its folder is read-only"):
        await write()


async def test_a_folder_that_is_not_there_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"bot\.db cannot be created: No such file or directory$"):
        connect(f"sqlite:///{tmp_path}/nowhere/bot.db")


async def test_a_folder_in_the_place_of_the_file_is_told_in_a_line(rig: FileRig) -> None:
    rig.file.mkdir()

    with pytest.raises(StoreError, match=r"bot\.db cannot be opened: it or its folder cannot be read and written$"):
        await rig.open()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///bot.db?mode=ro&uri=true", "takes no parameters, but has mode, uri"),
    ],
)
def test_a_url_of_no_use_names_its_key_and_not_its_password(url: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(url)

    assert str(caught.value) == f"store.url: {reason}"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("database or disk is full", "cannot be written: the disk is full"),
        ("disk I/O error", "cannot be used: disk I/O error"),
        ("", "cannot be used: OperationalError"),
        ("first\nsecond", "cannot be used: first"),
    ],
)
def test_whatever_sqlite_says_becomes_one_line(said: str, told: str) -> None:
    assert complaint(Path("bot.db"), sqlite3.OperationalError(said)) == f"the database bot.db {told}"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://db/bot"])
def test_what_is_no_file_has_no_file(url: str) -> None:
    assert file_of(url) is None
