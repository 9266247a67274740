"""JSON in which one value is no reason to refuse the others."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.json_reader import MAX_LEVELS, read_json

MIB = 1024 * 1024
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
PIECES = st.sampled_from(
    [
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"\\",
        b",",
        b":",
        b"1",
        b"-",
        b"e9",
        b'"a":',
        b"null",
        b"NaN",
        b"\xff",
        b"\xed\xa0\x80",
    ]
)


@given(VALUES, st.booleans())
def test_an_ordinary_value_is_read_as_python_reads_it(value: object, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    assert read_json(body) == json.loads(json.dumps(value))


@given(st.lists(PIECES | st.binary(max_size=4), max_size=60).map(b"".join), st.integers(0, 2_000))
def test_bytes_of_any_kind_are_read_or_refused_with_a_value_error(body: bytes, levels: int) -> None:
    for each in (body, b"[" * levels + body, b"[" * levels + body + b"]" * levels):
        try:
            read_json(each)
        except ValueError:
            continue


@settings(max_examples=40)
@given(SCALARS, st.sampled_from(["[]", "{}"]), st.integers(MAX_LEVELS + 1, 1_500), SCALARS)
def test_a_value_that_is_nested_too_deep_is_left_out_and_its_neighbours_are_read(
    before: object, brackets: str, levels: int, after: object
) -> None:
    begin, end = ("[", "]") if brackets == "[]" else ('{"a\\"]":', "}")
    deep = begin * levels + '"]}\\\\"' + end * levels
    body = f'{{"before": {json.dumps(before)}, "deep": {deep}, "after": {json.dumps(after)}}}'

    told = read_json(body.encode())

    assert isinstance(told, dict)
    assert (told["before"], told["after"]) == (before, after)
    assert _levels(told) == MAX_LEVELS


@pytest.mark.parametrize("levels", [MAX_LEVELS - 1, MAX_LEVELS])
def test_a_value_within_the_limit_is_whole(levels: int) -> None:
    body = b"[" * levels + b"]" * levels

    assert json.dumps(read_json(body)).encode() == body


def test_numbers_that_are_none_are_left_out() -> None:
    body = b'{"long": %s, "NaN": NaN, "float": 1e999, "infinity": -Infinity, "number": 7}' % (b"9" * 5_000)

    told = read_json(body)

    assert told == {"long": None, "NaN": None, "float": None, "infinity": None, "number": 7}


def test_the_last_member_of_a_name_counts() -> None:
    assert read_json(b'{"a": 1, "a": 2}') == {"a": 2}


def test_bytes_that_are_no_text_cost_the_characters_only() -> None:
    assert read_json(b'["a\xff", "b"]') == ["a\ufffd", "b"]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"next_batch": "s1", "event_id"', b"\xff\xfe\x00", b"[1, 2", b"[1] 2"]
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_json(body)


@pytest.mark.parametrize(
    "body",
    [b"[" * 10 * MIB, b"[" * 5 * MIB + b"]" * 5 * MIB, b"[" * 100 + b'"\\' * 5 * MIB, b"[" * 100 + b"1" * 10 * MIB],
    ids=["brackets", "pairs", "a string that does not end", "digits"],
)
def test_ten_megabytes_of_nothing_are_read_in_linear_time(body: bytes) -> None:
    """A quadratic reader would take hours, and meet the time limit of tests."""
    try:
        assert read_json(body) is not None
    except ValueError:
        return


def _levels(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_levels, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_levels, value), default=0)
    return 0
