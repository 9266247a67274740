"""The shipped chats that need no homeserver, held against what every `Chat` must do."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from bot.clock import VirtualClock
from bot.delivery.chat import MemoryChat
from bot.demo.room import FileRoom
from bot.ids import DeviceId, EventId, RoomId, TxnId
from support.chat_contract import ChatContract, a_message

ROOM = RoomId("!room:hs")
OTHER = RoomId("!other:hs")


@dataclass
class NearPlace:
    """A chat of this process."""

    chat: MemoryChat | FileRoom
    room: RoomId = ROOM
    other: RoomId = OTHER

    def now(self) -> datetime:
        """The chat's own time."""
        return self.chat.clock.now()

    async def bodies(self, room: RoomId) -> list[str]:
        """What the room shows."""
        return self.chat.bodies(room)

    async def shown(self, room: RoomId) -> list[str]:
        """What the room shows after all edits."""
        return self.chat.shown(room)

    async def thread(self, room: RoomId, root: EventId) -> list[str]:
        """What stands in a thread."""
        return self.chat.thread(room, root)

    async def change_device(self) -> None:
        """Go on as another."""
        self.chat.device = DeviceId("ANOTHER")


class TestMemoryChat(ChatContract):
    """The chat in memory."""

    @pytest.fixture
    def place(self) -> NearPlace:
        """Its place."""
        return NearPlace(MemoryChat(VirtualClock()))


class TestFileRoom(ChatContract):
    """The room in a file."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> NearPlace:
        """Its place."""
        return NearPlace(file_room(VirtualClock(), tmp_path))


def file_room(clock: VirtualClock, folder: Path) -> FileRoom:
    return FileRoom(folder / "room.jsonl", clock)


async def test_a_file_room_remembers_what_was_said_before_a_restart(tmp_path: Path) -> None:
    clock = VirtualClock()
    first = await file_room(clock, tmp_path).send(ROOM, TxnId("t1"), a_message())

    again = await file_room(clock, tmp_path).send(ROOM, TxnId("t1"), a_message())

    assert first == again


async def test_a_line_that_a_crash_cut_off_was_never_said(tmp_path: Path) -> None:
    clock = VirtualClock()
    await file_room(clock, tmp_path).send(ROOM, TxnId("t1"), a_message("card/1"))
    with (tmp_path / "room.jsonl").open("ab") as file:
        file.write(b'{"event": "$2", "room": "!ro')

    room = file_room(clock, tmp_path)
    await room.send(ROOM, TxnId("t2"), a_message("card/2"))

    assert file_room(clock, tmp_path).bodies(ROOM) == ["body of card/1", "body of card/2"]
