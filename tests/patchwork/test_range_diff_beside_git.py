"""Versions of a series are matched as `git range-diff` matches them."""

import os
import random
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.patchwork.diff import hash_of, without_message
from bot.patchwork.diff_lines import fingerprint_of, read_lines
from bot.patchwork.range_diff import ComparedPatch, PairOutcome, match_patches
from bot.patchwork.versions import plain_name

_ROW = re.compile(r"^\s*(\d+|-):\s+\S+ ([=!<>])\s+(\d+|-):", re.MULTILINE)
_MAIL = re.compile(r"^From [0-9a-f]{40} .*\n", re.MULTILINE)
_SIGNS = {
    "=": {PairOutcome.EQUAL},
    "!": {PairOutcome.CHANGED, PairOutcome.REWORDED, PairOutcome.EQUAL},  # other context lines alone are no change here
    "<": {PairOutcome.DROPPED},
    ">": {PairOutcome.NEW},
}


@dataclass(frozen=True, slots=True)
class Step:
    """A commit: the lines that it adds to one of three files, at a place, and its message."""

    name: str
    file: int
    place: int
    lines: tuple[str, ...]
    message: str = "Why it is needed."


@dataclass(frozen=True, slots=True)
class Versions:
    """A repository with two versions of a series."""

    home: Path
    environment: dict[str, str] = field(
        default_factory=lambda: {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
        }
    )

    def git(self, *arguments: str) -> str:
        """What one git command prints."""
        command = ["git", "-C", str(self.home), *arguments]
        run = subprocess.run(command, env=self.environment, capture_output=True, check=True)  # noqa: S603 - fixed program, no shell
        return run.stdout.decode()

    def commit(self, steps: Sequence[Step], branch: str, *, shift: int = 0) -> None:
        """Make a branch with a base and a commit for each of *steps*; the base has *shift* more lines on top."""
        self.git("checkout", "--quiet", "--orphan", branch)
        base = [[f"file {file}: line {line}" for line in range(120)] for file in range(3)]
        contents = [[*(f"shifted {line}" for line in range(shift)), *lines] for lines in base]
        self._write(contents, "base")
        self.git("tag", f"base-{branch}")
        for step in steps:
            lines = contents[step.file]
            anchor = f"file {step.file}: line {step.place}"
            at = lines.index(anchor) + 1
            contents[step.file] = [*lines[:at], *step.lines, *lines[at + 1 :]]
            contents[step.file].insert(at, anchor + " (changed)")
            self._write(contents, f"{step.name}\n\n{step.message}")

    def _write(self, contents: Sequence[Sequence[str]], message: str) -> None:
        for number, lines in enumerate(contents):
            (self.home / f"{number}.c").write_text("\n".join(lines) + "\n")
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def matched_by_git(self) -> dict[tuple[int | None, int | None], str]:
        """The rows of `git range-diff`, in its order, with their signs."""
        shown = self.git("range-diff", "--no-color", "--no-patch", "base-old..old", "base-new..new")
        return {(_place(row[1]), _place(row[3])): row[2] for row in _ROW.finditer(shown)}

    def patches(self, branch: str) -> list[ComparedPatch]:
        """The patches of a version, as read from their mails."""
        mbox = self.git("format-patch", "--stdout", f"base-{branch}..{branch}")
        return [_compared(number, mail) for number, mail in enumerate(_MAIL.split(mbox)[1:], 1)]


def _place(number: str) -> int | None:
    return None if number == "-" else int(number) - 1


def _compared(number: int, mail: str) -> ComparedPatch:
    headers, _, body = mail.partition("\n\n")
    subject = re.sub(r"\n[ \t]", " ", headers).split("\nSubject: ")[1].split("\n")[0]
    diff = without_message(body)
    return ComparedPatch(number, plain_name(subject), hash_of(diff), fingerprint_of(diff), read_lines(body).message)


def a_series(rng: random.Random) -> list[Step]:
    return [
        Step(
            f"step {number}: do it",
            rng.randrange(3),
            2 + 5 * number,
            tuple(f"{number} adds {rng.choice(['this', 'that'])} {line}" for line in range(rng.randrange(3, 20))),
        )
        for number in range(rng.randrange(2, 12))
    ]


def rerolled(rng: random.Random, steps: Sequence[Step]) -> list[Step]:
    """The next version: some steps changed, renamed, dropped, added or moved."""
    found: list[Step] = []
    for step in steps:
        match rng.randrange(8):
            case 0:
                continue
            case 1 | 2:
                kept = tuple(line for line in step.lines if rng.random() < 0.9)
                found.append(Step(step.name, step.file, step.place, (*kept, f"amended {rng.randrange(100)}")))
            case 3:
                found.append(Step(f"{step.name} better", step.file, step.place, step.lines))
            case 4:
                found.append(Step(step.name, step.file, step.place, step.lines, "Why it is really needed."))
            case 5:
                found.insert(rng.randrange(len(found) + 1), step)
            case _:
                found.append(step)
    if rng.random() < 0.5:
        added = tuple(f"entirely new {rng.randrange(10_000)}" for _ in range(8))
        found.insert(rng.randrange(len(found) + 1), Step("something new", 1, 100, added))
    return found or list(steps)


@pytest.mark.parametrize("seed", range(12))
def test_patches_are_paired_and_ordered_as_by_git(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)  # noqa: S311 - test data
    versions, steps = Versions(tmp_path), a_series(rng)
    versions.git("init", "--quiet")
    versions.commit(steps, "old")
    versions.commit(rerolled(rng, steps), "new", shift=seed % 3)

    old, new = versions.patches("old"), versions.patches("new")
    rows = match_patches(old, new)

    by_git = versions.matched_by_git()
    rewritten = {(row.old, row.new) for row in rows if (row.old, row.new) not in by_git}
    places = [(row.old, row.new) for row in rows if (row.old, row.new) not in rewritten]
    assert places == [place for place in by_git if not _is_half_of(place, rewritten)]
    assert all(row.change in _SIGNS[by_git[row.old, row.new]] for row in rows if (row.old, row.new) not in rewritten)
    for before, after in rewritten:  # which git calls dropped and new
        assert before is not None
        assert after is not None
        assert old[before].subject == new[after].subject
        assert {by_git[before, None], by_git[None, after]} == {"<", ">"}


def _is_half_of(place: tuple[int | None, int | None], rewritten: set[tuple[int | None, int | None]]) -> bool:
    return None in place and any(place[0] == before or place[1] == after for before, after in rewritten)
