"""What goes wrong on the way to an encrypted message: nothing is lost, nothing hangs, nothing arrives unreadable."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from bot.errors import Temporary
from bot.ids import TxnId
from support.chat_contract import a_message
from support.fault_proxy import (
    Fault,
    FaultProxy,
    cut,
    dropped_after_commit,
    garbage,
    hang,
    json_500,
    limited,
    proxied,
)
from support.friend import Friend
from support.homeserver import Homeserver
from support.matrix_rig import Account, impatient
from support.person import Person

STEPS = (
    "/keys/upload",
    "/signatures/upload",
    "/members",
    "/keys/query",
    "/keys/claim",
    "/sendToDevice/",
    "/send/m.room",
)


async def refused(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A homeserver that does not want to exchange keys; the message itself is not refused by that."""
    return web.json_response({"errcode": "M_FORBIDDEN", "error": "no"}, status=403)


@pytest.fixture
async def proxy(homeserver: Homeserver) -> AsyncIterator[FaultProxy]:
    async with proxied(homeserver) as proxy:
        yield proxy


@pytest.fixture
def account(homeserver: Homeserver, proxy: FaultProxy, tmp_path: Path) -> Account:
    return Account(homeserver, tmp_path / "data", proxy.url)


@pytest.mark.parametrize("fault", [json_500, garbage, cut, limited, dropped_after_commit])
async def test_whichever_request_fails_the_message_waits_and_is_read_in_the_end(
    account: Account, proxy: FaultProxy, ann: Person, friend: Friend, fault: Fault
) -> None:
    """Holes 1, 2, 3: one request after the other fails, each once."""
    async with account.logged_in() as client:
        room = await account.room_of(ann, client, encrypted=True)
        assert await client.encryption.is_on(room)
        token = client._device

        for step in STEPS:
            proxy.break_down(step, fault)
            with pytest.raises(Temporary):
                await client.send(room, TxnId("t1"), a_message())
            assert proxy.suffered >= 1, step
        proxy.heal()
        await client.send(room, TxnId("t1"), a_message())
        await client.send(room, TxnId("t2"), a_message("card/2"))

        assert client._device == token
        assert await friend.reads(room, account.user, 2) == ["body of card/1", "body of card/2"]
        assert await ann.bodies(room, account.user) == []


@pytest.mark.parametrize("fault", [refused, hang])
async def test_keys_that_cannot_be_given_away_now_are_given_away_later(
    account: Account, proxy: FaultProxy, ann: Person, friend: Friend, fault: Fault
) -> None:
    """Holes 1, 2, 3: nobody waits for ever, and the room is not given up."""
    async with account.logged_in() as client:
        room = await account.room_of(ann, client, encrypted=True)

        for step in ("/keys/query", "/keys/claim", "/sendToDevice/"):
            assert await client.encryption.is_on(room)
            proxy.break_down(step, fault)
            with pytest.raises(Temporary), impatient(client):
                await client.send(room, TxnId("t1"), a_message())
            proxy.heal()
        await client.send(room, TxnId("t1"), a_message())

        assert await friend.reads(room, account.user) == ["body of card/1"]
