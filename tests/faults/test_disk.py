"""A disk that is full or may not be written: nothing is said, nothing is lost, and that is told."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from bot.app import Bot
from bot.errors import StoreError
from bot.notices.status import outages
from bot.store.engine import READ_ONLY
from support.homeserver import a_free_port
from support.person import Person
from support.rig import PROJECT, Rig, a_series
from support.run_rig import Stage

STOP_SECONDS = 25  # the bot takes 8 at most, a machine that is busy some more, a request that is waited for 30
Change: TypeAlias = Callable[[Bot], Awaitable[None]]
MOUNT = shutil.which("mount")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def pragma(bot: Bot, setting: str) -> int:
    """Set or ask something of the bot's one connection."""
    async with bot.store._engine.connect() as connection:
        await connection.execution_options(**READ_ONLY)
        answer = await connection.exec_driver_sql(f"PRAGMA {setting}")
        return int(answer.scalar() or 0) if answer.returns_rows else 0


async def fill(bot: Bot) -> None:
    """Let the database not grow by one page more."""
    await pragma(bot, f"max_page_count = {await pragma(bot, 'page_count')}")


async def empty(bot: Bot) -> None:
    await pragma(bot, "max_page_count = 1000000")


async def forbid(bot: Bot) -> None:
    """Answer writes as a file system does that became read-only."""
    await pragma(bot, "query_only = ON")


async def allow(bot: Bot) -> None:
    await pragma(bot, "query_only = OFF")


@pytest.mark.parametrize(
    ("begin", "end", "told"),
    [
        (fill, empty, "the disk is full"),
        (forbid, allow, "it or its folder is read-only"),
    ],
    ids=["full", "read-only"],
)
async def test_a_disk_that_cannot_be_written_stops_the_sending_and_loses_nothing(
    rig: Rig,
    begin: Change,
    end: Change,
    told: str,
) -> None:
    names = [f"migration: Fix number {number}" for number in range(1, 4)]
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name=names[0], patches=2)
        await rig.poll(bot)
        await begin(bot)
        for name in names[1:]:
            rig.post("migration/ram.c", name=name, patches=60)
        for _ in range(3):
            with contextlib.suppress(StoreError):
                await rig.poll(bot)
        meanwhile, failing = rig.titles(), outages(await bot.overview.condition())
        await end(bot)
        await rig.poll(bot, times=30)
        healed = outages(await bot.overview.condition())

    assert meanwhile == names[:1]
    assert any(told in outage for outage in failing)
    assert rig.titles() == names
    assert healed == ()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if MOUNT is None or os.geteuid() != 0 or not _mounted(folder, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        pytest.skip("a disk can be made by root alone, where that may mount")
    yield folder
    subprocess.run(("umount", "-l", str(folder)), check=True)  # noqa: S603, S607  # what was mounted above


def _mounted(folder: Path, *how: str) -> bool:
    assert MOUNT is not None
    return subprocess.run((MOUNT, *how, str(folder)), check=False, capture_output=True).returncode == 0  # noqa: S603  # the same


def _fill(disk: Path) -> Path:
    """Write until nothing more fits."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


async def _until_page(stage: Stage, status: int) -> str:
    async with asyncio.timeout(240):
        while (found := await stage.page("/readyz"))[0] != status:  # noqa: ASYNC110  # another process changes it
            await asyncio.sleep(0.05)  # between two looks
    return found[1]


def post(stage: Stage, name: str) -> None:
    stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name=name, patches=60))


async def test_a_full_disk_is_told_and_what_came_meanwhile_is_said_when_there_is_space(
    stage: Stage, ann: Person, small_disk: Path
) -> None:
    names = ["migration: Fix it", "migration: Fix that, too"]
    stage.database, stage.listen = f"sqlite:///{small_disk / 'bot.db'}", f"127.0.0.1:{a_free_port()}"
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)
    async with stage.running() as bot:
        await _until_page(stage, 200)
        ballast = _fill(small_disk)
        post(stage, names[0])
        full = await _until_page(stage, 503)
        before = await stage.titles(ann, room)
        ballast.unlink()
        await stage.cards(ann, room, 1)
        await _until_page(stage, 200)

        _fill(small_disk)
        post(stage, names[1])
        await _until_page(stage, 503)
        async with asyncio.timeout(STOP_SECONDS):
            assert await bot.stop() == 0
    ballast.unlink()
    async with stage.running():
        await stage.cards(ann, room, 2)

    assert "cannot be written: the disk is full" in full
    assert before == []
    assert await stage.titles(ann, room) == names
    assert "cannot be written: the disk is full" in bot.said()
    assert "Traceback" not in bot.said()


async def test_a_disk_that_is_read_only_is_refused_in_a_line(stage: Stage, small_disk: Path) -> None:
    stage.database = f"sqlite:///{small_disk / 'bot.db'}"
    async with stage.running() as bot:
        assert await bot.stop() == 0
    assert _mounted(small_disk, "-o", "remount,ro")

    refused = await stage.start()

    assert await refused.ended() == 1
    assert refused.said().splitlines()[-1] == (
        f"the database {small_disk / 'bot.db'} cannot be opened: it or its folder cannot be read and written"
    )
    assert "Traceback" not in refused.said()
