"""`patchbot run` in an encrypted room, and `patchbot keys`."""

import re

from friend import Friend
from matrix_rig import PASSWORD
from person import Person
from rig import PROJECT, a_series
from run_rig import Stage


async def test_an_encrypted_room_gets_its_cards_and_answers(stage: Stage, ann: Person, friend: Friend) -> None:
    room = await ann.create_room(stage.me, encrypted=True)
    stage.rooms[room] = ("path:migration/",)

    async with stage.running() as bot:
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        _, card = await friend.reads(room, stage.me, 2)
        await friend.say(room, "!pw version")
        answer = (await friend.reads(room, stage.me, 3))[2]
        status, told = await stage.patchbot("keys", "status")
        refused = await stage.patchbot("keys", "reset", "--yes")

    assert card.startswith("migration")
    assert answer.startswith("patchwork-matrix-bot")
    assert await ann.bodies(room, stage.me) == []
    assert status == 0, told
    assert re.sub(r"[A-Z]{10}|[\w+/]{43}|@bot\d+", "…", told) == (
        "The bot is …:hs.test, device ….\n"
        "The device is signed.\n"
        "The account's identity is the bot's own: ….\n"
        "One-time keys at the homeserver: 49.\n"
    )
    assert refused == (1, f"another patchbot runs already: it holds {stage.folder / 'patchbot.lock'}\n")
    assert card not in bot.said()
    assert "!pw version" not in bot.said()


async def test_an_operator_gives_the_bot_a_new_identity(stage: Stage) -> None:
    before_its_first_run = await stage.patchbot("keys", "status")
    async with stage.running() as bot:
        await stage.until(lambda: "the device is signed" in bot.said())
    first = await stage.patchbot("keys", "status")

    unconfirmed = await stage.patchbot("keys", "reset")
    reset = await stage.patchbot("keys", "reset", "--yes", password=PASSWORD)
    second = await stage.patchbot("keys", "status")

    assert before_its_first_run == (2, "the bot has not logged in yet: let it run once first\n")
    assert unconfirmed == (
        2,
        "people who verified the bot will be told that its identity changed: confirm it with --yes\n",
    )
    assert reset == (
        0,
        "the bot has a new identity, and its device is signed with it; keep a copy of keys.json\n",
    )
    assert (first[0], second[0]) == (0, 0)
    assert first[1] != second[1]
