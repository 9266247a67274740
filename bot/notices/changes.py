"""Detection of changes, by comparing the states before and after a poll, and of the rooms that subscribed to them.

Repeated reports of one state are no change, nor is one that was undone within a poll.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bot.ids import PatchId, RoomId
from bot.notices.fact_lines import counted_trailers
from bot.patchwork.model import WORST_FIRST, Check, CheckState, Comment, Patch, Series, TrailerKind, worst
from bot.query.facts import Facts, facts_of
from bot.query.index.index import Index, Match
from bot.query.maintainers.maintainers import Maintainers
from bot.query.options import OnKind
from bot.submission import Contexts, Submission, SubmissionRef
from bot.subscriptions.matching import (
    ChangeMatch,
    PatchChange,
    RoomMatch,
    by_room,
    change_matches,
    sections_of,
    with_followers,
)

_BAD_CHECKS: Mapping[str, int] = {CheckState.WARNING: 1, CheckState.FAIL: 2}  # the larger the worse
_NO_CONTEXT = "default"  # as Patchwork has it
BETWEEN_PERSONS = "\n"  # in the change that tells who reviewed


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
    *before* and *after* are Patchwork's own words, "" for none; for trailers they are counts, as on a card. *actor* is
    the account that made it, None if the server does not tell.
    """

    kind: ChangeKind
    patch: PatchId | None
    before: str
    after: str
    context: str = ""
    comment: Comment | None = None
    actor: str | None = None

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


_KINDS = {
    ChangeKind.STATE: OnKind.STATE,
    ChangeKind.DELEGATE: OnKind.STATE,
    ChangeKind.ARCHIVED: OnKind.STATE,
    ChangeKind.TRAILERS: OnKind.STATE,
    ChangeKind.CHECK: OnKind.CHECK,
    ChangeKind.COMMENT: OnKind.COMMENT,
}


@dataclass(frozen=True, slots=True)
class RoomChanges:
    """The changes that matter to a room, of a series or of a patch without one.

    *posted* appear below the card that the room already has; if it has none, it gets one, and only *named*, the kinds
    named in an `on:`, appear below it. *match* has the reasons.
    """

    submission: Submission
    match: RoomMatch
    posted: tuple[Change, ...]
    named: tuple[Change, ...]


@dataclass(slots=True)
class _Room:
    """The matches and changes of a room, collected patch by patch."""

    matches: list[Match] = field(default_factory=list)
    posted: dict[Change, None] = field(default_factory=dict)
    named: dict[Change, None] = field(default_factory=dict)

    def add(self, match: ChangeMatch, changes: tuple[Change, ...]) -> None:
        """Add the changes of a match, unless its subscription collects them in a digest."""
        self.matches.append(match.match)
        if match.match.subscription.query.options.digest is None:
            self.posted.update({change: None for change in changes if _KINDS[change.kind] in match.posted})
            self.named.update({change: None for change in changes if _KINDS[change.kind] in match.named})

    def follow(self, changes: Mapping[Change, None]) -> None:
        """Add the changes that people hear of who follow."""
        self.posted |= changes
        self.named |= changes


def changes_by_room(
    index: Index,
    changed: ChangedSubmission,
    maintainers: Maintainers | None = None,
    followers: AbstractSet[RoomId] = frozenset(),
) -> list[RoomChanges]:
    """Return the changes that matter to each room; *maintainers* is the project's file, if known.

    *followers* are the direct chats of those who follow the submission.
    """
    rooms: dict[RoomId, _Room] = {}
    followed: dict[Change, None] = {}
    for before, after in _known(changed):
        changes = tuple(_postable(changed, before, after))
        kinds = frozenset(_KINDS[change.kind] for change in changes)
        followed |= dict.fromkeys(filter(_matters_to_followers, changes))
        if index.has_subscriptions_to(kinds):
            happened = PatchChange(*_facts(changed, (before, after), maintainers), kinds)
            in_comments = _rooms_with_comments(index, changes, happened.after)
            for match in change_matches(index, happened):
                room = match.match.subscription.room
                posted = [each for each in changes if each.kind is not ChangeKind.TRAILERS or room not in in_comments]
                rooms.setdefault(room, _Room()).add(match, tuple(posted))
    submission = Submission(changed.series, changed.after)
    matches = by_room(match for room in rooms.values() for match in room.matches)
    if followed and followers:
        matches = with_followers(matches, followers)
        for chat in followers:
            rooms.setdefault(chat, _Room()).follow(followed)
    return [
        RoomChanges(submission, match, tuple(rooms[match.room].posted), tuple(rooms[match.room].named))
        for match in matches
    ]


def _matters_to_followers(change: Change) -> bool:
    """Return whether people hear of a change who follow: of all but checks that get no worse.

    A review is heard of by the comment that has it.
    """
    if change.kind is not ChangeKind.CHECK:
        return change.kind is not ChangeKind.TRAILERS
    return _BAD_CHECKS.get(change.after, 0) > _BAD_CHECKS.get(change.before, 0)


def _rooms_with_comments(index: Index, changes: Iterable[Change], after: Facts) -> frozenset[RoomId]:
    """Return the rooms that hear of a review by the comment that has it, and so not a second time."""
    of_comments = frozenset({OnKind.COMMENT})
    if not any(change.kind is ChangeKind.TRAILERS for change in changes) or not index.has_subscriptions_to(of_comments):
        return frozenset()
    return frozenset(
        each.room
        for each in index.find_changed(after, of_comments)
        if OnKind.COMMENT in each.query.options.on and each.query.options.digest is None
    )


def _known(changed: ChangedSubmission) -> Iterator[tuple[Patch, Patch]]:
    """Return the state before and after for each patch that was known before."""
    former = {patch.id: patch for patch in changed.before}
    return ((former[patch.id], patch) for patch in changed.after if patch.id in former)


def _postable(changed: ChangedSubmission, before: Patch, after: Patch) -> Iterator[Change]:
    """Yield the changes of a patch, and of its whole series, that may be posted; the card alone shows the others."""
    has_context = False  # of a check
    for change in changed.changes:
        if change.patch not in (None, after.id):
            continue
        if change.kind in (ChangeKind.STATE, ChangeKind.DELEGATE, ChangeKind.ARCHIVED, ChangeKind.COMMENT):
            yield change
        elif change.kind is ChangeKind.CHECK and change.patch is not None:
            has_context = True
            yield change
        elif change.kind is ChangeKind.TRAILERS and (review := _review(changed, change, before, after)) is not None:
            yield review
    if before.check is not after.check and not has_context:
        yield Change(ChangeKind.CHECK, after.id, before.check or "", after.check or "")


def _review(changed: ChangedSubmission, change: Change, before: Patch, after: Patch) -> Change | None:
    """Return the change if it adds reviewers to a patch or to all patches; other trailers are mere counts."""
    former, now = (changed.former, changed.series) if change.patch is None else (before, after)
    was, is_ = (
        frozenset(each.person for each in of.trailers if each.kind is TrailerKind.REVIEWED) if of else frozenset()
        for of in (former, now)
    )
    if is_ <= was:
        return None
    return replace(change, before=BETWEEN_PERSONS.join(sorted(was)), after=BETWEEN_PERSONS.join(sorted(is_)))


def _facts(
    changed: ChangedSubmission, patch: tuple[Patch, Patch], maintainers: Maintainers | None
) -> tuple[Facts, Facts]:
    """Return the facts that a query evaluates for a *patch*, before and after."""
    server, (before, after) = changed.about.server, patch
    checks, former_checks = changed.checks.get(after.id, ()), changed.former_checks.get(after.id, ())
    more = sections_of(after, maintainers)
    return (
        facts_of(server, before, changed.former or changed.series, replace(more, checks=former_checks)),
        facts_of(server, after, changed.series, replace(more, checks=checks, former_state=before.state)),
    )
