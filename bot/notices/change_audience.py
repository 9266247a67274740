"""The rooms for which a change matters, found by matching the changes against the subscriptions."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bot.ids import RoomId
from bot.notices.changes import Change, ChangedSubmission, ChangeKind
from bot.patchwork.model import Patch, TrailerKind
from bot.query.facts import Facts, facts_of
from bot.query.index.index import Index, Match
from bot.query.maintainers.maintainers import Maintainers
from bot.query.options import OnKind
from bot.submission import Submission
from bot.subscriptions.matching import ChangeMatch, PatchChange, RoomMatch, by_room, hearings, sections_of

BETWEEN_PERSONS = "\n"  # in the change that tells who reviewed
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

    *told* are posted below the card that the room already has; if it has none, it gets one, and only *asked*, the kinds
    named in an `on:`, are posted below it. *match* has the reasons.
    """

    submission: Submission
    match: RoomMatch
    told: tuple[Change, ...]
    asked: tuple[Change, ...]


@dataclass(slots=True)
class _Room:
    """The matches and changes of a room, collected patch by patch."""

    matches: list[Match] = field(default_factory=list)
    told: dict[Change, None] = field(default_factory=dict)
    asked: dict[Change, None] = field(default_factory=dict)

    def add(self, hearing: ChangeMatch, changes: tuple[Change, ...]) -> None:
        """Add the changes of a match, unless its subscription collects them in a digest."""
        self.matches.append(hearing.match)
        if hearing.match.subscription.query.options.digest is None:
            self.told.update({change: None for change in changes if _KINDS[change.kind] in hearing.told})
            self.asked.update({change: None for change in changes if _KINDS[change.kind] in hearing.asked})


def heard(index: Index, changed: ChangedSubmission, maintainers: Maintainers | None = None) -> list[RoomChanges]:
    """Return the changes that matter to each room; *maintainers* is the project's file, if known."""
    rooms: dict[RoomId, _Room] = {}
    for before, after in _known(changed):
        changes = tuple(_told(changed, before, after))
        kinds = frozenset(_KINDS[change.kind] for change in changes)
        if index.anybody_hears(kinds):
            happened = PatchChange(*_facts(changed, (before, after), maintainers), kinds)
            for hearing in hearings(index, happened):
                rooms.setdefault(hearing.match.subscription.room, _Room()).add(hearing, changes)
    submission = Submission(changed.series, changed.after)
    matches = by_room(match for room in rooms.values() for match in room.matches)
    return [
        RoomChanges(submission, match, tuple(rooms[match.room].told), tuple(rooms[match.room].asked))
        for match in matches
    ]


def _known(changed: ChangedSubmission) -> Iterator[tuple[Patch, Patch]]:
    """Return the state before and after for each patch that was known before."""
    former = {patch.id: patch for patch in changed.before}
    return ((former[patch.id], patch) for patch in changed.after if patch.id in former)


def _told(changed: ChangedSubmission, before: Patch, after: Patch) -> Iterator[Change]:
    """Yield the changes of a patch, and of its whole series, that may be posted; the card alone shows the others."""
    named = False  # a check by its context
    for change in changed.changes:
        if change.patch not in (None, after.id):
            continue
        if change.kind in (ChangeKind.STATE, ChangeKind.DELEGATE, ChangeKind.ARCHIVED, ChangeKind.COMMENT):
            yield change
        elif change.kind is ChangeKind.CHECK and change.patch is not None:
            named = True
            yield change
        elif change.kind is ChangeKind.TRAILERS and (review := _review(changed, change, before, after)) is not None:
            yield review
    if before.check is not after.check and not named:
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
