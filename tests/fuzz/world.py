"""The whole bot between a small homeserver and a sample Patchwork, in virtual time, and whether it still works.

After each input a `Check` wants what any room may want: an ordinary command behind it is answered, an ordinary series
gets its card, an encrypted message is read and its answer can be read. It waits two minutes of the bot's time.
"""

import asyncio
import itertools
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from bot import metrics
from bot.app import Bot, RunConditions, assembled
from bot.clock import VirtualClock
from bot.config import (
    CommandSettings,
    MatrixSettings,
    PatchworkSettings,
    ProjectSettings,
    RoomSettings,
    Settings,
    StoreSettings,
)
from bot.ids import DeviceId, EventId, RoomId, UserId
from bot.matrix.client import MatrixClient
from bot.matrix.crypto.key_sharing import RoomReaders
from bot.matrix.crypto.megolm import Rotation
from bot.matrix.model import Event, KeyUpdates, ToDeviceEvent
from bot.matrix.room_rights import MatrixRoomRights
from bot.matrix.session import Session
from bot.matrix.session_memory import DatabaseSession
from bot.ops.summary import room_queries
from bot.room_registry import Rooms
from bot.run import _rules
from patchwork_mutations import MutatingTransport
from small_homeserver import DEVICE, HeldRoom, Sent, SmallHomeserver, served
from support.crypto_rig import Device
from support.new_database import put_new_database
from support.rig import PROJECT, a_series

BOT, ANN, FRIEND = UserId("@bot:hs.test"), UserId("@ann:hs.test"), UserId("@friend:hs.test")
PLAIN, SEALED = RoomId("!plain:hs.test"), RoomId("!sealed:hs.test")
PATIENCE_SECONDS = 120.0  # promise 6 of the design
STEP_SECONDS = 30.0
APART_SECONDS = 60.0  # between two inputs, so that each poll has little to read
HANG_SECONDS = 60.0  # of the machine's time
_LOOK_SECONDS = 0.25  # of the machine's time, without a request of the session: then it waits for its clock
_EVERYTHING = "on:new,revision,state,check,comment"
_MOST_COMMANDS = 10_000  # a minute
_numbers = itertools.count(1)


@dataclass
class Journal:
    """What the bot logged of faults of its own, each as its kind and place."""

    faults: list[str] = field(default_factory=list)

    def __call__(self, _: object, __: str, event: MutableMapping[str, Any]) -> str:
        """Take a line of the log, and show it nobody."""
        told = event.get("exc_info")
        error = told if isinstance(told, BaseException) else sys.exc_info()[1] if told else None
        if error is not None:
            self.faults.append(place_of(error))
        raise structlog.DropEvent

    @contextmanager
    def open(self) -> Iterator[None]:
        """Read the log from here on."""
        structlog.configure(processors=[self])
        try:
            yield
        finally:
            structlog.reset_defaults()


@dataclass
class Check:
    """What is wanted after an input: the answers to these *events*, the cards of these *series*, by name."""

    events: list[EventId] = field(default_factory=list)
    sealed: list[EventId] = field(default_factory=list)
    series: list[str] = field(default_factory=list)


@dataclass
class World:
    """A bot, its homeserver, its Patchwork, and somebody who encrypts."""

    folder: Path
    bot: Bot
    session: Session
    client: MatrixClient
    clock: VirtualClock
    homeserver: SmallHomeserver
    transport: MutatingTransport
    friend: Device
    journal: Journal
    ended: list[str] = field(default_factory=list)  # loops, and where

    # What happens

    def push(
        self, *, joined: dict[RoomId, Any] | None = None, to_device: list[Any] | None = None, **more: object
    ) -> None:
        """Have a sync tell of it."""
        answer: dict[str, object] = {
            "next_batch": self.homeserver.next_batch(self.homeserver.pushed),
            **self.homeserver.key_counts(),
            "rooms": {"join": {room: {"timeline": {"events": events}} for room, events in (joined or {}).items()}},
            "to_device": {"events": to_device or []},
        }
        self.homeserver.push(answer | more)

    def ask(self, check: Check, command: str = "version") -> dict[str, object]:
        """A command as an event, by somebody new, whose answer is wanted."""
        sender = f"@guest{next(_numbers)}:hs.test"
        content = {"msgtype": "m.text", "body": f"!pw {command}"}
        event = self.homeserver.event(PLAIN, "m.room.message", content, sender=sender)
        check.events.append(EventId(str(event["event_id"])))
        return event

    def ask_sealed(self, check: Check) -> tuple[list[Any], dict[str, object]]:
        """An ordinary encrypted command, with the messages that bring its key."""
        machine = self.friend.machine
        shares = machine.lacking(SEALED, RoomReaders((BOT,), Rotation()))
        parcels = [machine.parcel(SEALED, shares, devices) for devices in shares.portions()]
        keys = [
            {"type": "m.room.encrypted", "sender": FRIEND, "content": parcel.messages[BOT][DeviceId(DEVICE)]}
            for parcel in parcels
        ]
        for parcel in parcels:
            machine.arrived(SEALED, parcel)
        content = machine.encrypt(SEALED, "m.room.message", {"msgtype": "m.text", "body": "!pw version"})
        event = self.homeserver.event(SEALED, "m.room.encrypted", content, sender=FRIEND)
        check.sealed.append(EventId(str(event["event_id"])))
        return keys, event

    def post(self, check: Check) -> None:
        """An ordinary series, whose card is wanted."""
        name = f"Ordinary {next(_numbers)}."
        self.transport.patchwork.post_series(PROJECT, a_series("migration/ram.c", name=name))
        check.series.append(name)

    def follow_up(self, check: Check, *, sealed: bool) -> None:
        """Ordinary things right behind an input."""
        joined: dict[RoomId, Any] = {PLAIN: [self.ask(check)]}
        keys: list[Any] = []
        if sealed:
            keys, event = self.ask_sealed(check)
            joined[SEALED] = [event]
        self.push(joined=joined, to_device=keys)
        self.post(check)

    # Whether it works

    async def failures(self, check: Check) -> list[str]:
        """What went wrong until all that the *check* wants was there; after two minutes it is missing."""
        self.clock.advance(APART_SECONDS)
        loops, deadline = _loop_failures(), self.clock.monotonic() + PATIENCE_SECONDS
        while True:
            if not await self._quiet():
                return [f"hangs: {self._where_it_hangs()}"]
            await self.turn()
            missing = self._missing(check)
            if not missing or self.clock.monotonic() >= deadline:
                break
            self.clock.advance(STEP_SECONDS)
        failed = [f"{name} ended" for name in sorted(_loop_failures() - loops)]
        found = [*missing, *(f"loop ended: {each}" for each in self.ended), *failed, *self.journal.faults]
        reasons = [f"session: {self.session.outages()}"] if missing and self.session.outages() else []
        reasons += [f"poll: {watch.health.reason}" for watch, _ in self.bot.watches if watch.health.failing_since]
        self.ended.clear()
        self.journal.faults.clear()
        self.homeserver.sent.clear()
        return [*dict.fromkeys(found), *reasons] if found else []

    def _missing(self, check: Check) -> list[str]:
        sent = [sent for sent in self.homeserver.sent if sent.room == PLAIN]
        keys = {_tag(each).get("key", "") for each in sent}
        bodies = [str(each.content.get("body")) for each in sent]
        missing = [] if keys.issuperset(f"answer/{event}/{PLAIN}" for event in check.events) else ["no answer"]
        missing += [] if all(any(name in body for body in bodies) for name in check.series) else ["no card"]
        if check.sealed:
            missing += self._missing_sealed(check)
        if not self.homeserver.listening.is_set():
            missing.append("sync stuck")
        return missing

    def _missing_sealed(self, check: Check) -> list[str]:
        """As the friend reads it."""
        told = [content for user, _, content in self.homeserver.to_device if user == FRIEND]
        self.homeserver.to_device.clear()
        events = tuple(ToDeviceEvent(BOT, "m.room.encrypted", content) for content in told)
        self.friend.machine.feed(KeyUpdates(to_device=events), is_new=False)
        sent = [sent for sent in self.homeserver.sent if sent.room == SEALED and sent.type == "m.room.encrypted"]
        sealed = [Event(each.event, BOT, each.type, each.content, self.clock.now()) for each in sent]
        read = self.friend.machine.read({SEALED: sealed}, [SEALED], None).timelines[SEALED]
        keys = {dict(event.content.get("org.patchbot") or {}).get("key", "") for event in read}  # type: ignore[call-overload]  # a mapping
        is_there = keys.issuperset(f"answer/{event}/{SEALED}" for event in check.sealed)
        return [] if is_there else ["no encrypted answer"]

    async def turn(self) -> None:
        """Do once what is to be done now: poll, duties, answers, sending."""
        for watch, _ in self.bot.watches:
            await self._guarded(f"poll {watch.server}", self._poll_all)
        for duty in self.bot.duties.all:
            await self._guarded(duty.name, duty.run)
        await self._guarded("commands", self.bot.answerer.answer_all)
        await self._guarded("delivery", self._deliver)

    async def _poll_all(self) -> None:
        await self.bot._catch_up()
        for watch, _ in self.bot.watches:
            while await watch.tick():
                pass

    async def _deliver(self) -> None:
        while (await self.bot.sender.deliver()).tried:
            pass

    async def _guarded(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """As the loops and the schedule do it: a fault ends the step, and is counted."""
        try:
            await step()
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
            self.ended.append(f"{name}: {place_of(error)}")

    async def listen(self) -> None:
        """Be the session, and begin anew where it ends."""
        while True:
            try:
                await self.session.run()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
                self.ended.append(f"session: {place_of(error)}")
                await asyncio.sleep(0)  # a loop that fails at once lets others run

    async def _quiet(self) -> bool:
        """Return when the session took all there is, or waits for its clock; False where it does neither."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HANG_SECONDS):
                while True:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.homeserver.listening.wait(), _LOOK_SECONDS)
                        return True
                    if not self.homeserver.open_syncs and (self.clock._sleepers or len(self.ended) > 2):
                        return True
        return False

    def _where_it_hangs(self) -> str:
        frames = [frame for frame in sys._current_frames().values() if "bot/" in frame.f_code.co_filename]
        return "; ".join(f"{frame.f_code.co_filename}:{frame.f_lineno}" for frame in frames[:3])


def place_of(error: BaseException) -> str:
    """The kind of an error, and the last place of the bot's own code on its way."""
    if isinstance(error, BaseExceptionGroup):
        return place_of(error.exceptions[0])
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{Path('bot')}/" in frame.filename and "site-packages" not in frame.filename]
    last = ours[-1] if ours else None
    where = f" at bot/{last.filename.rpartition('/bot/')[2]}:{last.lineno}" if last else ""
    return f"{type(error).__name__}{where} ({' '.join(str(error)[:100].split())})"


@asynccontextmanager
async def a_world(folder: Path, database: str = "") -> AsyncIterator[World]:
    """A bot that has begun to watch and to listen."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    clock, journal = VirtualClock(), Journal()
    homeserver = SmallHomeserver(BOT, clock)
    homeserver.rooms = {PLAIN: HeldRoom([ANN, BOT]), SEALED: HeldRoom([FRIEND, BOT], encrypted=True)}
    transport = MutatingTransport.empty(clock)
    friend = Device(folder / "friend", FRIEND, clock=clock)
    homeserver.devices[FRIEND] = {friend.id: dict(friend.machine.own.device_keys())}
    homeserver.one_time_keys[FRIEND, friend.id] = friend.uploaded
    async with AsyncExitStack() as stack:
        settings = _settings(folder, await stack.enter_async_context(served(homeserver)), database)
        room_rights = MatrixRoomRights(())
        rooms = Rooms(room_queries(settings), room_rights)
        stack.enter_context(journal.open())
        client = await stack.enter_async_context(MatrixClient(settings, clock))
        bot = await stack.enter_async_context(
            assembled(settings, client, clock, rooms, RunConditions({"sample": transport}))
        )
        memory = DatabaseSession(bot.store, BOT, rooms.apply, rooms.listeners.doubt)
        session = Session(client, memory, clock, _rules(settings))
        bot.overview.presence = session
        room_rights.open(client, session)
        world = World(folder, bot, session, client, clock, homeserver, transport, friend, journal)
        await session.log_in()
        task = asyncio.create_task(world.listen())
        try:
            await _begun(world)
            yield world
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _begun(world: World) -> None:
    """Let everybody know each other, and one ordinary round pass."""
    await world._quiet()
    await world.turn()
    machine, homeserver = world.friend.machine, world.homeserver
    machine.learn_devices({"device_keys": {BOT: homeserver.devices[BOT]}}, machine.to_query([BOT]))
    wanted = machine.to_claim([BOT])
    machine.begin({"one_time_keys": {BOT: {DEVICE: homeserver.claimed(BOT, DEVICE)}}}, wanted)
    check = Check()
    world.follow_up(check, sealed=True)
    failures = await world.failures(check)
    assert not failures, f"the bot does not work before anything was mutated: {failures}"


def _settings(folder: Path, url: str, database: str) -> Settings:
    if not database:
        put_new_database(folder / "bot.db")
    return Settings(
        matrix=MatrixSettings.model_validate(
            {
                "homeserver": url,
                "user_id": BOT,
                "password": "secret",
                "messages_per_second": 1000,
                "message_burst": 10_000,
            }
        ),
        commands=CommandSettings(per_user_per_minute=_MOST_COMMANDS, per_room_per_minute=_MOST_COMMANDS),
        store=StoreSettings.model_validate({"url": database or f"sqlite:///{folder / 'bot.db'}", "data_dir": folder}),
        patchwork=(
            PatchworkSettings(
                name="sample",
                url="https://patchwork.example.org",
                projects=(ProjectSettings(name=PROJECT),),
                poll_interval_seconds=STEP_SECONDS,
            ),
        ),
        room=(RoomSettings(room=PLAIN, subscribe=("path:migration/", f"path:migration/ {_EVERYTHING}"), flood=0),),
    )


def _loop_failures() -> set[tuple[str, float]]:
    samples = (sample for metric in metrics.LOOP_FAILURES.collect() for sample in metric.samples)
    return {
        (sample.labels["loop"], sample.value) for sample in samples if sample.name.endswith("_total") and sample.value
    }


def _tag(sent: Sent) -> dict[str, str]:
    tag: dict[str, str] = sent.content.get("org.patchbot", {})
    return tag
