"""What the bot takes while the worst comes in: its memory above idle, and the CPU of the event loop's longest callback.

The whole bot runs as a process of its own, over HTTP between a sample Patchwork and a small homeserver.
"""

import asyncio
import os
import random
import sqlite3
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from bench import homeserver
from bench.homeserver import ROOM, USER, Homeserver
from bench.table import Row, progress
from bot.clock import SystemClock
from bot.sample_patchwork.diffs import new_file_diff, sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.request import Response
from bot.sample_patchwork.server import serve

PROJECT = "qemu-devel"
MIB = 1024 * 1024
MEMORY_AT_MOST = 64  # MiB above idle
CALLBACK_AT_MOST = 50  # ms
BOMB_BYTES = 1024 * MIB
DIFF_BYTES = 5 * MIB
FILES = 2_000
EVENTS = 100_000
EVENTS_A_SERIES = 4
READ_AFTERWARDS = 300  # of the imported series; the others are read the same way
SETTLE_SECONDS = 3.0  # what the last one left behind is not the next one's
WAIT_SECONDS = 900.0
CONFIG = """
[matrix]
homeserver = "{homeserver}"
user_id = "{user}"
messages_per_second = 1000
message_burst = 1000

[store]
url = "sqlite:///{folder}/bot.db"
data_dir = "{folder}"

[web]
listen = ""

[[patchwork]]
name = "sample"
url = "{patchwork}"
projects = ["{project}"]
poll_interval_seconds = 1

[[room]]
room = "{room}"
subscribe = ["path:migration/", "text:something", "subject:/fix.*leak/"]
"""


@dataclass
class Measured:
    """A bot that runs, and what it takes since the last look; *idle_kib* is its memory with nothing to do."""

    pid: int
    folder: Path
    patchwork: SamplePatchwork
    homeserver: Homeserver
    idle_kib: int = 0
    _read: int = 0

    def begin(self) -> None:
        """Count from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # the peak begins anew
        self._read = len(self._turns())

    def peak_mib(self) -> float:
        """The most memory since then, above idle."""
        return (self.memory_kib("VmHWM") - self.idle_kib) / 1024

    def turns(self) -> list[tuple[float, str]]:
        """The long callbacks since then: ms, and which."""
        turns = [line.partition(" ") for line in self._turns()[self._read :]]
        return [(float(spent), what) for spent, _, what in turns]

    def memory_kib(self, which: str) -> int:
        """A figure of the kernel's."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{which}:"))

    def count(self, table: str) -> int:
        """How many rows the bot has there."""
        uri = f"file:{self.folder / 'bot.db'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
            found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 -- our own
        return found

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait until *claim* holds."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not claim():  # noqa: ASYNC110 -- another process changes what is looked at
                await asyncio.sleep(0.2)

    def post(self, series: NewSeries) -> None:
        """A series arrives."""
        self.patchwork.post_series(PROJECT, series)

    def _turns(self) -> list[str]:
        return (self.folder / "turns").read_text().splitlines()


def rows() -> Iterator[Row]:
    """Each bad thing, one after the other, to one bot."""
    yield from asyncio.run(_rows())


async def _rows() -> list[Row]:
    found: list[Row] = []
    async with a_bot() as bot:
        for what, happen in WORST.items():
            progress(f"  {what}")
            await asyncio.sleep(SETTLE_SECONDS)
            bot.begin()
            await happen(bot)
            turns = bot.turns()
            for spent, where in turns:
                if spent > CALLBACK_AT_MOST:
                    progress(f"    {spent:.0f} ms: {where}")
            longest = max((spent for spent, _ in turns), default=0.0)
            found.append(Row(what, "idle", bot.peak_mib(), " MiB more", at_most=MEMORY_AT_MOST))
            found.append(Row(what, "the longest callback", longest, " ms", at_most=CALLBACK_AT_MOST))
    return found


@asynccontextmanager
async def a_bot() -> AsyncIterator[Measured]:
    """The bot, started, and with a card behind it."""
    patchwork = SamplePatchwork(SystemClock())
    patchwork.add_project(PROJECT)
    with tempfile.TemporaryDirectory(prefix="patchbot-bench-") as name:
        folder = Path(name)
        async with serve(patchwork) as url, homeserver.served() as (matrix, matrix_url):
            config, turns = folder / "config.toml", folder / "turns"
            turns.touch()
            config.write_text(
                CONFIG.format(
                    homeserver=matrix_url, user=USER, folder=folder, patchwork=url, project=PROJECT, room=ROOM
                )
            )
            with (folder / "log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "bench.measured_bot", str(config), str(turns)),
                    env={**os.environ, "PATCHBOT_MATRIX__PASSWORD": "secret"},
                    stdout=log,
                    stderr=log,
                )
            bot = Measured(process.pid, folder, patchwork, matrix)
            try:
                await bot.until(lambda: (folder / "bot.db").exists() and _is_ready(bot))
                await a_small_series(bot)
                bot.idle_kib = bot.memory_kib("VmRSS")
                yield bot
            finally:
                process.kill()
                await process.wait()


def _is_ready(bot: Measured) -> bool:
    try:
        return bot.count("project") > 0 and bot.count("room WHERE name IS NOT NULL") > 0
    except sqlite3.OperationalError:  # the tables are being made
        return False


# What happens


async def a_small_series(bot: Measured) -> None:
    """The measure of all things: two patches."""
    said = len(bot.homeserver.said)
    patches = tuple(NewPatch(f"Fix leak {number}", sample_diff("migration/ram.c")) for number in (1, 2))
    bot.post(NewSeries(name="Fix leaks", patches=patches))
    await bot.until(lambda: len(bot.homeserver.said) > said)


async def a_bomb_of_patchwork(bot: Measured) -> None:
    """A gigabyte of zeros in a megabyte, three times."""
    bomb, answered = _bomb(), 0

    def fault(_: str) -> Response:
        nonlocal answered
        answered += 1
        return Response(200, {"content-type": "application/json", "content-encoding": "gzip"}, bomb)

    bot.patchwork.fault = fault
    await bot.until(lambda: answered >= 3)
    bot.patchwork.fault = lambda _: None
    await a_small_series(bot)


async def a_bomb_of_the_homeserver(bot: Measured) -> None:
    """The same from the other side."""
    bot.homeserver.fault, bot.homeserver.faults = _bomb(), 0
    await bot.until(lambda: bot.homeserver.faults >= 3)
    bot.homeserver.fault = None
    await a_small_series(bot)


async def a_large_diff(bot: Measured) -> None:
    """A lone patch, and one in a series."""
    said = len(bot.homeserver.said)
    lines = "\n".join(f"something {number} {'x' * 60}" for number in range(DIFF_BYTES // 77))
    diff = new_file_diff("migration/tables.c", lines)
    bot.post(NewSeries(name="One large patch", patches=(NewPatch("One large patch", diff),), cover=False))
    await bot.until(lambda: len(bot.homeserver.said) > said)
    small = NewPatch("A small one", sample_diff("migration/ram.c"))
    bot.post(NewSeries(name="A large one and a small one", patches=(NewPatch("A large one", diff), small)))
    await bot.until(lambda: len(bot.homeserver.said) > said + 1)


async def many_files(bot: Measured) -> None:
    """A patch that touches two thousand files."""
    said, rng = len(bot.homeserver.said), random.Random(8)  # noqa: S311 -- repeatable, not secret
    paths = [f"{rng.choice(('hw', 'migration', 'target'))}/{rng.randrange(99)}/f{number}.c" for number in range(FILES)]
    bot.post(NewSeries(name="Move it all", patches=(NewPatch("Move it all", sample_diff(*paths)),), cover=False))
    await bot.until(lambda: len(bot.homeserver.said) > said)


async def many_events(bot: Measured) -> None:
    """An import."""
    before, read = bot.count("seen_event"), bot.count("series")
    series = EVENTS // EVENTS_A_SERIES
    for start in range(0, series, 1_000):
        with bot.patchwork.transaction():
            for number in range(start, min(start + 1_000, series)):
                patch = NewPatch(f"Number {number}", sample_diff(f"hw/{number % 500}.c"))
                bot.post(NewSeries(name=f"Number {number}", patches=(patch,), cover=False))
        await asyncio.sleep(0)
    await bot.until(lambda: bot.count("seen_event") >= before + EVENTS)
    await bot.until(lambda: bot.count("series") >= read + READ_AFTERWARDS)


WORST = {
    "a small series": a_small_series,
    "a 1 GB gzip bomb from Patchwork": a_bomb_of_patchwork,
    "a 1 GB gzip bomb from the homeserver": a_bomb_of_the_homeserver,
    "a 5 MB diff": a_large_diff,
    f"a patch of {FILES:,} files": many_files,
    f"{EVENTS:,} events": many_events,
}


def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(MIB)
    return b"".join([*(packer.compress(zeros) for _ in range(BOMB_BYTES // MIB)), packer.flush()])
