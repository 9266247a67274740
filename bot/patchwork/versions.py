"""Links each version of a series to the one before it, but only if that is certain: a wrong guess is worse than none.

Only an earlier series of the same submitter in the same project with a lower version can be the former version. There
are three kinds of evidence: the same name; patches with the same diffs; and the mail that the series replies to. They
must agree: if one points at other work than the rest, no link is made. Everything here is pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.ids import Msgid, SeriesId
from bot.patchwork.diff import proves
from bot.patchwork.model import Patch, PatchRef, Series, Version, is_partial_reroll, version_of, without_prefixes

_GENERIC_WORDS = 2  # a name of so few words ("fix", "minor cleanup") is weak evidence
_GENERIC_FOR = timedelta(days=365)  # after which such a name is no evidence at all


class Evidence(StrEnum):
    """The kinds of evidence for a former version."""

    NAME = "name"
    DIFFS = "diffs"
    THREAD = "thread"
    REROLL = "reroll"  # the numbers and subjects of single patches that were sent again


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A series that may follow another, with the digests of its patches and the mail that it replies to as a whole."""

    series: Series
    hashes: frozenset[str] = frozenset()
    parent: Msgid | None = None


@dataclass(frozen=True, slots=True)
class PredecessorCandidate:
    """A series that a newcomer may follow, with its own former version and the digests of its patches."""

    series: Series
    former: SeriesId | None = None
    hashes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class VersionLink:
    """The former version of a series, and the evidence."""

    former: Series
    evidence: tuple[Evidence, ...]


def newcomer(series: Series, patches: Iterable[Patch], just_read: Iterable[Patch]) -> Newcomer:
    """Return a new series with its digests and parent; only *just_read* patches have their ancestors."""
    own = {series.cover, *(ref.msgid for ref in series.patches)}
    parents = {next((msgid for msgid in reversed(patch.replies_to) if msgid not in own), None) for patch in just_read}
    hashes = frozenset(patch.hash for patch in patches if patch.hash and proves(patch.hash))
    return Newcomer(series, hashes, parents.pop() if len(parents) == 1 else None)


def plain_name(name: str) -> str:
    """Return a name without its brackets, case-folded and with single spaces; "" if nothing is left."""
    return " ".join(without_prefixes(name).casefold().split())


def follow(new: Newcomer, candidates: Sequence[PredecessorCandidate]) -> VersionLink | None:
    """Return the former version of a new series among *candidates*; None if none is certain."""
    earlier = [each for each in candidates if _may_precede(each.series, new.series)]
    if is_partial_reroll(new.series):
        return _rerolled(new.series, [each.series for each in earlier])
    if _is_mostly_missing(new.series) or _is_sent_again(new.series, candidates):
        return None
    evidence_of = {each.series.id: evidence for each in earlier if (evidence := _evidence(new, each))}
    matches = [each for each in earlier if each.series.id in evidence_of]
    if not matches:
        return None
    best = max(matches, key=lambda each: (version_of(each.series), each.series.id))
    if not _are_one_work(best, matches, earlier):
        return None
    return VersionLink(
        best.series, tuple(kind for kind in Evidence if any(kind in evidence_of[each.series.id] for each in matches))
    )


def days_between(before: Series, after: Series) -> int | None:
    """Return the whole days between the mails of two series; None if a date is missing or the order is reversed."""
    passed = _passed(before, after)
    return None if passed is None or passed < timedelta() else passed.days


def _may_precede(series: Series, new: Series) -> bool:
    return _is_of_the_same_hand(series, new) and version_of(series) < version_of(new) and not is_partial_reroll(series)


def _is_of_the_same_hand(series: Series, new: Series) -> bool:
    """Return whether *series* was sent before *new* by the same submitter to the same project."""
    address = new.submitter.email.casefold()
    return (
        series.id < new.id
        and series.project.casefold() == new.project.casefold()
        and bool(address)
        and series.submitter.email.casefold() == address
    )


def _is_sent_again(new: Series, candidates: Iterable[PredecessorCandidate]) -> bool:
    """Return whether the same version with the same name was sent before, which makes any former version uncertain."""
    name, version = plain_name(new.name), version_of(new)
    same = (each.series for each in candidates if _is_of_the_same_hand(each.series, new))
    return any(version_of(series) == version and plain_name(series.name) == name for series in same)


def _evidence(new: Newcomer, old: PredecessorCandidate) -> frozenset[Evidence]:
    """Return the evidence that *new* follows *old*.

    Without the same name, *new* must not be much smaller: a single patch does not stand for the whole of its series.
    """
    kinds = {Evidence.NAME} if _share_a_name(old.series, new.series) else set()
    now, then = len(new.series.patches), len(old.series.patches)
    if now * 2 >= then:
        shared = len(new.hashes & old.hashes)
        if shared and shared * 2 >= min(now, then) and then * 2 >= now:
            kinds.add(Evidence.DIFFS)
        if new.parent in {old.series.cover, *(ref.msgid for ref in old.series.patches)} - {None}:
            kinds.add(Evidence.THREAD)
    return frozenset(kinds)


def _share_a_name(old: Series, new: Series) -> bool:
    name = plain_name(new.name)
    if not name or plain_name(old.name) != name:
        return False
    if len(name.split()) > _GENERIC_WORDS:
        return True
    passed = _passed(old, new)
    return passed is not None and passed <= _GENERIC_FOR


def _are_one_work(
    best: PredecessorCandidate, matches: Iterable[PredecessorCandidate], earlier: Iterable[PredecessorCandidate]
) -> bool:
    """Return whether each series in *matches* is *best*, a former version of it, or has the name of one."""
    known = {each.series.id: each for each in earlier}
    work: dict[SeriesId, str] = {}
    at: PredecessorCandidate | None = best
    while at is not None and at.series.id not in work:
        work[at.series.id] = plain_name(at.series.name)
        at = known.get(at.former) if at.former is not None else None
    return all(each.series.id in work or plain_name(each.series.name) in work.values() for each in matches)


def _rerolled(new: Series, earlier: Iterable[Series]) -> VersionLink | None:
    """Return the version that has all patches of *new* under the same numbers and subjects; None if uncertain."""
    base = Version(version_of(new).number)
    numbers = {_place(ref) for ref in new.patches}
    if not numbers or None in numbers:
        return None
    matches = [
        each for each in earlier if version_of(each) == base and numbers <= {_place(ref) for ref in each.patches}
    ]
    if len({plain_name(each.name) for each in matches}) != 1:
        return None
    return VersionLink(max(matches, key=lambda each: each.id), (Evidence.REROLL,))


def _place(ref: PatchRef) -> tuple[tuple[int, int], str] | None:
    number, name = ref.number, plain_name(ref.name)
    return (number, name) if number and name else None


def _is_mostly_missing(series: Series) -> bool:
    """Return whether less than half of a series has arrived, without a cover letter, as after a partial resend."""
    totals = [ref.number[1] for ref in series.patches if ref.number]
    return series.cover is None and not series.received_all and len(series.patches) * 2 < max([series.total, *totals])


def _passed(before: Series, after: Series) -> timedelta | None:
    dates = [_date(series.date) for series in (before, after)]
    return dates[1] - dates[0] if dates[0] and dates[1] else None


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
