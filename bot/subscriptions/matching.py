"""Decides which rooms a new series, or a change of a known one, is for. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

from bot.ids import PatchId, RoomId, ServerName, SubscriptionId
from bot.patchwork.model import Patch
from bot.query.evaluate import Reason, TermOutcome
from bot.query.facts import ExtraFacts, Facts, facts_of, version_in
from bot.query.index.index import Index, Match, Subscription
from bot.query.keys import Key
from bot.query.maintainers.maintainers import Maintainers
from bot.query.options import OnKind, SubscriptionOptions
from bot.submission import Submission

MOST_FOUND: Final = 100  # things that the reasons of one subscription name in all, and as many reasons
LONGEST_FOUND: Final = 255  # characters of such a thing, which may be somebody else's words
_PATH = f"{Key.PATH}:"
_SOMEBODY = ("somebody@example.org",)


@dataclass(frozen=True, slots=True)
class Arrival:
    """The arrival of those patches of a *submission* with the ids *news*, as a *revision* of earlier work or by itself.

    *known_in* are the rooms that have a card of an earlier version.
    """

    server: ServerName
    submission: Submission
    news: AbstractSet[PatchId]
    revision: bool = False
    known_in: AbstractSet[RoomId] = frozenset()

    def is_heard_by(self, subscription: Subscription) -> bool:
        """Whether what arrived is what a subscription wants to be told of, if it matches.

        What a room sees first of a work is new to it, whatever its version.
        """
        hears = subscription.query.hears
        return (OnKind.NEW in hears and subscription.room not in self.known_in) or (
            OnKind.REVISION in hears and self.revision
        )


@dataclass(frozen=True, slots=True)
class MatchReason:
    """A subscription of the room that matched, and the term that did."""

    subscription: SubscriptionId
    reason: Reason


@dataclass(frozen=True, slots=True)
class RoomMatch:
    """A room that a series or lone patch is for; *paths* are those that were asked for, in the patches' order.

    *options* are those of the subscriptions that matched, each once.
    """

    room: RoomId
    why: tuple[MatchReason, ...]
    paths: tuple[str, ...]
    options: tuple[SubscriptionOptions, ...] = ()


def version_said(submission: Submission) -> int:
    """Return which version a submission says it is."""
    return submission.series.version if submission.series else version_in(submission.patches[0].prefixes)


def match_rooms(index: Index, arrival: Arrival, maintainers: Maintainers | None = None) -> list[RoomMatch]:
    """The rooms that one of the news among the patches is for, by room; why and paths come from all patches.

    Of what one subscription finds, the first `MOST_FOUND` things are named, however many patches it matches.
    *maintainers* is the project's file, where one is known.

    Patches that were judged before decide nothing: whoever subscribed since then asked for what comes, not for
    what was.
    """
    submission = arrival.submission
    rooms: set[RoomId] = set()
    found = _Found()
    deaf: set[SubscriptionId] = set()  # what arrived is not what they want to be told of
    for patch in submission.patches:
        done = deaf | {each for each in found.full if found.rooms[each] in rooms}
        matches = matches_of(index, (arrival.server, submission), patch, maintainers, without=done)
        deaf |= {match.subscription.id for match in matches if not arrival.is_heard_by(match.subscription)}
        matches = [match for match in matches if match.subscription.id not in deaf]
        for match in matches:
            found.add(match)
        if patch.id in arrival.news:
            rooms.update(match.subscription.room for match in matches)
    return [match for match in found.by_room() if match.room in rooms]


def by_room(matches: Iterable[Match]) -> list[RoomMatch]:
    """The rooms of *matches*, by room, each with its reasons, in the order in which they were found."""
    found = _Found()
    for match in matches:
        found.add(match)
    return found.by_room()


@dataclass(slots=True)
class _Found:
    """What matched, by room; a subscription that many patches match has its first reasons only."""

    full: set[SubscriptionId] = field(default_factory=set)  # those with as many reasons as are kept
    rooms: dict[SubscriptionId, RoomId] = field(default_factory=dict)
    _why: dict[RoomId, dict[MatchReason, None]] = field(default_factory=dict)
    _options: dict[RoomId, dict[SubscriptionOptions, None]] = field(default_factory=dict)
    _named: Counter[SubscriptionId] = field(default_factory=Counter)

    def add(self, match: Match) -> None:
        """A patch that a subscription matched."""
        subscription = match.subscription
        self.rooms[subscription.id] = subscription.room
        self._options.setdefault(subscription.room, {})[subscription.query.options] = None
        why = self._why.setdefault(subscription.room, {})
        for reason in match.reasons:
            if self._named[subscription.id] >= MOST_FOUND:
                break
            why[MatchReason(subscription.id, _bounded(reason))] = None
            self._named[subscription.id] += max(len(reason.seen), 1)
        if self._named[subscription.id] >= MOST_FOUND:
            self.full.add(subscription.id)

    def by_room(self) -> list[RoomMatch]:
        """The rooms in the order of their ids."""
        return [
            RoomMatch(room, tuple(why), _paths(why), tuple(self._options[room]))
            for room, why in sorted(self._why.items())
        ]


def _bounded(reason: Reason) -> Reason:
    """*reason* with the beginnings of what is too long to be kept with each card."""
    if all(len(each) <= LONGEST_FOUND for each in reason.seen):
        return reason
    return replace(reason, seen=tuple(each[:LONGEST_FOUND] for each in reason.seen))


def matches_of(
    index: Index,
    judged: tuple[ServerName, Submission],
    patch: Patch,
    maintainers: Maintainers | None = None,
    without: AbstractSet[SubscriptionId] = frozenset(),
) -> list[Match]:
    """Return the subscriptions that a *patch* of a server's submission is for, but for those to do *without*."""
    server, submission = judged
    return index.match(facts_of(server, patch, submission.series, sections_of(patch, maintainers)), without)


def awaits_review(
    index: Index, judged: tuple[ServerName, Submission], patch: Patch, maintainers: Maintainers | None = None
) -> bool:
    """Return whether a *patch* of a server's submission will be for a subscription once somebody has reviewed it."""
    if not index.waits_for_reviews:
        return False
    server, submission = judged
    facts = facts_of(server, patch, submission.series, sections_of(patch, maintainers))
    return not facts.reviewers and not index.find(replace(facts, reviewers=_SOMEBODY)) <= index.find(facts)


def sections_of(patch: Patch, maintainers: Maintainers | None) -> ExtraFacts:
    """Whose the patch is, by the project's file where one is known."""
    if maintainers is None:
        return ExtraFacts()
    covering = maintainers.covering(patch.paths, patch.text)
    return ExtraFacts(sections=covering, known_sections=maintainers.folded_names)


def _paths(why: Collection[MatchReason]) -> tuple[str, ...]:
    found = [each.reason for each in why if each.reason.outcome is TermOutcome.FOUND]
    return asked_paths((reason.term, reason.seen) for reason in found)


def asked_paths(found: Iterable[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """The paths among what terms *found*, each once."""
    return tuple(dict.fromkeys(path for term, seen in found if term.startswith(_PATH) for path in seen))


@dataclass(frozen=True, slots=True)
class PatchChange:
    """What happened to a patch: how it was and is, and what *changes* that is."""

    before: Facts
    after: Facts
    changes: frozenset[OnKind]


@dataclass(frozen=True, slots=True)
class ChangeMatch:
    """A subscription that is told of what happened, and why.

    Of the changes it named some in its `on:`, those *asked* for; *told* are they and those that made its query true.
    """

    match: Match
    asked: frozenset[OnKind]
    told: frozenset[OnKind]


def hearings(index: Index, happened: PatchChange) -> Iterator[ChangeMatch]:
    """The subscriptions that are told of what *happened*, in the order of their ids.

    `on:` hears of each change of a patch that the query matches now. What the query's own terms look at is told when
    the query comes true by it: it matches now, and did not before.
    """
    if not index.anybody_hears(happened.changes):
        return
    matches = index.match_changed(happened.after, happened.changes)
    named = [happened.changes.intersection(match.subscription.query.options.on) for match in matches]
    matched_before = set() if all(named) else index.find(happened.before)
    for match, asked in zip(matches, named, strict=True):
        came_true = match.subscription.id not in matched_before
        implied = match.subscription.query.implied & happened.changes if came_true else frozenset()
        if told := asked | implied:
            yield ChangeMatch(match, asked, told)
