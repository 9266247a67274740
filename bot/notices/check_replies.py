"""What a reply says of checks that changed: each as it stands on the whole series now. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from bot.ids import PatchId
from bot.notices.changes import Change
from bot.notices.check_summary import (
    COULD_NOT_APPLY,
    FAIL_SIGN,
    OK_SIGN,
    PENDING_SIGN,
    WARNING_SIGN,
    CheckVerdict,
    number,
    short_names,
)
from bot.patchwork.model import CheckState, Patch
from bot.submission import Submission
from bot.text import cut

_MAX_NUMBERS = 3
_MAX_CONTEXTS = 5
_SIGNS = {
    CheckVerdict.FAIL: FAIL_SIGN,
    CheckVerdict.WARNING: WARNING_SIGN,
    CheckVerdict.UNAPPLIED: WARNING_SIGN,
    CheckVerdict.PENDING: PENDING_SIGN,
    CheckVerdict.OK: OK_SIGN,
}
_WORDS = {
    CheckVerdict.FAIL: "failed",
    CheckVerdict.WARNING: "warning",
    CheckVerdict.UNAPPLIED: COULD_NOT_APPLY,
    CheckVerdict.PENDING: "pending",
    CheckVerdict.OK: "ok",
}
_BY_STATE = {
    CheckState.FAIL: CheckVerdict.FAIL,
    CheckState.WARNING: CheckVerdict.WARNING,
    CheckState.PENDING: CheckVerdict.PENDING,
    CheckState.SUCCESS: CheckVerdict.OK,
}
_Verdicts = tuple[tuple[CheckVerdict, tuple[PatchId, ...]], ...]


def checks_told(changes: Iterable[Change], submission: Submission) -> list[str]:
    """Return a line for all checks that stand alike, the worst first: "⚠️ checkpatch: warning on 3/3 · 1/3, 2/3 ok".

    Each change is one of a context, from what it was to what it is now.
    """
    by_context: dict[str, list[Change]] = {}
    for change in changes:
        by_context.setdefault(change.context, []).append(change)
    contexts: dict[_Verdicts, list[str]] = {}
    for context, some in by_context.items():
        if verdicts := _verdicts(context, some, submission):
            contexts.setdefault(verdicts, []).append(context)
    names = short_names(by_context)
    return [
        _line([names[context] for context in some], verdicts, submission)
        for verdicts, some in sorted(contexts.items(), key=lambda item: item[0][0][0])
    ]


def _verdicts(context: str, changes: Sequence[Change], submission: Submission) -> _Verdicts:
    """Return the patches by what a check says of them now, the worst first."""
    told = {change.patch: change.after for change in changes}
    found: dict[CheckVerdict, list[PatchId]] = {}
    for patch in submission.in_order:
        state = dict(submission.checks.get(patch.id, ())).get(context) or told.get(patch.id)
        if state in _BY_STATE:
            is_unapplied = (patch.id, context) in submission.unapplied
            verdict = CheckVerdict.UNAPPLIED if is_unapplied else _BY_STATE[CheckState(state)]
            found.setdefault(verdict, []).append(patch.id)
    return tuple((verdict, tuple(found[verdict])) for verdict in sorted(found))


def _line(names: Sequence[str], verdicts: _Verdicts, submission: Submission) -> str:
    rest = len(names) - _MAX_CONTEXTS
    named = ", ".join(names[:_MAX_CONTEXTS]) + (f" and {rest} more" if rest > 0 else "")
    patches = {patch.id: patch for patch in submission.patches}
    (worst, of), *others = verdicts
    first = f"{_SIGNS[worst]} {cut(named, 250)}: {_WORDS[worst]}{_on(of, patches, submission)}"
    return " · ".join([first, *(f"{_listed(some, patches)} {_WORDS[verdict]}" for verdict, some in others)])


def _on(of: Sequence[PatchId], patches: Mapping[PatchId, Patch], submission: Submission) -> str:
    if submission.lone is not None:
        return ""
    if len(of) >= submission.total > 1:
        return f" on all {submission.total} patches"
    return f" on {_listed(of, patches)}"


def _listed(of: Sequence[PatchId], patches: Mapping[PatchId, Patch]) -> str:
    if len(of) > _MAX_NUMBERS:
        return f"{len(of)} patches"
    return ", ".join(number(patches[patch]) for patch in of)
