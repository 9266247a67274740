"""Events that change what a session stores, and the state that they make of the bot's memberships. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, assert_never, get_args

from bot.ids import EventId, RoomId, UserId
from bot.matrix.model import Invitation
from bot.notices.notice import Notice


@dataclass(frozen=True, slots=True)
class DirectChatOpened:
    """A direct chat with *person* began; it replaces those with the same person that the bot is out of."""

    room: RoomId
    person: UserId


@dataclass(frozen=True, slots=True)
class RoomMoved:
    """The room *new* replaces *old*; everything that is stored of *old* moves to it."""

    old: RoomId
    new: RoomId


@dataclass(frozen=True, slots=True)
class RoomSkipped:
    """A room is too large to be read; syncs leave it out until *until* (UTC)."""

    room: RoomId
    until: datetime


@dataclass(frozen=True, slots=True)
class RoomBecameDirect:
    """A room is a direct chat."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class RoomNoLongerDirect:
    """A direct chat got a third member, and is an ordinary room from now on."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class BotBecameAlone:
    """All other members left a room."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class BotNoLongerAlone:
    """A room where the bot was alone has another member again, or the bot left it, too."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class RoomSuspended:
    """Somebody removed the bot from a room: its notices wait until the room is resumed."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class RoomLeft:
    """The bot left a room by itself."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class RoomEncrypted:
    """A room is encrypted for good; *algorithm* is the one in its state."""

    room: RoomId
    algorithm: str


@dataclass(frozen=True, slots=True)
class RoomResumed:
    """The bot is in a room and may be allowed to send there: suspended notices are due."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class ConfiguredRoomJoined:
    """The bot is in the *room* that the configuration calls *name*."""

    name: str
    room: RoomId


@dataclass(frozen=True, slots=True)
class InvitationReceived:
    """Somebody invited the bot; a newer invitation to the same room replaces the former."""

    invitation: Invitation


@dataclass(frozen=True, slots=True)
class InvitationSettled:
    """The invitation to a room was accepted, declined or taken back, and needs nothing more."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message that may be a command; *sent_at* is UTC.

    *thread* is the root of its thread, *replies_to* the event that it replies to; None if there is none.
    *encrypted* is true if a device of the sender encrypted it. The body may contain a token, so it is never shown. A
    *reaction* is an emoji, to the event *replies_to*, and has no body.
    """

    room: RoomId
    event: EventId
    sender: UserId
    body: str = field(repr=False)
    sent_at: datetime
    thread: EventId | None = None
    replies_to: EventId | None = None
    encrypted: bool = False
    reaction: str = ""


@dataclass(frozen=True, slots=True)
class WelcomeDue:
    """A room is to be welcomed, once; *inviter* is None where nobody had to ask the bot in."""

    room: RoomId
    inviter: UserId | None


@dataclass(frozen=True, slots=True)
class NoticeQueued:
    """A notice is to be sent; notices with the same key are sent once."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class EventRedacted:
    """Somebody redacted an event: a card is no longer edited, a reaction is taken back."""

    room: RoomId
    event: EventId


# In the order in which they are applied, regardless of the order in which they were added:
# - A new direct chat replaces former ones among the rooms before the update.
# - A move comes before other events of the new room, which override the state moved from the old one.
# - A room that was suspended and resumed in one update is resumed.
# - Rooms come before notices, which wait if their room is suspended.
# - An invitation that was received and settled in one update is settled.
SessionEvent = (
    DirectChatOpened
    | RoomMoved
    | RoomSkipped
    | RoomBecameDirect
    | RoomNoLongerDirect
    | BotBecameAlone
    | BotNoLongerAlone
    | RoomSuspended
    | RoomLeft
    | RoomEncrypted
    | RoomResumed
    | ConfiguredRoomJoined
    | InvitationReceived
    | InvitationSettled
    | MessageReceived
    | WelcomeDue
    | NoticeQueued
    | EventRedacted
)
_PLACES = {kind: place for place, kind in enumerate(get_args(SessionEvent))}
_Kind = TypeVar("_Kind", bound=SessionEvent)


@dataclass(frozen=True, slots=True)
class SessionUpdate:
    """Events that are stored together or not at all, in the order of application.

    *since* is the token of the next sync; None leaves the stored token unchanged.
    """

    since: str | None = None
    events: tuple[SessionEvent, ...] = ()

    def __post_init__(self) -> None:
        """Put the events into the order of application; those of one kind keep their order."""
        object.__setattr__(self, "events", tuple(sorted(self.events, key=lambda event: _PLACES[type(event)])))

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def has(self, *kinds: type[SessionEvent]) -> bool:
        """Return whether an event is of one of *kinds*."""
        return any(isinstance(event, kinds) for event in self.events)

    def with_events(self, events: Iterable[SessionEvent]) -> "SessionUpdate":
        """Return an update with *events* besides its own."""
        return SessionUpdate(self.since, (*self.events, *events))


@dataclass
class MembershipState:
    """The state of the bot's memberships.

    *invitations* are those that are not settled, in the order of their arrival. *encrypted* are the rooms that were
    ever encrypted, with the algorithm. *named* are the configured rooms that the bot is in, by name; a session
    determines them again.
    """

    invitations: dict[RoomId, Invitation] = field(default_factory=dict)
    direct: set[RoomId] = field(default_factory=set)
    suspended: set[RoomId] = field(default_factory=set)
    alone: set[RoomId] = field(default_factory=set)
    encrypted: dict[RoomId, str] = field(default_factory=dict)
    named: dict[str, RoomId] = field(default_factory=dict)

    def apply(self, update: SessionUpdate) -> None:
        """Apply the events of *update*."""
        for event in update.events:
            self._apply(event)

    def _apply(self, event: SessionEvent) -> None:  # noqa: C901, PLR0912  # a case for each kind of event
        match event:
            case RoomMoved(old, new):
                _move(self.direct, old, new)
                _move(self.suspended, old, new)
            case RoomBecameDirect(room):
                self.direct.add(room)
            case RoomNoLongerDirect(room):
                self.direct.discard(room)
            case BotBecameAlone(room):
                self.alone.add(room)
            case BotNoLongerAlone(room):
                self.alone.discard(room)
            case RoomSuspended(room):
                self.suspended.add(room)
                self._forget_names(room)
            case RoomLeft(room):
                self._forget_names(room)
            case RoomEncrypted(room, algorithm):
                self.encrypted[room] = algorithm
            case RoomResumed(room):
                self.suspended.discard(room)
            case ConfiguredRoomJoined(name, room):
                self.named[name] = room
            case InvitationReceived(invitation):
                self.invitations[invitation.room] = invitation
            case InvitationSettled(room):
                self.invitations.pop(room, None)
            case (
                DirectChatOpened() | RoomSkipped() | MessageReceived() | WelcomeDue() | NoticeQueued() | EventRedacted()
            ):
                pass
            case _:
                assert_never(event)

    def _forget_names(self, room: RoomId) -> None:
        for name in [name for name, known in self.named.items() if known == room]:
            del self.named[name]


def _move(rooms: set[RoomId], old: RoomId, new: RoomId) -> None:
    if old in rooms:
        rooms.remove(old)
        rooms.add(new)
