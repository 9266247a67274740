"""Messages whose keys have not arrived, which may follow a little later, e.g. from another homeserver.

They are indexed by the session that they wait for and by the end of their wait, so that a new key or a timeout needs no
search through all of them.
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
    """A message that waits for its key until *until*, in seconds since the epoch."""

    room: RoomId
    event: Event
    until: int


class UndecryptedMessages:
    """The messages that wait for keys; they are stored, because no later sync contains them."""

    def __init__(self, vault: CryptoStore) -> None:
        self._vault = vault
        self._due: set[str] | None = None  # the sessions that may be readable now; None: any
        self._waiting: Counter[str] | None = None  # the number by room; None: not counted yet

    def clear_cache(self) -> None:
        """Clear the counts, because the last write may have been rolled back."""
        self._due = self._waiting = None

    def add(self, waiting: UndecryptedMessage) -> bool:
        """Add a message; return False if there are too many, in all or in its room, or if it cannot be stored."""
        event, session = waiting.event, waiting.event.content.get("session_id")
        counts = self._counts()
        if not isinstance(session, str) or counts.total() >= MOST or counts[waiting.room] >= MOST_OF_ROOM:
            return False
        content = {
            "room": waiting.room,
            "sender": event.sender,
            "content": {name: event.content[name] for name in _NEEDED if name in event.content},
            "sent_at": int(event.sent_at.timestamp() * 1000),
            "until": waiting.until,
        }
        try:
            text = json.dumps(content)
        except RecursionError:
            return False
        self._vault.put(_KIND, event.id, text, name_of(waiting.room, session), at=waiting.until)
        counts[waiting.room] += 1
        return True

    def arrived(self, room: RoomId, session: str) -> None:
        """Mark a session whose key has arrived or is withheld."""
        if self._due is not None:
            self._due.add(name_of(room, session))

    def due(self, now: int) -> tuple[UndecryptedMessage, ...]:
        """Return the messages whose keys may have arrived or whose wait is over at *now*, the longest wait first."""
        sessions = self._vault.counts(_KIND).keys() if self._due is None else self._due
        self._due = set(sessions)
        entries = self._vault.until(_KIND, now)
        for session in sessions:
            entries |= self._vault.owned(_KIND, session)
        return tuple(_waiting(entries))

    def looked_at(self, readable: Sequence[UndecryptedMessage]) -> None:
        """Keep only the *readable* messages due, until they are dropped."""
        self._due = {name_of(each.room, str(each.event.content.get("session_id"))) for each in readable}

    def forget(self, events: Sequence[EventId]) -> None:
        """Drop messages."""
        for number in events:
            self._vault.drop(_KIND, number)
        self._waiting = None

    def _counts(self) -> Counter[str]:
        """Return the number of waiting messages by room."""
        if self._waiting is None:
            self._waiting = Counter()
            for name, count in self._vault.counts(_KIND).items():
                self._waiting[json.loads(name)[0]] += count
        return self._waiting


def _waiting(entries: dict[str, str]) -> Iterator[UndecryptedMessage]:
    for number, text in entries.items():
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
