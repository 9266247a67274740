"""The safety net: what no event told of is found by its id."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bot.clock import VirtualClock
from bot.ids import PatchId
from bot.patchwork.updates import FieldUpdate, PatchField
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import a_patchwork, an_error, polling
from support.rig import PROJECT, a_series

pytestmark = pytest.mark.slow

HALF_AN_HOUR_OF_POLLS = 30


class HidingEvents(SampleTransport):
    """Leaves out the events that *hidden* says."""

    def __init__(self, patchwork: SamplePatchwork, hidden: Callable[[dict[str, Any]], bool]) -> None:
        super().__init__(patchwork)
        self._hidden = hidden

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, less what is hidden."""
        response = await super().handle_async_request(request)
        if not request.url.path.endswith("/events/"):
            return response
        shown = [event for event in json.loads(await response.aread()) if not self._hidden(event)]
        stream = httpx.ByteStream(json.dumps(shown).encode())
        return httpx.Response(200, headers={"content-type": "application/json"}, stream=stream)


def of_newest_series(event: dict[str, Any]) -> bool:
    """Every event of the second series, whose patches are number 3 and on."""
    payload = event["payload"]
    return bool(payload.get("series", {}).get("id", 0) >= 2 or payload.get("patch", {}).get("id", 0) >= 3)


def telling_of_series(event: dict[str, Any]) -> bool:
    """The events that name a series."""
    return "series" in event["payload"]


async def test_a_series_of_which_no_event_is_seen_is_found_within_half_an_hour() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, transport=HidingEvents(patchwork, of_newest_series)) as watched:
        watched.post(patches=2)
        await watched.poll()
        hidden = watched.post(patches=3)
        await watched.poll(times=HALF_AN_HOUR_OF_POLLS)

    assert watched.series == [1, hidden.series]


async def test_an_incomplete_series_of_which_no_event_is_seen_is_judged_as_any_other() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    mails = patchwork.mails_of(a_series("a.c", patches=3))

    async with polling(patchwork, clock, transport=HidingEvents(patchwork, lambda _: True)) as watched:
        for mail in mails[:3]:
            patchwork.receive(PROJECT, mail)
        await watched.poll(times=2 * HALF_AN_HOUR_OF_POLLS + 1)

    assert watched.series == [1]


async def test_a_pull_request_of_which_no_event_is_seen_is_found() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, transport=HidingEvents(patchwork, lambda _: True)) as watched:
        pull = patchwork.post_pull_request(PROJECT, "Pull", "https://git.example.org/x.git")
        await watched.poll(times=HALF_AN_HOUR_OF_POLLS + 3)

    assert watched.patches == [pull]


async def test_a_series_that_only_its_patches_tell_of_is_found_after_the_grace() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, transport=HidingEvents(patchwork, telling_of_series)) as watched:
        posted = watched.post(patches=2)
        await watched.poll(times=4)

    assert watched.series == [posted.series]


async def test_the_net_brings_up_nothing_that_the_baseline_holds() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    for _ in range(5):
        patchwork.post_series(PROJECT, a_series("a.c", patches=2))
    patchwork.post_pull_request(PROJECT, "Pull", "https://git.example.org/x.git")

    async with polling(patchwork, clock) as watched:
        await watched.poll(times=5, seconds=1800)

    assert "/series/" in watched.take_requests()
    assert (watched.series, watched.patches) == ([], [])


async def test_a_state_that_changed_without_an_event_is_told_within_half_an_hour() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = watched.post()
        await watched.poll()
        patchwork.change_silently(posted.patches[0], "accepted")
        polls = await watched.poll(times=HALF_AN_HOUR_OF_POLLS)

    told = [told for poll in polls for told in poll.updates]
    assert FieldUpdate(PatchId(posted.patches[0]), PatchField.STATE, "accepted") in told


@pytest.mark.parametrize("status", [502, 404, 403])
async def test_a_net_that_cannot_be_cast_stops_no_poll_and_is_cast_again_soon(status: int) -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        await watched.poll(times=28)
        patchwork.fault = lambda path: an_error(status) if path == "/api/1.3/series/" else None
        posted = watched.post()
        await watched.poll(times=3)
        failing = watched.take_requests()
        patchwork.fault = lambda _: None
        await watched.poll(times=5)
        cast = watched.take_requests()
        sweep_incidents = watched.open_incidents

    assert watched.series == [posted.series]
    assert failing.count("/series/") == 1
    assert "/patches/" in failing  # the other parts of the sweep go on
    assert cast.index("/series/") < cast.index("/patches/")
    assert sweep_incidents == []
