"""Patchwork's answers are read into the model, whatever the version leaves out and whatever is wrong in them."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import Msgid, PatchId, ProjectName, SeriesId
from bot.patchwork.model import Check, CheckState, Patch, PatchRef, Person, Series
from bot.patchwork.response_rows import Garbled, read_project, read_row, read_rows
from bot.patchwork.wire import CheckRow, CommentRow, CoverRow, EventRow, PatchRow, SeriesRow

SAMPLES = Path(__file__).parent.parent / "samples"
SHAPES: dict[str, Any] = json.loads((SAMPLES / "patchwork-shapes.json").read_text())
VERSIONS = ("v1.1", "v1.2", "v1.3", "v1.4")


VALUES = {"int": 7, "bool": True, "null": None}
TEXTS = {"date": "2026-11-23T12:43:47.707566", "check": "success", "state": "success"}


def instance(shape: Any, name: str = "", *, null: bool = False) -> Any:
    """A value of the described shape; with *null* None wherever the shape allows it."""
    match shape:
        case {"is": some, "or": other}:
            return instance(other if null else some, name, null=null)
        case dict():
            named = {"To" if key.startswith("<") else key: value for key, value in shape.items()}
            return {key: instance(value, key, null=null) for key, value in named.items()}
        case list():
            return [instance(item, name, null=null) for item in shape]
        case _:
            return VALUES.get(shape, TEXTS.get(name, f"some {name}"))


def body_of(key: str, *, null: bool = False) -> bytes:
    """An answer of the described shape."""
    return json.dumps(instance(SHAPES[key]["body"], null=null)).encode()


@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("what", "kind"), [("events", EventRow), ("series", SeriesRow), ("patches", PatchRow)])
def test_every_list_of_every_version_is_read_whole(
    version: str, what: str, kind: type[EventRow | SeriesRow | PatchRow], null: bool
) -> None:
    rows = read_rows(kind, body_of(f"{version}-{what}", null=null))

    assert rows.rejected == 0
    assert len(rows.rows) == len(SHAPES[f"{version}-{what}"]["body"]) > 0
    assert all(row.model().project == "some link_name" for row in rows.rows)


@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_page_of_every_version_is_read(version: str, null: bool) -> None:
    patch = read_row(PatchRow, body_of(f"{version}-patch-detail", null=null)).model()
    series = read_row(SeriesRow, body_of(f"{version}-series-detail", null=null)).model()
    project = read_project(body_of(f"{version}-project-by-linkname", null=null))

    assert (patch.id, patch.files, patch.check) == (7, (), CheckState.SUCCESS)
    assert (series.id, series.received_all) == (7, True)
    assert project == "some link_name"


@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_checks_comments_and_covers_of_every_version_are_read(version: str, null: bool) -> None:
    checks = read_rows(CheckRow, body_of(f"{version}-checks", null=null))
    on_patch = read_rows(CommentRow, body_of(f"{version}-patch-comments", null=null))
    on_cover = read_rows(CommentRow, body_of(f"{version}-cover-comments", null=null))
    cover = read_row(CoverRow, body_of(f"{version}-cover-detail", null=null))

    assert (checks.rejected, on_patch.rejected, on_cover.rejected) == (0, 0, 0)
    assert [(check.id, check.state) for check in checks.rows] == [(7, CheckState.SUCCESS)]
    assert all(row.model().id == 7 for row in (*on_patch.rows, *on_cover.rows))
    assert cover.series[0].id == 7


def test_a_check_of_an_unknown_state_is_left_out() -> None:
    rows = read_rows(CheckRow, b'[{"id": 1, "state": "odd"}, {"id": 2, "state": "fail"}]')

    assert ([row.id for row in rows.rows], rows.rejected) == ([2], 1)


@pytest.mark.parametrize("key", [key for key in SHAPES if key.startswith("event-")])
def test_every_kind_of_event_is_read(key: str) -> None:
    body = b"[" + body_of(key) + b"]"

    rows = read_rows(EventRow, body)

    assert rows.rejected == 0
    event = rows.rows[0].model()
    assert (event.series is not None) is ("series" in key or "completed" in key)
    assert (event.patch is not None) is ("patch" in key or "check" in key)
    assert (event.current_state is not None) is (key == "event-patch-state-changed")


def test_the_recorded_patch_of_a_real_server_is_read() -> None:
    patch = read_row(PatchRow, (SAMPLES / "patch-2194095.json").read_bytes()).model()

    recorded = json.loads((SAMPLES / "patch-2194095.json").read_text())
    assert patch == Patch(
        id=recorded["id"],
        project=recorded["project"]["link_name"],
        msgid=recorded["msgid"].strip("<>"),
        name=recorded["name"],
        submitter=Person(recorded["submitter"]["name"], recorded["submitter"]["email"]),
        date=recorded["date"],
        series=recorded["series"][0]["id"],
        state=recorded["state"],
        check=CheckState(recorded["check"]),
        hash=recorded["hash"],
        archive_url=recorded["list_archive_url"],
        files=patch.files,
        to=patch.to,
        cc=patch.cc,
        trailers=patch.trailers,
    )
    assert patch.files
    assert all(f"diff --git a/{path} b/{path}" in recorded["diff"] for path in patch.paths)
    assert patch.to
    assert all(address in str(recorded["headers"]).lower() for address in (*patch.to, *patch.cc))


QEMU = ProjectName("qemu-devel")
PROJECT = {"id": 1, "link_name": "qemu-devel"}
EVENT = {"id": 1, "category": "series-created", "date": "2026-11-23T12:43:47", "project": PROJECT, "payload": {}}


def test_what_a_version_lacks_is_left_empty() -> None:
    series = read_row(SeriesRow, json.dumps({"id": 3, "project": PROJECT}).encode()).model()
    patch = read_row(PatchRow, json.dumps({"id": 4, "project": PROJECT}).encode()).model()

    assert series == Series(SeriesId(3), QEMU, "series 3", 1, Person("", ""))
    assert patch == Patch(PatchId(4), QEMU, Msgid(""), "", Person("", ""))


def test_a_null_is_as_good_as_nothing() -> None:
    nulls = dict.fromkeys(
        (
            "msgid",
            "name",
            "date",
            "state",
            "hash",
            "delegate",
            "check",
            "pull_url",
            "list_archive_url",
            "diff",
            "content",
        )
    )
    person = {"name": None, "email": "ada@example.org"}

    patch = read_row(PatchRow, json.dumps({"id": 4, "project": PROJECT, **nulls, "submitter": person}).encode()).model()

    assert patch == Patch(PatchId(4), QEMU, Msgid(""), "", Person("", "ada@example.org"))


def test_a_lone_surrogate_is_replaced() -> None:
    body = json.dumps([{"id": 4, "project": PROJECT, "name": "a\ud800b", "diff": "+\udfff\n", "headers": {}}]).encode()

    rows = read_rows(PatchRow, body)
    alone = read_row(PatchRow, body[1:-1])

    assert rows.rejected == 0
    assert rows.rows[0].model().name == alone.model().name == "a?b"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x"},
        {"id": -1},
        {"id": 2**63},
        {"date": None},
        {"date": ""},
        {"date": "yesterday"},
        {"date": "0001-01-01T00:00:00"},
        {"date": "9999-99-99T00:00:00"},
        {"date": "2026-11-23"},
        {"project": None},
        {"payload": {"series": {"id": None}}},
        {"payload": []},
    ],
)
def test_an_event_that_cannot_be_read_is_left_out_and_counted(change: dict[str, Any]) -> None:
    rows = read_rows(EventRow, json.dumps([EVENT, {**EVENT, **change}, {**EVENT, "id": 3}]).encode())

    assert [row.id for row in rows.rows] == [1, 3]
    assert rows.rejected == 1


def test_an_event_tells_what_it_changed_and_who_did() -> None:
    user, check = {"username": "ci"}, {"id": 9, "state": "fail", "context": "build", "target_url": None}
    cover = {"id": 8, "msgid": "<8@hs>", "name": "[0/2] All"}
    payloads: list[dict[str, Any]] = [
        {"check": check},
        {"previous_delegate": None, "current_delegate": {"username": "mia"}},
        {"previous_delegate": {"username": "mia"}, "current_delegate": None},
        {"cover": cover, "comment": {"id": 7, "msgid": "<7@hs>"}},
    ]

    rows = read_rows(EventRow, json.dumps([{**EVENT, "actor": user, "payload": each} for each in payloads]).encode())

    events = [row.model() for row in rows.rows]
    assert events[0].check == Check(9, CheckState.FAIL, "build", "ci")
    assert [event.current_delegate for event in events] == [None, "mia", None, None]
    assert [event.previous_delegate for event in events] == [None, None, "mia", None]
    assert (events[3].cover, events[3].comment) == (PatchRef(PatchId(8), Msgid("8@hs"), "[0/2] All"), 7)


@pytest.mark.parametrize(
    "change",
    [
        {"actor": 7},
        {"actor": None},
        {"payload": {"check": {"id": 9, "state": "odd"}}},
        {"payload": {"check": []}},
        {"payload": {"comment": {"id": -1}}},
        {"payload": {"current_delegate": "mia"}},
    ],
)
def test_an_event_that_says_what_cannot_be_read_is_still_an_event(change: dict[str, Any]) -> None:
    rows = read_rows(EventRow, json.dumps([{**EVENT, **change}]).encode())

    [event] = [row.model() for row in rows.rows]
    assert (event.check, event.comment, event.current_delegate) == (None, None, None)


@pytest.mark.parametrize("change", [{"version": 2**31}, {"total": -1}, {"patches": [{"id": 2**63}]}])
def test_a_series_with_numbers_that_no_database_holds_is_left_out(change: dict[str, Any]) -> None:
    rows = read_rows(SeriesRow, json.dumps([{"id": 1, "project": PROJECT, **change}]).encode())

    assert (rows.rows, rows.rejected) == ((), 1)


def test_no_text_is_longer_than_a_line_may_be_and_none_holds_controls() -> None:
    long = {"id": 4, "project": PROJECT, "name": "a\n\x00b" * 9_999, "hash": "f" * 9_999, "pull_url": "x\r\ny" * 9_999}

    patch = read_row(PatchRow, json.dumps(long).encode()).model()

    assert max(len(patch.name), len(patch.hash or ""), len(patch.pull_url or "")) <= 1_000
    assert (patch.name[:6], (patch.pull_url or "")[:6]) == ("a ba b", "x yx y")


@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"{}", b"[", b"\xff", b"[" * 100_000, b"1" * 5_000, b'"x"'])
def test_what_is_no_answer_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled):
        read_rows(EventRow, body)
    with pytest.raises(Garbled):
        read_row(PatchRow, body)
    with pytest.raises(Garbled):
        read_project(body)


def test_deep_nesting_in_a_row_leaves_out_that_row() -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    body = f'[{json.dumps(EVENT)}, {{"id": "x\\ud800", "payload": {deep}}}]'.encode()

    rows = read_rows(EventRow, body)

    assert (len(rows.rows), rows.rejected) == (1, 1)


keys = st.sampled_from(
    [
        "id",
        "category",
        "date",
        "project",
        "link_name",
        "payload",
        "series",
        "patch",
        "patches",
        "headers",
        "diff",
        "name",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("2026-11-23T12:43:47"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | st.text(max_size=3), inner, max_size=6),
    max_leaves=25,
)


@given(values | st.fixed_dictionaries({"id": st.just(1), "project": st.just(PROJECT)}, optional={"headers": values}))
def test_reading_anything_raises_nothing_but_garbled(value: object) -> None:
    for body in (json.dumps(value).encode(), json.dumps([value, EVENT]).encode()):
        with suppress(Garbled):
            [row.model() for row in read_rows(EventRow, body).rows]
        with suppress(Garbled):
            [row.model() for row in read_rows(SeriesRow, body).rows]
        with suppress(Garbled):
            [row.model() for row in read_rows(CheckRow, body).rows]
        with suppress(Garbled):
            [row.model() for row in read_rows(CommentRow, body).rows]
        with suppress(Garbled):
            [row.model() for row in read_rows(PatchRow, body).rows]
        with suppress(Garbled):
            read_row(PatchRow, body).model()


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_what_is_no_project_is_garbled_in_one_line(body: bytes) -> None:
    with pytest.raises(Garbled) as caught:
        read_project(body)

    assert "\n" not in str(caught.value)
