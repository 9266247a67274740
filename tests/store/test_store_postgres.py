"""PostgreSQL: one writer, one instance, a server that goes and comes back, and what its refusals read like."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.clock import VirtualClock
from bot.errors import ConfigError, StoreError
from bot.store import engine as engine_module
from bot.store import postgres, schema
from bot.store.engine import connect, plain_errors
from bot.store.store import Store
from support.postgres_server import PostgresServer
from support.store_rig import SERVER, StoreRig, ask

TURN = f"pg_try_advisory_xact_lock({0x70617463}, 1)"


@pytest.fixture
def rig(postgres_url: str) -> StoreRig:
    return StoreRig(postgres_url)


@pytest.fixture
def server(postgres: PostgresServer) -> PostgresServer:
    return postgres


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0)


async def refusal(url: str) -> str:
    """What is told when *url* cannot be opened."""
    with pytest.raises(StoreError) as caught:
        await Store.open(url, VirtualClock())
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def set_highest(store: Store, number: int) -> None:
    async with store.transaction() as tx:
        await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": number})


# One writer, one instance


async def test_a_transaction_takes_the_write_lock_when_it_begins(store: Store, rig: StoreRig) -> None:
    async with store.transaction():
        during = rig.execute(f"SELECT {TURN}")
    after = rig.execute(f"SELECT {TURN}")

    assert (during, after) == ([(False,)], [(True,)])


async def test_a_transaction_that_only_looks_takes_no_lock_and_waits_for_none(store: Store, rig: StoreRig) -> None:
    other = connect(rig.url)
    async with other.begin(), store.reading() as tx:
        await tx.watch.watched(SERVER)
    async with store.reading() as tx:
        await tx.watch.watched(SERVER)
        during = rig.execute(f"SELECT {TURN}")
    await other.dispose()

    assert during == [(True,)]


@pytest.mark.usefixtures("store")
async def test_a_look_at_the_whole_database_takes_no_lock_and_writes_nothing(rig: StoreRig) -> None:
    engine = connect(rig.url)
    async with engine.connect() as connection:
        await connection.execution_options(**engine_module.READ_ONLY)
        await connection.execute(sa.select(schema.server))
        assert rig.execute(f"SELECT {TURN}") == [(True,)]
        with pytest.raises(StoreError, match="can only be read"), plain_errors(engine.url):
            await connection.execute(sa.delete(schema.server))
    await engine.dispose()


@pytest.mark.usefixtures("_impatient")
async def test_a_lock_of_another_program_is_told_in_a_line(rig: StoreRig) -> None:
    store = await rig.open()
    other = connect(rig.url)
    async with other.begin():
        with pytest.raises(
            StoreError, match=r"^the database bot\d+ on .* is in use by another program, which did not "
        ):
            async with store.transaction():
                pass

    await other.dispose()
    await store.close()


async def test_an_instance_that_just_ended_keeps_nobody_waiting(rig: StoreRig) -> None:
    for number in range(5):
        store = await rig.open()
        await set_highest(store, number)
        await store.close()

    assert rig.execute("SELECT highest_event FROM server") == [(4,)]


async def test_a_commit_survives_a_power_loss_whatever_the_server_is_set_to(rig: StoreRig) -> None:
    name = sa.make_url(rig.url).database
    rig.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    rig.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    store = await rig.open()

    async with store.transaction() as tx:
        found = {
            setting: (await tx.watch._connection.exec_driver_sql(f"SHOW {setting}")).scalar_one()
            for setting in ("synchronous_commit", "transaction_isolation", "lock_timeout", "statement_timeout")
        }

    await store.close()
    assert found == {
        "synchronous_commit": "local",
        "transaction_isolation": "read committed",
        "lock_timeout": "30s",
        "statement_timeout": "1min",
    }


# A server that goes and comes back


async def test_a_server_that_was_killed_between_transactions_costs_nothing(
    store: Store, rig: StoreRig, server: PostgresServer
) -> None:
    await set_highest(store, 7)

    with server.away():
        pass

    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).highest == 7
    await set_highest(store, 8)
    assert rig.execute("SELECT highest_event FROM server") == [(8,)]


async def test_a_server_that_is_killed_in_a_transaction_keeps_nothing_of_it(
    store: Store, server: PostgresServer
) -> None:
    async def set_while_the_server_dies() -> None:
        async with store.transaction() as tx:
            await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": 8})
            with server.away():
                pass

    await set_highest(store, 7)

    with pytest.raises(StoreError, match=r"^the database bot\d+ on .* cannot be used: "):
        await set_while_the_server_dies()

    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).highest == 7


async def test_a_server_that_is_down_is_told_in_a_line_and_found_again(store: Store, server: PostgresServer) -> None:
    await set_highest(store, 7)

    with server.away(), pytest.raises(StoreError) as caught:
        await ask(store, lambda tx: tx.watch.watched(SERVER))

    assert str(caught.value).endswith(" cannot be reached: no server listens there")
    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).highest == 7


# What refusals read like


async def test_a_wrong_password_is_told_and_never_shown(server: PostgresServer, rig: StoreRig) -> None:
    server.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
    wrong = rig.url.replace("postgres@", "locked:hunter2@")
    none = rig.url.replace("postgres@", "locked@")

    told = [await refusal(wrong), await refusal(none)]

    server.execute("DROP ROLE locked")
    name = f"the database {sa.make_url(rig.url).database} on {server.folder}"
    assert told == [
        f"{name} rejects the user name or password in store.url",
        f"{name} requires a password, but store.url has none",
    ]


@pytest.fixture
def barred(server: PostgresServer) -> Iterator[None]:
    """A user whom the server knows and does not let in."""
    server.execute("CREATE ROLE barred LOGIN")
    yield
    server.execute("DROP ROLE barred")


@pytest.mark.usefixtures("barred")
@pytest.mark.parametrize(
    ("database", "user", "told"),
    [
        ("nowhere", "postgres", "the database nowhere on {folder} does not exist: create it with createdb"),
        ("postgres", "nobody", "the database postgres on {folder} does not have the user in store.url"),
        (
            "postgres",
            "barred",
            "the database postgres on {folder} does not accept this user from this host (pg_hba.conf)",
        ),
    ],
)
async def test_who_cannot_get_in_is_told_why(server: PostgresServer, database: str, user: str, told: str) -> None:
    assert await refusal(server.url(database, user)) == told.format(folder=server.folder)


async def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert await refusal(f"postgresql:///bot?host={tmp_path}") == (
        f"the database bot on {tmp_path} cannot be reached: no server listens there"
    )


async def test_a_port_where_nobody_listens_is_told_without_the_login() -> None:
    assert await refusal("postgresql://bot:hunter2@127.0.0.1:1/bot") == (
        "the database bot on 127.0.0.1:1 cannot be reached: no server listens there"
    )


async def test_an_old_server_is_told(rig: StoreRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "OLDEST", 999)

    assert (await refusal(rig.url)).endswith(" is served by PostgreSQL 18; 999 or newer is needed")


@pytest.fixture
def in_ascii(server: PostgresServer) -> Iterator[str]:
    """A database as a server that was set up without a locale makes it."""
    server.execute("CREATE DATABASE plain TEMPLATE template0 ENCODING 'SQL_ASCII'")
    yield server.url("plain")
    server.execute("DROP DATABASE plain WITH (FORCE)")


async def test_a_database_that_does_not_know_all_letters_is_refused(in_ascii: str) -> None:
    assert (await refusal(in_ascii)).endswith(
        " has the encoding SQL_ASCII: create one with createdb -T template0 -E UTF8"
    )


@pytest.fixture
def guest(server: PostgresServer) -> Iterator[str]:
    """A user who may connect, and make nothing."""
    server.execute("CREATE ROLE guest LOGIN")
    yield "guest"
    server.execute("DROP ROLE guest")


async def test_a_user_who_may_make_no_tables_is_told(rig: StoreRig, guest: str) -> None:
    assert (await refusal(rig.url.replace("postgres@", f"{guest}@"))).endswith(
        " denies this user a permission that the bot needs; permission denied for schema public"
    )


async def test_a_database_that_can_only_be_read_is_told(store: Store, rig: StoreRig) -> None:
    await store.close()
    rig.execute(f"ALTER DATABASE {sa.make_url(rig.url).database} SET default_transaction_read_only = on")
    later = await rig.open()

    with pytest.raises(StoreError, match=r" can only be read: is it a standby\?$"):
        await set_highest(later, 1)

    await later.close()


def test_a_missing_driver_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(StoreError) as caught:
        connect("postgresql://bot:hunter2@db/bot")

    assert str(caught.value) == (
        'PostgreSQL needs a driver that is not installed: pip install "patchwork-matrix-bot[postgres]"'
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bot:hunter2%zz@db/bot",
        "postgresql://bot:hunter2@db/bot?nonsense=1",
        "postgresql://bot:hunter2@[::1/bot",
    ],
)
def test_a_url_that_cannot_be_read_names_its_key_and_not_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(url)

    assert str(caught.value) == "store.url: cannot be read: postgresql://USER@HOST/DATABASE?PARAMETER=VALUE"


async def test_an_engine_does_not_know_the_password_it_connects_with() -> None:
    engine = connect("postgresql://bot:hunter2@db:5433/bot?sslpassword=hunter2")

    assert "hunter2" not in engine.url.render_as_string(hide_password=False)
    await engine.dispose()
