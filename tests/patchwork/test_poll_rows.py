"""A row of a list that cannot be read costs itself only: it is skipped and named, and the others are read."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bot.clock import VirtualClock
from bot.patchwork.api import NET_SIZE
from bot.patchwork.response_rows import read_rows
from bot.patchwork.wire import CheckRow, CommentRow, CoverRow, EventRow, PatchRow, SeriesRow
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import Somebody, a_patchwork, an_api, polling
from support.rig import PROJECT, a_series

DEEP = "[" * 100_000 + "]" * 100_000
POISON: dict[str, str] = {
    "1,000 levels": '{"a":' * 1_000 + "1" + "}" * 1_000,
    "100,000 brackets": DEEP,
    "5,000 digits": "1" + "0" * 5_000,
    "not a number": "NaN",
    "infinity": "-Infinity",
    "too large a float": "1e999",
    "a lone surrogate": '"\\ud800"',
    "a megabyte": json.dumps("x" * 1_000_000),
    "null": "null",
    "true": "true",
    "a negative number": "-1",
    "2 to the 63rd": str(2**63),
    "an empty list": "[]",
    "a list of lists": "[[[]]]",
    "an object": '{"id": null}',
    "duplicate keys": '{"id": 1, "id": "x"}',
}
PROJECT_ROW = {"id": 1, "link_name": PROJECT}
SHORT: dict[type[Any], dict[str, Any]] = {
    EventRow: {
        "id": 1,
        "category": "series-created",
        "date": "2026-11-23T12:43:47",
        "project": PROJECT_ROW,
        "payload": {},
    },
    PatchRow: {
        "id": 1,
        "project": PROJECT_ROW,
        "headers": {},
        "tags": {},
        "series": [],
        "submitter": {},
        "delegate": {},
    },
    SeriesRow: {"id": 1, "project": PROJECT_ROW, "patches": [], "cover_letter": None, "submitter": {}, "version": 1},
    CoverRow: {"id": 1, "project": PROJECT_ROW, "series": [], "headers": {}},
    CheckRow: {"id": 1, "state": "success", "context": "", "user": {}, "date": ""},
    CommentRow: {"id": 1, "content": "", "submitter": {}, "headers": {}, "date": ""},
}
FIELDS = [pytest.param(kind, name, id=f"{kind.__name__}.{name}") for kind, row in SHORT.items() for name in row]


def poisoned(row: dict[str, Any], field: str, poison: str) -> str:
    """*row* with something else in a field, as JSON."""
    return json.dumps({**row, field: "POISON"}).replace('"POISON"', poison)


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_nothing_in_any_field_of_a_row_costs_another_row(kind: type[Any], field: str) -> None:
    good = json.dumps({**SHORT[kind], "id": 7})
    for name, poison in POISON.items():
        body = f"[{good}, {poisoned(SHORT[kind], field, poison)}, {poison}, {good}]".encode()

        rows = read_rows(kind, body)

        assert [row.id for row in rows.rows if row.id == 7] == [7, 7], name
        assert len(rows.rows) + rows.rejected == 4, name
        assert all(row.model() for row in rows.rows if hasattr(row, "model"))


def test_a_row_that_is_skipped_is_named_by_what_can_be_read_of_it() -> None:
    row = {"id": 7, "date": "2026-11-23T12:43:47", "category": "x", "project": None, "payload": {}}

    [skipped] = read_rows(EventRow, json.dumps([row]).encode()).skipped

    assert (skipped.id, skipped.date) == (7, "2026-11-23T12:43:47")
    assert skipped.reason.startswith("project: ")


class Poisoning(SampleTransport):
    """Puts something else into a field of the rows of a list that *is_bad* says."""

    def __init__(
        self, patchwork: SamplePatchwork, path: str, is_bad: Callable[[dict[str, Any]], bool], field: str, poison: str
    ) -> None:
        super().__init__(patchwork)
        self.is_active = True
        self._path = path
        self._is_bad = is_bad
        self._field = field
        self._poison = poison

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, poisoned."""
        response = await super().handle_async_request(request)
        if not self.is_active or not request.url.path.endswith(self._path):
            return response
        rows = json.loads(await response.aread())
        bad = [poisoned(row, self._field, self._poison) if self._is_bad(row) else json.dumps(row) for row in rows]
        headers = {name: value for name, value in response.headers.items() if name in {"content-type", "link"}}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(f"[{', '.join(bad)}]".encode()))


def newest_series_event(row: dict[str, Any]) -> bool:
    """The event that tells of the second series."""
    return bool(row["category"] == "series-created" and row["payload"]["series"]["id"] == 2)


@pytest.mark.parametrize(
    ("field", "poison"),
    [("payload", DEEP), ("date", "null"), ("id", "1e999")],
    ids=["payload", "date", "id"],
)
async def test_an_event_that_cannot_be_read_is_skipped_and_the_next_ones_are_read(field: str, poison: str) -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    transport = Poisoning(patchwork, "/events/", newest_series_event, field, poison)

    async with polling(patchwork, clock, transport=transport) as watched:
        posted = [watched.post(patches=2).series for _ in range(3)]
        await watched.poll(times=4)
        watched.take_requests()
        await watched.poll(times=5)
        quiet = watched.take_requests()
        named = [name for name in watched.open_incidents if name.startswith("event ") and name.endswith(" of sample")]
        transport.is_active = False
        await watched.poll(seconds=24 * 3600.0)

        assert sorted(watched.series) == posted
        assert quiet == ["/events/"] * 5
        assert len(named) == 1
        assert len(watched.events) == len(set(watched.events)) == len(patchwork.rows.events)
        assert field == "id" or not watched.open_incidents


async def test_a_known_event_that_cannot_be_read_any_more_makes_no_poll_look_back() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    transport = Poisoning(patchwork, "/events/", lambda _: True, "project", "null")
    transport.is_active = False

    async with polling(patchwork, clock, transport=transport) as watched:
        watched.post()
        await watched.poll(times=4)
        watched.take_requests()
        transport.is_active = True
        await watched.poll(times=5)
        asked = watched.take_requests()
        transport.is_active = False
        posted = watched.post()
        await watched.poll()

        assert asked == ["/events/"] * 5
        assert watched.series[-1] == posted.series
        assert not any(poll.rebuilt for poll in watched.polls)


@pytest.mark.parametrize("path", ["/events/", "/patches/", "/series/"])
async def test_a_newest_row_that_cannot_be_read_at_the_first_start_makes_the_past_no_news(path: str) -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    for _ in range(5):
        patchwork.post_series(PROJECT, a_series("a.c"))
    newest = {"/events/": max(event.id for event in patchwork.rows.events)}.get(path, 5)
    transport = Poisoning(patchwork, path, lambda row: row["id"] == newest, "project", "null")

    async with polling(patchwork, clock, transport=transport) as watched:
        await watched.poll(times=2)
        transport.is_active = False
        await watched.poll(times=2, seconds=1800)
        posted = watched.post()
        await watched.poll()

    assert watched.series == [posted.series]


@pytest.mark.parametrize("what", ["/series/", "/patches/"])
async def test_a_page_with_a_row_that_cannot_be_read_is_no_short_page_that_ends_the_sweep(what: str) -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    for _ in range(NET_SIZE + 1):
        patchwork.post_series(PROJECT, a_series("a.c"))
    api = an_api(Poisoning(patchwork, what, lambda row: row["id"] == NET_SIZE + 1, "submitter", DEEP))
    await api.discover()

    page = await (api.newest_series([PROJECT]) if what == "/series/" else api.newest_patches([PROJECT]))

    assert [row.id for row in page.rows] == list(range(NET_SIZE, 1, -1))
    assert page.more
    assert page.highest == NET_SIZE + 1


async def test_one_bad_comment_and_one_bad_check_cost_themselves_only() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    transport = Poisoning(patchwork, "/comments/", lambda row: row["id"] == 1, "submitter", DEEP)

    async with polling(patchwork, clock, transport=transport, listening=Somebody()) as watched:
        [patch] = watched.post().patches
        await watched.poll(times=8)
        comments = [patchwork.add_comment(patch, f"Word {number}.\n") for number in range(2)]
        patchwork.add_check(patch, NewCheck("fail", "build"))
        await watched.poll(times=3)

        told = [after for kind, _, _, after in watched.changes if kind == "comment"]
        assert told == [str(comments[1])]
        assert watched.open_incidents == ["comment 1 of sample"]
