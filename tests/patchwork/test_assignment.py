"""The pairing with the greatest gain."""

import random
import time
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from bot.patchwork.assignment import best_pairs

gains = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 4)), st.integers(1, 9), max_size=14)


def greatest(of: dict[tuple[int, int], int]) -> int:
    """The greatest sum of all pairings, by trying them all."""
    return max(sum(of.get(pair, 0) for pair in enumerate(order)) for order in permutations(range(5)))


@given(gains)
def test_no_pairing_has_a_greater_gain(of: dict[tuple[int, int], int]) -> None:
    pairs = best_pairs(of)

    assert len(set(pairs.values())) == len(pairs)
    assert all(pair in of for pair in pairs.items())
    assert sum(of[pair] for pair in pairs.items()) == greatest(of)


def test_a_better_pairing_as_a_whole_beats_the_best_pair() -> None:
    assert best_pairs({(0, 0): 9, (0, 1): 8, (1, 0): 8}) == {0: 1, 1: 0}


def test_hundreds_of_rows_that_fit_every_column_are_paired_in_bounded_time() -> None:
    rng = random.Random(1)  # noqa: S311 - test data
    of = {(row, column): rng.randrange(1, 1_000) for row in range(300) for column in range(300)}

    begin = time.process_time()
    pairs = best_pairs(of)

    assert time.process_time() - begin < 3
    assert len(pairs) == 300
    assert sum(of[pair] for pair in pairs.items()) > 0.9 * 1_000 * 300
