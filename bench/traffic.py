"""What the bot reads of a Patchwork server: a day on which nothing happens, and two hours of a busy list.

Counted are the bytes of the answers' bodies, in virtual time: as they are, and packed with gzip, which a proxy in front
of the server may do and Patchwork itself does not.
"""

import asyncio
import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from bench.table import Row, progress
from bot.clock import VirtualClock
from bot.ids import ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import PatchworkClient
from bot.polling.poller import Poller, Source
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from bot.sample_patchwork.server import SampleTransport
from bot.store.store import Store

PROJECT = "qemu-devel"
OLD_SERIES, NEW_SERIES = 100, 40  # before the bot came, and since
PATCHES = 4  # of a series
QUIET_BEFORE_SECONDS = 30 * 3600  # what the widest window reaches is past then
DAY_SECONDS, POLL_SECONDS = 24 * 3600, 60
BUSY_SECONDS, BUSY_POLL_SECONDS = 2 * 3600, 5
SECONDS_A_CHECK = 10  # on the busy list
DAY_AT_MOST = 4.0  # MB
POLL_AT_MOST = 2.0  # kB
READ_AT_MOST = 9  # times
_URL = "https://patchwork.example.org"


@dataclass
class Counting(SampleTransport):
    """Counts the bytes of each kind of answer."""

    patchwork: SamplePatchwork
    plain: Counter[str] = field(default_factory=Counter)
    packed: Counter[str] = field(default_factory=Counter)
    largest_poll: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, and count."""
        response = await super().handle_async_request(request)
        body = await response.aread()
        kind = "polls" if request.url.path.endswith("/events/") else "sweeps"
        self.plain[kind] += len(body)
        self.packed[kind] += len(gzip.compress(body, 6))
        if kind == "polls":
            self.largest_poll = max(self.largest_poll, len(body))
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))

    def begin(self) -> None:
        """Count from now on."""
        self.plain.clear()
        self.packed.clear()
        self.largest_poll = 0


@dataclass
class _Watched:
    clock: VirtualClock
    store: Store
    poller: Poller

    async def poll(self) -> None:
        more = True
        while more:
            async with self.store.transaction() as tx:
                watched = await tx.watch.watched(self.poller.server)
            poll = await self.poller.poll(watched)
            async with self.store.transaction() as tx:
                await tx.watch.save(poll)
            more = poll.more


def rows() -> Iterator[Row]:
    """The figures."""
    yield from asyncio.run(_quiet())
    yield from asyncio.run(_busy())


async def _quiet() -> list[Row]:
    progress("  a quiet day")
    clock, server = _a_server()
    counting = Counting(server)
    watched = await _watched(clock, counting)
    for number in range(NEW_SERIES):
        _post(server, number)
    for _ in range(QUIET_BEFORE_SECONDS // 600):
        clock.advance(600)
        await watched.poll()
    former = sum(
        len(server.answer("GET", f"/api/1.3/{what}/", f"project={PROJECT}&order=-id&per_page=100").body)
        for what in ("patches", "series")
    )
    counting.begin()
    for _ in range(DAY_SECONDS // POLL_SECONDS):
        clock.advance(POLL_SECONDS)
        await watched.poll()
    await watched.store.close()
    what = f"a quiet day, polls each {POLL_SECONDS} s"
    polls, sweeps = counting.plain["polls"], counting.plain["sweeps"]
    return [
        Row(what, "all that is read", (polls + sweeps) / 1e6, " MB", at_most=DAY_AT_MOST),
        Row(what, "the same, packed", sum(counting.packed.values()) / 1e6, " MB"),
        Row(what, "polls", polls / 1e6, " MB"),
        Row(what, "sweeps", sweeps / 1e6, " MB"),
        Row(what, "the largest poll", counting.largest_poll / 1e3, " kB"),
        Row(what, "a poll", polls / (DAY_SECONDS // POLL_SECONDS) / 1e3, " kB", at_most=POLL_AT_MOST),
        Row(what, "a sweep", sweeps / 48 / 1e3, " kB", at_most=former / 1e4),
        Row(what, "the newest 100 patches and series", former / 1e3, " kB"),
    ]


async def _busy() -> list[Row]:
    progress("  two busy hours")
    clock, server = _a_server()
    counting = Counting(server)
    watched = await _watched(clock, counting)
    posted = _post(server, 0)
    clock.advance(BUSY_POLL_SECONDS)
    await watched.poll()
    counting.begin()
    before = len(server.rows.events)
    for second in range(0, BUSY_SECONDS, BUSY_POLL_SECONDS):
        clock.advance(BUSY_POLL_SECONDS)
        if second % SECONDS_A_CHECK == 0:
            server.add_check(posted[second % len(posted)], NewCheck("success", f"build/{second % 20}"))
        await watched.poll()
    await watched.store.close()
    new = len(server.rows.events) - before
    page = server.answer("GET", "/api/1.3/events/", f"project={PROJECT}&per_page=250").body
    once = new * len(page) / 250
    what = f"a busy list, polls each {BUSY_POLL_SECONDS} s"
    return [
        Row(what, "an event is read", counting.plain["polls"] / once, " times", at_most=READ_AT_MOST),
        Row(what, "events", counting.plain["polls"] / 1e6, " MB"),
    ]


def _a_server() -> tuple[VirtualClock, SamplePatchwork]:
    """A server with a list as large as the one that was measured."""
    clock = VirtualClock()
    server = SamplePatchwork(clock)
    server.add_project(PROJECT)
    for number in range(OLD_SERIES):
        _post(server, number)
    clock.advance(3600)
    return clock, server


def _post(server: SamplePatchwork, number: int) -> tuple[int, ...]:
    patches = tuple(
        NewPatch(f"migration: Step {part} of {number}", sample_diff("migration/ram.c")) for part in range(PATCHES)
    )
    return server.post_series(PROJECT, NewSeries(name=f"migration: Work {number}", patches=patches)).patches


async def _watched(clock: VirtualClock, transport: httpx.AsyncBaseTransport) -> _Watched:
    """A poller that has taken its baseline."""
    store = await Store.open("sqlite:///:memory:", clock)
    server = ServerName("sample")
    source = Source(server, (PROJECT,), timedelta(minutes=30))
    api = PatchworkApi(PatchworkClient(_URL, "ops@example.org", transport=transport))
    watched = _Watched(clock, store, Poller(source, api, store, clock))
    await watched.poll()
    return watched
