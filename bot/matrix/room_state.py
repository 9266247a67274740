"""Fetches the state of rooms whose part of a sync was too large, event by event, as far as it is used."""

from dataclasses import replace

from bot.errors import Forbidden, Temporary, TransportError
from bot.ids import RoomId, UserId
from bot.incidents import Incidents
from bot.matrix import requests, wire
from bot.matrix.identity import Ask
from bot.matrix.model import Event, JoinedRoom, SyncAnswer
from bot.matrix.rooms import STATE_TYPES

MAX_ROOMS = 20  # after one sync
MAX_FAILURES = 2  # in one sync; after that, nothing more is requested, because everything else waits


async def with_states(answer: SyncAnswer, user: UserId, ask: Ask, incidents: Incidents) -> SyncAnswer:
    """Return *answer* with the state of its partial rooms, as far as the homeserver provides it to *user*."""
    chosen = [each.room for each in answer.joined if each.is_partial][:MAX_ROOMS]
    failures: list[Temporary] = []

    async def whole(joined: JoinedRoom) -> JoinedRoom:
        if joined.room in chosen:
            return replace(joined, state=await _state_of(joined.room, user, ask, incidents, failures))
        if joined.is_partial:
            incidents.record("sync.state_skipped", joined.room, "too many rooms are too large")
        return joined

    return replace(answer, joined=tuple([await whole(joined) for joined in answer.joined]))


async def _state_of(
    room: RoomId, user: UserId, ask: Ask, incidents: Incidents, failures: list[Temporary]
) -> tuple[Event, ...]:
    events: list[Event] = []
    for kind in STATE_TYPES:
        if len(failures) >= MAX_FAILURES:
            incidents.record("sync.state_skipped", room, f"{kind}: not requested, after {failures[-1]}")
            break
        key = user if kind == "m.room.member" else ""
        try:
            event = wire.state_event(await ask(requests.state_event(room, kind, key)), kind, key)
        except Forbidden:
            continue  # there is none
        except TransportError as error:
            incidents.record("sync.state_skipped", room, f"{kind}: {error}")
            failures += [error] if isinstance(error, Temporary) else []
            continue
        if event is not None:
            events.append(event)
    return tuple(events)
