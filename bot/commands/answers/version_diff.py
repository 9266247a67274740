"""Composes the answer on what changed between two versions of a series. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks, series_title
from bot.notices.markup import Block, Bullets, Details, Document, Line, lines, longest, words
from bot.notices.version_lines import changes, passed_days
from bot.patchwork.model import PatchRef, Series, bare_subject, version_of
from bot.patchwork.range_diff import PairOutcome, PatchPair, counted
from bot.patchwork.version_diff import MAX_PATCHES, Interdiff, VersionDiff
from bot.text import cut, spelled_out

MAX_ROWS: Final = 25
_MAX_TITLE: Final = 70
_MAX_WIDTH: Final = 160  # of a line of a diff
_SIGNS: Final = {
    PairOutcome.EQUAL: "=",
    PairOutcome.REWORDED: "≈",
    PairOutcome.CHANGED: "≠",
    PairOutcome.NEW: "+",
    PairOutcome.DROPPED: "−",
    PairOutcome.UNCLEAR: "?",
}
_WORDS: Final = {
    PairOutcome.EQUAL: "",
    PairOutcome.REWORDED: "message changed",
    PairOutcome.CHANGED: "changed",
    PairOutcome.NEW: "new",
    PairOutcome.DROPPED: "dropped",
    PairOutcome.UNCLEAR: "not compared",
}


@dataclass(frozen=True, slots=True)
class ComparedVersions:
    """Two versions of a series with their difference, and remarks on it."""

    before: Series
    after: Series
    diff: VersionDiff
    remarks: tuple[str, ...] = ()


def versions_shown(compared: ComparedVersions, site: ServerLinks) -> Document:
    """Return a line in numbers, a line for each patch, and folded the diffs of diffs, as much of them as fits."""
    rows, interdiffs = compared.diff.rows, compared.diff.interdiffs
    listed = _listed(rows)
    folds = [(rows[place], each) for place, each in sorted(interdiffs.items()) if place in listed]
    most = max((len(each.lines or ()) for _, each in folds), default=0)
    head = (
        series_title(compared.after, site),
        lines([words(_summary(compared))]),
        Bullets(tuple(_row(rows[place], interdiffs.get(place), compared) for place in listed)),
        lines([_more(rows, listed), *map(words, compared.remarks)]),
    )

    def with_lines(count: int) -> Document:
        return (*head, *(_fold(row, each, count, compared) for row, each in folds))

    return longest(with_lines, most, site.allowed) if most else head


def _listed(rows: Sequence[PatchPair]) -> list[int]:
    """Return the places of the rows that are shown: all, or else those that are not equal first, in order."""
    if len(rows) <= MAX_ROWS:
        return list(range(len(rows)))
    by_need = sorted(range(len(rows)), key=lambda place: rows[place].change is PairOutcome.EQUAL)
    return sorted(by_need[:MAX_ROWS])


def _more(rows: Sequence[PatchPair], listed: Sequence[int]) -> Line:
    rest = [row for place, row in enumerate(rows) if place not in set(listed)]
    if not rest:
        return ()
    equal = sum(row.change is PairOutcome.EQUAL for row in rest)
    return words(f"… and {facts.counted(len(rest), 'more patch')}" + (f", {equal} of them unchanged" if equal else ""))


def _summary(compared: ComparedVersions) -> str:
    """Return the change in numbers: "v5 → v6 (4 days): 2 of 3 changed, 1 new, 1 dropped, 1 moved"."""
    before, after = compared.before, compared.after
    are_whole = [each.received_all and each.total <= min(len(each.patches), MAX_PATCHES) for each in (before, after)]
    told = changes(counted(compared.diff.rows, is_whole_before=are_whole[0], is_whole_now=are_whole[1]))
    name = f"{version_of(before)} → {version_of(after)}{passed_days(before, after)}"
    return f"{name}: {told}" if told else name


def _row(row: PatchPair, interdiff: Interdiff | None, compared: ComparedVersions) -> Line:
    size = ""
    if interdiff is not None and row.change is PairOutcome.CHANGED and interdiff.lines is not None:
        size = f" +{interdiff.added} −{interdiff.removed}"
    told = [f"{_WORDS[row.change]}{size}", "moved" if row.is_moved else ""]
    return words(facts.joined([f"{_SIGNS[row.change]} {_name(row, compared)}", *told]))


def _name(row: PatchPair, compared: ComparedVersions) -> str:
    """Return the numbers of a patch in both versions, and its title in the later one: "2 → 3 title"."""
    old = None if row.old is None else compared.before.patches[row.old]
    new = None if row.new is None else compared.after.patches[row.new]
    numbers = [_number(ref, place) for ref, place in ((old, row.old), (new, row.new)) if ref is not None]
    named = new or old
    title = facts.named(bare_subject(named.name), f"patch {named.id}") if named is not None else ""
    return f"{' → '.join(numbers)} {cut(title, _MAX_TITLE)}"


def _number(ref: PatchRef, place: int | None) -> str:
    return str(ref.number[0] if ref.number else (place or 0) + 1)


def _fold(row: PatchPair, interdiff: Interdiff, count: int, compared: ComparedVersions) -> Details:
    """Return the first *count* lines of a diff of diffs, with characters that nobody sees spelled out."""
    if interdiff.lines is None:
        block = Block("too many changed lines to compare")
    else:
        shown = [cut(spelled_out(line), _MAX_WIDTH) for line in interdiff.lines[:count]]
        is_cut = len(interdiff.lines) > count
        block = Block("\n".join([*shown, "…"] if is_cut else shown))
    return Details(_name(row, compared), (block,), in_plain=())
