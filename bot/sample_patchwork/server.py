"""Connects the sample Patchwork to clients: as a real HTTP server, and as a transport for httpx."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from aiohttp import web

from bot.sample_patchwork.patchwork import SamplePatchwork


class SampleTransport(httpx.AsyncBaseTransport):
    """An httpx transport that responds from memory immediately; *patchwork* may be replaced at any time."""

    def __init__(self, patchwork: SamplePatchwork) -> None:
        self.patchwork = patchwork

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the sample Patchwork's response."""
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        response = self.patchwork.answer(request.method, path, query, dict(request.headers), await request.aread())
        stream = httpx.ByteStream(response.body)  # read in the same way as a response from the network
        return httpx.Response(response.status, headers=dict(response.headers), stream=stream)


@asynccontextmanager
async def serve(patchwork: SamplePatchwork, *, port: int = 0) -> AsyncIterator[str]:
    """Serve *patchwork* on the loopback interface, and yield the base URL; port 0 takes any free port."""

    async def handle(request: web.Request) -> web.Response:
        path, _, query = request.raw_path.partition("?")
        answer = patchwork.answer(request.method, path, query, dict(request.headers), await request.read())
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        host, bound = runner.addresses[0][:2]
        yield f"http://{host}:{bound}"
    finally:
        await runner.cleanup()
