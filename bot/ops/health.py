"""The pages for machines: /livez, /readyz and /metrics, on the address of the settings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import prometheus_client
import structlog
from aiohttp import web

from bot import metrics
from bot.errors import ConfigError
from bot.notices.condition import Condition, outages, remarks

ANSWER_SECONDS = 5.0
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def served(
    address: tuple[str, int] | None, condition: Callable[[], Awaitable[Condition]]
) -> AsyncIterator[tuple[str, int] | None]:
    """Serve the pages on *address*, nothing for None; where they are, for port 0 takes any free one.

    Raises:
        ConfigError: nobody can listen there.
    """
    if address is None:
        yield None
        return
    runner = web.AppRunner(_pages(condition), access_log=None, handle_signals=False)
    await runner.setup()
    try:
        yield await _listen(runner, address)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, address: tuple[str, int]) -> tuple[str, int]:
    host, port = address
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ConfigError("web.listen", f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    bound: tuple[str, int] = runner.addresses[0][:2]
    _log.info("serves /livez, /readyz and /metrics", host=bound[0], port=bound[1])
    return bound


def _pages(condition: Callable[[], Awaitable[Condition]]) -> web.Application:
    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        now = await _now(condition)
        wrong = outages(now) if now is not None else (_SILENT,)
        said = wrong or ("ready",)
        notes = remarks(now) if now is not None else ()
        return web.Response(status=503 if wrong else 200, text="".join(f"{line}\n" for line in (*said, *notes)))

    async def measured(_: web.Request) -> web.Response:
        if (now := await _now(condition)) is not None:
            _measure(now)
        body = prometheus_client.generate_latest()
        return web.Response(body=body, headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", measured)])
    return app


_SILENT = f"The database has not answered within {ANSWER_SECONDS:g} s."


async def _now(condition: Callable[[], Awaitable[Condition]]) -> Condition | None:
    """How the bot is; None where that cannot be found out in time."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await condition()
    except TimeoutError:
        return None


def _measure(now: Condition) -> None:
    """Bring the gauges up to date."""
    metrics.BUILD.labels(now.version).set(1)
    metrics.SUBSCRIPTIONS.set(now.subscriptions)
    metrics.SCANNED.set(now.scanned)
    queue = now.queue
    for state, count in (("waiting", queue.waiting), ("suspended", queue.suspended), ("dead", queue.dead)):
        metrics.NOTICES.labels(state).set(count)
    metrics.OLDEST.set((now.now - queue.oldest).total_seconds() if queue.oldest else 0)
    for server in now.servers:
        if server.health.last_success is not None:
            metrics.LAST_POLL.labels(server.name).set(server.health.last_success.timestamp())
