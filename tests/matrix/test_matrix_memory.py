"""What every memory of a session keeps: the shipped one in memory, and the one in the database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.clock import VirtualClock
from bot.errors import StoreError
from bot.ids import EventId, NoticeKey, RoomId, ServerName, UserId
from bot.matrix.model import Invitation
from bot.matrix.session_memory import DatabaseSession, InMemorySession, SessionMemory
from bot.matrix.session_update import (
    BotBecameAlone,
    BotNoLongerAlone,
    EventRedacted,
    InvitationReceived,
    InvitationSettled,
    MembershipState,
    MessageReceived,
    NoticeQueued,
    RoomBecameDirect,
    RoomMoved,
    RoomNoLongerDirect,
    RoomResumed,
    RoomSuspended,
    SessionUpdate,
    WelcomeDue,
)
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Sent, Tag
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.matrix_rig import an_update
from support.new_database import put_new_database
from support.store_rig import DEVICE, StoreRig

ME, ANN, BOB = UserId("@bot:hs"), UserId("@ann:hs"), UserId("@bob:hs")
ROOM, OTHER = RoomId("!room:hs"), RoomId("!other:hs")


@pytest.fixture(params=["recent", "stored"])
async def memory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SessionMemory]:
    if request.param == "recent":
        yield InMemorySession()
        return
    put_new_database(tmp_path / "memory.db")
    store = await Store.open(f"sqlite:///{tmp_path / 'memory.db'}", VirtualClock())
    yield DatabaseSession(store, ME)
    await store.close()


def a_word(number: int, body: str = "help") -> MessageReceived:
    return MessageReceived(ROOM, EventId(f"${number}"), ANN, body, datetime(2026, 1, 1, tzinfo=UTC))


def a_notice(key: str, room: RoomId = ROOM) -> Notice:
    return Notice(room, Lane.ANSWER, Message("Hello", "<p>Hello</p>", Tag(NoticeKind.WELCOME, NoticeKey(key))))


async def test_a_new_memory_knows_nothing(memory: SessionMemory) -> None:
    stored = await memory.load()

    assert stored.since is None
    assert stored.membership == MembershipState()


async def test_the_token_stays_until_there_is_a_newer_one(memory: SessionMemory) -> None:
    await memory.save(SessionUpdate("s1"))
    await memory.save(SessionUpdate("s2"))
    await memory.save(SessionUpdate())

    assert (await memory.load()).since == "s2"


async def test_an_invitation_stands_until_it_is_settled_and_a_newer_one_replaces_it(memory: SessionMemory) -> None:
    first = (InvitationReceived(Invitation(room, ANN, direct=False)) for room in (OTHER, ROOM))
    await memory.save(an_update(*first))
    await memory.save(an_update(InvitationReceived(Invitation(ROOM, ANN, direct=True)), InvitationSettled(OTHER)))

    assert (await memory.load()).membership.invitations == {ROOM: Invitation(ROOM, ANN, direct=True)}


async def test_a_room_is_suspended_until_it_is_resumed(memory: SessionMemory) -> None:
    await memory.save(an_update(RoomSuspended(ROOM), RoomSuspended(OTHER)))
    await memory.save(an_update(RoomResumed(OTHER)))

    assert (await memory.load()).membership.suspended == {ROOM}


async def test_a_room_left_and_entered_in_one_answer_is_not_suspended(memory: SessionMemory) -> None:
    await memory.save(an_update(RoomResumed(ROOM), RoomSuspended(ROOM)))

    assert (await memory.load()).membership.suspended == set()


async def test_what_a_room_was_is_what_its_replacement_is(memory: SessionMemory) -> None:
    await memory.save(an_update(RoomBecameDirect(ROOM), RoomSuspended(ROOM)))
    await memory.save(an_update(RoomResumed(OTHER), RoomMoved(ROOM, OTHER)))

    stored = (await memory.load()).membership
    assert (stored.direct, stored.suspended) == ({OTHER}, set())


async def test_two_accounts_go_on_where_each_of_them_was(store: Store) -> None:
    await DatabaseSession(store, ME).save(SessionUpdate("s1"))

    assert (await DatabaseSession(store, ANN).load()).since is None


async def test_what_was_heard_and_what_is_said_to_it_are_kept_once(store: Store, rig: StoreRig) -> None:
    memory = DatabaseSession(store, ME)
    update = an_update(a_word(1), a_word(2, "show 1"), NoticeQueued(a_notice("welcome/1")), since="s1")

    await memory.save(update)
    await memory.save(update)

    async with store.transaction() as tx:
        assert [said.body for said in await tx.inbox.unanswered()] == ["help", "show 1"]
    assert rig.count("notice") == 1


async def test_the_inbox_knows_the_thread_and_what_was_replied_to(store: Store) -> None:
    word = replace(a_word(1), thread=EventId("$root"), replies_to=EventId("$card"))

    await DatabaseSession(store, ME).save(an_update(word, a_word(2)))

    async with store.transaction() as tx:
        waiting = await tx.inbox.unanswered()
    assert [(said.thread, said.replies_to) for said in waiting] == [("$root", "$card"), (None, None)]


async def test_a_notice_waits_in_a_room_that_the_same_update_suspends(store: Store) -> None:
    update = an_update(NoticeQueued(a_notice("here")), NoticeQueued(a_notice("there", OTHER)), RoomSuspended(ROOM))

    await DatabaseSession(store, ME).save(update)

    async with store.transaction() as tx:
        assert [claimed.room for claimed in (await tx.outbox.claim(9, DEVICE)).notices] == [OTHER]


async def test_nothing_of_an_answer_is_kept_where_a_part_of_it_cannot_be(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = DatabaseSession(store, ME)

    async def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("bot.store.session_book.SessionBook.set_since", full)
    with pytest.raises(StoreError):
        await memory.save(an_update(a_word(1), RoomSuspended(ROOM), since="s1"))

    async with store.transaction() as tx:
        assert await tx.inbox.unanswered() == []
    assert (await memory.load()).membership.suspended == set()


async def test_a_sync_that_brought_nothing_writes_nothing(store: Store, rig: StoreRig) -> None:
    memory = DatabaseSession(store, ME)
    await memory.save(SessionUpdate("s1"))
    rig.execute("UPDATE session SET since = 'untouched'")

    await memory.save(SessionUpdate("s1"))
    assert (await memory.load()).since == "untouched"

    await memory.save(SessionUpdate("s2"))
    assert (await memory.load()).since == "s2"


async def test_whoever_wants_to_know_hears_of_what_is_kept(store: Store) -> None:
    saved: list[SessionUpdate] = []
    memory = DatabaseSession(store, ME, saved.append)

    await memory.save(SessionUpdate("s1"))

    assert saved == [SessionUpdate("s1")]


async def test_a_chat_of_two_that_others_came_into_is_direct_no_longer(memory: SessionMemory) -> None:
    await memory.save(an_update(RoomBecameDirect(ROOM), RoomBecameDirect(OTHER)))
    await memory.save(an_update(RoomNoLongerDirect(ROOM)))

    assert (await memory.load()).membership.direct == {OTHER}


async def test_a_room_that_everybody_left_is_known_until_somebody_is_there_again(memory: SessionMemory) -> None:
    await memory.save(an_update(BotBecameAlone(ROOM), BotBecameAlone(OTHER)))
    await memory.save(an_update(BotNoLongerAlone(ROOM)))

    assert (await memory.load()).membership.alone == {OTHER}


async def test_a_card_that_was_redacted_is_edited_no_more_and_nothing_is_said_to_it(
    store: Store, rig: StoreRig
) -> None:
    card, ref = (
        replace(a_notice("card/1"), lane=Lane.CARD),
        SubmissionRef(ServerName("sample"), SubmissionKind.SERIES, 1),
    )
    reply = replace(a_notice("reply/1"), lane=Lane.REPLY, of=card.key)
    async with store.transaction() as tx:
        await tx.cards.add(ref, card, [])
        await tx.outbox.add([card])
        [claimed] = (await tx.outbox.claim(1, DEVICE)).notices
        await tx.outbox.settle(claimed, Sent(EventId("$card")))
        await tx.outbox.add([reply])
        await tx.cards.touch(ref, urgent=True)
    rig.advance(minutes=1)

    others = EventRedacted(OTHER, EventId("$card")), EventRedacted(ROOM, EventId("$other"))
    await DatabaseSession(store, ME).save(an_update(*others))
    async with store.transaction() as tx:
        assert len(await tx.cards.due(9)) == len(await tx.outbox.unsent()) == 1
    await DatabaseSession(store, ME).save(an_update(EventRedacted(ROOM, EventId("$card"))))

    async with store.transaction() as tx:
        await tx.outbox.add([reply])
        await tx.cards.touch(ref, urgent=True)
    rig.advance(minutes=1)
    async with store.transaction() as tx:
        assert await tx.cards.due(9) == []
        assert await tx.outbox.unsent() == []
        assert await tx.cards.rooms_with(ref) == {ROOM}


async def test_a_stranger_who_invites_again_and_again_fills_no_outbox(store: Store) -> None:
    memory = DatabaseSession(store, ME)
    for number in range(100):
        room = RoomId(f"!{number}:hs")
        await memory.save(an_update(InvitationSettled(room), WelcomeDue(room, ANN)))

    await memory.save(an_update(WelcomeDue(ROOM, BOB)))

    async with store.transaction() as tx:
        assert (await tx.inbox.arrivals(ANN), await tx.inbox.arrivals(BOB)) == (10, 1)
