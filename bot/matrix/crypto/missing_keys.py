"""Messages whose key has not arrived: it may come a little later than they do, as over another homeserver.

They are found by the session that they wait for, and by the time until which they do, so a key or a moment that comes
costs what it is for, and not a look at all.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.ids import EventId, RoomId, UserId
from bot.matrix.crypto.crypto_store import CryptoStore, loaded, name_of
from bot.matrix.model import Event

MOST, MOST_OF_ROOM = 1_000, 200
_KIND = "waiting"
_NEEDED = ("algorithm", "session_id", "ciphertext", "m.relates_to")


@dataclass(frozen=True, slots=True)
class UndecryptedMessage:
    """A message that waits, no longer than *until*, in seconds since the epoch."""

    room: RoomId
    event: Event
    until: int


class UndecryptedMessages:
    """All that wait; they outlast the process, for nobody will tell of them again."""

    def __init__(self, vault: CryptoStore) -> None:
        self._vault = vault
        self._due: set[str] | None = None  # the sessions that may be readable now; None: any
        self._waiting: Counter[str] | None = None  # how many, by room; None: not counted yet

    def forget_what_was_read(self) -> None:
        """Count anew: what was written last may not have been kept."""
        self._due = self._waiting = None

    def add(self, waiting: UndecryptedMessage) -> bool:
        """Let it wait; False where too many do, of all or in its room, or where it cannot be kept."""
        event, session = waiting.event, waiting.event.content.get("session_id")
        counts = self._counts()
        if not isinstance(session, str) or counts.total() >= MOST or counts[waiting.room] >= MOST_OF_ROOM:
            return False
        told = {
            "room": waiting.room,
            "sender": event.sender,
            "content": {name: event.content[name] for name in _NEEDED if name in event.content},
            "sent_at": int(event.sent_at.timestamp() * 1000),
            "until": waiting.until,
        }
        try:
            text = json.dumps(told)
        except RecursionError:
            return False
        self._vault.put(_KIND, event.id, text, name_of(waiting.room, session), at=waiting.until)
        counts[waiting.room] += 1
        return True

    def arrived(self, room: RoomId, session: str) -> None:
        """There is news of the key of a session."""
        if self._due is not None:
            self._due.add(name_of(room, session))

    def due(self, now: int) -> tuple[UndecryptedMessage, ...]:
        """Those whose key may have arrived, or that have waited until *now*; the one that waited longest first."""
        sessions = self._vault.counts(_KIND).keys() if self._due is None else self._due
        self._due = set(sessions)
        found = self._vault.until(_KIND, now)
        for session in sessions:
            found |= self._vault.owned(_KIND, session)
        return tuple(_waiting(found))

    def looked_at(self, readable: Sequence[UndecryptedMessage]) -> None:
        """Of those that were due, only these have to be until they are forgotten."""
        self._due = {name_of(each.room, str(each.event.content.get("session_id"))) for each in readable}

    def forget(self, events: Sequence[EventId]) -> None:
        """These wait no more."""
        for number in events:
            self._vault.drop(_KIND, number)
        self._waiting = None

    def _counts(self) -> Counter[str]:
        """How many wait, by room."""
        if self._waiting is None:
            self._waiting = Counter()
            for name, count in self._vault.counts(_KIND).items():
                self._waiting[json.loads(name)[0]] += count
        return self._waiting


def _waiting(found: dict[str, str]) -> Iterator[UndecryptedMessage]:
    for number, text in found.items():
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
                yield UndecryptedMessage(RoomId(room), event, until)
