"""What changed between two versions of a series: their patches matched by content, as `git range-diff` does. Pure.

Theory of operation. Patches are paired in four steps, each among those that are left:

1. Equal diffs, by the digest that Patchwork computes, which ignores what a rebase changes.
2. Similar diffs. The cost of a pair is the number of lines in the diff between both diffs; that of leaving two patches
   unpaired is 60 % of their lines (git's creation factor). The pairing with the least total cost is chosen. Only pairs
   that share so many lines that they may be worth it are compared at all; the rest cannot be part of that pairing.
3. The same number and subject, then the same subject: git calls a patch that was rewritten under its title dropped and
   new. It also pairs patches whose diffs are not known.

The work is bounded: lines are counted and compared within a budget of steps, the likeliest pairs first, and a group of
hundreds of patches that all resemble each other is paired greedily. What is left out then falls to the last step.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from bot.ids import PatchId
from bot.patchwork.assignment import best_pairs
from bot.patchwork.diff import proves
from bot.patchwork.diff_lines import is_same, line_numbers
from bot.patchwork.line_matching import WorkBudget, common_lines, shown_lines
from bot.patchwork.model import Patch, Series
from bot.patchwork.versions import plain_name

CREATION_PERCENT: Final = 60  # of a patch's lines: the cost of leaving it unpaired, as in git
_MANY: Final = 1_000_000  # more than there are patches
MAX_STEPS: Final = 2_000_000  # of all comparisons between two versions: about a second
_STEPS_OF_PAIR: Final = 16  # that a pair costs however few lines it has


class PairOutcome(Enum):
    """What happened to a patch between two versions."""

    EQUAL = auto()
    REWORDED = auto()  # another subject or message, the same diff
    CHANGED = auto()
    NEW = auto()
    DROPPED = auto()
    UNCLEAR = auto()  # paired by their subject, but their diffs are not known


@dataclass(frozen=True, slots=True)
class ComparedPatch:
    """What is compared of a patch; *fingerprint* is b"" and *message* None where they are not known."""

    number: int | None  # as mailed, from 1
    subject: str  # as returned by `plain_name`
    digest: str | None = None
    fingerprint: bytes = field(default=b"", repr=False)
    message: tuple[str, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PatchPair:
    """A row of a comparison: the positions of a patch in both versions, None where it is missing."""

    old: int | None
    new: int | None
    change: PairOutcome
    is_moved: bool = False  # behind or before others that it was not behind or before


def match_patches(old: Sequence[ComparedPatch], new: Sequence[ComparedPatch]) -> tuple[PatchPair, ...]:
    """Return what happened to each patch, in the order of the new version, dropped patches where they were."""
    pairs: dict[int, int] = {}
    _pair_equal(old, new, pairs, (_digest_and_subject, _digest, _lines_and_subject, _lines))
    _pair_similar(old, new, pairs)
    _pair_equal(old, new, pairs, (_subject_and_number, _subject))
    former = {after: before for before, after in pairs.items()}
    moved = _moved([former[place] for place in sorted(former)])
    rows: list[PatchPair] = []
    shown = -1  # all patches of the old version up to this one have a row
    done: set[int] = set()
    for place, patch in enumerate(new):
        shown = _add_dropped(rows, pairs, done, shown, len(old))
        before = former.get(place)
        if before is None:
            rows.append(PatchPair(None, place, PairOutcome.NEW))
        else:
            rows.append(PatchPair(before, place, _change(old[before], patch), before in moved))
            done.add(before)
    _add_dropped(rows, pairs, done, shown, len(old))
    return tuple(rows)


def _add_dropped(rows: list[PatchPair], pairs: Mapping[int, int], done: Container[int], shown: int, total: int) -> int:
    """Add the dropped patches after *shown*, up to one that comes later; return the last of those that have a row."""
    while shown + 1 < total and (shown + 1 in done or shown + 1 not in pairs):
        shown += 1
        if shown not in pairs:
            rows.append(PatchPair(shown, None, PairOutcome.DROPPED))
    return shown


def _change(old: ComparedPatch, new: ComparedPatch) -> PairOutcome:
    is_equal = (proves(old.digest) and old.digest == new.digest) or is_same(old.fingerprint, new.fingerprint)
    if is_equal:
        are_known = old.message is not None and new.message is not None
        is_reworded = are_known and (old.message != new.message or old.subject != new.subject)
        return PairOutcome.REWORDED if is_reworded else PairOutcome.EQUAL
    is_certain = old.digest is not None and new.digest is not None and old.digest != new.digest
    return PairOutcome.CHANGED if is_certain or (old.fingerprint and new.fingerprint) else PairOutcome.UNCLEAR


_Key = Callable[[ComparedPatch], Hashable | None]


def _pair_equal(
    old: Sequence[ComparedPatch], new: Sequence[ComparedPatch], pairs: dict[int, int], keys: Iterable[_Key]
) -> None:
    """Pair the patches that agree in one of *keys*, tried in order, the first with the first."""
    for key in keys:
        taken = set(pairs.values())
        waiting: defaultdict[Hashable, list[int]] = defaultdict(list)
        for place in range(len(old) - 1, -1, -1):
            if place not in pairs:
                waiting[key(old[place])].append(place)
        for place, patch in enumerate(new):
            if place not in taken and key(patch) is not None and waiting[key(patch)]:
                pairs[waiting[key(patch)].pop()] = place


def _digest(patch: ComparedPatch) -> Hashable | None:
    return patch.digest if proves(patch.digest) else None


def _digest_and_subject(patch: ComparedPatch) -> Hashable | None:
    return (patch.digest, patch.subject) if proves(patch.digest) else None


def _lines_and_subject(patch: ComparedPatch) -> Hashable | None:
    return (patch.fingerprint, patch.subject) if patch.fingerprint else None


def _lines(patch: ComparedPatch) -> Hashable | None:
    return patch.fingerprint or None


def _subject_and_number(patch: ComparedPatch) -> Hashable | None:
    return (patch.subject, patch.number) if patch.number is not None and patch.subject else None


def _subject(patch: ComparedPatch) -> Hashable | None:
    return patch.subject or None


def _pair_similar(old: Sequence[ComparedPatch], new: Sequence[ComparedPatch], pairs: dict[int, int]) -> None:
    """Add the pairing of the patches that are left with the least total cost."""
    taken, budget = set(pairs.values()), WorkBudget(MAX_STEPS)
    before = {place: line_numbers(each.fingerprint) for place, each in enumerate(old) if place not in pairs}
    after = {place: line_numbers(each.fingerprint) for place, each in enumerate(new) if place not in taken}
    gains: dict[tuple[int, int], int] = {}
    for one, other in _likely(before, after, budget):
        lines, others = before[one], after[other]
        budget.spend(_STEPS_OF_PAIR)
        common = common_lines(lines, others, budget)
        if budget.steps < 0:
            break
        if common is None:
            continue
        gain = _alone(lines) + _alone(others) - shown_lines(common, len(lines), len(others))
        if gain > 0:
            is_namesake = old[one].subject == new[other].subject
            gains[one, other] = gain * _MANY + is_namesake  # of equally good pairings, the one with more namesakes
    pairs |= best_pairs(gains)


def _alone(lines: Sequence[int]) -> int:
    """Return the cost of leaving a patch with these lines unpaired."""
    return len(lines) * CREATION_PERCENT // 100


def _likely(
    before: Mapping[int, Sequence[int]], after: Mapping[int, Sequence[int]], budget: WorkBudget
) -> list[tuple[int, int]]:
    """Return the pairs that share enough lines to be worth a comparison, those that share the most of theirs first."""
    places: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)  # of each line, with its count there
    for place, lines in after.items():
        for line, count in Counter(lines).items():
            places[line].append((place, count))
    bounds: dict[tuple[int, int], float] = {}
    for place, lines in before.items():
        shared: Counter[int] = Counter()
        for line, count in Counter(lines).items():
            if not budget.spend(len(places.get(line, ())) // 3):
                break
            for other, there in places.get(line, ()):
                shared[other] += min(count, there)
        if not budget.spend(2 * len(shared)):
            break
        for other, common in shared.items():
            size = len(lines) + len(after[other])
            if _alone(lines) + _alone(after[other]) > size - 2 * common:
                bounds[place, other] = 2 * common / size
    return sorted(bounds, key=lambda pair: (-bounds[pair], pair))


def _moved(former: Sequence[int]) -> set[int]:
    """Return the numbers that are not in the longest increasing part of *former*, which has each number once."""
    ends: list[int] = []  # the lowest end of an increasing part, by its length
    before: dict[int, int | None] = {}
    for number in former:
        at = bisect_left(ends, number)
        before[number] = ends[at - 1] if at else None
        ends[at : at + 1] = [number]
    kept: set[int] = set()
    number_or_none = ends[-1] if ends else None
    while number_or_none is not None:
        kept.add(number_or_none)
        number_or_none = before[number_or_none]
    return set(former) - kept


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version of a series with its known patches."""

    series: Series
    patches: tuple[Patch, ...]

    @property
    def is_whole(self) -> bool:
        """True if all patches of the version are known, so that a missing patch was not sent."""
        return self.series.received_all and len(self.patches) >= self.series.total

    @property
    def in_order(self) -> tuple[Patch, ...]:
        """The patches in the order of their numbers."""
        return tuple(sorted(self.patches, key=lambda patch: (patch.number or (0, 0), patch.id)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The numbers of unchanged, changed, new and removed (*gone*) patches between two versions.

    *unclear* counts patches whose diffs cannot be compared: one was not read, or has the digest of nothing. *moved* and
    *reworded* patches count among the unchanged or changed ones, too. *whole* is true if the later version is
    completely known; otherwise no patch counts as gone.
    """

    unchanged: int = 0
    changed: int = 0
    new: int = 0
    gone: int = 0
    unclear: int = 0
    whole: bool = True
    moved: int = 0
    reworded: int = 0


def compared(patch: Patch, fingerprint: bytes = b"", message: tuple[str, ...] | None = None) -> ComparedPatch:
    """Return what is compared of a *patch*."""
    number = patch.number[0] if patch.number else None
    return ComparedPatch(number, plain_name(patch.name), patch.hash, fingerprint, message)


def compare(before: KnownVersion, now: KnownVersion, fingerprints: Mapping[PatchId, bytes] | None = None) -> Comparison:
    """Return the changes from *before* to *now*; patches that may not have arrived yet are neither new nor gone.

    *fingerprints* are those of the diffs, by the ids of the patches, as far as they are known.
    """
    marks = fingerprints or {}
    rows = match_patches(
        *(tuple(compared(patch, marks.get(patch.id, b"")) for patch in each.in_order) for each in (before, now))
    )
    return counted(rows, is_whole_before=before.is_whole, is_whole_now=now.is_whole)


def counted(rows: Iterable[PatchPair], *, is_whole_before: bool, is_whole_now: bool) -> Comparison:
    """Return the numbers of the changes in *rows*, where perhaps not all patches of both versions are known."""
    rows = tuple(rows)
    counts = Counter(row.change for row in rows)
    added, reworded = counts[PairOutcome.NEW], counts[PairOutcome.REWORDED]
    return Comparison(
        unchanged=counts[PairOutcome.EQUAL] + reworded,
        changed=counts[PairOutcome.CHANGED],
        new=added if is_whole_before else 0,
        gone=counts[PairOutcome.DROPPED] if is_whole_now else 0,
        unclear=counts[PairOutcome.UNCLEAR] + (0 if is_whole_before else added),
        whole=is_whole_now,
        moved=sum(row.is_moved for row in rows),
        reworded=reworded,
    )
