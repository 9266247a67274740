"""Links to our own events, made only of ids; a matrix.to address written by others remains text."""

from dataclasses import dataclass
from urllib.parse import quote

from bot.ids import EventId, RoomId


@dataclass(frozen=True, slots=True)
class EventLink:
    """A text linked to an event in a room; *spelled* adds the address in plain text."""

    text: str
    room: RoomId
    event: EventId
    spelled: bool = True

    @property
    def url(self) -> str:
        """The event's address, with each id encoded as a whole (Matrix specification, "matrix.to navigation")."""
        room, event = (quote(part, safe="!", errors="replace") for part in (self.room, self.event))
        return f"https://matrix.to/#/{room}/{event}"
