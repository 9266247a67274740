"""The way to the homeserver: a private authority, and a proxy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.errors import Temporary
from support.certificates import make_certificates, serving
from support.fault_proxy import proxied
from support.homeserver import Homeserver
from support.matrix_rig import Account


@pytest.fixture
def ca_file(homeserver: Homeserver, tmp_path: Path) -> Path:  # noqa: ARG001  # its environment must be there
    return make_certificates(tmp_path)


async def test_a_private_authority_is_trusted_where_it_is_configured(
    account: Account, homeserver: Homeserver, ca_file: Path
) -> None:
    async with proxied(homeserver, serving(ca_file)) as proxy:
        account.url = proxy.url
        with pytest.raises(Temporary, match="certificate verify failed"):
            async with account.logged_in():
                pass

        account.ca_file = str(ca_file)
        async with account.logged_in() as client:
            assert client.device


async def test_a_proxy_is_used_where_it_is_configured(account: Account) -> None:
    async with connect_proxy() as (url, connected):
        account.proxy = url
        async with account.logged_in() as client:
            assert client.device

    assert connected == [f"127.0.0.1:{account.homeserver.port}"]


async def test_a_proxy_that_is_down_may_come_back(account: Account) -> None:
    account.proxy = "http://127.0.0.1:9"

    with pytest.raises(Temporary):
        async with account.logged_in():
            pass


async def test_a_proxy_that_refuses_may_change_its_mind(account: Account) -> None:
    async with connect_proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (url, _):
        account.proxy = url

        with pytest.raises(Temporary, match="407"):
            async with account.logged_in():
                pass


@asynccontextmanager
async def connect_proxy(
    answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n",
) -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that opens tunnels; its address, and where they led."""
    connected: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        host, _, port = head.split()[1].partition(":")
        connected.append(f"{host}:{port}")
        writer.write(answer)
        if b" 200 " in answer:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            await asyncio.gather(pumped(reader, far_writer), pumped(far_reader, writer))
        writer.close()

    async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connected
