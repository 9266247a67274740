"""Serves /livez, /readyz and /metrics for machines and the status page for people, on the configured address.

A web page opened on the bot's network can make its own host name resolve to the bot's address ("DNS rebinding"), and
then read these pages as if they were its own. The browser still sends that host name, so requests for unknown names are
refused. IP addresses cannot be rebound, nor can names without a dot, which cannot be registered.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from ipaddress import ip_address
from typing import Generic, Protocol, TypeVar

import prometheus_client
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot import metrics
from bot.clock import Clock
from bot.errors import ConfigError
from bot.health import status_page
from bot.notices.status import BotStatus, StatusDetails, outages, remarks, to_the_second
from bot.text import one_line, visible

ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 1.0  # at the end there are ten in all
_Result = TypeVar("_Result")
MISDIRECTED = 421  # RFC 9110, section 15.5.20
_log = structlog.get_logger(__name__)


class HealthReporter(Protocol):
    """A source of the bot's health."""

    async def condition(self) -> BotStatus:
        """Return the essential status, quickly."""

    async def particulars(self) -> StatusDetails:
        """Return further details for people."""


class _SharedQuery(Generic[_Result]):
    """Runs one health query at a time, shared by all requests; a request waits at most ANSWER_SECONDS for it."""

    def __init__(self, query: Callable[[], Awaitable[_Result]], clock: Clock) -> None:
        self._query = query
        self._clock = clock
        self._running: asyncio.Future[_Result] | None = None
        self._silent_since: datetime | None = None

    @property
    def problem(self) -> str:
        """A sentence that the database does not respond, and since when."""
        since = to_the_second(self._silent_since or self._clock.now())
        return f"The database has not answered within {ANSWER_SECONDS:g} s since {since}; each request asks it again."

    async def now(self) -> _Result | None:
        """Return the result of the query, or None if it takes too long, as when the database hangs."""
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._query())
        began = self._clock.now()
        await asyncio.wait({self._running}, timeout=ANSWER_SECONDS)
        if not self._running.done():
            self._silent_since = self._silent_since or began
            return None
        self._silent_since = None
        return self._running.result()

    async def close(self) -> None:
        """Cancel a query that is still running, after a short wait."""
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=CLOSE_SECONDS)
            self._running.cancel()


@asynccontextmanager
async def served(
    address: tuple[str, int] | None, overview: HealthReporter, clock: Clock
) -> AsyncIterator[tuple[str, int] | None]:
    """Serve the pages on *address* (None: not at all) and yield the bound address; port 0 takes any free port.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    if address is None:
        yield None
        return
    status, details = _SharedQuery(overview.condition, clock), _SharedQuery(overview.particulars, clock)
    app = web.Application(middlewares=[checked(address[0])])
    app.add_routes([*_for_machines(status), _for_people(status, details)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    try:
        yield await _listen(runner, address)
    finally:
        await runner.cleanup()
        await status.close()
        await details.close()


async def _listen(runner: web.AppRunner, address: tuple[str, int]) -> tuple[str, int]:
    host, port = address
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ConfigError("web.listen", f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    bound: tuple[str, int] = runner.addresses[0][:2]
    _log.info("http.listening", host=bound[0], port=bound[1])
    return bound


def _for_people(status: _SharedQuery[BotStatus], details: _SharedQuery[StatusDetails]) -> web.RouteDef:
    async def page(_: web.Request) -> web.Response:
        now, more = await asyncio.gather(status.now(), details.now())
        if now is None or more is None:
            return _html(status_page.silent_page((status if now is None else details).problem), 503)
        return _html(status_page.page(now, more), 200)

    return web.get("/", page)


def _html(text: str, status: int) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html", headers=status_page.HEADERS)


def _for_machines(status: _SharedQuery[BotStatus]) -> list[web.RouteDef]:
    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        now = await status.now()
        wrong = (status.problem,) if now is None else outages(now)
        notes = () if now is None else remarks(now)
        well = "standing by" if now is not None and now.stands_by else "ready"
        return web.Response(status=503 if wrong else 200, text=_page(*(wrong or (well,)), *notes))

    async def measured(_: web.Request) -> web.Response:
        if (now := await status.now()) is None:
            metrics.READY.set(0)
        else:
            _measure(now)
        body = prometheus_client.generate_latest()
        return web.Response(body=body, headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST})

    return [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", measured)]


def _page(*sentences: str) -> str:
    """Return one line for each of *sentences*, which may contain text from servers and files."""
    return "".join(f"{visible(one_line(sentence))}\n" for sentence in sentences)


def _measure(now: BotStatus) -> None:
    """Update the gauges."""
    metrics.BUILD.labels(now.version).set(1)
    counts = now.subscriptions
    for scope, count in (("room", counts.rooms), ("person", counts.persons), ("file", counts.file)):
        metrics.SUBSCRIPTIONS.labels(scope).set(count)
    metrics.LISTENING.set(counts.listening)
    metrics.SCANNED.set(counts.scanned)
    metrics.READY.set(not outages(now))
    if (queue := now.queue) is not None:
        for state, count in (("waiting", queue.waiting), ("suspended", queue.suspended), ("dead", queue.dead)):
            metrics.NOTICES.labels(state).set(count)
        metrics.OLDEST.set((now.now - queue.oldest).total_seconds() if queue.oldest else 0)
    for server in now.servers:
        metrics.LAG.labels(server.name).set(now.lag(server).total_seconds())
        if server.health.last_success is not None:
            metrics.LAST_POLL.labels(server.name).set(server.health.last_success.timestamp())


def checked(listening_on: str) -> Middleware:
    """Return a middleware that refuses requests for foreign host names; *listening_on* is the host of `web.listen`."""
    ours = {listening_on.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_ours(request.headers.get("Host", ""), ours):
            return await handler(request)
        reason = "Unknown host name. A proxy in front of the bot must send the bot's address as Host.\n"
        return web.Response(status=MISDIRECTED, text=reason)

    return check


def is_ours(header: str, names: set[str]) -> bool:
    """Return whether a Host header is missing, an IP address, a name without a dot, or one of *names* (lower case)."""
    host = _without_port(header.strip().lower())
    if "." not in host.rstrip(".") or host in names:
        return True
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return host.endswith(".localhost")
    return True


def _without_port(header: str) -> str:
    """Return the host in *header*; an IPv6 address keeps its brackets."""
    host, colon, port = header.rpartition(":")
    return host if colon and port.isdigit() and (host.endswith("]") or ":" not in host) else header
