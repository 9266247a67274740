"""Reading the changed paths out of diffs, beside one pass over the same bytes and beside unidiff.

All candidates take turns within one run; the figures are medians of the rounds' ratios.
"""

import difflib
import random
import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from unidiff import PatchSet

from bot.patchwork.diff import changed_files

FILES = 150
ROUNDS = 15


def one_diff(random_: random.Random, number: int) -> str:
    """A git diff of one file of some hundred lines with a few changes."""
    old = [f"    line {n} of the file, as code is wide\n" for n in range(random_.randrange(20, 600))]
    new = list(old)
    for _ in range(random_.randrange(1, 12)):
        new[random_.randrange(len(new))] = f"    changed to {random_.random()}\n"
    path = f"drivers/net/vendor{number % 17}/file{number}.c"
    hunks = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}")
    return f"diff --git a/{path} b/{path}\nindex 1111111..2222222 100644\n" + "".join(hunks)


def seconds(work: Callable[[], object]) -> float:
    """How long *work* takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    random_ = random.Random(1)  # noqa: S311  # the same diffs in each run
    diffs = [one_diff(random_, number) for number in range(FILES)]
    candidates: dict[str, Callable[[], object]] = {
        "changed_files (paths, added, removed)": lambda: [changed_files(diff) for diff in diffs],
        "one count of newlines": lambda: [diff.count("\n") for diff in diffs],
        "unidiff, metadata only": lambda: [PatchSet(diff, metadata_only=True) for diff in diffs],
        "unidiff": lambda: [PatchSet(diff) for diff in diffs],
    }
    rounds = [{name: seconds(work) for name, work in candidates.items()} for _ in range(ROUNDS)]
    ours = next(iter(candidates))
    table = Table("candidate", "x of ours", "MB/s", title=f"{FILES} diffs, {sum(map(len, diffs)) / 1e6:.1f} MB")
    for name in candidates:
        ratio = statistics.median(each[name] / each[ours] for each in rounds)
        speed = sum(map(len, diffs)) / 1e6 / statistics.median(each[name] for each in rounds)
        table.add_row(name, f"{ratio:.2f}", f"{speed:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
