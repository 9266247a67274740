"""Real processes, killed with SIGKILL where it hurts, and started again."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.demo.room import FileRoom
from bot.demo.sample.patchwork import SamplePatchwork
from bot.demo.sample.server import serve
from bot_that_dies import main
from rig import PROJECT, ROOM, a_series

PROGRAM = Path(__file__).with_name("bot_that_dies.py")
MOMENTS = ("written", "committed", "claimed", "sent", "acknowledged", "settled")


@dataclass
class Scene:
    """A served Patchwork, and a folder with the bot's database and room."""

    folder: Path
    url: str
    patchwork: SamplePatchwork

    async def start(self, moment: str = "never", typed: str = "") -> asyncio.subprocess.Process:
        """The bot as a process of its own."""
        arguments = (str(PROGRAM), str(self.folder), self.url, moment, typed)
        return await asyncio.create_subprocess_exec(sys.executable, *arguments)

    async def run(self, moment: str = "never", typed: str = "") -> int:
        """Start it and wait for its end; its exit status, negative for a signal."""
        return await (await self.start(moment, typed)).wait()

    def titles(self) -> list[str]:
        """The first lines of what the room shows."""
        return [body.partition("\n")[0] for body in FileRoom(self.folder / "room.jsonl", SystemClock()).bodies(ROOM)]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    patchwork = SamplePatchwork(SystemClock())
    patchwork.add_project(PROJECT)
    async with serve(patchwork) as url:
        scene = Scene(tmp_path, url, patchwork)
        await main(tmp_path, url, "never", "")  # the first start takes the baseline
        yield scene


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_bot_killed_at_any_state_of_the_outbox_shows_one_card(scene: Scene, moment: str) -> None:
    scene.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it", patches=2))

    assert await scene.run(moment) == -signal.SIGKILL
    assert await scene.run() == 0

    assert scene.titles() == ["migration: Fix it"]


@pytest.mark.parametrize("moment", ["heard", *MOMENTS])
async def test_a_command_is_answered_once_though_the_bot_is_killed(scene: Scene, moment: str) -> None:
    assert await scene.run(moment, typed="help") == -signal.SIGKILL
    assert await scene.run(typed="help") == 0

    assert scene.titles() == ["What you can type:"]


async def test_a_bot_killed_again_and_again_at_random_loses_nothing_and_says_nothing_twice(scene: Scene) -> None:
    names = [f"migration: Fix number {number}" for number in range(12)]
    for name in names:
        scene.patchwork.post_series(PROJECT, a_series("migration/ram.c", name=name, patches=2))
    waits = random.Random(20)  # noqa: S311  # the same moments in each run

    for _ in range(8):
        process = await scene.start()
        try:
            await asyncio.wait_for(process.wait(), waits.uniform(0.5, 1.4))
        except TimeoutError:
            process.kill()
            await process.wait()
    assert await scene.run() == 0

    assert scene.titles() == names
