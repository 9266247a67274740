"""What rooms hear after an absence, in virtual time over the whole bot."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.ids import RoomId, SeriesId
from bot.sample_patchwork.request import Response
from support.rig import ROOM, Rig

pytestmark = pytest.mark.slow

OTHER = RoomId("!other:hs")
HOUR = 3600.0


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def post(rig: Rig, count: int, path: str = "migration/ram.c") -> list[str]:
    """So many series arrive; what they are called."""
    names = [f"{path} {number}" for number in range(1, count + 1)]
    for name in names:
        rig.post(path, name=name)
    return names


async def away(rig: Rig, seconds: float) -> None:
    """The bot runs, and then does not for so long."""
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
    rig.clock.advance(seconds)


def threads(rig: Rig, room: RoomId = ROOM) -> list[str]:
    return [each.message.body for each in rig.chat.posted if each.room == room and each.message.thread]


async def test_what_was_missed_comes_after_one_line_in_the_rooms_it_concerns(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/",), OTHER: ("path:docs/",)}
    await away(rig, 6 * HOUR)
    names = post(rig, 5)
    post(rig, 36, "hw/a.c")

    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="the next one")
        await rig.poll(bot)

    line, *cards = rig.titles()
    assert line == snapshot(
        "Away for 6 h, until 2026-01-01 06:02 UTC (the bot did not run): 41 series came to sample, 5 of them for this room."  # noqa: E501  # as it is said
    )
    assert cards == [*names, "the next one"]
    assert rig.titles(OTHER) == []
    assert rig.chat.posted[0].message.tag.kind == "gap"
    assert rig.chat.posted[0].message.html == snapshot(
        "<p>Away for 6 h, until 2026-01-01 06:02 UTC (the bot did not run): 41 series came to sample, 5 of them for this room.</p>"  # noqa: E501  # as it is said
    )


async def test_where_much_was_missed_the_line_has_a_thread_instead_of_cards(rig: Rig) -> None:
    await away(rig, 6 * HOUR)
    post(rig, 41)

    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="the next one")
        await rig.poll(bot, times=4)

    bodies = [each.message.body for each in rig.chat.posted if not each.message.thread]
    assert bodies == snapshot(
        [
            """\
Away for 6 h, until 2026-01-01 06:02 UTC (the bot did not run): 41 series came to sample, all of them for this room.
qemu-devel on sample
from Ada Sample
first: migration/ram.c 1
last: migration/ram.c 41
They are listed in the thread; none has a card.\
""",
            """\
🆕 the next one
New · no reviews yet
Ada Sample · 1 patch · +1 −1 in migration/
https://patchwork.example.org/project/qemu-devel/patch/20260101060200.42-1-ada@example.org/
b4 shazam 20260101060200.42-1-ada@example.org\
""",
        ]
    )
    assert [body.partition("\n")[0] for body in threads(rig)] == ["1 to 25 of 41", "26 to 41 of 41"]


async def test_where_floods_are_off_the_line_has_its_cards_however_many(rig: Rig) -> None:
    rig.flood = 0
    await away(rig, 6 * HOUR)
    names = post(rig, 41)

    async with rig.running() as bot:
        await bot.settle()

    assert rig.titles()[1:] == names


async def test_nine_minutes_are_no_absence(rig: Rig) -> None:
    await away(rig, 9 * 60)
    names = post(rig, 5)

    async with rig.running() as bot:
        await bot.settle()

    assert rig.titles() == names


async def test_an_absence_is_longer_than_ten_polls(rig: Rig) -> None:
    rig.poll_seconds = 600
    await away(rig, 6000)
    names = post(rig, 2)

    async with rig.running() as bot:
        await bot.settle()

    assert rig.titles() == names


async def test_an_absence_in_which_nothing_came_is_not_told(rig: Rig) -> None:
    await away(rig, 6 * HOUR)

    async with rig.running() as bot:
        await rig.poll(bot, times=3)

    assert rig.titles() == []


async def test_the_first_start_is_no_absence(rig: Rig) -> None:
    post(rig, 5)
    rig.clock.advance(6 * HOUR)

    async with rig.running() as bot:
        await rig.poll(bot, times=2)

    assert rig.titles() == []


async def test_a_server_that_was_away_is_named(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
        down = Response(503, {"content-type": "text/plain"}, b"")
        rig.patchwork.fault = lambda _: down
        await rig.poll(bot, times=120)
        rig.patchwork.fault = lambda _: None
        names = post(rig, 2)
        await rig.poll(bot, times=20)

    line = rig.titles()[0]
    assert line.startswith("Away for 2 h ")
    assert "(sample could not be reached): 2 series came to sample, all of them for this room." in line
    assert rig.titles()[1:] == names


async def test_what_is_read_over_several_polls_is_told_at_once(rig: Rig) -> None:
    await away(rig, 6 * HOUR)
    post(rig, 120, "hw/a.c")
    names = post(rig, 3)
    post(rig, 40, "hw/b.c")

    async with rig.running() as bot:
        await bot.settle()

    line, *cards = rig.titles()
    assert "163 series came to sample, 3 of them for this room" in line
    assert cards == names


async def test_a_crash_while_it_is_read_up_changes_nothing(rig: Rig) -> None:
    await away(rig, 6 * HOUR)
    names = post(rig, 8)
    post(rig, 120, "hw/a.c")

    async with rig.running() as bot:
        [(watch, _)] = bot.watches
        assert await watch.tick()
    assert rig.titles() == []
    async with rig.running() as bot:
        await bot.settle()

    line, *cards = rig.titles()
    assert "Away for 6 h" in line
    assert "128 series came to sample, 8 of them for this room" in line
    assert cards == names


async def test_what_is_held_is_told_after_ten_minutes_though_the_server_is_away_again(rig: Rig) -> None:
    await away(rig, 6 * HOUR)
    names = post(rig, 8)
    post(rig, 120, "hw/a.c")

    async with rig.running() as bot:
        [(watch, _)] = bot.watches
        assert await watch.tick()
        down = Response(503, {"content-type": "text/plain"}, b"")
        rig.patchwork.fault = lambda _: down
        await rig.poll(bot, times=9)
        assert rig.titles() == []
        await rig.poll(bot, times=16)
        assert rig.titles()[1:] == names


async def test_of_a_long_absence_what_is_older_than_three_days_is_neither_read_nor_told(rig: Rig) -> None:
    await away(rig, 24 * HOUR)
    old = [rig.post("migration/ram.c", name="old", patches=2) for _ in range(12)]
    rig.clock.advance(100 * HOUR)
    names = post(rig, 5)
    rig.clock.advance(20 * HOUR)
    rig.patchwork.requests.clear()

    async with rig.running() as bot:
        await bot.settle()
        await rig.poll(bot, times=60)
        async with bot.store.transaction() as tx:
            known = [
                await tx.watch.patches_of(watch.server, SeriesId(one.series)) for watch, _ in bot.watches for one in old
            ]

    assert rig.titles() == [
        snapshot(
            "Away for 6 days, until 2026-01-07 00:02 UTC (the bot did not run): 17 series came to sample, 5 of them for this room. 12 sent before 2026-01-04 00:02 UTC were not looked at."  # noqa: E501  # as it is said
        ),
        *names,
    ]
    mboxes = [path for _, path, _ in rig.patchwork.requests if "mbox" in path]
    assert not [path for path in mboxes for one in old if f"/{one.series}/" in path]
    assert [len(patches) for patches in known] == [2] * 12


async def test_a_rebuilt_server_is_no_absence(rig: Rig) -> None:
    rig.post("docs/index.rst", name="of old")
    await away(rig, 6 * HOUR)
    async with rig.running() as bot:
        rig.post("migration/ram.c", name="before", patches=2)
        rig.rebuild_patchwork()
        await rig.poll(bot, times=2)
        names = post(rig, 2)
        await rig.poll(bot)

    assert rig.titles() == names


async def test_series_listed_after_an_absence_that_change_in_the_next_do_not_stop_the_poll(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/", "path:migration/ state:accepted")}
    await away(rig, 6 * HOUR)
    patches = [rig.post("migration/ram.c", name=f"series {number}").patches[0] for number in range(14)]
    await away(rig, 6 * HOUR)
    for patch in patches:
        rig.patchwork.set_state(patch, "accepted")

    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="the next one")
        await rig.poll(bot)

    first, second, last = [each.message.body for each in rig.chat.posted if not each.message.thread]
    assert "14 series came to sample" in first
    assert "0 series came to sample" not in second
    assert last.startswith("🆕 the next one")


async def test_a_series_that_is_held_and_changes_while_the_rest_is_read_is_told_once(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/", "path:migration/ state:accepted")}
    await away(rig, 6 * HOUR)
    patches = [rig.post("migration/ram.c", name=f"series {number}").patches[0] for number in range(3)]
    post(rig, 120, "hw/a.c")

    async with rig.running() as bot:
        [(watch, _)] = bot.watches
        assert await watch.tick()
        for patch in patches:
            rig.patchwork.set_state(patch, "accepted")
        await rig.poll(bot, times=3)

    assert rig.titles()[1:] == [f"series {number}" for number in range(3)]
