"""What follows from a sync: how the rooms stand now, and what is to be kept. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot.ids import RoomId, UserId
from bot.matrix.greetings import cannot_read
from bot.matrix.hearing import heard, is_arrival, since_we_came, taken_back
from bot.matrix.memory import Taken
from bot.matrix.model import Event, Joined, SyncAnswer
from bot.matrix.rooms import Room


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before a sync; *now* is the homeserver's time, UTC.

    *begins*: there was no sync before, and what it tells is no news. *whole*: it tells the state of every room, old or
    new.
    """

    me: UserId
    rooms: Mapping[RoomId, Room]
    direct: frozenset[RoomId]
    now: datetime
    begins: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the rooms stand after a sync, and what to keep."""

    rooms: Mapping[RoomId, Room]
    taken: Taken


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
    return Outcome(rooms, taken if known.begins else _with_news(taken, known, answer, rooms))


def _with_news(taken: Taken, known: Known, answer: SyncAnswer, rooms: Mapping[RoomId, Room]) -> Taken:
    """*taken* with what happened in the rooms."""
    return replace(
        taken,
        heard=tuple(
            word
            for joined in answer.joined
            for word in heard(joined.room, since_we_came(joined.timeline, known.me), known.me, known.now)
        ),
        notices=tuple(cannot_read(rooms[joined.room]) for joined in answer.joined if _is_now_encrypted(joined, known)),
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


def _is_now_encrypted(joined: Joined, known: Known) -> bool:
    """Whether encryption began, or we came into a room where it had."""
    new = tuple(_new_events(joined, known))
    came = any(is_arrival(event, known.me) for event in new)
    events = (*joined.state, *joined.timeline) if came else new
    return any(event.type == "m.room.encryption" and event.state_key == "" for event in events)


def _may_let_us_speak(joined: Joined, known: Known) -> bool:
    """Whether something happened after which a room that refused us may no longer: we came, or levels changed."""
    new = _new_events(joined, known)
    return any(is_arrival(event, known.me) or event.type == "m.room.power_levels" for event in new)
