"""`patchbot run` in an encrypted room, and `patchbot keys`."""

import asyncio
import os
import re
import sys

from bot.matrix.secret_storage import typed_key
from bot.matrix.signing import standing
from support.cli_rig import environment
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
        "The identity is not backed up at the homeserver; `patchbot keys backup` does that.\n"
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


async def test_an_operator_backs_the_identity_up_while_the_bot_runs(stage: Stage) -> None:
    async with stage.running() as bot:
        await stage.until(lambda: "device.signed" in bot.said())
        first = await stage.patchbot("keys", "backup")
        status = await stage.patchbot("keys", "status")
        again = await stage.patchbot("keys", "backup")
        replaced = await stage.patchbot("keys", "backup", "--replace")
        refused = await stage.patchbot("keys", "restore", stdin=first[1].splitlines()[0].encode())

    key, *told = first[1].splitlines()  # standard output, which has nothing else, before standard error
    assert first[0] == 0
    assert len(typed_key(key)) == 32
    assert told == ["The identity is backed up at the homeserver. Its recovery key, which is not shown again:"]
    assert status[0] == 0
    assert (key_id := re.search("under the recovery key ([0-9a-f]{32})[.]\n$", status[1]))
    assert again[0] == 0
    assert again[1].splitlines() == [
        f"The identity is backed up at the homeserver, under the recovery key {key_id[1]}.",
        "Nothing was changed; --replace makes another recovery key.",
    ]
    assert replaced[0] == 0
    assert typed_key(replaced[1].splitlines()[0]) != typed_key(key)
    assert f"The account has a recovery key already, which the bot made ({key_id[1]}, " in replaced[1]
    assert refused == (1, f"another patchbot is already running: it has locked {stage.folder / 'patchbot.lock'}\n")
    assert "Es" not in {word[:2] for word in re.findall("(?:[1-9A-Za-z]{4} ){11}", bot.said())}


async def test_a_recovery_key_that_cannot_be_written_is_not_lost_silently(stage: Stage) -> None:
    async with stage.running() as bot:
        await stage.until(lambda: "device.signed" in bot.said())
    command = [sys.executable, "-m", "bot.cli", "keys", "backup", "--config", str(stage.folder / "config.toml")]

    full = os.open("/dev/full", os.O_WRONLY)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=stage.folder, env=environment(), stdout=full, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    os.close(full)

    assert process.returncode == 1
    assert told.decode().splitlines() == [
        "The identity is backed up at the homeserver. Its recovery key, which is not shown again:",
        "The recovery key could not be written; `patchbot keys backup --replace` makes another one.",
        "No space left on device",
    ]


async def test_a_link_in_an_encrypted_room_gets_one_line_and_a_forged_one_none(
    stage: Stage, ann: Person, friend: Friend
) -> None:
    room, other = await ann.create_room(stage.me, encrypted=True), await ann.create_room(stage.me)
    stage.rooms[room], stage.rooms[other] = ("path:nothing/",), ("path:migration/",)

    async with stage.running() as bot:
        posted = stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        await ann.hears(other, stage.me, 2)  # the welcome, and the card
        await friend.reads(room, stage.me, 1)
        link = f"{stage.patchwork_url}/series/{posted.series}/"
        await ann.say(room, f"in clear text: {link}")
        await friend.say(room, f"from another bot: {link}", msgtype="m.notice")
        await friend.say(room, "!pw version")
        assert (await friend.reads(room, stage.me, 2))[1].startswith("patchwork-matrix-bot")
        event = await friend.say(room, f"what about {link}?")
        line = (await friend.reads(room, stage.me, 3))[2]
        await friend.say(room, f"again {link}")
        await friend.say(room, "!pw version")
        after = (await friend.reads(room, stage.me, 4))[3]
        content = friend.contents(room, stage.me)[2]

    assert line.startswith("🆕 migration: Fix it · Ada Sample · New · ")
    assert "\n" not in line
    assert after.startswith("patchwork-matrix-bot")
    assert content["msgtype"] == "m.notice"
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": event}}
    subject = {"kind": "unfurl", "server": "sample", "project": PROJECT, "series": posted.series, "version": 1}
    assert content["org.patchbot"].items() >= subject.items()
    assert await ann.bodies(room, stage.me) == []
    assert "what about" not in bot.said()
