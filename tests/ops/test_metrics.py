"""The metrics: what moves them, and the page on them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from bot.errors import Temporary
from bot.ids import PatchworkEventId, ProjectName, RoomId
from bot.patchwork.wire import EventHint, known_category
from metrics_page import page
from support.rig import ROOM, Rig

REFERENCE = Path(__file__).parents[2] / "docs" / "metrics.md"


def value(name: str, **labels: str) -> float:
    """What a sample says now; 0 where there is none."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_page_on_the_metrics_is_the_one_their_objects_make() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == page(), "run make reference"


def test_a_category_that_patchwork_has_not_yet_is_counted_as_other() -> None:
    event = EventHint(PatchworkEventId(1), "series-completed", "2026-01-01T00:00:00", ProjectName("qemu-devel"))

    assert known_category(event) == "series-completed"
    assert known_category(replace(event, category="series-praised-1")) == "other"


async def test_a_card_moves_the_metrics_on_its_way(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    names = {
        "requests": ("patchbot_patchwork_requests_total", {"server": "sample", "endpoint": "events", "code": "200"}),
        "events": ("patchbot_events_total", {"server": "sample", "category": "series-completed"}),
        "matched": ("patchbot_series_matched_total", {"server": "sample"}),
        "sent": ("patchbot_notifications_total", {"kind": "card", "result": "sent"}),
        "latency": ("patchbot_delivery_latency_seconds_count", {"kind": "card"}),
    }
    async with rig.running() as bot:
        await rig.poll(bot)
        before = {what: value(name, **labels) for what, (name, labels) in names.items()}
        rig.post("migration/ram.c")
        await rig.poll(bot)
        after = {what: value(name, **labels) for what, (name, labels) in names.items()}

    assert rig.titles() == ["A series"]
    assert after.pop("requests") > before.pop("requests")
    assert {what: after[what] - before[what] for what in after} == {"events": 1, "matched": 1, "sent": 1, "latency": 1}


async def test_a_flood_is_counted_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, flood=3)
    async with rig.running() as bot:
        await rig.poll(bot)
        before = value("patchbot_breaker_trips_total")
        for number in range(6):
            rig.post("migration/ram.c", name=f"Series {number}")
        await rig.poll(bot, times=3)

    assert value("patchbot_breaker_trips_total") - before == 1


async def test_the_lag_grows_while_polls_fail_and_the_next_poll_is_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await rig.poll(bot)
        well = await bot.overview.condition()
        rig.patchwork.fail_next(50)
        await rig.poll(bot, times=2)
        failing = await bot.overview.condition()
        particulars = await bot.overview.particulars()

    assert well.lag(well.servers[0]).total_seconds() == 0
    assert well.servers[0].next_poll is not None
    assert (well.servers[0].next_poll - well.now).total_seconds() == rig.poll_seconds
    assert failing.lag(failing.servers[0]).total_seconds() == 2 * rig.poll_seconds
    assert failing.subscriptions.file == failing.subscriptions.listening == 1
    assert [(room.room, room.subscriptions, room.cards) for room in particulars.rooms] == [(ROOM, 1, 0)]


async def test_two_refusals_at_once_count_as_the_time_they_keep_the_bot_silent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, subscribe={ROOM: ("path:migration/",), RoomId("!other:hs"): ("path:migration/",)})
    refusals = [Temporary("M_LIMIT_EXCEEDED", timedelta(seconds=20)) for _ in range(2)]
    rig.chat.before_send = lambda _: refusals.pop() if refusals else None
    async with rig.running() as bot:
        await rig.poll(bot)
        before = value("patchbot_matrix_ratelimited_seconds_total")
        rig.post("migration/ram.c")
        await rig.poll(bot)
        after = value("patchbot_matrix_ratelimited_seconds_total")
        await rig.poll(bot)

    assert refusals == []
    assert after - before == pytest.approx(20, abs=0.1)
    assert rig.titles() == ["A series"]
