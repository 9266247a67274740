"""`show` and `series` say what is needed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import PostedSeries
from support.desk_rig import Desk
from support.rig import PROJECT, Rig


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        yield Desk(rig, bot)


def needing(desk: Desk, line: str, patches: int = 1) -> PostedSeries:
    content = f"It is used.\n---\n{line}\n"
    some = tuple(NewPatch(f"hw: Use it {number}", sample_diff("hw/a.c"), content) for number in range(patches))
    return desk.rig.patchwork.post_series(PROJECT, NewSeries(name="hw: Use it", patches=some, cover=patches > 1))


def needs(answer: str) -> list[str]:
    return [line for line in answer.splitlines() if line.startswith("needs: ")]


@pytest.mark.parametrize("patches", [1, 3])
@pytest.mark.parametrize("is_down", [False, True])
async def test_what_is_needed_is_said_with_its_state(desk: Desk, patches: int, is_down: bool) -> None:
    needed = await desk.known(name="hw: Add it")
    posted = needing(desk, f"Depends-on: patch-{needed.patches[0]}\nDepends-on: series-99", patches)
    await desk.rig.poll(desk.bot, times=3)
    desk.rig.patchwork.set_state(needed.patches[0], "accepted")
    await desk.rig.poll(desk.bot, times=1)
    if is_down:
        desk.break_down()

    shown = [await desk.ask(f"show {posted.patches[0]}"), await desk.ask(f"series {posted.series}")]

    assert [needs(answer) for answer in shown] == [["needs: hw: Add it (Accepted), series 99"]] * 2


async def test_what_is_not_stored_is_read_from_the_mails(desk: Desk) -> None:
    needed = await desk.known(name="hw: Add it")
    posted = needing(desk, f"Depends-on: series-{needed.series}", patches=2)

    assert needs(await desk.ask(f"series {posted.series}")) == ["needs: hw: Add it (New)"]
