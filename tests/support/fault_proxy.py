"""A proxy between the bot and its homeserver that does what networks and proxies do."""

import asyncio
import gzip
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
from aiohttp import web

from support.homeserver import Homeserver

SOON = timedelta(seconds=5)
BOMB = gzip.compress(bytes(64 * 1024 * 1024))

Fault = Callable[["FaultProxy", web.Request], Awaitable[web.StreamResponse]]


@dataclass
class FaultProxy:
    """Passes requests on, but for those whose path contains *place*: they suffer the *fault*, and are counted."""

    upstream: str
    place: str = ""
    fault: Fault | None = None
    suffered: int = 0
    url: str = ""
    elsewhere: str = "https://elsewhere.invalid/"
    _session: aiohttp.ClientSession | None = None
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    def break_down(self, place: str, fault: Fault) -> None:
        """From now on."""
        self.place, self.fault, self.suffered = place, fault, 0

    def heal(self) -> None:
        """Pass everything on again."""
        self.fault = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        if self.fault is not None and self.place in request.path:
            self.suffered += 1
            return await self.fault(self, request)
        return await self.passed_on(request)

    async def passed_on(self, request: web.Request) -> web.Response:
        """The homeserver's own answer."""
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        body = await request.read()
        async with self._session.request(
            request.method, self.upstream + request.raw_path, headers=headers, data=body
        ) as response:
            return web.Response(
                status=response.status, body=await response.read(), content_type=response.content_type or None
            )

    async def told(self, request: web.Request) -> dict[str, Any]:
        """What the homeserver's own answer says."""
        answer: dict[str, Any] = json.loads((await self.passed_on(request)).text or "{}")
        return answer

    async def until_closed(self) -> None:
        """Keep a request hanging."""
        await self._closing.wait()


@asynccontextmanager
async def proxied(server: Homeserver | str, tls: ssl.SSLContext | None = None) -> AsyncIterator[FaultProxy]:
    """A proxy in front of *server*, a homeserver or the address of any other, without a fault yet."""
    proxy = FaultProxy(server if isinstance(server, str) else server.url)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    proxy.url = f"{'https' if tls else 'http'}://{host}:{port}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout()) as session:
        proxy._session = session
        try:
            yield proxy
        finally:
            proxy._closing.set()
            await runner.cleanup()


async def json_500(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A homeserver that trips over itself."""
    return web.json_response({"errcode": "M_UNKNOWN", "error": "Internal server error"}, status=500)


async def html_502(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A reverse proxy whose homeserver is down."""
    return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")


async def html_403(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A wall in front of the homeserver."""
    return web.Response(status=403, text="<html>Are you human?</html>", content_type="text/html")


async def garbage(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A good answer that is none."""
    return web.Response(text='{"next_batch": "s1", "event_id"', content_type="application/json")


async def empty_object(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A good answer without what was asked for."""
    return web.json_response({})


async def soft_logout(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A homeserver that wants the device to log in again."""
    answer = {"errcode": "M_UNKNOWN_TOKEN", "error": "Access token has expired", "soft_logout": True}
    return web.json_response(answer, status=401)


async def cut(_: FaultProxy, request: web.Request) -> web.StreamResponse:
    """An answer that ends in its middle."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"next_batch": ')
    _drop(request)
    return response


async def hang(proxy: FaultProxy, _: web.Request) -> web.StreamResponse:
    """No answer at all."""
    await proxy.until_closed()
    return web.Response()


async def dropped_after_commit(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
    """The homeserver does it, and its answer is lost."""
    response = await proxy.passed_on(request)
    _drop(request)
    return response


async def dropped(_: FaultProxy, request: web.Request) -> web.StreamResponse:
    """The connection ends before anything arrives."""
    _drop(request)
    return web.Response()


async def limited(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A homeserver that asks for patience, in its answer."""
    return web.json_response({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 5000}, status=429)


async def limited_by_header(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A reverse proxy that asks for patience, in its header."""
    return web.Response(status=429, text=json.dumps("slow down"), headers={"Retry-After": "5"})


async def limited_without_a_wish(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A homeserver that asks for patience, and does not say how much."""
    return web.json_response({"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests"}, status=429)


async def limited_until_a_date(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A reverse proxy that asks for patience until a date."""
    now = datetime.now(UTC)
    headers = {"Date": format_datetime(now, usegmt=True), "Retry-After": format_datetime(now + SOON, usegmt=True)}
    return web.Response(status=429, text="slow down", headers=headers)


async def unavailable(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A reverse proxy that says when its homeserver will be back."""
    return web.Response(status=503, headers={"Retry-After": "5"})


async def login_page(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A captive portal, with the best of statuses."""
    return web.Response(text="<html>Please log in</html>", content_type="text/html")


async def another_type(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """Bytes of no use, called so."""
    return web.Response(body=b"\xff\xfe\x00", content_type="application/octet-stream")


async def drip(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
    """An answer that comes byte by byte, and never to its end."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with suppress(ConnectionError):
        while not proxy._closing.is_set():
            await response.write(b" ")
            with suppress(TimeoutError):
                await asyncio.wait_for(proxy.until_closed(), 0.1)
    return response


async def gzip_bomb(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A small answer that unfolds into a large one."""
    return web.Response(body=BOMB, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})


async def redirect_to_itself(_: FaultProxy, request: web.Request) -> web.StreamResponse:
    """A redirect that leads nowhere but here."""
    return web.Response(status=302, headers={"Location": request.raw_path})


async def redirect_elsewhere(proxy: FaultProxy, _: web.Request) -> web.StreamResponse:
    """A redirect to another host, to which our token is not to go."""
    return web.Response(status=307, headers={"Location": proxy.elsewhere})


@dataclass
class FirstAnswersHeld:
    """The homeserver does what it is asked, but answers a message only when it is sent again."""

    held: list[str] = field(default_factory=list)

    async def __call__(self, proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        """One message."""
        response = await proxy.passed_on(request)
        if request.path not in self.held:
            self.held.append(request.path)
            await proxy.until_closed()
        return response


@dataclass
class Rewritten:
    """The homeserver's answers with something else in them; the first one again for whoever asks for it again.

    *change* is given an answer's JSON; of what it puts there, each text "DEEP n" becomes a list nested n levels deep.
    """

    change: Callable[[dict[str, Any]], None]
    times: int = 1  # then the other answers are the homeserver's own
    rewritten: dict[str, int] = field(default_factory=dict)  # how often, by the token that was asked with

    async def __call__(self, proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        """One request."""
        response = await proxy.passed_on(request)
        since = request.query.get("since", "")
        if since not in self.rewritten and len(self.rewritten) >= self.times:
            return response
        self.rewritten[since] = self.rewritten.get(since, 0) + 1
        assert isinstance(response.body, bytes)
        answer = json.loads(response.body)
        self.change(answer)
        body = re.sub(rb'"DEEP (\d+)"', lambda found: b"[" * int(found[1]) + b"]" * int(found[1]), _json(answer))
        return web.Response(body=body, content_type="application/json")


def _json(answer: object) -> bytes:
    return json.dumps(answer).encode()


def _drop(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


FAULTS = (
    json_500,
    html_502,
    html_403,
    garbage,
    empty_object,
    soft_logout,
    cut,
    hang,
    dropped,
    dropped_after_commit,
    limited,
    limited_by_header,
    limited_without_a_wish,
    limited_until_a_date,
    unavailable,
    login_page,
    another_type,
    drip,
    gzip_bomb,
    redirect_to_itself,
    redirect_elsewhere,
)
