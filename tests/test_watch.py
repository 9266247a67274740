"""What rooms see of what happens on a server, in virtual time."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.ids import RoomId
from bot.sample_patchwork.mail import NewSeries
from bot.sample_patchwork.request import Response
from bot.store.retention import delete_outdated
from support.rig import PROJECT, ROOM, Rig, a_series

pytestmark = pytest.mark.slow

OTHER = RoomId("!other:hs")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_a_new_series_gets_one_card(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="migration: Fix it", patches=3)

        await rig.poll(bot, times=5)

    assert rig.titles() == ["migration: Fix it"]


async def test_a_series_elsewhere_gets_none(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("hw/net/virtio-net.c", name="virtio-net: Fix it", patches=3)

        await rig.poll(bot, times=5)

    assert rig.titles() == []


async def test_one_patch_that_matches_is_enough(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        elsewhere, here = a_series("hw/a.c"), a_series("migration/ram.c")
        both = NewSeries(name="Two", patches=(*elsewhere.patches, *here.patches))
        rig.patchwork.post_series(PROJECT, both)

        await rig.poll(bot)

    assert rig.titles() == ["Two"]
    assert " in hw/, migration/" in rig.chat.bodies(ROOM)[0]


async def test_each_room_gets_what_it_asked_for(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/",), OTHER: ("path:hw/", "from:@example.net")}
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="migration: A", patches=2)
        rig.post("hw/net/e1000.c", name="hw: B", patches=2)
        rig.post("migration/ram.c", "hw/net/e1000.c", name="both: C", patches=2)

        await rig.poll(bot)

    assert rig.titles(ROOM) == ["migration: A", "both: C"]
    assert rig.titles(OTHER) == ["hw: B", "both: C"]


async def test_a_series_that_several_subscriptions_match_gets_one_card(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/", "path:migration/ram.c", "subject:fix")}
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="migration: Fix it", patches=2)

        await rig.poll(bot)

    assert rig.titles() == ["migration: Fix it"]


async def test_a_card_comes_once_however_often_the_bot_starts(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
    rig.post("migration/ram.c", name="while away", patches=2)
    for _ in range(3):
        async with rig.running() as bot:
            await rig.poll(bot, times=2)

    assert rig.titles() == ["while away"]


async def test_a_new_subscription_hears_of_what_comes_and_not_of_what_was(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("hw/net/e1000.c", name="before", patches=2)
        await rig.poll(bot)
    rig.subscribe = {ROOM: ("path:hw/",)}
    async with rig.running() as bot:
        await rig.poll(bot, times=40)
        rig.post("hw/net/e1000.c", name="after", patches=2)
        await rig.poll(bot)

    assert rig.titles() == ["after"]


async def test_a_direct_chat_rings_and_a_room_does_not(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/",), OTHER: ("path:migration/",)}
    rig.direct = frozenset({OTHER})
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c")
        await rig.poll(bot)

    assert {post.room: post.message.rings for post in rig.chat.posted} == {ROOM: False, OTHER: True}


async def test_cards_come_in_the_order_of_arrival(rig: Rig) -> None:
    rig.flood = 0
    names = [f"series {number}" for number in range(12)]
    async with rig.running() as bot:
        await bot.settle()
        for name in names:
            rig.post("migration/ram.c", name=name, patches=2)
            rig.clock.advance(1)

        await rig.poll(bot)

    assert rig.titles() == names


async def test_a_card_tells_what_it_is_about(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        posted = rig.post("migration/ram.c", patches=2, version=3)

        await rig.poll(bot)

    tag = rig.chat.posted[0].message.tag
    assert (tag.kind, tag.server, tag.project, tag.series, tag.version) == ("card", "sample", PROJECT, posted.series, 3)
    assert tag.key == f"card/sample/series/{posted.series}/{ROOM}"


async def test_an_outage_is_waited_for_and_nothing_is_lost(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.patchwork.fail_next(6)
        rig.post("migration/ram.c", name="during the outage", patches=2)

        await rig.poll(bot, times=30)

    assert rig.titles() == ["during the outage"]


async def test_a_series_of_a_rebuilt_server_gets_its_card_though_its_id_was_used_before(rig: Rig) -> None:
    rig.post("docs/index.rst", name="of old")
    async with rig.running() as bot:
        await bot.settle()
        before = rig.post("migration/ram.c", name="before the crash", patches=2)
        await rig.poll(bot)
        rig.rebuild_patchwork()
        await rig.poll(bot, times=2)
        after = rig.post("migration/ram.c", name="after the crash", patches=2)
        await rig.poll(bot)

    assert before.series == after.series
    assert rig.titles() == ["before the crash", "after the crash"]


async def test_a_series_that_housekeeping_dropped_is_no_news_when_the_net_finds_it_again(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("hw/net/e1000.c", name="half a year ago", patches=2)
        await rig.poll(bot)
    rig.subscribe = {ROOM: ("path:hw/",)}
    async with rig.running() as bot:
        rig.clock.advance(181 * 24 * 3600)
        await bot.settle()
        await delete_outdated(bot.store)
        await rig.poll(bot, times=40)

    assert rig.titles() == []


async def test_a_poll_that_cannot_be_written_leaves_nothing_and_is_found_again(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="migration: Fix it", patches=2)
        before = dump(rig)
        with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
            database.execute("CREATE TRIGGER broken BEFORE UPDATE ON server BEGIN SELECT RAISE(ABORT, 'broken'); END")

        await rig.poll(bot)
        with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
            database.execute("DROP TRIGGER broken")

        assert dump(rig) == before
        await rig.poll(bot)
    assert rig.titles() == ["migration: Fix it"]


async def test_one_poisonous_mail_holds_up_no_other(rig: Rig) -> None:
    """Reading a header like this recurses as deep as it is long."""
    async with rig.running() as bot:
        await bot.settle()
        poison = replace(a_series("migration/ram.c", name="migration: Poison", patches=2), to=("a:" * 3_000,))
        rig.patchwork.post_series(PROJECT, poison)
        rig.post("migration/ram.c", name="migration: Fix it", patches=2)

        await rig.poll(bot, times=2)

    assert rig.titles() == ["migration: Poison", "migration: Fix it"]


async def test_a_series_that_cannot_be_read_for_a_fault_of_ours_holds_up_no_other(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        broken = rig.post("migration/ram.c", name="migration: Broken", patches=2)
        rig.post("migration/ram.c", name="migration: Fix it", patches=2)

        def fault(path: str) -> None:
            if path.endswith(f"/series/{broken.series}/"):
                raise ZeroDivisionError

        rig.patchwork.fault = fault
        await rig.poll(bot, times=2)
        assert rig.titles() == ["migration: Fix it"]

        rig.patchwork.fault = lambda _: None
        await rig.poll(bot, times=20)
    assert rig.titles() == ["migration: Fix it", "migration: Broken"]


async def test_a_server_that_asks_for_patience_is_asked_for_no_series_sooner(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        for number in range(5):
            rig.post("migration/ram.c", name=f"series {number}", patches=9)
        busy = Response(429, {"retry-after": "600", "content-type": "text/plain"}, b"")
        rig.patchwork.fault = lambda path: busy if path.endswith("/mbox/") else None
        rig.patchwork.requests.clear()

        await rig.poll(bot, times=9)

        mboxes = [path for _, path, _ in rig.patchwork.requests if path.endswith("/mbox/")]
        assert len(mboxes) == len(set(mboxes)), "each once at most in nine minutes of ten"
        rig.patchwork.fault = lambda _: None
        await rig.poll(bot, times=5)
    assert rig.titles() == [f"series {number}" for number in range(5)]


async def test_more_series_than_a_page_that_no_event_told_of_are_all_found_by_the_net(rig: Rig) -> None:
    """As after an event dated a year ahead, behind which no other can be seen."""
    rig.flood = 0
    async with rig.running() as bot:
        await bot.settle()
        names = [f"series {number}" for number in range(130)]
        for name in names:
            rig.post("migration/ram.c", name=name)
        nothing = Response(200, {"content-type": "application/json"}, b"[]")
        rig.patchwork.fault = lambda path: nothing if path.endswith("/events/") else None

        await rig.poll(bot, times=32)

    assert sorted(rig.titles()) == sorted(names)


async def test_the_first_poll_comes_with_the_start(rig: Rig) -> None:
    stop = asyncio.Event()
    asked = asyncio.Event()

    def fault(path: str) -> None:
        if path.endswith("/events/"):
            asked.set()

    rig.patchwork.fault = fault
    async with rig.running() as bot, asyncio.TaskGroup() as group, asyncio.timeout(120):
        began = rig.clock.monotonic()
        group.create_task(bot.run(stop))
        await asked.wait()
        waited = rig.clock.monotonic() - began
        stop.set()

    assert waited == 0


def dump(rig: Rig) -> list[str]:
    """Everything that the database holds."""
    with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
        return list(database.iterdump())
