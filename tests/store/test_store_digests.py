"""Digests in each kind of database: what is kept for them, and when they are due."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.ids import PatchId, RoomId, SeriesId
from bot.patchwork.updates import FieldUpdate, PatchField
from bot.poll import Poll, SeriesRead
from bot.query.options import DigestTimes, read_digest
from bot.store.digest_book import KEEP_POSTED, DigestDue, DigestEntry
from bot.store.retention import delete_outdated
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import OTHER_ROOM, OTHER_SERVER, ROOM, SERVER, StoreRig, a_baseline, a_notice, a_patch, a_series

DAILY = read_digest("daily 09:00")
WEEKLY = read_digest("Mon 18:30")
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday, when the rig's clock starts
WHY = [(7, "path:migration/", "migration/ram.c")]


def series(number: int) -> SubmissionRef:
    return SubmissionRef(SERVER, SubmissionKind.SERIES, number)


async def keep(store: Store, *numbers: int, room: RoomId = ROOM, digest: DigestTimes = DAILY) -> None:
    async with store.transaction() as tx:
        for number in numbers:
            await tx.digests.add(room, [digest], series(number), WHY)


async def untold(store: Store, room: RoomId = ROOM, digest: DigestTimes = DAILY) -> list[int]:
    async with store.transaction() as tx:
        return [entry.about.id for entry in await tx.digests.entries(room, digest)]


async def due(store: Store) -> list[DigestDue]:
    async with store.transaction() as tx:
        return await tx.digests.due()


async def next_of(store: Store, room: RoomId = ROOM) -> datetime | None:
    async with store.transaction() as tx:
        return await tx.digests.next_of(room)


async def arrange(store: Store, *wanted: tuple[RoomId, DigestTimes]) -> None:
    async with store.transaction() as tx:
        await tx.digests.schedule(wanted)


async def test_what_is_kept_comes_in_the_order_of_arrival_and_once(store: Store) -> None:
    await keep(store, 3, 1, 2)
    await keep(store, 1)
    await keep(store, 1, digest=WEEKLY)
    await keep(store, 9, room=OTHER_ROOM)

    assert await untold(store) == [3, 1, 2]
    assert await untold(store, digest=WEEKLY) == [1]


async def test_what_was_told_is_not_kept_again(store: Store, rig: StoreRig) -> None:
    await keep(store, 1)
    await arrange(store, (ROOM, DAILY))
    rig.advance(hours=9)
    [appointment] = await due(store)
    async with store.transaction() as tx:
        await tx.digests.settle(appointment)
    await keep(store, 1, 2)

    assert await untold(store) == [2]
    assert await due(store) == []
    assert await next_of(store) == MIDNIGHT + timedelta(days=1, hours=9)


async def test_what_has_a_card_by_then_is_not_told(store: Store) -> None:
    await keep(store, 1, 2)
    async with store.transaction() as tx:
        await tx.cards.add(series(1), a_notice("card/1", ROOM), [])
        await tx.cards.add(series(2), a_notice("card/2", OTHER_ROOM), [])

    assert await untold(store) == [2]


async def test_a_new_version_is_known_as_one(store: Store) -> None:
    read = tuple(SeriesRead(a_series(number), ()) for number in (1, 2))
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, None, baselines=(a_baseline(),), series=read))
        await tx.watch.link(SERVER, SeriesId(2), SeriesId(1))
    await keep(store, 1, 2)

    async with store.transaction() as tx:
        assert await tx.digests.entries(ROOM, DAILY) == [
            DigestEntry(series(1)),
            DigestEntry(series(2), has_former=True),
        ]


async def test_a_digest_is_due_at_its_time_and_stays_so_until_it_is_told(store: Store, rig: StoreRig) -> None:
    await arrange(store, (ROOM, DAILY), (OTHER_ROOM, WEEKLY))
    early = await due(store)
    rig.advance(hours=9)
    on_time = await due(store)
    rig.advance(days=3)
    late = await due(store)

    assert early == []
    assert on_time == late == [DigestDue(ROOM, DAILY, MIDNIGHT, MIDNIGHT + timedelta(hours=9))]


async def test_only_what_is_wanted_or_kept_is_due(store: Store, rig: StoreRig) -> None:
    await arrange(store, (ROOM, DAILY), (ROOM, WEEKLY), (OTHER_ROOM, DAILY))
    await keep(store, 1)
    rig.advance(hours=1)
    await arrange(store, (ROOM, WEEKLY))
    rig.advance(days=7)

    assert [(each.room, each.digest, each.since) for each in await due(store)] == [
        (ROOM, DAILY, MIDNIGHT),
        (ROOM, WEEKLY, MIDNIGHT),
    ]


async def test_a_digest_that_is_put_off_keeps_what_it_covers(store: Store, rig: StoreRig) -> None:
    await keep(store, 1)
    await arrange(store, (ROOM, DAILY))
    rig.advance(hours=9)
    [appointment] = await due(store)
    async with store.transaction() as tx:
        assert await tx.digests.is_still_due(appointment)
        await tx.digests.put_off(appointment)
        assert not await tx.digests.is_still_due(appointment)
    rig.advance(days=1)

    assert await untold(store) == [1]
    assert [each.since for each in await due(store)] == [MIDNIGHT]


async def test_another_zone_moves_what_is_not_due_yet(store: Store, rig: StoreRig) -> None:
    await arrange(store, (ROOM, DAILY), (ROOM, WEEKLY))
    rig.advance(hours=10)
    async with store.transaction() as tx:
        await tx.subscriptions.set(ROOM, "timezone", "Asia/Tokyo")
        await tx.digests.reschedule(ROOM)

    assert [each.next_due_at for each in await due(store)] == [MIDNIGHT + timedelta(hours=9)]
    rig.advance(days=4)
    assert [each.next_due_at.isoformat() for each in await due(store)] == [
        "2026-01-01T09:00:00+00:00",
        "2026-01-05T09:30:00+00:00",
    ]


async def test_a_room_that_we_left_is_not_told_what_was_kept(store: Store) -> None:
    await keep(store, 1)
    await arrange(store, (ROOM, DAILY))
    async with store.transaction() as tx:
        await tx.session.leave(ROOM)

    assert await untold(store) == []
    assert await next_of(store) is None


async def test_a_room_in_the_place_of_another_is_told_what_was_kept(store: Store, rig: StoreRig) -> None:
    await keep(store, 1, 2)
    await keep(store, 2, room=OTHER_ROOM)
    await arrange(store, (ROOM, DAILY), (ROOM, WEEKLY), (OTHER_ROOM, DAILY))
    async with store.transaction() as tx:
        await tx.session.move(ROOM, OTHER_ROOM)
    rig.advance(days=7)

    assert await untold(store) == []
    assert sorted(await untold(store, OTHER_ROOM)) == [1, 2]
    assert [(each.room, each.digest) for each in await due(store)] == [(OTHER_ROOM, DAILY), (OTHER_ROOM, WEEKLY)]


async def test_what_was_kept_of_a_server_whose_ids_begin_anew_is_forgotten(store: Store) -> None:
    await keep(store, 1)
    async with store.transaction() as tx:
        await tx.digests.add(ROOM, [DAILY], SubmissionRef(OTHER_SERVER, SubmissionKind.SERIES, 5), WHY)
        await tx.watch.save(Poll(SERVER, None, rebuilt=True))

    assert await untold(store) == [5]


async def test_what_was_told_is_forgotten_when_it_cannot_come_again(store: Store, rig: StoreRig) -> None:
    await keep(store, 1)
    await arrange(store, (ROOM, DAILY))
    rig.advance(hours=9)
    [appointment] = await due(store)
    async with store.transaction() as tx:
        await tx.digests.settle(appointment)
    await keep(store, 2)
    rig.advance(seconds=KEEP_POSTED.total_seconds())
    await delete_outdated(store)
    before = rig.count("digest_entry")
    rig.advance(seconds=1)
    await delete_outdated(store)

    assert (before, rig.count("digest_entry")) == (2, 1)


@pytest.mark.parametrize("state", ["accepted", "new"])
async def test_when_something_last_happened_to_a_patch_is_known(store: Store, rig: StoreRig, state: str) -> None:
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, None, patches=(a_patch(1),)))
    rig.advance(days=3)
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, None, updates=(FieldUpdate(PatchId(1), PatchField.STATE, state),)))
        found = await tx.watch.stored_patch(SERVER, 1)

    assert found is not None
    assert found.changed_at == (rig.now if state == "accepted" else None)
