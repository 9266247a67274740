"""Derives from a sync the new state of the rooms, and the session events to store. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.ids import RoomId, UserId
from bot.matrix.invitations import InvitePolicy, admission, last_membership, proven_invitation
from bot.matrix.mentions import BotInRoom
from bot.matrix.messages import TOO_OLD, is_arrival, messages_in, redactions, since_we_came
from bot.matrix.model import Event, JoinedRoom, LeftRoom, SyncAnswer
from bot.matrix.room_notices import resend_request
from bot.matrix.rooms import Room
from bot.matrix.session_update import (
    BotBecameAlone,
    BotNoLongerAlone,
    InvitationReceived,
    InvitationSettled,
    MessageReceived,
    NoticeQueued,
    RoomBecameDirect,
    RoomEncrypted,
    RoomLeft,
    RoomNoLongerDirect,
    RoomResumed,
    RoomSuspended,
    SessionEvent,
    SessionUpdate,
)

RESEND_REQUEST_INTERVAL = timedelta(hours=1)
MAX_RESEND_REQUESTS = 10  # per hour, because each delays other messages, and anybody can cause them


@dataclass(frozen=True, slots=True)
class SyncContext:
    """The state before a sync; *now* is the homeserver's time, UTC.

    *begins* is true for the first sync, in which nothing is new; *whole* if the sync has the state of every room.
    *resend_requests* are the rooms with a resend request within the last hour. *pending* are the rooms of unsettled
    invitations, which the bot may be in already: their messages do not count before *policy* admits them. *encrypted*
    and *alone* are the rooms known to be encrypted, and to have no other members (a homeserver returns the number of
    members only if it changed).
    """

    me: UserId
    rooms: Mapping[RoomId, Room]
    direct: frozenset[RoomId]
    now: datetime
    begins: bool
    whole: bool
    resend_requests: Collection[RoomId] = ()
    policy: InvitePolicy | None = None
    pending: frozenset[RoomId] = frozenset()
    encrypted: Collection[RoomId] = ()
    alone: frozenset[RoomId] = frozenset()


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """The rooms after a sync, and the update to store.

    *resend_requests* are the rooms with a new request to resend an undecryptable message.
    """

    rooms: Mapping[RoomId, Room]
    update: SessionUpdate
    resend_requests: frozenset[RoomId] = frozenset()


def outcome(known: SyncContext, answer: SyncAnswer) -> SyncOutcome:
    """Return the outcome of *answer*, whose timelines have no gaps."""
    rooms = _rooms_after(known, answer)
    admissions = {
        each.room: admitted for each in answer.joined if (admitted := _admission(known, rooms.get(each.room), each))
    }
    admission_events = [event for admitted in admissions.values() for event in admitted]
    opened = {event.room for event in admission_events if isinstance(event, RoomBecameDirect)}
    unseen = known.pending - admissions.keys()
    answer = replace(answer, joined=tuple(each for each in answer.joined if each.room not in unseen))
    direct = _direct(known, rooms, answer, opened)
    rooms = {room: replace(each, is_direct=room in direct) for room, each in rooms.items()}
    events: list[SessionEvent] = [
        *admission_events,
        *map(InvitationReceived, answer.invited),
        *(event for left in answer.left for event in _departure(known, left)),
        *map(RoomBecameDirect, sorted(direct - known.direct - opened)),
        *map(RoomNoLongerDirect, sorted(known.direct - direct)),
        *(BotBecameAlone(room) for room, each in rooms.items() if each.is_lonely and room not in known.alone),
        *map(BotNoLongerAlone, sorted(_rooms_with_company(known, answer, rooms))),
        *_new_encryption(known, rooms, unseen),
        *(event for joined in answer.joined for event in redactions(joined.room, joined.timeline)),
    ]
    if known.begins:
        return SyncOutcome(rooms, SessionUpdate(answer.next_batch, tuple(events)))
    unread = _unread_messages(known, answer)
    events += _messages(known, answer)
    events += [
        RoomResumed(joined.room)
        for joined in answer.joined
        if joined.room not in admissions and _may_let_us_speak(joined, known)
    ]
    events += [NoticeQueued(resend_request(room, event, known.now)) for room, event in unread.items()]
    return SyncOutcome(rooms, SessionUpdate(answer.next_batch, tuple(events)), frozenset(unread))


def _rooms_after(known: SyncContext, answer: SyncAnswer) -> dict[RoomId, Room]:
    """Return the rooms after *answer*; a room that was ever encrypted still is."""
    rooms = dict(known.rooms)
    for joined in answer.joined:
        room = (rooms.get(joined.room) or _unseen(known, joined.room)).after_sync(joined)
        rooms[joined.room] = replace(
            room,
            is_encrypted=room.is_encrypted or room.id in known.encrypted,
            own_name=_own_name(room, joined, known.me),
        )
    for left in answer.left:
        rooms.pop(left.room, None)
    return rooms


def _unseen(known: SyncContext, room: RoomId) -> Room:
    """Return the initial state of a room that is new in this session."""
    return Room(room, joined_members=1, invited_members=0) if room in known.alone else Room(room)


def _own_name(room: Room, joined: JoinedRoom, me: UserId) -> str:
    """Return the bot's display name in a room after a sync."""
    member = last_membership((*joined.state, *joined.timeline), me)
    return room.own_name if member is None else _display_name(member)


def _display_name(member: Event) -> str:
    name = member.content.get("displayname")
    return name.strip() if isinstance(name, str) else ""


def _admission(known: SyncContext, room: Room | None, joined: JoinedRoom) -> tuple[SessionEvent, ...] | None:
    """Return the session events of a join by invitation; None if the bot must not stay in the room."""
    if room is None or known.policy is None or room.id not in known.pending:
        return None
    member = last_membership((*joined.state, *joined.timeline), known.me)
    return admission(room, proven_invitation(member) if member is not None else None, known.policy)


def _direct(
    known: SyncContext, rooms: Mapping[RoomId, Room], answer: SyncAnswer, opened: Collection[RoomId]
) -> frozenset[RoomId]:
    """Return the direct chats; a room with a third member is none, even if the invitation was to a direct chat."""
    invited = {joined.room for joined in answer.joined if _was_asked_to_chat(joined, known)}
    crowded = {joined.room for joined in answer.joined if joined.room in rooms and rooms[joined.room].is_crowded}
    return known.direct.union(invited, opened) - crowded


def _departure(known: SyncContext, left: LeftRoom) -> Iterator[SessionEvent]:
    """Return the session events of the bot's departure from a room."""
    yield InvitationSettled(left.room)
    if left.by == known.me:
        yield RoomLeft(left.room)
    elif left.room not in known.pending:
        yield RoomSuspended(left.room)


def _rooms_with_company(known: SyncContext, answer: SyncAnswer, rooms: Mapping[RoomId, Room]) -> Iterator[RoomId]:
    """Return the rooms in which the bot was alone that have other members now, or that it left."""
    yield from (left.room for left in answer.left if left.room in known.alone)
    yield from (room for room in known.alone if room in rooms and not rooms[room].is_lonely)


def _new_encryption(
    known: SyncContext, rooms: Mapping[RoomId, Room], unseen: frozenset[RoomId]
) -> Iterator[RoomEncrypted]:
    for room in rooms.values():
        if room.is_encrypted and room.id not in known.encrypted and room.id not in unseen:
            yield RoomEncrypted(room.id, room.algorithm)


def _messages(known: SyncContext, answer: SyncAnswer) -> Iterator[MessageReceived]:
    """Return the messages since the bot joined, parsed with the display name that the bot had at the time."""
    for joined in answer.joined:
        name = _own_name(known.rooms.get(joined.room) or Room(joined.room), replace(joined, timeline=()), known.me)
        for event in since_we_came(joined.timeline, known.me):
            if event.type == "m.room.member" and event.state_key == known.me:
                name = _display_name(event)
            yield from messages_in(joined.room, (event,), BotInRoom(known.me, name), known.now)


def _new_events(joined: JoinedRoom, known: SyncContext) -> Iterator[Event]:
    """Return the events since the last sync, including state events outside of the timeline."""
    if not known.whole:
        yield from joined.state
    yield from joined.timeline


def _was_asked_to_chat(joined: JoinedRoom, known: SyncContext) -> bool:
    """Return whether the bot joined by an invitation to a direct chat, from somebody who may invite it."""
    member = last_membership((*joined.state, *joined.timeline), known.me)
    invitation = proven_invitation(member) if member is not None else None
    return (
        invitation is not None
        and invitation.direct
        and known.policy is not None
        and known.policy.allows(invitation.inviter)
    )


def _unread_messages(known: SyncContext, answer: SyncAnswer) -> dict[RoomId, Event]:
    """Return the first undecryptable message of each room, within the hourly limit of resend requests."""
    unread: dict[RoomId, Event] = {}
    for joined in answer.joined:
        if joined.room in known.resend_requests or len(known.resend_requests) + len(unread) >= MAX_RESEND_REQUESTS:
            continue
        for event in since_we_came(joined.timeline, known.me):
            is_fresh = known.now - event.sent_at <= TOO_OLD
            if event.unreadable and is_fresh and event.sender != known.me:
                unread[joined.room] = event
                break
    return unread


def _may_let_us_speak(joined: JoinedRoom, known: SyncContext) -> bool:
    """Return whether the bot may have gained the right to send: it joined, or the power levels changed."""
    new = _new_events(joined, known)
    return any(is_arrival(event, known.me) or event.type == "m.room.power_levels" for event in new)
