"""The state of rooms whose own part of a sync was too large: asked for event by event, as far as it is used."""

from dataclasses import replace

from bot.errors import Forbidden, TransportError
from bot.ids import RoomId, UserId
from bot.incidents import Incidents
from bot.matrix import requests, wire
from bot.matrix.identity import Ask
from bot.matrix.model import Event, Joined, SyncAnswer
from bot.matrix.rooms import STATE_TYPES

MAX_ROOMS = 20  # after one sync


async def with_states(answer: SyncAnswer, user: UserId, ask: Ask, incidents: Incidents) -> SyncAnswer:
    """Return *answer* with the state of its partial rooms, as much of it as *user* is given."""
    chosen = [each.room for each in answer.joined if each.is_partial][:MAX_ROOMS]

    async def whole(joined: Joined) -> Joined:
        if joined.room in chosen:
            return replace(joined, state=await _state_of(joined.room, user, ask, incidents))
        if joined.is_partial:
            incidents.record("sync.state_skipped", joined.room, "too many rooms are too large")
        return joined

    return replace(answer, joined=tuple([await whole(joined) for joined in answer.joined]))


async def _state_of(room: RoomId, user: UserId, ask: Ask, incidents: Incidents) -> tuple[Event, ...]:
    events: list[Event] = []
    for kind in STATE_TYPES:
        key = user if kind == "m.room.member" else ""
        try:
            event = wire.state_event(await ask(requests.state_event(room, kind, key)), kind, key)
        except Forbidden:
            continue  # there is none
        except TransportError as error:
            incidents.record("sync.state_skipped", room, f"{kind}: {error}")
            continue
        if event is not None:
            events.append(event)
    return tuple(events)
