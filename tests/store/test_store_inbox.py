"""The inbox: what people said is answered once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.ids import EventId, UserId
from bot.store import book
from bot.store import inbox_book as inbox
from bot.store.inbox_book import InboxMessage
from bot.store.retention import delete_outdated
from bot.store.store import Store
from support.store_rig import OTHER_ROOM, ROOM, StoreRig


def said(rig: StoreRig, number: int = 1) -> InboxMessage:
    return InboxMessage(ROOM, EventId(f"${number}"), UserId("@jane:hs"), f"show {number}", rig.now)


async def hear(store: Store, *messages: InboxMessage) -> None:
    async with store.transaction() as tx:
        for message in messages:
            await tx.inbox.add(message)


async def unanswered(store: Store, limit: int = 20) -> list[InboxMessage]:
    async with store.transaction() as tx:
        return await tx.inbox.unanswered(limit)


async def answer(store: Store, message: InboxMessage) -> None:
    async with store.transaction() as tx:
        await tx.inbox.answered(message)


async def test_messages_are_answered_in_the_order_they_came(store: Store, rig: StoreRig) -> None:
    messages = [said(rig, number) for number in range(1, 4)]
    await hear(store, *messages)

    await answer(store, messages[0])

    assert await unanswered(store) == messages[1:]
    assert await unanswered(store, limit=1) == messages[1:2]


async def test_everybody_gets_a_turn_before_anybody_gets_another(store: Store, rig: StoreRig) -> None:
    flood = [said(rig, number) for number in range(1, 5)]
    late = [replace(said(rig, number), sender=UserId("@ada:hs")) for number in (5, 6)]
    await hear(store, *flood, *late)

    turns = [flood[0], late[0], flood[1], late[1], *flood[2:]]
    assert await unanswered(store) == turns
    assert await unanswered(store, limit=3) == turns[:3]


async def test_no_more_is_taken_in_of_a_person_of_whom_much_waits(
    store: Store, rig: StoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_WAITING", 2)
    flood = [said(rig, number) for number in range(1, 4)]
    another = replace(said(rig, 4), sender=UserId("@ada:hs"))
    await hear(store, *flood, another)
    assert await unanswered(store) == [flood[0], another, flood[1]]

    await answer(store, flood[0])
    await hear(store, said(rig, 5))

    assert await unanswered(store) == [flood[1], another, said(rig, 5)]


async def test_a_sync_delivered_twice_is_one_message(store: Store, rig: StoreRig) -> None:
    await hear(store, said(rig))
    await hear(store, replace(said(rig), body="edited"))
    await answer(store, said(rig))

    await hear(store, said(rig))

    assert await unanswered(store) == []
    assert rig.count("inbox") == 1


async def test_what_no_database_can_keep_of_a_message_is_replaced(store: Store, rig: StoreRig) -> None:
    await hear(store, replace(said(rig), body="show \0 \ud800 🎉"))

    assert [message.body for message in await unanswered(store)] == ["show \ufffd ? 🎉"]


async def test_an_event_id_counts_per_room(store: Store, rig: StoreRig) -> None:
    await hear(store, said(rig), replace(said(rig), room=OTHER_ROOM))

    assert len(await unanswered(store)) == 2


async def test_what_was_not_answered_is_there_after_a_restart(store: Store, rig: StoreRig) -> None:
    await hear(store, said(rig))
    await store.close()

    later = await rig.open()

    assert await unanswered(later) == [said(rig)]
    await later.close()


async def test_answered_messages_are_forgotten_after_a_week_and_others_never(
    store: Store, rig: StoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "BATCH", 2)
    messages = [said(rig, number) for number in range(6)]
    await hear(store, *messages)
    for message in messages[1:]:
        await answer(store, message)
    rig.advance(days=7, seconds=1)

    async with store.transaction() as tx:
        more = await tx.inbox.tidy(rig.now - timedelta(days=7))
    first_batch = rig.count("inbox")
    await delete_outdated(store)

    assert more
    assert first_batch == 4
    assert rig.count("inbox") == 1
    assert await unanswered(store) == messages[:1]
