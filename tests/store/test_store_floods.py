"""The floods in the database."""

from dataclasses import replace

import pytest

from bot.ids import NoticeKey
from bot.notices.catch_up import Absence, AbsenceCause
from bot.notices.floods import Cause, Flood, flood_key
from bot.poll import Poll, SeriesRead
from bot.store.flood_book import HeldSubmission
from bot.store.retention import delete_outdated
from bot.store.store import Store, Transaction
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import DEVICE, OTHER_ROOM, ROOM, SERVER, StoreRig, a_notice, a_patch, a_series

LINE = NoticeKey("flood/1")


def held(number: int, kind: SubmissionKind = SubmissionKind.SERIES) -> HeldSubmission:
    return HeldSubmission(
        SubmissionRef(SERVER, kind, number), [[1, "path:migration/", "migration/ram.c"]], ("migration/ram.c",)
    )


async def a_card(tx: Transaction, number: int) -> None:
    """A card that waits to be sent."""
    notice = a_notice(f"card/{number}")
    await tx.cards.add(SubmissionRef(SERVER, SubmissionKind.SERIES, number), notice, [[1, "path:a/", "a/b"]])
    await tx.outbox.add([notice])


async def test_what_is_set_in_chat_counts_before_the_file_and_that_before_the_default(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.session.set_name("#room:hs", ROOM)
        limits = [await tx.floods.limit(ROOM)]
        await tx.floods.configure({"#room:hs": 25, OTHER_ROOM: 3})
        limits += [await tx.floods.limit(ROOM), await tx.floods.limit(OTHER_ROOM)]
        await tx.subscriptions.set(ROOM, "flood", "0")
        limits += [await tx.floods.limit(ROOM), await tx.floods.configured_limit(ROOM)]

    assert limits == [10, 25, 3, 0, 25]


async def test_a_flood_is_kept_as_it_is(rig: StoreRig, store: Store) -> None:
    flood = Flood(ROOM, LINE, SERVER, rig.now, rig.now, before=3, cause=Cause.KEPT)
    async with store.transaction() as tx:
        await tx.floods.put(flood)
        await tx.floods.put(replace(flood, is_posted=True))

    async with store.transaction() as tx:
        assert await tx.floods.all() == [replace(flood, is_posted=True)]
        await tx.floods.remove(flood)
        assert await tx.floods.all() == []


async def test_what_is_gathered_comes_back_in_its_order(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, None, series=(SeriesRead(a_series(7), ()),), patches=(a_patch(8),)))
        await tx.floods.gather(ROOM, LINE, [held(9), held(7), held(8, SubmissionKind.PATCH)])
        assert await tx.floods.held(LINE, 0) == [held(9), held(7), held(8, SubmissionKind.PATCH)]
        assert await tx.floods.rooms_with(SubmissionRef(SERVER, SubmissionKind.SERIES, 7)) == {ROOM}
        names = [each.what and each.what.name for each in await tx.floods.gathered(LINE)]

    assert names == [None, "Series 7", "Patch 8"]


async def test_of_the_cards_of_the_last_minute_those_that_were_tried_stay(rig: StoreRig, store: Store) -> None:
    async with store.transaction() as tx:
        await a_card(tx, 1)
    rig.advance(seconds=60)
    async with store.transaction() as tx:
        for number in (2, 3, 4):
            await a_card(tx, number)
        await tx.outbox.claim(1, DEVICE)  # the oldest
        await tx.outbox.drop([(await tx.outbox.unsent())[0].id])
        await tx.outbox.claim(1, DEVICE)

    async with store.transaction() as tx:
        _, recent = await tx.floods.limit_and_recent(ROOM)
        assert recent == 3
        withdrawn = await tx.floods.withdraw_recent(ROOM)

    assert [each.about.id for each in withdrawn] == [3, 4]
    assert [key for (key,) in rig.execute("SELECT key FROM notice")] == ["card/2"]
    assert sorted(rig.execute("SELECT object FROM card")) == [(1,), (2,)]


@pytest.mark.parametrize(("count", "left"), [(10, 10), (11, 0)])
async def test_too_many_cards_that_were_kept_for_a_room_are_a_flood_when_it_lets_us_again(
    rig: StoreRig, store: Store, count: int, left: int
) -> None:
    async with store.transaction() as tx:
        await tx.session.suspend(ROOM)
        for number in range(count):
            await a_card(tx, number)
        await tx.session.resume(ROOM)

    async with store.transaction() as tx:
        floods = await tx.floods.all()
        numbers = [each.about.id for flood in floods for each in await tx.floods.held(flood.key, 0)]
    assert rig.count("notice") == rig.count("card") == left
    assert numbers == ([] if left else list(range(count)))
    assert [flood.cause for flood in floods] == ([] if left else [Cause.KEPT])


async def test_a_room_that_moves_takes_its_floods_along(rig: StoreRig, store: Store) -> None:
    async with store.transaction() as tx:
        await tx.floods.put(Flood(ROOM, flood_key(ROOM, rig.now), SERVER, rig.now, rig.now, is_posted=True))
        await tx.floods.gather(ROOM, flood_key(ROOM, rig.now), [held(1), held(2)])
        await tx.floods.gather(OTHER_ROOM, LINE, [held(1)])
        await tx.session.move(ROOM, OTHER_ROOM)

    key = flood_key(OTHER_ROOM, rig.now)
    async with store.transaction() as tx:
        assert await tx.floods.all() == [Flood(OTHER_ROOM, key, SERVER, rig.now, rig.now)]
        assert await tx.floods.held(key, 0) == [held(2)]


async def test_what_was_listed_half_a_year_ago_is_forgotten(rig: StoreRig, store: Store) -> None:
    async with store.transaction() as tx:
        await tx.floods.gather(ROOM, LINE, [held(1)])
    rig.advance(days=181)
    await delete_outdated(store)

    assert rig.count("flood_entry") == 0


async def test_an_absence_is_kept_as_it_is(rig: StoreRig, store: Store) -> None:
    absence = Absence(SERVER, rig.now, rig.now, AbsenceCause.BOT, came=3, old=1)
    async with store.transaction() as tx:
        await tx.catch_ups.put(absence)
        await tx.catch_ups.put(replace(absence, ended=rig.now))

    async with store.transaction() as tx:
        assert await tx.catch_ups.last(SERVER) == replace(absence, ended=rig.now)
        assert await tx.catch_ups.polled_at(SERVER) is None
