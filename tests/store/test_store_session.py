"""Rooms that do not let us speak, and rooms in the place of others: what becomes of what was to be said there."""

from bot.ids import EventId, RoomId, UserId
from bot.notices.notice import NoticeState, Sent, Suspend, card_key
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import DEVICE, OTHER_ROOM, ROOM, SERVER, StoreRig, a_notice

ME = UserId("@bot:hs")
ALIAS = "#room:hs"


async def claimed(store: Store) -> list[tuple[str, RoomId, int]]:
    """What may be sent now, with its room and which attempt it is."""
    async with store.transaction() as tx:
        return [
            (each.message.tag.key, each.room, each.attempts) for each in (await tx.outbox.claim(10, DEVICE)).notices
        ]


async def count(store: Store) -> dict[NoticeState, int]:
    async with store.transaction() as tx:
        return dict(await tx.outbox.count())


async def test_a_suspended_room_keeps_what_was_tried_and_what_comes(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.outbox.add([a_notice("card/1"), a_notice("card/2"), a_notice("card/3", OTHER_ROOM)])
        first, _ = (await tx.outbox.claim(10, DEVICE)).notices
        await tx.outbox.settle(first, Suspend("HTTP 403"))
        await tx.session.suspend(ROOM)
        await tx.outbox.add([a_notice("card/4")])

    kept = await count(store)
    async with store.transaction() as tx:
        await tx.session.resume(ROOM)

    assert kept == {NoticeState.SUSPENDED: 3, NoticeState.TRIED: 1}
    assert await count(store) == {NoticeState.WAITING: 2, NoticeState.TRIED: 2}
    assert ("card/1", ROOM, 2) in await claimed(store)


async def test_what_a_resumed_room_kept_is_due_at_once(store: Store, rig: StoreRig) -> None:
    async with store.transaction() as tx:
        await tx.session.suspend(ROOM)
        await tx.outbox.add([a_notice("card/1")])
    rig.advance(days=3)

    async with store.transaction() as tx:
        await tx.session.resume(ROOM)

    assert await claimed(store) == [("card/1", ROOM, 1)]


async def test_a_moved_room_takes_its_open_notices_along_and_leaves_what_was_said(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.outbox.add([a_notice("card/1"), a_notice("card/2"), a_notice("card/3")])
        [first] = (await tx.outbox.claim(10, DEVICE)).notices
        await tx.outbox.settle(first, Sent(EventId("$1")))
        await tx.outbox.claim(10, DEVICE)

    async with store.transaction() as tx:
        await tx.session.move(ROOM, OTHER_ROOM)

    assert await claimed(store) == [("card/2", OTHER_ROOM, 1)]
    assert await count(store) == {NoticeState.DONE: 1, NoticeState.TRIED: 1, NoticeState.WAITING: 1}


async def test_a_moved_room_that_was_suspended_speaks_again_in_its_new_place(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.session.suspend(ROOM)
        await tx.outbox.add([a_notice("card/1")])

    async with store.transaction() as tx:
        await tx.session.move(ROOM, OTHER_ROOM)
        await tx.session.resume(OTHER_ROOM)

    assert await claimed(store) == [("card/1", OTHER_ROOM, 1)]


async def test_a_moved_room_has_the_cards_of_both(store: Store) -> None:
    refs = [SubmissionRef(SERVER, SubmissionKind.SERIES, number) for number in (1, 2, 3)]
    async with store.transaction() as tx:
        for room, ref in ((ROOM, refs[0]), (ROOM, refs[1]), (OTHER_ROOM, refs[1]), (OTHER_ROOM, refs[2])):
            await tx.cards.add(ref, a_notice(card_key(room, SERVER, "series", ref.id), room), [])

    async with store.transaction() as tx:
        await tx.session.move(ROOM, OTHER_ROOM)

        assert [await tx.cards.rooms_with(ref) for ref in refs] == [{OTHER_ROOM}] * 3


async def test_a_name_follows_its_room_and_stands_for_one_only(store: Store) -> None:
    third = RoomId("!third:hs")
    async with store.transaction() as tx:
        await tx.session.set_name(ALIAS, ROOM)
        await tx.session.move(ROOM, OTHER_ROOM)
        followed = (await tx.session.load(ME)).named

        await tx.session.set_name(ALIAS, third)

        assert followed == {ALIAS: OTHER_ROOM}
        assert (await tx.session.load(ME)).named == {ALIAS: third}
