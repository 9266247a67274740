"""JSON that is taken apart while it comes in."""

import json
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.json_splitter import ANY, Items, JsonSplitter, OpenedContainer, OversizedValue, Part, Plan, Value

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\[]{}:, \n'), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
PLAN: Plan = {"events": Items(10_000), "rooms": {ANY: {"name": 10_000}}, "token": 10_000}


def split(plan: Plan, body: bytes, step: int) -> Iterator[Part]:
    splitter = JsonSplitter(plan)
    for start in range(0, len(body), step):
        yield from splitter.feed(body[start : start + step])
    splitter.close()


def values(plan: Plan, body: bytes, step: int = 65_536) -> list[tuple[tuple[str | int, ...], object]]:
    return [(part.path, json.loads(part.body)) for part in split(plan, body, step) if isinstance(part, Value)]


@settings(max_examples=60)
@given(
    st.lists(VALUES, max_size=4), st.dictionaries(TEXT, VALUES, max_size=3), VALUES, st.integers(1, 40), st.booleans()
)
def test_the_parts_are_those_of_the_document_however_it_comes_in(
    events: list[object], names: dict[str, object], other: object, step: int, ascii_only: bool
) -> None:
    rooms = {room: {"other": other, "name": name} for room, name in names.items()}
    document = {"ignored": other, "events": events, "rooms": rooms, "token": "t"}
    body = json.dumps(document, ensure_ascii=ascii_only, indent=1 if step % 2 else None).encode()

    found = values(PLAN, body, step)

    assert found == [
        *((("events", 0), event) for event in events),
        *((("rooms", room, "name"), name) for room, name in names.items()),
        (("token",), "t"),
    ]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*'[]{}",:\\ 1n', '"events":', '"rooms":', '"a"'])), st.integers(1, 9))
def test_what_is_not_json_is_refused_with_a_value_error_or_split(pieces: list[str], step: int) -> None:
    try:
        list(split(PLAN, ('{"events":[' + "".join(pieces)).encode(), step))
    except ValueError:
        return


def test_a_value_that_is_too_large_costs_itself_only() -> None:
    body = json.dumps({"events": [1, "x" * 20_000, 2], "rooms": 7, "token": "t"}).encode()

    parts = list(split(PLAN, body, 100))

    assert [part for part in parts if isinstance(part, OversizedValue)] == [OversizedValue(("events", 0), 20_002)]
    assert values(PLAN, body) == [(("events", 0), 1), (("events", 0), 2), (("token",), "t")]


def test_empty_lists_and_objects_are_opened() -> None:
    assert list(split(PLAN, b'{"events": [], "rooms": {"a": {}}}', 3)) == [
        OpenedContainer((), is_list=False),
        OpenedContainer(("events",), is_list=True),
        OpenedContainer(("rooms",), is_list=False),
        OpenedContainer(("rooms", "a"), is_list=False),
    ]


def test_a_name_of_a_megabyte_is_passed_over_with_its_value() -> None:
    body = b'{"rooms": {"%s": {"name": 1}, "b": {"name": 2}}}' % (b"a" * MIB)

    assert values(PLAN, body) == [(("rooms", "b", "name"), 2)]


@pytest.mark.parametrize(
    "body",
    [b"", b'{"events": [1,', b'{"events"; 1}', b'{"events": [1 2]}', b'{"a": }', b"{} {}", b"{1: 2}", bytes(9), b"[]"],
)
def test_what_has_no_structure_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON"):
        list(split(PLAN, body, 4))


@pytest.mark.parametrize(
    "filling",
    [b"[" * 100, b'"\\"\\\\', b'"', b'[],{"a":"b"},', b"1"],
    ids=["brackets", "escapes", "quotes", "pairs", "digits"],
)
def test_what_is_passed_over_takes_bounded_memory_and_linear_time(filling: bytes) -> None:
    splitter, step = JsonSplitter(PLAN), (filling * 65_536)[:65_536]
    list(splitter.feed(b'{"ignored":[1,'))
    tracemalloc.start()
    try:
        for _ in range(100):
            assert list(splitter.feed(step)) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 16 * MIB, "of the one step that is looked at"
