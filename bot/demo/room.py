"""Implements a chat whose rooms are stored in a file; like a homeserver, it creates one event per transaction id."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from bot.clock import Clock
from bot.errors import Temporary
from bot.ids import DeviceId, EventId, NoticeKey, RoomId, TxnId
from bot.notices.notice import Message

_DEVICE = DeviceId("TERMINAL")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the file, which holds one event."""

    event: str
    room: str
    txn: str
    device: str
    key: str
    at: str
    body: str
    html: str
    reaction: str | None = None  # the event that the body is a reaction to
    edits: str | None = None  # the event that this replaces
    thread: str | None = None  # the root of its thread


@dataclass
class FileRoom:
    """A chat whose rooms are lines of a file; *show* is called once for each new message."""

    path: Path
    clock: Clock
    show: Callable[[Message], None] = lambda _: None
    device: DeviceId = _DEVICE
    shows_pictures: bool = False
    _lines: list[_Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Load earlier events; a line that a crash cut off was never acknowledged, and is removed."""
        if self.path.exists():
            whole, _, torn = self.path.read_bytes().rpartition(b"\n")
            self._lines = [_Line(**json.loads(line)) for line in whole.split(b"\n") if line]
            if torn:
                os.truncate(self.path, len(whole) + 1 if whole else 0)

    async def send(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        """Append *message* once per *txn* and device, and show it."""
        known = next(
            (line for line in self._lines if (line.room, line.txn, line.device) == (room, txn, self.device)), None
        )
        if known is not None:
            return EventId(known.event)
        line = _Line(
            event=f"${len(self._lines) + 1}",
            room=room,
            txn=txn,
            device=self.device,
            key=message.tag.key,
            at=self.clock.now().isoformat(),
            body=message.body,
            html=message.html,
            reaction=message.reaction,
            edits=message.edits,
            thread=message.thread,
        )
        try:
            self._append(line)
        except OSError as error:
            raise Temporary(f"the room's file cannot be written: {error.strerror}") from error
        self.show(message)
        return EventId(line.event)

    async def find(self, room: RoomId, key: NoticeKey, since: datetime) -> EventId | None:
        """Return the event with *key* that is not older than *since*, or None."""
        found = (line for line in self._lines if line.room == room and line.key == key)
        return next((EventId(line.event) for line in found if datetime.fromisoformat(line.at) >= since), None)

    def bodies(self, room: RoomId) -> list[str]:
        """Return the plain text of a room's messages as sent, in order, without edits and reactions."""
        return [line.body for line in self._messages(room)]

    def shown(self, room: RoomId) -> list[str]:
        """Return the plain text of a room's messages after all edits, in order."""
        edits = {line.edits: line.body for line in self._lines if line.room == room}
        return [edits.get(line.event, line.body) for line in self._messages(room)]

    def thread(self, room: RoomId, root: EventId) -> list[str]:
        """Return the plain text of the messages in an event's thread, in order."""
        return [line.body for line in self._lines if (line.room, line.thread) == (room, root)]

    def edits(self, room: RoomId) -> list[str]:
        """Return the keys of the edits in a room, in order."""
        return [line.key for line in self._lines if line.room == room and line.edits is not None]

    def _messages(self, room: RoomId) -> list[_Line]:
        plain = (line for line in self._lines if line.reaction is None and line.edits is None)
        return [line for line in plain if line.room == room]

    def _append(self, line: _Line) -> None:
        with self.path.open("ab") as file:
            file.write(json.dumps(asdict(line)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._lines.append(line)
