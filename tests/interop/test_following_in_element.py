"""Users of Element who follow a card by a reaction, in an encrypted room."""

from collections.abc import Sequence

from bot.ids import EventId, RoomId
from support.element import Drawn, Element, Elements
from support.matrix_rig import Account
from support.rig import PROJECT, a_series
from support.run_rig import Stage, a_stage
from support.titles import title_of

EYES, EYES_AS_AN_EMOJI = "👀", "👀\ufe0f"


async def card_in_room(stage: Stage, ann: Element, bob: Element) -> tuple[RoomId, EventId, int]:
    """An encrypted room of Ann's and Bob's with a card; the room, the card, and the patch that it shows."""
    room = await ann.create_room(bob.user)
    await bob.join(room)
    await ann.invite(room, stage.me)
    await ann.hears(room, stage.me, 1)  # the welcome
    await ann.say(room, "!pw sub path:migration/")
    await ann.hears(room, stage.me, 2)
    posted = stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
    *_, card = await bob.hears(room, stage.me, 3)
    return room, card.event, posted.patches[0]


def gist(said: Sequence[Drawn]) -> list[str]:
    """The first lines of what the bot said."""
    return [title_of(message.body) for message in said]


async def test_a_reaction_in_an_encrypted_room_brings_the_news_to_the_direct_chat(
    account: Account, elements: Elements
) -> None:
    """Without such a chat it is kept; two reactions from two devices are one, and the last one taken back ends it."""
    ann, bob = await elements.newcomer(), await elements.newcomer()

    async with a_stage(account, speed=60) as stage, stage.running():
        room, card, patch = await card_in_room(stage, ann, bob)
        first = await bob.react(room, card, EYES)
        *_, hint = await bob.hears(room, stage.me, 4)
        chat = await bob.create_direct(stage.me)
        await bob.hears(chat, stage.me, 1)  # the welcome
        phone = await elements.another(bob)
        second = await phone.react(room, card, EYES_AS_AN_EMOJI)
        await ann.react(room, card, "👍")
        stage.patchwork.set_state(patch, "under-review")
        changed = await bob.hears(chat, stage.me, 3)
        await bob.redact(room, first)
        stage.patchwork.set_state(patch, "accepted")
        one_left = await bob.hears(chat, stage.me, 4)
        await phone.redact(room, second)
        await stage.until(lambda: not stage.has("follow"))
        stage.patchwork.set_state(patch, "rejected")
        await bob.say(chat, "follows")
        *_, listed = await bob.hears(chat, stage.me, 5)
        in_the_room = await ann.messages(room, stage.me)

    assert hint.relation is not None
    assert (hint.relation["rel_type"], hint.relation["event_id"]) == ("m.thread", card)
    assert hint.body.startswith("👀 means that you follow this.")
    assert gist(changed[1:]) == ["migration: Fix it", "Under Review (was New)"]
    assert one_left[-1].body == "✅ Accepted (was Under Review)"
    assert listed.body.startswith("You follow nothing yet.")
    assert all(message.encrypted for message in changed)
    assert len(in_the_room) == 4
