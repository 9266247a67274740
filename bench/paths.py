"""Reading the changed paths out of diffs, beside one pass over the same text and beside other readers."""

import random
import re
from collections.abc import Callable, Iterator
from math import log

import whatthepatch  # type: ignore[import-untyped]  # ships no types
from unidiff.patch import PatchSet

from bench.table import Row, Work, in_turns
from bot.patchwork.diff import changed_files, touched_paths

PATHS, COUNTS = "paths", "paths and counts"
AT_LEAST: dict[str, dict[str, float | None]] = {
    PATHS: {"unidiff, metadata only": 10, "unidiff": 25, "whatthepatch": 25},
    COUNTS: {"unidiff, metadata only": None, "unidiff": 10, "whatthepatch": 10},
}
_STARTS = re.compile(r"\n(?:diff --|From |---\s)")
DIFFS = 300
ROUNDS = 9
MEDIAN_CHARACTERS = 1_500  # without the mail around; 2,000 with it
SPREAD = 1.45  # of the logarithm of the sizes: one in a hundred is longer than 47,000 characters
WORDS = [
    "if",
    "for",
    "return",
    "struct",
    "int",
    "const",
    "static",
    "err",
    "size",
    "=",
    "+",
    "-",
    "*",
    "(",
    ")",
    "{",
    "}",
]


def rows() -> Iterator[Row]:
    """Paths alone, and with the lines counted."""
    rng = random.Random(1)  # noqa: S311 -- repeatable, not secret
    diffs = [a_patch(rng) for _ in range(DIFFS)]
    turns = in_turns(
        {
            PATHS: over(diffs, touched_paths),
            COUNTS: over(diffs, changed_files),
            "pass": over(diffs, lambda diff: diff.count("\n")),
            "lines that start a part": over(diffs, _STARTS.findall),
            "three passes": over(diffs, three_passes),
            "unidiff, metadata only": over(diffs, lambda diff: PatchSet(diff, metadata_only=True)),
            "unidiff": over(diffs, PatchSet),
            "whatthepatch": over(diffs, lambda diff: list(whatthepatch.parse_patch(diff))),
        },
        ROUNDS,
    )
    floor = {PATHS: "lines that start a part", COUNTS: "three passes"}
    for ours, most in {PATHS: 3.0, COUNTS: 9.5}.items():
        yield Row(floor[ours], "one count of line feeds", turns.times(floor[ours], "pass"), "× the time")
        yield Row(ours, "one count of line feeds", turns.times(ours, "pass"), "× the time", at_most=most)
        for theirs, goal in AT_LEAST[ours].items():
            yield Row(ours, theirs, turns.faster(ours, theirs), "× faster", at_least=goal)


def three_passes(diff: str) -> None:
    """Do what cannot be left out if files are to be told apart and lines counted."""
    _STARTS.findall(diff)
    diff.count("\n+")
    diff.count("\n-")


def over(diffs: list[str], read: Callable[[str], object]) -> Work:
    """One round: all *diffs*."""

    def work(_: int) -> int:
        for diff in diffs:
            read(diff)
        return len(diffs)

    return work


# --- the diffs: nine of ten are git's, half of them in a mail with message, diffstat and signature ---


def a_patch(rng: random.Random) -> str:
    """A patch of two files or three on average; most are short."""
    size = rng.lognormvariate(log(MEDIAN_CHARACTERS), SPREAD)
    files = 1 + min(int(size / 500), int(rng.expovariate(0.4)))
    kind = rng.random()
    parts = [a_part(rng, size / files, with_git=kind > 0.1) for _ in range(files)]
    return in_a_mail(rng, parts) if kind > 0.55 else "".join(parts)


def in_a_mail(rng: random.Random, parts: list[str]) -> str:
    """A message of some lines, the diffstat, the diff and the signature."""
    message = "".join(f"{' '.join(rng.choices(WORDS, k=12))}\n" for _ in range(rng.randint(2, 10)))
    stat = "".join(f" drivers/net/file{number}.c | 12 ++++++------\n" for number in range(len(parts)))
    return f"{message}---\n{stat} {len(parts)} files changed\n\n{''.join(parts)}-- \n2.39.5\n\n"


def a_part(rng: random.Random, size: float, *, with_git: bool) -> str:
    """The diff of one file: an edit, a new file or a rename."""
    folders = rng.choices(["drivers", "net", "mm", "hw", "core", "include", "arch"], k=rng.randint(1, 4))
    path = f"{'/'.join(folders)}/file{rng.randrange(999)}.c"
    kind = rng.random() if with_git else 1.0
    if kind < 0.03:
        moved = f"rename from {path}\nrename to new/{path}\n"
        return f"diff --git a/{path} b/new/{path}\nsimilarity index 100%\n{moved}"
    header = f"diff --git a/{path} b/{path}\n" if with_git else ""
    if kind < 0.12:
        lines = some_lines(rng, "+", int(size / 32) + 1)
        hunk = f"@@ -0,0 +1,{len(lines)} @@\n{''.join(lines)}"
        return f"{header}new file mode 100644\nindex 000000000..1234567ab\n--- /dev/null\n+++ b/{path}\n{hunk}"
    index = "index 1234567ab..89abcdef0 100644\n" if with_git else ""
    return f"{header}{index}--- a/{path}\n+++ b/{path}\n{some_hunks(rng, size)}"


def some_hunks(rng: random.Random, size: float) -> str:
    """Hunks of about *size* characters in all, with three lines around each change."""
    hunks = ""
    while not hunks or len(hunks) < size:
        removed, added = int(rng.expovariate(0.3)), 1 + int(rng.expovariate(0.2))
        changed = [*some_lines(rng, "-", removed), *some_lines(rng, "+", added)]
        lines = [*some_lines(rng, " ", 3), *changed, *some_lines(rng, " ", 3)]
        start = len(hunks)
        hunks += f"@@ -{start},{6 + removed} +{start},{6 + added} @@ static int work(void)\n{''.join(lines)}"
    return hunks


def some_lines(rng: random.Random, sign: str, count: int) -> list[str]:
    """Lines as long as those of C are, about 32 characters."""
    return [
        f"{sign}{TABS[: rng.randint(0, 3)]}{' '.join(rng.choices(WORDS, k=rng.randint(4, 10)))}\n" for _ in range(count)
    ]


TABS = "\t\t\t"
