"""The diffs of diffs between two versions of a series, from the mails of their patches. Pure, with bounded work."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from bot.patchwork.diff import hash_of, without_message
from bot.patchwork.diff_lines import PatchLines, fingerprint, read_lines
from bot.patchwork.line_matching import CONTEXT, ChangedRun, WorkBudget, changed_runs, common_lines
from bot.patchwork.model import PatchRef
from bot.patchwork.range_diff import ComparedPatch, PairOutcome, PatchPair, match_patches
from bot.patchwork.versions import plain_name

MAX_PATCHES: Final = 500  # of each version
MAX_INTERDIFF: Final = 400  # lines of one; more never fit a message
_MAX_STEPS: Final = 1_000_000  # of all diffs of diffs: half a second
_MESSAGE: Final = " ## Commit message ##"


@dataclass(frozen=True, slots=True)
class Interdiff:
    """The diff between two diffs: its first *lines*, and how many lines were added and removed in all of it.

    *lines* are None if the comparison would take too long.
    """

    lines: tuple[str, ...] | None
    added: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What happened to each patch, and the diffs of diffs of those that changed, by their place among the rows."""

    rows: tuple[PatchPair, ...]
    interdiffs: Mapping[int, Interdiff] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PatchMail:
    """A patch, and the body of its mail; None where that is not known, *fingerprint* and *digest* are then stored."""

    ref: PatchRef
    body: str | None = None
    digest: str | None = None
    fingerprint: bytes = b""


def compare_mails(old: Sequence[PatchMail], new: Sequence[PatchMail]) -> VersionDiff:
    """Return the difference between two versions; at most `MAX_PATCHES` of each count."""
    before, after = ([_read(mail) for mail in mails[:MAX_PATCHES]] for mails in (old, new))
    rows = match_patches([each for each, _ in before], [each for each, _ in after])
    budget = WorkBudget(_MAX_STEPS)
    interdiffs: dict[int, Interdiff] = {}
    for place, row in enumerate(rows):
        if row.change not in {PairOutcome.CHANGED, PairOutcome.REWORDED} or row.old is None or row.new is None:
            continue
        lines, others = before[row.old][1], after[row.new][1]
        if lines is not None and others is not None:
            interdiffs[place] = _interdiff(_whole(lines), _whole(others), budget)
    return VersionDiff(rows, interdiffs)


def _read(mail: PatchMail) -> tuple[ComparedPatch, PatchLines | None]:
    number, subject = mail.ref.number[0] if mail.ref.number else None, plain_name(mail.ref.name)
    if mail.body is None:
        return ComparedPatch(number, subject, mail.digest, mail.fingerprint), None
    lines, diff = read_lines(mail.body), without_message(mail.body)
    digest = hash_of(diff) if diff else None
    return ComparedPatch(number, subject, digest, fingerprint(lines.diff), lines.message), lines


def _whole(lines: PatchLines) -> list[str]:
    return [_MESSAGE, *(f"    {line}".rstrip() for line in lines.message), *lines.diff]


def _interdiff(old: Sequence[str], new: Sequence[str], budget: WorkBudget) -> Interdiff:
    pairs = common_lines(old, new, budget)
    if pairs is None:
        return Interdiff(None)
    runs = list(changed_runs(pairs, len(old), len(new)))
    lines = tuple(islice(_unified(old, new, runs), MAX_INTERDIFF))
    return Interdiff(lines, sum(len(run.new) for run in runs), sum(len(run.old) for run in runs))


def _unified(old: Sequence[str], new: Sequence[str], runs: Sequence[ChangedRun]) -> Iterator[str]:
    """Yield the changed lines with their context, and before each group the heading of the part that it is in."""
    shown = 0  # lines of the old text
    for place, run in enumerate(runs):
        start = max(run.old.start - CONTEXT, shown)
        if start > shown or place == 0:
            yield f"@@{_heading(old, start)}"
        yield from (f" {line}" for line in old[start : run.old.start])
        yield from (f"-{old[at]}" for at in run.old)
        yield from (f"+{new[at]}" for at in run.new)
        following = runs[place + 1].old.start if place + 1 < len(runs) else len(old)
        shown = min(run.old.stop + CONTEXT, following)
        yield from (f" {line}" for line in old[run.old.stop : shown])


def _heading(lines: Sequence[str], at: int) -> str:
    """Return the last heading before a line; "" if there is none, or the line is one itself."""
    if at < len(lines) and lines[at].startswith(" ## "):
        return ""
    for place in range(at - 1, -1, -1):
        if lines[place].startswith(" ## "):
            return f" {lines[place][4:-3]}"
    return ""
