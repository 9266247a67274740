"""Subscribing in real rooms: a moderator, a member, a stranger in a direct chat."""

from bot.ids import RoomId
from support.person import Person
from support.rig import PROJECT, a_series
from support.run_rig import Stage
from support.titles import title_of


async def answers(stage: Stage, person: Person, room: RoomId, count: int) -> list[str]:
    """The first lines of the bot's answers in a room, once there are *count*."""
    found = await stage.said(person, room, "answer", count)
    return [title_of(content["body"]) for content in found]


async def test_a_member_is_refused_until_a_promotion_and_a_stranger_has_a_chat(
    stage: Stage, ann: Person, bob: Person, eve: Person
) -> None:
    """The creator of a room of version 12 may from the start; nothing of it needs a restart."""
    async with stage.running():
        room = await ann.create_room(stage.me, bob.user, version="12")
        await bob.join(room)
        await ann.hears(room, stage.me)  # the welcome
        await ann.say(room, "!pw sub path:migration/")
        await answers(stage, ann, room, 1)
        await bob.say(room, "!pw sub path:docs/")
        await answers(stage, ann, room, 2)
        await bob.say(room, "!pw subs")
        (listed,) = (await stage.said(ann, room, "answer", 3))[2:]
        await ann.set_levels(room, users={bob.user: 50})
        await bob.say(room, "!pw sub path:docs/")
        told = await answers(stage, ann, room, 4)

        chat = await eve.create_room(stage.me, direct=True)
        await eve.hears(chat, stage.me)
        await eve.say(chat, "sub path:docs/")
        await answers(stage, eve, chat, 1)
        stage.patchwork.post_series(PROJECT, a_series("docs/index.rst", name="docs: Say it"))
        [card] = await stage.cards(ann, room, 1)
        [rings] = await stage.cards(eve, chat, 1)

    assert told[0] == "Subscribed, as 1: path:migration/"
    assert told[1] == "Only moderators may change what is posted here (power level 50; yours is 0)."
    assert listed["body"].startswith("This room has 1 subscription\n• 1 · path:migration/ — ")
    assert told[3] == "Subscribed, as 2: path:docs/"
    assert (card["msgtype"], rings["msgtype"]) == ("m.notice", "m.text")


async def test_a_command_is_carried_out_and_answered_once_whenever_the_bot_is_killed(stage: Stage, ann: Person) -> None:
    """By SIGKILL as soon as the change can be seen in the database, where its answer was not heard yet."""
    async with stage.running() as bot:
        room = await ann.create_room(stage.me)
        await ann.hears(room, stage.me)
        await ann.say(room, "!pw sub path:migration/")
        await stage.until(lambda: stage.has("subscription"))
        await bot.kill()
    async with stage.running():
        await answers(stage, ann, room, 1)
        await ann.say(room, "!pw subs")
        told = await stage.said(ann, room, "answer", 2)
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        await stage.cards(ann, room, 1)

    assert [title_of(content["body"]) for content in told] == [
        "Subscribed, as 1: path:migration/",
        "This room has 1 subscription",
    ]


async def test_a_new_direct_chat_takes_the_place_of_the_one_that_its_person_left(stage: Stage, ann: Person) -> None:
    async with stage.running():
        first = await ann.create_room(stage.me, direct=True)
        await ann.hears(first, stage.me)
        await ann.say(first, "sub path:migration/")
        await answers(stage, ann, first, 1)
        await ann.leave(first)
        await stage.until(lambda: stage.has('room WHERE "left"'))
        second = await ann.create_room(stage.me, direct=True)
        await ann.hears(second, stage.me)
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        await stage.cards(ann, second, 1)
        await ann.say(second, "subs")
        (told,) = await stage.said(ann, second, "answer", 1)

    assert "• 1 · path:migration/" in told["body"]


async def test_a_room_in_the_place_of_another_takes_its_subscriptions_along(stage: Stage, ann: Person) -> None:
    async with stage.running():
        old = await ann.create_room(stage.me, version="11")
        await ann.hears(old, stage.me)
        await ann.say(old, "!pw sub path:migration/")
        await answers(stage, ann, old, 1)
        new = await ann.upgrade(old)
        await ann.invite(new, stage.me)
        await stage.until(lambda: stage.has(f"subscription WHERE room = '{new}'"))
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        await stage.cards(ann, new, 1)

    assert await stage.titles(ann, new) == ["migration: Fix it"]


async def test_an_admin_lets_the_bot_leave_and_an_invitation_brings_its_subscriptions_back(
    stage: Stage, ann: Person, eve: Person
) -> None:
    stage.admins = (eve.user,)
    async with stage.running():
        room = await ann.create_room(stage.me)
        await ann.hears(room, stage.me)
        await ann.say(room, "!pw sub path:migration/")
        await answers(stage, ann, room, 1)
        chat = await eve.create_room(stage.me, direct=True)
        await eve.hears(chat, stage.me)
        await eve.say(chat, f"leave {room}")
        await answers(stage, eve, chat, 1)
        gone = await ann.members(room)
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Unheard"))
        await stage.until(lambda: stage.has("series"))
        await ann.invite(room, stage.me)
        await stage.until(lambda: not stage.has('room WHERE "left"'))
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Heard"))
        await stage.cards(ann, room, 1)

    assert stage.me not in gone
    assert await stage.titles(ann, room) == ["migration: Heard"]


async def test_a_room_of_many_is_not_direct_because_somebody_called_it_so(
    stage: Stage, ann: Person, bob: Person
) -> None:
    room = await ann.create_room(bob.user, stage.me, direct=True)
    await bob.join(room)

    async with stage.running():
        await ann.hears(room, stage.me)  # the welcome
        await bob.say(room, "!pw sub path:docs/")
        (refusal,) = await stage.said(ann, room, "answer", 1)

    assert refusal["body"].startswith("Only moderators may change what is posted here (power level 50")
