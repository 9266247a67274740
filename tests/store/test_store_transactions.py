"""What a transaction promises, whatever database is below it."""

import asyncio

import pytest
import sqlalchemy as sa

from bot.store import schema
from bot.store.engine import connect
from bot.store.store import Store
from support.store_rig import SERVER, StoreRig, ask


async def test_two_programs_over_one_database_lose_no_update(store: Store, rig: StoreRig) -> None:
    other = Store(connect(rig.url), rig.clock)

    async def count_up(of: Store) -> None:
        for _ in range(20):
            async with of.transaction() as tx:
                highest = (await tx.watch._all(sa.select(schema.server)))[:1]
                number = highest[0]["highest_event"] if highest else 0
                await tx.watch._replace(schema.server, {"name": SERVER}, {"highest_event": number + 1})

    await asyncio.gather(count_up(store), count_up(other), count_up(store))

    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).highest == 60
    await other.close()


async def test_a_transaction_that_raises_leaves_nothing(store: Store, rig: StoreRig) -> None:
    async def write_and_fail() -> None:
        async with store.transaction() as tx:
            await tx.watch._insert(schema.seen_event, [{"server": SERVER, "id": 1, "seen_at": rig.now}])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await write_and_fail()

    assert rig.count("seen_event") == 0
    assert await ask(store, lambda tx: tx.watch.known_events(SERVER, [1])) == set()


async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(store: Store, rig: StoreRig) -> None:
    written = asyncio.Event()

    async def write_and_wait() -> None:
        async with store.transaction() as tx:
            await tx.watch._insert(schema.seen_event, [{"server": SERVER, "id": 1, "seen_at": rig.now}])
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write_and_wait())
    await written.wait()
    task.cancel()
    await asyncio.wait({task})

    assert await ask(store, lambda tx: tx.watch.known_events(SERVER, [1])) == set()


async def test_a_fault_of_our_own_is_not_taken_for_a_fault_of_the_database(store: Store, rig: StoreRig) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        async with store.transaction() as tx:
            await tx.watch._insert(schema.seen_event, [{"server": SERVER, "id": 1, "seen_at": rig.now}] * 2)


async def test_a_time_without_a_zone_is_refused(store: Store, rig: StoreRig) -> None:
    naive = rig.now.replace(tzinfo=None)

    with pytest.raises(sa.exc.StatementError, match="a time without a zone is not stored"):
        async with store.transaction() as tx:
            await tx.watch._insert(schema.seen_event, [{"server": SERVER, "id": 1, "seen_at": naive}])
