"""The pages for machines, over HTTP."""

import asyncio
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.clock import VirtualClock
from bot.delivery.chat import MemoryChat
from bot.delivery.pacing import Pace
from bot.delivery.sender import Sender
from bot.errors import ConfigError
from bot.health import endpoints as health
from bot.health.collect import HealthCollector, HealthSources
from bot.health.endpoints import served
from bot.ids import RoomId, ServerName
from bot.incidents import Incidents
from bot.maintainers_files import MaintainersFiles, MaintainersSources
from bot.notices.status import (
    BotStatus,
    PollHealth,
    QueueStatus,
    RoomStatus,
    StatusDetails,
    SubscriptionCounts,
    WatchedServer,
)
from bot.query.index.index import Index
from bot.store.store import Store
from bot.subscriptions.registry import Audience
from support.status_rig import ANYWHERE, Being, pages

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SERVER = WatchedServer(
    ServerName("ozlabs"), "https://patchwork.example.org", PollHealth(NOW, caught_up=NOW - timedelta(seconds=40))
)
QUEUE = QueueStatus(2, NOW - timedelta(seconds=90), 3, 4)
BOT = BotStatus("1.2.3", NOW, NOW, (SERVER,), QUEUE, subscriptions=SubscriptionCounts(4, 2, 3, listening=7, scanned=1))


async def test_a_bot_that_is_well_is_ready_and_names_what_else_is_to_be_known() -> None:
    async with pages(
        Being(replace(BOT, queue=QueueStatus(dead=4), remarks=("#qemu:hs: needs an invitation.",)))
    ) as client:
        alive, ready = await client.get("/livez"), await client.get("/readyz")

    assert (alive.status_code, alive.text) == (200, "alive\n")
    assert ready.status_code == 200
    assert ready.text.splitlines() == [
        "ready",
        "4 messages dead: “patchbot outbox list” on the bot's machine says why.",
        "#qemu:hs: needs an invitation.",
    ]


async def test_a_bot_that_cannot_work_is_alive_but_not_ready_and_says_since_when() -> None:
    down = replace(SERVER, health=PollHealth(None, NOW, "HTTP 502"))
    async with pages(
        Being(replace(BOT, queue=QueueStatus(), servers=(down,), outages=("The homeserver is away.",)))
    ) as client:
        alive, ready = await client.get("/livez"), await client.get("/readyz")

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert ready.text == "The homeserver is away.\nPolling ozlabs has failed since 2026-11-25 12:00 UTC (HTTP 502).\n"


async def test_a_database_that_another_program_locks_is_told_instead_of_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A cancelled transaction waits on until its driver gives up; who asks must not."""
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.05)
    store = await Store.open(f"sqlite:///{tmp_path / 'bot.db'}", VirtualClock())
    index = Index()
    clock = VirtualClock()
    sender = Sender(store, MemoryChat(clock), clock, Pace.full(1, 1, 0))
    parts = HealthSources(
        index, (), MaintainersFiles(MaintainersSources(()), store, Audience(index), clock), sender, Incidents(clock)
    )
    overview = HealthCollector(store, parts, VirtualClock(), "")
    with closing(sqlite3.connect(tmp_path / "bot.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(25), pages(overview) as client:
            ready, measured, shown = [await client.get(path) for path in ("/readyz", "/metrics", "/")]
            other.execute("ROLLBACK")
    await store.close()

    assert ready.status_code == 503
    assert ready.text == (
        "The database has not answered within 0.05 s since 2026-01-01 00:00:00 UTC; each request asks it again.\n"
    )
    assert "patchbot_ready 0.0" in measured.text
    assert shown.status_code == 503
    assert "The database has not answered within" in shown.text


async def test_the_metrics_tell_how_the_bot_is() -> None:
    async with pages(Being(BOT)) as client:
        answer = await client.get("/metrics")

    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert found["patchbot_build_info", "1.2.3"] == 1
    assert found["patchbot_poll_last_success_timestamp_seconds", "ozlabs"] == NOW.timestamp()
    assert found["patchbot_outbox_pending", "waiting"] == 2
    assert found["patchbot_outbox_pending", "suspended"] == 3
    assert found["patchbot_outbox_pending", "dead"] == 4
    assert found["patchbot_outbox_oldest_age_seconds",] == 90
    assert found["patchbot_poll_lag_seconds", "ozlabs"] == 40
    assert found["patchbot_subscriptions", "room"] == 4
    assert found["patchbot_subscriptions", "person"] == 2
    assert found["patchbot_subscriptions", "file"] == 3
    assert found["patchbot_subscriptions_listening",] == 7
    assert found["patchbot_subscriptions_scanned",] == 1
    assert ("process_resident_memory_bytes",) in found


async def test_the_status_page_is_for_people_and_takes_nothing_from_elsewhere() -> None:
    rooms = StatusDetails(rooms=(RoomStatus(RoomId("!room:hs"), "#<script>alert(1)</script>:hs", 3, 5),))
    async with pages(Being(BOT, rooms)) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "!room:hs" in answer.text
    assert "<script" not in answer.text
    assert not re.search(r"(src|href|url\()", answer.text)


async def test_an_address_that_another_program_has_is_refused_with_the_key_named() -> None:
    async with served(ANYWHERE, Being(BOT), VirtualClock()) as taken:
        with pytest.raises(ConfigError, match=r"^web\.listen: cannot listen on 127\.0\.0\.1 port \d+: "):
            async with served(taken, Being(BOT), VirtualClock()):
                pass


async def test_nothing_is_served_where_nothing_is_wanted() -> None:
    async with served(None, Being(BOT), VirtualClock()) as address:
        assert address is None
