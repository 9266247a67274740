"""What a bot with nothing to do takes of a real machine: CPU, and what it writes, in two rooms and at 60 s polls.

The kernel's own figures for the process, from a moment at which it has polled and synced. Statements and transactions
are counted by `tests/test_idle.py`, in virtual time.
"""

import asyncio
import os
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench import homeserver
from bench.homeserver import ROOM, USER, Homeserver
from bench.table import Row, progress
from bot.clock import SystemClock
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.server import serve

PROJECT = "qemu-devel"
ROOMS = (ROOM, "!other:bench")
SETTLE_SECONDS = 20.0
MINUTES = 3
WAIT_SECONDS = 60.0
SYNC_SECONDS = 30.0  # as long as the bot lets a homeserver wait
CONFIG = """
[matrix]
homeserver = "{homeserver}"
user_id = "{user}"

[store]
url = "sqlite:///{folder}/bot.db"
data_dir = "{folder}"

[web]
listen = ""

[[patchwork]]
name = "sample"
url = "{patchwork}"
projects = ["{project}"]
poll_interval_seconds = 60
"""
_SUBSCRIBE = '\n[[room]]\nroom = "{room}"\nsubscribe = ["path:migration/ on:new,state"]\n'


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process took since it was started: CPU, and the bytes that it had the kernel write."""

    cpu_seconds: float
    disk_bytes: int  # in whole pages
    bytes_written: int  # to files and connections

    @classmethod
    def of(cls, pid: int) -> Self:
        """Ask the kernel."""
        threads = Path(f"/proc/{pid}/task").iterdir()
        nanoseconds = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
        io = {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}
        return cls(nanoseconds / 1e9, io["write_bytes"], io["wchar"])


def rows() -> Iterator[Row]:
    """CPU and writing, over some minutes."""
    before, after = asyncio.run(_idled())
    what, cpu = f"idle, {len(ROOMS)} rooms", after.cpu_seconds - before.cpu_seconds
    yield Row(what, "one core", 100 * cpu / (60 * MINUTES), " %", at_most=0.3)
    yield Row(what, "a minute", (after.disk_bytes - before.disk_bytes) / 1000 / MINUTES, " kB to disk", at_most=5)
    written = (after.bytes_written - before.bytes_written) / 1000 / MINUTES
    yield Row(what, "a minute", written, " kB to files and connections")


async def _idled() -> tuple[Usage, Usage]:
    async with a_bot() as pid:
        await asyncio.sleep(SETTLE_SECONDS)
        progress(f"  {MINUTES} minutes")
        before = Usage.of(pid)
        await asyncio.sleep(60 * MINUTES)
        return before, Usage.of(pid)


@asynccontextmanager
async def a_bot() -> AsyncIterator[int]:
    """A bot that knows its rooms and has polled; its process id."""
    patchwork = SamplePatchwork(SystemClock())
    patchwork.add_project(PROJECT)
    for number in range(20):
        patch = NewPatch(f"Fix leak {number}", sample_diff("migration/ram.c"))
        patchwork.post_series(PROJECT, NewSeries(name=f"Fix leak {number}", patches=(patch,)))
    house = Homeserver(rooms=ROOMS, longest_wait_seconds=SYNC_SECONDS)
    with tempfile.TemporaryDirectory(prefix="patchbot-bench-") as name:
        folder = Path(name)
        async with serve(patchwork) as url, homeserver.served(house) as (_, matrix_url):
            config = CONFIG.format(homeserver=matrix_url, user=USER, folder=folder, patchwork=url, project=PROJECT)
            (folder / "config.toml").write_text(config + "".join(_SUBSCRIBE.format(room=room) for room in ROOMS))
            with (folder / "log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "bot.cli", "run", "--config", str(folder / "config.toml")),
                    env={**os.environ, "PATCHBOT_MATRIX__PASSWORD": "secret"},
                    stdout=log,
                    stderr=log,
                )
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    while not _is_ready(folder / "bot.db"):  # noqa: ASYNC110 -- another process changes what is looked at
                        await asyncio.sleep(0.2)
                yield process.pid
            finally:
                process.kill()
                await process.wait()


def _is_ready(database: Path) -> bool:
    if not database.exists():
        return False
    ready = "SELECT (SELECT count(*) FROM project), (SELECT count(*) FROM room WHERE name IS NOT NULL)"
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
            projects, rooms = connection.execute(ready).fetchone()
            return bool(projects == 1 and rooms == len(ROOMS))
    except sqlite3.OperationalError:  # the tables are being made
        return False
