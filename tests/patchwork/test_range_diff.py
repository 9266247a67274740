"""How the patches of two versions are matched."""

import random
import time
from collections.abc import Callable, Sequence

import pytest

from bot.patchwork.diff import hash_of
from bot.patchwork.diff_lines import fingerprint_of
from bot.patchwork.range_diff import ComparedPatch, PairOutcome, PatchPair, match_patches
from bot.sample_patchwork.diffs import Hunk, git_diff, rename_diff

EQUAL, CHANGED, NEW, DROPPED = PairOutcome.EQUAL, PairOutcome.CHANGED, PairOutcome.NEW, PairOutcome.DROPPED


def patch(number: int, subject: str, diff: str, *message: str) -> ComparedPatch:
    return ComparedPatch(number, subject, hash_of(diff), fingerprint_of(diff), message)


def lines(name: str, count: int = 20, *more: str) -> str:
    """A diff that adds many lines."""
    return git_diff(f"{name}.c", Hunk(1, "".join(f"+{name} {each}\n" for each in [*map(str, range(count)), *more])))


ONE, TWO, THREE = (patch(place, name, lines(name)) for place, name in enumerate(("one", "two", "three"), 1))


def rows(
    old: Sequence[ComparedPatch], new: Sequence[ComparedPatch]
) -> list[tuple[int | None, int | None, PairOutcome]]:
    return [(row.old, row.new, row.change) for row in match_patches(old, new)]


def test_what_is_sent_again_is_equal() -> None:
    assert rows([ONE, TWO], [ONE, TWO]) == [(0, 0, EQUAL), (1, 1, EQUAL)]


def test_a_patch_with_another_name_and_some_other_lines_is_changed() -> None:
    renamed = patch(1, "first", lines("one", 20, "and more"))

    assert rows([ONE, TWO], [renamed, TWO]) == [(0, 0, CHANGED), (1, 1, EQUAL)]


def test_dropped_patches_stand_where_they_were() -> None:
    four = patch(3, "four", lines("four"))

    assert rows([ONE, TWO, THREE], [ONE, THREE, four]) == [
        (0, 0, EQUAL),
        (1, None, DROPPED),
        (2, 1, EQUAL),
        (None, 2, NEW),
    ]


def test_only_what_left_the_order_is_moved() -> None:
    found = match_patches([ONE, TWO, THREE], [THREE, ONE, TWO])

    assert [(row.old, row.is_moved) for row in found] == [(2, True), (0, False), (1, False)]
    assert not any(row.is_moved for row in match_patches([ONE, TWO], [THREE, ONE, TWO])), "later numbers are no move"


def test_another_message_is_a_change_of_its_own() -> None:
    old, new = patch(1, "one", lines("one"), "Why."), patch(1, "one", lines("one"), "Why not.")

    assert rows([old], [new]) == [(0, 0, PairOutcome.REWORDED)]


def test_a_message_that_is_not_known_is_not_called_changed() -> None:
    known, unknown = patch(1, "one", lines("one"), "Why."), ComparedPatch(1, "first", hash_of(lines("one")))

    assert rows([known], [unknown]) == [(0, 0, EQUAL)]


def test_a_patch_rewritten_under_its_title_is_changed_not_dropped_and_new() -> None:
    assert rows([ONE], [patch(1, "one", lines("other"))]) == [(0, 0, CHANGED)]


def test_of_two_equally_similar_patches_the_namesake_is_paired() -> None:
    old = [patch(1, "a", lines("x", 20, "a")), patch(2, "b", lines("x", 20, "b"))]
    new = [patch(1, "b", lines("x", 20, "c")), patch(2, "a", lines("x", 20, "d"))]

    assert {(row.old, row.new) for row in match_patches(old, new)} == {(0, 1), (1, 0)}


def test_renames_are_compared_by_their_names() -> None:
    same, other = patch(1, "move", rename_diff("a", "b")), patch(1, "move", rename_diff("a", "c"))

    assert rows([same], [same]) == [(0, 0, EQUAL)]
    assert rows([same], [other]) == [(0, 0, CHANGED)]


def test_without_the_diffs_the_subject_pairs_and_nothing_is_claimed() -> None:
    assert match_patches([ComparedPatch(1, "one")], [ComparedPatch(2, "one")]) == (
        PatchPair(0, 0, PairOutcome.UNCLEAR),
    )


@pytest.mark.parametrize(
    ("case", "line", "per_patch", "patches"),
    [
        ("all lines alike", lambda _rng: "+x", 60, 500),
        ("few lines, in any order", lambda rng: f"+{rng.randrange(8)}", 60, 500),
        ("many lines, in any order", lambda rng: f"+{rng.randrange(400)}", 1_000, 40),
        ("long patches of few lines", lambda rng: f"+{rng.randrange(3)}", 3_000, 10),
    ],
)
def test_hostile_series_are_compared_in_bounded_time(
    case: str, line: Callable[[random.Random], str], per_patch: int, patches: int
) -> None:
    rng = random.Random(case)  # noqa: S311 - test data

    def version(name: str) -> list[ComparedPatch]:
        return [
            patch(
                number,
                f"{name} {number}",
                git_diff("x.c", Hunk(1, "".join(f"{line(rng)}\n" for _ in range(per_patch)))),
            )
            for number in range(patches)
        ]

    old, new = version("old"), version("new")
    begin = time.process_time()
    found = match_patches(old, new)

    assert time.process_time() - begin < 8, case
    assert sum(row.new is not None for row in found) == patches
    assert sum(row.old is not None for row in found) == patches
