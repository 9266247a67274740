"""The order of the tests themselves."""

import re
from pathlib import Path

import pytest

from support.longest_first import LONGEST, arranged

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_each_worker_begins_with_some_of_the_longest_tests_and_none_is_lost(workers: int) -> None:
    short = [f"test_{number}" for number in range(100)]
    tests = [*short[:50], *reversed(LONGEST), *short[50:]]

    order = arranged([(name, name) for name in tests], workers)

    assert sorted(order) == sorted(tests)
    assert [name for name in order if name in short] == short
    starts, rest = [], order
    for worker in range(workers):
        size = -(-len(rest) // (workers - worker))  # as xdist hands them out
        starts.append(rest[0])
        rest = rest[size:]
    assert starts == list(LONGEST[:workers])


@pytest.mark.parametrize("workers", [1, 4])
def test_few_tests_for_many_workers_are_all_there(workers: int) -> None:
    tests = [*LONGEST[:3], "test_short"]

    assert sorted(arranged([(name, name) for name in tests], workers)) == sorted(tests)
    assert arranged([], workers) == []


def test_what_is_called_longest_exists() -> None:
    defined = {name for file in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)\(", file.read_text())}

    assert set(LONGEST) - defined == set()
