"""The lines that two texts have in common."""

import difflib
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.patchwork.line_matching import WorkBudget, changed_runs, common_lines, shown_lines

texts = st.lists(st.sampled_from("abcd"), max_size=14)


def longest(old: list[str], new: list[str]) -> int:
    """The length of the longest common subsequence, by the definition."""
    row = [0] * (len(new) + 1)
    for one in old:
        former, row = row, [0]
        for place, other in enumerate(new):
            row.append(former[place] + 1 if one == other else max(former[place + 1], row[-1]))
    return row[-1]


@given(texts, texts)
def test_the_longest_common_subsequence_is_found(old: list[str], new: list[str]) -> None:
    pairs = common_lines(old, new, WorkBudget(100_000))

    assert pairs is not None
    assert all(old[one] == new[other] for one, other in pairs)
    assert all(one < two and other < another for (one, other), (two, another) in pairwise(pairs))
    assert len(pairs) == longest(old, new)


@given(texts, texts)
def test_the_runs_between_common_lines_rebuild_the_new_text(old: list[str], new: list[str]) -> None:
    pairs = common_lines(old, new, WorkBudget(100_000)) or []

    rebuilt, at = list[str](), 0
    for run in changed_runs(pairs, len(old), len(new)):
        rebuilt += [*old[at : run.old.start], *new[run.new.start : run.new.stop]]
        at = run.old.stop

    assert rebuilt + old[at:] == new


@pytest.mark.parametrize("distance", [5, 6, 7, 8])
def test_the_lines_of_a_unified_diff_are_counted(distance: int) -> None:
    old = [f"line {number}" for number in range(30)]
    new = [*old[:10], "changed", *old[11 : 11 + distance], "inserted", *old[11 + distance :]]
    pairs = common_lines(old, new, WorkBudget(100_000))

    assert pairs is not None
    diff = list(difflib.unified_diff(old, new, lineterm=""))[2:]
    assert shown_lines(pairs, len(old), len(new)) == len(diff)


def test_equal_texts_have_no_diff() -> None:
    assert shown_lines([(0, 0), (1, 1)], 2, 2) == 0


def test_a_comparison_that_takes_too_many_steps_is_given_up() -> None:
    old, new = [str(number % 7) for number in range(5_000)], [str(number % 5) for number in range(5_000)]
    budget = WorkBudget(200_000)

    begin = time.process_time()

    assert common_lines(old, new, budget) is None
    assert time.process_time() - begin < 2
    assert common_lines(["a"] * 100, ["a"] * 100, budget) is None, "an exhausted budget stays so"


def test_texts_with_nothing_in_common_are_compared_at_once() -> None:
    old, new = [f"old {number}" for number in range(50_000)], [f"new {number}" for number in range(50_000)]

    assert common_lines(old, new, WorkBudget(60_000)) == []
