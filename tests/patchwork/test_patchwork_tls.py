"""Whom the bot believes to be a Patchwork server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from bot.errors import Temporary
from bot.patchwork.client import Network, PatchworkClient
from support.certificates import make_certificates, serving
from support.homeserver import Homeserver


@pytest.fixture
def ca_file(homeserver: Homeserver, tmp_path: Path) -> Path:  # noqa: ARG001  # its environment must be there
    return make_certificates(tmp_path)


@pytest.fixture
async def url(ca_file: Path) -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"events": "here"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=serving(ca_file)).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_certificate_by_nobody_known_is_refused(url: str) -> None:
    async with PatchworkClient(url, "ops@example.org") as client:
        with pytest.raises(Temporary, match="certificate verify failed"):
            await client.json("", version="1.3")


async def test_a_private_authority_is_believed_where_it_is_configured(url: str, ca_file: Path) -> None:
    async with PatchworkClient(url, "ops@example.org", Network(ca_file=str(ca_file))) as client:
        page = await client.json("", version="1.3")

    assert b"events" in page.body


async def test_a_certificate_of_another_host_is_refused(url: str, ca_file: Path) -> None:
    elsewhere = url.replace("127.0.0.1", "localhost")
    async with PatchworkClient(elsewhere, "ops@example.org", Network(ca_file=str(ca_file))) as client:
        with pytest.raises(Temporary, match="certificate verify failed"):
            await client.json("", version="1.3")
