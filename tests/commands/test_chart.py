"""Charts of what matches a query."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.commands.figures import _Count, _Times
from bot.delivery.chat import PostedMessage
from bot.ids import ServerName
from bot.notices.notice import NoticeKind
from bot.patchwork.states import StateClasses
from bot.submission import Submission, SubmissionKind, SubmissionRef
from support.desk_rig import Desk
from support.rig import Rig
from support.store_rig import a_patch

DAY = 86_400
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        yield Desk(rig, bot)


async def some_weeks(desk: Desk) -> None:
    """Two series in the first week, of which one is accepted in the second; one more in the third."""
    first = desk.rig.post("hw/a.c", name="hw: First")
    desk.rig.post("hw/b.c", name="hw: Second")
    await desk.rig.poll(desk.bot, times=2)
    await desk.rig.pass_quietly(desk.bot, 8 * DAY)
    desk.rig.patchwork.set_state(first.patches[0], "accepted")
    await desk.rig.poll(desk.bot, times=2)
    await desk.rig.pass_quietly(desk.bot, 8 * DAY)
    desk.rig.post("hw/c.c", name="hw: Third")
    await desk.rig.poll(desk.bot, times=2)


def posted(desk: Desk) -> PostedMessage:
    return desk.rig.chat.posted[-1]


async def test_a_chart_has_the_figures_of_each_week_and_says_them(desk: Desk) -> None:
    await some_weeks(desk)

    assert await desk.ask("chart path:hw/ 18d") == snapshot("""\
18 days for path:hw/
Came: 3
Accepted of these: 1 (33 %)
Open now: 2
Week by week
Week from     open     new  accepted
2025-12-30       2       2         0  (4 days)
2026-01-03       1       0         1
2026-01-10       2       1         0\
""")
    message = posted(desk).message
    assert message.tag.kind is NoticeKind.CHART
    assert message.chart is not None
    assert [(week.days, week.came, week.accepted, week.open) for week in message.chart.weeks] == snapshot(
        [(4, 2, 0, 2), (7, 0, 1, 1), (7, 1, 0, 2)]
    )
    assert message.chart.query == "path:hw/"


@pytest.mark.parametrize("arguments", ["", "path:hw/", "path:hw/ 18d", "path:hw/ 9d", "7d", "1d"])
async def test_a_chart_sums_up_to_what_stats_says(desk: Desk, arguments: str) -> None:
    await some_weeks(desk)

    said = await desk.ask(f"stats {arguments}")
    description = await desk.ask(f"chart {arguments}")
    chart = posted(desk).message.chart

    assert chart is not None
    assert description.splitlines()[:4] == said.splitlines()[:4]
    assert f"Came: {sum(week.came for week in chart.weeks)}\n" in said
    assert re.search(rf"^Accepted of these: {sum(week.accepted for week in chart.weeks)}\b", said, re.MULTILINE)
    assert f"Open now: {chart.weeks[-1].open}\n" in said


async def test_nothing_is_no_picture(desk: Desk) -> None:
    assert (
        await desk.ask("chart path:none/ 30d")
        == "Nothing that matches path:none/ came in 30 days, and nothing is open."
    )
    assert posted(desk).message.chart is None


async def test_a_chart_of_too_long_a_time_is_refused_in_its_own_name(desk: Desk) -> None:
    assert await desk.ask("chart 400d") == "chart looks back between 1 and 180 days; try 90d, 12w or 30d."


async def test_without_the_library_a_chart_says_what_is_missing_and_stats_still_answers(desk: Desk) -> None:
    lookups = desk.bot.answerer._handlers["chart"].__self__  # type: ignore[attr-defined] # a bound method
    lookups._context = replace(lookups._context, can_draw=False)
    await some_weeks(desk)

    assert await desk.ask("chart path:hw/ 30d") == (
        "I cannot draw: whoever runs this bot has to install patchwork-matrix-bot[chart] (it brings Matplotlib), "
        "and restart it. The figures in words: !pw stats path:hw/ 30d"
    )
    assert (await desk.ask("stats path:hw/ 30d")).startswith("30 days for path:hw/\nCame: 3\n")


moments = st.integers(0, 200 * 24).map(lambda hours: NOW - timedelta(hours=hours))


@given(
    st.lists(
        st.tuples(moments, st.none() | moments, st.none() | moments, st.sampled_from(["new", "accepted", "rejected"])),
        max_size=30,
    ),
    st.integers(1, 180),
)
def test_the_weeks_hold_each_submission_once(
    rows: list[tuple[datetime, datetime | None, datetime | None, str]], days: int
) -> None:
    period, classes = timedelta(days=days), StateClasses()
    count = _Count(NOW, period)
    for number, (came, decided, replaced, state) in enumerate(rows):
        ref = SubmissionRef(ServerName("ozlabs"), SubmissionKind.PATCH, number)
        times = _Times(came, None, *(max(came, time) if time else None for time in (decided, replaced)))
        count.add(ref, Submission(None, (a_patch(number, state=state),)), times, classes)
    weeks = count.weeks()

    recent = [row for row in rows if row[0] >= NOW - period]
    assert sum(week.came for week in weeks) == len(recent)
    assert sum(week.accepted for week in weeks) == sum(state == "accepted" for *_, state in recent)
    assert weeks[-1].open == sum(state == "new" and replaced is None for _, _, replaced, state in rows)
    assert all(week.open >= 0 for week in weeks)
    assert len(weeks) == -(-days // 7)
    assert sum(week.days for week in weeks) == days
