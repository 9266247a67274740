"""Messages whose key has not arrived: it may come a little later than they do, as over another homeserver."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.ids import EventId, RoomId, UserId
from bot.matrix.crypto.vault import Vault, loaded
from bot.matrix.model import Event

MOST = 1_000
_KIND = "waiting"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits, no longer than *until*, in seconds since the epoch."""

    room: RoomId
    event: Event
    until: int


class WaitingRoom:
    """All that wait; they outlast the process, for nobody will tell of them again."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def add(self, waiting: Waiting) -> bool:
        """Let it wait; False where too many do."""
        if len(self._vault.all(_KIND)) >= MOST:
            return False
        event = waiting.event
        told = {
            "room": waiting.room,
            "sender": event.sender,
            "content": event.content,
            "sent_at": int(event.sent_at.timestamp() * 1000),
            "until": waiting.until,
        }
        self._vault.put(_KIND, event.id, json.dumps(told))
        return True

    def all(self) -> Iterator[Waiting]:
        """Those that wait, the one that came first first."""
        for number, text in self._vault.all(_KIND).items():
            match loaded(text):
                case {
                    "room": str(room),
                    "sender": str(sender),
                    "content": dict(content),
                    "sent_at": int(sent_at),
                    "until": int(until),
                }:
                    moment = datetime.fromtimestamp(sent_at / 1000, UTC)
                    event = Event(EventId(number), UserId(sender), "m.room.encrypted", content, moment)
                    yield Waiting(RoomId(room), event, until)

    def forget(self, events: Sequence[EventId]) -> None:
        """These wait no more."""
        for number in events:
            self._vault.drop(_KIND, number)
