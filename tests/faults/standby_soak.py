"""The soak of two instances: the active one ends or is cut off again and again, and the other one takes over.

`make soak-standby TAKEOVERS=100 SEED=1 MINUTES=90`. Each room is held against the story in the end, as in `soak`.
"""

import asyncio
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bot.ids import RoomId
from soak import CALM_SECONDS, ROOMS, SETTLE_SECONDS, Done, decrypted_timeline, is_busy, let_an_hour_pass, table_of
from story import Story
from support.friend import Friend, befriended
from support.homeserver import Homeserver
from support.matrix_rig import Account
from support.person import Person
from support.postgres_server import PostgresServer
from support.run_rig import a_stage
from support.standby_rig import LONGEST_SECONDS, Pair, Seat, a_pair
from verdict import judge, read

MINUTES = 90.0
BETWEEN_SECONDS = (0.0, 0.8)  # from one happening to the next
EACH_LIFE = (2, 6)  # things that happen before the end of an active instance
QUIET_SECONDS = (0.0, 3.0)  # from the last of them to that end
AWAY_SECONDS = (0.0, 8.0)  # from a take-over until the former instance is back, frozen ones and those cut off
QUESTION = "!pw version"
ENDS = ("no network", "killed", "frozen", "no database", "stopped")
"""How an active instance ends: the process, or its connections to the database, or to everything."""


@dataclass
class Plan:
    """So many *takeovers*, at moments that follow from *seed*, in so many *minutes* at most."""

    takeovers: int
    seed: int = 20
    minutes: float = MINUTES


@dataclass
class StandbySoak:
    """Two instances, what happens around them, and to them."""

    plan: Plan
    pair: Pair
    homeserver: Homeserver
    friend: Friend
    tell: Callable[[int], None] = lambda _: None
    seconds: dict[str, list[float]] = field(default_factory=dict)  # from an end to the take-over, by its kind
    questions: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Roll the dice."""
        self.dice = random.Random(self.plan.seed)  # noqa: S311  # the same moments in each run
        self.stage = self.pair.seats[0].stage
        self.story = Story(self.stage.patchwork, random.Random(self.plan.seed + 1))  # noqa: S311  # the same
        self.done = Done()
        self.rooms: dict[RoomId, str] = {}
        self.wanted = {wanted.name: wanted for wanted in ROOMS if wanted.name != "floods"}

    async def run(self) -> Done:
        """Let one take over from the other again and again, settle, and judge."""
        began = time.monotonic()
        await self._begin()
        active, other = self.pair.seats
        takeovers = 0
        while takeovers < self.plan.takeovers and time.monotonic() - began < 60 * self.plan.minutes:
            await self._live()
            how = ENDS[takeovers % len(ENDS)]
            self.seconds.setdefault(how, []).append(await self._end(how, active, other))
            active, other = other, active
            takeovers += 1
            self.tell(takeovers)
        self.done.kills = takeovers
        await self._settle(active)
        self.done.series = len(self.story.works)
        self.done.seconds = time.monotonic() - began
        return self.done

    async def _begin(self) -> None:
        for wanted in self.wanted.values():
            room = await self.friend.person.create_room(self.stage.me, encrypted=wanted.encrypted)
            self.rooms[room] = wanted.name
            for seat in self.pair.seats:
                seat.stage.rooms[room] = wanted.queries
                seat.stage.floods[room] = 0
                seat.stage.invite_from = (self.friend.user,)
        await self.pair.start_both()
        await self.pair.seats[1].until_logged("standby.prepared")
        self.story.begin()

    async def _live(self) -> None:
        """Let some things happen, and a question be asked, perhaps just before the end."""
        for _ in range(self.dice.randint(*EACH_LIFE)):
            known = {row[0] for row in self.stage.rows("SELECT object FROM card")}
            self.story.happen(known, may_flood=False)
            await asyncio.sleep(self.dice.uniform(*BETWEEN_SECONDS))  # so often things happen
        await self._ask()
        await self.friend.look()  # its device has keys for so many new ones only, before it makes others
        await asyncio.sleep(self.dice.uniform(*QUIET_SECONDS))  # somewhere in its life

    async def _ask(self) -> None:
        room = self.dice.choice(sorted(room for room, name in self.rooms.items() if name != "encrypted"))
        await self.friend.person.say(room, QUESTION)
        self.questions[room] += 1

    async def _end(self, how: str, active: Seat, other: Seat) -> float:
        """End the active instance, and bring it back after the other one took over; the seconds to the take-over."""
        epochs = self._epoch()
        began = time.monotonic()
        await self._take_away(how, active)
        self.story.happen((), may_flood=False)
        await self._ask()
        while self._epoch() == epochs:
            if time.monotonic() - began > 2 * LONGEST_SECONDS:
                raise AssertionError(f"nobody took over from one that was {how}:\n{other.running.said()[-4000:]}")
            await asyncio.sleep(0.05)  # between two looks
        seconds = time.monotonic() - began
        await asyncio.sleep(self.dice.uniform(*AWAY_SECONDS))  # the other one is at work
        await self._bring_back(how, active)
        return seconds

    def _epoch(self) -> int:
        rows = self.stage.rows("SELECT epoch FROM lease")
        return int(rows[0][0]) if rows else 0

    async def _take_away(self, how: str, seat: Seat) -> None:
        if how == "killed":
            await seat.running.kill()
        elif how == "stopped":
            assert await seat.running.stop() == 0, seat.running.said()[-4000:]
        elif how == "frozen":
            seat.running.process.send_signal(signal.SIGSTOP)
        else:
            seat.to_database.cut()
            if how == "no network":
                seat.to_homeserver.cut()

    async def _bring_back(self, how: str, seat: Seat) -> None:
        """Let the former instance stand by."""
        waited = len(seat.logged("standby.waiting"))
        if how == "frozen":
            seat.running.process.send_signal(signal.SIGCONT)
            assert await seat.running.ended() == signal.SIGALRM, seat.running.said()[-4000:]
        seat.to_database.heal()
        seat.to_homeserver.heal()
        if how in {"killed", "stopped", "frozen"}:
            waited = 0
            await seat.start()
        await seat.until_logged("standby.waiting", waited + 1)

    async def _settle(self, active: Seat) -> None:
        """Let the active instance say what is left, then stop both and judge."""
        deadline = time.monotonic() + SETTLE_SECONDS + 5 * self.done.kills
        while time.monotonic() < deadline and (is_busy(self.stage) or await self._faults()):
            # In a thread: the lock may wait for a bot whose way to the database is a relay of this event loop
            await asyncio.to_thread(let_an_hour_pass, self.stage, is_postgres=True)
            await asyncio.sleep(1)  # between two looks
        await asyncio.sleep(CALM_SECONDS)  # what comes now is too much
        for seat in (active, *self.pair.seats):
            if seat.running.process.returncode is None:
                assert await seat.running.stop() == 0, seat.running.said()[-4000:]
        await self._faults()

    async def _faults(self) -> list[str]:
        for room, name in self.rooms.items():
            events = await decrypted_timeline(self.friend, room)
            timeline = read(events, self.stage.me)
            self.done.rooms[name] = judge(self.wanted[name], self.story.works, timeline)
            answers = sum(shown.kind == "answer" for shown in timeline)
            asked = self.questions[room]
            if answers != asked:
                kind = self.done.rooms[name].lost if answers < asked else self.done.rooms[name].twice
                kind.append(f"{answers} answers to {asked} questions")
        return self.done.faults


@asynccontextmanager
async def a_standby_soak(
    plan: Plan, homeserver: Homeserver, folder: Path, postgres: PostgresServer
) -> AsyncIterator[StandbySoak]:
    """A soak of two instances over *homeserver* and a new database of *postgres*."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(a_stage(Account(homeserver, folder / "first")))
        database = stack.enter_context(postgres.database())
        pair = await stack.enter_async_context(a_pair(stage, postgres, database))
        person = await stack.enter_async_context(Person(homeserver))
        friend = await stack.enter_async_context(befriended(person, folder / "friend", homeserver.url))
        yield StandbySoak(plan, pair, homeserver, friend)


async def _soak(plan: Plan, progress: Progress) -> StandbySoak:
    with tempfile.TemporaryDirectory(prefix="patchbot-standby-") as name:
        folder = Path(name)
        (folder / "synapse").mkdir()
        homeserver = await asyncio.to_thread(Homeserver.install, folder / "synapse")
        postgres = PostgresServer()
        try:
            await asyncio.to_thread(homeserver.start)
            await asyncio.to_thread(postgres.start)
            task = progress.add_task("take-overs", total=plan.takeovers)
            async with a_standby_soak(plan, homeserver, folder / "bots", postgres) as soak:
                soak.tell = lambda number: progress.update(task, completed=number)
                await soak.run()
                return soak
        finally:
            homeserver.close()
            postgres.remove()


def main() -> int:
    """Soak; 1 where anything is wrong."""
    told = os.environ
    minutes = float(told.get("MINUTES") or MINUTES)
    plan = Plan(int(told.get("TAKEOVERS") or 100), int(told.get("SEED") or 20), minutes)
    console = Console()
    with Progress(console=console) as progress, suppress(KeyboardInterrupt):
        soak = asyncio.run(_soak(plan, progress))
    done = soak.done
    console.print(table_of({"postgres": done}))
    for how, seconds in soak.seconds.items():
        console.print(
            f"{how}: {len(seconds)} take-overs, median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s"
        )
    asked = sum(soak.questions.values())
    console.print(f"{done.kills} take-overs, {done.series} series, {asked} questions, {done.seconds:.0f} s")
    for fault in done.faults:
        console.print(fault, style="red", markup=False)
    longest = max(each for seconds in soak.seconds.values() for each in seconds)
    return int(bool(done.faults) or longest > LONGEST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
