"""The bot as it is run: how soon it is there, what it takes, and how soon a room knows.

It is a process of its own between a real homeserver and a sample Patchwork. Beside each figure stands what nothing of
its kind could do without: the imports of the same libraries, the interval of the polls, the same messages sent barely.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import aiohttp

from bench.patterns import a_pattern, a_tree
from bench.table import Row, progress
from bot.ids import RoomId
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.request import Response
from support.homeserver import Homeserver
from support.matrix_rig import PASSWORD, Account
from support.person import Person
from support.rig import PROJECT
from support.run_rig import ROOT, Process, Stage, a_stage

STARTS = 5
SUBSCRIPTIONS = 10_000
ROOMS = 10  # that share them
ARRIVALS = 40
INTERVAL_SECONDS = 1.0
BURST = 200
PLACE = "burst"  # where the series of the bench touch a file, and nobody else's pattern matches
WAIT_SECONDS = 120.0
TICK = os.sysconf("SC_CLK_TCK")  # of the kernel's clock for CPU, a second

LIBRARIES = """
import json, sys
import bot.cli, bot.run
print(json.dumps([name for name in sys.modules if name.partition(".")[0] not in ("bot", "__main__")]))
"""
IMPORTS = """
import importlib, json, sys
for name in json.load(sys.stdin):
    importlib.import_module(name)
print(open("/proc/self/status").read())
"""


@dataclass
class Loaded:
    """A bot's stage with all subscriptions, *room* being the one that hears of the series posted here."""

    stage: Stage
    person: Person
    room: RoomId
    url: str  # of the homeserver


def rows() -> Iterator[Row]:
    """Start, memory, arrival, a burst."""
    yield from asyncio.run(_rows())


async def _rows() -> list[Row]:
    progress("  the command line")
    found = [Row("patchbot --help", "nothing", min(_help_seconds() for _ in range(STARTS)), " s", at_most=0.25)]
    async with a_loaded_stage() as loaded:
        progress("  starts")
        found += await _starts(loaded)
        async with loaded.stage.running() as bot:
            progress("  arrivals")
            found += await _arrivals(loaded)
            progress("  memory")
            found += memory(f"memory, {SUBSCRIPTIONS:,} path subscriptions", bot, at_most=1.2)
            progress("  a burst")
            found += await _burst(loaded, bot)
    return found


@asynccontextmanager
async def a_homeserver() -> AsyncIterator[tuple[Homeserver, Path]]:
    """A real one without limits, and a folder for what is beside it."""
    with tempfile.TemporaryDirectory(prefix="patchbot-bench-") as name:
        (Path(name) / "synapse").mkdir()
        homeserver = await asyncio.to_thread(Homeserver.install, Path(name) / "synapse")
        try:
            await asyncio.to_thread(homeserver.start)
            yield homeserver, Path(name)
        finally:
            homeserver.close()


@asynccontextmanager
async def a_loaded_stage() -> AsyncIterator[Loaded]:
    """A bot's stage: ten rooms share ten thousand path subscriptions; it has run once."""
    rng = random.Random(7)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    async with (
        a_homeserver() as (homeserver, folder),
        a_stage(Account(homeserver, folder / "bot")) as stage,
        Person(homeserver) as person,
    ):
        for _ in range(ROOMS):
            room = await person.create_room(stage.me)
            patterns = [_an_other_pattern(rng, files) for _ in range(SUBSCRIPTIONS // ROOMS)]
            stage.rooms[room] = tuple(f"path:{pattern}" for pattern in patterns)
        stage.rooms[room] += (f"path:{PLACE}/",)
        stage.flood = 0
        async with stage.running() as bot:
            await bot.stop()
        yield Loaded(stage, person, room, homeserver.url)


def _an_other_pattern(rng: random.Random, files: Sequence[str]) -> str:
    """Return a pattern that does not match what the bench posts: `*/` would."""
    while (pattern := a_pattern(rng, files)).startswith("*/"):
        pass
    return pattern


# How soon it is there


def _help_seconds() -> float:
    began = time.perf_counter()
    command = (str(Path(sys.executable).with_name("patchbot")), "--help")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 -- our own
    return time.perf_counter() - began


def libraries() -> bytes:
    """The modules that the bot imports and that are not its own, as JSON."""
    return subprocess.run((sys.executable, "-c", LIBRARIES), cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603 -- our own


def bare_imports(modules: bytes) -> tuple[float, float]:
    """What it takes a process to import nothing but those: seconds, and MiB."""
    began = time.perf_counter()
    command = (sys.executable, "-c", IMPORTS)
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, input=modules)  # noqa: S603 -- our own
    return time.perf_counter() - began, _mib(done.stdout.decode())


async def _starts(loaded: Loaded) -> list[Row]:
    """With one subscription, and with them all, which takes reading ten thousand queries."""
    modules, stage = await asyncio.to_thread(libraries), loaded.stage
    everything = stage.rooms
    one: dict[str, tuple[str, ...]] = {loaded.room: (f"path:{PLACE}/",)}
    found: list[Row] = []
    for rooms, what, at_most in ((one, "one subscription", 1.3), (everything, f"{SUBSCRIPTIONS:,}", None)):
        stage.rooms, against = rooms, []
        for _ in range(STARTS):
            imports, _ = await asyncio.to_thread(bare_imports, modules)
            against.append(await _first_poll_seconds(stage) / imports)
        found.append(Row(f"start to first poll, {what}", "the bare imports", median(against), "×", at_most=at_most))
    stage.rooms = everything
    return found


async def _first_poll_seconds(stage: Stage) -> float:
    polled = asyncio.Event()

    def note(path: str) -> Response | None:
        if "/events" in path:
            polled.set()
        return None

    stage.patchwork.fault = note
    began = time.perf_counter()
    bot = await stage.start()
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await polled.wait()
        return time.perf_counter() - began
    finally:
        await bot.stop()


# What it takes


def memory(what: str, bot: Process, at_most: float | None = None) -> list[Row]:
    """What *bot* takes now, beside what its libraries take."""
    imports = median(bare_imports(libraries())[1] for _ in range(3))
    taken = _mib(Path(f"/proc/{bot.process.pid}/status").read_text())
    return [Row(what, "nothing", taken, " MiB"), Row(what, "the bare imports", taken / imports, "×", at_most=at_most)]


def _mib(status: str) -> float:
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


def _cpu_seconds(bot: Process) -> float:
    fields = Path(f"/proc/{bot.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


# How soon a room knows


async def _arrivals(loaded: Loaded) -> list[Row]:
    """Series at any moment between two polls; how long until the homeserver has the card."""
    rng, waits = random.Random(11), []  # noqa: S311 -- repeatable, not secret
    for number in range(ARRIVALS):
        await asyncio.sleep(INTERVAL_SECONDS * rng.random())
        posted = time.time()
        _post(loaded.stage, f"Arrival {number}")
        waits.append((await _cards_since(loaded, posted, 1))[0] - posted)
    allowed = 0.5 + 0.2 / INTERVAL_SECONDS
    return [Row("arrival to room", "the interval", median(waits) / INTERVAL_SECONDS, "×", at_most=allowed)]


async def _burst(loaded: Loaded, bot: Process) -> list[Row]:
    """Many series at once: from the first card at the homeserver to the last, and the same contents sent barely."""
    cpu, posted = _cpu_seconds(bot), time.time()
    with loaded.stage.patchwork.transaction():
        for number in range(BURST):
            _post(loaded.stage, f"Burst {number}")
    moments = await _cards_since(loaded, posted, BURST)
    taken, cpu = moments[-1] - moments[0], _cpu_seconds(bot) - cpu
    contents = [content for content in await loaded.person.messages(loaded.room, loaded.stage.me) if content][-BURST:]
    alone, alone_cpu = await _send_barely(loaded, contents)
    what, theirs = f"a burst of {BURST} cards", "the same messages sent barely"
    return [
        Row(what, "nothing", taken, " s", at_most=1),
        Row("the same messages sent barely", "nothing", alone, " s"),
        Row(what, theirs, taken / alone, "×"),
        Row("CPU of a delivered card, all told", "nothing", 1000 * cpu / BURST, " ms"),
        Row("CPU of a delivered card, all told", theirs, cpu / alone_cpu, "×"),
    ]


def _post(stage: Stage, name: str) -> None:
    patch = NewPatch(name, sample_diff(f"{PLACE}/ram.c"))
    stage.patchwork.post_series(PROJECT, NewSeries(name=name, patches=(patch,), cover=False))


async def _cards_since(loaded: Loaded, began: float, count: int) -> Sequence[float]:
    """When the homeserver took each card of the room since *began*, in seconds; waits until there are *count*.

    The homeserver is asked when all are sent, and not before: it would have that to do, too.
    """
    since = datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")  # as SQLite keeps it
    sent = f"notice WHERE key LIKE 'card/%' AND state = 'done' AND settled_at >= '{since}'"
    async with asyncio.timeout(WAIT_SECONDS):
        while not loaded.stage.has(sent, count):  # noqa: ASYNC110 -- another process changes what is looked at
            await asyncio.sleep(0.05)
    timeline = await loaded.person.timeline(loaded.room)
    taken = sorted(event["origin_server_ts"] / 1000 for event in timeline if _is_card(event, loaded.stage))
    return [moment for moment in taken if moment > began]


def _is_card(event: dict[str, Any], stage: Stage) -> bool:
    content = event["content"]
    is_ours: bool = event["sender"] == stage.me
    return is_ours and content.get("org.patchbot", {}).get("kind") == "card"


async def _send_barely(loaded: Loaded, contents: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """The *contents* one after the other by the bot's account, and nothing else: seconds, and of CPU."""
    api = f"{loaded.url}/_matrix/client/v3"
    async with aiohttp.ClientSession() as session:
        identifier = {"type": "m.id.user", "user": loaded.stage.me}
        login = {"type": "m.login.password", "identifier": identifier, "password": PASSWORD}
        async with session.post(f"{api}/login", json=login) as answer:
            token = (await answer.json())["access_token"]
        began, cpu = time.perf_counter(), time.process_time()
        for number, content in enumerate(contents):
            url = f"{api}/rooms/{quote(loaded.room, safe='')}/send/m.room.message/bare{number}"
            async with session.put(url, json=content, headers={"Authorization": f"Bearer {token}"}) as answer:
                answer.raise_for_status()
                json.loads(await answer.read())
        return time.perf_counter() - began, time.process_time() - cpu
