"""Matching of new series, and changes of known ones, to rooms. Pure."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from bot.ids import PatchId, RoomId, ServerName, SubscriptionId
from bot.patchwork.model import Patch
from bot.query.evaluate import Reason, TermOutcome
from bot.query.facts import ExtraFacts, Facts, facts_of, version_in
from bot.query.index.index import Index, Match, Subscription
from bot.query.keys import Key
from bot.query.maintainers.maintainers import Maintainers
from bot.query.options import NO_OPTIONS, OnKind, SubscriptionOptions
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

    def is_news_for(self, subscription: Subscription) -> bool:
        """Return whether a subscription wants this kind of arrival, if it matches.

        The first version with a card in a room counts as new there, even if it is not the first version.
        """
        kinds = subscription.query.news_kinds
        return (OnKind.NEW in kinds and subscription.room not in self.known_in) or (
            OnKind.REVISION in kinds and self.revision
        )


class MatchReason(NamedTuple):
    """A matching subscription of the room, and the matching term."""

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
    """Return the rooms that a new patch matches, by room; reasons and paths come from all patches.

    Of the things that match one subscription, only the first `MOST_FOUND` are named. *maintainers* is the project's
    file, if known. Patches that were evaluated before decide nothing, so that a later subscription does not match old
    patches.
    """
    submission = arrival.submission
    rooms: set[RoomId] = set()
    found = _Found()

    def is_wanted(subscription: Subscription) -> bool:
        is_done = subscription.id in found.full and subscription.room in rooms
        return not is_done and arrival.is_news_for(subscription)

    for patch in submission.patches:
        matches = matches_of(index, (arrival.server, submission), patch, maintainers, is_wanted)
        for match in matches:
            found.add(match)
        if patch.id in arrival.news:
            rooms.update(match.subscription.room for match in matches)
    return [match for match in found.by_room() if match.room in rooms]


def by_room(matches: Iterable[Match]) -> list[RoomMatch]:
    """Return the rooms of *matches*, by room, each with its reasons in the order of *matches*."""
    found = _Found()
    for match in matches:
        found.add(match)
    return found.by_room()


@dataclass(slots=True)
class _Found:
    """The matches by room, with only the first reasons of a subscription that matches many patches."""

    full: set[SubscriptionId] = field(default_factory=set)  # those with as many reasons as are kept
    _why: dict[RoomId, dict[MatchReason, None]] = field(default_factory=dict)
    _options: dict[RoomId, dict[SubscriptionOptions, None]] = field(default_factory=dict)
    _named: Counter[SubscriptionId] = field(default_factory=Counter)

    def add(self, match: Match) -> None:
        """Add a match of a patch and a subscription."""
        subscription = match.subscription
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
        """Return the rooms in the order of their ids."""
        return [
            RoomMatch(room, tuple(why), _paths(why), tuple(self._options[room]))
            for room, why in sorted(self._why.items())
        ]


def _bounded(reason: Reason) -> Reason:
    """Return *reason* with long texts cut, because it is stored with each card."""
    if all(len(each) <= LONGEST_FOUND for each in reason.seen):
        return reason
    return reason._replace(seen=tuple(each[:LONGEST_FOUND] for each in reason.seen))


def matches_of(
    index: Index,
    judged: tuple[ServerName, Submission],
    patch: Patch,
    maintainers: Maintainers | None = None,
    wanted: Callable[[Subscription], bool] | None = None,
) -> list[Match]:
    """Return the *wanted* subscriptions that a *patch* of a server's submission is for, with the reasons."""
    server, submission = judged
    return index.match(facts_of(server, patch, submission.series, sections_of(patch, maintainers)), wanted)


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
    """Return the sections of MAINTAINERS that cover a patch; empty if the file is unknown."""
    if maintainers is None:
        return ExtraFacts()
    covering = maintainers.covering(patch.paths, patch.text)
    return ExtraFacts(sections=covering, known_sections=maintainers.folded_names)


def _paths(why: Collection[MatchReason]) -> tuple[str, ...]:
    found = [each.reason for each in why if each.reason.outcome is TermOutcome.FOUND]
    return asked_paths((reason.term, reason.seen) for reason in found)


def asked_paths(found: Iterable[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """Return the paths among the matches of terms, each once."""
    return tuple(dict.fromkeys(path for term, seen in found if term.startswith(_PATH) for path in seen))


@dataclass(frozen=True, slots=True)
class PatchChange:
    """A change of a patch: its facts before and after, and the kinds of *changes*."""

    before: Facts
    after: Facts
    changes: frozenset[OnKind]


@dataclass(frozen=True, slots=True)
class ChangeMatch:
    """A subscription that a change matches, with the reasons.

    *named* are the kinds of changes that its `on:` names; *posted* are these and those that made its query true.
    """

    match: Match
    named: frozenset[OnKind]
    posted: frozenset[OnKind]


def change_matches(index: Index, happened: PatchChange) -> Iterator[ChangeMatch]:
    """Return the subscriptions that a change matches, in the order of their ids.

    `on:` applies to each change of a patch that the query matches now. A change of something that the query itself
    tests applies if it makes the query true: it matches now, and did not before.
    """
    if not index.has_subscriptions_to(happened.changes):
        return
    subscriptions = index.find_changed(happened.after, happened.changes)
    named = [happened.changes.intersection(each.query.options.on) for each in subscriptions]
    matched_before = set() if all(named) else index.find(happened.before)
    kinds: dict[SubscriptionId, tuple[frozenset[OnKind], frozenset[OnKind]]] = {}
    for subscription, kinds_named in zip(subscriptions, named, strict=True):
        came_true = subscription.id not in matched_before
        implied = subscription.query.implied & happened.changes if came_true else frozenset()
        if posted := kinds_named | implied:
            kinds[subscription.id] = kinds_named, posted
    if kinds:
        for match in index.match(happened.after, lambda each: each.id in kinds):
            yield ChangeMatch(match, *kinds[match.subscription.id])


FOLLOW: Final = SubscriptionId(0)  # stands for a follow among the reasons of a card; no subscription has it
_REASON: Final = MatchReason(FOLLOW, Reason(TermOutcome.FOUND, "follow", ()))


def with_followers(matches: Sequence[RoomMatch], chats: Iterable[RoomId]) -> list[RoomMatch]:
    """Return *matches* with a match for each of *chats*, by room; one that matches anyway has one reason more.

    A follow brings a card at once, even if the subscriptions of the chat wait for a digest.
    """
    by_room = {match.room: match for match in matches}
    for chat in chats:
        match = by_room.get(chat, RoomMatch(chat, (), ()))
        options = tuple(dict.fromkeys((*match.options, NO_OPTIONS)))
        by_room[chat] = replace(match, why=(*match.why, _REASON), options=options)
    return [by_room[room] for room in sorted(by_room)]


def only_followed(match: RoomMatch) -> bool:
    """Return whether a room gets something only because somebody follows it."""
    return all(each.subscription == FOLLOW for each in match.why)
