"""What rooms hear of changes: replies below cards, and cards that a change brings, in virtual time."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.app import Bot
from bot.delivery.chat import PostedMessage
from bot.ids import RoomId
from bot.sample_patchwork.patchwork import NewCheck, PostedSeries
from support.rig import ROOM, Rig
from support.titles import title_of

pytestmark = pytest.mark.slow

OTHER = RoomId("!other:hs")
REVIEW = "Looks good.\n\nReviewed-by: Rey Viewer <rey@example.com>\n"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def of_kind(rig: Rig, kind: str, room: RoomId = ROOM) -> list[PostedMessage]:
    """What was posted in a room, without edits."""
    posts = (post for post in rig.chat.posted if post.room == room and post.message.edits is None)
    return [post for post in posts if post.message.tag.kind == kind]


def replies(rig: Rig, room: RoomId = ROOM) -> list[str]:
    return [post.message.body for post in of_kind(rig, "reply", room)]


def cards(rig: Rig, room: RoomId = ROOM) -> list[str]:
    return [title_of(post.message.body) for post in of_kind(rig, "card", room)]


async def arrived(rig: Rig, bot: Bot, patches: int = 3) -> PostedSeries:
    """A series of several patches to migration/ram.c, read by the bot."""
    await bot.settle()
    posted = rig.post("migration/ram.c", name="migration: Fix it", patches=patches)
    await rig.poll(bot)
    return posted


async def test_a_burst_of_states_is_one_reply_in_the_thread_of_the_card(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,state",), OTHER: ("path:migration/",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        for patch in posted.patches[:2]:
            rig.patchwork.set_state(patch, "accepted")

        await rig.poll(bot, times=4)

    [card], [reply] = of_kind(rig, "card"), of_kind(rig, "reply")
    assert reply.message.body == "✅ Accepted, 2 of 3 patches (was New: 1/3, 2/3)"
    assert reply.message.thread == card.event
    assert (reply.message.tag.series, reply.message.tag.version, reply.message.rings) == (posted.series, 1, False)
    assert replies(rig, OTHER) == []
    assert len(cards(rig, OTHER)) == 1


async def test_a_change_that_on_names_brings_the_card_and_the_reply_below_it(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:state",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        assert cards(rig) == []
        rig.patchwork.set_state(posted.patches[2], "rejected")

        await rig.poll(bot, times=3)

    [card], [reply] = of_kind(rig, "card"), of_kind(rig, "reply")
    assert "New 2 of 3, Rejected 1" in card.message.body
    assert (reply.message.body, reply.message.thread) == ("❌ Rejected, 1 of 3 patches (was New: 3/3)", card.event)


async def test_a_state_that_is_wanted_brings_a_card_when_it_comes_true_and_once(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ state:accepted",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        assert cards(rig) == []
        rig.patchwork.set_state(posted.patches[0], "accepted")
        await rig.poll(bot, times=3)
        assert (cards(rig), replies(rig)) == (["migration: Fix it"], [])

        rig.patchwork.set_delegate(posted.patches[0], "maintainer")
        await rig.poll(bot, times=3)
        assert (cards(rig), replies(rig)) == (["migration: Fix it"], [])

        rig.patchwork.set_state(posted.patches[1], "accepted")
        await rig.poll(bot, times=3)

    assert (cards(rig), replies(rig)) == (["migration: Fix it"], ["✅ Accepted, 2 of 3 patches (was New: 1/3, 2/3)"])


async def test_a_transition_is_heard_when_it_happens_and_no_other(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ state:new->accepted",), OTHER: ("state:*->rejected",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.set_state(posted.patches[0], "rejected")
        await rig.poll(bot, times=3)
        rig.patchwork.set_state(posted.patches[0], "accepted")
        await rig.poll(bot, times=3)
        assert (cards(rig), cards(rig, OTHER)) == ([], ["migration: Fix it"])

        rig.patchwork.set_state(posted.patches[1], "accepted")
        await rig.poll(bot, times=3)

    assert (cards(rig), replies(rig), replies(rig, OTHER)) == (["migration: Fix it"], [], [])


async def test_a_check_that_fails_is_told_each_time_it_comes_to_fail(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ check:fail",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        for state in ("fail", "success", "fail", "fail"):
            rig.patchwork.add_check(posted.patches[1], NewCheck(state, "build/x"))
            await rig.poll(bot, times=3)

    assert cards(rig) == ["migration: Fix it"]  # the first one brought it
    assert replies(rig) == ["❌ x: failed on 2/3"]


async def test_checks_that_on_names_are_grouped(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,checks",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        for context, state in (("build/x", "success"), ("build/y", "success"), ("checkpatch", "warning")):
            for patch in posted.patches:
                rig.patchwork.add_check(patch, NewCheck(state, context))
        await rig.poll(bot, times=3)
        for patch in posted.patches[:2]:
            rig.patchwork.add_check(patch, NewCheck("fail", "build/x"))
        await rig.poll(bot, times=3)

    assert replies(rig) == [
        "⚠️ checkpatch: warning on all 3 patches\n✅ x, y: ok on all 3 patches",
        "❌ x: failed on 1/3, 2/3 · 3/3 ok",
    ]


async def test_a_review_that_is_wanted_brings_a_card(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ is:reviewed",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.add_comment(posted.patches[0], "What about the tests?")
        await rig.poll(bot, times=12)
        assert cards(rig) == []

        rig.patchwork.add_comment(posted.patches[0], REVIEW)
        await rig.poll(bot, times=12)

    [card] = of_kind(rig, "card")
    assert "1 of 3 reviewed" in card.message.body
    assert replies(rig) == []


async def test_a_review_of_a_series_without_a_card_is_heard_by_who_named_states(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:state",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.add_comment(posted.patches[0], REVIEW)

        await rig.poll(bot, times=12)

    assert (cards(rig), replies(rig)) == (
        ["migration: Fix it"],
        ["👍 reviewed by Rey Viewer on 1/3"],
    )


async def test_comments_of_a_burst_are_one_reply(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,comments",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        assert posted.cover is not None
        rig.patchwork.add_comment(posted.patches[0], REVIEW)
        rig.patchwork.add_comment(posted.patches[1], "> Fix it\nWhy?\n", submitter="Kim <kim@example.com>")
        rig.patchwork.add_cover_comment(posted.cover, "Thanks for this.")

        await rig.poll(bot, times=3)

    [reply] = replies(rig)
    assert sorted(reply.split("\n")) == sorted(
        [
            "💬 Rey Viewer on 1/3: Reviewed-by",
            "> Looks good.",
            "💬 Kim on 2/3",
            "> Why?",
            "💬 Rey Viewer on the cover letter",
            "> Thanks for this.",
        ]
    )


async def test_a_comment_on_a_series_without_a_card_brings_it(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:comment",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.add_comment(posted.patches[2], "Why?")
        await rig.poll(bot, times=3)

    assert (cards(rig), replies(rig)) == (["migration: Fix it"], ["💬 Rey Viewer on 3/3\n> Why?"])


async def test_what_went_and_came_back_is_not_told(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,state",)}
    rig.poll_seconds = 10
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.set_state(posted.patches[0], "accepted")
        await rig.poll(bot)
        rig.patchwork.set_state(posted.patches[0], "new")
        await rig.poll(bot, times=12)

    assert replies(rig) == []
    assert queued(rig) == 0


async def test_what_happens_within_a_minute_of_the_first_is_told_with_it(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,state",)}
    rig.poll_seconds = 10
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        for patch in posted.patches:
            rig.patchwork.set_state(patch, "accepted")
            await rig.poll(bot, times=2)
        assert replies(rig) == []
        await rig.poll(bot)
        assert replies(rig) == ["✅ Accepted, all 3 patches (was New)"]

        rig.patchwork.set_state(posted.patches[0], "rejected")
        await rig.poll(bot, times=12)

    assert replies(rig)[1:] == ["❌ Rejected, 1 of 3 patches (was Accepted: 1/3)"]


async def test_a_restart_in_the_middle_of_a_group_loses_nothing_and_repeats_nothing(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,state",)}
    rig.poll_seconds = 20
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.set_state(posted.patches[0], "accepted")
        await rig.poll(bot)
    async with rig.running() as bot:
        rig.patchwork.set_state(posted.patches[1], "accepted")
        await rig.poll(bot)
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
    async with rig.running() as bot:
        await rig.poll(bot, times=10)

    assert replies(rig) == ["✅ Accepted, 2 of 3 patches (was New: 1/3, 2/3)"]


async def test_a_reply_that_cannot_be_written_stays_queued(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,state",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.set_state(posted.patches[0], "accepted")
        await rig.poll(bot)
        with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
            database.execute(
                "CREATE TRIGGER broken BEFORE INSERT ON notice WHEN NEW.lane = 2 BEGIN SELECT RAISE(ABORT, 'x'); END"
            )
        await rig.poll(bot)
        with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
            database.execute("DROP TRIGGER broken")

        await rig.poll(bot, times=3)

    assert replies(rig) == ["✅ Accepted, 1 of 3 patches (was New: 1/3)"]


async def test_below_a_card_that_was_taken_away_nothing_is_said_and_no_other_comes(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,state",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.set_state(posted.patches[0], "accepted")
        await rig.poll(bot)
        [card] = of_kind(rig, "card")
        async with bot.store.transaction() as tx:
            await tx.cards.redacted(ROOM, card.event)
        rig.patchwork.set_state(posted.patches[1], "accepted")

        await rig.poll(bot, times=3)

    assert (len(cards(rig)), replies(rig), queued(rig)) == (1, [], 0)


async def test_a_change_after_the_room_was_replaced_brings_the_card_there(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,state",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.set_state(posted.patches[0], "accepted")
        await rig.poll(bot)
        async with bot.store.transaction() as tx:
            await tx.session.move(ROOM, OTHER)
        bot.rooms.listeners.move(ROOM, OTHER)
        await rig.poll(bot, times=3)
        assert (replies(rig), replies(rig, OTHER), cards(rig, OTHER)) == ([], [], [])

        rig.patchwork.set_state(posted.patches[1], "accepted")
        await rig.poll(bot, times=3)

    assert replies(rig) == []
    assert (cards(rig, OTHER), replies(rig, OTHER)) == (
        ["migration: Fix it"],
        ["✅ Accepted, 2 of 3 patches (was New: 1/3, 2/3)"],
    )


def queued(rig: Rig) -> int:
    """How many changes wait to be told."""
    with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
        count: int = database.execute("SELECT count(*) FROM queued_change").fetchone()[0]
        return count


@pytest.mark.parametrize(("polls", "part"), [(1, 2), (2, 2), (2, 1)])
async def test_all_patches_are_counted_where_the_room_asked_to_hear_of_one(rig: Rig, polls: int, part: int) -> None:
    rig.subscribe = {ROOM: (f"subject:part subject:{part} on:new,state",), OTHER: ("path:migration/ on:new,state",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        for patch in posted.patches[1:]:
            rig.patchwork.set_state(patch, "superseded")
        if polls == 2:
            await rig.poll(bot)
        rig.patchwork.set_state(posted.patches[0], "superseded")
        await rig.poll(bot, times=4)

    assert replies(rig)[-1] == "♻️ Superseded, all 3 patches (was New)"
    assert replies(rig, OTHER)[-1] == "♻️ Superseded, all 3 patches (was New)"


async def test_what_happened_long_before_is_not_counted_again(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,state",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        for patch in posted.patches[:2]:
            rig.patchwork.set_state(patch, "accepted")
        await rig.poll(bot, times=10)
        rig.patchwork.set_state(posted.patches[2], "accepted")
        await rig.poll(bot, times=4)

    assert replies(rig) == [
        "✅ Accepted, 2 of 3 patches (was New: 1/3, 2/3)",
        "✅ Accepted, all 3 patches (was New: 3/3)",
    ]


async def test_what_was_told_in_an_earlier_reply_is_not_counted_again(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,state,check",)}
    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.set_state(posted.patches[0], "accepted")
        await rig.poll(bot, times=3)
        rig.patchwork.add_check(posted.patches[0], NewCheck("success", "ci"))
        rig.patchwork.set_state(posted.patches[1], "accepted")
        await rig.poll(bot, times=3)

    assert replies(rig) == [
        "✅ Accepted, 1 of 3 patches (was New: 1/3)",
        "✅ Accepted, 2 of 3 patches (was New: 2/3)\n✅ ci: ok on 1/3",
    ]
