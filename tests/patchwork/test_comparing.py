"""What a version changed of the one before."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.patchwork.diff import OF_NOTHING
from bot.patchwork.model import Series
from bot.patchwork.range_diff import Comparison, KnownVersion, compare
from support.versions_rig import a_version, patches

Row = tuple[str, str | None]  # the subject of a patch, and the digest of its diff


def known(version: int, *rows: Row, total: int = 0) -> KnownVersion:
    series: Series = a_version(version, version, subjects=[subject for subject, _ in rows], total=total)
    return KnownVersion(series, patches(series, [digest for _, digest in rows]))


ONE, TWO, THREE = ("[1/3] One", "a"), ("[2/3] Two", "b"), ("[3/3] Three", "c")


@pytest.mark.parametrize(
    ("case", "now", "expected"),
    [
        ("as it was", [ONE, TWO, THREE], Comparison(unchanged=3)),
        ("one changed", [ONE, ("[v2,2/3] two", "B"), THREE], Comparison(unchanged=2, changed=1)),
        ("one is new", [ONE, TWO, THREE, ("[4/4] Four", "d")], Comparison(unchanged=3, new=1)),
        ("one is gone", [ONE, THREE], Comparison(unchanged=2, gone=1)),
        ("renamed, the same diff", [("[1/3] First", "a"), TWO, THREE], Comparison(unchanged=3)),
        (
            "in another order",
            [("[1/3] Three", "c"), ("[2/3] One", "a"), ("[3/3] Two", "b")],
            Comparison(unchanged=3, moved=1),
        ),
        ("another subject and diff", [("[1/3] Other", "x"), TWO, THREE], Comparison(unchanged=2, new=1, gone=1)),
        ("swapped subjects", [("[1/3] Two", "a"), ("[2/3] One", "b"), THREE], Comparison(unchanged=3)),
        ("a diff that was not read", [("[1/3] One", None), TWO, THREE], Comparison(unchanged=2, unclear=1)),
        ("now it only renames", [("[1/3] One", OF_NOTHING), TWO, THREE], Comparison(unchanged=2, changed=1)),
        ("nothing is left", [], Comparison(gone=3)),
    ],
)
def test_a_version_is_held_against_the_one_before(case: str, now: Sequence[Row], expected: Comparison) -> None:
    assert compare(known(1, ONE, TWO, THREE), known(2, *now)) == expected, case


def test_the_hash_of_an_empty_diff_proves_nothing() -> None:
    before, now = known(1, ("Move a", OF_NOTHING)), known(2, ("Move a", OF_NOTHING))
    renamed = known(2, ("Move b", OF_NOTHING))

    assert compare(before, now) == Comparison(unclear=1)
    assert compare(before, renamed) == Comparison(new=1, gone=1)


def test_of_equal_subjects_the_number_decides() -> None:
    before = known(1, ("[1/2] Fix", None), ("[2/2] Fix", "b"))
    now = known(2, ("[1/2] Fix", "x"), ("[2/2] Fix", "y"))

    assert compare(before, now) == Comparison(changed=1, unclear=1)


def test_what_may_not_have_arrived_is_not_gone() -> None:
    assert compare(known(1, ONE, TWO, THREE), known(2, ONE, total=3)) == Comparison(unchanged=1, whole=False)


def test_what_may_have_been_there_is_not_new() -> None:
    assert compare(known(1, ONE, total=3), known(2, ONE, TWO)) == Comparison(unchanged=1, unclear=1)


rows = st.lists(
    st.tuples(
        st.sampled_from(["[1/3] One", "[2/3] one", "Two", "", "[v2]"]), st.sampled_from(["a", "b", OF_NOTHING, None])
    ),
    max_size=6,
)


@given(rows, rows)
def test_each_patch_counts_once(before: list[Row], now: list[Row]) -> None:
    found = compare(known(1, *before), known(2, *now))

    assert found.unchanged + found.changed + found.unclear + found.new == len(now)
    assert found.unchanged + found.changed + found.unclear + found.gone == len(before)


@given(rows, rows)
def test_the_way_back_is_the_same_way(before: list[Row], now: list[Row]) -> None:
    there, back = compare(known(1, *before), known(2, *now)), compare(known(1, *now), known(2, *before))

    assert (there.unchanged, there.new, there.gone) == (back.unchanged, back.gone, back.new)


@given(rows)
def test_a_version_that_is_sent_again_changes_nothing(sent: list[Row]) -> None:
    found = compare(known(1, *sent), known(2, *sent))

    assert (found.changed, found.unchanged + found.unclear + found.new) == (0, len(sent))
