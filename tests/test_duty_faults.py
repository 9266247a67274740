"""A fault in one card, reply, digest, flood or file costs that one only, and it is done once that is mended."""

from collections.abc import Iterator, MutableMapping
from pathlib import Path

import pytest
import structlog

from bot.app import Bot
from bot.ids import RoomId
from support.broken_rows import change, fail
from support.rig import ROOM, Rig
from support.titles import title_of

pytestmark = pytest.mark.slow

OTHER = RoomId("!other:hs")
ROOMS = (ROOM, OTHER)


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    if request.param == "postgresql":
        return Rig(tmp_path, url=request.getfixturevalue("migrated_postgres_url"))
    return Rig(tmp_path, url=f"sqlite:///{tmp_path / 'bot.db'}")


@pytest.fixture(autouse=True)
def log() -> Iterator[list[MutableMapping[str, object]]]:
    """The log, which to draw with all its traces takes longer than the tests."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.mark.parametrize("why", ["[[]]", "null"])
async def test_a_card_that_cannot_be_edited_is_edited_once_it_can_be(rig: Rig, why: str) -> None:
    rig.subscribe = dict.fromkeys(ROOMS, ("path:migration/",))
    async with rig.running() as bot:
        await bot.settle()
        [patch] = rig.post("migration/ram.c").patches
        await rig.poll(bot)
        change(rig.url, "card", f"why = '{why}', form = 'card'", f"room = '{OTHER}'")
        rig.patchwork.set_state(patch, "accepted")
        await rig.poll(bot, times=2)
        assert (edits(rig, ROOM), edits(rig, OTHER)) == (1, 0)
        assert kinds(bot) == ["edit.failed"]
        change(rig.url, "card", 'why = \'[[1, "path:migration/", "migration/ram.c"]]\'')
        await rig.poll(bot, times=3)
        assert kinds(bot) == []

    assert (edits(rig, ROOM), edits(rig, OTHER)) == (1, 1)


async def test_a_card_whose_row_cannot_be_read_holds_up_no_other(rig: Rig) -> None:
    rig.subscribe = dict.fromkeys(ROOMS, ("path:migration/",))
    async with rig.running() as bot:
        await bot.settle()
        [patch] = rig.post("migration/ram.c").patches
        await rig.poll(bot)
        change(rig.url, "card", "form = 'of a later version'", f"room = '{OTHER}'")
        rig.patchwork.set_state(patch, "accepted")
        await rig.poll(bot, times=2)
        assert kinds(bot) == ["edit.failed"]
        change(rig.url, "card", "form = 'card'")
        await rig.poll(bot, times=3)

    assert (edits(rig, ROOM), edits(rig, OTHER)) == (1, 1)


@pytest.mark.parametrize("fault", ["row", "notice"])
async def test_a_reply_that_cannot_be_told_holds_up_no_other(rig: Rig, fault: str) -> None:
    rig.subscribe = dict.fromkeys(ROOMS, ("path:migration/ on:new,state",))
    async with rig.running() as bot:
        await bot.settle()
        [patch] = rig.post("migration/ram.c").patches
        await rig.poll(bot)
        rig.patchwork.set_state(patch, "accepted")
        await rig.poll(bot)
        of_other = f"card LIKE '%{OTHER}'"
        if fault == "row":
            change(rig.url, "queued_change", "kind = 'of a later version'", of_other)
        else:
            mend = fail(rig.url, "INSERT ON notice", f"NEW.key LIKE 'reply/%{OTHER}'")
        await rig.poll(bot, times=2)
        assert (replies(rig, ROOM), replies(rig, OTHER)) == (1, 0)
        assert kinds(bot) == ["reply.failed"]
        if fault == "row":
            change(rig.url, "queued_change", "kind = 'state'")
        else:
            mend()
        await rig.poll(bot, times=3)
        assert kinds(bot) == []

    assert (replies(rig, ROOM), replies(rig, OTHER)) == (1, 1)


async def test_a_digest_that_cannot_be_told_holds_up_no_other_and_is_not_tried_each_second(rig: Rig) -> None:
    rig.subscribe = dict.fromkeys(ROOMS, ('path:migration/ digest:"daily 09:00"',))
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="one")
        await rig.poll(bot)
        mend = fail(rig.url, "INSERT ON notice", f"NEW.key LIKE 'digest/%{ROOM}'")
        await rig.pass_quietly(bot, 9 * 3600)
        await bot.settle()
        assert (len(rig.chat.bodies(ROOM)), len(rig.chat.bodies(OTHER))) == (0, 1)
        assert kinds(bot) == ["digest.failed"]
        for _ in range(10):
            rig.clock.advance(1)
            await bot.settle()
        assert tries(bot) <= 4
        mend()
        await rig.poll(bot)
        assert kinds(bot) == []

    assert [len(rig.chat.bodies(room)) for room in ROOMS] == [1, 1]


async def test_a_series_that_cannot_be_shown_in_a_digest_is_in_the_next(rig: Rig) -> None:
    rig.subscribe = {ROOM: ('path:migration/ digest:"daily 09:00"',)}
    async with rig.running() as bot:
        await bot.settle()
        series = [rig.post("migration/ram.c", name=f"number {number}").series for number in range(3)]
        await rig.poll(bot)
        change(rig.url, "series", "patches = '[1]'", f"id = {series[1]}")
        await rig.pass_quietly(bot, 9 * 3600)
        await bot.settle()
        assert [f"number {number}" in rig.chat.bodies(ROOM)[0] for number in range(3)] == [True, False, True]
        change(rig.url, "series", "patches = '[]'", f"id = {series[1]}")
        await rig.pass_quietly(bot, 24 * 3600)
        await bot.settle()

    assert [f"number {number}" in rig.chat.bodies(ROOM)[1] for number in range(3)] == [False, True, False]


async def test_a_flood_that_cannot_be_told_holds_up_no_other(rig: Rig) -> None:
    rig.subscribe = dict.fromkeys(ROOMS, ("path:migration/",))
    async with rig.running() as bot:
        await bot.settle()
        for number in range(11):
            rig.post("migration/ram.c", name=f"number {number}")
        await rig.poll(bot)
        mend = fail(rig.url, "INSERT ON notice", f"NEW.key LIKE 'flood/%{ROOM}'")
        await rig.poll(bot, times=3)
        assert (roots(rig, ROOM), roots(rig, OTHER)) == ([], ["11 series at once"])
        assert kinds(bot) == ["flood.failed"]
        mend()
        await rig.poll(bot, times=3)
        assert kinds(bot) == []

    assert (roots(rig, ROOM), roots(rig, OTHER)) == (["11 series at once"], ["11 series at once"])


def kinds(bot: Bot) -> list[str]:
    """What could not be handled and was not since."""
    return [each.kind for each in bot.store.incidents]


def tries(bot: Bot) -> int:
    """How often the only such thing was tried."""
    [incident] = bot.store.incidents
    return incident.count


def roots(rig: Rig, room: RoomId) -> list[str]:
    """The first lines of what stands outside of threads."""
    posted = [each.message for each in rig.chat.posted if each.room == room]
    return [title_of(message.body) for message in posted if message.thread is None and message.edits is None]


def edits(rig: Rig, room: RoomId) -> int:
    return len([each for each in rig.chat.posted if each.room == room and each.message.edits])


def replies(rig: Rig, room: RoomId) -> int:
    return len([each for each in rig.chat.posted if each.room == room and each.message.tag.kind == "reply"])
