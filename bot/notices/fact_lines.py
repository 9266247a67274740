"""Phrases about patches, shared by cards and answers: facts, the state of a submission, its list of patches. Pure."""

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from bot.ids import Msgid
from bot.notices.check_summary import CheckVerdict, findings, worst_verdict
from bot.notices.markup import Code, Line, Link, Strong, Text, safe, words
from bot.patchwork.model import (
    CheckState,
    FileChange,
    Patch,
    Person,
    Series,
    Trailer,
    TrailerKind,
    paths_of,
    prefixes_of,
    series_subject,
    short_subject,
)
from bot.patchwork.references import archive_link
from bot.patchwork.states import StateClasses, States, is_accepted, is_new, is_superseded
from bot.submission import Submission
from bot.text import columns, cut, cut_to_columns

PULL_REQUEST = "📦 pull request"
_LONGEST_MSGID = 190  # a longer one would be cut, and be useless
REVIEWS = {TrailerKind.REVIEWED: "reviewed", TrailerKind.ACKED: "acked", TrailerKind.TESTED: "tested"}
_CHECK_SIGNS = {CheckState.FAIL: "❌", CheckState.WARNING: "⚠️", CheckState.PENDING: "⏳", CheckState.SUCCESS: "✅"}
MAX_COLUMNS = 76  # of the state, in a line with checks and reviews
NEW, OPEN, WAITING, ACCEPTED, CLOSED, SUPERSEDED, PULL = "🆕", "👀", "🔁", "✅", "❌", "♻️", "📦"
_MAX_SUBJECT = 72  # columns
_MIN_SUBJECT = 30
_MAX_ROW = 82  # columns of a patch's row with its remark, so that it takes one line in most clients


def joined(parts: Iterable[str]) -> str:
    """Return the non-empty parts, joined by dots."""
    return " · ".join(part for part in parts if part)


def counted(number: int, what: str) -> str:
    """Return *number* with its noun: "1 patch", "3 patches"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}{'es' if what.endswith('ch') else 's'}"


def named(name: str, otherwise: str) -> str:
    """Return *name*, or *otherwise* if the name has no visible characters."""
    return name if safe(name).strip() else otherwise


def submitter_name(person: Person) -> str:
    """Return the submitter's name, or the address if no name is known."""
    return cut(named(person.name, named(person.email, "an unknown submitter")), 100)


def state_name(slug: str, states: States) -> str:
    """Return a state in the server's spelling."""
    return cut(states.name(slug), 40)


def counted_states(counts: Mapping[str, int], states: States) -> list[str]:
    """Return the *counts* of patches by slug as texts, the most frequent first: ["New 5", "Accepted 2"]."""
    named: Counter[str] = Counter()
    for slug, count in counts.items():
        named[state_name(slug, states)] += count
    return [f"{name} {count}" for name, count in sorted(named.items(), key=lambda item: (-item[1], item[0]))]


def reviews(submission: Submission) -> str:
    """Return who gave trailers, in numbers of patches: "2 of 3 reviewed, 1 acked"; "" if nobody did.

    A trailer that is given on the cover letter counts for all patches; those of a lone patch are counted by persons.
    """
    if submission.lone is not None:
        return _reviews_of_one(submission.lone, submission.series)
    of_all = {trailer.kind for trailer in submission.series.trailers} if submission.series else set()
    total = submission.total
    counts = {kind: total if kind in of_all else _with_trailer(submission.patches, kind) for kind in REVIEWS}
    given = [(kind, count) for kind, count in counts.items() if count]
    parts = [
        f"{_of_total(count, total, is_first=not number)} {REVIEWS[kind]}" for number, (kind, count) in enumerate(given)
    ]
    return ", ".join(parts)


def _of_total(count: int, total: int, *, is_first: bool) -> str:
    if count >= total:
        return f"all {total}" if is_first else "all"
    return f"{count} of {total}" if is_first else str(count)


def _with_trailer(patches: Iterable[Patch], kind: TrailerKind) -> int:
    return sum(any(trailer.kind is kind for trailer in patch.trailers) for patch in patches)


def _reviews_of_one(patch: Patch, series: Series | None) -> str:
    given = patch.trailers | (series.trailers if series else frozenset())
    counts = {kind: sum(trailer.kind is kind for trailer in given) for kind in REVIEWS}
    told = [f"{REVIEWS[kind]} by {count}" if count > 1 else REVIEWS[kind] for kind, count in counts.items() if count]
    return ", ".join(told)


def counted_trailers(trailers: AbstractSet[Trailer]) -> str:
    """Return *trailers* as "A1 R2 T0", for the log; "" if there are none."""
    if not trailers:
        return ""
    counts = Counter(trailer.kind for trailer in trailers)
    return " ".join(f"{kind.value}{counts[kind]}" for kind in TrailerKind)


def delegates(patches: Iterable[Patch], *, are_named: bool = True) -> str:
    """Return whom the patches are delegated to: "delegate bruno"; "" if to nobody. Several may just be counted."""
    named = sorted({patch.delegate for patch in patches if patch.delegate})
    if len(named) > 1 and not are_named:
        return f"{len(named)} delegates"
    return f"{'delegate' if len(named) == 1 else 'delegates'} {cut(', '.join(named), 60)}" if named else ""


def archived(patches: Sequence[Patch]) -> str:
    """Return how many of the patches are archived; "" if none is."""
    count = sum(patch.archived for patch in patches)
    return "" if not count else "archived" if count == len(patches) else f"{count} archived"


def size(files: Sequence[FileChange]) -> str:
    """Return the added and removed lines and the number of files: "+9 −1 in 3 files"; "" without files."""
    if not files:
        return ""
    count = len({file.path for file in files})
    lines = f"+{sum(file.added for file in files)} −{sum(file.removed for file in files)}"
    return f"{lines} in {count} {'file' if count == 1 else 'files'}"


def changed_lines(files: Iterable[FileChange]) -> str:
    """Return the numbers of added and removed lines: "+9 −1"."""
    added = removed = 0
    for file in files:
        added += file.added
        removed += file.removed
    return f"+{added:,} −{removed:,}"


def directories(files: Sequence[FileChange]) -> list[str]:
    """Return the directories that *files* are in, and files at the top level, those with the most files first."""
    touched = dict.fromkeys((_directory(path), file.path) for file in files for path in paths_of((file,)))
    counts = Counter(directory for directory, _ in touched)
    return sorted(counts, key=lambda name: (-counts[name], name))


def archive_url(template: str, told: str | None, msgid: Msgid | None) -> str:
    """Return the address of a mail in the operator's archive, else in the server's own; "" if neither is known."""
    return archive_link(template, msgid) if template and msgid else told or ""


def apply_command(msgid: Msgid | None, *, is_pull: bool = False) -> Line:
    """Return the command that applies the mail in a git tree, quoted for a shell; empty if it cannot be quoted."""
    if not msgid or len(msgid) > _LONGEST_MSGID or safe(msgid).replace("\u2060", "") != msgid:
        return ()
    return words(Code(f"b4 {'pr' if is_pull else 'shazam'} {_for_a_shell(msgid)}"))


def git_pw_command(kind: str, number: int) -> Line:
    """Return the git-pw command that applies a *kind*, which is "patch" or "series"."""
    return words(Code(f"git-pw {kind} apply {number}"))


def moment(time: datetime | str) -> str:
    """Return a time to the minute; a text is a mail's date as in Patchwork, naive UTC."""
    if isinstance(time, str):
        return f"{time[:10]} {time[11:16]} UTC" if len(time) >= 16 else time[:10]
    return f"{time:%Y-%m-%d %H:%M} UTC"


def check_word(state: CheckState) -> str:
    """Return a check's state with its symbol."""
    return f"{_CHECK_SIGNS[state]} {state.value}"


def pull_source(patch: Patch) -> Line:
    """Return a line with the source of a pull request; empty if *patch* is none."""
    return words(f"pull from {cut(patch.pull_url, 200)}") if patch.pull_url else ()


def _for_a_shell(msgid: Msgid) -> str:
    """Return *msgid* quoted for a shell; an empty quote breaks "@room", because a word joiner would change the id."""
    return "''".join(shlex.quote(part) for part in re.split("(?<=@)(?=room)", msgid, flags=re.IGNORECASE))


def _directory(path: str) -> str:
    """Return the directory of *path*, or the path itself at the top level."""
    return path.rpartition("/")[0] + "/" if "/" in path else path


def sign(submission: Submission, classes: StateClasses) -> str:
    """Return the sign for the state of a submission."""
    states = [patch.state for patch in submission.patches]
    return sign_of(states, classes, is_pull=submission.pull is not None)


def sign_of(states: Sequence[str | None], classes: StateClasses, *, is_pull: bool = False) -> str:
    """Return the sign for patches in *states*.

    What is still open decides. Of closed patches most do, and the better half if they are as many.
    """
    is_open = [state for state in states if not classes.is_closed(state)]
    if not is_open and states:
        return _closed_sign(states)
    if is_open and all(classes.is_waiting(state) for state in is_open):
        return WAITING
    if is_pull:
        return PULL
    return NEW if all(is_new(state) or state is None for state in states) else OPEN


def state_sign(slug: str, classes: StateClasses) -> str:
    """Return the sign for one state."""
    if classes.is_closed(slug):
        return _closed_sign([slug])
    if classes.is_waiting(slug):
        return WAITING
    return NEW if is_new(slug) else OPEN


def state_words(patches: Iterable[Patch], states: States) -> Line:
    """Return the state in words, the most frequent one first: "Accepted 2 of 3, New 1"; empty if none is known."""
    return counted_words(Counter(patch.state for patch in patches if patch.state), states)


def state_words_before(patches: Iterable[Patch], states: States) -> Line:
    """Return the state that the patches had before they were superseded; empty if it is unknown."""
    before = (patch.former_state if is_superseded(patch.state) else patch.state for patch in patches)
    return counted_words(Counter(slug for slug in before if slug), states)


def counted_words(counts: Counter[str], states: States) -> Line:
    """Return the numbers of patches by slug in words; the first state stands out."""
    named: Counter[str] = Counter()
    for slug, count in counts.items():
        named[state_name(slug, states)] += count
    if not named:
        return ()
    (first, most), *rest = sorted(named.items(), key=lambda item: (-item[1], item[0]))
    if not rest:
        return (Strong(first),)
    others = f" {most} of {named.total()}, {', '.join(f'{name} {count}' for name, count in rest)}"
    return (Strong(first), Text(cut_to_columns(others, MAX_COLUMNS - columns(first))))


def is_replaced(patches: Iterable[Patch]) -> bool:
    """Return whether a later version replaces all *patches*, as the server says."""
    states = [patch.state for patch in patches]
    return bool(states) and all(is_superseded(state) for state in states)


def _closed_sign(states: Iterable[str | None]) -> str:
    counts = Counter(
        ACCEPTED if is_accepted(state) else SUPERSEDED if is_superseded(state) else CLOSED for state in states
    )
    return max((ACCEPTED, CLOSED, SUPERSEDED), key=lambda each: counts[each])


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
        listed = [self._line(patch) for patch in shown]
        rest = len(by_need) - len(shown)
        return [*listed, words(f"and {rest} more: ", Code("series"))] if rest else listed

    def _need(self, patch: Patch) -> tuple[bool, CheckVerdict, bool]:
        """Return the sort key of a patch: open ones first, then by checks, then those without a review."""
        verdict = worst_verdict(self._submission, patch)
        is_reviewed = not self._whole.has_same_trailers and _is_reviewed(patch)
        return self._classes.is_closed(patch.state), min(verdict, CheckVerdict.PENDING), is_reviewed

    def _line(self, patch: Patch) -> Line:
        whole = self._whole
        remarks = [
            "" if patch.state in {None, whole.state} else state_name(str(patch.state), self._states),
            "" if whole.has_same_findings else findings(self._submission, patch),
            "" if whole.has_same_trailers else _trailers(patch),
            "" if whole.has_one_delegate else delegates([patch]),
        ]
        remark = "".join(f" · {each}" for each in remarks if each)
        room = max(_MIN_SUBJECT, min(_MAX_SUBJECT, _MAX_ROW - columns(remark)))
        name = cut_to_columns(named(short_subject(patch, whole.prefixes), f"patch {patch.id}"), room)
        return words(Link(name, self._page(patch), spelled=False), *([remark] if remark else []))


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
    return ", ".join(word for kind, word in REVIEWS.items() if kind in kinds)
