"""A homeserver that knows some rooms and takes whatever is said there; just enough for the bot to run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

USER = "@bot:bench"
ROOM = "!room:bench"
_API = "/_matrix/client/v3"
_KEYS = {"signed_curve25519": 50}  # as many as the bot wants to have there


@dataclass
class Homeserver:
    """What was said; *fault* is what answers instead of a sync, None: nothing does.

    A sync waits *longest_wait_seconds* at most, however long the bot would.
    """

    rooms: tuple[str, ...] = (ROOM,)
    longest_wait_seconds: float = 2.0
    said: list[str] = field(default_factory=list)
    fault: bytes | None = None  # gzip
    faults: int = 0  # how often that was answered
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def log_in(self, _: web.Request) -> web.Response:
        """Anybody is the bot."""
        return web.json_response({"user_id": USER, "device_id": "BENCH", "access_token": "token"})

    async def sync(self, request: web.Request) -> web.Response:
        """The room at first, and then nothing."""
        if self.fault is not None:
            self.faults += 1
            headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            return web.Response(body=self.fault, headers=headers)
        is_first = request.query.get("since") is None or "full_state" in request.query
        if not is_first:
            wait = min(int(request.query.get("timeout", "0")) / 1000, self.longest_wait_seconds)
            with suppress(TimeoutError):  # nothing happened
                await asyncio.wait_for(self.closing.wait(), wait)
        rooms = {"join": dict.fromkeys(self.rooms, _ROOM)} if is_first else {}
        answer = {
            "next_batch": "s1",
            "rooms": rooms,
            "device_one_time_keys_count": _KEYS,
        }  # the same while nothing happens
        return web.json_response(answer)

    async def send(self, request: web.Request) -> web.Response:
        """Take a message."""
        content = await request.json()
        self.said.append(str(content.get("body", "")))
        return web.json_response({"event_id": f"${request.match_info['txn']}"})

    async def other(self, _: web.Request) -> web.Response:
        """Everything else is well, and empty."""
        return web.json_response({"room_id": ROOM, "user_id": USER, "device_id": "BENCH", "chunk": []})


@asynccontextmanager
async def served(homeserver: Homeserver | None = None) -> AsyncIterator[tuple[Homeserver, str]]:
    """A homeserver on the loopback interface, and its address."""
    homeserver = homeserver or Homeserver()
    app = web.Application()
    app.router.add_post(f"{_API}/login", homeserver.log_in)
    app.router.add_get(f"{_API}/sync", homeserver.sync)
    app.router.add_put(_API + "/rooms/{room}/send/{kind}/{txn}", homeserver.send)
    app.router.add_route("*", "/{path:.*}", homeserver.other)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield homeserver, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        homeserver.closing.set()
        await runner.cleanup()


def _event(kind: str, content: dict[str, object], state_key: str = "") -> dict[str, object]:
    event = {"event_id": f"${kind}", "sender": "@ann:bench", "type": kind, "origin_server_ts": 1_700_000_000_000}
    return {**event, "content": content, "state_key": state_key}


_ROOM = {
    "state": {
        "events": [
            _event("m.room.create", {"room_version": "11"}),
            _event("m.room.member", {"membership": "join"}, USER),
            _event("m.room.member", {"membership": "join"}, "@ann:bench"),
        ]
    },
    "timeline": {"events": [], "limited": False},
    "summary": {"m.joined_member_count": 2},
}
