"""What a version of a series changed of the version before: which patches are as they were, and which are not."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from bot.patchwork.diff.hashes import proves
from bot.patchwork.model import Patch, Series
from bot.patchwork.versions import plain_name

_Pair = tuple[Patch, Patch]
_Key = Callable[[Patch], Hashable | None]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a version: the series, and the patches that were read of it."""

    series: Series
    patches: tuple[Patch, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all of it is known, so that what is not there was not sent."""
        return self.series.received_all and len(self.patches) >= self.series.total


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many patches of a version are as they were, changed, new, and how many of the former are gone.

    *unclear* are those whose diffs cannot be told apart: one of them was not read, or leaves nothing to compare.
    *whole*: all of the later version is known; until then nothing is gone.
    """

    unchanged: int = 0
    changed: int = 0
    new: int = 0
    gone: int = 0
    unclear: int = 0
    whole: bool = True


def compare(before: Known, now: Known) -> Comparison:
    """What *now* changed of *before*; what may only not have arrived is neither new nor gone.

    Patches with the same diff belong together, then those with the same subject.
    """
    same, old, new = _paired(before.patches, now.patches, (_diff_and_subject, _diff))
    others, gone, added = _paired(old, new, (_subject_and_number, _subject))
    changed = sum(_differ(*pair) for pair in others)
    return Comparison(
        unchanged=len(same),
        changed=changed,
        new=len(added) if before.is_whole else 0,
        gone=len(gone) if now.is_whole else 0,
        unclear=len(others) - changed + (0 if before.is_whole else len(added)),
        whole=now.is_whole,
    )


def _differ(old: Patch, new: Patch) -> bool:
    """Whether two diffs are surely not alike."""
    return old.hash is not None and new.hash is not None and old.hash != new.hash


def _paired(
    before: Sequence[Patch], now: Sequence[Patch], keys: Sequence[_Key]
) -> tuple[list[_Pair], list[Patch], list[Patch]]:
    """Those that agree in one of the *keys*, the first of which goes first, and what is left of both."""
    pairs: list[_Pair] = []
    old, new = list(before), list(now)
    for key in keys:
        waiting: defaultdict[Hashable, list[Patch]] = defaultdict(list)
        for patch in reversed(old):
            waiting[key(patch)].append(patch)
        found = [(waiting[key(patch)].pop(), patch) for patch in new if key(patch) is not None and waiting[key(patch)]]
        pairs += found
        taken = {id(patch) for pair in found for patch in pair}
        old, new = ([patch for patch in rest if id(patch) not in taken] for rest in (old, new))
    return pairs, old, new


def _diff(patch: Patch) -> Hashable | None:
    return patch.hash if proves(patch.hash) else None


def _diff_and_subject(patch: Patch) -> Hashable | None:
    return (patch.hash, plain_name(patch.name)) if proves(patch.hash) else None


def _subject_and_number(patch: Patch) -> Hashable | None:
    return (plain_name(patch.name), patch.number[0]) if patch.number and plain_name(patch.name) else None


def _subject(patch: Patch) -> Hashable | None:
    return plain_name(patch.name) or None
