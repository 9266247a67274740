"""Somebody at the homeserver, over the plain client-server API."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from bot.ids import EventId, RoomId, UserId
from support.homeserver import NO_TLS, Homeserver

WAIT_SECONDS = 240
_Answer = TypeVar("_Answer")
_names = itertools.count(1)


class Person:
    """An account with one device; every method is one thing a user's client does."""

    def __init__(self, homeserver: Homeserver, sign_in: Callable[[str, str], str] | None = None) -> None:
        self._sign_in = sign_in  # returns the token of a device of a user; otherwise there is a password
        self.name = f"person{next(_names)}"
        self.user = UserId(homeserver.register(self.name, self.name))
        api = f"{homeserver.url}/_matrix/client/v3"
        self._newer_api = f"{homeserver.url}/_matrix/client/v1"
        self._http = httpx.AsyncClient(base_url=api, timeout=WAIT_SECONDS, verify=NO_TLS, trust_env=False)
        self._txn = itertools.count(1)

    async def __aenter__(self) -> Self:
        """Log in."""
        if self._sign_in is not None:
            self._http.headers["Authorization"] = f"Bearer {self._sign_in(self.name, 'PERSON')}"
            return self
        identifier = {"type": "m.id.user", "user": self.name}
        login = {"type": "m.login.password", "identifier": identifier, "password": self.name}
        answer = await self.ask("POST", "/login", login)
        self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(self, method: str, path: str, body: object = None, **query: object) -> dict[str, Any]:
        """Any request; the answer."""
        params = {name: str(value) for name, value in query.items()}
        response = await self._http.request(method, path, json=body, params=params)
        if response.is_error:
            raise AssertionError(f"{method} {path}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json()
        return answer

    async def create_room(
        self,
        *invite: UserId,
        version: str | None = None,
        encrypted: bool = False,
        direct: bool = False,
        public: bool = False,
        alias: str | None = None,
    ) -> RoomId:
        """A new room of ours."""
        settings: dict[str, object] = {
            "invite": invite,
            "is_direct": direct,
            "preset": "public_chat" if public else "private_chat",
        }
        if version is not None:
            settings["room_version"] = version
        if alias is not None:
            settings["room_alias_name"] = alias
        if encrypted:
            encryption = {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
            settings["initial_state"] = [encryption]
        return RoomId((await self.ask("POST", "/createRoom", settings))["room_id"])

    async def upgrade(self, room: RoomId, version: str = "12") -> RoomId:
        """Replace a room by a new one."""
        answer = await self.ask("POST", f"{_path(room)}/upgrade", {"new_version": version})
        return RoomId(answer["replacement_room"])

    async def invite(self, room: RoomId, user: UserId) -> None:
        """Ask somebody in."""
        await self.ask("POST", f"{_path(room)}/invite", {"user_id": user})

    async def join(self, room: RoomId) -> None:
        """Come in."""
        await self.ask("POST", f"/join/{quote(room, safe='')}", {})

    async def leave(self, room: RoomId) -> None:
        """Go."""
        await self.ask("POST", f"{_path(room)}/leave", {})

    async def kick(self, room: RoomId, user: UserId) -> None:
        """Throw somebody out."""
        await self.ask("POST", f"{_path(room)}/kick", {"user_id": user})

    async def say(self, room: RoomId, body: str, **more: object) -> EventId:
        """A text; *more* goes into its content."""
        return await self.send(room, {"msgtype": "m.text", "body": body, **more})

    async def edit(self, room: RoomId, event: EventId, body: str) -> EventId:
        """Another text in the place of an earlier one."""
        new = {"msgtype": "m.text", "body": body}
        relation = {"rel_type": "m.replace", "event_id": event}
        return await self.send(room, {**new, "body": f"* {body}", "m.new_content": new, "m.relates_to": relation})

    async def send(self, room: RoomId, content: object, kind: str = "m.room.message") -> EventId:
        """Any event."""
        path = f"{_path(room)}/send/{kind}/{self.name}-{next(self._txn)}"
        return EventId((await self.ask("PUT", path, content))["event_id"])

    async def redact(self, room: RoomId, event: EventId) -> None:
        """Take something back."""
        await self.ask("PUT", f"{_path(room)}/redact/{quote(event, safe='')}/{next(self._txn)}", {})

    async def state(self, room: RoomId, kind: str, key: str = "") -> dict[str, Any]:
        """The content of a state event."""
        return await self.ask("GET", f"{_path(room)}/state/{kind}/{quote(key, safe='')}")

    async def set_state(self, room: RoomId, kind: str, content: object, key: str = "") -> EventId:
        """Change the state."""
        path = f"{_path(room)}/state/{kind}/{quote(key, safe='')}"
        return EventId((await self.ask("PUT", path, content))["event_id"])

    async def set_levels(self, room: RoomId, **levels: object) -> None:
        """Change some of the power levels."""
        await self.set_state(room, "m.room.power_levels", await self.state(room, "m.room.power_levels") | levels)

    async def timeline(self, room: RoomId) -> list[dict[str, Any]]:
        """All events of a room, oldest first."""
        events: list[dict[str, Any]] = []
        query: dict[str, object] = {"dir": "f", "limit": 500}
        while True:
            answer = await self.ask("GET", f"{_path(room)}/messages", **query)
            events += answer["chunk"]
            if "end" not in answer or not answer["chunk"]:
                return events
            query["from"] = answer["end"]

    async def messages(self, room: RoomId, sender: UserId | None = None) -> list[dict[str, Any]]:
        """The contents of a room's messages, oldest first."""
        events = [event for event in await self.timeline(room) if event["type"] == "m.room.message"]
        return [event["content"] for event in events if sender is None or event["sender"] == sender]

    async def thread(self, room: RoomId, root: EventId) -> list[dict[str, Any]]:
        """The events that hang on *root* in its thread, oldest first."""
        path = f"{_path(room)}/relations/{quote(root, safe='')}/m.thread"
        events: list[dict[str, Any]] = (await self.ask("GET", self._newer_api + path, dir="f"))["chunk"]
        return events

    async def reactions(self, room: RoomId) -> list[tuple[str, str]]:
        """The reactions in a room, oldest first: the event, and the emoji put to it."""
        events = [event for event in await self.timeline(room) if event["type"] == "m.reaction"]
        relations = [event["content"]["m.relates_to"] for event in events]
        return [(relation["event_id"], relation["key"]) for relation in relations]

    async def bodies(self, room: RoomId, sender: UserId | None = None) -> list[str]:
        """The plain texts of a room's messages, oldest first."""
        return [content["body"] for content in await self.messages(room, sender)]

    async def shown(self, room: RoomId, sender: UserId) -> list[str]:
        """The plain texts of *sender*'s messages as they stand after all edits, oldest first."""
        texts: dict[str, str] = {}
        for event in await self.timeline(room):
            if event["type"] != "m.room.message" or event["sender"] != sender or not event["content"]:
                continue
            relation = event["content"].get("m.relates_to", {})
            if relation.get("rel_type") == "m.replace":
                texts[relation["event_id"]] = event["content"]["m.new_content"]["body"]
            else:
                texts[event["event_id"]] = event["content"]["body"]
        return list(texts.values())

    async def members(self, room: RoomId) -> set[str]:
        """Who is in a room."""
        return set((await self.ask("GET", f"{_path(room)}/joined_members"))["joined"])

    async def unread(self, room: RoomId) -> dict[str, int]:
        """How many events of a room count as unread, as `notification_count` and `highlight_count`."""
        other_than_cached = next(self._txn)  # Synapse answers the same first sync from a cache
        content = {"room": {"timeline": {"limit": other_than_cached}}}
        answer = await self.ask("GET", "/sync", filter=json.dumps(content))
        counts: dict[str, int] = answer["rooms"]["join"][room]["unread_notifications"]
        return counts

    async def until(self, claim: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Look again whenever something happens here, until there is something; what was found."""
        async with asyncio.timeout(WAIT_SECONDS):
            since = (await self.ask("GET", "/sync"))["next_batch"]
            while not (found := await claim()):
                since = (await self.ask("GET", "/sync", since=since, timeout=500))["next_batch"]
        return found

    async def hears(self, room: RoomId, sender: UserId, count: int = 1) -> Sequence[str]:
        """Wait for *count* messages of *sender* in a room; their plain texts."""

        async def enough() -> list[str]:
            bodies = await self.bodies(room, sender)
            return bodies if len(bodies) >= count else []

        return await self.until(enough)


def _path(room: RoomId) -> str:
    return f"/rooms/{quote(room, safe='')}"
