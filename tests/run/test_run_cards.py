"""Cards in real rooms: who gets one, and what it looks like on the wire."""

from support.person import Person
from support.rig import PROJECT, a_series
from support.run_rig import SEED_SERIES, Stage, post_seed_series


async def test_each_room_gets_one_card_of_what_it_asked_for_and_of_nothing_else(stage: Stage, ann: Person) -> None:
    migration, docs, chat = [await ann.create_room(stage.me, direct=direct) for direct in (False, False, True)]
    stage.rooms |= {migration: ("path:migration/", "from:@web.de"), docs: ("path:docs/",), chat: ("path:migration/",)}

    async with stage.running():
        post_seed_series(stage)
        stage.patchwork.post_series(PROJECT, a_series("hw/usb.c", name="usb: For nobody", patches=2))
        stage.patchwork.post_series(PROJECT, a_series("docs/index.rst", name="docs: Say it", patches=2))
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", "docs/ram.rst", name="migration: The last"))
        for room, count in ((migration, 2), (docs, 2), (chat, 2)):
            await stage.cards(ann, room, count)

    assert await stage.titles(ann, migration) == [f"[v6] {SEED_SERIES}", "migration: The last"]
    assert await stage.titles(ann, docs) == ["docs: Say it", "migration: The last"]
    assert await stage.titles(ann, chat) == [f"[v6] {SEED_SERIES}", "migration: The last"]
    seed, (in_chat, _) = (await stage.cards(ann, migration))[0], await stage.cards(ann, chat)
    assert (seed["msgtype"], in_chat["msgtype"]) == ("m.notice", "m.text")
    assert {name: value for name, value in seed.items() if name not in {"body", "formatted_body", "msgtype"}} == {
        "com.beeper.linkpreviews": [],
        "format": "org.matrix.custom.html",
        "m.mentions": {},
        "org.patchbot": {
            "kind": "card",
            "key": f"card/sample/series/1/{migration}",
            "server": "sample",
            "project": PROJECT,
            "series": 1,
            "version": 6,
        },
    }
    assert "· 18 patches ·" in seed["body"]
    assert "migration/" in seed["body"]
    assert f'<a href="{stage.patchwork_url}/project/{PROJECT}/list/?series=1' in seed["formatted_body"]


async def test_a_room_that_is_named_by_an_alias_gets_its_cards_as_soon_as_it_lets_the_bot_in(
    stage: Stage, ann: Person
) -> None:
    alias = f"#late-{ann.name}:hs.test"
    room = await ann.create_room(alias=alias[1:].partition(":")[0])
    stage.rooms[alias] = ("path:migration/",)

    async with stage.running(rooms=0) as bot:
        await stage.until(lambda: "room.change_delayed" in bot.said())
        await ann.invite(room, stage.me)
        await stage.until(stage.knows_rooms)
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        await stage.cards(ann, room, 1)

    assert await stage.titles(ann, room) == ["migration: Fix it"]


async def test_cards_for_a_room_that_threw_the_bot_out_come_when_it_is_asked_in_again(
    stage: Stage, ann: Person
) -> None:
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)

    async with stage.running():
        await ann.kick(room, stage.me)
        await stage.until(lambda: stage.has("room WHERE suspended"))
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        await stage.until(lambda: stage.has("notice WHERE state = 'suspended'"))
        await ann.invite(room, stage.me)
        await stage.cards(ann, room, 1)

    assert await stage.titles(ann, room) == ["migration: Fix it"]


async def test_a_room_that_lets_the_bot_speak_no_more_gets_its_cards_when_it_does_again(
    stage: Stage, ann: Person
) -> None:
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)

    async with stage.running():
        await ann.set_levels(room, events_default=50)
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        await stage.until(lambda: stage.has("notice WHERE state = 'suspended' AND attempts > 0"))
        await ann.set_levels(room, events_default=0)
        await stage.cards(ann, room, 1)

    assert await stage.titles(ann, room) == ["migration: Fix it"]


async def test_the_subscriptions_of_a_room_follow_it_to_the_room_that_replaces_it(stage: Stage, ann: Person) -> None:
    old = await ann.create_room(stage.me, version="11")
    stage.rooms[old] = ("path:migration/",)

    async with stage.running():
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Before"))
        await stage.cards(ann, old, 1)
        new = await ann.upgrade(old)
        await ann.invite(new, stage.me)
        await stage.until(lambda: stage.has(f"room WHERE name = '{old}' AND room = '{new}'"))
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: After"))
        await stage.cards(ann, new, 1)

    assert await stage.titles(ann, old) == ["migration: Before"]
    assert await stage.titles(ann, new) == ["migration: After"]
