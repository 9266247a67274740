"""Links to events of ours: made of ids alone, for an address of matrix.to that anybody else wrote stays text."""

from dataclasses import dataclass
from urllib.parse import quote

from bot.ids import EventId, RoomId


@dataclass(frozen=True, slots=True)
class EventLink:
    """Words that lead to an event in a room."""

    text: str
    room: RoomId
    event: EventId

    @property
    def url(self) -> str:
        """Its address, each id encoded as a whole (Matrix specification, "matrix.to navigation")."""
        room, event = (quote(part, safe="!", errors="replace") for part in (self.room, self.event))
        return f"https://matrix.to/#/{room}/{event}"
