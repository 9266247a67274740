"""Many series at once, in virtual time over the whole bot."""

import re
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.app import Bot
from bot.ids import RoomId
from bot.matrix.content import MAX_CONTENT_BYTES, event_content, size
from bot.notices.markup import MAX_BODY_BYTES, MAX_HTML_BYTES
from support.rig import PROJECT, ROOM, Rig
from support.titles import title_of

pytestmark = pytest.mark.slow

OTHER = RoomId("!other:hs")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def post(rig: Rig, count: int, first: int = 1) -> list[str]:
    """So many series arrive; what they are called."""
    names = [f"series {number}" for number in range(first, first + count)]
    for name in names:
        rig.post("migration/ram.c", name=name)
    return names


def roots(rig: Rig, room: RoomId = ROOM) -> list[str]:
    """The first lines of what stands in the room outside of threads, as it reads now."""
    posted = [each for each in rig.chat.posted if each.room == room and each.message.edits is None]
    shown = zip(posted, rig.chat.shown(room), strict=True)
    return [title_of(body) for each, body in shown if each.message.thread is None]


def threads(rig: Rig, room: RoomId = ROOM) -> list[str]:
    """What stands in threads."""
    return [each.message.body for each in rig.chat.posted if each.room == room and each.message.thread]


def listed(rig: Rig, room: RoomId = ROOM) -> list[str]:
    """The series that the threads list."""
    return [name for body in threads(rig, room) for name in re.findall(r"(?m)^• (.*?) · ", body)]


async def over(rig: Rig, bot: Bot) -> None:
    """Let so much time pass that a flood is over."""
    await rig.poll(bot, times=3)


async def test_as_many_series_as_a_room_takes_are_cards(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        names = post(rig, 10)
        await rig.poll(bot)
        await over(rig, bot)

    assert roots(rig) == names


async def test_one_more_is_one_line_and_a_thread(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        names = post(rig, 11)
        await rig.poll(bot)
        assert roots(rig) == []
        await over(rig, bot)

    assert roots(rig) == ["11 series at once"]
    assert listed(rig) == names
    assert rig.chat.posted[0].message.tag.kind == "flood"
    assert {each.message.thread for each in rig.chat.posted[1:]} == {rig.chat.posted[0].event}


async def test_what_a_flood_says(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        post(rig, 11)
        rig.post("migration/ram.c", name="multifd: Fix <it>", patches=3, version=2)
        await rig.poll(bot)
        await over(rig, bot)

    line, thread = [each.message for each in rig.chat.posted]
    assert line.body == snapshot("""\
12 series at once
https://patchwork.example.org/project/qemu-devel/list/?state=*&archive=both
qemu-devel on sample
from Ada Sample
first: series 1
last: [v2] multifd: Fix <it>
They are listed in the thread; none has a card.\
""")
    assert line.html == snapshot(
        '<p><strong><a href="https://patchwork.example.org/project/qemu-devel/list/?state=*&amp;archive=both">12 series at once</a></strong><br>qemu-devel on sample<br>from Ada Sample<br>first: <a href="https://patchwork.example.org/project/qemu-devel/list/?series=1&amp;state=*&amp;archive=both">series 1</a><br>last: <a href="https://patchwork.example.org/project/qemu-devel/list/?series=12&amp;state=*&amp;archive=both">[v2] multifd: Fix &lt;it&gt;</a><br>They are listed in the thread; none has a card.</p>'  # noqa: E501  # as it is said
    )
    assert thread.body == snapshot("""\
1 to 12 of 12
• series 1 · Ada Sample · 1 patch
• series 2 · Ada Sample · 1 patch
• series 3 · Ada Sample · 1 patch
• series 4 · Ada Sample · 1 patch
• series 5 · Ada Sample · 1 patch
• series 6 · Ada Sample · 1 patch
• series 7 · Ada Sample · 1 patch
• series 8 · Ada Sample · 1 patch
• series 9 · Ada Sample · 1 patch
• series 10 · Ada Sample · 1 patch
• series 11 · Ada Sample · 1 patch
• [v2] multifd: Fix <it> · Ada Sample · 3 patches\
""")
    assert thread.html == snapshot(
        '<p>1 to 12 of 12</p><ul><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=1&amp;state=*&amp;archive=both">series 1</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=2&amp;state=*&amp;archive=both">series 2</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=3&amp;state=*&amp;archive=both">series 3</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=4&amp;state=*&amp;archive=both">series 4</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=5&amp;state=*&amp;archive=both">series 5</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=6&amp;state=*&amp;archive=both">series 6</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=7&amp;state=*&amp;archive=both">series 7</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=8&amp;state=*&amp;archive=both">series 8</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=9&amp;state=*&amp;archive=both">series 9</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=10&amp;state=*&amp;archive=both">series 10</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=11&amp;state=*&amp;archive=both">series 11</a> · Ada Sample · 1 patch</li><li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=12&amp;state=*&amp;archive=both">[v2] multifd: Fix &lt;it&gt;</a> · Ada Sample · 3 patches</li></ul>'  # noqa: E501  # as it is said
    )


@pytest.mark.timeout(900)
async def test_an_import_over_many_polls_is_one_line_and_a_thread_in_each_room(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/",), OTHER: ("path:migration/", "path:hw/")}
    async with rig.running() as bot:
        await bot.settle()
        names = post(rig, 799)
        rig.post("hw/a.c", name="elsewhere")
        await rig.poll(bot)
        await over(rig, bot)
        rig.post("migration/ram.c", name="the next one")
        await rig.poll(bot)

    assert roots(rig, ROOM) == ["799 series at once", "the next one"]
    assert roots(rig, OTHER) == ["800 series at once", "the next one"]
    for room in (ROOM, OTHER):
        assert listed(rig, room) == names[:400]
        assert threads(rig, room)[-1].endswith(f"and {799 + (room == OTHER) - 400} more")
    assert max(size(event_content(each.message)) for each in rig.chat.posted) < MAX_CONTENT_BYTES
    assert max(len(each.message.body.encode()) for each in rig.chat.posted) <= MAX_BODY_BYTES
    assert max(len(each.message.html.encode()) for each in rig.chat.posted) <= MAX_HTML_BYTES


async def test_a_slow_import_is_one_line_that_is_edited_at_the_end(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        so_far: list[list[str]] = []
        for _ in range(5):
            post(rig, 20)
            await rig.poll(bot)
            so_far.append(roots(rig))
        await over(rig, bot)

    assert so_far == [[], [], *[["60 series at once so far"]] * 3]
    assert roots(rig) == ["100 series at once"]
    assert len(rig.chat.edits(ROOM)) == 1
    assert len(listed(rig)) == 100


async def test_an_endless_flood_is_told_every_quarter_of_an_hour(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        for _ in range(30):
            post(rig, 20)
            await rig.poll(bot)
        await over(rig, bot)

    assert roots(rig) == ["300 series at once", "300 series at once"]


async def test_eleven_series_within_a_minute_are_a_flood_but_for_the_cards_that_were_sent(rig: Rig) -> None:
    rig.poll_seconds = 10
    async with rig.running() as bot:
        await bot.settle()
        for number in range(6):
            post(rig, 2, first=2 * number + 1)
            await rig.poll(bot)
        await rig.poll(bot, times=7)

    assert roots(rig) == [*(f"series {number}" for number in range(1, 11)), "2 more series at once, after 10 cards"]
    assert listed(rig) == ["series 11", "series 12"]


async def test_cards_that_were_not_sent_yet_are_taken_into_the_flood(rig: Rig) -> None:
    rig.poll_seconds = 10
    async with rig.running() as bot:
        await bot.settle()
        rig.burst(bot, 3)
        for number in range(6):
            post(rig, 2, first=2 * number + 1)
            await rig.poll(bot)
        rig.burst(bot, 1000)
        await rig.poll(bot, times=7)

    assert roots(rig) == [*(f"series {number}" for number in range(1, 4)), "9 more series at once, after 3 cards"]
    assert listed(rig) == [f"series {number}" for number in range(4, 13)]


async def test_where_floods_are_off_every_series_has_its_card(rig: Rig) -> None:
    rig.flood = 0
    async with rig.running() as bot:
        await bot.settle()
        names = post(rig, 30)
        await rig.poll(bot)

    assert roots(rig) == names


async def test_what_is_set_in_chat_counts_before_what_the_file_says(rig: Rig) -> None:
    rig.flood = 0
    async with rig.running() as bot:
        await bot.settle()
        async with bot.store.transaction() as tx:
            await tx.subscriptions.set(ROOM, "flood", "2")
        post(rig, 3)
        await rig.poll(bot)
        await over(rig, bot)

    assert roots(rig) == ["3 series at once"]


async def test_a_series_of_a_flood_gets_no_card_when_more_of_it_arrives(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        post(rig, 11)
        await rig.poll(bot)
        await over(rig, bot)
        await rig.poll(bot, times=31)  # the safety net finds them all again
        rig.post("migration/ram.c", name="series 1", version=2)
        await rig.poll(bot)

    assert roots(rig) == ["11 series at once", "[v2] series 1"]


async def test_a_flood_goes_on_after_a_restart(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        post(rig, 30)
        await rig.poll(bot)
    async with rig.running() as bot:
        post(rig, 5, first=31)
        await rig.poll(bot)
        await over(rig, bot)
    async with rig.running() as bot:
        await over(rig, bot)

    assert roots(rig) == ["35 series at once"]
    assert len(listed(rig)) == 35


async def test_what_was_kept_for_a_suspended_room_is_a_flood_when_it_lets_us_again(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        async with bot.store.transaction() as tx:
            await tx.session.suspend(ROOM)
        names: list[str] = []
        for number in range(6):
            names += post(rig, 5, first=5 * number + 1)
            await rig.poll(bot, times=2)
        async with bot.store.transaction() as tx:
            await tx.session.resume(ROOM)
        await over(rig, bot)

    assert roots(rig) == ["30 series that came while the bot could not speak here"]
    assert listed(rig) == names


async def test_a_few_that_were_kept_for_a_suspended_room_are_cards(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        async with bot.store.transaction() as tx:
            await tx.session.suspend(ROOM)
        names = post(rig, 10)
        await rig.poll(bot)
        async with bot.store.transaction() as tx:
            await tx.session.resume(ROOM)
        await rig.poll(bot)

    assert roots(rig) == names


async def test_a_series_of_a_hundred_patches_is_one_card(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="a long one", patches=100)
        await rig.poll(bot)
        await over(rig, bot)

    assert roots(rig) == ["a long one"]


async def test_a_flood_follows_its_room(rig: Rig) -> None:
    new = RoomId("!new:hs")
    async with rig.running() as bot:
        await bot.settle()
        post(rig, 11)
        await rig.poll(bot)
        async with bot.store.transaction() as tx:
            await tx.session.move(ROOM, new)
        await over(rig, bot)

    assert roots(rig, new) == ["11 series at once"]
    assert len(listed(rig, new)) == 11


async def test_series_of_a_server_that_was_rebuilt_are_told_no_more(rig: Rig) -> None:
    rig.post("docs/index.rst", name="of old")
    async with rig.running() as bot:
        await bot.settle()
        post(rig, 11)
        await rig.poll(bot)
        rig.rebuild_patchwork()
        await rig.poll(bot)
        await over(rig, bot)

    assert roots(rig) == []


async def test_the_events_of_an_import_are_asked_for_once_however_many_polls_read_it(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        post(rig, 160)
        rig.patchwork.requests.clear()
        await rig.poll(bot)

    asked = [query for _, path, query in rig.patchwork.requests if path.endswith("/events/")]
    assert len(asked) == len(set(asked))
    assert len([path for _, path, _ in rig.patchwork.requests if "/series/" in path]) == 160


async def told_in_a_flood(rig: Rig, bot: Bot, count: int = 14) -> list[int]:
    """So many series of one patch were told in one line; their patches."""
    await bot.settle()
    patches = [rig.post("migration/ram.c", name=f"series {number}").patches[0] for number in range(1, count + 1)]
    await rig.poll(bot)
    await over(rig, bot)
    assert roots(rig) == [f"{count} series at once"]
    return patches


@pytest.fixture
def states(rig: Rig) -> Rig:
    rig.subscribe = {ROOM: ("path:migration/", "path:migration/ state:accepted")}
    return rig


async def test_a_flood_whose_series_change_later_does_not_stop_the_poll(states: Rig) -> None:
    async with states.running() as bot:
        patches = await told_in_a_flood(states, bot)
        for patch in patches:
            states.patchwork.set_state(patch, "accepted")
        await states.poll(bot)
        await over(states, bot)
        states.post("migration/ram.c", name="the next one")
        await states.poll(bot)

    assert roots(states) == ["14 series at once", "14 series changed at once", "the next one"]
    assert listed(states) == [f"series {number}" for number in range(1, 15)] * 2


async def test_a_few_series_of_a_flood_that_change_later_get_cards(states: Rig) -> None:
    async with states.running() as bot:
        patches = await told_in_a_flood(states, bot)
        for patch in patches[:2]:
            states.patchwork.set_state(patch, "accepted")
        await states.poll(bot)
        for patch in patches[:2]:
            states.patchwork.set_state(patch, "new")
        await states.poll(bot)
        for patch in patches:
            states.patchwork.set_state(patch, "accepted")
        await over(states, bot)
        await over(states, bot)

    assert roots(states) == ["14 series at once", "series 1", "series 2", "12 series changed at once"]


async def test_series_of_a_flood_that_change_while_it_goes_on_are_listed_once(states: Rig) -> None:
    async with states.running() as bot:
        await bot.settle()
        patches = [states.post("migration/ram.c", name=f"series {number}").patches[0] for number in range(14)]
        await states.poll(bot)
        for patch in patches:
            states.patchwork.set_state(patch, "accepted")
        await states.poll(bot)
        await over(states, bot)

    assert roots(states) == ["14 series at once"]
    assert len(listed(states)) == 14


async def test_a_change_and_an_arrival_in_one_flood_are_told_as_what_came(states: Rig) -> None:
    async with states.running() as bot:
        patches = await told_in_a_flood(states, bot)
        for patch in patches:
            states.patchwork.set_state(patch, "accepted")
        states.post("migration/ram.c", name="new")
        await states.poll(bot)
        await over(states, bot)

    assert roots(states) == ["14 series at once", "15 series at once"]


async def test_cards_of_changed_series_that_were_not_sent_are_taken_into_the_next_flood(states: Rig) -> None:
    async with states.running() as bot:
        patches = await told_in_a_flood(states, bot)
        states.burst(bot, 0)
        states.patchwork.set_state(patches[0], "accepted")
        await states.poll(bot)
        for patch in patches[1:]:
            states.patchwork.set_state(patch, "accepted")
        states.clock.advance(30)
        await bot.settle()
        states.burst(bot, 1000)
        await over(states, bot)

    assert roots(states)[0] == "14 series at once"
    assert len(listed(states)) + len(roots(states)) - 2 == 28


@pytest.mark.parametrize(("has_series", "name"), [(True, "[GIT PULL] hw"), (False, "[PULL 0/1] hw")])
async def test_pull_requests_stand_as_such_in_the_list(tmp_path: Path, has_series: bool, name: str) -> None:
    rig = Rig(tmp_path, subscribe={ROOM: ("is:pull",)})
    async with rig.running() as bot:
        await bot.settle()
        for _ in range(11):
            rig.patchwork.post_pull_request(PROJECT, "hw", "https://git.example.org/q", has_series=has_series)
        await rig.poll(bot, times=4)
        await over(rig, bot)

    assert threads(rig)[0].split("\n")[1:] == [f"• {name} · Ada Sample · 📦 pull request"] * 11
