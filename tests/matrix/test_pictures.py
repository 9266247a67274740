"""Pictures at a real homeserver, in rooms with and without encryption."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from aiohttp import web
from nio.crypto.attachments import decrypt_attachment

from bot.errors import Temporary
from bot.ids import EventId, NoticeKey, TxnId
from bot.matrix import requests
from bot.matrix.client import MatrixClient
from bot.notices.chart import Chart, Week
from bot.notices.notice import Message, NoticeKind, Tag
from bot.pictures.chart_png import HEIGHT, SCALE, WIDTH, chart_png
from support.fault_proxy import FaultProxy, hang, json_500, limited, proxied
from support.friend import Friend
from support.homeserver import NO_TLS
from support.matrix_rig import Account
from support.person import Person

CHART = Chart("90 days", "path:hw/", (Week("2026-11-17", 7, 3, 1, 5), Week("2026-11-24", 7, 2, 2, 5)))
UPLOAD = "/media/v3/upload"
MISSING = "There is no picture this time; the operator finds the reason in the log."


def a_picture(number: int = 1) -> Message:
    tag = Tag(NoticeKind.CHART, NoticeKey(f"answer/{number}"))
    return Message(
        "90 days\nOpen now: 5", "<p>90 days<br>Open now: 5</p>", tag, replies_to=EventId("$asked"), chart=CHART
    )


async def downloaded(person: Person, uri: str) -> httpx.Response:
    path = f"{person._newer_api}/media/download/{uri.removeprefix('mxc://')}"
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as http:
        response = await http.get(path, headers={"Authorization": person._http.headers["Authorization"]})
    response.raise_for_status()
    return response


def common(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in {"url", "file", "info"}}


EXPECTED = {
    "msgtype": "m.image",
    "body": "90 days\nOpen now: 5",
    "filename": "chart.png",
    "format": "org.matrix.custom.html",
    "formatted_body": "<p>90 days<br>Open now: 5</p>",
    "m.mentions": {},
    "m.relates_to": {"m.in_reply_to": {"event_id": "$asked"}},
    "com.beeper.linkpreviews": [],
    "org.patchbot": {"kind": "chart", "key": "answer/1"},
}


async def test_a_chart_is_a_picture_with_its_description(account: Account, ann: Person) -> None:
    async with account.logged_in() as client:
        room = await account.room_of(ann, client)

        await client.send(room, TxnId("t1"), a_picture())

        [content] = await ann.messages(room, account.user)
        assert common(content) == EXPECTED
        response = await downloaded(ann, content["url"])
    png = chart_png(CHART)
    assert response.content == png
    assert response.headers["content-type"] == "image/png"
    assert content["info"] == {"w": WIDTH * SCALE, "h": HEIGHT * SCALE, "mimetype": "image/png", "size": len(png)}


async def test_in_an_encrypted_room_the_picture_is_encrypted(account: Account, ann: Person, friend: Friend) -> None:
    async with account.logged_in() as client:
        room = await account.room_of(ann, client, encrypted=True)

        await client.send(room, TxnId("t1"), a_picture())

        await friend.look()
        [content] = friend.contents(room, account.user)
        assert common(content) == EXPECTED
        file = content["file"]
        stored = await downloaded(ann, file["url"])
    assert b"PNG" not in stored.content
    assert stored.headers["content-type"] == "application/octet-stream"
    png = decrypt_attachment(stored.content, file["key"]["k"], file["hashes"]["sha256"], file["iv"])
    assert png == chart_png(CHART)
    assert (file["v"], file["key"]["alg"], file["key"]["kty"], file["key"]["ext"]) == ("v2", "A256CTR", "oct", True)


async def test_a_repeated_send_of_another_process_makes_no_second_event(account: Account, ann: Person) -> None:
    """A crash after the upload, or after the event, leads to another upload; the transaction is the same."""
    async with account.logged_in() as client:
        room = await account.room_of(ann, client)
        first = await client.send(room, TxnId("t1"), a_picture())
    async with account.logged_in() as restarted:
        second = await restarted.send(room, TxnId("t1"), a_picture())

    assert first == second
    assert len(await ann.messages(room, account.user)) == 1


@asynccontextmanager
async def behind_a_proxy(account: Account) -> AsyncIterator[tuple[MatrixClient, FaultProxy]]:
    async with proxied(account.homeserver) as proxy:
        account.url = proxy.url
        async with account.logged_in() as client:
            yield client, proxy


async def too_large(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A homeserver with a limit for uploads, or a reverse proxy with one."""
    return web.json_response({"errcode": "M_TOO_LARGE", "error": "Upload too large"}, status=413)


async def forbidden(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A homeserver where this account may not upload."""
    return web.json_response({"errcode": "M_FORBIDDEN", "error": "No uploads"}, status=403)


async def elsewhere(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A homeserver that answers with no address of its own."""
    return web.json_response({"content_uri": "https://example.org/x.png"})


@pytest.mark.parametrize("fault", [too_large, forbidden], ids=["413", "403"])
async def test_where_the_picture_is_refused_the_text_is_posted_once(account: Account, ann: Person, fault: Any) -> None:
    async with behind_a_proxy(account) as (client, proxy):
        room = await account.room_of(ann, client)
        proxy.break_down(UPLOAD, fault)

        await client.send(room, TxnId("t1"), a_picture())
        await client.send(room, TxnId("t1"), a_picture())

        assert proxy.suffered == 1
    [content] = await ann.messages(room, account.user)
    assert content["msgtype"] == "m.notice"
    assert content["body"] == f"90 days\nOpen now: 5\n{MISSING}"
    assert content["org.patchbot"] == EXPECTED["org.patchbot"]


@pytest.mark.parametrize("fault", [json_500, limited, elsewhere], ids=["500", "429", "garbage"])
async def test_an_upload_that_fails_is_tried_once_more_and_slows_nothing_down(
    account: Account, ann: Person, fault: Any
) -> None:
    async with behind_a_proxy(account) as (client, proxy):
        room = await account.room_of(ann, client)
        proxy.break_down(UPLOAD, fault)

        with pytest.raises(Temporary) as first:
            await client.send(room, TxnId("t1"), a_picture())
        await client.send(room, TxnId("t1"), a_picture())
        proxy.heal()
        await client.send(room, TxnId("t2"), a_picture(2))

        assert proxy.suffered == 2
    assert first.value.retry_after is None
    text, picture = await ann.messages(room, account.user)
    assert (text["msgtype"], picture["msgtype"]) == ("m.notice", "m.image")


async def test_a_message_that_is_tried_again_needs_no_second_upload(account: Account, ann: Person) -> None:
    async with behind_a_proxy(account) as (client, proxy):
        room = await account.room_of(ann, client)
        proxy.break_down("/send/", json_500)
        with pytest.raises(Temporary):
            await client.send(room, TxnId("t1"), a_picture())
        proxy.break_down(UPLOAD, hang)

        await client.send(room, TxnId("t1"), a_picture())

        assert proxy.suffered == 0
    [content] = await ann.messages(room, account.user)
    assert content["msgtype"] == "m.image"


async def test_an_upload_that_hangs_ends_and_holds_up_no_other_room(
    account: Account, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_UPLOAD_SECONDS", 5.0)
    async with behind_a_proxy(account) as (client, proxy):
        room, other = await account.room_of(ann, client), await account.room_of(ann, client)
        proxy.break_down(UPLOAD, hang)
        sending = asyncio.create_task(client.send(room, TxnId("t1"), a_picture()))

        await client.send(other, TxnId("t2"), replace(a_picture(2), chart=None))
        is_first = not sending.done()
        with pytest.raises(Temporary, match="no answer within 5 s"):
            await sending

    assert is_first
    assert await ann.bodies(other, account.user) == ["90 days\nOpen now: 5"]
