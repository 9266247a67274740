"""What `on:` and `as:` change in what rooms see, in virtual time."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from bot.ids import RoomId
from bot.query.options import CardForm
from support.rig import ROOM, Rig

OTHER = RoomId("!other:hs")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_on_new_alone_and_on_revision_alone(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:revision",), OTHER: ("path:migration/ on:new",)}
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="one")
        rig.post("migration/savevm.c", name="two", version=2)

        await rig.poll(bot, times=2)

    assert rig.titles(ROOM) == ["[v2] two"]
    assert rig.titles(OTHER) == ["one", "[v2] two"]  # of the second, too, nothing was seen here before


async def test_the_union_of_all_on_is_heard(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:revision", "path:migration/ram.c on:new")}
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="one")
        rig.post("migration/savevm.c", name="elsewhere")
        rig.post("migration/savevm.c", name="two", version=2)

        await rig.poll(bot, times=2)

    assert rig.titles() == ["one", "[v2] two"]


async def test_who_asks_for_changes_alone_gets_no_card_of_what_arrives(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:state,check,comment",)}
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", patches=2)
        rig.post("migration/ram.c", version=2)

        await rig.poll(bot, times=3)

    assert rig.titles() == []


async def test_the_log_tells_of_each_card_in_the_same_words_whatever_brought_it(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/",), OTHER: ("path:hw/ state:accepted on:state",)}
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c")
        [patch] = rig.post("hw/a.c").patches
        with structlog.testing.capture_logs() as logs:
            await rig.poll(bot)
            rig.patchwork.set_state(patch, "accepted")
            await rig.poll(bot)

    cards = [entry for entry in logs if entry["event"] == "card.queued"]
    assert [(entry["room"], repr(entry["kind"])) for entry in cards] == [(ROOM, "'series'"), (OTHER, "'series'")]


async def test_a_compact_card_where_all_ask_for_one(rig: Rig) -> None:
    rig.subscribe = {
        ROOM: ("path:migration/ as:compact",),
        OTHER: ("path:migration/ as:compact", "subject:fix"),
    }
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="Fix it", patches=3)
        rig.post("migration/ram.c", name="Change it", patches=3)

        await rig.poll(bot)

    assert [len(body.splitlines()) for body in rig.chat.bodies(ROOM)] == [2, 2]
    assert ["b4 shazam" in body for body in rig.chat.bodies(OTHER)] == [True, False]


async def test_the_form_of_a_card_is_kept(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/ as:compact",)}
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c")
        await rig.poll(bot)

        forms = kept_forms(rig)

    assert forms == [CardForm.COMPACT]


async def test_what_waits_for_a_digest_gets_no_card(rig: Rig) -> None:
    rig.subscribe = {
        ROOM: ('path:migration/ digest:"daily 09:00"',),
        OTHER: ('path:migration/ digest:"daily 09:00"', "path:migration/"),
    }
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="one")

        await rig.poll(bot)

    assert rig.titles(ROOM) == []
    assert rig.titles(OTHER) == ["one"]


def kept_forms(rig: Rig) -> list[str]:
    """The forms of all cards, as the database has them."""
    with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
        return [form for (form,) in database.execute("SELECT form FROM card")]
