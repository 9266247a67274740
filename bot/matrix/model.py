"""Model of the homeserver's responses, without malformed parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bot.ids import EventId, RoomId, UserId
from bot.json_splitter import Path

NOBODY: Final = UserId("")  # stands for a user that the homeserver does not name
Content = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class OmittedPart:
    """A part of a response that was too large; *size* is the number of bytes read."""

    path: Path
    size: int

    @property
    def room(self) -> RoomId | None:
        """The room that the part belongs to; None if it belongs to none."""
        match self.path:
            case ("rooms", str(), str(room), *_):
                return RoomId(room)
            case _:
                return None


@dataclass(frozen=True, slots=True)
class MatrixResponse:
    """A successful response of the homeserver, without oversized parts; *size* is the size of the rest in bytes."""

    content: Content
    left_out: tuple[OmittedPart, ...] = ()
    size: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """A room event; *sent_at* is the sending server's claim (UTC), *state_key* is None if it is not a state event.

    *previous*, *previous_sender* and *replaces* are the content, sender and id of the state event that it replaced, if
    the homeserver includes them; *redacts* is the event that a redaction is about. *unreadable* is true for an
    encrypted event that could not be decrypted, *decrypted* for one that was.
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
    decrypted: bool = False


@dataclass(frozen=True, slots=True)
class JoinedRoom:
    """A joined room in a sync.

    *state* is the state before the first event of *timeline* (both oldest first); if *limited*, events before it are
    missing, which are available from *prev_batch*. The member counts are None if unchanged. *is_partial* is true if its
    part of the response was too large, so that some of its state is missing, too.
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
    """The part of a room's timeline that a sync left out: from *after*, the token of the last sync, to *before*."""

    room: RoomId
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """An unproven invitation to a room; *direct* if it is for a direct chat.

    *inviter* is "" if the invitation contradicts itself, or names no user.
    """

    room: RoomId
    inviter: UserId
    direct: bool


@dataclass(frozen=True, slots=True)
class LeftRoom:
    """A room that we are no longer in; *by* is the user who ended our membership, None if unknown."""

    room: RoomId
    by: UserId | None


@dataclass(frozen=True, slots=True)
class ToDeviceEvent:
    """A message from another device to ours, outside of rooms."""

    sender: UserId
    type: str
    content: Content


@dataclass(frozen=True, slots=True)
class KeyUpdates:
    """The updates of keys in a sync.

    *changed* are users whose devices changed, *left* those who no longer share an encrypted room with us;
    *one_time_keys* is the number of ours that the homeserver still has. *fallback_used* is true if it has given away
    our fallback key, which serves when these are used up. *is_partial* is true if there are more such users than can be
    read, so that the devices of every user may have changed.
    """

    to_device: tuple[ToDeviceEvent, ...] = ()
    changed: tuple[UserId, ...] = ()
    left: tuple[UserId, ...] = ()
    one_time_keys: int = 0
    fallback_used: bool = False
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """The events and updates since the last sync."""

    next_batch: str
    keys: KeyUpdates = field(default_factory=KeyUpdates)
    joined: tuple[JoinedRoom, ...] = ()
    invited: tuple[Invitation, ...] = ()
    left: tuple[LeftRoom, ...] = ()


@dataclass(frozen=True, slots=True)
class MessagesPage:
    """Events of a room, newest first, and the token for older ones; None at the beginning of the room."""

    events: tuple[Event, ...]
    end: str | None
