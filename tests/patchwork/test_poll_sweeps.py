"""The sweeps: what raises no event is found in time, and at the price of what is new."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import VirtualClock
from bot.ids import ProjectName
from bot.poll import ListMark
from bot.polling.sweep import SWEEPS_A_ROUND
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.request import Response
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import SERVER, Polling, a_patchwork, an_error, polling
from support.rig import PROJECT
from support.store_rig import ask

pytestmark = pytest.mark.slow

HALF_AN_HOUR = 31  # polls
AN_HOUR = 61
VERSIONS = [("1.0", "1.1"), ("1.0", "1.1", "1.2"), ("1.0", "1.1", "1.2", "1.3")]


class Traffic(SampleTransport):
    """Counts the bytes of the answers; without the events of what *hidden* says, and any parameter *unknown* to it."""

    def __init__(
        self,
        patchwork: SamplePatchwork,
        hidden: Callable[[dict[str, Any]], bool] = lambda _: False,
        unknown: str = "",
    ) -> None:
        super().__init__(patchwork)
        self._hidden = hidden
        self._unknown = unknown
        self.asked: list[tuple[str, int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, and count."""
        kept = [(name, value) for name, value in request.url.params.multi_items() if name != self._unknown]
        request.url = request.url.copy_with(query=urlencode(kept).encode())
        response = await super().handle_async_request(request)
        body = await response.aread()
        if request.url.path.endswith("/events/"):
            shown = [event for event in httpx.Response(200, content=body).json() if not self._hidden(event)]
            body = httpx.Response(200, json=shown).content
        self.asked.append((str(request.url.raw_path.decode()).partition("/api/1.3/")[2], len(body)))
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(body))

    def swept(self) -> int:
        """The bytes of everything but events since the last time."""
        count = sum(size for path, size in self.asked if not path.startswith("events/"))
        self.asked.clear()
        return count


def a_server(clock: VirtualClock, versions: tuple[str, ...]) -> SamplePatchwork:
    patchwork = SamplePatchwork(clock, api_versions=versions)
    patchwork.old_events = max(versions) < "1.2"
    patchwork.add_project(PROJECT)
    return patchwork


async def is_archived(watched: Polling, patch: int) -> bool:
    found = await ask(watched.store, lambda tx: tx.watch.patch(SERVER, patch))
    assert found is not None
    return found.archived


async def many(watched: Polling, count: int) -> list[int]:
    """The patches of *count* series, all read."""
    posted = [watched.post(name=f"Series {number}").patches[0] for number in range(count)]
    await watched.poll(times=4)
    return posted


def is_about(event: dict[str, Any], series: set[int]) -> bool:
    """Whether an event names one of the *series*, whose patches have their numbers here."""
    payload = event["payload"]
    return any(payload.get(kind, {}).get("id") in series for kind in ("series", "patch"))


# Archived


@pytest.mark.parametrize("versions", VERSIONS)
async def test_what_is_archived_is_found_within_the_hour_however_old_it_is(versions: tuple[str, ...]) -> None:
    clock = VirtualClock()
    patchwork = a_server(clock, versions)

    async with polling(patchwork, clock) as watched:
        posted = await many(watched, 120)
        await watched.poll(times=AN_HOUR)
        patchwork.edit_patch(posted[0], archived=True)
        patchwork.edit_patch(posted[60], archived=True)
        await watched.poll(times=AN_HOUR)

        assert [await is_archived(watched, patch) for patch in (posted[0], posted[30], posted[60])] == [
            True,
            False,
            True,
        ]
        assert watched.changes == [("archived", posted[0], "no", "yes"), ("archived", posted[60], "no", "yes")]


async def test_a_list_of_series_that_can_never_be_read_does_not_hide_what_is_archived() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = await many(watched, 3)
        patchwork.fault = lambda path: an_error(502) if path == "/api/1.3/series/" else None
        patchwork.edit_patch(posted[0], archived=True)
        await watched.poll(times=HALF_AN_HOUR + 5)

        assert await is_archived(watched, posted[0])
        assert watched.open_incidents == ["the newest series of sample"]


async def test_what_is_archived_is_found_behind_many_that_were_before() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = await many(watched, 130)
        for patch in posted[10:]:
            patchwork.edit_patch(patch, archived=True)
        await watched.poll(times=HALF_AN_HOUR)
        patchwork.edit_patch(posted[2], archived=True)
        await watched.poll(times=AN_HOUR)

        assert [patch for patch in posted if await is_archived(watched, patch)] == [posted[2], *posted[10:]]


async def test_what_was_archived_while_the_bot_was_away_is_found() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = await many(watched, 40)
        await watched.poll(times=AN_HOUR)
        for patch in posted[:20]:
            patchwork.edit_patch(patch, archived=True)
        clock.advance(24 * 3600)
        watched.restart()
        await watched.poll(times=2)

        assert all([await is_archived(watched, patch) for patch in posted[:20]])


@pytest.mark.parametrize("versions", VERSIONS)
async def test_what_is_taken_out_of_the_archive_is_found_within_the_hour(versions: tuple[str, ...]) -> None:
    clock = VirtualClock()
    patchwork = a_server(clock, versions)

    async with polling(patchwork, clock) as watched:
        posted = await many(watched, 30)
        for patch in posted:
            patchwork.edit_patch(patch, archived=True)
        await watched.poll(times=AN_HOUR)
        for patch in (posted[0], posted[3]):
            patchwork.edit_patch(patch, archived=False)
        await watched.poll(times=AN_HOUR)

        assert [patch for patch in posted if not await is_archived(watched, patch)] == [posted[0], posted[3]]


async def test_a_patch_that_was_archived_and_deleted_is_not_said_to_be_open() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = await many(watched, 5)
        patchwork.edit_patch(posted[1], archived=True)
        await watched.poll(times=AN_HOUR)
        patchwork.delete_patch(posted[1])
        await watched.poll(times=AN_HOUR)

        assert await is_archived(watched, posted[1])


@pytest.mark.parametrize("unknown", ["archived", "per_page", "page"])
async def test_a_server_that_passes_over_what_is_asked_for_archives_nothing(unknown: str) -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, transport=Traffic(patchwork, unknown=unknown)) as watched:
        posted = await many(watched, 12)
        await watched.poll(times=AN_HOUR)
        patchwork.edit_patch(posted[11], archived=True)
        await watched.poll(times=AN_HOUR)

        assert [patch for patch in posted if await is_archived(watched, patch)] == [posted[11]]


async def test_an_answer_that_a_wrong_filter_emptied_takes_nothing_out_of_the_archive() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    empty = Response(200, {"content-type": "application/json"}, b"[]")

    async with polling(patchwork, clock) as watched:
        posted = await many(watched, 4)
        patchwork.edit_patch(posted[0], archived=True)
        await watched.poll(times=AN_HOUR)
        patchwork.fault = lambda path: empty if path.endswith("/patches/") else None
        await watched.poll(times=AN_HOUR)
        patchwork.fault = lambda _: None
        await watched.poll(times=AN_HOUR)

        assert [patch for patch in posted if await is_archived(watched, patch)] == [posted[0]]


# When


async def test_a_bot_that_is_restarted_ever_so_often_sweeps_all_the_same() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        [patch] = watched.post().patches
        await watched.poll(times=2)
        patchwork.change_silently(patch, "accepted")
        for _ in range(4):
            watched.restart()
            await watched.poll(times=10)

    assert ("state", patch, "new", "accepted") in watched.changes


async def test_a_restart_is_no_reason_to_sweep_again() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        await watched.poll(times=HALF_AN_HOUR)
        watched.take_requests()
        watched.restart()
        await watched.poll(times=5)

        assert [path for path in watched.take_requests() if path == "/series/"] == []


async def test_a_clock_that_was_set_back_puts_no_sweep_off() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        await watched.poll(times=HALF_AN_HOUR)
        clock.set_back(timedelta(days=3))
        watched.take_requests()
        await watched.poll()

        assert "/series/" in watched.take_requests()


# What events missed


async def test_what_became_visible_late_below_what_a_sweep_had_seen_is_found() -> None:
    """Nothing tells of it but its id, which is lower than that of what came after it."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    hidden: set[int] = set()
    traffic = Traffic(patchwork, lambda event: is_about(event, hidden))

    async with polling(patchwork, clock, transport=traffic) as watched:
        await many(watched, 3)
        await watched.poll(times=HALF_AN_HOUR)
        late = patchwork.begin()
        with late:
            slow = watched.post(name="Slow")
        hidden |= {slow.series}
        watched.post(name="Fast")
        await watched.poll(times=HALF_AN_HOUR)
        late.commit()
        watched.post(name="Another")
        await watched.poll(times=HALF_AN_HOUR)

    assert slow.series in watched.series


async def test_what_became_visible_late_is_found_on_a_list_where_nothing_else_comes() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    hidden: set[int] = set()

    async with polling(
        patchwork, clock, transport=Traffic(patchwork, lambda event: is_about(event, hidden))
    ) as watched:
        await many(watched, 3)
        late = patchwork.begin()
        with late:
            slow = watched.post(name="Slow")
        hidden |= {slow.series}
        watched.post(name="Fast")
        await watched.poll(times=HALF_AN_HOUR)
        late.commit()
        await watched.poll(times=HALF_AN_HOUR)

    assert slow.series in watched.series


async def test_an_import_of_which_no_event_is_seen_is_found_whole_though_newer_mails_are_known() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    hidden: set[int] = set()

    async with polling(
        patchwork, clock, transport=Traffic(patchwork, lambda event: is_about(event, hidden))
    ) as watched:
        await many(watched, 2)
        await watched.poll(times=HALF_AN_HOUR)
        imported = [watched.post(name=f"Imported {number}").series for number in range(150)]
        hidden |= set(imported)
        for number in range(20):
            watched.post(name=f"Known {number}")
        await watched.poll(times=HALF_AN_HOUR + 5)

    assert set(imported) <= set(watched.series)


# The round


@pytest.mark.parametrize("versions", VERSIONS)
async def test_what_is_edited_of_an_open_submission_is_found_within_four_hours(versions: tuple[str, ...]) -> None:
    clock = VirtualClock()
    patchwork = a_server(clock, versions)

    async with polling(patchwork, clock) as watched:
        pull = patchwork.post_pull_request(PROJECT, "Pull", "https://git.example.org/x.git")
        posted = watched.post(patches=2)
        await many(watched, 110)
        await watched.poll(times=HALF_AN_HOUR)
        patchwork.edit_patch(posted.patches[0], commit_ref="deadbeef", name="[1/2] Another")
        patchwork.change_silently(posted.patches[1], "under-review")
        patchwork.edit_patch(pull, pull_url="https://git.example.org/y.git")
        patchwork.rename_series(posted.series, "Renamed")
        await watched.poll(times=SWEEPS_A_ROUND + 1, seconds=1800)

    assert sorted(watched.changes, key=str) == [
        ("details", pull, "https://git.example.org/x.git", "https://git.example.org/y.git"),
        ("details", posted.patches[0], "", "deadbeef"),
        ("details", posted.patches[0], "[1/2] A series, part 1", "[1/2] Another"),
        ("patches", None, "A series", "Renamed"),
        ("state", posted.patches[1], "new", "under-review"),
    ]


async def test_the_round_goes_on_where_it_was_after_a_restart() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        await many(watched, 60)
        patchwork.requests.clear()
        for _ in range(6):
            watched.restart()
            await watched.poll(seconds=1800)
        seen = [
            int(query.partition("series=")[2].partition("&")[0])
            for _, _, query in patchwork.requests
            if "series=" in query
        ]

    assert seen == list(range(60, 0, -1))


async def names_of(watched: Polling, *series: int) -> list[str]:
    """What the store calls some series."""
    async with watched.store.transaction() as tx:
        found = [await tx.watch.series(SERVER, number) for number in series]
    return [each.name for each in found if each is not None]


async def test_a_submission_that_cannot_be_read_holds_up_the_round_once() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = [watched.post(name=f"Series {number}") for number in range(3)]
        await watched.poll(times=AN_HOUR)
        patchwork.rename_series(posted[1].series, "Renamed")
        patchwork.rename_series(posted[0].series, "Renamed, too")
        patchwork.fault = lambda path: an_error(500) if path.endswith("/series/2/") else None
        await watched.poll(times=AN_HOUR)
        names = await names_of(watched, 1, 2)
        patchwork.fault = lambda _: None
        await watched.poll(times=AN_HOUR)
        later = await names_of(watched, 1, 2)

    assert names == ["Renamed, too", "Series 1"]
    assert later == ["Renamed, too", "Renamed"]
    assert watched.open_incidents == []


async def test_what_has_a_final_state_is_left_alone_after_a_day() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        closed, still_open = watched.post(name="Closed"), watched.post(name="Open")
        await watched.poll(times=3)
        patchwork.set_state(closed.patches[0], "accepted")
        await watched.poll(times=2)
        patchwork.edit_patch(closed.patches[0], commit_ref="deadbeef")
        await watched.poll(times=AN_HOUR)
        patchwork.requests.clear()
        clock.advance(2 * 24 * 3600)
        await watched.poll()
        asked = [query for _, _, query in patchwork.requests if "series=" in query]

    assert ("details", closed.patches[0], "", "deadbeef") in watched.changes
    assert [query.partition("&")[0] for query in asked] == [f"series={still_open.series}"]


# What it costs


async def test_a_quiet_sweep_costs_a_tenth_of_the_newest_hundred_patches_and_series() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    traffic = Traffic(patchwork)

    async with polling(patchwork, clock, transport=traffic) as watched:
        await many(watched, 100)
        await watched.poll(times=2 * AN_HOUR)
        [asked] = [
            sum(len(patchwork.answer("GET", f"/api/1.3/{what}/", "order=-id&per_page=100").body) for what in lists)
            for lists in [("patches", "series")]
        ]
        traffic.swept()
        await watched.poll(times=HALF_AN_HOUR)

    assert traffic.swept() < asked / 8


async def test_a_large_series_is_paid_for_by_the_next_sweeps() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    traffic = Traffic(patchwork)

    async with polling(patchwork, clock, transport=traffic) as watched:
        watched.post(patches=80)
        await many(watched, 80)
        await watched.poll(times=AN_HOUR)
        sweeps = []
        for _ in range(2 * SWEEPS_A_ROUND):
            traffic.asked.clear()
            await watched.poll(seconds=1800)
            sweeps.append(sum("series=" in path for path, _ in traffic.asked))

    assert sweeps.count(0) >= 2
    assert sum(sweeps) in range(2 * 81 - 21, 2 * 81 + 21)


# Marks


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([("a",), ("b",), ("a", "b")])), max_size=12))
def test_no_mark_rises_above_what_was_read_of_each_project(sweeps: list[tuple[int, tuple[str, ...]]]) -> None:
    """Down to the floor, everything up to the highest id was read of the projects that were asked for."""
    mark, highest = ListMark(), 0
    read_up_to = {"a": 0, "b": 0}
    for more, names in sweeps:
        highest += more
        past = {ProjectName(name): 0 for name in names}
        floor = mark.floor(past)
        assert all(floor <= read_up_to[name] for name in names)
        mark = mark.moved(past, highest, None)
        read_up_to |= dict.fromkeys(names, highest)


@pytest.mark.parametrize(
    ("before", "total", "rows"), [(None, 5, 25), (5, None, 25), (5, 5, 10), (5, 50, 50), (5, 5_000, 100), (50, 5, 10)]
)
def test_a_page_is_as_long_as_what_is_new(before: int | None, total: int | None, rows: int) -> None:
    assert ListMark(total=before).rows_to_read(total) == rows
