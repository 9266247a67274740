"""The list of a series' patches: each with what differs from the whole, those that need something first. Pure."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from bot.notices import fact_lines as facts
from bot.notices.check_summary import Verdict, findings, worst_verdict
from bot.notices.markup import Code, Line, Link, cut_to_columns, words
from bot.patchwork.model import Patch, TrailerKind, prefixes_of, series_subject, short_subject
from bot.patchwork.states import StateClasses, States
from bot.submission import Submission

_MAX_SUBJECT = 72  # columns


class PatchList:
    """The patches of a submission; *page* returns the address of a patch, the others say what its states are."""

    def __init__(
        self, submission: Submission, page: Callable[[Patch], str], states: States, classes: StateClasses
    ) -> None:
        self._submission = submission
        self._page = page
        self._states = states
        self._classes = classes
        self._whole = _Whole.of(submission)

    def all(self) -> list[Line]:
        """Return a line for each patch, in order."""
        return [self._line(patch) for patch in self._submission.in_order]

    def neediest(self, most: int) -> list[Line]:
        """Return *most* lines at most, for the patches that need something first; the last counts those left out."""
        by_need = sorted(self._submission.in_order, key=self._need)
        shown = by_need if len(by_need) <= most else by_need[: most - 1]
        told = [self._line(patch) for patch in shown]
        rest = len(by_need) - len(shown)
        return [*told, words(f"and {rest} more: ", Code("series"))] if rest else told

    def _need(self, patch: Patch) -> tuple[bool, Verdict, bool]:
        """Return the sort key of a patch: open ones first, then by checks, then those without a review."""
        verdict = worst_verdict(self._submission, patch)
        is_reviewed = not self._whole.has_same_trailers and _is_reviewed(patch)
        return self._classes.is_closed(patch.state), min(verdict, Verdict.PENDING), is_reviewed

    def _line(self, patch: Patch) -> Line:
        whole = self._whole
        name = facts.named(short_subject(patch, whole.prefixes), f"patch {patch.id}")
        link = Link(cut_to_columns(name, _MAX_SUBJECT), self._page(patch), spelled=False)
        told = [
            "" if patch.state in {None, whole.state} else facts.state_name(str(patch.state), self._states),
            "" if whole.has_same_findings else findings(self._submission, patch),
            "" if whole.has_same_trailers else _trailers(patch),
            "" if whole.has_one_delegate else facts.delegates([patch]),
        ]
        remark = facts.joined(told)
        return words(link, f" · {remark}") if remark else words(link)


@dataclass(frozen=True, slots=True)
class _Whole:
    """What the patches of a submission have in common, or most of them, and so need not say one by one."""

    prefixes: tuple[str, ...]
    state: str | None
    has_same_findings: bool
    has_same_trailers: bool
    has_one_delegate: bool

    @classmethod
    def of(cls, submission: Submission) -> "_Whole":
        """Return what the patches of *submission* have in common."""
        patches, series = submission.patches, submission.series
        states = Counter(patch.state for patch in patches)
        return cls(
            prefixes_of(series_subject(series)) if series else (),
            max(states, key=lambda state: states[state], default=None),
            len({findings(submission, patch) for patch in patches}) <= 1,
            len({_trailers(patch) for patch in patches}) <= 1,
            len({patch.delegate for patch in patches}) <= 1,
        )


def _is_reviewed(patch: Patch) -> bool:
    return any(trailer.kind in {TrailerKind.REVIEWED, TrailerKind.ACKED} for trailer in patch.trailers)


def _trailers(patch: Patch) -> str:
    """Return the kinds of trailers that a patch has."""
    kinds = {trailer.kind for trailer in patch.trailers}
    return ", ".join(word for kind, word in facts.REVIEWS.items() if kind in kinds)
