"""How what the bot does grows with what happens: hours of a list at 1, 3 and 10 times its size.

Every number of patches is a few virtual hours through the whole bot, with a real database and a chat in memory. What is
counted are statements and the CPU of this process, which has the sample server and SQLite in it, but not PostgreSQL.
"""

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bench.patterns import a_patch, a_tree
from bench.table import Row, progress
from bot.app import RunConditions, assembled, known_rooms
from bot.clock import VirtualClock
from bot.config import MatrixSettings, PatchworkSettings, ProjectSettings, RoomSettings, Settings, StoreSettings
from bot.delivery.chat import MemoryChat
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from bot.sample_patchwork.server import SampleTransport
from support.postgres_server import PostgresServer

SEED = 26
TIMES = (1, 3, 10)
POLLS = 40
SERIES_A_POLL = 1
PATCHES_A_SERIES = 3
CHECKS_A_PATCH = 20
ROOMS = 100
SUBSCRIPTIONS = 50
PROJECT = "list"


@dataclass(slots=True)
class Cost:
    """What some patches cost, and what is kept of them: seconds of CPU, counts, bytes."""

    patches: int
    seconds: float
    requests: int
    statements: int
    messages: int
    first_half: float  # CPU of the first half of the polls, in seconds
    database: int  # 0: not known
    delivered: int  # the texts of notices that are delivered


def rows() -> Iterator[Row]:
    """A patch's cost at each size, and how it grows."""
    yield from _rows("")
    server = PostgresServer()
    server.start()
    try:
        with server.database() as url:
            yield from _rows(url)
    finally:
        server.remove()


def _rows(url: str) -> Iterator[Row]:
    costs: dict[int, Cost] = {}
    for times in TIMES if not url else TIMES[:1]:
        progress(f"  {times} × in {'PostgreSQL' if url else 'SQLite'}")
        cost = costs[times] = asyncio.run(_lived(times, url))
        kind = ", PostgreSQL" if url else ""
        what = f"{cost.patches:,} patches, {ROOMS} rooms × {SUBSCRIPTIONS}{kind}"
        yield Row(what, "a patch", 1000 * cost.seconds / cost.patches, " ms of CPU")
        yield Row(what, "a patch", cost.statements / cost.patches, " statements")
        yield Row(what, "a patch", cost.requests / cost.patches, " requests", at_most=1.5)
        yield Row(what, "a patch", cost.messages / cost.patches, " messages")
        later = cost.seconds - cost.first_half
        yield Row(what, "second half against first", later / cost.first_half, " × the CPU", at_most=1.2)
        if cost.database:
            yield Row(what, "a patch", cost.database / 1000 / cost.patches, " kB of database")
            yield Row(what, "the database", 100 * cost.delivered / cost.database, " % texts delivered", at_most=5)
    for times in tuple(costs)[1:]:
        what, against = f"a patch at {times} ×", f"at {TIMES[0]} ×"
        growth = costs[times].seconds / costs[times].patches / (costs[1].seconds / costs[1].patches)
        yield Row(what, against, growth, " × the CPU", at_most=1.2)


async def _lived(times: int, url: str) -> Cost:
    rng = random.Random(SEED)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    clock = VirtualClock()
    server = SamplePatchwork(clock)
    server.add_project(PROJECT)
    chat, statements, halves = MemoryChat(clock), [0], [0.0, 0.0]
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "bot.db"
        settings = _settings(rng, Path(folder), url or f"sqlite:///{database}")
        transport = SampleTransport(server)
        async with assembled(settings, chat, clock, known_rooms(settings), RunConditions({"sample": transport})) as bot:
            engine = bot.store._engine.sync_engine  # noqa: SLF001 -- nobody else sees all statements
            sa.event.listen(engine, "before_cursor_execute", lambda *_: statements.__setitem__(0, statements[0] + 1))
            await bot.settle()
            statements[0], before = 0, len(server.requests)
            for poll in range(POLLS):
                _post(rng, server, files, SERIES_A_POLL * times)
                clock.advance(60)
                begin = time.process_time()
                await bot.settle()
                halves[2 * poll // POLLS] += time.process_time() - begin
            requests = len(server.requests) - before
        size, delivered = (0, 0) if url else _sizes(database)
        patches = POLLS * SERIES_A_POLL * times * PATCHES_A_SERIES
        return Cost(patches, sum(halves), requests, statements[0], len(chat.posted), halves[0], size, delivered)


def _sizes(database: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT coalesce(sum(length(message)), 0) FROM notice WHERE state = 'done'"
        return database.stat().st_size, int(connection.execute(query).fetchone()[0])


def _post(rng: random.Random, server: SamplePatchwork, files: list[str], count: int) -> None:
    """So many series, each patch with its checks."""
    for _ in range(count):
        patches = tuple(
            NewPatch(f"Step {number}", sample_diff(*a_patch(rng, files))) for number in range(PATCHES_A_SERIES)
        )
        posted = server.post_series(PROJECT, NewSeries(name=f"Work {rng.randrange(10**6)}", patches=patches))
        for patch in posted.patches:
            for context in range(CHECKS_A_PATCH):
                server.add_check(patch, NewCheck("success", f"build/{context}"))


def _settings(rng: random.Random, folder: Path, url: str) -> Settings:
    files = a_tree(rng)
    queries = [
        tuple(f"path:{rng.choice(files).rpartition('/')[0]}/" for _ in range(SUBSCRIPTIONS)) for _ in range(ROOMS)
    ]
    return Settings(
        matrix=MatrixSettings(
            homeserver="https://hs.example.org", user_id="@bot:hs", messages_per_second=1000, message_burst=1000
        ),
        store=StoreSettings(url=url, data_dir=folder),
        patchwork=(
            PatchworkSettings(
                name="sample", url="https://patchwork.example.org", projects=(ProjectSettings(name=PROJECT),)
            ),
        ),
        room=tuple(
            RoomSettings(room=f"!room{number}:hs", subscribe=tuple(dict.fromkeys(each)), flood=0)
            for number, each in enumerate(queries)
        ),
    )
