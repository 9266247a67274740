"""The outbox's promise, against a chat that fails in every way a network can."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.clock import VirtualClock
from bot.delivery.chat import MemoryChat
from bot.delivery.pacing import Pace
from bot.delivery.sender import Sender
from bot.errors import Forbidden, LoggedOut, Permanent, Temporary, TransportError
from bot.ids import DeviceId, EventId, NoticeKey, RoomId, TxnId, UserId
from bot.notices.notice import Lane, Message, Notice, NoticeKind, NoticeState, Tag
from bot.store.store import Store
from support.broken_rows import fail
from support.new_database import put_new_database

ROOM = RoomId("!room:hs")
OTHER = RoomId("!other:hs")


@dataclass
class Desk:
    """A sender with its outbox and its chat."""

    store: Store
    chat: MemoryChat
    clock: VirtualClock
    sender: Sender
    file: Path

    async def write(self, *keys: str, room: RoomId = ROOM, lane: Lane = Lane.CARD) -> None:
        """Put notices into the outbox."""
        tags = [Tag(NoticeKind.CARD, NoticeKey(key)) for key in keys]
        notices = [Notice(room, lane, Message(tag.key, f"<p>{tag.key}</p>", tag)) for tag in tags]
        async with self.store.transaction() as tx:
            await tx.outbox.add(notices)

    async def deliver_for(self, seconds: int) -> None:
        """Let *seconds* pass, delivering each second."""
        for _ in range(seconds):
            while (await self.sender.deliver()).tried:
                pass
            self.clock.advance(1)

    async def count(self, state: NoticeState) -> int:
        """How many notices stand in *state*."""
        async with self.store.transaction() as tx:
            return (await tx.outbox.count()).get(state, 0)

    async def until(self, state: NoticeState, count: int) -> None:
        """Wait until so many stand there; each look lets the others have their turn at the store."""
        async with asyncio.timeout(120):
            while await self.count(state) < count:
                pass


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = VirtualClock()
    put_new_database(tmp_path / "bot.db")
    store = await Store.open(f"sqlite:///{tmp_path / 'bot.db'}", clock)
    chat = MemoryChat(clock)
    yield Desk(store, chat, clock, Sender(store, chat, clock, Pace.full(1000, 1000, 0)), tmp_path / "bot.db")
    await store.close()


def failing(*errors: TransportError) -> "list[TransportError]":
    return list(errors)


async def test_notices_of_a_room_come_in_the_order_they_were_written(desk: Desk) -> None:
    await desk.write("a", "b", "c")

    await desk.deliver_for(1)

    assert desk.chat.bodies(ROOM) == ["a", "b", "c"]
    assert await desk.count(NoticeState.DONE) == 3


async def test_answers_go_before_cards(desk: Desk) -> None:
    await desk.write("card one", "card two")
    await desk.write("answer", lane=Lane.ANSWER)

    await desk.deliver_for(1)

    assert desk.chat.bodies(ROOM) == ["answer", "card one", "card two"]


async def test_a_notice_whose_answer_was_lost_is_not_said_twice(desk: Desk) -> None:
    errors = failing(Temporary("cut"), Temporary("HTTP 502"))
    desk.chat.after_send = lambda _: errors.pop() if errors else None
    await desk.write("a", "b")

    await desk.deliver_for(10)

    assert desk.chat.bodies(ROOM) == ["a", "b"]
    assert await desk.count(NoticeState.DONE) == 2


async def test_a_notice_that_did_not_arrive_is_sent_again_before_the_next(desk: Desk) -> None:
    errors = failing(*[Temporary("down")] * 3)
    desk.chat.before_send = lambda _: errors.pop() if errors else None
    await desk.write("a", "b")

    await desk.deliver_for(30)

    assert desk.chat.bodies(ROOM) == ["a", "b"]


async def test_the_waits_double(desk: Desk) -> None:
    desk.chat.before_send = lambda _: Temporary("down")
    await desk.write("a")

    await desk.deliver_for(63)

    assert desk.chat.sends == 6  # at 0, 2, 6, 14, 30 and 62 s


async def test_a_room_that_fails_does_not_hold_up_another(desk: Desk) -> None:
    desk.chat.before_send = lambda room: Temporary("down") if room == ROOM else None
    await desk.write("a")
    await desk.write("b", "c", room=OTHER)

    await desk.deliver_for(1)

    assert desk.chat.bodies(OTHER) == ["b", "c"]


async def test_a_notice_that_is_refused_for_good_is_dead_and_the_next_goes(desk: Desk) -> None:
    errors = failing(Permanent("M_TOO_LARGE"))
    desk.chat.before_send = lambda _: errors.pop() if errors else None
    await desk.write("a", "b")

    await desk.deliver_for(1)

    assert desk.chat.bodies(ROOM) == ["b"]
    assert await desk.count(NoticeState.DEAD) == 1


async def test_a_rate_limit_teaches_the_pace(desk: Desk) -> None:
    errors = failing(Temporary("M_LIMIT_EXCEEDED", timedelta(seconds=20)))
    desk.chat.before_send = lambda _: errors.pop() if errors else None
    await desk.write("a")
    await desk.write("b", room=OTHER)
    await desk.sender.deliver()
    sends = desk.chat.sends

    await desk.deliver_for(20)
    assert desk.chat.sends == sends
    await desk.deliver_for(5)

    assert desk.chat.bodies(ROOM) + desk.chat.bodies(OTHER) == ["a", "b"]


@pytest.mark.parametrize("minutes", [29, 31, 60 * 48])
async def test_an_unknown_outcome_is_settled_after_any_time(desk: Desk, minutes: int) -> None:
    """The homeserver forgets transaction ids; the event is then found by its key."""
    errors = failing(Temporary("the answer was lost"))
    desk.chat.after_send = lambda _: errors.pop() if errors else None
    await desk.write("a")
    await desk.sender.deliver()
    if minutes > 30:
        desk.chat.forget_transactions()

    desk.clock.advance(minutes * 60)
    await desk.deliver_for(1)

    assert desk.chat.bodies(ROOM) == ["a"]
    assert await desk.count(NoticeState.DONE) == 1


async def test_another_device_looks_before_it_sends_again(desk: Desk) -> None:
    errors = failing(Temporary("the answer was lost"))
    desk.chat.after_send = lambda _: errors.pop() if errors else None
    await desk.write("a")
    await desk.sender.deliver()

    desk.chat.device = DeviceId("ANOTHER")
    await desk.deliver_for(10)

    assert desk.chat.bodies(ROOM) == ["a"]


async def test_an_attempt_that_never_arrived_is_sent_by_another_device(desk: Desk) -> None:
    errors = failing(Temporary("down"))
    desk.chat.before_send = lambda _: errors.pop() if errors else None
    await desk.write("a")
    await desk.sender.deliver()

    desk.chat.device = DeviceId("ANOTHER")
    await desk.deliver_for(10)

    assert desk.chat.bodies(ROOM) == ["a"]


async def test_a_homeserver_whose_clock_is_behind_does_not_show_a_notice_twice(desk: Desk) -> None:
    behind = VirtualClock(desk.clock.now() - timedelta(minutes=2))
    desk.chat.clock = behind
    errors = failing(Temporary("the answer was lost"))
    desk.chat.after_send = lambda _: errors.pop() if errors else None
    await desk.write("a")
    await desk.sender.deliver()

    desk.chat.device = DeviceId("ANOTHER")
    await desk.deliver_for(10)

    assert desk.chat.bodies(ROOM) == ["a"]


async def test_a_notice_of_another_version_of_the_program_is_dead_and_holds_nobody_up(desk: Desk) -> None:
    await desk.write("a", "b")
    with closing(sqlite3.connect(desk.file)) as database, database:
        database.execute("UPDATE notice SET message = json_set(message, '$.tag.kind', 'hologram') WHERE key = 'a'")
    database.close()
    await desk.write("c", room=OTHER)

    await desk.deliver_for(2)

    assert (desk.chat.bodies(ROOM), desk.chat.bodies(OTHER)) == (["b"], ["c"])
    assert await desk.count(NoticeState.DEAD) == 1


async def test_a_fault_of_ours_in_one_notice_ends_no_other_send(desk: Desk) -> None:
    def fault(room: RoomId) -> None:
        if room == ROOM:
            raise ZeroDivisionError

    desk.chat.before_send = fault
    await desk.write("a")
    await desk.write("b", "c", room=OTHER)

    await desk.deliver_for(2)

    assert desk.chat.bodies(OTHER) == ["b", "c"]


async def test_an_outcome_that_cannot_be_stored_is_the_only_one_that_is_not(desk: Desk) -> None:
    await desk.write("a")
    await desk.write("b", room=OTHER)
    mend = fail(f"sqlite:///{desk.file}", "UPDATE ON notice", "NEW.state = 'done' AND NEW.key = 'a'")
    with pytest.raises(IntegrityError):
        await desk.sender.deliver()
    done = await desk.count(NoticeState.DONE)
    mend()

    await desk.sender.deliver()

    assert (done, await desk.count(NoticeState.DONE)) == (1, 2)
    assert (desk.chat.bodies(ROOM), desk.chat.bodies(OTHER)) == (["a"], ["b"])


async def test_a_burst_in_a_room_costs_a_transaction_a_message(desk: Desk) -> None:
    begun: list[object] = []
    await desk.write(*"abcdefghij")
    sa.event.listen(desk.store._engine.sync_engine, "begin", begun.append)

    desk.sender.stop()
    await desk.sender.run()

    assert await desk.count(NoticeState.DONE) == 10
    assert len(begun) <= 10 + 4


async def test_a_wall_clock_that_is_set_back_holds_up_no_notice(desk: Desk) -> None:
    await desk.write("a")
    desk.sender = Sender(desk.store, desk.chat, desk.clock, Pace.full(1000, 1000, 0))
    desk.clock.set_back(timedelta(hours=2))

    await desk.deliver_for(1)

    assert desk.chat.bodies(ROOM) == ["a"]


async def test_the_pace_holds_over_all_rooms(desk: Desk) -> None:
    desk.sender = Sender(desk.store, desk.chat, desk.clock, Pace.full(0.2, 8, desk.clock.monotonic()))
    for number in range(20):
        await desk.write(f"n{number}", room=RoomId(f"!{number % 3}:hs"))

    await desk.deliver_for(1)
    assert desk.chat.sends == 8
    await desk.deliver_for(30)
    assert desk.chat.sends == 14
    await desk.deliver_for(60)

    assert len(desk.chat.posted) == 20


async def test_a_room_that_refuses_keeps_its_notices_and_the_others_get_theirs(desk: Desk) -> None:
    await desk.write("card/1", "card/2")
    await desk.write("card/3", room=OTHER)
    desk.chat.before_send = lambda room: Forbidden("HTTP 403 M_FORBIDDEN") if room == ROOM else None

    await desk.deliver_for(100)

    assert desk.chat.sends == 2
    assert await desk.count(NoticeState.SUSPENDED) == 2
    assert desk.chat.bodies(OTHER) == ["card/3"]


async def test_a_room_that_lets_us_again_gets_what_was_kept_once_and_in_order(desk: Desk) -> None:
    await desk.write("card/1", "card/2")
    desk.chat.before_send = lambda _: Forbidden("HTTP 403 M_FORBIDDEN")
    await desk.deliver_for(1)
    desk.chat.before_send = lambda _: None

    async with desk.store.transaction() as tx:
        await tx.session.resume(ROOM)
    await desk.deliver_for(1)

    assert desk.chat.bodies(ROOM) == ["card/1", "card/2"]


async def test_a_homeserver_that_wants_no_more_of_us_ends_the_sender_and_loses_nothing(desk: Desk) -> None:
    await desk.write("card/1")

    def log_out(_: RoomId) -> TransportError | None:
        raise LoggedOut("the session has ended")

    desk.chat.before_send = log_out

    with pytest.raises(ExceptionGroup) as ended:
        await desk.sender.run()

    assert ended.group_contains(LoggedOut)
    assert await desk.count(NoticeState.TRIED) == 1


async def test_a_stopped_sender_sends_what_is_due_and_ends(desk: Desk) -> None:
    await desk.write("card/1", "card/2")

    desk.sender.stop()
    await desk.sender.run()

    assert desk.chat.bodies(ROOM) == ["card/1", "card/2"]


@dataclass
class HangingChat(MemoryChat):
    """A chat that answers for no room of *hanging* until it is released."""

    hanging: set[RoomId] = field(default_factory=set)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        """Send, or wait before that."""
        if room in self.hanging:
            await self.released.wait()
        return await super().send(room, txn, message)


async def test_a_send_that_hangs_holds_up_its_own_room_alone(desk: Desk) -> None:
    chat = HangingChat(desk.clock, hanging={ROOM})
    sender = Sender(desk.store, chat, desk.clock, Pace.full(1000, 1000, 0))
    await desk.write("a", "b")
    await desk.write("c", "d", room=OTHER)

    sender.stop()
    running = asyncio.create_task(sender.run())
    await desk.until(NoticeState.DONE, 2)
    elsewhere, here = chat.bodies(OTHER), chat.bodies(ROOM)
    chat.released.set()
    await running

    assert (elsewhere, here) == (["c", "d"], [])
    assert chat.bodies(ROOM) == ["a", "b"]


async def test_a_refusal_from_before_the_room_let_us_again_suspends_nothing(desk: Desk) -> None:
    refusals = failing(Forbidden("HTTP 403 M_FORBIDDEN"))
    chat = HangingChat(desk.clock, hanging={ROOM}, before_send=lambda _: refusals.pop() if refusals else None)
    sender = Sender(desk.store, chat, desk.clock, Pace.full(1000, 1000, 0))
    await desk.write("a", "b")

    delivering = asyncio.create_task(sender.deliver())
    await desk.until(NoticeState.TRIED, 1)
    async with desk.store.transaction() as tx:
        await tx.session.resume(ROOM)
    chat.released.set()
    await delivering
    sender.stop()
    await sender.run()

    assert chat.bodies(ROOM) == ["a", "b"]
    assert await desk.count(NoticeState.SUSPENDED) == 0


async def test_many_hanging_rooms_hold_up_no_other(desk: Desk) -> None:
    hanging = {RoomId(f"!hanging{number}:hs") for number in range(20)}
    chat = HangingChat(desk.clock, hanging=hanging)
    sender = Sender(desk.store, chat, desk.clock, Pace.full(1000, 1000, 0))
    for room in sorted(hanging):
        await desk.write(f"to {room}", room=room)
    await desk.write("a", room=OTHER)

    sender.stop()
    running = asyncio.create_task(sender.run())
    await desk.until(NoticeState.DONE, 1)
    chat.released.set()
    await running

    assert chat.posted[0].room == OTHER
    assert len(chat.posted) == 21


async def test_a_refusal_of_a_room_that_was_replaced_meanwhile_suspends_nothing(desk: Desk) -> None:
    refusals = failing(Forbidden("HTTP 403 M_FORBIDDEN"))
    chat = HangingChat(desk.clock, hanging={ROOM}, before_send=lambda _: refusals.pop() if refusals else None)
    sender = Sender(desk.store, chat, desk.clock, Pace.full(1000, 1000, 0))
    await desk.write("a")

    delivering = asyncio.create_task(sender.deliver())
    await desk.until(NoticeState.TRIED, 1)
    async with desk.store.transaction() as tx:
        await tx.session.move(ROOM, OTHER)
        await tx.session.resume(OTHER)
    chat.released.set()
    await delivering
    await sender.deliver()

    assert chat.bodies(OTHER) == ["a"]
    async with desk.store.transaction() as tx:
        assert ROOM not in (await tx.session.load(UserId("@bot:hs"))).suspended
