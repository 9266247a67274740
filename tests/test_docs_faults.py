"""What docs/faults.md says is tested, is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAULTS = (ROOT / "docs" / "faults.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", FAULTS)


def test_every_test_that_is_named_exists() -> None:
    gone = [f"{file}::{test}" for file, test in NAMED if not _is_there(ROOT / file, test)]

    assert gone == []


def test_every_fault_names_a_test_or_says_what_is_not_survived() -> None:
    faults = re.split(r"^(?=\d+\. \*\*)", FAULTS.partition("\n## What the Matrix library")[0], flags=re.MULTILINE)[1:]

    assert [int(fault.partition(".")[0]) for fault in faults] == list(range(1, 38))
    assert [fault for fault in faults if not re.search(r"`tests/[\w/]+\.py::\w+`|Not survived", fault)] == []


def test_every_row_of_the_table_names_a_test() -> None:
    rows = [line for line in FAULTS.splitlines() if line.startswith("| ")][1:]

    assert [row for row in rows if "`tests/" not in row] == []


def _is_there(file: Path, test: str) -> bool:
    return file.exists() and re.search(rf"^(async )?def {test}\(", file.read_text(), re.MULTILINE) is not None
