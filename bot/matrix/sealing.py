"""Leaves out what was said in clear text in an encrypted room. Pure.

A homeserver can make up any event; the only thing that it cannot make up is what a device encrypted. So only that is
taken for what a person said, from the event on that turned the encryption on.
"""

from collections.abc import Iterator
from dataclasses import replace

from bot.matrix.model import Event, Joined

ENCRYPTION = "m.room.encryption"
_NEVER_ENCRYPTED = frozenset({"m.room.redaction", "m.reaction"})  # by any client; they are no words


def without_clear_text(joined: Joined, *, is_new: bool) -> Joined:
    """What a sync tells of an encrypted room, without its clear text.

    *is_new*: that the room is encrypted was not known before this sync; what was said before that is left in.
    """
    start = _encrypted_from(joined) if is_new else 0
    return replace(joined, timeline=(*joined.timeline[:start], *_sealed(joined.timeline[start:])))


def _sealed(events: tuple[Event, ...]) -> Iterator[Event]:
    for event in events:
        if event.state_key is not None or event.type == "m.room.encrypted" or event.type in _NEVER_ENCRYPTED:
            yield event


def _encrypted_from(joined: Joined) -> int:
    """The place in the timeline from which on the room was encrypted; 0 where it was before."""
    before = {event.id for event in joined.state if _turns_on(event)}
    for place, event in enumerate(joined.timeline):
        if _turns_on(event):
            return place if before <= {event.id} else 0
    return 0


def _turns_on(event: Event) -> bool:
    return event.type == ENCRYPTION and event.state_key == ""
