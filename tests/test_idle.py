"""What a bot with nothing to do asks of its database, and that it is on time all the same."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.backoff import USUAL
from bot.commands.rights import MemoryRoomRights
from bot.ids import EventId, UserId
from bot.notices.edit_schedule import GATHERING as EDITED_AFTER
from bot.notices.floods import QUIET
from bot.ops.duties import LOOK_SECONDS
from bot.store.inbox_book import InboxMessage
from bot.watch.thread_replies import GATHERING as TOLD_AFTER
from support.idle_rig import Watched, watched
from support.rig import ROOM, Rig

pytestmark = pytest.mark.slow

HOUR = 3600
ANN = UserId("@ann:hs")  # a moderator


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    room_rights = MemoryRoomRights(levels={(ROOM, ANN): 50})
    return Rig(tmp_path, subscribe={ROOM: ("path:migration/ on:new,state",)}, room_rights=room_rights)


async def test_an_idle_bot_makes_less_than_a_statement_a_second_and_writes_at_its_polls_alone(rig: Rig) -> None:
    polls = int(HOUR / rig.poll_seconds)
    async with watched(rig) as bot:
        await bot.pass_polls(1)
        rig.post("migration/ram.c")
        await bot.pass_polls(2)  # there is something that it keeps
        assert rig.titles() == ["A series"]
        bot.forget()

        await bot.pass_polls(polls)

        assert polls <= len(bot.statements) <= HOUR
        assert polls <= bot.write_transactions <= 2 * polls


async def test_an_edit_and_a_reply_come_at_the_moment_at_which_they_are_due(rig: Rig) -> None:
    async with watched(rig) as bot:
        card, patch = await with_a_card(rig, bot)
        rig.patchwork.set_state(patch, "accepted")
        await bot.poll()
        now = rig.clock.now()

        await bot.pass_time(HOUR)

    [edit, reply] = rig.chat.posted[1:]
    assert (edit.message.edits, edit.at - now) == (card, EDITED_AFTER)
    assert (reply.message.thread, reply.at - now) == (card, TOLD_AFTER)


async def test_a_digest_that_is_asked_for_a_second_before_its_minute_comes_then(rig: Rig) -> None:
    async with watched(rig) as bot:
        await bot.pass_polls(2)
        due = rig.clock.now() + timedelta(seconds=60)
        await bot.pass_time(59)
        await say(bot, f'subscribe path:docs/ digest:"daily {due:%H:%M}"')
        rig.post("docs/index.rst")
        await bot.poll()

        await bot.pass_time(HOUR)

    [answer, digest] = rig.chat.posted
    assert "digest" in answer.message.body
    assert ("A series" in digest.message.body, digest.at) == (True, due)


async def test_what_is_snoozed_is_back_at_its_moment(rig: Rig) -> None:
    async with watched(rig) as bot:
        await bot.pass_polls(1)
        posted = rig.post("migration/ram.c")
        await bot.pass_polls(2)
        now = rig.clock.now()
        await say(bot, f"snooze {posted.series} 2h")

        await bot.pass_time(3 * HOUR)

    *_, answer, back = rig.chat.posted
    assert answer.message.body.startswith("💤 Snoozed until")
    assert (back.message.body.startswith("💤 Back:"), back.at - now) == (True, timedelta(hours=2))


async def test_a_bot_that_only_waits_for_a_snooze_and_a_reminder_does_nothing_more(rig: Rig) -> None:
    polls = int(HOUR / rig.poll_seconds)
    async with watched(rig) as bot:
        await bot.pass_polls(1)
        posted = rig.post("migration/ram.c")
        await bot.pass_polls(2)
        await say(bot, f"follow {posted.series}")
        await say(bot, f"snooze {posted.series} 2w")
        async with bot.bot.store.transaction() as tx:
            await tx.nudges.set(ROOM, ANN)
        await bot.pass_polls(1)
        bot.forget()

        await bot.pass_polls(polls)

        assert polls <= len(bot.statements) <= HOUR
        assert polls <= bot.write_transactions <= 2 * polls


async def test_a_flood_is_told_of_when_nothing_more_of_it_came_for_a_minute(rig: Rig) -> None:
    async with watched(rig) as bot:
        await bot.pass_polls(1)
        for number in range(11):
            rig.post("migration/ram.c", name=f"series {number}")
        await bot.poll()
        now = rig.clock.now()

        await bot.pass_time(1)
        await bot.poll()
        await bot.pass_time(HOUR)

    assert rig.chat.posted[0].at - now == QUIET
    assert rig.titles()[0].startswith("11 series")


async def test_what_could_not_be_done_is_tried_again_when_its_time_comes(rig: Rig) -> None:
    async with watched(rig) as bot:
        card, patch = await with_a_card(rig, bot)
        change(rig, "card", "why = '[[]]'")
        rig.patchwork.set_state(patch, "accepted")
        await bot.poll()
        now = rig.clock.now()
        await bot.pass_time(EDITED_AFTER.total_seconds() + 1)
        change(rig, "card", 'why = \'[[1, "path:migration/", "migration/ram.c"]]\'')

        await bot.pass_time(30)

    [edit] = rig.chat.posted[1:]
    assert (edit.message.edits, edit.at - now) == (card, EDITED_AFTER + USUAL.first)


async def test_a_command_is_answered_at_once(rig: Rig) -> None:
    async with watched(rig) as bot:
        await bot.pass_polls(1)
        now = rig.clock.now()

        await say(bot, "version")

    assert [post.at for post in rig.chat.posted] == [now]


async def test_what_became_due_while_the_bot_was_away_is_done_at_its_start(rig: Rig) -> None:
    async with watched(rig) as bot:
        card, patch = await with_a_card(rig, bot)
        rig.patchwork.set_state(patch, "accepted")
        await bot.poll()
    rig.clock.advance(HOUR)
    now = rig.clock.now()

    async with watched(rig):
        pass

    assert [(post.message.edits or post.message.thread, post.at) for post in rig.chat.posted[1:]] == [(card, now)] * 2


@pytest.mark.parametrize("by", [timedelta(days=1), -timedelta(days=1)], ids=["back", "forward"])
async def test_a_clock_that_is_set_costs_half_a_minute_at_most(rig: Rig, by: timedelta) -> None:
    async with watched(rig) as bot:
        card, patch = await with_a_card(rig, bot)
        rig.patchwork.set_state(patch, "accepted")
        await bot.poll()
        rig.clock.set_back(by)
        now = rig.clock.now()

        await bot.pass_time(HOUR)

    [edit, reply] = sorted(rig.chat.posted[1:], key=lambda post: post.message.edits is None)
    assert (edit.message.edits, reply.message.thread) == (card, card)
    assert edit.at - now <= EDITED_AFTER + timedelta(seconds=LOOK_SECONDS)
    assert reply.at - now <= TOLD_AFTER + timedelta(seconds=LOOK_SECONDS)


async def test_what_another_program_writes_is_found_within_half_a_minute(rig: Rig) -> None:
    async with watched(rig) as bot:
        await with_a_card(rig, bot)
        change(rig, "notice", "state = 'waiting', event = NULL, attempts = 0")

        await bot.pass_time(LOOK_SECONDS)

    assert rig.chat.sends == 2


async def with_a_card(rig: Rig, bot: Watched) -> tuple[EventId, int]:
    """A room has a card of a series; its event, and the patch of it."""
    await bot.pass_polls(1)
    [patch] = rig.post("migration/ram.c").patches
    await bot.pass_polls(2)
    [card] = rig.chat.posted
    return card.event, patch


async def say(bot: Watched, text: str) -> None:
    """A moderator types a command."""
    now = bot.clock.now()
    await bot.bot.receive(InboxMessage(ROOM, EventId(f"${now:%s}"), ANN, f"!pw {text}", now))
    await bot.rest()


def change(rig: Rig, table: str, values: str) -> None:
    """Another program writes into the rows of a table."""
    with closing(sqlite3.connect(rig.folder / "bot.db", isolation_level=None)) as database:
        database.execute(f"UPDATE {table} SET {values}")  # noqa: S608  # a test's own words
