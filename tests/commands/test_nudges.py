# ruff: noqa: E501  # the answers as they are said
"""Reminders of one's own patches that nobody answers, in a direct chat: of each version once."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import sqlalchemy as sa
from inline_snapshot import snapshot

from bot.delivery.chat import PostedMessage
from bot.sample_patchwork.patchwork import PostedSeries
from support.people_rig import ANN, CHAT, People, a_rig, people
from support.rig import PROJECT, Rig, a_series

DAY = 24 * 3600
ME = "Bob <bob@example.org>"


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    """The people's rig over each kind of database."""
    rig = a_rig(tmp_path)
    if request.param == "postgresql":
        rig.url = str(request.getfixturevalue("migrated_postgres_url"))
    return rig


async def arrived(here: People, submitter: str = ME, name: str = "migration: Fix it", version: int = 1) -> PostedSeries:
    """A version of somebody's series arrives."""
    series = a_series("migration/ram.c", name=name, patches=2, version=version)
    posted = here.rig.patchwork.post_series(PROJECT, replace(series, submitter=submitter))
    await here.rig.poll(here.bot)
    return posted


async def pass_days(here: People, days: float) -> None:
    """Days pass without news."""
    await here.rig.pass_quietly(here.bot, days * DAY)
    await here.bot.settle()


def nudges(here: People) -> list[PostedMessage]:
    return [post for post in here.rig.chat.posted if post.message.tag.key.startswith("nudge/")]


async def prepared(here: People, after: str = "21d") -> str:
    """Bob's address is known, and he wants reminders; the answer to that."""
    await here.chat("me bob@example.org")
    return await here.chat(f"set nudge {after}")


async def test_of_a_patch_that_nobody_answers_its_author_is_reminded_once(rig: Rig) -> None:
    async with people(rig) as here:
        answer = await prepared(here)
        await arrived(here)
        await arrived(here, submitter="Eve <eve@example.org>", name="migration: Another's")
        await pass_days(here, 20.9)
        assert nudges(here) == []
        await pass_days(here, 0.2)
        await pass_days(here, 60)

    [reminder] = nudges(here)
    assert answer == snapshot("""\
nudge is now 21d (was off).
I will remind you here, once a version, when nothing has happened to a patch of yours for 21 days.
Undo: set nudge off\
""")
    assert (reminder.room, reminder.message.rings) == (CHAT, True)
    assert reminder.message.body == snapshot("""\
⏳ Nobody has answered this:
• [0/2] migration: Fix it — nothing for 21 days: New · no reviews yet
To get no such reminders: set nudge off\
""")
    assert reminder.message.html == snapshot(
        '<p>⏳ Nobody has answered this:</p><ul><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=1&amp;state=*&amp;archive=both">[0/2] migration: Fix it</a> — nothing for 21 days: New · no reviews yet</li></ul><p>To get no such reminders: <code>set nudge off</code></p>'
    )


async def test_what_happens_begins_the_time_anew(rig: Rig) -> None:
    async with people(rig) as here:
        await prepared(here, "10 days")
        posted = await arrived(here)
        await pass_days(here, 9)
        rig.patchwork.add_comment(posted.patches[0], "Ping?", submitter=ME)
        await rig.poll(here.bot, times=3)
        await pass_days(here, 9)
        rig.patchwork.set_state(posted.patches[0], "under-review")
        await rig.poll(here.bot, times=3)
        await pass_days(here, 9)
        assert nudges(here) == []
        await pass_days(here, 1.1)

    assert len(nudges(here)) == 1


async def test_each_version_has_its_reminder_and_a_superseded_one_none(rig: Rig) -> None:
    async with people(rig) as here:
        await prepared(here)
        await arrived(here)
        await pass_days(here, 20)
        await arrived(here, version=2)
        await pass_days(here, 20)
        assert nudges(here) == []
        await pass_days(here, 2)
        await arrived(here, version=3)
        await pass_days(here, 22)

    assert [post.message.body.splitlines()[1] for post in nudges(here)] == snapshot(
        [
            "• [v2 0/2] migration: Fix it — nothing for 22 days: New · no reviews yet",
            "• [v3 0/2] migration: Fix it — nothing for 22 days: New · no reviews yet",
        ]
    )


async def test_what_is_decided_or_waits_for_the_author_is_not_reminded_of(rig: Rig) -> None:
    async with people(rig) as here:
        await prepared(here)
        for state in ("accepted", "changes-requested"):
            posted = await arrived(here, name=f"migration: {state}")
            for patch in posted.patches:
                rig.patchwork.set_state(patch, state)
        await rig.poll(here.bot, times=3)
        await pass_days(here, 30)

    assert nudges(here) == []


async def test_whoever_owes_an_answer_is_not_reminded_until_they_have_given_it(rig: Rig) -> None:
    async with people(rig) as here:
        await prepared(here)
        posted = await arrived(here)
        here.rig.patchwork.add_comment(posted.patches[0], "Why?\n", submitter="Eve <eve@example.org>")
        await here.rig.poll(here.bot, times=3)
        await pass_days(here, 60)
        assert nudges(here) == []

        here.rig.patchwork.add_comment(posted.patches[0], "Because.\n", submitter=ME)
        await here.rig.poll(here.bot, times=3)
        await pass_days(here, 22)

    assert len(nudges(here)) == 1


async def test_what_is_unanswered_already_is_one_message(rig: Rig) -> None:
    async with people(rig) as here:
        for number in range(3):
            await arrived(here, name=f"migration: Part {number}")
        await pass_days(here, 22)
        await here.chat("me bob@example.org")
        await here.chat("set nudge 21d")
        await here.bot.settle()

    assert len(nudges(here)) == 1
    assert nudges(here)[0].message.body == snapshot("""\
⏳ Nobody has answered:
• [0/2] migration: Part 0 — nothing for 22 days: New · no reviews yet
• [0/2] migration: Part 1 — nothing for 22 days: New · no reviews yet
• [0/2] migration: Part 2 — nothing for 22 days: New · no reviews yet
To get no such reminders: set nudge off\
""")


async def test_a_restart_reminds_nobody_twice(rig: Rig) -> None:
    async with people(rig) as here:
        await prepared(here)
        await arrived(here)
    rig.clock.advance(22 * DAY)
    for _ in range(2):
        async with people(rig) as here:
            await here.bot.settle()

    assert len(nudges(here)) == 1


async def test_off_ends_it_and_a_muted_chat_is_reminded_later(rig: Rig) -> None:
    async with people(rig) as here:
        await prepared(here)
        await arrived(here)
        await here.chat("mute 25d")
        await pass_days(here, 22)
        assert nudges(here) == []
        await pass_days(here, 4)
        assert len(nudges(here)) == 1
        off = await here.chat("set nudge off")
        await arrived(here, name="migration: Another")
        await pass_days(here, 30)

    assert len(nudges(here)) == 1
    assert off == snapshot("""\
nudge is now off (was 21d).
Undo: set nudge 21d\
""")


async def test_it_is_refused_in_rooms_without_an_address_and_for_what_is_no_time(rig: Rig) -> None:
    async with people(rig) as here:
        refusals = [
            await here.say("set nudge 21d", ANN),
            await here.chat("set nudge 21d"),
            *[await here.chat(f"set nudge {value}") for value in ("2h", "9999d", "soon")],
        ]
        settings = await here.chat("settings")

    assert refusals == snapshot(
        [
            "nudge only applies to direct chats; it is about your own patches.",
            "I know no address of yours, so none of your patches. First type for example: me ada@example.org",
            "nudge is a number of days such as 21d, or off, not “2h”.",
            "nudge is a number of days such as 21d, or off, not “9999d”.",
            "nudge is a number of days such as 21d, or off, not “soon”.",
        ]
    )
    assert settings.splitlines()[5] == snapshot(
        "• nudge is off — after how long without an answer I remind you of a patch of yours, once a version (1d to 365d, or off)"
    )


async def test_a_new_address_is_looked_at_soon(rig: Rig) -> None:
    async with people(rig) as here:
        await here.chat("me other@example.org")
        await here.chat("set nudge 21d")
        await arrived(here)
        await pass_days(here, 22)
        assert nudges(here) == []
        await here.chat("me bob@example.org")
        await here.bot.settle()

    assert len(nudges(here)) == 1


async def looked_at(here: People) -> int:
    """Bob's chat is looked at; how many statements that costs."""
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = here.bot.store._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", count)
    await pass_days(here, 22)
    sa.event.remove(engine, "before_cursor_execute", count)
    return len(statements)


async def test_a_look_costs_as_many_statements_however_much_a_person_sent(rig: Rig) -> None:
    costs = []
    async with people(rig) as here:
        await prepared(here)
        for some in (1, 8):
            for number, state in product(range(some), ("accepted", "changes-requested")):
                posted = await arrived(here, name=f"migration: {some} {number} {state}")
                for patch in posted.patches:
                    rig.patchwork.set_state(patch, state)
            await rig.poll(here.bot, times=3)
            await looked_at(here)  # the cards are edited, too
            costs.append(await looked_at(here))

    assert costs[0] == costs[1]
    assert nudges(here) == []


async def test_of_a_project_that_is_not_watched_any_more_nobody_is_reminded(rig: Rig) -> None:
    rig.patchwork.add_project("other")
    rig.projects = (PROJECT, "other")
    async with people(rig) as here:
        await prepared(here)
        await here.arrives("migration/ram.c", name="migration: Elsewhere", submitter=ME, project="other")
    rig.projects = (PROJECT,)
    async with people(rig) as here:
        await pass_days(here, 22)

    assert nudges(here) == []


async def without_subscriptions(here: People) -> None:
    """Bob wants reminders, and no cards."""
    await prepared(here)
    for each in here.bot.rooms.listeners.in_room(CHAT):
        await here.chat(f"unsub {each.id}")
    assert here.bot.rooms.listeners.in_room(CHAT) == []


async def test_comments_are_read_of_what_somebody_may_be_reminded_of(rig: Rig) -> None:
    async with people(rig) as here:
        await without_subscriptions(here)
        posted = await arrived(here)
        here.rig.patchwork.add_comment(posted.patches[0], "Why?\n", submitter="Eve <eve@example.org>")
        await here.rig.poll(here.bot, times=3)
        await pass_days(here, 60)
        assert nudges(here) == []

        here.rig.patchwork.add_comment(posted.patches[0], "Because.\n", submitter=ME)
        await here.rig.poll(here.bot, times=3)
        await pass_days(here, 22)

    assert len(nudges(here)) == 1


async def test_of_what_has_comments_that_were_never_read_nobody_is_reminded(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await arrived(here, name="migration: Without any")
        here.rig.patchwork.add_comment(posted.patches[0], "Why?\n", submitter="Eve <eve@example.org>")
        await here.rig.poll(here.bot, times=3)
        await without_subscriptions(here)
        await pass_days(here, 60)

    assert [
        line for post in nudges(here) for line in post.message.body.splitlines() if "migration" in line
    ] == snapshot(["• [0/2] migration: Without any — nothing for 60 days: New · no reviews yet"])
