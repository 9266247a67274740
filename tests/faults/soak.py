"""The soak: the bot is killed again and again while things happen, and then each room is held against the story.

`make soak KILLS=200 DATABASE=postgres SEED=1 MINUTES=30`; without DATABASE on SQLite, then on PostgreSQL.
"""

import asyncio
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nio
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bot.ids import RoomId
from invitations import Invitations, joined_rooms
from story import FLOODED, Story
from support import postgres_server
from support.friend import Friend, befriended
from support.homeserver import Homeserver
from support.matrix_rig import Account
from support.person import Person
from support.postgres_server import PostgresServer
from support.run_rig import Process, Stage, a_stage
from verdict import Verdict, Wanted, judge, read

YOUNG_SECONDS = (0.3, 4.0)  # from a start to the kill
GROWN_SECONDS = (0.0, 2.0)  # from the first poll to the kill
GROWN = 0.7  # of all lives
GROWING_SECONDS = 60  # at most, till the first poll
EACH_LIFE = (2, 8)  # things that happen in it
BETWEEN_SECONDS = (0.0, 0.8)  # from one happening to the next
AWAY_SECONDS = (0.5, 4.0)  # of a homeserver
OUTAGES = 0.1  # of all lives, and of either kind
SETTLE_SECONDS = 240
MINUTES = 60.0  # of killing at most; a busy machine gets fewer kills, and says how many
LOOKS = 3  # of a friend's device, for the keys that come with each
FLOOD_SECONDS = 90  # floods may come so long, then none for as long: one that goes on lists no more than it may
CALM_SECONDS = 4  # some polls, in which nothing more may come
ROOMS = (
    Wanted("cards", ("migration",)),
    Wanted("cards and changes", ("net",), hears=True),
    Wanted("encrypted", ("docs", "migration"), hears=True, encrypted=True),
    Wanted("floods", (FLOODED,), accepted=True, flood=10),
)
INVITING = 0.15  # of all that happens
_KNOWN = "SELECT object FROM card UNION SELECT object FROM flood_entry"
_MARKS = {
    "card": ("edited_at", "urgent_since", "counts_since", "counts_last", "due_at"),
    "queued_change": ("seen_at",),
    "flood": ("opened", "last"),
}


@dataclass
class Plan:
    """How long it goes on: so many *kills*, at moments that follow from *seed*, in so many *minutes* at most."""

    kills: int
    seed: int = 20
    minutes: float = MINUTES


@dataclass
class Done:
    """What was done to the bot, and how each room stood in the end."""

    kills: int = 0
    homeserver_restarts: int = 0
    database_kills: int = 0
    ended_by_itself: int = 0
    series: int = 0
    floods: int = 0
    seconds: float = 0
    rooms: dict[str, Verdict] = field(default_factory=dict)

    @property
    def faults(self) -> list[str]:
        """All that is wrong in any room."""
        return [f"{name}: {fault}" for name, verdict in self.rooms.items() for fault in verdict.faults]


@dataclass
class Soak:
    """A bot, what happens around it, and to it."""

    plan: Plan
    stage: Stage
    homeserver: Homeserver
    postgres: PostgresServer | None
    friend: Friend
    stranger: Person
    tell: Callable[[int], None] = lambda _: None

    def __post_init__(self) -> None:
        """Roll the dice for the moments; the story has its own."""
        self.dice = random.Random(self.plan.seed)  # noqa: S311  # the same moments in each run
        self.story = Story(self.stage.patchwork, random.Random(self.plan.seed + 1))  # noqa: S311  # the same
        self.pauses = random.Random(self.plan.seed + 2)  # noqa: S311  # the same
        guests = random.Random(self.plan.seed + 3)  # noqa: S311  # the same
        self.invitations = Invitations(self.friend.person, self.stranger, self.stage.me, guests)
        self.coming = asyncio.Semaphore(0)  # what is still to happen in this life
        self.done = Done()
        self.rooms: dict[RoomId, Wanted] = {}

    async def run(self) -> Done:
        """Kill, restart, settle, and judge."""
        began = time.monotonic()
        for wanted in ROOMS:
            room = await self.friend.person.create_room(self.stage.me, encrypted=wanted.encrypted)
            self.rooms[room] = wanted
            self.stage.rooms[room] = wanted.queries
            self.stage.floods[room] = wanted.flood
        self.stage.invite_from = (self.friend.user,)
        await self._begin()
        self.story.begin()
        happening = asyncio.create_task(self._go_on())
        try:
            while self.done.kills < self.plan.kills and time.monotonic() - began < 60 * self.plan.minutes:
                await self._live()
                self.tell(self.done.kills)
            while not self.coming.locked():  # noqa: ASYNC110  # short lives leave some of what was to happen in them
                await asyncio.sleep(0.05)
        finally:
            happening.cancel()
            with suppress(asyncio.CancelledError):
                await happening
        await self._settle()
        self.done.series, self.done.floods = len(self.story.works), self.story.floods
        self.done.seconds = time.monotonic() - began
        return self.done

    async def _begin(self) -> None:
        """Let the bot take its baseline and join the rooms, however busy the machine is."""
        bot = await self.stage.start()
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while not (self.stage.has("server") and self.stage.knows_rooms()):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(0.1)  # between two looks
        finally:
            await bot.end()

    async def _live(self) -> None:
        """One life of the bot, perhaps with an outage in it."""
        outage = self._outage()
        for _ in range(self.dice.randint(*EACH_LIFE)):
            self.coming.release()
        try:
            bot = await self.stage.start()
            await self._until_its_time(bot)
            if bot.process.returncode is None:
                await bot.kill()
                self.done.kills += 1
            else:
                self._must_have_had_a_reason(bot, outage)
                self.done.ended_by_itself += 1
        finally:
            if outage is not None:
                await outage

    async def _until_its_time(self, bot: Process) -> None:
        """Any moment after its start, or, for a life in which something is done, after its first poll."""
        is_grown = self.dice.random() < GROWN
        seconds = self.dice.uniform(*(GROWN_SECONDS if is_grown else YOUNG_SECONDS))
        with suppress(TimeoutError):
            async with asyncio.timeout(GROWING_SECONDS):
                polled = self._last_poll()
                while is_grown and self._is_alive(bot) and self._last_poll() == polled:  # noqa: ASYNC110  # another process
                    await asyncio.sleep(0.05)  # between two looks
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await bot.process.wait()

    def _is_alive(self, bot: Process) -> bool:
        return bot.process.returncode is None

    def _last_poll(self) -> object:
        return [row for row in self.stage.rows("SELECT polled_at FROM server") if row]

    def _outage(self) -> "asyncio.Task[None] | None":
        chance, seconds = self.dice.random(), self.dice.uniform(*AWAY_SECONDS)
        if chance < OUTAGES:
            self.done.homeserver_restarts += 1
            return asyncio.create_task(self._restart(self.homeserver.stop, self.homeserver.start, seconds))
        if chance < 2 * OUTAGES and self.postgres is not None:
            self.done.database_kills += 1
            return asyncio.create_task(self._restart(self.postgres.kill, self.postgres.start, seconds / 4))
        return None

    async def _restart(self, stop: Callable[[], None], start: Callable[[], None], seconds: float) -> None:
        await asyncio.sleep(self.dice.uniform(*YOUNG_SECONDS) / 2)  # somewhere in the bot's life
        try:
            await asyncio.to_thread(stop)
            await asyncio.sleep(seconds)  # it is away
        finally:
            await asyncio.to_thread(start)

    def _must_have_had_a_reason(self, bot: Process, outage: object) -> None:
        """A bot ends by itself only where it cannot begin, for its database is away."""
        if outage is None or self.postgres is None or "the database" not in bot.said():
            raise AssertionError(f"the bot ended by itself:\n{bot.said()[-4000:]}")

    async def _go_on(self) -> None:
        """Let things happen until cancelled."""
        began = time.monotonic()
        while True:
            await self.coming.acquire()
            if self.invitations.dice.random() < INVITING:
                await self.invitations.happen()
            else:
                may_flood = (time.monotonic() - began) % (2 * FLOOD_SECONDS) < FLOOD_SECONDS
                self.story.happen({row[0] for row in self.stage.rows(_KNOWN)}, may_flood=may_flood)
            await asyncio.sleep(self.pauses.uniform(*BETWEEN_SECONDS))  # so often things happen

    async def _settle(self) -> None:
        """Let the bot say what is left, an hour a moment, then stop it and judge."""
        deadline = time.monotonic() + SETTLE_SECONDS + 2 * self.done.kills
        bot = await self.stage.start()
        try:
            while time.monotonic() < deadline and (is_busy(self.stage) or await self._faults()):
                let_an_hour_pass(self.stage, is_postgres=self.postgres is not None)
                await asyncio.sleep(1)  # between two looks
            await asyncio.sleep(CALM_SECONDS)  # what comes now is too much
            assert await bot.stop() == 0, bot.said()
        finally:
            await bot.end()
        await self._faults()

    async def _faults(self) -> list[str]:
        for room, wanted in self.rooms.items():
            timeline = read(await decrypted_timeline(self.friend, room), self.stage.me)
            self.done.rooms[wanted.name] = judge(wanted, self.story.works, timeline)
        joined = await joined_rooms(self.homeserver, self.stage.folder)
        self.done.rooms["invitations"] = await self.invitations.judge(joined)
        return self.done.faults


async def decrypted_timeline(friend: Friend, room: RoomId) -> list[dict[str, Any]]:
    """All events of a room, read as a friend's device reads them; what it cannot read stays as it is."""
    for _ in range(LOOKS):
        await friend.look()
    return [_decrypted(friend, room, event) for event in await friend.person.timeline(room)]


def _decrypted(friend: Friend, room: RoomId, event: dict[str, Any]) -> dict[str, Any]:
    if event["type"] != "m.room.encrypted" or "ciphertext" not in event["content"]:
        return event
    sealed = nio.Event.parse_encrypted_event({**event, "room_id": room})
    try:
        opened = friend.client.decrypt_event(sealed).source
    except nio.EncryptionError:
        return event
    outside = {name: each for name, each in event["content"].items() if name == "m.relates_to"}
    return {**event, "type": opened["type"], "content": opened["content"] | outside}


def is_busy(stage: Stage) -> bool:
    """Whether the bot has something to say, or waits to."""
    waits = (
        "notice WHERE state NOT IN ('done', 'dead', 'suspended')",
        "queued_change",
        "card WHERE due_at IS NOT NULL",
    )
    return any(stage.has(rows) for rows in (*waits, "flood"))


def let_an_hour_pass(stage: Stage, *, is_postgres: bool) -> None:
    """What waits to be shown or told has waited an hour longer."""
    if is_postgres:
        for table, columns in _MARKS.items():
            sets = ", ".join(f"{column} = {column} - interval '1 hour'" for column in columns)
            lock = f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"  # or the bot may wait for us, and we for it
            database = stage.watched_database or stage.database
            postgres_server.rows(database, f"{lock}; UPDATE {table} SET {sets}")  # noqa: S608  # our own
        return
    with closing(sqlite3.connect(stage.folder / "bot.db", timeout=30)) as connection, connection:
        for table, columns in _MARKS.items():
            sets = ", ".join(f"{column} = datetime({column}, '-1 hour')" for column in columns)
            connection.execute(f"UPDATE {table} SET {sets}")  # noqa: S608  # our own


@asynccontextmanager
async def a_soak(
    plan: Plan, homeserver: Homeserver, folder: Path, postgres: PostgresServer | None
) -> AsyncIterator[Soak]:
    """A soak over *homeserver*, on PostgreSQL where there is a server, else on SQLite."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(a_stage(Account(homeserver, folder)))
        if postgres is not None:
            stage.database = stack.enter_context(postgres.database())
        person = await stack.enter_async_context(Person(homeserver))
        friend = await stack.enter_async_context(befriended(person, folder / "friend", homeserver.url))
        stranger = await stack.enter_async_context(Person(homeserver))
        yield Soak(plan, stage, homeserver, postgres, friend, stranger)


async def _soak_on(database: str, plan: Plan, progress: Progress) -> Done:
    with tempfile.TemporaryDirectory(prefix="patchbot-soak-") as name:
        folder = Path(name)
        (folder / "synapse").mkdir()
        homeserver = await asyncio.to_thread(Homeserver.install, folder / "synapse")
        postgres = PostgresServer() if database == "postgres" else None
        try:
            await asyncio.to_thread(homeserver.start)
            if postgres is not None:
                await asyncio.to_thread(postgres.start)
            task = progress.add_task(f"kills on {database}", total=plan.kills)
            async with a_soak(plan, homeserver, folder / "bot", postgres) as soak:
                soak.tell = lambda number: progress.update(task, completed=number)
                async with asyncio.timeout(4 * SETTLE_SECONDS + 120 * plan.minutes):
                    return await soak.run()
        finally:
            homeserver.close()
            if postgres is not None:
                postgres.remove()


def table_of(results: dict[str, Done]) -> Table:
    """The numbers."""
    titles = ("on", "room", "cards", "in lists", "told below", "lost", "twice", "unasked", "out of order", "untrue")
    table = Table(*titles, box=SIMPLE)
    for database, done in results.items():
        for name, verdict in done.rooms.items():
            kinds = (verdict.lost, verdict.twice, verdict.unasked, verdict.disordered, verdict.untrue)
            counts = [verdict.cards, verdict.listed, verdict.things, *map(len, kinds)]
            table.add_row(database, name, *map(str, counts))
    return table


def main(databases: Sequence[str]) -> int:
    """Soak on each of the *databases*; 1 where anything is wrong."""
    told = os.environ
    minutes = float(told.get("MINUTES") or MINUTES)
    plan = Plan(int(told.get("KILLS") or 200), int(told.get("SEED") or 20), minutes)
    console, results = Console(), dict[str, Done]()
    with Progress(console=console) as progress:
        for database in databases:
            results[database] = asyncio.run(_soak_on(database, plan, progress))
    console.print(table_of(results))
    for database, done in results.items():
        console.print(
            f"{database}: {done.kills} kills, {done.homeserver_restarts} restarts of the homeserver, "
            f"{done.database_kills} kills of the database, {done.ended_by_itself} starts refused meanwhile, "
            f"{done.series} series, {done.floods} floods, {done.seconds:.0f} s"
        )
        for fault in done.faults:
            console.print(fault, style="red", markup=False)
    return int(any(done.faults for done in results.values()))


if __name__ == "__main__":
    chosen = os.environ.get("DATABASE")
    sys.exit(main([chosen] if chosen else ["sqlite", "postgres"]))
