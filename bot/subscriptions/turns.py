"""Decides whose turn a submission is, and why: the rule of `queue`, of `turn:` and of digests of a queue. Pure.

Only open submissions have a turn: those with a patch that is neither archived nor in a closed state, and that no later
version replaces. Closed patches of such a submission need nothing more, so only the open ones count. Replies of tools
are no replies, and a submitter's own Reviewed-by is no review. Times are UTC.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from bot.ids import PatchId
from bot.patchwork.model import CheckState, Patch, Person, Trailer, TrailerKind, worst
from bot.patchwork.states import DEFAULT_CLASSES, StateClasses, folded_state, is_new
from bot.query.values import Turn
from bot.submission import Submission
from bot.subscriptions.subscription import latest

REVIEWS = frozenset({TrailerKind.REVIEWED, TrailerKind.ACKED})
_UNDER_REVIEW = "under-review"
_PULL = "PULL"  # before the subjects of the patches that a pull request has
_VIA = re.compile(r"\s+via\s.*", re.IGNORECASE)  # what lists and relays add to a name
_TOOL_NAME = re.compile(
    r"\b(?:ro)?bot\b|\b(?:syz|build|dependa|patchwork-)bot\b|\bkernelci\b|\bpatch(?:work|ew)\b", re.IGNORECASE
)
_TOOL_CI = re.compile(r"\bCI\b")  # only in capitals: Ci is somebody's name
_TOOL_WORDS = frozenset(
    {"bot", "robot", "ci", "lkp", "syzbot", "buildbot", "kernelci", "patchwork", "patchew", "noreply", "sashiko"}
)
_TOOL_ADDRESS = re.compile(r"\b(?:no-?reply|ci[_-]?notify)\b", re.IGNORECASE)
_PARTS = re.compile(r"[.+_-]")


class TurnReason(StrEnum):
    """Why it is somebody's turn."""

    CHECKS_FAIL = "checks fail"
    STATE = "the state waits for the submitter"
    REPLIED = "somebody replied"
    REVIEWED = "every patch is reviewed"
    ANSWERED = "the submitter answered"
    PARTLY_REVIEWED = "some patches are reviewed"
    NOT_REVIEWED = "there were replies, but no review"
    NO_REPLY = "nobody replied"
    NO_REVIEW_SEEN = "no review was seen, and not all comments are known"


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """A comment on a patch, or on the cover letter if *patch* is None; *person* is None if its author is unknown."""

    person: Person | None
    at: datetime
    trailers: frozenset[TrailerKind] = frozenset()
    patch: PatchId | None = None


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """What decides whose turn it is; *knows_comments* if *comments* are all that there are."""

    submission: Submission
    comments: Sequence[ReviewComment] = ()
    knows_comments: bool = True


@dataclass(frozen=True, slots=True)
class CheckTotals:
    """The checks of the open patches: the contexts that fail and warn, and the worst state; None without checks.

    Checks that say only that a patch could not be applied are *unapplied*, and neither fail nor warn.
    """

    failing: tuple[str, ...] = ()
    warning: tuple[str, ...] = ()
    worst: CheckState | None = None
    unapplied: bool = False
    contexts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnVerdict:
    """Whose *turn* it is, why, and since when (None: unknown).

    *sent* is when it was sent. *people* are those who replied, the last one first. *count* of *total* patches are
    reviewed, or are in the *state*, which is None if it says nothing. *kinds* are those of the reviews, and of tests.
    *has_closed* is true if other patches are closed, which count nowhere; *knows_comments* if all comments were read.
    """

    turn: Turn
    reason: TurnReason
    since: datetime | None
    sent: datetime | None
    checks: CheckTotals
    people: tuple[Person, ...] = ()
    count: int = 0
    total: int = 1
    state: str | None = None
    kinds: frozenset[TrailerKind] = frozenset()
    is_pull: bool = False
    has_closed: bool = False
    knows_comments: bool = True


def turn_of(facts: TurnFacts, classes: StateClasses = DEFAULT_CLASSES) -> TurnVerdict | None:
    """Return whose turn a submission is; None if it is closed. Later versions are the caller's to know."""
    patches = [
        patch for patch in facts.submission.in_order if not patch.archived and not classes.is_closed(patch.state)
    ]
    if not patches:
        return None
    return _Rule(facts, classes, patches).verdict()


@lru_cache(maxsize=4_096)
def is_tool(person: Person) -> bool:
    """Return whether a mail comes from a tool, such as a test robot, by its name or address."""
    if _TOOL_NAME.search(person.name) or _TOOL_CI.search(person.name) or _TOOL_ADDRESS.search(person.email):
        return True
    local = person.email.lower().partition("@")[0]
    return not _TOOL_WORDS.isdisjoint(_PARTS.split(local))


def is_same_person(one: Person, other: Person) -> bool:
    """Return whether two mails are from the same person: by address, or by name if both have one."""
    if one.email and one.email.lower() == other.email.lower():
        return True
    name = _folded_name(one.name)
    return bool(name) and name == _folded_name(other.name)


def mail_time(date: str) -> datetime | None:
    """Return the time of a mail's *date*, which is naive UTC; None if it cannot be read."""
    try:
        return datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError:
        return None


class _Rule:
    """The rule for one submission, of which *patches* are open."""

    def __init__(self, facts: TurnFacts, classes: StateClasses, patches: Sequence[Patch]) -> None:
        submission = facts.submission
        self._facts = facts
        self._patches = patches
        self._classes = classes
        self._submitter = (submission.series or patches[0]).submitter
        self._to_review = [patch for patch in patches if patch is not submission.pull] or patches
        dates = (mail_time(date) for date in (submission.series.date if submission.series else "", *_dates(patches)))
        self._sent = latest(dates)
        self._checks = _checks(submission, patches)
        self._replies = sorted(filter(self._is_reply, facts.comments), key=lambda each: each.at)
        own = (each.at for each in facts.comments if each.person and is_same_person(each.person, self._submitter))
        self._last_own = latest(own)
        self._knows_comments = facts.knows_comments and all(each.person for each in facts.comments)

    def verdict(self) -> TurnVerdict:
        """Return the verdict of the first part of the rule that applies."""
        if self._checks.worst is CheckState.FAIL:
            return self._verdict(Turn.FAILING, TurnReason.CHECKS_FAIL)
        if waiting := [patch for patch in self._patches if self._classes.is_waiting(patch.state)]:
            verdict = self._verdict(Turn.AUTHOR, TurnReason.STATE, latest(each.at for each in self._replies))
            return replace(verdict, count=len(waiting), total=len(self._patches), state=waiting[0].state)
        if questions := self._open_questions():
            people = tuple(each.person for each in questions if each.person)
            return replace(self._verdict(Turn.AUTHOR, TurnReason.REPLIED, questions[0].at), people=people)
        return self._of_reviewers()

    def _of_reviewers(self) -> TurnVerdict:
        """Return the verdict where nothing is left for the submitter to do."""
        given = [self._kinds(patch) for patch in self._to_review]
        reviewed = [kinds & REVIEWS for kinds in given if kinds & REVIEWS]
        kinds = frozenset[TrailerKind]().union(*given)
        submission = self._facts.submission
        total = len(given) + max(0, submission.total - submission.arrived)
        if len(reviewed) == total:
            verdict = self._verdict(Turn.READY, TurnReason.REVIEWED)
            everywhere = frozenset.intersection(*reviewed)
            kinds = (everywhere & {TrailerKind.REVIEWED}) or everywhere or REVIEWS
        elif self._last_own is not None and any(not each.trailers for each in self._replies):
            verdict = self._verdict(Turn.REVIEW, TurnReason.ANSWERED, self._last_own)
        elif reviewed:
            verdict = self._verdict(Turn.REVIEW, TurnReason.PARTLY_REVIEWED)
        elif self._replies:
            verdict = self._verdict(Turn.REVIEW, TurnReason.NOT_REVIEWED)
        else:
            reason = TurnReason.NO_REPLY if self._knows_comments else TurnReason.NO_REVIEW_SEEN
            verdict = self._verdict(Turn.REVIEW, reason)
        return replace(verdict, count=len(reviewed), total=total, kinds=kinds)

    def _verdict(self, turn: Turn, reason: TurnReason, since: datetime | None = None) -> TurnVerdict:
        """Return a verdict that holds *since* a time, or since the submission was sent."""
        return TurnVerdict(
            turn,
            reason,
            since or self._sent,
            self._sent,
            self._checks,
            total=len(self._patches),
            state=_telling_state(self._patches),
            is_pull=self._facts.submission.pull is not None or all(_PULL in patch.prefixes for patch in self._patches),
            has_closed=len(self._patches) < len(self._facts.submission.patches),
            knows_comments=self._knows_comments,
        )

    def _is_reply(self, comment: ReviewComment) -> bool:
        """Return whether a comment is of somebody else, and of no tool."""
        person = comment.person
        return person is not None and not is_same_person(person, self._submitter) and not is_tool(person)

    def _open_questions(self) -> list[ReviewComment]:
        """Return the last reply of each person since the submitter's last, unless it has a trailer; newest first."""
        last: dict[str, ReviewComment] = {}
        for each in self._replies:
            if each.person and (self._last_own is None or each.at > self._last_own):
                last[each.person.email.lower() or each.person.name] = each
        return sorted((each for each in last.values() if not each.trailers), key=lambda each: each.at, reverse=True)

    def _kinds(self, patch: Patch) -> frozenset[TrailerKind]:
        """Return the kinds of trailers that others gave to a patch, or to the cover letter, which is for all."""
        series = self._facts.submission.series
        trailers = patch.trailers | (series.trailers if series else frozenset())
        stored = {each.kind for each in trailers if self._is_of_others(each)}
        return frozenset(stored).union(*(each.trailers for each in self._replies if each.patch in {None, patch.id}))

    def _is_of_others(self, trailer: Trailer) -> bool:
        email = trailer.person if "@" in trailer.person else ""
        person = Person(trailer.name or ("" if email else trailer.person), email)
        return not is_same_person(person, self._submitter) and not is_tool(person)


def _checks(submission: Submission, patches: Sequence[Patch]) -> CheckTotals:
    """Return the checks of *patches*; those of a patch whose contexts are unknown by its worst one only."""
    failing: dict[str, None] = {}
    warning: dict[str, None] = {}
    contexts: dict[str, None] = {}
    states: list[CheckState] = []
    unapplied = False
    for patch in patches:
        known = submission.checks.get(patch.id, ())
        if not known and patch.check is not None:
            states.append(patch.check)
        for context, state in known:
            if (patch.id, context) in submission.unapplied:
                unapplied = True
                continue
            contexts[context] = None
            states.append(state)
            if state is CheckState.FAIL:
                failing[context] = None
            elif state is CheckState.WARNING:
                warning[context] = None
    return CheckTotals(tuple(failing), tuple(warning), worst(states), unapplied, tuple(contexts))


def _telling_state(patches: Sequence[Patch]) -> str | None:
    """Return the state that all *patches* have, if it says more than that they are to be reviewed."""
    states = {patch.state for patch in patches}
    state = next(iter(states)) if len(states) == 1 else None
    return None if state is None or is_new(state) or folded_state(state) == _UNDER_REVIEW else state


def _dates(patches: Iterable[Patch]) -> Iterator[str]:
    return (patch.date for patch in patches)


@lru_cache(maxsize=4_096)
def _folded_name(name: str) -> str:
    """Return a name in the form in which people are compared; cached, because few people write most mails."""
    return " ".join(_VIA.sub("", name).casefold().split())
