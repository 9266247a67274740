"""Changes that wait until they are told together."""

from bot.ids import EventId, NoticeKey, PatchId, RoomId
from bot.notices.changes import Change, ChangeKind
from bot.notices.notice import Sent, card_key
from bot.patchwork.model import Comment, Person, Trailer, TrailerKind
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from bot.watch.thread_replies import GATHERING
from support.store_rig import DEVICE, OTHER_ROOM, ROOM, SERVER, StoreRig, a_notice

NEW_ROOM = RoomId("!new:hs")
CARD = SubmissionRef(SERVER, SubmissionKind.SERIES, 5)
KEY, OTHER_KEY = (card_key(room, SERVER, "series", 5) for room in (ROOM, OTHER_ROOM))
ACCEPTED = Change(ChangeKind.STATE, PatchId(1), "new", "accepted")
REVIEW = frozenset({Trailer(TrailerKind.REVIEWED, "rey@example.com")})
SAID = Comment(7, Person("Rey “\N{BELL}”", "rey@example.com"), "2026-01-01T00:00:00", "Fine.\nThanks!", REVIEW)
COMMENT = Change(ChangeKind.COMMENT, None, "", "7", comment=SAID)


async def with_cards(store: Store) -> None:
    async with store.transaction() as tx:
        for key, room in ((KEY, ROOM), (OTHER_KEY, OTHER_ROOM)):
            await tx.cards.add(CARD, a_notice(key, room), [])
            await tx.outbox.add([a_notice(key, room)])


async def test_they_are_due_together_a_while_after_the_first(rig: StoreRig, store: Store) -> None:
    await with_cards(store)
    async with store.transaction() as tx:
        await tx.queued.add(KEY, [ACCEPTED])
    rig.advance(seconds=59)
    async with store.transaction() as tx:
        await tx.queued.add(KEY, [COMMENT])
        await tx.queued.add(OTHER_KEY, [COMMENT])
        early = await tx.queued.due(GATHERING, 10)
    rig.advance(seconds=1)

    async with store.transaction() as tx:
        [burst] = await tx.queued.due(GATHERING, 10)

    assert early == []
    assert (burst.card, burst.room, burst.about, burst.ended, burst.is_there) == (KEY, ROOM, CARD, None, True)
    assert burst.changes == (ACCEPTED, COMMENT)


async def test_what_was_told_is_gone_and_what_came_since_begins_anew(rig: StoreRig, store: Store) -> None:
    await with_cards(store)
    async with store.transaction() as tx:
        await tx.queued.add(KEY, [ACCEPTED])
    rig.advance(seconds=60)
    async with store.transaction() as tx:
        [burst] = await tx.queued.due(GATHERING, 10)
        await tx.queued.add(KEY, [COMMENT])
        await tx.queued.remove(burst)
        at_once = await tx.queued.due(GATHERING, 10)
    rig.advance(seconds=60)
    async with store.transaction() as tx:
        [later] = await tx.queued.due(GATHERING, 10)
        await tx.queued.remove(later)

    assert at_once == []
    assert later.changes == (COMMENT,)
    assert later.first > burst.first
    assert rig.count("queued_change") == 0


async def test_a_number_is_given_once_though_the_table_was_empty_in_between(rig: StoreRig, store: Store) -> None:
    await with_cards(store)
    numbers = []
    for _ in range(3):
        async with store.transaction() as tx:
            await tx.queued.add(KEY, [ACCEPTED])
        rig.advance(seconds=60)
        async with store.transaction() as tx:
            [burst] = await tx.queued.due(GATHERING, 10)
            await tx.queued.remove(burst)
        numbers.append(burst.first)

    assert len(set(numbers)) == 3


async def test_what_is_of_a_card_that_was_never_written_is_dropped(rig: StoreRig, store: Store) -> None:
    async with store.transaction() as tx:
        await tx.queued.add(KEY, [ACCEPTED])
    rig.advance(seconds=60)

    async with store.transaction() as tx:
        due = await tx.queued.due(GATHERING, 10)

    assert due == []
    assert rig.count("queued_change") == 0


async def test_a_clock_that_is_set_back_holds_nothing_up(rig: StoreRig, store: Store) -> None:
    await with_cards(store)
    async with store.transaction() as tx:
        await tx.queued.add(KEY, [ACCEPTED])
    rig.advance(days=-1)

    async with store.transaction() as tx:
        due = await tx.queued.due(GATHERING, 10)

    assert [burst.changes for burst in due] == [(ACCEPTED,)]


async def test_no_more_than_asked_for_are_due_at_once_the_oldest_first(rig: StoreRig, store: Store) -> None:
    await with_cards(store)
    async with store.transaction() as tx:
        await tx.queued.add(OTHER_KEY, [ACCEPTED])
        await tx.queued.add(KEY, [ACCEPTED])
    rig.advance(seconds=60)

    async with store.transaction() as tx:
        due = await tx.queued.due(GATHERING, 1)

    assert [burst.card for burst in due] == [OTHER_KEY]


async def test_a_card_says_whether_it_is_there_and_how_it_ended(rig: StoreRig, store: Store) -> None:
    await with_cards(store)
    async with store.transaction() as tx:
        await tx.queued.add(KEY, [ACCEPTED])
        await tx.queued.add(OTHER_KEY, [ACCEPTED])
        await tx.outbox.drop([each.id for each in await tx.outbox.unsent() if each.room == OTHER_ROOM])
        [claimed] = (await tx.outbox.claim(1, DEVICE)).notices
        await tx.outbox.settle(claimed, Sent(EventId("$1")))
        await tx.cards.redacted(ROOM, EventId("$1"))
    rig.advance(seconds=60)

    async with store.transaction() as tx:
        due = {burst.card: (burst.is_there, burst.ended) for burst in await tx.queued.due(GATHERING, 10)}

    assert due == {KEY: (True, "redacted"), OTHER_KEY: (False, None)}


async def test_a_new_card_takes_the_place_of_one_that_was_left_in_another_room(store: Store) -> None:
    await with_cards(store)
    async with store.transaction() as tx:
        [claimed] = [each for each in (await tx.outbox.claim(2, DEVICE)).notices if each.room == ROOM]
        await tx.outbox.settle(claimed, Sent(EventId("$1")))
        await tx.cards.move(ROOM, NEW_ROOM)
        before = await tx.cards.keys_by_room(CARD)
        await tx.cards.add(CARD, a_notice(card_key(NEW_ROOM, SERVER, "series", 5), NEW_ROOM), [])
        after = await tx.cards.keys_by_room(CARD)

    assert before == {OTHER_ROOM: (OTHER_KEY, None), NEW_ROOM: (KEY, "moved")}
    assert after == {OTHER_ROOM: (OTHER_KEY, None), NEW_ROOM: (NoticeKey(f"card/{SERVER}/series/5/{NEW_ROOM}"), None)}
