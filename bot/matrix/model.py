"""What a homeserver's answers tell, without what was malformed in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bot.ids import EventId, RoomId, UserId
from bot.json_splitter import Path

NOBODY: Final = UserId("")  # where it is not told who did something
Content = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class OmittedPart:
    """A part of an answer that was too large, and how large it was as far as it was looked at."""

    path: Path
    size: int

    @property
    def room(self) -> RoomId | None:
        """The room it is of; None where it is of none."""
        match self.path:
            case ("rooms", str(), str(room), *_):
                return RoomId(room)
            case _:
                return None


@dataclass(frozen=True, slots=True)
class MatrixResponse:
    """A good answer of the homeserver, without what was too large in it; *size* is what was kept, in bytes."""

    content: Content
    left_out: tuple[OmittedPart, ...] = ()
    size: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """A room event; *sent_at* is the sending server's word (UTC), *state_key* None where it is no state.

    *previous* is the content that a state event replaced, as far as the homeserver tells, *previous_sender* who had
    sent that, *replaces* its event; *redacts* is the event that a redaction takes back. *unreadable*: it was encrypted
    for us, and could not be decrypted.
    """

    id: EventId
    sender: UserId
    type: str
    content: Content
    sent_at: datetime
    state_key: str | None = None
    previous: Content = field(default_factory=dict)
    previous_sender: UserId | None = None
    replaces: EventId | None = None
    redacts: EventId | None = None
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class JoinedRoom:
    """What a sync tells of a room we are in.

    *state* stood before the first event of *timeline* (both oldest first); *limited*: events are missing before it,
    to be had from *prev_batch*. The member counts are None where they did not change. *is_partial*: its part of the
    answer was too large, so even of its state something is missing.
    """

    room: RoomId
    timeline: tuple[Event, ...]
    state: tuple[Event, ...]
    limited: bool
    prev_batch: str | None
    joined_members: int | None
    invited_members: int | None
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class TimelineGap:
    """What a sync left out of a room's timeline: between *after*, the token of the sync before, and a `prev_batch`."""

    room: RoomId
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody claims to ask us into a room; *direct* where they mean a chat of two.

    *inviter* is "" where the claim contradicts itself, or names nobody.
    """

    room: RoomId
    inviter: UserId
    direct: bool


@dataclass(frozen=True, slots=True)
class LeftRoom:
    """A room we are no longer in; *by* is who saw to that, None where the homeserver does not say."""

    room: RoomId
    by: UserId | None


@dataclass(frozen=True, slots=True)
class ToDeviceEvent:
    """What another device sends to ours, outside of rooms."""

    sender: UserId
    type: str
    content: Content


@dataclass(frozen=True, slots=True)
class KeyUpdates:
    """What a sync tells of keys.

    *changed* are users whose devices are others now, *left* those who share no encrypted room with us any more;
    *one_time_keys* is how many of ours the homeserver still has. *fallback_used*: it has given away the key of ours
    that serves when these are used up. *is_partial*: there are more such users than can be read, so all may be others.
    """

    to_device: tuple[ToDeviceEvent, ...] = ()
    changed: tuple[UserId, ...] = ()
    left: tuple[UserId, ...] = ()
    one_time_keys: int = 0
    fallback_used: bool = False
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """What happened since the last sync."""

    next_batch: str
    keys: KeyUpdates = field(default_factory=KeyUpdates)
    joined: tuple[JoinedRoom, ...] = ()
    invited: tuple[Invitation, ...] = ()
    left: tuple[LeftRoom, ...] = ()


@dataclass(frozen=True, slots=True)
class MessagesPage:
    """Events of a room, newest first, and where older ones are to be had; None at the beginning of the room."""

    events: tuple[Event, ...]
    end: str | None
