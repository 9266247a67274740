"""The bot in encrypted rooms, as users of Element meet it."""

import asyncio
import shutil
from collections.abc import Sequence
from functools import partial

import pytest

from bot.ids import RoomId
from bot.matrix import device as devices
from bot.sample_patchwork.patchwork import PostedSeries
from support.element import Drawn, Element, Elements
from support.fault_proxy import FirstAnswersHeld, proxied
from support.matrix_rig import PASSWORD, Account
from support.person import Person
from support.rig import PROJECT, a_series
from support.run_rig import Stage, a_stage
from support.titles import title_of

BURST = 300
UNSIGNED = "UNSIGNED_SENDER_DEVICE"
SEND = "/send/m.room.encrypted/"


async def subscribed(stage: Stage, ann: Element, query: str = "path:migration/") -> RoomId:
    """An encrypted chat with the bot, for which it has a subscription; it has said two things there."""
    await ann.meet(stage.me)
    chat = await ann.create_direct(stage.me)
    await ann.hears(chat, stage.me, 1)  # the welcome
    await ann.say(chat, f"sub {query}")
    await ann.hears(chat, stage.me, 2)
    return chat


async def room_of(stage: Stage, ann: Element, bob: Element) -> RoomId:
    """An encrypted room of two people who ask the bot in."""
    room = await ann.create_room(bob.user)
    await bob.join(room)
    await ann.invite(room, stage.me)
    return room


def post(stage: Stage, name: str) -> PostedSeries:
    """A series for the chat arrives."""
    return stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name=name))


def titles(said: Sequence[Drawn]) -> list[str]:
    """The first lines of the cards among what the bot said."""
    cards = [message for message in said if message.content["org.patchbot"]["kind"] == "card"]
    return [title_of(card.body) for card in cards]


async def kill_with_unknown_outcome(stage: Stage, name: str) -> None:
    """The bot posts a card, the homeserver has it, and the bot is killed before it knows."""
    held = FirstAnswersHeld()
    async with proxied(stage.account.homeserver) as proxy:
        proxy.break_down(SEND, held)
        stage.account.url = proxy.url
        post(stage, name)
        bot = await stage.start()
        try:
            await stage.until(lambda: bool(held.held))
        finally:
            await bot.kill()
    stage.account.url = stage.account.homeserver.url


async def test_who_excludes_unsigned_devices_is_served_in_an_encrypted_chat(stage: Stage, elements: Elements) -> None:
    ann = await elements.newcomer(only_signed=True)

    async with stage.running():
        chat = await subscribed(stage, ann)
        await ann.say(chat, "help")
        await ann.hears(chat, stage.me, 3)
        post(stage, "migration: Fix it")
        said = await ann.hears(chat, stage.me, 4)

    assert all(message.is_trusted for message in said)
    assert "Undo: unsub" in said[1].body
    assert said[2].body.startswith("Most wanted")
    assert titles(said) == ["migration: Fix it"]
    assert list((await ann.trust(stage.me)).devices.values()) == [True]


async def test_a_card_is_edited_in_its_place_and_what_happens_is_told_in_its_thread(
    account: Account, elements: Elements
) -> None:
    """A minute is a second there."""
    ann = await elements.newcomer(only_signed=True)

    async with a_stage(account, speed=60) as stage, stage.running():
        chat = await subscribed(stage, ann, "path:migration/ on:new,state")
        series = post(stage, "migration: Fix it")
        *_, card = await ann.hears(chat, stage.me, 3)
        stage.patchwork.set_state(series.patches[0], "accepted")
        *_, reply = await ann.hears(chat, stage.me, 4)
        *_, edited, _ = await ann.shows(chat, stage.me, lambda said: said[2].body != card.body)

    assert "New · no reviews yet" in card.body.splitlines()
    assert edited.body == card.body.replace("🆕", "✅").replace("\nNew · no reviews yet", "\nAccepted")
    assert (edited.event, edited.original["body"]) == (card.event, card.body)
    assert reply.relation is not None
    assert (reply.relation["rel_type"], reply.relation["event_id"]) == ("m.thread", card.event)
    assert reply.body == "✅ Accepted (was New)"
    assert all(message.is_trusted for message in (card, edited, reply))


async def test_a_bot_whose_identity_is_somebody_elses_is_neither_read_nor_written_to(
    stage: Stage, elements: Elements
) -> None:
    """It cannot sign its device, and says so; this is also the proof that the other tests see what signing does."""
    somebody = await elements.log_in(stage.me, PASSWORD)
    await somebody.sign_up()
    await somebody.log_out()
    ann, bob = await elements.newcomer(only_signed=True), await elements.newcomer()

    async with stage.running() as bot:
        room = await room_of(stage, ann, bob)
        await ann.say(room, "!pw help")
        await bob.say(room, "!pw version")
        heard = await bob.hears(
            room, stage.me, 3
        )  # a welcome, the answer, and that Ann's message could not be decrypted
        seen = await ann.shows(room, stage.me, lambda drawn: len(drawn) == 3)

    assert "a cross-signing identity that is not the bot's" in bot.said()
    assert [message for message in heard[1:] if message.body.startswith("patchwork-matrix-bot ")]
    assert [message for message in heard[1:] if message.body.startswith("I could not decrypt that message")]
    assert {message.reason for message in heard} == {"UNSIGNED_DEVICE"}
    assert {message.failure for message in seen} == {UNSIGNED}


async def test_a_bot_killed_between_send_and_acknowledgement_posts_its_card_once(
    stage: Stage, elements: Elements
) -> None:
    ann = await elements.newcomer(only_signed=True)
    async with stage.running():
        chat = await subscribed(stage, ann)

    await kill_with_unknown_outcome(stage, "migration: The first")
    async with stage.running():
        post(stage, "migration: The second")
        said = await ann.hears(chat, stage.me, 4)

    assert titles(said) == ["migration: The first", "migration: The second"]
    assert all(message.is_trusted for message in said)


@pytest.mark.timeout(900)
async def test_a_burst_is_read_on_every_device_and_in_order(stage: Stage, elements: Elements) -> None:
    names = [f"migration: Fix number {number}" for number in range(1, BURST + 1)]
    ann, bob = [await elements.newcomer(only_signed=True) for _ in range(2)]
    phone = await elements.another(ann, only_signed=True)

    async with stage.running():
        await asyncio.gather(*(device.meet(stage.me) for device in (ann, phone, bob)))
        room = await room_of(stage, ann, bob)
        await ann.hears(room, stage.me, 1)  # the welcome
        for said, command in enumerate(("set flood 0", "sub path:migration/"), start=2):
            await ann.say(room, f"!pw {command}")
            await ann.hears(room, stage.me, said)
        for name in names:
            post(stage, name)
        for count in range(0, BURST + 1, 50):  # each wait has its own deadline
            await stage.until(partial(stage.has, "notice WHERE state = 'done'", 3 + count))
        heard = [await device.hears(room, stage.me, 3 + BURST) for device in (ann, phone, bob)]

    assert [titles(said) for said in heard] == [names] * 3
    assert all(message.is_trusted for said in heard for message in said)


async def test_a_new_device_is_answered_though_all_keys_were_used_up_while_the_bot_was_away(
    stage: Stage, elements: Elements, eve: Person
) -> None:
    """The homeserver has 50 keys of the bot's, and one more to fall back on."""
    ann = await elements.newcomer(only_signed=True)
    async with stage.running() as bot:
        chat = await subscribed(stage, ann)
        await bot.stop()
    for _ in range(60):
        await claim_key(stage, eve)

    phone = await elements.another(ann, only_signed=True)
    await phone.say(chat, "version")
    async with stage.running():
        said = await phone.shows(chat, stage.me, is_answered)
        await eve.until(lambda: has_own_key(stage, eve))

    assert len(said) == 3
    assert said[-1].is_trusted


def is_answered(said: Sequence[Drawn]) -> bool:
    """Whether the newest message is the version."""
    return bool(said) and said[-1].body.startswith("patchwork-matrix-bot ")


async def claim_key(stage: Stage, person: Person) -> dict[str, object]:
    """Take a key of the bot's device, as another device does before it first writes to it."""
    device = devices.load(stage.folder)
    assert device is not None
    wanted = {stage.me: {device.id: "signed_curve25519"}}
    answer = await person.ask("POST", "/keys/claim", {"one_time_keys": wanted})
    (key,) = answer["one_time_keys"][stage.me][device.id].values()
    return dict(key)


async def has_own_key(stage: Stage, person: Person) -> bool:
    """Whether the homeserver has other keys of the bot's than the one to fall back on."""
    return "fallback" not in await claim_key(stage, person)


async def test_a_bot_that_lost_its_keys_is_trusted_still_and_says_nothing_twice(
    stage: Stage, elements: Elements
) -> None:
    ann = await elements.newcomer(only_signed=True)
    async with stage.running():
        chat = await subscribed(stage, ann)
    await ann.verify(stage.me)
    await kill_with_unknown_outcome(stage, "migration: The first")
    former = devices.load(stage.folder)
    shutil.rmtree(stage.folder / "crypto")

    async with stage.running():
        post(stage, "migration: The second")
        said = await ann.hears(chat, stage.me, 4)
        await ann.say(chat, "version")
        said = await ann.hears(chat, stage.me, 5)

    assert titles(said) == ["migration: The first", "migration: The second"]
    assert all(message.is_trusted for message in said)
    trust = await ann.trust(stage.me)
    assert former is not None
    assert trust.verified
    assert not trust.needs_approval
    assert trust.devices.keys() != {former.id}
    assert all(trust.devices.values())
