"""A homeserver in this process that answers the bot whatever a test has it answer, over loopback HTTP.

It knows what the bot asks for: listening, sending, members, keys. Everything else of a homeserver is left out; what is
served as the answer to a sync is pushed, and stays the answer to that token until the test takes it back.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any, TypeGuard
from urllib.parse import unquote

from aiohttp import web

from bot.clock import Clock
from bot.ids import EventId, RoomId, UserId
from bot.matrix.crypto.devices import MEGOLM
from mutations import encoded

DEVICE = "BOTDEVICE"
_API = "/_matrix/client/v3/"
_ENCRYPTION = "m.room.encryption"
_WAIT_SECONDS = 20
_MAX_TOKEN = 10_000  # characters

Change = Callable[[object], object]


@dataclass
class HeldRoom:
    """A room that it knows: who is in it, and whether it is encrypted."""

    members: list[UserId]
    encrypted: bool = False
    levels: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the bot sent into a room, and the event that it became."""

    room: RoomId
    type: str
    content: dict[str, Any]
    event: EventId


class _Refusal(Exception):  # an answer, not an error
    def __init__(self, code: str, status: int = 404) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class SmallHomeserver:
    """One account, some rooms, and the answers to its syncs."""

    def __init__(self, user: UserId, clock: Clock) -> None:
        self.user = user
        self.rooms: dict[RoomId, HeldRoom] = {}
        self.sent: list[Sent] = []
        self.to_device: list[tuple[str, str, dict[str, Any]]] = []  # user, device, content
        self.devices: dict[str, dict[str, dict[str, Any]]] = {}
        self.one_time_keys: dict[tuple[str, str], dict[str, Any]] = {}
        self.changes: dict[str, Change] = {}  # of the answers of an endpoint
        self.listening = asyncio.Event()  # the bot took all answers, and waits for more
        self.open_syncs = 0
        self.is_garbled = False  # each sync is answered with what is no answer
        self._clock = clock
        self._answers: list[object] = []
        self._places: dict[str, int] = {}  # of tokens
        self._pushed = asyncio.Event()
        self._identity: dict[str, Any] = {}
        self._account_data: dict[str, Any] = {}
        self._numbers = itertools.count(1)
        self._closing = False

    # For the test

    def push(self, answer: object) -> int:
        """Have this answer the next sync; its place."""
        self._answers.append(answer)
        self.listening.clear()
        self._pushed.set()
        return len(self._answers) - 1

    def empty(self, place: int) -> None:
        """Have the answer in that place tell nothing."""
        self._answers[place] = {"next_batch": self.next_batch(place), **self.key_counts()}

    def next_batch(self, place: int) -> str:
        """The token that the answer in *place* brings."""
        return f"s{place + 1}"

    @property
    def pushed(self) -> int:
        """How many answers there are."""
        return len(self._answers)

    def key_counts(self) -> dict[str, Any]:
        """What each sync tells of the bot's keys."""
        left = self.one_time_keys.get((self.user, DEVICE), {})
        count = sum(not key.get("fallback") for key in left.values())
        return {
            "device_one_time_keys_count": {"signed_curve25519": count},
            "device_unused_fallback_key_types": ["signed_curve25519"],
        }

    def claimed(self, user: str, device: str) -> dict[str, Any]:
        """A one-time key of a device, the fallback key where there are no others."""
        left = self.one_time_keys.get((user, device), {})
        if not left:
            return {}
        name = next((name for name, key in left.items() if not key.get("fallback")), next(iter(left)))
        return {name: left[name] if left[name].get("fallback") else left.pop(name)}

    def close(self) -> None:
        """Let whoever waits go."""
        self._closing = True
        self._pushed.set()

    # What it answers

    async def answer(self, request: web.Request) -> web.Response:
        """One request."""
        path = unquote(request.rel_url.raw_path).removeprefix(_API)
        body = await request.json() if request.can_read_body else {}
        try:
            if path == "sync":
                return self._response(await self._sync(request.query))
            name, answer = self._asked(request.method, path, body)
        except _Refusal as refusal:
            return self._response({"errcode": refusal.code, "error": "no"}, refusal.status)
        change = self.changes.get(name)
        return self._response(change(answer) if change else answer)

    def _response(self, answer: object, status: int = 200) -> web.Response:
        date = {"Date": format_datetime(self._clock.now(), usegmt=True)}
        return web.Response(status=status, body=encoded(answer), content_type="application/json", headers=date)

    async def _sync(self, query: Mapping[str, str]) -> object:
        since = query.get("since")
        if since is None:
            return self._first()
        place = self._place(since)
        self.open_syncs += 1
        try:
            if int(query.get("timeout", "0")):
                await self._wait_beyond(place)
        finally:
            self.open_syncs -= 1
        if place >= len(self._answers):
            return {"next_batch": since, **self.key_counts()}
        if self.is_garbled:
            return []
        answer = self._answers[place]
        if isinstance(answer, dict) and _is_token(token := answer.get("next_batch")):
            self._places[token] = place + 1
        else:  # nobody can ask for what comes behind it; the next time it is right
            self.empty(place)
        return _filtered(answer, json.loads(query.get("filter", "{}")))

    def _place(self, token: str) -> int:
        if token in self._places:
            return self._places[token]
        if token[:1] == "s" and token[1:].isdigit() and int(token[1:]) <= len(self._answers):
            return int(token[1:])
        raise _Refusal("M_UNKNOWN", 400)

    async def _wait_beyond(self, place: int) -> None:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while place >= len(self._answers) and not self._closing:
                    self._pushed.clear()
                    self.listening.set()
                    await self._pushed.wait()
        except TimeoutError:
            return

    def _first(self) -> object:
        joined = {room: {"state": {"events": list(self._state(room))}} for room in self.rooms}
        return {"next_batch": f"s{len(self._answers)}", "rooms": {"join": joined}, **self.key_counts()}

    def _state(self, room: RoomId) -> list[dict[str, object]]:
        held = self.rooms[room]
        events = [("m.room.member", user, {"membership": "join"}) for user in held.members]
        levels = [("m.room.power_levels", "", held.levels)] if held.levels else []
        sealed = [(_ENCRYPTION, "", {"algorithm": MEGOLM})] if held.encrypted else []
        return [self.event(room, kind, content, key) for kind, key, content in (*events, *levels, *sealed)]

    def event(
        self, room: RoomId, kind: str, content: object, state_key: str | None = None, **more: object
    ) -> dict[str, object]:
        """An event of now, of the first member of *room* where *more* names no sender."""
        event: dict[str, object] = {
            "type": kind,
            "event_id": f"$fresh{next(self._numbers)}",
            "sender": self.rooms[room].members[0],
            "origin_server_ts": int(self._clock.now().timestamp() * 1000),
            "content": content,
        }
        return event | ({} if state_key is None else {"state_key": state_key}) | more

    def _asked(self, method: str, path: str, body: Any) -> tuple[str, object]:
        """The name of the endpoint, and its answer."""
        match method, path.split("/"):
            case "POST", ["login"]:
                return "login", {"user_id": self.user, "access_token": "token", "device_id": DEVICE}
            case "GET", ["account", "whoami"]:
                return "whoami", {"user_id": self.user, "device_id": DEVICE}
            case "POST", ["keys", *rest]:
                return f"keys/{rest[0]}", self._keys("/".join(rest), body)
            case "PUT", ["sendToDevice", _, _]:
                for user, devices in body["messages"].items():
                    self.to_device += [(user, device, content) for device, content in devices.items()]
                return "sendToDevice", {}
            case _, ["user", _, "account_data", kind]:
                return "account_data", self._data(method, kind, body)
            case _:
                return self._of_rooms(method, path.split("/"), body)

    def _data(self, method: str, kind: str, body: Any) -> object:
        if method == "PUT":
            self._account_data[kind] = body
        elif kind not in self._account_data:
            raise _Refusal("M_NOT_FOUND")
        return self._account_data[kind] if method == "GET" else {}

    def _of_rooms(self, method: str, parts: list[str], body: Any) -> tuple[str, object]:
        match method, parts:
            case "PUT", ["rooms", room, "send", kind, _]:
                event = EventId(f"$sent{next(self._numbers)}")
                self.sent.append(Sent(RoomId(room), kind, body, event))
                return "send", {"event_id": event}
            case "POST", ["join", room]:
                self.rooms.setdefault(RoomId(room), HeldRoom([self.user]))
                return "join", {"room_id": room}
            case "POST", ["rooms", room, "leave"]:
                self.rooms.pop(RoomId(room), None)
                return "leave", {}
            case "GET", ["rooms", _, "messages"]:
                return "messages", {"chunk": [], "start": "t1"}
            case "GET", ["rooms", room, *rest]:
                return self._state_of(RoomId(room), rest)
            case _:
                raise _Refusal("M_NOT_FOUND")

    def _state_of(self, room: RoomId, rest: list[str]) -> tuple[str, object]:
        if room not in self.rooms:
            raise _Refusal("M_FORBIDDEN", 403)
        if rest[0] == "members":
            return "members", {"chunk": [event for event in self._state(room) if event["type"] == "m.room.member"]}
        found = [event["content"] for event in self._state(room) if event["type"] == rest[1]]
        if not found:
            raise _Refusal("M_NOT_FOUND")
        return "state", found[0]

    def _keys(self, path: str, body: Any) -> object:
        match path:
            case "upload":
                if "device_keys" in body:
                    self.devices.setdefault(self.user, {})[DEVICE] = body["device_keys"]
                keys = {**body.get("one_time_keys", {}), **body.get("fallback_keys", {})}
                self.one_time_keys.setdefault((self.user, DEVICE), {}).update(keys)
                return {"one_time_key_counts": self.key_counts()["device_one_time_keys_count"]}
            case "query":
                known = {user: self.devices.get(user, {}) for user in body["device_keys"]}
                return {"device_keys": known, "failures": {}, **self._identity}
            case "claim":
                wanted = body["one_time_keys"]
                found = {user: {device: self.claimed(user, device) for device in wanted[user]} for user in wanted}
                return {"one_time_keys": found, "failures": {}}
            case "device_signing/upload":
                self._identity = {f"{name}s": {self.user: key} for name, key in body.items() if name.endswith("_key")}
            case "signatures/upload":
                for user, signed in body.items():
                    for device, keys in signed.items():
                        known = self.devices[user][device]["signatures"].setdefault(user, {})
                        known.update(keys["signatures"][user])
        return {}


def _is_token(value: object) -> TypeGuard[str]:
    """Whether a client can send it back."""
    return isinstance(value, str) and 0 < len(value) < _MAX_TOKEN and value.isprintable()


def _filtered(answer: object, wanted: Mapping[str, Any]) -> object:
    """The rooms and the events that a sync's filter leaves; of what is malformed, all."""
    rooms = answer.get("rooms") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(rooms, dict):
        return answer
    chosen, limit = wanted.get("room", {}), wanted.get("room", {}).get("timeline", {}).get("limit")
    left: dict[str, object] = {}
    for kind, told in rooms.items():
        left[kind] = told
        if isinstance(told, dict):
            names = (
                name for name in told if name in chosen.get("rooms", told) and name not in chosen.get("not_rooms", ())
            )
            left[kind] = {name: _cut(told[name], limit) for name in names}
    return {**answer, "rooms": left}


def _cut(room: object, limit: int | None) -> object:
    timeline = room.get("timeline") if isinstance(room, dict) else None
    events = timeline.get("events") if isinstance(timeline, dict) else None
    if not isinstance(room, dict) or not isinstance(timeline, dict) or not isinstance(events, list):
        return room
    if limit is None or len(events) <= limit:
        return room
    kept = events[len(events) - limit :]
    return {**room, "timeline": {**timeline, "events": kept, "limited": True, "prev_batch": "t1"}}


@asynccontextmanager
async def served(homeserver: SmallHomeserver) -> AsyncIterator[str]:
    """Serve it on loopback; its address."""
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", homeserver.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        homeserver.close()
        await runner.cleanup()
