"""The lease in a real PostgreSQL database: one holder, its renewals, and the transactions of former holders."""

from collections.abc import AsyncIterator

import pytest

from bot.clock import VirtualClock
from bot.errors import LeaseLost, StoreError
from bot.ids import UserId
from bot.lease import LEASE_SECONDS, Tenure
from bot.store import leases as leases_module
from bot.store.lease_book import Instance
from bot.store.leases import Leases
from bot.store.store import Store
from support.postgres_server import PostgresServer
from support.store_rig import StoreRig

ADA, BOB = Instance("a", "ada"), Instance("b", "bob")
ME = UserId("@bot:hs")
END = "UPDATE lease SET ends_at = timezone('UTC', clock_timestamp())"


@pytest.fixture
def rig(migrated_postgres_url: str) -> StoreRig:
    return StoreRig(migrated_postgres_url)


@pytest.fixture
async def ada(rig: StoreRig) -> AsyncIterator[Leases]:
    leases = Leases(rig.url, ADA, VirtualClock())
    yield leases
    await leases.close()


@pytest.fixture
async def bob(rig: StoreRig) -> AsyncIterator[Leases]:
    leases = Leases(rig.url, BOB, VirtualClock())
    yield leases
    await leases.close()


async def taken(leases: Leases) -> int:
    """The epoch of the lease, which could be taken."""
    taken_over = await leases.take()
    assert taken_over is not None
    return taken_over.epoch


async def opened(rig: StoreRig, epoch: int) -> tuple[Store, Tenure]:
    """A store that writes under the lease of *epoch*."""
    tenure = Tenure(epoch)
    return await Store.open(rig.url, rig.clock, None, tenure), tenure


async def write(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.session.set_since(ME, "s1")


async def test_the_lease_has_one_holder_until_it_ends(ada: Leases, bob: Leases, rig: StoreRig) -> None:
    first = await taken(ada)
    refused = await bob.take()
    rig.execute(END)
    second = await bob.take()

    assert (first, refused) == (1, None)
    assert second is not None
    assert (second.epoch, second.reason, second.before.row.host) == (2, "ended", "ada")
    assert (await ada.view()).row.host == "bob"


async def test_the_lease_ends_by_the_clock_of_the_database(ada: Leases, bob: Leases) -> None:
    await ada.take()

    seen = (await bob.look(reaches_homeserver=None)).row

    assert (seen.holder, seen.epoch) == ("a", 1)
    assert LEASE_SECONDS - 5 < seen.ends_in_seconds <= LEASE_SECONDS


async def test_a_renewed_lease_does_not_end(ada: Leases, bob: Leases, rig: StoreRig) -> None:
    epoch = await taken(ada)

    rig.execute(END)
    assert await ada.renew(epoch, is_cut_off=False) == ()

    assert await bob.take() is None


async def test_a_lease_that_was_taken_over_is_not_renewed(ada: Leases, bob: Leases, rig: StoreRig) -> None:
    epoch = await taken(ada)
    rig.execute(END)
    await bob.take()

    assert await ada.renew(epoch, is_cut_off=False) is None


async def test_an_instance_takes_the_lease_of_its_former_process_at_once(ada: Leases, rig: StoreRig) -> None:
    await ada.take()
    again = Leases(rig.url, ADA, VirtualClock())

    assert await taken(again) == 2

    await again.close()


async def test_a_released_lease_can_be_taken_at_once(ada: Leases, bob: Leases) -> None:
    epoch = await taken(ada)

    await ada.release(epoch, 0.0)

    assert await taken(bob) == 2


async def test_a_release_in_doubt_keeps_others_waiting(ada: Leases, bob: Leases) -> None:
    epoch = await taken(ada)

    await ada.release(epoch, 8.0)

    assert await bob.take() is None
    assert 0 < (await bob.view()).row.ends_in_seconds <= 8


async def test_the_holder_knows_who_stands_by(ada: Leases, bob: Leases, rig: StoreRig) -> None:
    epoch = await taken(ada)

    await bob.look(reaches_homeserver=True)
    [standby] = await ada.renew(epoch, is_cut_off=True) or ()
    assert (standby.host, standby.reaches_homeserver) == ("bob", True)
    assert (await bob.view()).is_cut_off

    rig.execute("UPDATE standby SET seen_at = seen_at - interval '1 minute'")
    assert await ada.renew(epoch, is_cut_off=False) == ()


async def test_an_instance_that_ends_does_not_stand_by(ada: Leases, bob: Leases) -> None:
    epoch = await taken(ada)
    await bob.look(reaches_homeserver=None)

    await bob.go()

    assert await ada.renew(epoch, is_cut_off=False) == ()


async def test_what_instances_must_share_is_published(ada: Leases, bob: Leases) -> None:
    await ada.publish(await taken(ada), {"tags": "0123"})

    assert (await bob.view()).keys == {"tags": "0123"}


# Former holders


async def test_the_database_refuses_a_former_holder_to_write(ada: Leases, bob: Leases, rig: StoreRig) -> None:
    store, tenure = await opened(rig, await taken(ada))
    await write(store)

    rig.execute(END)
    await bob.take()
    with pytest.raises(StoreError):  # the connection was ended
        await write(store)
    with pytest.raises(LeaseLost, match=r"^another instance of the bot has taken over the database bot"):
        await write(store)

    assert tenure.lost.is_set()
    await store.close()


async def test_a_transaction_in_which_the_holder_was_stopped_is_undone(ada: Leases, bob: Leases, rig: StoreRig) -> None:
    store, _ = await opened(rig, await taken(ada))

    async def stopped() -> None:
        async with store.transaction() as tx:
            await tx.session.set_since(ME, "stopped")
            rig.execute(END)
            assert await taken(bob) == 2

    with pytest.raises(StoreError):
        await stopped()

    assert rig.execute("SELECT since FROM session") == []
    await store.close()


async def test_a_look_of_a_former_holder_is_harmless(ada: Leases, bob: Leases, rig: StoreRig) -> None:
    store, _ = await opened(rig, await taken(ada))
    rig.execute(END)
    await bob.take()

    with pytest.raises(StoreError):
        await write(store)
    async with store.reading() as tx:
        assert (await tx.session.load(ME)).since is None

    await store.close()


async def test_a_command_of_an_operator_writes_without_a_lease(ada: Leases, rig: StoreRig) -> None:
    await ada.take()

    store = await Store.beside(rig.url, rig.clock)
    await write(store)

    await store.close()


async def test_a_take_over_by_a_user_who_may_not_end_connections_waits_for_the_last_transaction(
    ada: Leases, rig: StoreRig, postgres: PostgresServer
) -> None:
    store, _ = await opened(rig, await taken(ada))
    postgres.execute("DROP ROLE IF EXISTS other")
    postgres.execute("CREATE ROLE other LOGIN")
    rig.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO other")
    rig.execute(END)
    other = Leases(rig.url.replace("postgres@", "other@"), BOB, VirtualClock())

    assert await taken(other) == 2
    with pytest.raises(LeaseLost):
        await write(store)

    await other.close()
    await store.close()
    rig.execute("DROP OWNED BY other")
    postgres.execute("DROP ROLE other")


# Databases that are new, or do not respond


async def test_two_instances_may_start_over_an_empty_database(postgres_url: str) -> None:
    first, second = (Leases(postgres_url, me, VirtualClock()) for me in (ADA, BOB))

    await first.prepare()
    await second.prepare()

    assert await taken(first) == 1
    assert await second.take() is None
    await first.close()
    await second.close()


async def test_a_database_that_hangs_is_told_in_time(
    ada: Leases, rig: StoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch = await taken(ada)
    monkeypatch.setattr(leases_module, "ANSWER_SECONDS", 0.2)
    other = leases_module.Leases(rig.url, BOB, VirtualClock())
    async with other._engine.begin() as connection:
        await connection.exec_driver_sql("LOCK TABLE lease")
        with pytest.raises(StoreError, match="did not respond within"):
            await ada.renew(epoch, is_cut_off=False)

    assert await ada.renew(epoch, is_cut_off=False) == ()
    await other.close()
