"""The pages for machines: /livez, /readyz and /metrics, on the address of the settings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import prometheus_client
import structlog
from aiohttp import web

from bot import metrics
from bot.clock import Clock
from bot.errors import ConfigError
from bot.notices.condition import Condition, outages, remarks, to_the_second
from bot.patchwork.text import line

ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 1.0  # at the end there are ten in all
_log = structlog.get_logger(__name__)


class _Looks:
    """Looks how the bot is, one look at a time however many ask; nobody waits longer than ANSWER_SECONDS for it."""

    def __init__(self, condition: Callable[[], Awaitable[Condition]], clock: Clock) -> None:
        self._condition = condition
        self._clock = clock
        self._look: asyncio.Future[Condition] | None = None
        self._silent_since: datetime | None = None

    @property
    def silence(self) -> str:
        """That, and since when, there is no answer."""
        since = to_the_second(self._silent_since or self._clock.now())
        return f"The database has not answered within {ANSWER_SECONDS:g} s, since {since}; it is asked again each time."

    async def now(self) -> Condition | None:
        """How the bot is; None where that cannot be found out in time: a database that hangs ends its wait late."""
        if self._look is None or self._look.done():
            self._look = asyncio.ensure_future(self._condition())
        asked = self._clock.now()
        await asyncio.wait({self._look}, timeout=ANSWER_SECONDS)
        if not self._look.done():
            self._silent_since = self._silent_since or asked
            return None
        self._silent_since = None
        return self._look.result()

    async def close(self) -> None:
        """Look no more; a look that is under way may still end by itself."""
        if self._look is not None:
            await asyncio.wait({self._look}, timeout=CLOSE_SECONDS)
            self._look.cancel()


@asynccontextmanager
async def served(
    address: tuple[str, int] | None, condition: Callable[[], Awaitable[Condition]], clock: Clock
) -> AsyncIterator[tuple[str, int] | None]:
    """Serve the pages on *address*, nothing for None; where they are, for port 0 takes any free one.

    Raises:
        ConfigError: nobody can listen there.
    """
    if address is None:
        yield None
        return
    looks = _Looks(condition, clock)
    runner = web.AppRunner(_pages(looks), access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    try:
        yield await _listen(runner, address)
    finally:
        await runner.cleanup()
        await looks.close()


async def _listen(runner: web.AppRunner, address: tuple[str, int]) -> tuple[str, int]:
    host, port = address
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ConfigError("web.listen", f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    bound: tuple[str, int] = runner.addresses[0][:2]
    _log.info("serves /livez, /readyz and /metrics", host=bound[0], port=bound[1])
    return bound


def _pages(looks: _Looks) -> web.Application:
    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        now = await looks.now()
        wrong = (looks.silence,) if now is None else outages(now)
        notes = () if now is None else remarks(now)
        return web.Response(status=503 if wrong else 200, text=_page(*(wrong or ("ready",)), *notes))

    async def measured(_: web.Request) -> web.Response:
        if (now := await looks.now()) is None:
            metrics.READY.set(0)
        else:
            _measure(now)
        body = prometheus_client.generate_latest()
        return web.Response(body=body, headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", measured)])
    return app


def _page(*sentences: str) -> str:
    """A line for each of *sentences*, in which servers and files may have had a word."""
    return "".join(f"{line(sentence)}\n" for sentence in sentences)


def _measure(now: Condition) -> None:
    """Bring the gauges up to date."""
    metrics.BUILD.labels(now.version).set(1)
    metrics.SUBSCRIPTIONS.set(now.subscriptions)
    metrics.SCANNED.set(now.scanned)
    metrics.READY.set(not outages(now))
    if (queue := now.queue) is not None:
        for state, count in (("waiting", queue.waiting), ("suspended", queue.suspended), ("dead", queue.dead)):
            metrics.NOTICES.labels(state).set(count)
        metrics.OLDEST.set((now.now - queue.oldest).total_seconds() if queue.oldest else 0)
    for server in now.servers:
        if server.health.last_success is not None:
            metrics.LAST_POLL.labels(server.name).set(server.health.last_success.timestamp())
