"""The memory of a bot in a thousand rooms of a real homeserver, each with twenty members and ten path subscriptions.

It takes minutes: the homeserver has to let everybody into every room.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack

from bench.patterns import a_pattern, a_tree
from bench.table import Row, progress
from bench.whole import a_homeserver, memory
from bot.ids import RoomId
from support.matrix_rig import Account
from support.person import Person
from support.run_rig import Process, Stage, a_stage

ROOMS = 1_000
MEMBERS = 20  # and the bot
SUBSCRIPTIONS = 10  # in each room
AT_ONCE = 20
START_SECONDS = 1_200.0


def rows() -> Iterator[Row]:
    """Memory, after the first start and after another."""
    yield from asyncio.run(_rows())


async def _rows() -> list[Row]:
    rng = random.Random(13)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    found: list[Row] = []
    async with AsyncExitStack() as stack:
        homeserver, folder = await stack.enter_async_context(a_homeserver())
        people = [await stack.enter_async_context(Person(homeserver)) for _ in range(MEMBERS)]
        stage = await stack.enter_async_context(a_stage(Account(homeserver, folder / "bot")))
        progress(f"  {ROOMS:,} rooms of {MEMBERS} people")
        for room in await _make_rooms(people, stage):
            stage.rooms[room] = tuple(f"path:{a_pattern(rng, files)}" for _ in range(SUBSCRIPTIONS))
        what = f"memory in {ROOMS:,} rooms of {MEMBERS + 1}"
        for start in (what, f"{what}, started again"):
            progress(f"  {start}")
            bot = await _start(stage)
            try:
                found += memory(start, bot)
            finally:
                await bot.stop()
    return found


async def _make_rooms(people: list[Person], stage: Stage) -> list[RoomId]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def make() -> RoomId:
        async with turns:
            first, *others = people
            room = await first.create_room(stage.me, public=True)
            for each in others:
                await each.join(room)
            return room

    return await asyncio.gather(*(make() for _ in range(ROOMS)))


async def _start(stage: Stage) -> Process:
    """A bot that polled, knows all its rooms, and has nothing more to say."""
    bot = await stage.start()
    async with asyncio.timeout(START_SECONDS):
        while not _is_settled(stage, bot):  # noqa: ASYNC110 -- another process changes what is looked at
            await asyncio.sleep(1)
    return bot


def _is_settled(stage: Stage, bot: Process) -> bool:
    is_there = stage.has("server") and stage.knows_rooms() and not stage.has("notice WHERE state != 'done'")
    return is_there and "server.api_version" in bot.said()
