"""What follows from a sync: how the rooms stand now, and what is to be kept. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.ids import RoomId, UserId
from bot.matrix.greetings import send_again
from bot.matrix.hearing import TOO_OLD, heard, is_arrival, since_we_came, taken_back
from bot.matrix.memory import Taken
from bot.matrix.model import Event, Joined, SyncAnswer
from bot.matrix.rooms import Room

ASK_AGAIN = timedelta(hours=1)
MAX_ASKED = (
    10  # rooms an hour; what cannot be decrypted is cheap to send, and each answer is one message less for others
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before a sync; *now* is the homeserver's time, UTC.

    *begins*: there was no sync before, and what it tells is no news. *whole*: it tells the state of every room, old or
    new. *asked* are the rooms where somebody was asked within the hour to send again what could not be decrypted.
    """

    me: UserId
    rooms: Mapping[RoomId, Room]
    direct: frozenset[RoomId]
    now: datetime
    begins: bool
    whole: bool
    asked: Collection[RoomId] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the rooms stand after a sync, and what to keep; *asked* are the rooms where somebody is asked now."""

    rooms: Mapping[RoomId, Room]
    taken: Taken
    asked: frozenset[RoomId] = frozenset()


def outcome(known: Known, answer: SyncAnswer) -> Outcome:
    """What follows from *answer*, whose timelines have no gaps any more."""
    direct = known.direct | {joined.room for joined in answer.joined if _was_asked_to_chat(joined, known.me)}
    rooms = dict(known.rooms)
    for joined in answer.joined:
        room = (rooms.get(joined.room) or Room(joined.room)).told(joined)
        if room.is_crowded:  # whatever whoever invited us called it
            direct -= {joined.room}
        rooms[joined.room] = replace(room, is_direct=joined.room in direct)
    for left in answer.left:
        rooms.pop(left.room, None)
    taken = Taken(
        since=answer.next_batch,
        invited=answer.invited,
        settled=tuple(left.room for left in answer.left),
        direct=tuple(sorted(direct - known.direct)),
        crowded=tuple(sorted(known.direct - direct)),
        suspended=tuple(left.room for left in answer.left if left.by != known.me),
        left=tuple(left.room for left in answer.left if left.by == known.me),
        redacted=tuple(each for joined in answer.joined for each in taken_back(joined.room, joined.timeline)),
    )
    if known.begins:
        return Outcome(rooms, taken)
    unread = _unread(known, answer)
    again = tuple(send_again(room, event, known.now) for room, event in unread.items())
    return Outcome(rooms, replace(_with_news(taken, known, answer), notices=again), frozenset(unread))


def _with_news(taken: Taken, known: Known, answer: SyncAnswer) -> Taken:
    """*taken* with what happened in the rooms."""
    return replace(
        taken,
        heard=tuple(
            word
            for joined in answer.joined
            for word in heard(joined.room, since_we_came(joined.timeline, known.me), known.me, known.now)
        ),
        resumed=tuple(joined.room for joined in answer.joined if _may_let_us_speak(joined, known)),
    )


def _new_events(joined: Joined, known: Known) -> Iterator[Event]:
    """What happened since the last sync; state that the timeline has no room for is among it."""
    if not known.whole:
        yield from joined.state
    yield from joined.timeline


def _was_asked_to_chat(joined: Joined, me: UserId) -> bool:
    """Whether our invitation to a direct chat is among the events, or is what our arrival replaced."""
    events = (*joined.state, *joined.timeline)
    ours = [event for event in events if event.type == "m.room.member" and event.state_key == me]
    return any(content.get("is_direct") is True for event in ours for content in (event.content, event.previous))


def _unread(known: Known, answer: SyncAnswer) -> dict[RoomId, Event]:
    """The first message of a room that could not be decrypted, in as many rooms as may still be asked this hour."""
    unread: dict[RoomId, Event] = {}
    for joined in answer.joined:
        if joined.room in known.asked or len(known.asked) + len(unread) >= MAX_ASKED:
            continue
        for event in since_we_came(joined.timeline, known.me):
            is_fresh = known.now - event.sent_at <= TOO_OLD
            if event.unreadable and is_fresh and event.sender != known.me:
                unread[joined.room] = event
                break
    return unread


def _may_let_us_speak(joined: Joined, known: Known) -> bool:
    """Whether something happened after which a room that refused us may no longer: we came, or levels changed."""
    new = _new_events(joined, known)
    return any(is_arrival(event, known.me) or event.type == "m.room.power_levels" for event in new)
