"""Phrases about checks: a summary of each lane, the worst first. Pure.

A check is a context on a patch. A lane counts contexts; a context stands where its worst check does. Checks that failed
only because their tool could not apply the patch are told as such, and are no finding. Pending is never success.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

from bot.notices.markup import safe
from bot.patchwork.model import CheckState, Patch, worst
from bot.query.check_lanes import OTHERS, CheckLanes
from bot.submission import Submission
from bot.text import cut

FAIL_SIGN, WARNING_SIGN, PENDING_SIGN, OK_SIGN = "❌", "⚠️", "⏳", "✅"
COULD_NOT_APPLY = "could not apply"
_MAX_CONTEXT = 40  # characters
_MAX_PLACES = 2  # patches that are named by their numbers
_MAX_LANES = 4
_MAX_FINDINGS = 2  # that are named of one patch


class Detail(Enum):
    """How much is told of checks, from most to least: how many are named, with their patches.

    The last says nothing of warnings where there are failures, too.
    """

    FULL = (3, True, True)
    FEWER = (1, True, True)
    WITHOUT_PATCHES = (1, False, True)
    FAILURES = (1, False, False)

    def __init__(self, most: int, with_patches: bool, with_warnings: bool) -> None:  # noqa: FBT001  # as above
        self.most = most
        self.with_patches = with_patches
        self.with_warnings = with_warnings


class CheckVerdict(IntEnum):
    """What a check says, the worst first."""

    FAIL = 0
    WARNING = 1
    UNAPPLIED = 2
    PENDING = 3
    OK = 4


_VERDICTS = {
    CheckState.FAIL: CheckVerdict.FAIL,
    CheckState.WARNING: CheckVerdict.WARNING,
    CheckState.PENDING: CheckVerdict.PENDING,
    CheckState.SUCCESS: CheckVerdict.OK,
}
_SIGNS = {CheckVerdict.FAIL: FAIL_SIGN, CheckVerdict.WARNING: WARNING_SIGN}


@dataclass(frozen=True, slots=True)
class _Context:
    """A context: its worst verdict, and the patches that have it."""

    name: str
    verdict: CheckVerdict
    patches: tuple[Patch, ...]


@dataclass(frozen=True, slots=True)
class _Lane:
    """A lane with its contexts, the worst first."""

    name: str
    contexts: tuple[_Context, ...]

    @property
    def verdict(self) -> CheckVerdict:
        """The worst verdict."""
        return self.contexts[0].verdict

    def of(self, verdict: CheckVerdict) -> list[_Context]:
        """Return the contexts with a verdict."""
        return [context for context in self.contexts if context.verdict is verdict]

    def is_all(self, verdict: CheckVerdict) -> bool:
        """Return whether all contexts have a verdict."""
        return len(self.of(verdict)) == len(self.contexts)


def summary(submission: Submission, lanes: CheckLanes, detail: Detail = Detail.FULL) -> str:
    """Return the checks of all patches, a phrase for each lane; "" without any."""
    found = _lanes(submission, lanes)
    unnamed = _unnamed(submission, is_all=not found)
    if not unnamed and len(found) == 1 and found[0].name == OTHERS and found[0].is_all(CheckVerdict.PENDING):
        return f"{PENDING_SIGN} checks pending"
    phrases = _Phrases(submission, detail)
    return " · ".join([*([unnamed] if unnamed else []), *(phrases.of(lane) for lane in found[:_MAX_LANES])])


def findings(submission: Submission, patch: Patch) -> str:
    """Return the failing and warning checks of one patch; "" if there are none."""
    contexts = [_Context(name, verdict, (patch,)) for name, verdict in _verdicts(submission, patch)]
    if not contexts:
        bad = {CheckState.FAIL: f"{FAIL_SIGN} checks fail", CheckState.WARNING: f"{WARNING_SIGN} check warnings"}
        return bad.get(patch.check, "") if patch.check else ""
    names = short_names(context.name for context in contexts)
    told = []
    for verdict, sign in _SIGNS.items():
        if bad_ones := [names[context.name] for context in contexts if context.verdict is verdict]:
            told.append(f"{sign} {_listed(bad_ones, _MAX_FINDINGS)}")
    if any(context.verdict is CheckVerdict.UNAPPLIED for context in contexts):
        told.append(COULD_NOT_APPLY)
    return ", ".join(told)


def worst_verdict(submission: Submission, patch: Patch) -> CheckVerdict:
    """Return the worst verdict on one patch; OK without checks."""
    found = min((verdict for _, verdict in _verdicts(submission, patch)), default=None)
    if found is not None:
        return found
    return CheckVerdict.OK if patch.check in {None, CheckState.PENDING} else _VERDICTS[patch.check]


def short_names(contexts: Iterable[str]) -> dict[str, str]:
    """Return a name for each context: what stands behind its last slash, unless another one has the same."""
    all_of_them = list(dict.fromkeys(contexts))
    ends = Counter(_end(context) for context in all_of_them)
    return {
        context: cut(_named(_end(context) if ends[_end(context)] == 1 else context), _MAX_CONTEXT)
        for context in all_of_them
    }


def places(patches: Sequence[Patch], submission: Submission) -> str:
    """Return the numbers of some patches: "3/5"; "" if they are all of them, or if there is just one."""
    if submission.lone is not None or len(patches) >= submission.total:
        return ""
    if len(patches) > _MAX_PLACES:
        return f"on {len(patches)} of {submission.total}"
    return " and ".join(number(patch) for patch in patches)


def number(patch: Patch) -> str:
    """Return the number of a patch in its series: "3/5"; its id if it has none."""
    return f"{patch.number[0]}/{patch.number[1]}" if patch.number else f"patch {patch.id}"


def _named(context: str) -> str:
    return context if safe(context).strip() else "check"


def _end(context: str) -> str:
    return context.rstrip("/").rpartition("/")[2]


def _verdicts(submission: Submission, patch: Patch) -> list[tuple[str, CheckVerdict]]:
    """Return the contexts of one patch with their verdicts."""
    return [
        (context, CheckVerdict.UNAPPLIED if (patch.id, context) in submission.unapplied else _VERDICTS[state])
        for context, state in submission.checks.get(patch.id, ())
    ]


def _lanes(submission: Submission, lanes: CheckLanes) -> list[_Lane]:
    """Return the lanes that have checks, the worst first."""
    by_context: dict[str, dict[CheckVerdict, list[Patch]]] = defaultdict(lambda: defaultdict(list))
    for patch in submission.in_order:
        for context, verdict in _verdicts(submission, patch):
            by_context[context][verdict].append(patch)
    by_lane: dict[str, list[_Context]] = defaultdict(list)
    for name, verdicts in sorted(by_context.items()):
        worst_one = min(verdicts)
        by_lane[lanes.of(name)].append(_Context(name, worst_one, tuple(verdicts[worst_one])))
    found = [_Lane(name, tuple(sorted(some, key=lambda each: each.verdict))) for name, some in by_lane.items()]
    return sorted(found, key=lambda lane: (lane.verdict, lane.name != OTHERS, lane.name))


@dataclass(frozen=True, slots=True)
class _Phrases:
    """Writes lanes of a submission."""

    submission: Submission
    detail: Detail

    def of(self, lane: _Lane) -> str:
        """Return the phrase for a lane."""
        if len(lane.contexts) == 1:
            return self._single(lane)
        total, ok = len(lane.contexts), len(lane.of(CheckVerdict.OK))
        name = cut(lane.name, _MAX_CONTEXT)
        if ok == total:
            return f"{OK_SIGN} {name} all {total} ok"
        if lane.verdict is CheckVerdict.PENDING:
            return f"{PENDING_SIGN} {name} {f'{ok} of {total} ok, ' if ok else ''}{total - ok} pending"
        pending = len(lane.of(CheckVerdict.PENDING))
        parts = [
            f"{name} {ok} of {total} ok",
            *(self._bad(lane, verdict) for verdict in _SIGNS if lane.of(verdict)),
            self._unapplied(lane),
            f"{pending} pending" if pending else "",
        ]
        return ", ".join(part for part in parts if part)

    def _single(self, lane: _Lane) -> str:
        """Return the phrase for a lane with one context, which is named if the lane is that of all others."""
        (context,) = lane.contexts
        is_named = lane.name == OTHERS
        name = short_names([context.name])[context.name] if is_named else cut(lane.name, _MAX_CONTEXT)
        match context.verdict:
            case CheckVerdict.OK:
                return f"{OK_SIGN} {name}"
            case CheckVerdict.PENDING:
                return f"{PENDING_SIGN} {name} pending"
            case CheckVerdict.UNAPPLIED:
                return f"{lane.name} {COULD_NOT_APPLY}{self._where(context.patches)}"
            case _:
                sign = _SIGNS[context.verdict]
                where = self._where(context.patches)
                if is_named:
                    return f"{sign} {name}{where}"
                if context.verdict is CheckVerdict.FAIL:
                    return f"{name} {sign} {short_names([context.name])[context.name]}{where}"
                return f"{name} {sign} {len(context.patches)}"

    def _bad(self, lane: _Lane, verdict: CheckVerdict) -> str:
        contexts, sign = lane.of(verdict), _SIGNS[verdict]
        if verdict > lane.verdict and not self.detail.with_warnings:
            return ""
        names = short_names(context.name for context in lane.contexts)
        where = self._where(contexts[0].patches) if len(contexts) == 1 else ""
        return f"{sign} {_listed([names[context.name] for context in contexts], self.detail.most)}{where}"

    def _unapplied(self, lane: _Lane) -> str:
        contexts = lane.of(CheckVerdict.UNAPPLIED)
        if not contexts:
            return ""
        patches = {patch.id: patch for context in contexts for patch in context.patches}
        return f"{COULD_NOT_APPLY}{self._where(tuple(patches.values()))}"

    def _where(self, patches: Sequence[Patch]) -> str:
        return _after(places(patches, self.submission)) if self.detail.with_patches else ""


def _listed(names: Sequence[str], most: int) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _after(where: str) -> str:
    return f" {where}" if where else ""


def _unnamed(submission: Submission, *, is_all: bool) -> str:
    """Return the worst check of the patches whose contexts are unknown.

    Whatever is no finding is told only if these *is_all* that is known.
    """
    unknown = [patch for patch in submission.in_order if not submission.checks.get(patch.id)]
    by_state: Mapping[CheckState, list[Patch]] = {
        state: [patch for patch in unknown if patch.check is state] for state in CheckState
    }
    found = worst(state for state, patches in by_state.items() if patches)
    match found:
        case CheckState.FAIL:
            return f"{FAIL_SIGN} checks fail{_after(places(by_state[found], submission))}"
        case CheckState.WARNING:
            return f"{WARNING_SIGN} check warnings{_after(places(by_state[found], submission))}"
        case CheckState.PENDING if is_all:
            return f"{PENDING_SIGN} checks pending"
        case CheckState.SUCCESS if is_all:
            return f"{OK_SIGN} checks ok"
        case _:
            return ""
