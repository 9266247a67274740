"""Cards show what their series need, and follow it, in virtual time."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import PostedSeries
from support.broken_rows import fail
from support.rig import PROJECT, ROOM, Rig, a_series

pytestmark = pytest.mark.slow

OTHER = "https://other.example.com"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def needing(rig: Rig, *lines: str, cover: Sequence[str] = (), name: str = "migration: Use it") -> PostedSeries:
    """A series of one patch whose mail has *lines*, after a cover letter if that has any."""
    patch = NewPatch(name, sample_diff("migration/ram.c"), "It is used.\n---\n" + "\n".join(lines))
    letter = "This uses it.\n\n" + "\n".join(cover) if cover else ""
    series = NewSeries(name=name, patches=(patch,), cover=bool(cover), cover_letter=letter)
    return rig.patchwork.post_series(PROJECT, series)


def needs(rig: Rig, title: str = "migration: Use it") -> list[str]:
    """The lines on what is needed of the card with a *title*."""
    [shown] = [body for body in rig.chat.shown(ROOM) if title in body.splitlines()[0]]
    return [line.removeprefix("needs: ") for line in shown.splitlines() if line.startswith("needs: ")]


def covers_read(rig: Rig) -> int:
    return sum("/covers/" in path for _, path, _ in rig.patchwork.requests)


async def test_a_card_follows_what_its_series_needs(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        needed = rig.post("hw/a.c", name="hw: Add it", version=3)
        await rig.poll(bot, times=3)
        needing(rig, f'Depends-on: series-{needed.series} ("hw: Whatever")')
        await rig.poll(bot, times=3)
        at_first = needs(rig)

        rig.patchwork.set_state(needed.patches[0], "accepted")
        await rig.poll(bot, times=12)

    assert at_first == ["hw: Add it v3 (New)"]
    assert needs(rig) == ["hw: Add it v3 (Accepted)"]
    assert [edit.message.rings for edit in rig.chat.edits(ROOM)] == [False]


async def test_what_arrives_later_gets_its_title_then(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        mails = rig.patchwork.mails_of(a_series("hw/a.c", name="hw: Add it"))
        needing(rig, f"Depends-on: <{mails[0].msgid}>", f"Depends-on: {OTHER}/project/x/list/?series=1")
        await rig.poll(bot, times=3)
        before = needs(rig)

        rig.patchwork.receive(PROJECT, mails[0])
        await rig.poll(bot, times=14)

    assert before == [f"{mails[0].msgid}, series 1 of other.example.com"]
    assert needs(rig) == ["hw: Add it (New), series 1 of other.example.com"]


async def test_a_circle_ends_after_an_edit_of_each_card(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        first = needing(rig, "Depends-on: series-2", name="migration: One")
        second = needing(rig, f"Depends-on: series-{first.series}", "Depends-on: series-2", name="migration: Two")
        await rig.poll(bot, times=20)
        edits = len(rig.chat.edits(ROOM))
        rig.patchwork.set_state(first.patches[0], "accepted")
        await rig.poll(bot, times=60)

    assert second.series == 2
    assert (needs(rig, "migration: One"), needs(rig, "migration: Two")) == (
        ["migration: Two (New)"],
        ["migration: One (Accepted)"],
    )
    assert len(rig.chat.edits(ROOM)) == edits + 2


async def test_checks_and_comments_of_what_is_needed_edit_nothing(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        needed = rig.post("hw/a.c", name="hw: Add it")
        needing(rig, f"Depends-on: patch-{needed.patches[0]}")
        await rig.poll(bot, times=3)
        rig.patchwork.add_comment(needed.patches[0], "Reviewed-by: Rey Viewer <rey@example.com>\n")
        rig.patchwork.set_delegate(needed.patches[0], "mia")
        await rig.poll(bot, times=70)

    assert needs(rig) == ["hw: Add it (New)"]
    assert rig.chat.edits(ROOM) == []


async def test_a_cover_letter_is_read_once_a_card_would_show_it(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        needed = rig.post("hw/a.c", name="hw: Add it")
        rig.post("hw/b.c", name="hw: Nobody asked", patches=2)
        await rig.poll(bot, times=3)
        unread = covers_read(rig)
        needing(rig, cover=[f"Depends-on: series-{needed.series}"])
        await rig.poll(bot, times=20)

    assert needs(rig) == ["hw: Add it (New)"]
    assert (unread, covers_read(rig)) == (0, 1)


async def test_what_a_server_of_api_1_4_lists_is_shown(rig: Rig) -> None:
    rig.patchwork.api_versions = ("1.0", "1.1", "1.2", "1.3", "1.4")
    project = rig.patchwork._tables.projects.rows[1]
    rig.patchwork._tables.projects.put(replace(project, show_dependencies=True))
    async with rig.running() as bot:
        await bot.settle()
        needed = rig.post("hw/a.c", name="hw: Add it")
        await rig.poll(bot)
        needing(rig, f"Depends-on: {OTHER}/project/x/list/?series={needed.series}")  # whose host Patchwork ignores
        await rig.poll(bot, times=3)
        versions = {path.split("/")[2] for _, path, _ in rig.patchwork.requests if path.startswith("/api/")}
        detailed = [path for _, path, _ in rig.patchwork.requests if path == f"/api/1.4/series/{needed.series}/"]
        tried = [path for _, path, _ in rig.patchwork.requests if path == "/api/1.4/"]

    assert needs(rig) == ["hw: Add it (New)"]
    assert (versions, len(detailed), len(tried)) == ({"1.3", "1.4"}, 1, 1)


async def test_a_server_that_is_set_back_from_api_1_4_is_read_on(rig: Rig) -> None:
    rig.patchwork.api_versions = ("1.0", "1.1", "1.2", "1.3", "1.4")
    async with rig.running() as bot:
        await bot.settle()
        rig.patchwork.api_versions = ("1.0", "1.1", "1.2", "1.3")
        rig.post("migration/ram.c", name="migration: Go on")
        await rig.poll(bot, times=3)

    assert rig.titles() == ["migration: Go on"]


async def test_hostile_needs_stay_on_one_line(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        for number in range(8):
            rig.post("hw/a.c", name=f"hw: \u202e<b>@room</b> {number} " + "x" * 200)
        await rig.poll(bot, times=3)
        needing(rig, *(f"Depends-on: series-{number}" for number in range(1, 501)))
        await rig.poll(bot, times=3)

    [line] = needs(rig)
    assert line.endswith("… (New) and many more")
    assert "\u202e" not in line
    assert "@room" not in line
    assert len(line) < 120


async def test_a_card_that_cannot_be_marked_costs_no_other(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        needed = rig.post("hw/a.c", name="hw: Add it")
        needing(rig, f"Depends-on: series-{needed.series}")
        await rig.poll(bot, times=3)
        mend = fail(f"sqlite:///{rig.folder / 'bot.db'}", "UPDATE ON card", "NEW.counts_since IS NOT NULL")
        rig.patchwork.set_state(needed.patches[0], "accepted")
        rig.post("migration/ram.c", name="migration: Go on")
        await rig.poll(bot, times=3)
        incidents = {(each.kind, each.name) for each in bot.store.incidents}
        mend()

    assert rig.titles() == ["migration: Use it", "migration: Go on"]
    assert incidents == {("card.needs_not_shown", "series 1 of sample")}


async def test_a_damaged_row_of_what_is_needed_costs_itself_only(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        needing(rig, "Depends-on: series-88", "Depends-on: series-99")
        rig.post("migration/ram.c", name="migration: Go on")
        await rig.poll(bot, times=3)
        async with bot.store.transaction() as tx:
            damage = "UPDATE dependency SET needs = 'what/88' WHERE needs = 'series/88'"
            await tx.watch._connection.execute(sa.text(damage))
        rig.post("hw/a.c", name="hw: Add it")
        rig.patchwork.set_state(1, "accepted")
        await rig.poll(bot, times=14)
        incidents = {(each.kind, each.name) for each in bot.store.incidents}

    assert sorted(rig.titles()) == ["migration: Go on", "migration: Use it"]
    assert needs(rig) == ["series 99"]
    assert incidents == {("store.row_unreadable", "what series 1 of sample needs")}
