# ruff: noqa: E501  # the answers as they are said
"""What is snoozed in a chat, and how it comes back: once, with the reason."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.delivery.chat import PostedMessage
from bot.sample_patchwork.patchwork import PostedSeries
from bot.submission import SubmissionKind, SubmissionRef
from support.people_rig import ANN, BOB, CHAT, People, a_rig, people
from support.rig import ROOM, Rig

DAY = 24 * 3600


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    """The people's rig over each kind of database."""
    rig = a_rig(tmp_path)
    if request.param == "postgresql":
        rig.url = str(request.getfixturevalue("migrated_postgres_url"))
    return rig


async def arrived(here: People, name: str = "migration: Fix it", version: int = 1) -> PostedSeries:
    """A version of a series arrives."""
    posted = here.rig.post("migration/ram.c", name=name, patches=2, version=version)
    await here.rig.poll(here.bot)
    return posted


async def pass_days(here: People, days: float) -> None:
    """Days pass without news."""
    await here.rig.pass_quietly(here.bot, days * DAY)
    await here.bot.settle()


def returns(here: People) -> list[PostedMessage]:
    return [post for post in here.rig.chat.posted if post.message.tag.kind == "queue"]


async def snoozed(here: People, room: object = ROOM) -> set[int]:
    """The ids of the series that are out of a room's queue now."""
    async with here.bot.store.reading() as tx:
        return {about.id for about in await tx.snoozes.refs(room)}  # type: ignore[arg-type]


async def test_what_is_snoozed_for_a_time_is_back_once_then(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        answer = await here.say(f"snooze {posted.series} 2w")
        assert await snoozed(here) == {posted.series}
        await pass_days(here, 13.9)
        assert returns(here) == []
        await pass_days(here, 0.2)
        await pass_days(here, 30)

        assert await snoozed(here) == set()
    [back] = returns(here)
    assert answer == snapshot("""\
💤 Snoozed until Thu 2026-01-15 00:01 (UTC): [0/2] migration: Fix it
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it or a new version comes.
Undo: !pw unsnooze 1\
""")
    assert back.room == ROOM
    assert back.message.body == snapshot("💤 Back: [0/2] migration: Fix it — its time is over")
    assert back.message.html == snapshot(
        '<p>💤 Back: <a href="https://patchwork.example.org/project/qemu-devel/list/?series=1&amp;state=*&amp;archive=both">[0/2] migration: Fix it</a> — its time is over</p>'
    )


async def test_what_is_snoozed_until_a_day_is_back_when_it_begins_in_the_zone_of_the_chat(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.say("set timezone America/New_York")
        answer = await here.say(f"snooze {posted.series} until 2026-01-08")
        await pass_days(here, 7.19)  # 23:45 there
        assert returns(here) == []
        await pass_days(here, 0.02)

        assert len(returns(here)) == 1
    assert answer == snapshot("""\
💤 Snoozed until Thu 2026-01-08 00:00 (America/New_York): [0/2] migration: Fix it
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it or a new version comes.
Undo: !pw unsnooze 1\
""")


async def test_a_restart_brings_nothing_back_twice_and_loses_nothing(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.say(f"snooze {posted.series} 2w")
    rig.clock.advance(15 * DAY)
    for _ in range(2):
        async with people(rig) as here:
            await here.bot.settle()

    assert [post.message.body for post in returns(here)] == ["💤 Back: [0/2] migration: Fix it — its time is over"]


async def test_a_new_version_brings_back_what_is_snoozed_for_a_time(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.say(f"snooze {posted.series} 2w")
        await arrived(here, version=2)
        await pass_days(here, 30)

        assert await snoozed(here) == set()
    assert [post.message.body for post in returns(here)] == snapshot(
        ["💤 Back: [v2 0/2] migration: Fix it — a new version came"]
    )


async def test_what_waits_for_a_version_stays_away_until_that_comes(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        too_late = await here.say(f"snooze {posted.series} until v99")
        answer = await here.say(f"snooze {posted.series} until v3")
        second = await arrived(here, version=2)
        assert returns(here) == []
        assert await snoozed(here) == {second.series}
        await arrived(here, version=3)
        await pass_days(here, 30)

    assert too_late == "v99 may never come; this is v1. Wait for v11 at most."
    assert answer == snapshot("""\
💤 Snoozed until v3 comes: [0/2] migration: Fix it
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it.
Undo: !pw unsnooze 1\
""")
    assert [post.message.body for post in returns(here)] == snapshot(["💤 Back: [v3 0/2] migration: Fix it — v3 came"])


async def test_a_comment_brings_it_back(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.say(f"snooze {posted.series} until v7")
        here.rig.patchwork.add_comment(posted.patches[0], "Ping?")
        await here.rig.poll(here.bot, times=2)
        await arrived(here, version=7)

    assert [post.message.body for post in returns(here)] == snapshot(
        ["💤 Back: [0/2] migration: Fix it — Rey Viewer commented"]
    )


async def test_a_comment_of_a_robot_does_not_bring_it_back(rig: Rig) -> None:
    robot = "kernel test robot <lkp@intel.com>"
    async with people(rig) as here:
        posted = await arrived(here)
        await here.say(f"snooze {posted.series} until v7")
        here.rig.patchwork.add_comment(posted.patches[0], "It builds.", submitter=robot)
        await here.rig.poll(here.bot, times=2)
        assert returns(here) == []
        here.rig.patchwork.add_comment(posted.patches[0], "It fails.", submitter=robot)
        here.rig.patchwork.add_comment(posted.patches[0], "Ping?")
        await here.rig.poll(here.bot, times=2)

    assert [post.message.body for post in returns(here)] == snapshot(
        ["💤 Back: [0/2] migration: Fix it — Rey Viewer commented"]
    )


async def test_what_is_back_at_once_is_one_message(rig: Rig) -> None:
    async with people(rig) as here:
        for number in range(3):
            posted = await arrived(here, name=f"migration: Part {number}")
            await here.say(f"snooze {posted.series} until 2026-01-08")
        await pass_days(here, 8)

    [back] = returns(here)
    assert back.message.body == snapshot("""\
💤 Back: 3 submissions
• [0/2] migration: Part 0 — its time is over
• [0/2] migration: Part 1 — its time is over
• [0/2] migration: Part 2 — its time is over\
""")
    assert back.message.html == snapshot(
        '<p>💤 Back: 3 submissions</p><ul><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=1&amp;state=*&amp;archive=both">[0/2] migration: Part 0</a> — its time is over</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=2&amp;state=*&amp;archive=both">[0/2] migration: Part 1</a> — its time is over</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=3&amp;state=*&amp;archive=both">[0/2] migration: Part 2</a> — its time is over</li></ul>'
    )


async def test_what_was_decided_meanwhile_does_not_come_back(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.say(f"snooze {posted.series} 2w")
        for patch in posted.patches:
            here.rig.patchwork.set_state(patch, "accepted")
        await here.rig.poll(here.bot)
        await pass_days(here, 15)

        assert returns(here) == []
        assert await snoozed(here) == set()


async def test_a_muted_room_is_told_of_nothing_that_is_back(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.say(f"snooze {posted.series} 1d")
        await here.say("mute")
        await pass_days(here, 2)

        assert returns(here) == []
        assert await snoozed(here) == set()


async def test_each_chat_has_its_own_and_only_moderators_snooze_in_a_room(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        refusal = await here.say(f"snooze {posted.series} 1d", BOB)
        in_chat = await here.chat(f"snooze {posted.series} 1d")
        assert await snoozed(here) == set()
        assert await snoozed(here, CHAT) == {posted.series}
        listed = await here.say("snooze", BOB)
        await pass_days(here, 2)

    assert refusal == snapshot("""\
Only moderators may change what is posted here (power level 50; yours is 0).
Ask one of them, or subscribe for yourself: write to me in a direct chat.\
""")
    assert in_chat == snapshot("""\
💤 Snoozed until tomorrow 00:01 (UTC): [0/2] migration: Fix it
It is out of your queues and stale lists, and comes back sooner if somebody comments on it or a new version comes.
Undo: unsnooze 1\
""")
    assert listed == snapshot(
        "Nothing is snoozed here. To take something out of the queue for a while: !pw snooze 2194095 2w"
    )
    assert [(post.room, post.message.rings) for post in returns(here)] == [(CHAT, True)]


async def test_the_undo_restores_what_was_before(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.say(f"snooze {posted.series} until 2026-01-08")
        again = await here.say(f"snooze {posted.series} until v2")
        ended = await here.say(f"unsnooze {posted.series}")
        undone = await here.say(ended.splitlines()[-1].removeprefix("Undo: !pw "))
        off = await here.say(f"snooze {posted.series} off")
        not_there = await here.say(f"unsnooze {posted.series}")

    assert again.splitlines()[-1] == snapshot("Undo: !pw snooze 1 until 2026-01-08 00:00")
    assert ended == snapshot("""\
No longer snoozed: [0/2] migration: Fix it
Undo: !pw snooze 1 until v2\
""")
    assert "until v2" in undone
    assert off == ended
    assert not_there == snapshot("That is not snoozed here. What is: !pw snooze")


async def test_in_reply_to_a_card_the_newest_version_is_meant(rig: Rig) -> None:
    async with people(rig) as here:
        await here.say("sub path:migration/")
        await arrived(here)
        card = here.cards()[0]
        second = await arrived(here, version=2)
        answer = await here.say("snooze until the next version", ANN, reply_to=card.event)

        assert await snoozed(here) == {second.series}
        mistakes = [
            await here.say("snooze 2h"),
            await here.say(f"snooze {second.series}"),
            await here.say(f"snooze {second.series} until v2"),
        ]
    assert answer == snapshot("""\
💤 Snoozed until v3 comes: [v2 0/2] migration: Fix it
It is out of this room's queues and stale lists, and comes back sooner if somebody comments on it.
Undo: !pw unsnooze 2\
""")
    assert mistakes == snapshot(
        [
            """\
Which one? Name it, or type this in reply to a card.
Example: !pw snooze 2194095 2w
To pause everything that I post here instead: !pw mute 2h\
""",
            "Until when? Say it after the patch or series, for example: 2w, until 2026-12-24, or until v7.",
            "v2 of it has come. To wait for the next one: until v3",
        ]
    )


async def test_the_list_goes_on_where_it_ends(rig: Rig) -> None:
    async with people(rig) as here:
        empty = await here.say("snooze")
        for number in range(32):
            posted = await arrived(here, name=f"migration: Part {number}")
            await here.say(f"snooze {posted.series} {number + 1}d" if number else f"snooze {posted.series} until v2")
        listed = await here.say("snoozed")
        html = here.html
        rest = await here.say("snooze from 31")

    assert empty == snapshot(
        "Nothing is snoozed here. To take something out of the queue for a while: !pw snooze 2194095 2w"
    )
    assert listed.splitlines()[:3] + listed.splitlines()[-2:] == snapshot(
        [
            "💤 32 submissions snoozed here",
            "• 2 · [0/2] migration: Part 1 — until Sat 2026-01-03 00:02, by @ann:hs",
            "• 3 · [0/2] migration: Part 2 — until Sun 2026-01-04 00:03, by @ann:hs",
            "… and 2 more: !pw snooze from 31",
            "End one: !pw unsnooze 2",
        ]
    )
    assert html.splitlines()[:3] == snapshot(
        [
            "<p><strong>💤 32 submissions snoozed here</strong></p>",
            "<ul>",
            '<li><strong>2</strong> · <a href="https://patchwork.example.org/project/qemu-devel/list/?series=2&amp;state=*&amp;archive=both">[0/2] migration: Part 1</a> — until Sat 2026-01-03 00:02, by @ann:hs</li>',
        ]
    )
    assert rest == snapshot("""\
💤 32 submissions snoozed here
• 32 · [0/2] migration: Part 31 — until Mon 2026-02-02 00:32, by @ann:hs
• 1 · [0/2] migration: Part 0 — until v2, by @ann:hs
End one: !pw unsnooze 2\
""")


async def test_what_is_snoozed_is_in_no_stale_list_of_its_room(rig: Rig) -> None:
    async with people(rig) as here:
        await here.say('sub stale:1d digest:"daily 09:00"')
        first, second = await arrived(here, name="migration: One"), await arrived(here, name="migration: Two")
        await here.say(f"snooze {first.series} 2w")
        await pass_days(here, 2)
        in_room, in_chat = await here.say("find stale:1d"), await here.chat("find stale:1d")
        digests = [post.message.body for post in here.rig.chat.posted if post.message.tag.kind == "digest"]

    assert ("One" in in_room, "Two" in in_room) == (False, True)
    assert ("One" in in_chat, "Two" in in_chat) == (True, True)
    assert [("One" in body, "Two" in body) for body in digests] == [(False, True)]
    assert second.series != first.series


async def test_a_rebuilt_server_and_a_moved_room(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.say(f"snooze {posted.series} 2w")
        about = SubmissionRef(here.bot.watches[0][0].server, SubmissionKind.SERIES, posted.series)
        async with here.bot.store.transaction() as tx:
            await tx.session.move(ROOM, CHAT)
            assert await tx.snoozes.refs(CHAT) == {about}
            assert await tx.snoozes.refs(ROOM) == set()
        rig.rebuild_patchwork()
        await rig.poll(here.bot, times=3)

        assert await snoozed(here, CHAT) == set()
