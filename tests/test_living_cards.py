"""Cards change as their series do, in virtual time."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.app import Bot
from bot.ids import EventId, RoomId, UserId
from bot.matrix.session_memory import DatabaseSession
from bot.matrix.session_update import EventRedacted, SessionUpdate
from bot.sample_patchwork.patchwork import NewCheck, PostedSeries
from support.rig import ROOM, Rig

pytestmark = pytest.mark.slow

OTHER = RoomId("!other:hs")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def pass_by(rig: Rig, bot: Bot, seconds: float) -> None:
    """Let *seconds* pass, and do what is due then."""
    rig.clock.advance(seconds)
    await bot.settle()


async def posted(rig: Rig, bot: Bot, patches: int = 2) -> PostedSeries:
    """A series whose card was posted ten minutes ago."""
    await bot.settle()
    series = rig.post("migration/ram.c", name="migration: Fix it", patches=patches)
    await rig.poll(bot, times=10)
    assert len(rig.chat.posted) == 1
    return series


def lines(rig: Rig, room: RoomId = ROOM) -> list[str]:
    """What the room's one card says by now."""
    [shown] = rig.chat.shown(room)
    return shown.splitlines()


def edits(rig: Rig, room: RoomId = ROOM) -> int:
    return len(rig.chat.edits(room))


async def test_a_state_is_shown_five_seconds_after_it_is_seen(rig: Rig) -> None:
    async with rig.running() as bot:
        series = await posted(rig, bot)
        rig.patchwork.set_state(series.patches[0], "accepted")
        await bot.settle()
        before = lines(rig)

        await pass_by(rig, bot, 5)

    assert "New · no reviews yet" in before
    assert "Accepted 1 of 2, New 1 · no reviews yet" in lines(rig)
    [edit] = rig.chat.edits(ROOM)
    card = rig.chat.posted[0]
    assert (edit.message.edits, edit.message.tag.kind, edit.message.rings) == (card.event, "card", False)
    assert edit.message.tag.key == f"edit/1/{card.message.tag.key}"


async def test_a_burst_of_a_hundred_states_over_two_polls_is_one_edit(rig: Rig) -> None:
    async with rig.running() as bot:
        series = await posted(rig, bot, patches=100)
        for patch in series.patches[:50]:
            rig.patchwork.set_state(patch, "accepted")
        await bot.settle()
        for patch in series.patches[50:]:
            rig.patchwork.set_state(patch, "accepted")
        await pass_by(rig, bot, 2)

        await rig.poll(bot, times=90)

    assert edits(rig) == 1
    assert "Accepted" in lines(rig)


async def test_states_that_come_one_by_one_are_shown_once_a_minute(rig: Rig) -> None:
    async with rig.running() as bot:
        series = await posted(rig, bot, patches=30)

        for patch in series.patches:
            rig.patchwork.set_state(patch, "accepted")
            await pass_by(rig, bot, 6)
        await rig.poll(bot, times=2)

    assert edits(rig) == 4  # in three minutes: at once, and after each of them
    assert "Accepted" in lines(rig)


async def test_a_comment_is_counted_when_ten_minutes_were_quiet(rig: Rig) -> None:
    async with rig.running() as bot:
        series = await posted(rig, bot)
        rig.patchwork.add_comment(series.patches[0], "Reviewed-by: Rey Viewer <rey@example.com>\n")
        await rig.poll(bot, times=5)
        rig.patchwork.add_comment(series.patches[1], "Acked-by: Rey Viewer <rey@example.com>\n")
        await rig.poll(bot, times=10)
        before = edits(rig)

        await rig.poll(bot, times=2)

    assert (before, edits(rig)) == (0, 1)
    assert "New · 👍 1 of 2 reviewed, 1 acked" in lines(rig)


async def test_the_life_of_a_series_of_eighteen_patches_is_told_in_four_edits(rig: Rig) -> None:
    async with rig.running() as bot:
        series = await posted(rig, bot, patches=18)
        for patch in series.patches:
            rig.patchwork.set_state(patch, "under-review")
        await rig.poll(bot, times=2)
        for number, state in enumerate(("success", "success", "fail", "success", "success")):
            rig.patchwork.add_check(series.patches[number], NewCheck(state, f"context-{number}"))
        await rig.poll(bot, times=2)
        failed = lines(rig)
        rig.patchwork.add_check(series.patches[2], NewCheck("success", "context-2"))
        await rig.poll(bot, times=2)
        for _ in range(2):  # the same person twice counts once, and a quotation not at all
            rig.patchwork.add_comment(series.patches[0], "Reviewed-by: Rey Viewer <rey@example.com>\n")
        rig.patchwork.add_comment(series.patches[1], "> Tested-by: Rey Viewer <rey@example.com>\n\nDid you?\n")
        await rig.poll(bot, times=90)

    assert any("❌" in line for line in failed)
    assert edits(rig) == 4
    assert not any("❌" in line for line in lines(rig))
    assert any(line == "Under Review · ✅ CI all 5 ok · 👍 1 of 18 reviewed" for line in lines(rig))


async def test_what_went_and_came_back_is_no_edit(rig: Rig) -> None:
    async with rig.running() as bot:
        series = await posted(rig, bot)
        rig.patchwork.set_state(series.patches[0], "accepted")
        await bot.settle()
        rig.patchwork.set_state(series.patches[0], "new")

        await pass_by(rig, bot, 2)
        await rig.poll(bot, times=5)

    assert edits(rig) == 0


async def test_each_room_sees_its_own_card_change(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/",), OTHER: ("from:@example.org",)}
    rig.direct = frozenset({OTHER})
    async with rig.running() as bot:
        await bot.settle()
        series = rig.post("migration/ram.c", patches=2)
        await rig.poll(bot)
        rig.patchwork.set_state(series.patches[0], "accepted")

        await rig.poll(bot, times=2)

    assert [edit.message.rings for edit in (*rig.chat.edits(ROOM), *rig.chat.edits(OTHER))] == [False, True]
    assert all("Accepted 1 of 2, New 1 · no reviews yet" in lines(rig, room) for room in (ROOM, OTHER))


async def test_cards_go_on_being_edited_after_a_restart_and_none_is_posted_again(rig: Rig) -> None:
    async with rig.running() as bot:
        series = await posted(rig, bot)
        rig.patchwork.set_state(series.patches[0], "accepted")
        await bot.settle()  # seen, and not yet shown

    async with rig.running() as bot:
        await pass_by(rig, bot, 5)
    first = edits(rig)
    rig.patchwork.set_state(series.patches[1], "accepted")
    for _ in range(3):
        async with rig.running() as bot:
            await rig.poll(bot, times=2)

    assert (first, edits(rig)) == (1, 2)
    assert "Accepted" in lines(rig)


async def test_a_card_that_a_moderator_took_back_is_left_alone(rig: Rig) -> None:
    async with rig.running() as bot:
        series = await posted(rig, bot)
        rig.patchwork.set_state(series.patches[0], "accepted")
        await bot.settle()
        card = rig.chat.posted[0].event
        await DatabaseSession(bot.store, UserId("@bot:hs")).save(SessionUpdate(events=(EventRedacted(ROOM, card),)))

        await rig.poll(bot, times=2)
    rig.patchwork.set_state(series.patches[1], "accepted")
    async with rig.running() as bot:
        await rig.poll(bot, times=40)

    assert [post.event for post in rig.chat.posted] == [EventId(card)]


async def test_a_card_freezes_after_sixty_days(rig: Rig) -> None:
    async with rig.running() as bot:
        series = await posted(rig, bot)
        rig.clock.advance(61 * 24 * 3600)
        await bot.settle()
        rig.patchwork.set_state(series.patches[0], "accepted")

        await rig.poll(bot, times=5)

    assert len(rig.chat.posted) == 1


async def test_a_series_that_is_forgotten_has_nothing_to_show(rig: Rig) -> None:
    async with rig.running() as bot:
        series = await posted(rig, bot)
        rig.patchwork.set_state(series.patches[0], "accepted")
        await bot.settle()
        with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
            database.execute("DELETE FROM patch")

        await pass_by(rig, bot, 5)

        with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
            assert database.execute("SELECT due_at, edits FROM card").fetchall() == [(None, 0)]
    assert len(rig.chat.posted) == 1


async def test_a_card_that_cannot_be_composed_holds_up_no_other(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/",), OTHER: ("path:migration/",)}
    async with rig.running() as bot:
        await bot.settle()
        series = rig.post("migration/ram.c", patches=2)
        await rig.poll(bot)
        with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
            database.execute("UPDATE card SET why = '[[]]' WHERE room = ?", (OTHER,))
        rig.patchwork.set_state(series.patches[0], "accepted")

        await rig.poll(bot, times=3)

    assert (edits(rig), edits(rig, OTHER)) == (1, 0)


async def test_more_cards_than_a_batch_are_all_edited(rig: Rig) -> None:
    rooms = [RoomId(f"!room{number}:hs") for number in range(120)]
    rig.subscribe = dict.fromkeys(rooms, ("path:migration/",))
    async with rig.running() as bot:
        await bot.settle()
        series = rig.post("migration/ram.c", patches=2)
        await rig.poll(bot)
        rig.patchwork.set_state(series.patches[0], "accepted")
        await bot.settle()

        await pass_by(rig, bot, 5)

    assert [edits(rig, room) for room in rooms] == [1] * 120


async def test_states_are_spelt_as_the_server_does_on_cards_and_below_them(rig: Rig) -> None:
    rig.patchwork.add_state("Needs ACK")
    rig.subscribe = {ROOM: ("path:migration/ on:new,state",)}
    async with rig.running() as bot:
        series = await posted(rig, bot)
        for patch, state in zip(series.patches, ("rfc", "needs-ack"), strict=True):
            rig.patchwork.set_state(patch, state)
        await rig.poll(bot)
        await pass_by(rig, bot, 90)

    said = "\n".join(post.message.body for post in rig.chat.posted)
    assert "Needs ACK 1 of 2, RFC 1" in said
    assert "RFC, 1 of 2 patches (was New: " in said
    assert "Needs ACK, 1 of 2 patches (was New: " in said
