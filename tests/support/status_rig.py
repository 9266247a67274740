"""A bot that is as it is said to be, and its pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx

from bot.clock import VirtualClock
from bot.health.endpoints import HealthReporter, served
from bot.ids import ProjectName, RoomId, ServerName
from bot.notices.status import BotStatus, PollHealth, QueueStatus, RoomStatus, StatusDetails, WatchedServer

ANYWHERE = ("127.0.0.1", 0)
NOW = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
OZLABS = WatchedServer(
    name=ServerName("ozlabs"),
    url="https://patchwork.example.org",
    health=PollHealth(NOW - timedelta(seconds=12), caught_up=NOW - timedelta(seconds=12)),
    known_since=((ProjectName("qemu-devel"), NOW - timedelta(days=9)), (ProjectName("qemu-ppc"), NOW)),
    next_poll=NOW + timedelta(seconds=48),
    api="1.3",
)
KERNEL = WatchedServer(
    name=ServerName("kernel"),
    url="https://patchwork.kernel.example.org",
    health=PollHealth(None, NOW - timedelta(hours=2), "HTTP 502"),
    problems=("https://patchwork.kernel.example.org has no project netdevbpf.",),
)
BOT = BotStatus(
    version="1.2.3",
    now=NOW,
    started=NOW - timedelta(days=3),
    servers=(OZLABS, KERNEL),
    queue=QueueStatus(5, NOW - timedelta(minutes=20), 2, 1),
    remarks=("#closed:hs: needs an invitation.",),
)
MORE = StatusDetails(
    rooms=(
        RoomStatus(RoomId("!one:hs"), "#migration:hs", 12, 34),
        RoomStatus(RoomId("!two:hs"), "", 1, 0, is_direct=True),
        RoomStatus(RoomId("!three:hs"), "", 2, 0, state="left"),
        RoomStatus(RoomId("!four:hs"), "QEMU block", alias="#block:hs"),
    ),
    ages=((timedelta(minutes=1), 3), (timedelta(minutes=15), 1), (timedelta(hours=1), 1), (None, 0)),
    versions=(("Python", "3.11.7"), ("database", "0019")),
)


class Being:
    """A bot that is as it is said to be."""

    def __init__(self, condition: BotStatus, particulars: StatusDetails | None = None) -> None:
        self._condition = condition
        self._particulars = particulars or StatusDetails()

    async def condition(self) -> BotStatus:
        """As was said."""
        return self._condition

    async def particulars(self) -> StatusDetails:
        """The same."""
        return self._particulars


@asynccontextmanager
async def pages(overview: HealthReporter) -> AsyncIterator[httpx.AsyncClient]:
    async with served(ANYWHERE, overview, VirtualClock()) as address:
        assert address is not None
        async with httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}", trust_env=False) as client:
            yield client
