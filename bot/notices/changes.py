"""Detection of changes: the state before a poll, compared with the state after it.

Repeated reports of one state are no change, nor is one that was undone within a poll.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.ids import PatchId
from bot.notices.fact_lines import counted_trailers
from bot.patchwork.model import WORST_FIRST, Check, CheckState, Comment, Patch, Series, worst
from bot.submission import Contexts, Submission, SubmissionRef

_NO_CONTEXT = "default"  # as Patchwork has it


class ChangeKind(StrEnum):
    """The kinds of changes of a series or a patch."""

    STATE = "state"
    DELEGATE = "delegate"
    CHECK = "check"
    ARCHIVED = "archived"
    TRAILERS = "trailers"
    COMMENT = "comment"
    DETAILS = "details"  # of a patch: its name, the commit that it became, or where a pull request is pulled from
    PATCHES = "patches"  # more of a series arrived, or its cover letter did and named it anew


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between two states; *patch* is None if it is in the series or its cover letter.

    *context* is that of a check, or names the detail. A check without patch and context is the worst of all patches.
    *before* and *after* are Patchwork's own words, "" for none; for trailers they are counts, as on a card.
    """

    kind: ChangeKind
    patch: PatchId | None
    before: str
    after: str
    context: str = ""
    comment: Comment | None = None

    @property
    def reason(self) -> str:
        """A description of the change for the log."""
        if self.comment is not None:
            return f"{self.kind} {self.comment.id}"
        named = f"{self.kind} {self.context}" if self.context else str(self.kind)
        return f"{named}: {self.before or 'none'} -> {self.after or 'none'}"


@dataclass(frozen=True, slots=True)
class ChangedSubmission:
    """A series, or a patch without one, with *changes*; *before* and *after* are all its known patches by id.

    *checks* are the latest of each context now, *former_checks* those before; *former* is the series before.
    """

    about: SubmissionRef
    series: Series | None
    before: tuple[Patch, ...]
    after: tuple[Patch, ...]
    changes: tuple[Change, ...]
    checks: Mapping[PatchId, Contexts] = field(default_factory=dict)
    former_checks: Mapping[PatchId, Contexts] = field(default_factory=dict)
    former: Series | None = None


def urgent(change: Change) -> bool:
    """Return whether a card should show a change soon: a state, a delegate, or the worst check of all patches."""
    if change.kind is ChangeKind.CHECK:
        return change.patch is None
    return change.kind in {ChangeKind.STATE, ChangeKind.DELEGATE}


def detect(before: Submission, now: Submission) -> tuple[Change, ...]:
    """Return the changes from *before* to *now*; patches that were unknown before do not count."""
    former = {patch.id: patch for patch in before.patches}
    known = [(former[patch.id], patch) for patch in now.patches if patch.id in former]
    return (
        *(change for was, patch in known for change in _of_patch(was, patch)),
        *(change for was, _ in known for change in _of_checks(was.id, before, now)),
        *_of_the_worst(known),
        *_of_series(before, now),
    )


def latest_of(checks: Iterable[Check]) -> Contexts:
    """Return the latest *checks* of all accounts by context, the worst if several accounts use the same one."""
    found: dict[str, list[CheckState]] = {}
    for check in checks:
        found.setdefault(check.context or _NO_CONTEXT, []).append(check.state)
    return tuple((context, min(found[context], key=WORST_FIRST.index)) for context in sorted(found))


def _of_patch(before: Patch, now: Patch) -> Iterator[Change]:
    if before.state != now.state:
        yield Change(ChangeKind.STATE, now.id, before.state or "", now.state or "")
    if before.delegate != now.delegate:
        yield Change(ChangeKind.DELEGATE, now.id, before.delegate or "", now.delegate or "")
    if before.archived != now.archived:
        yield Change(ChangeKind.ARCHIVED, now.id, _yes_or_no(before.archived), _yes_or_no(now.archived))
    if before.trailers != now.trailers:
        counts = counted_trailers(before.trailers), counted_trailers(now.trailers)
        yield Change(ChangeKind.TRAILERS, now.id, *counts)
    if before.name != now.name:
        yield Change(ChangeKind.DETAILS, now.id, before.name, now.name, "name")
    if before.commit_ref != now.commit_ref:
        yield Change(ChangeKind.DETAILS, now.id, before.commit_ref or "", now.commit_ref or "", "commit_ref")
    if before.pull_url != now.pull_url:
        yield Change(ChangeKind.DETAILS, now.id, before.pull_url or "", now.pull_url or "", "pull_url")


def _of_checks(patch: PatchId, before: Submission, now: Submission) -> Iterator[Change]:
    was, is_ = dict(before.checks.get(patch, ())), dict(now.checks.get(patch, ()))
    for context in sorted(was.keys() | is_.keys()):
        if was.get(context) is not is_.get(context):
            yield Change(ChangeKind.CHECK, patch, was.get(context) or "", is_.get(context) or "", context)


def _of_the_worst(known: Sequence[tuple[Patch, Patch]]) -> Iterator[Change]:
    was, is_ = _worst_of(before for before, _ in known), _worst_of(now for _, now in known)
    if was is not is_:
        yield Change(ChangeKind.CHECK, None, was or "", is_ or "")


def _of_series(before: Submission, now: Submission) -> Iterator[Change]:
    was, series = before.series, now.series
    if was is None or series is None:
        return
    if len(before.patches) != len(now.patches) or was.received_all != series.received_all:
        yield Change(ChangeKind.PATCHES, None, _arrived(before), _arrived(now))
    elif was.received_total != series.received_total:
        yield Change(ChangeKind.PATCHES, None, str(was.received_total), str(series.received_total), "received")
    if was.name != series.name:
        yield Change(ChangeKind.PATCHES, None, was.name, series.name, "name")
    if was.cover != series.cover:
        yield Change(ChangeKind.PATCHES, None, was.cover or "", series.cover or "", "cover")
    if was.trailers != series.trailers:
        counts = counted_trailers(was.trailers), counted_trailers(series.trailers)
        yield Change(ChangeKind.TRAILERS, None, *counts)


def _worst_of(patches: Iterable[Patch]) -> CheckState | None:
    return worst(patch.check for patch in patches if patch.check is not None)


def _arrived(standing: Submission) -> str:
    total = standing.series.total if standing.series else 1
    return f"{len(standing.patches)} of {max(total, len(standing.patches))}"


def _yes_or_no(value: bool) -> str:  # noqa: FBT001  # the one thing it is about
    return "yes" if value else "no"
