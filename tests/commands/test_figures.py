# the answers as they are said
"""Figures about what matches a query."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.commands.answers.figures import SubmissionFigures, figures_shown
from bot.notices.chart import Week
from support.card_rig import body_and_html
from support.desk_rig import Desk, forms
from support.rig import ROOM, Rig

DAY = 86_400


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        yield Desk(rig, bot)


async def test_figures_are_five_lines(desk: Desk) -> None:
    first = desk.rig.post("hw/a.c", name="hw: First")
    await desk.rig.poll(desk.bot, times=2)
    desk.rig.post("hw/b.c", name="hw: Second")
    desk.rig.post("docs/c.rst", name="docs: Third")
    await desk.rig.pass_quietly(desk.bot, 4 * DAY)
    await desk.rig.poll(desk.bot)
    desk.rig.patchwork.set_state(first.patches[0], "accepted")
    await desk.rig.poll(desk.bot, times=2)
    await desk.rig.pass_quietly(desk.bot, 3 * DAY)

    assert forms(await desk.reply("stats path:hw/ 30d")) == snapshot(
        (
            """\
30 days for path:hw/
Came: 2
Accepted of these: 1 (50 %)
Open now: 1
Median to first reply: not known · to acceptance: 4.0 days (of 1)
Oldest open: hw: Second <PROJECT/patch/20260101000200.2-1-ada@example.org/>, 3 days\
""",
            """\
<p><strong>30 days</strong> for <code>path:hw/</code>
<br>Came: 2
<br>Accepted of these: 1 (50 %)
<br>Open now: 1
<br>Median to first reply: not known · to acceptance: 4.0 days (of 1)
<br>Oldest open: <a href="PROJECT/patch/20260101000200.2-1-ada@example.org/">
hw: Second</a>, 3 days</p>\
""",
        )
    )
    assert "Came: 3\nAccepted of these: 1 (33 %)\nOpen now: 2\n" in (await desk.reply("stats"))[0]
    assert "Came: 0\nAccepted of these: 0\nOpen now: 2\n" in (await desk.reply("stats 2d"))[0]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("stats 400d", "stats looks back between 1 and 180 days; try 90d, 12w or 30d."),
        (
            "stats check:fail/build*",
            "check:fail/build* cannot search past patches: only the worst check is stored. Try check:fail.",
        ),
    ],
)
async def test_what_cannot_be_counted_is_refused(desk: Desk, text: str, answer: str) -> None:
    assert (await desk.reply(text))[0] == answer


async def test_nothing_is_counted_as_nothing(desk: Desk) -> None:
    body, _ = await desk.reply("stats path:none/")

    assert body.endswith("Median to first reply: not known · to acceptance: not known\nOldest open: none")


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (0.01, "less than an hour"),
        (0.05, "1 hour"),
        (0.99, "23 hours"),
        (1.0, "1.0 days"),
        (2.46, "2.5 days"),
        (12.4, "12 days"),
    ],
)
def test_a_median_is_told_in_the_unit_that_fits(days: float, words: str) -> None:
    figures = SubmissionFigures((Week("2026-11-24", 7, 1, 1, 0),), [days], [], None)

    body, _ = body_and_html(figures_shown("", 90, figures))

    assert f"Median to first reply: {words} (of 1) · " in body


async def test_what_counts_as_a_reply_as_accepted_and_as_open(tmp_path: Path) -> None:
    rig = Rig(tmp_path, subscribe={ROOM: ("path:hw/ on:new,comment",)})
    async with rig.running() as bot:
        await bot.settle()
        answered = rig.post("hw/a.c", name="hw: Answered")
        await rig.poll(bot, times=2)
        await rig.pass_quietly(bot, DAY)
        rig.patchwork.add_comment(answered.patches[0], "ping\n", submitter="Ada Sample <ada@example.org>")
        await rig.poll(bot, times=2)
        await rig.pass_quietly(bot, DAY)
        rig.patchwork.add_comment(answered.patches[0], "Why?\n", submitter="Peter Xu <peterx@example.org>")
        rig.patchwork.set_state(answered.patches[0], "accepted")
        await rig.poll(bot, times=2)
        await rig.pass_quietly(bot, 4 * DAY)
        rig.patchwork.set_delegate(answered.patches[0], "maintainer")
        for version in (1, 2):
            rig.post("hw/b.c", name="hw: Replaced", patches=2, version=version)
            await rig.poll(bot, times=2)

        text = forms(await Desk(rig, bot).reply("stats"))[0]

    assert text == snapshot("""\
90 days
Came: 3
Accepted of these: 1 (33 %)
Open now: 1
Median to first reply: 2.0 days (of 1) · to acceptance: 2.0 days (of 1)
Oldest open: [v2 0/2] hw: Replaced <PROJECT/list/?series=3&state=*&archive=both>, less than a day\
""")
