"""Recorded answers of a homeserver, mutated: syncs, and what the bot asks because of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bot.ids import RoomId
from inputs import Name
from mutations import Mutation, kinds_for, mutated, paths, shape
from world import ANN, BOT, PLAIN, Check, World

SAMPLES = Path(__file__).parents[1] / "samples" / "homeserver-answers.json"
ANSWERS = ("messages", "state", "join")  # to what the bot asks because of a sync
_NUMBERED = re.compile(r"([!$@][a-z]+\d+)")
_TIMES = frozenset({"origin_server_ts"})


@cache
def recordings(endpoint: str) -> tuple[dict[str, Any], ...]:
    """The recorded answers of an endpoint."""
    return tuple(each["answer"] for each in json.loads(SAMPLES.read_bytes()) if each["endpoint"] == endpoint)


def anew(value: object, number: int, now_ms: int) -> Any:
    """*value* with ids of its own, which no other has, and with events of now."""
    if isinstance(value, dict):
        told = {_renamed(name, number): anew(inner, number, now_ms) for name, inner in value.items()}
        return told | {name: now_ms for name in _TIMES if name in told}
    if isinstance(value, list):
        return [anew(inner, number, now_ms) for inner in value]
    return _renamed(value, number) if isinstance(value, str) else value


def _renamed(text: str, number: int) -> str:
    return _NUMBERED.sub(rf"\1x{number}", text) if text[:1] in "!$@" else text


def sync_mutations() -> Iterator[Name]:
    """Every mutation of every recorded sync."""
    for number, recording in enumerate(recordings("sync")):
        yield from _all("sync", number, recording)


def answer_mutations() -> Iterator[Name]:
    """Every mutation of the other recorded answers."""
    for endpoint in ANSWERS:
        for number, recording in enumerate(recordings(endpoint)):
            yield from _all(endpoint, number, recording)


def _all(family: str, number: int, recording: object) -> Iterator[Name]:
    for path in paths(recording):
        field = shape(recording, path)
        for kind in kinds_for(recording, path):
            yield Name(family, number, field, Mutation(path, kind))


@dataclass
class SyncInput:
    """A recorded sync with a field made wrong; in the same answer, an ordinary command in another room."""

    name: Name
    number: int
    _place: int = -1
    _rooms: tuple[str, ...] = ()

    async def happen(self, world: World, check: Check) -> None:
        """Have a sync answered so."""
        recording = recordings("sync")[self.name.recording]
        mutation = self.name.mutation
        now = int(world.clock.now().timestamp() * 1000)
        next_batch = world.homeserver.next_batch(world.homeserver.pushed)
        wrong = mutated({**recording, "next_batch": next_batch}, mutation)
        answer = anew(wrong, self.number, now)
        self._rooms = tuple(anew(recording.get("rooms", {}), self.number, now).get("join", ()))
        reach = mutation.path[:2]
        if isinstance(answer, dict) and reach not in {("rooms",), ("rooms", "join"), ("next_batch",)}:
            rooms = answer.get("rooms", {})
            joined = rooms.get("join", {}) if isinstance(rooms, dict) else None
            if isinstance(joined, dict):
                told = {"timeline": {"events": [world.ask(check)]}}
                answer["rooms"] = {**rooms, "join": {**joined, PLAIN: told}}
        self._place = world.homeserver.push(answer)

    def heal(self, world: World) -> None:
        """Nothing of it stays: the bot is not in its rooms any more."""
        left: dict[str, Any] = {"timeline": {"events": []}, "state": {"events": []}}
        world.homeserver.empty(self._place)
        ours = {"type": "m.room.member", "sender": BOT, "state_key": BOT, "event_id": "$left", "origin_server_ts": 0}
        ours["content"] = {"membership": "leave"}
        rooms = {name: {**left, "timeline": {"events": [ours]}} for name in self._rooms}
        world.push(rooms={"leave": rooms})


@dataclass
class AnswerInput:
    """Another recorded answer, mutated, and a sync that has the bot ask for it."""

    name: Name
    number: int

    async def happen(self, world: World, _: Check) -> None:
        """Have the next answers of the endpoint be wrong."""
        recording = recordings(self.name.family)[self.name.recording]
        now = int(world.clock.now().timestamp() * 1000)
        answer = anew(mutated(recording, self.name.mutation), self.number, now)
        world.homeserver.changes[self.name.family] = lambda _: answer
        room = RoomId(f"!asks{self.number}:hs.test")
        match self.name.family:
            case "join":
                world.push(rooms={"invite": {room: {"invite_state": {"events": [_invitation()]}}}})
            case "messages":
                events = [world.homeserver.event(PLAIN, "m.room.message", {"msgtype": "m.text", "body": "hello"})]
                timeline = {"events": events, "limited": True, "prev_batch": "t2"}
                world.push(rooms={"join": {room: {"timeline": timeline}}})
            case _:
                tombstone = {"body": "moved", "replacement_room": f"!new{self.number}:hs.test"}
                event = world.homeserver.event(PLAIN, "m.room.tombstone", tombstone, state_key="")
                world.push(rooms={"join": {room: {"timeline": {"events": [event]}}}})

    def heal(self, world: World) -> None:
        """Answer as usual."""
        world.homeserver.changes.pop(self.name.family, None)
        world.push(rooms={"leave": {f"!asks{self.number}:hs.test": {}, f"!new{self.number}:hs.test": {}}})


def _invitation() -> dict[str, object]:
    return {"type": "m.room.member", "sender": ANN, "state_key": BOT, "content": {"membership": "invite"}}
