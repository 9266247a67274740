"""Acts of eighteen changes, killed with SIGKILL at each step, while somebody else changes the same patches.

`KILLS=all` kills at each of the 56 steps, instead of at some.
"""

import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from acting_bot_that_dies import ROOM, ActLife, main
from bot.clock import SystemClock
from bot.demo.room import FileRoom
from bot.sample_patchwork.patchwork import PostedSeries, SamplePatchwork
from bot.sample_patchwork.request import Response
from bot.sample_patchwork.server import serve
from support import preloaded
from support.rig import PROJECT, a_series

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("acting_bot_that_dies.py")
PATCHES = 18
EACH = ("marked", "changed", "on its way")
SOME = (1, 9, 18)


def steps() -> Iterator[tuple[str, int]]:
    """The moments to die at."""
    yield from (("planned", 0), ("finished", 0))
    numbers = range(1, PATCHES + 1) if os.environ.get("KILLS") == "all" else SOME
    yield from ((moment, number) for number in numbers for moment in EACH)


@dataclass
class Scene:
    """A served Patchwork with a series, and a bot that is told to accept it."""

    folder: Path
    url: str
    patchwork: SamplePatchwork
    posted: PostedSeries
    process: preloaded.Process | None = None
    changes: Counter[str] = field(default_factory=Counter)  # by patch, as they arrive at the server

    @property
    def command(self) -> str:
        """What is typed."""
        return f"state {' '.join(map(str, self.posted.patches))} accepted"

    async def dies(self, moment: str, number: int) -> bool:
        """Start the bot, and see it killed."""
        self._watch(number if moment == "on its way" else 0)
        arguments = (str(PROGRAM), str(self.folder), self.url, self.command, moment, str(number))
        output = self.folder / "log.txt"
        self.process = await preloaded.started(*arguments, folder=self.folder, environment=os.environ, output=output)
        return await self.process.wait() == -signal.SIGKILL

    async def live(self) -> None:
        """The bot started again, to its end."""
        self._watch(0)
        await main(ActLife(self.folder, self.url, self.command))

    def _watch(self, kill_at: int) -> None:
        """Count the changes that arrive; kill the bot when one does, which is made all the same."""
        count = 0

        def received(path: str) -> Response | None:
            nonlocal count
            if self.patchwork.requests[-1][0] == "PATCH":
                count += 1
                self.changes[path.rstrip("/").rpartition("/")[2]] += 1
                if count == kill_at and self.process is not None:
                    self.process.kill()
            return None

        self.patchwork.fault = received

    def states(self) -> list[str]:
        """What the server has."""
        return [self.patchwork.rows.patches[patch].state for patch in self.posted.patches]

    def acts(self) -> Counter[int | None]:
        """How often Bob changed each patch."""
        bob = self.patchwork._site.account("bob")
        return Counter(event.patch for event in self.patchwork.rows.events if event.actor == bob)

    def answers(self) -> list[str]:
        """What the bot answered."""
        room = FileRoom(self.folder / "room.jsonl", SystemClock())
        return room.bodies(ROOM)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    patchwork = SamplePatchwork(SystemClock())
    patchwork._site.account("bob")
    patchwork.add_project(PROJECT, maintainers=("bob", "eve"))
    async with serve(patchwork) as url:
        posted = patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix", patches=PATCHES))
        scene = Scene(tmp_path, url, patchwork, posted)
        await main(ActLife(tmp_path, url, ""), patchwork.add_token("bob"))
        yield scene


def told_as_changed(answer: str) -> int:
    """How many patches the answer says were changed."""
    found = re.search(r"^(?:(\d+) patches|“[^\n]*”)[^\n]*: New → Accepted", answer, re.MULTILINE)
    return 0 if found is None else int(found[1] or 1)


@pytest.mark.parametrize(("moment", "number"), list(steps()))
async def test_an_act_that_was_killed_is_finished_or_told_and_nothing_is_changed_twice(
    scene: Scene, moment: str, number: int
) -> None:
    assert await scene.dies(moment, number)
    await scene.live()

    (answer,) = scene.answers()
    states = scene.states()
    assert max(scene.changes.values(), default=0) <= 1
    assert max(scene.acts().values(), default=0) <= 1
    assert states.count("accepted") == told_as_changed(answer)
    assert states.count("accepted") >= PATCHES - 1
    if "new" in states:
        assert moment == "marked"  # written down as sent, and never sent: that looks like one that somebody reverted
        assert "Not changed" in answer
        assert f"{scene.posted.patches[number - 1]} “" in answer


@pytest.mark.parametrize(("moment", "number"), list(steps()))
async def test_an_act_that_was_killed_undoes_nothing_that_somebody_did_since(
    scene: Scene, moment: str, number: int
) -> None:
    """Eve takes back what was done, and rejects the last patch, while the bot is away."""
    assert await scene.dies(moment, number)
    patches = scene.posted.patches
    eves = {patches[-1]: "rejected"}
    eves |= {patch: "new" for patch, state in zip(patches, scene.states(), strict=True) if state == "accepted"}
    for patch, state in eves.items():
        scene.patchwork.set_state(patch, state, "eve")

    await scene.live()

    (answer,) = scene.answers()
    rows = scene.patchwork.rows.patches
    assert {patch: rows[patch].state for patch in eves} == eves
    assert max(scene.changes.values(), default=0) <= 1
    if moment == "on its way":
        assert f"{patches[number - 1]} “" in answer


async def test_an_old_act_is_not_gone_on_with(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot was away for longer than anybody waits for a command."""
    assert await scene.dies("changed", 9)
    monkeypatch.setattr("bot.commands.act_runner.GO_ON_FOR", SystemClock().now() - SystemClock().now())

    await scene.live()

    (answer,) = scene.answers()
    assert scene.states() == ["accepted"] * 9 + ["new"] * 9
    assert told_as_changed(answer) == 9
    assert "the bot was stopped before it came to this" in answer
    assert f"Undo: state {' '.join(map(str, scene.posted.patches[:9]))} new" in answer
