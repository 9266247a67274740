"""What becomes of the walk through the events when rows vanish, crowd or jump."""

import itertools
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest

from bot.clock import VirtualClock
from bot.errors import Temporary
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import a_patchwork, an_error, polling
from support.rig import PROJECT, a_series

pytestmark = pytest.mark.slow


async def test_a_deleted_cursor_event_costs_a_look_back_and_loses_nothing() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        kept = watched.post(patches=2)
        await watched.poll(times=5)
        doomed = watched.post()
        await watched.poll(times=20)
        patchwork.delete_patch(doomed.patches[0])
        late = watched.post(patches=2)
        await watched.poll(times=40)
        rebuilt = any(poll.rebuilt for poll in watched.polls)

    assert not rebuilt
    assert watched.series == [kept.series, doomed.series, late.series]


async def test_the_newest_event_deleted_just_after_the_first_start_is_no_rebuilt_server() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    patchwork.post_series(PROJECT, a_series("a.c"))
    clock.advance(600)
    doomed = patchwork.post_series(PROJECT, a_series("b.c"))

    async with polling(patchwork, clock) as watched:
        clock.advance(4 * 3600)
        patchwork.delete_patch(doomed.patches[0])
        await watched.poll(times=3)
        posted = watched.post()
        await watched.poll(times=3)
        rebuilt = any(poll.rebuilt for poll in watched.polls)

    assert not rebuilt
    assert watched.series == [posted.series]


async def test_after_a_deletion_the_polls_are_quiet_again() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        watched.post()
        clock.advance(3600)
        doomed = watched.post()
        await watched.poll(times=3)
        patchwork.delete_patch(doomed.patches[0])
        await watched.poll(times=2)
        watched.take_requests()
        await watched.poll(times=5)

        assert watched.take_requests() == ["/events/"] * 5


async def test_more_events_of_one_moment_than_a_page_holds_are_all_read() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    patchwork.set_event_step(timedelta(0))

    async with polling(patchwork, clock) as watched:
        past = len(patchwork.rows.events)
        for _ in range(7):
            watched.post(patches=45)
        await watched.poll(times=2)

    assert len(set(watched.events)) == len(patchwork.rows.events) - past > 600
    assert watched.series == [1, 2, 3, 4, 5, 6, 7]


class Vanishing(SampleTransport):
    """Deletes patches, with their events, behind each page of events that is followed by another."""

    def __init__(self, patchwork: SamplePatchwork, doomed: list[int]) -> None:
        super().__init__(patchwork)
        self._doomed = doomed

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, then delete."""
        response = await super().handle_async_request(request)
        if 'rel="next"' in response.headers.get("link", "") and self._doomed:
            self.patchwork.delete_patch(self._doomed.pop(0))
        return response


async def test_events_that_vanish_between_two_pages_hide_no_others() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    doomed: list[int] = []

    async with polling(patchwork, clock, transport=Vanishing(patchwork, doomed)) as watched:
        past = {event.id for event in patchwork.rows.events}
        posted = [watched.post(patches=10) for _ in range(40)]
        doomed += [series.patches[number] for number, series in enumerate(posted[:8])]
        await watched.poll(times=2)

    assert {event.id for event in patchwork.rows.events} - past <= set(watched.events)


async def test_an_import_of_twelve_thousand_events_is_read_page_by_page_in_several_polls() -> None:
    """No page is read twice, and what was read before is written before more is asked for."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        past = {event.id for event in patchwork.rows.events}
        series = [watched.post(patches=99) for _ in range(60)]
        await watched.poll()
        events = {event.id for event in patchwork.rows.events} - past
        pages = watched.take_requests().count("/events/")

    assert len(events) > 12_000
    assert len(watched.events) == len(set(watched.events))
    assert set(watched.events) == events
    assert sorted(watched.series) == sorted(posted.series for posted in series)
    assert sum(bool(poll.events) for poll in watched.polls) == 3
    assert pages < len(events) / 250 + 8


async def test_a_sweep_that_fails_is_made_up_for_by_the_next_poll() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    patchwork.post_series(PROJECT, a_series("a.c"))

    async with polling(patchwork, clock) as watched:
        await watched.poll(times=2)
        watched.restart()
        patchwork.fault = lambda path: an_error() if path.endswith("/events/") else None
        with pytest.raises(Temporary):
            await watched.poll_now()
        patchwork.fault = lambda _: None
        patchwork.requests.clear()
        await watched.poll()
        since = [parse_qs(query)["since"] for _, path, query in patchwork.requests if path.endswith("/events/")]

    assert since == [["2026-01-01T08:01:00.000003"]]  # three hours before the cursor, and a minute of quiet


class CountingEvents(SampleTransport):
    """Counts how many events were shown, each as often as it was."""

    read = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, and count."""
        response = await super().handle_async_request(request)
        body = await response.aread()
        self.read += body.count(b'"category"')
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))


@pytest.mark.parametrize(("late", "within"), [(8, 5), (50, 60), (270, 605)])
async def test_what_is_committed_late_is_read_in_time_on_a_busy_list_that_is_polled_often(
    late: int, within: int
) -> None:
    """Something happens with every poll, five seconds apart, so that the cursor never stands still."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    patches = patchwork.post_series(PROJECT, a_series("a.c", patches=20)).patches
    states = itertools.cycle(("accepted", "rejected", "rfc"))

    async with polling(patchwork, clock) as watched:

        async def busy(seconds: int) -> None:
            for _ in range(0, seconds, 5):
                for patch in patches[1:3]:
                    patchwork.set_state(patch, next(states))
                await watched.poll(seconds=5)

        await busy(700)
        slow = patchwork.begin()
        with slow:
            patchwork.set_state(patches[0], "accepted")
        event = patchwork._tables.events.last_id
        await busy(late)
        slow.commit()
        before = event in watched.events
        await busy(within)

    assert not before
    assert watched.events.count(event) == 1


async def test_a_busy_list_that_is_polled_often_shows_an_event_a_few_times() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    patches = patchwork.post_series(PROJECT, a_series("a.c", patches=20)).patches
    states = itertools.cycle(("accepted", "rejected", "rfc"))

    transport = CountingEvents(patchwork)
    async with polling(patchwork, clock, transport=transport) as watched:
        await watched.poll(times=2)
        before = transport.read
        for _ in range(30 * 60 // 5):
            patchwork.set_state(patches[0], next(states))
            await watched.poll(seconds=5)

    assert len(watched.events) == 360
    assert (transport.read - before) / 360 < 9
