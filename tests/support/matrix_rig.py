"""Clients of the bot's account at a real homeserver."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.clock import Clock, SystemClock
from bot.config import MatrixSettings, NetworkSettings, PatchworkSettings, ProjectSettings, Settings, StoreSettings
from bot.ids import EventId, RoomId, UserId
from bot.matrix.client import Deadlines, MatrixClient
from bot.matrix.invite_rules import InviteRules
from bot.matrix.model import Event
from bot.matrix.session import Session
from bot.matrix.session_memory import InMemorySession
from bot.matrix.session_update import SessionEvent, SessionUpdate
from support.homeserver import Homeserver
from support.person import WAIT_SECONDS, Person

_names = itertools.count(1)
PASSWORD = "correct horse"  # noqa: S105  # of an account that lives as long as a test


@dataclass
class Account:
    """An account of a bot; *url* is where it finds its homeserver, its folder holds the device."""

    homeserver: Homeserver
    folder: Path
    url: str = ""
    password: str | None = PASSWORD
    access_token: str | None = None
    ca_file: str = ""
    proxy: str = ""
    clock: Clock = field(default_factory=SystemClock)
    deadlines: Deadlines = field(default_factory=Deadlines)

    def __post_init__(self) -> None:
        """Make the account."""
        self.url = self.url or self.homeserver.url
        self.user = UserId(self.homeserver.register(f"bot{next(_names)}", PASSWORD))

    def settings(self, **matrix: object) -> Settings:
        """The settings of this bot."""
        account = {
            "homeserver": self.url,
            "user_id": self.user,
            "password": self.password,
            "access_token": self.access_token,
        }
        return Settings(
            matrix=MatrixSettings.model_validate(account | matrix),
            store=StoreSettings(data_dir=self.folder),
            network=NetworkSettings.model_validate({"ca_file": self.ca_file, "proxy": self.proxy}),
            patchwork=(
                PatchworkSettings(
                    name="sample",
                    url="https://patchwork.example.org",
                    projects=(ProjectSettings(name="qemu-devel"),),
                ),
            ),
        )

    def client(self) -> MatrixClient:
        """A client, not logged in."""
        return MatrixClient(self.settings(), self.clock, self.deadlines)

    @asynccontextmanager
    async def logged_in(self) -> AsyncIterator[MatrixClient]:
        """A client of the kept device."""
        async with self.client() as client:
            await client.log_in()
            yield client

    async def room_of(self, person: Person, client: MatrixClient, *, encrypted: bool = False) -> RoomId:
        """A room of *person* that the bot is in."""
        room = await person.create_room(self.user, encrypted=encrypted)
        await client.join(room)
        return room


@contextmanager
def impatient(client: MatrixClient) -> Iterator[None]:
    """A client that waits half a second for an answer: only for what hangs, or a busy machine would seem to."""
    usual, client._carrier._seconds = client._carrier._seconds, 0.5
    try:
        yield
    finally:
        client._carrier._seconds = usual


class LeapClock:
    """The machine's clock, but waits take no time: they are added to what has passed."""

    def __init__(self) -> None:
        self._leapt = 0.0
        self._leap = asyncio.Event()

    @property
    def leapt(self) -> float:
        """Seconds that were waited for."""
        return self._leapt

    def now(self) -> datetime:
        """The machine's time: what was waited for is not in it, or events would seem old."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds, with those that were waited for."""
        return time.monotonic() + self._leapt

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds* in no time."""
        self._leapt += seconds
        self._leap.set()
        await asyncio.sleep(0)

    async def until(self, leapt: float) -> None:
        """Return when so much was waited for."""
        while self._leapt < leapt:
            self._leap.clear()
            await self._leap.wait()


class WrongClock(SystemClock):
    """A clock that is half an hour fast."""

    def now(self) -> datetime:
        """Not now."""
        return super().now() + timedelta(minutes=30)


class LateClient(MatrixClient):
    """A client at a homeserver where an hour has passed since everything was said."""

    def homeserver_now(self) -> datetime:
        """An hour from now."""
        return super().homeserver_now() + timedelta(hours=1)


@dataclass
class Listener:
    """A session that runs, and what it keeps."""

    session: Session
    client: MatrixClient
    memory: InMemorySession
    task: "asyncio.Task[None]"

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait for something to be kept; a session that ends raises what ended it."""
        waiting = asyncio.ensure_future(self.memory.until(claim))
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not claim() and self.task.done():
            self.task.result()


@asynccontextmanager
async def listening(
    account: Account,
    memory: InMemorySession,
    *configured: str,
    clock: Clock | None = None,
    client: type[MatrixClient] = MatrixClient,
    **matrix: object,
) -> AsyncIterator[Listener]:
    """The bot's session, from its first answer on."""
    settings = account.settings(**matrix)
    rules = InviteRules(account.user, settings.matrix.invite_from, configured)
    clock = clock or account.clock
    async with client(settings, clock, account.deadlines) as speaker:
        session = Session(speaker, memory, clock, rules)
        await session.log_in()
        listener = Listener(session, speaker, memory, asyncio.create_task(session.run()))
        try:
            before = memory.saves
            await listener.until(lambda: memory.saves > before)
            yield listener
        finally:
            listener.task.cancel()
            await asyncio.gather(listener.task, return_exceptions=True)


def an_event(kind: str = "m.room.message", **fields: object) -> Event:
    """An event of Ann's; *fields* replace its own."""
    sent_at = datetime(2026, 1, 1, tzinfo=UTC)
    known: dict[str, Any] = {"id": EventId("$1"), "sender": UserId("@ann:hs"), "content": {}, "sent_at": sent_at}
    return Event(**{"type": kind, **known, **fields})


def a_text(body: str, **fields: object) -> Event:
    """Something that Ann says."""
    return an_event("m.room.message", content={"msgtype": "m.text", "body": body}, **fields)


def an_update(*events: SessionEvent, since: str | None = None) -> SessionUpdate:
    """What a session stores together."""
    return SessionUpdate(since, events)
