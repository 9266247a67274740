"""A room that was ever encrypted stays so, whatever a homeserver says of it later."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from bot.ids import TxnId
from bot.matrix.session_memory import InMemorySession
from support.chat_contract import a_message
from support.fault_proxy import FaultProxy, proxied
from support.friend import Friend
from support.homeserver import Homeserver
from support.matrix_rig import Account, listening
from support.person import Person


async def without_encryption(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
    """A homeserver that says that no room is encrypted."""
    if request.path.rstrip("/").endswith("/state/m.room.encryption"):
        return web.json_response({"errcode": "M_NOT_FOUND", "error": "Event not found."}, status=404)
    if not request.path.endswith("/sync"):
        return await proxy.passed_on(request)
    answer = await proxy.told(request)
    for told in answer.get("rooms", {}).get("join", {}).values():
        for part in (told.get("state", {}), told.get("timeline", {})):
            part["events"] = [each for each in part.get("events", []) if each["type"] != "m.room.encryption"]
    return web.json_response(answer)


def lost(folder: Path) -> None:
    """The crypto store is gone, and with it what it knows of rooms."""
    shutil.rmtree(folder / "crypto")


def kept(_: Path) -> None:
    """Nothing is lost."""


@pytest.mark.parametrize("store", [kept, lost])
async def test_a_room_stays_encrypted_after_a_restart_that_hears_otherwise(
    account: Account, ann: Person, friend: Friend, homeserver: Homeserver, store: Callable[[Path], None]
) -> None:
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, encrypted=True)
        await bot.until(lambda: room in memory.membership.encrypted and not memory.membership.invitations)
    store(account.folder)

    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        proxy.break_down("", without_encryption)
        async with listening(account, memory) as bot:
            assert bot.session.rooms[room].is_encrypted
            await bot.client.send(room, TxnId("t1"), a_message())
            await ann.say(room, "!pw clear")
            await friend.say(room, "!pw sealed")
            await bot.until(lambda: bool(memory.messages))

    assert memory.bodies() == ["!pw sealed"]
    assert await ann.messages(room, account.user) == []
    assert await friend.reads(room, account.user) == ["body of card/1"]


async def test_a_room_is_encrypted_for_the_first_message_before_any_sync(
    account: Account, ann: Person, homeserver: Homeserver
) -> None:
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, encrypted=True)
        await bot.until(lambda: room in memory.membership.encrypted)

    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        proxy.break_down("", without_encryption)
        async with account.logged_in() as client:
            await client.send(room, TxnId("t1"), a_message())

    assert await ann.messages(room, account.user) == []


@pytest.mark.parametrize("content", [{}, {"algorithm": 7}, {"algorithm": "org.example.rot13"}])
async def test_encryption_that_is_changed_to_something_unknown_stays_as_it_was(
    account: Account, ann: Person, friend: Friend, content: object
) -> None:
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, encrypted=True)
        await bot.until(lambda: room in memory.membership.encrypted)
        await ann.set_state(room, "m.room.encryption", content)
        await friend.say(room, "!pw help")
        await bot.until(lambda: bool(memory.messages))

        await bot.client.send(room, TxnId("t1"), a_message())

    assert memory.membership.encrypted == {room: "m.megolm.v1.aes-sha2"}
    assert await friend.reads(room, account.user) == ["body of card/1"]


async def test_clear_text_in_an_encrypted_room_is_no_command(account: Account, ann: Person, friend: Friend) -> None:
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user)
        await bot.until(lambda: room in bot.session.rooms)
        await ann.say(room, "!pw before")
        await ann.set_state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
        await ann.say(room, "!pw after")
        await friend.say(room, "!pw sealed")
        await bot.until(lambda: len(memory.messages) > 1)

    assert memory.bodies() == ["!pw before", "!pw sealed"]
    assert memory.welcomed == {room}


async def test_clear_text_is_no_command_where_the_encryption_is_unknown(account: Account, ann: Person) -> None:
    """There the bot can neither read nor speak."""
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user)
        await ann.set_state(room, "m.room.encryption", {"algorithm": "org.example.rot13"})
        await bot.until(lambda: room in memory.membership.encrypted)
        await ann.say(room, "!pw clear")
        other = await ann.create_room(account.user)
        await bot.until(lambda: other in bot.session.rooms)
        await ann.say(other, "!pw later")
        await bot.until(lambda: bool(memory.messages))

    assert memory.bodies() == ["!pw later"]
