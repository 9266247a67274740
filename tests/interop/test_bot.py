"""The bot, as users of Element meet it."""

from bot.ids import RoomId
from support.element import Drawn, Element, Elements
from support.rig import PROJECT, a_series
from support.run_rig import Stage


async def the_bot_serves(stage: Stage, ann: Element, chat: RoomId) -> list[Drawn]:
    """Ask for help, subscribe and get a card; what the bot said in the chat."""
    await ann.hears(chat, stage.me, 1)  # the welcome
    await ann.say(chat, "help")
    await ann.hears(chat, stage.me, 2)
    await ann.say(chat, "sub path:migration/")
    await ann.hears(chat, stage.me, 3)
    stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
    return list(await ann.hears(chat, stage.me, 4))


async def test_a_person_is_served_in_a_direct_chat(stage: Stage, elements: Elements) -> None:
    ann = await elements.newcomer()

    async with stage.running():
        chat = await ann.create_room(stage.me, direct=True, encrypted=False)
        said = await the_bot_serves(stage, ann, chat)

    _, answer, undo, card = [message.body for message in said]
    assert answer.startswith("Most wanted")
    assert "Undo: unsub" in undo
    assert card.startswith("🆕 migration: Fix it")
