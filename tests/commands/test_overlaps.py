# ruff: noqa: E501  # the answers as they are said
"""Other open submissions that touch the same files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from support.desk_rig import Desk, forms
from support.rig import Rig


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        yield Desk(rig, bot)


async def read(desk: Desk, *rows: tuple[str, tuple[str, ...]], version: int = 1) -> list[int]:
    """Series with these names that touch these files; the ids of their patches."""
    posted = [desk.rig.post(*paths, name=name, version=version) for name, paths in rows]
    await desk.rig.poll(desk.bot, times=3)
    return [each.patches[0] for each in posted]


async def test_those_with_the_most_files_in_common_come_first(desk: Desk) -> None:
    one, *_ = await read(
        desk,
        ("hw: One", ("hw/a.c", "hw/b.c", "hw/c%.c", "docs/ä.rst")),
        ("hw: Only a", ("hw/a.c", "tests/x.c")),
        ("hw: Nearly all", ("hw/a.c", "hw/b.c", "hw/c%.c", "docs/ä.rst")),
        ("hw: Other", ("hw/aa.c", "hw/cc.c")),
    )

    assert forms(await desk.reply(f"also {one}")) == snapshot(
        (
            """\
hw: One
PROJECT/patch/20260101000000.1-1-ada@example.org/
2 other open submissions touch some of its 4 files:
• hw: Nearly all · Ada Sample · New · 4 files: docs/ä.rst, hw/a.c, hw/b.c and 1 more
• hw: Only a · Ada Sample · New · 1 file: hw/a.c\
""",
            """\
<p><strong><a href="PROJECT/patch/20260101000000.1-1-ada@example.org/">
hw: One</a></strong>
<br>2 other open submissions touch some of its 4 files:</p>
<ul>
<li><a href="PROJECT/patch/20260101000000.3-1-ada@example.org/">
hw: Nearly all</a> · Ada Sample · <strong>New</strong> · 4 files: <code>docs/ä.rst</code>, <code>hw/a.c</code>, <code>hw/b.c</code> and 1 more</li>
<li><a href="PROJECT/patch/20260101000000.2-1-ada@example.org/">
hw: Only a</a> · Ada Sample · <strong>New</strong> · 1 file: <code>hw/a.c</code></li></ul>\
""",
        )
    )


async def test_closed_archived_and_earlier_versions_do_not_count(desk: Desk) -> None:
    one, accepted, archived, *_ = await read(
        desk,
        ("hw: One of many", ("hw/a.c", "hw/one.c")),
        ("hw: Accepted", ("hw/a.c",)),
        ("hw: Archived", ("hw/a.c",)),
        ("hw: Work in progress", ("hw/a.c", "hw/work.c")),
    )
    await read(desk, ("hw: Work in progress", ("hw/a.c", "hw/work.c")), version=2)
    await read(desk, ("hw: One of many", ("hw/a.c", "hw/one.c")), version=2)
    desk.rig.patchwork.set_state(accepted, "accepted")
    desk.rig.patchwork.set_state(archived, "rejected")
    await desk.rig.poll(desk.bot, times=2)

    body, _ = await desk.reply(f"also {one}")

    assert "1 other open submission touches some of its 2 files:" in body
    assert "Work in progress · Ada Sample · v2 · New · 1 file: hw/a.c" in body


async def test_a_long_list_ends_with_the_words_for_the_rest(desk: Desk) -> None:
    one, *_ = await read(desk, *((f"hw: Number {number}", ("hw/a.c",)) for number in range(34)))

    body, _ = await desk.reply(f"also {one}")
    ending = body.splitlines()[-1]
    assert ending.startswith("… and ")
    rest, _ = await desk.reply(ending.partition("!pw ")[2])

    listed = [line for line in (*body.splitlines(), *rest.splitlines()) if line.startswith("• ")]
    assert len(set(listed)) == len(listed) == 33


async def test_nothing_is_said_in_words(desk: Desk) -> None:
    [one] = await read(desk, ("hw: One", ("hw/a.c",)))

    assert (await desk.reply(f"also {one}"))[0].endswith("No other open submission touches its file.")
    assert (await desk.reply(f"also {one} from 9"))[
        0
    ] == f"The list ends with 0. From its beginning: !pw also {one} from 1"
