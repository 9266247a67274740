"""What every `Chat` must do, held against each shipped one."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.clock import VirtualClock
from bot.delivery.chat import MemoryChat
from bot.demo.room import FileRoom
from bot.ids import DeviceId, NoticeKey, RoomId, TxnId
from bot.notices.outbox import Message, NoticeKind, Tag

ROOM = RoomId("!room:hs")
OTHER = RoomId("!other:hs")
Make = Callable[[VirtualClock, Path], "MemoryChat | FileRoom"]


def memory_chat(clock: VirtualClock, _: Path) -> MemoryChat:
    return MemoryChat(clock)


def file_room(clock: VirtualClock, folder: Path) -> FileRoom:
    return FileRoom(folder / "room.jsonl", clock)


def a_message(key: str = "card/1") -> Message:
    return Message(f"body of {key}", f"<p>{key}</p>", Tag(NoticeKind.CARD, NoticeKey(key)))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(params=[memory_chat, file_room])
def chat(request: pytest.FixtureRequest, clock: VirtualClock, tmp_path: Path) -> "MemoryChat | FileRoom":
    make: Make = request.param
    return make(clock, tmp_path)


async def test_a_transaction_id_makes_one_event(chat: "MemoryChat | FileRoom") -> None:
    first = await chat.send(ROOM, TxnId("t1"), a_message())

    again = await chat.send(ROOM, TxnId("t1"), a_message())

    assert first == again
    assert chat.bodies(ROOM) == ["body of card/1"]


async def test_a_transaction_id_of_another_device_makes_another_event(chat: "MemoryChat | FileRoom") -> None:
    first = await chat.send(ROOM, TxnId("t1"), a_message())
    chat.device = DeviceId("ANOTHER")

    again = await chat.send(ROOM, TxnId("t1"), a_message())

    assert first != again


async def test_messages_stay_in_the_order_they_were_sent(chat: "MemoryChat | FileRoom") -> None:
    for number in range(5):
        await chat.send(ROOM, TxnId(f"t{number}"), a_message(f"card/{number}"))

    assert chat.bodies(ROOM) == [f"body of card/{number}" for number in range(5)]


async def test_rooms_are_apart(chat: "MemoryChat | FileRoom") -> None:
    await chat.send(ROOM, TxnId("t1"), a_message())

    assert chat.bodies(OTHER) == []
    assert await chat.find(OTHER, NoticeKey("card/1"), chat.clock.now()) is None


async def test_an_event_is_found_by_its_key(chat: "MemoryChat | FileRoom", clock: VirtualClock) -> None:
    before = clock.now()
    clock.advance(60)
    event = await chat.send(ROOM, TxnId("t1"), a_message())

    assert await chat.find(ROOM, NoticeKey("card/1"), before) == event
    assert await chat.find(ROOM, NoticeKey("card/2"), before) is None
    assert await chat.find(ROOM, NoticeKey("card/1"), clock.now() + timedelta(seconds=1)) is None


async def test_a_file_room_remembers_what_was_said_before_a_restart(clock: VirtualClock, tmp_path: Path) -> None:
    first = await file_room(clock, tmp_path).send(ROOM, TxnId("t1"), a_message())

    again = await file_room(clock, tmp_path).send(ROOM, TxnId("t1"), a_message())

    assert first == again


async def test_a_line_that_a_crash_cut_off_was_never_said(clock: VirtualClock, tmp_path: Path) -> None:
    await file_room(clock, tmp_path).send(ROOM, TxnId("t1"), a_message("card/1"))
    with (tmp_path / "room.jsonl").open("ab") as file:
        file.write(b'{"event": "$2", "room": "!ro')

    room = file_room(clock, tmp_path)
    await room.send(ROOM, TxnId("t2"), a_message("card/2"))

    assert file_room(clock, tmp_path).bodies(ROOM) == ["body of card/1", "body of card/2"]
