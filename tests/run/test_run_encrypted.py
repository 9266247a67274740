"""`patchbot run` in an encrypted room, and `patchbot keys`."""

import re

from bot.matrix.signing import standing
from support.friend import Friend
from support.matrix_rig import PASSWORD
from support.person import Person
from support.rig import PROJECT, a_series
from support.run_rig import Stage


async def test_an_encrypted_room_gets_its_cards_and_answers(stage: Stage, ann: Person, friend: Friend) -> None:
    room = await ann.create_room(stage.me, encrypted=True)
    stage.rooms[room] = ("path:migration/",)

    async with stage.running() as bot:
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        [card] = [text for text in await friend.reads(room, stage.me, 2) if not text.startswith("👋")]
        await friend.say(room, "!pw version")
        answer = (await friend.reads(room, stage.me, 3))[2]
        status, told = await stage.patchbot("keys", "status")
        refused = await stage.patchbot("keys", "reset", "--yes")

    assert card.startswith("🆕 migration")
    assert answer.startswith("patchwork-matrix-bot")
    assert await ann.bodies(room, stage.me) == []
    assert status == 0, told
    assert re.sub(r"[A-Z]{10}|[\w+/]{43}|@bot\d+", "…", told) == (
        "The bot is …:hs.test, device ….\n"
        "The device is signed.\n"
        "The account's identity is the bot's own: ….\n"
        "One-time keys at the homeserver: 50.\n"
    )
    assert refused == (1, f"another patchbot is already running: it has locked {stage.folder / 'patchbot.lock'}\n")
    assert card not in bot.said()
    assert "!pw version" not in bot.said()


async def test_an_operator_gives_the_bot_a_new_identity(stage: Stage, ann: Person) -> None:
    async with stage.running() as bot:
        await stage.until(lambda: "device.signed" in bot.said())
    first = await ann.ask("POST", "/keys/query", {"device_keys": {stage.me: []}})

    reset = await stage.patchbot("keys", "reset", "--yes", password=PASSWORD)

    second = await ann.ask("POST", "/keys/query", {"device_keys": {stage.me: []}})
    assert reset == (0, "The bot has a new identity, and its device is signed with it. Keep a copy of keys.json.\n")
    assert first["master_keys"] != second["master_keys"]
    [device] = second["device_keys"][stage.me]
    assert standing(second, stage.me, device).is_signed
