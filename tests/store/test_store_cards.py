"""Cards that live: when they are due, and what becomes of their edits in the outbox."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.ids import EventId, NoticeKey
from bot.notices.notice import ClaimedNotice, Dead, Lane, Message, Notice, NoticeState, RetryAt, Sent, edit_key
from bot.store.card_book import DueCard
from bot.store.retention import delete_outdated
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import DEVICE, OTHER_ROOM, ROOM, SERVER, StoreRig, a_notice, a_series

CARD = SubmissionRef(SERVER, SubmissionKind.SERIES, 5)
SENT = Sent(EventId("$card"))


def an_edit(number: int = 1, body: str = "edited") -> Notice:
    card = a_notice("card/1")
    tag = replace(card.message.tag, key=edit_key(card.key, number))
    return Notice(ROOM, Lane.EDIT, Message(body, f"<p>{body}</p>", tag), of=card.key)


def a_reply(key: str = "reply/1") -> Notice:
    return replace(a_notice(key, lane=Lane.REPLY), of=NoticeKey("card/1"))


async def post(store: Store, *notices: Notice) -> None:
    """Write cards of the series down, each in its room."""
    async with store.transaction() as tx:
        for notice in notices or (a_notice("card/1"),):
            await tx.cards.add(CARD, notice, [])
            await tx.outbox.add([notice])


async def edit(store: Store, notice: Notice) -> bool:
    async with store.transaction() as tx:
        return await tx.outbox.edit(notice)


async def claim(store: Store) -> list[ClaimedNotice]:
    async with store.transaction() as tx:
        return (await tx.outbox.claim(9, DEVICE)).notices


async def settle(store: Store, notice: ClaimedNotice, outcome: Sent | RetryAt | Dead = SENT) -> None:
    async with store.transaction() as tx:
        await tx.outbox.settle(notice, outcome)


async def send(store: Store) -> None:
    """Send whatever may be sent now."""
    for notice in await claim(store):
        await settle(store, notice)


async def touch(store: Store, *, urgent: bool = True) -> None:
    async with store.transaction() as tx:
        await tx.cards.touch(CARD, urgent=urgent)


async def due(store: Store, limit: int = 9) -> list[DueCard]:
    async with store.transaction() as tx:
        return await tx.cards.due(limit)


async def unsent(store: Store) -> dict[str, NoticeState]:
    async with store.transaction() as tx:
        return {notice.key: notice.state for notice in await tx.outbox.unsent()}


# When a card is due


async def test_a_card_is_due_when_its_change_is_and_no_longer_once_that_is_shown(store: Store, rig: StoreRig) -> None:
    await post(store)
    await touch(store)
    assert await due(store) == []
    rig.advance(seconds=3)

    [card] = await due(store)
    async with store.transaction() as tx:
        await tx.cards.edited(card, "a digest", anew=True)

    assert (card.room, card.about, card.key, card.edits) == (ROOM, CARD, "card/1", 0)
    assert card.digest == a_notice("card/1").message.digest
    rig.advance(hours=2)
    assert await due(store) == []
    await touch(store)
    rig.advance(seconds=3)
    assert [(again.digest, again.edits) for again in await due(store)] == [("a digest", 1)]


async def test_counts_wait_and_an_edit_shows_them_too(store: Store, rig: StoreRig) -> None:
    await post(store)
    await touch(store, urgent=False)
    rig.advance(minutes=9)
    assert await due(store) == []
    await touch(store)
    rig.advance(seconds=3)

    [card] = await due(store)
    async with store.transaction() as tx:
        await tx.cards.mark_up_to_date(card)

    rig.advance(hours=2)
    assert await due(store) == []


async def test_a_clock_that_is_set_back_holds_no_card_up(store: Store, rig: StoreRig) -> None:
    await post(store)
    await touch(store, urgent=False)

    rig.clock.set_back(timedelta(days=400))

    assert len(await due(store)) == 1


async def test_a_card_that_nothing_happened_to_for_sixty_days_is_edited_no_more(store: Store, rig: StoreRig) -> None:
    await post(store)
    rig.advance(days=59)
    await touch(store)
    rig.advance(days=61)

    [before] = await due(store)
    async with store.transaction() as tx:
        await tx.cards.mark_up_to_date(before)
    await touch(store)

    rig.advance(hours=2)
    assert await due(store) == []
    async with store.transaction() as tx:
        assert not await tx.cards.is_living(CARD)


async def test_a_card_of_a_room_that_was_moved_is_edited_no_more(store: Store, rig: StoreRig) -> None:
    await post(store)
    await send(store)
    async with store.transaction() as tx:
        await tx.session.move(ROOM, OTHER_ROOM)

    await touch(store)

    rig.advance(hours=2)
    assert await due(store) == []


async def test_only_the_cards_of_what_changed_are_due_those_that_wait_longest_first(
    store: Store, rig: StoreRig
) -> None:
    await post(store, a_notice("card/1"), a_notice("card/2", OTHER_ROOM))
    async with store.transaction() as tx:
        for number, kind in ((6, SubmissionKind.SERIES), (5, SubmissionKind.PATCH)):
            other = SubmissionRef(SERVER, kind, number)
            await tx.cards.add(other, a_notice(f"card/{kind}/{number}"), [])
        await tx.cards.touch(SubmissionRef(SERVER, SubmissionKind.SERIES, 6), urgent=False)
    await touch(store)
    rig.advance(hours=1)

    assert [card.key for card in await due(store)] == ["card/2", "card/1", "card/series/6"]
    assert [card.key for card in await due(store, 1)] == ["card/2"]


# What became of a card


async def test_a_card_is_there_until_it_is_given_up_or_dropped(store: Store, rig: StoreRig) -> None:
    await post(store)
    await touch(store)
    rig.advance(seconds=3)
    waiting = await due(store)

    [card] = await claim(store)
    await settle(store, card, Dead("refused"))
    dead = await due(store)
    async with store.transaction() as tx:
        await tx.outbox.drop([notice.id for notice in await tx.outbox.unsent()])

    assert [card.is_there for card in waiting] == [True]
    assert [card.is_there for card in [*dead, *await due(store)]] == [False, False]


async def test_a_card_that_was_sent_is_there_when_its_notice_is_forgotten(store: Store, rig: StoreRig) -> None:
    await post(store)
    await send(store)
    rig.advance(days=8)
    await delete_outdated(store)
    await touch(store)
    rig.advance(seconds=3)

    assert [card.is_there for card in await due(store)] == [True]
    assert rig.count("notice") == 0


async def test_an_old_card_is_forgotten_only_with_what_it_is_about(store: Store, rig: StoreRig) -> None:
    """Else it would be posted again."""
    await post(store)
    async with store.transaction() as tx:
        await tx.cards.add(SubmissionRef(SERVER, SubmissionKind.PATCH, 7), a_notice("card/7"), [])
        await tx.cards.add(SubmissionRef(SERVER, SubmissionKind.SERIES, 7), a_notice("card/8"), [])
        await tx.watch._keep_series(SERVER, [a_series(5)], set())
    rig.advance(days=50)
    async with store.transaction() as tx:
        await tx.cards.touch(SubmissionRef(SERVER, SubmissionKind.SERIES, 7), urgent=False)
    rig.advance(days=129)
    async with store.transaction() as tx:
        await tx.watch._keep_series(SERVER, [a_series(5)], {SubmissionRef(SERVER, SubmissionKind.SERIES, 5)})
    rig.advance(days=2)

    await delete_outdated(store)

    assert rig.execute("SELECT notice_key FROM card ORDER BY notice_key") == [("card/1",), ("card/8",)]


# Edits in the outbox


async def test_an_edit_waits_for_the_event_of_its_card(store: Store) -> None:
    await post(store)
    [card] = await claim(store)

    await edit(store, an_edit())
    before = [notice.message.tag.key for notice in await claim(store)]
    await settle(store, card)

    assert before == ["card/1"]
    assert [(notice.message.body, notice.message.edits) for notice in await claim(store)] == [("edited", "$card")]


async def test_a_card_that_nobody_tried_to_send_is_rewritten(store: Store) -> None:
    await post(store)

    is_new = await edit(store, an_edit(body="as it is by now"))

    assert not is_new
    [card] = await claim(store)
    assert (card.message.body, card.message.tag.key, card.message.edits) == ("as it is by now", "card/1", None)
    await settle(store, card)
    assert await unsent(store) == {}


async def test_a_card_that_somebody_tried_to_send_keeps_its_text(store: Store, rig: StoreRig) -> None:
    """What the first attempt brought there cannot be known."""
    await post(store)
    [first] = await claim(store)
    await settle(store, first, RetryAt(rig.now, "no answer"))

    is_new = await edit(store, an_edit())

    assert is_new
    [card] = await claim(store)
    assert card.message.body == "body of card/1"


async def test_an_untried_edit_is_replaced_and_a_tried_one_is_not(store: Store) -> None:
    await post(store)
    await send(store)

    first = [await edit(store, an_edit(1, "one")), await edit(store, an_edit(2, "two"))]
    [tried] = await claim(store)
    third = await edit(store, an_edit(3, "three"))

    assert (first, third) == ([True, False], True)
    assert (tried.message.body, tried.message.tag.key) == ("two", "edit/1/card/1")
    await settle(store, tried, Sent(EventId("$edit")))
    assert [(notice.message.body, notice.message.tag.key) for notice in await claim(store)] == [
        ("three", "edit/3/card/1")
    ]


async def test_an_edit_of_a_suspended_room_is_replaced_and_waits_there(store: Store) -> None:
    await post(store)
    await send(store)
    async with store.transaction() as tx:
        await tx.session.suspend(ROOM)
    await edit(store, an_edit(1, "one"))

    await edit(store, an_edit(2, "two"))
    async with store.transaction() as tx:
        await tx.session.resume(ROOM)

    assert [notice.message.body for notice in await claim(store)] == ["two"]


async def test_what_is_forgotten_about_a_card_is_not_said(store: Store) -> None:
    await post(store)
    [card] = await claim(store)
    await edit(store, an_edit())
    async with store.transaction() as tx:
        await tx.outbox.add([a_reply(), a_notice("card/2")])
        await tx.outbox.forget_about(card.message.tag.key)

    assert set(await unsent(store)) == {"card/1", "card/2"}


@pytest.mark.parametrize("is_tried_again", [True, False])
async def test_what_hangs_on_a_card_that_is_refused_does_not_wait_for_ever(store: Store, is_tried_again: bool) -> None:
    await post(store)
    [card] = await claim(store)
    await edit(store, an_edit())
    async with store.transaction() as tx:
        await tx.outbox.add([a_reply()])

    await settle(store, card, Dead("refused"))

    assert set((await unsent(store)).values()) == {NoticeState.DEAD}
    async with store.transaction() as tx:
        notices = await tx.outbox.unsent()
        if is_tried_again:
            await tx.outbox.retry([notice.id for notice in notices])
        else:
            await tx.outbox.drop([notice.id for notice in notices if notice.key == "card/1"])
    await send(store)
    assert [notice.message.tag.key for notice in await claim(store)] == (["reply/1"] if is_tried_again else [])
    assert len(await unsent(store)) == (2 if is_tried_again else 0)
