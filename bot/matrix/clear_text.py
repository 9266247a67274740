"""Drops unencrypted messages of encrypted rooms. Pure.

A homeserver can forge any event except what a device encrypted. So only encrypted messages count as a person's
words, from the event on that enabled the encryption.
"""

from collections.abc import Iterator
from dataclasses import replace

from bot.matrix.model import Event, Joined

ENCRYPTION = "m.room.encryption"
_NEVER_ENCRYPTED = frozenset({"m.room.redaction", "m.reaction"})  # by any client; they are no words


def without_clear_text(joined: Joined, *, is_new: bool) -> Joined:
    """Return what a sync shows of an encrypted room, without its unencrypted messages.

    *is_new*: the encryption was not known before this sync; messages from before it are kept.
    """
    start = _encrypted_from(joined) if is_new else 0
    return replace(joined, timeline=(*joined.timeline[:start], *_sealed(joined.timeline[start:])))


def _sealed(events: tuple[Event, ...]) -> Iterator[Event]:
    for event in events:
        if event.state_key is not None or event.type == "m.room.encrypted" or event.type in _NEVER_ENCRYPTED:
            yield event


def _encrypted_from(joined: Joined) -> int:
    """Return the index in the timeline from which the room is encrypted; 0 if it was before."""
    before = {event.id for event in joined.state if _turns_on(event)}
    for place, event in enumerate(joined.timeline):
        if _turns_on(event):
            return place if before <= {event.id} else 0
    return 0


def _turns_on(event: Event) -> bool:
    return event.type == ENCRYPTION and event.state_key == ""
