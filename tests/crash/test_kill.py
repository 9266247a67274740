"""Real processes, killed with SIGKILL where it hurts, and started again."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.demo.room import FileRoom
from bot.matrix.messages import EYES
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.server import serve
from bot_that_dies import Life, main
from support import preloaded
from support.new_database import put_new_database
from support.postgres_server import PostgresServer
from support.rig import PROJECT, ROOM, a_series
from support.titles import title_of

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("bot_that_dies.py")
MOMENTS = ("written", "committed", "claimed", "sent", "acknowledged", "settled")


@dataclass
class Scene:
    """A served Patchwork, a database, and a folder with the bot's room."""

    folder: Path
    url: str
    database: str
    patchwork: SamplePatchwork

    async def start(self, moment: str = "never", typed: str = "", *, later: float = 0) -> preloaded.Process:
        """The bot as a process of its own, *later* by so many seconds."""
        program, output = self._program(moment, typed, later), Path(os.devnull)
        return await preloaded.started(*program, folder=self.folder, environment=os.environ, output=output)

    def _program(self, moment: str, typed: str = "", later: float = 0, whom: str = "the bot") -> tuple[str, ...]:
        return (str(PROGRAM), str(self.folder), self.url, self.database, moment, typed, str(later), whom)

    async def dies(self, moment: str, typed: str = "", *, later: float = 0) -> bool:
        """Start it, and see it killed at *moment*."""
        return await (await self.start(moment, typed, later=later)).wait() == -signal.SIGKILL

    async def live(self, typed: str = "", *, later: float = 0) -> None:
        """The bot from its start to its end; where nobody dies, no process of its own is needed."""
        await main(Life(self.folder, self.url, self.database, typed=typed, later=later))

    @asynccontextmanager
    async def waiting_at(self, moment: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """The bot as a process that has come to *moment*, and goes on with the next line it reads."""
        program, pipe = self._program(moment, whom="somebody else"), asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, *program, stdin=pipe, stdout=pipe)
        assert process.stdout is not None
        try:
            while (line := await process.stdout.readline()) != b"now\n":
                assert line, "the bot ended before"
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    @property
    def room(self) -> FileRoom:
        """The bot's room, as its file has it now."""
        return FileRoom(self.folder / "room.jsonl", SystemClock())

    def titles(self) -> list[str]:
        """The first lines of what the room shows."""
        return [title_of(body) for body in self.room.bodies(ROOM)]


over_postgres = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the bot's database is: in a file, but `over_postgres`."""
    if hasattr(request, "param"):
        return str(request.getfixturevalue("migrated_postgres_url"))
    put_new_database(tmp_path / "bot.db")
    return f"sqlite:///{tmp_path}/bot.db"


@pytest.fixture
async def scene(tmp_path: Path, database: str) -> AsyncIterator[Scene]:
    patchwork = SamplePatchwork(SystemClock())
    patchwork.add_project(PROJECT)
    async with serve(patchwork) as url:
        scene = Scene(tmp_path, url, database, patchwork)
        await scene.live()  # the first start takes the baseline
        yield scene


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_bot_killed_at_any_state_of_the_outbox_shows_one_card(scene: Scene, moment: str) -> None:
    scene.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it", patches=2))

    assert await scene.dies(moment)
    await scene.live()

    assert scene.titles() == ["migration: Fix it"]


@over_postgres
@pytest.mark.parametrize("moment", ["written", "committed", "claimed", "sent"])
async def test_a_bot_killed_over_postgresql_shows_one_card(scene: Scene, moment: str) -> None:
    scene.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it", patches=2))

    assert await scene.dies(moment)
    await scene.live()

    assert scene.titles() == ["migration: Fix it"]


@over_postgres
@pytest.mark.parametrize("moment", ["written", "claimed", "sent"])
async def test_a_bot_whose_database_is_killed_shows_one_card(
    scene: Scene, postgres: PostgresServer, moment: str
) -> None:
    """In a transaction it is an outage; between two of them the bot connects anew and goes on."""
    scene.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it", patches=2))

    async with scene.waiting_at(moment) as process:
        with postgres.away():
            pass
        await process.communicate(b"go on\n")
    assert process.returncode == 0
    await scene.live()

    assert scene.titles() == ["migration: Fix it"]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_bot_killed_while_it_edits_a_card_shows_the_edit_once(scene: Scene, moment: str) -> None:
    posted = scene.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it", patches=2))
    await scene.live()
    scene.patchwork.set_state(posted.patches[0], "accepted")
    await scene.live()  # the change is seen, and not yet due
    assert scene.room.edits(ROOM) == []

    assert await scene.dies(moment, later=10)
    await scene.live(later=10)
    await scene.live(later=100)

    assert len(scene.room.edits(ROOM)) == 1
    assert scene.titles() == ["migration: Fix it"]
    assert "Accepted 1 of 2, New 1" in scene.room.shown(ROOM)[0]


@pytest.mark.parametrize("moment", ["heard", *MOMENTS])
async def test_a_command_is_answered_once_though_the_bot_is_killed(scene: Scene, moment: str) -> None:
    assert await scene.dies(moment, typed="help")
    await scene.live(typed="help")

    assert scene.titles() == ["Most wanted"]


async def test_a_bot_killed_again_and_again_at_random_loses_nothing_and_says_nothing_twice(scene: Scene) -> None:
    names = [f"migration: Fix number {number}" for number in range(12)]
    for name in names:
        scene.patchwork.post_series(PROJECT, a_series("migration/ram.c", name=name, patches=2))
    waits = random.Random(20)  # noqa: S311  # the same moments in each run

    for _ in range(8):
        process = await scene.start()
        try:
            await asyncio.wait_for(process.wait(), waits.uniform(0.0, 0.5))
        except TimeoutError:
            process.kill()
            await process.wait()
    await scene.live()

    assert scene.titles() == names


@pytest.mark.parametrize("moment", ["heard", *MOMENTS])
async def test_a_bot_killed_at_any_state_of_a_reaction_lets_its_sender_follow_once(scene: Scene, moment: str) -> None:
    scene.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
    await scene.live()

    assert await scene.dies(moment, typed=EYES)
    await scene.live(typed=EYES)

    assert [body.splitlines()[0] for body in scene.room.bodies(ROOM)[1:]] == ["👀 You follow migration: Fix it"]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_bot_killed_while_something_snoozed_is_back_says_so_once(scene: Scene, moment: str) -> None:
    scene.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
    await scene.live()
    await scene.live(typed="snooze 1 1d")

    assert await scene.dies(moment, later=2 * 24 * 3600)
    await scene.live(later=2 * 24 * 3600 + 1)
    await scene.live(later=3 * 24 * 3600)

    assert scene.room.bodies(ROOM)[2:] == ["💤 Back: migration: Fix it — its time is over"]
