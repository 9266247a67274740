"""A hundred thousand subscriptions at once.

Each different query is kept and decided once, however many rooms gave it. One of its wanted terms is its anchor:
a term that can be looked up, so that only patches with one of its values are put before the query at all. The
look-ups may offer too many queries and never too few; the query's own tree decides, and gives the reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from bot.ids import RoomId, SubscriptionId
from bot.subscriptions.paths import PathTrie
from bot.subscriptions.query import And, Key, Node, Not, Query, Term
from bot.subscriptions.verdict import Facts, Hits, Judge, Reason, domain_of, hits_of

_Handle: TypeAlias = tuple[Key, str]
"""One thing to look up: a path pattern, or another key's value in folded case."""

_ANCHOR_KEYS = (Key.PATH, Key.FROM, Key.PREFIX, Key.PROJECT)  # the most telling first


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a room asked to hear of."""

    id: SubscriptionId
    room: RoomId
    query: Query


@dataclass(frozen=True, slots=True)
class Match:
    """A subscription that a patch is for, and why."""

    subscription: Subscription
    reasons: tuple[Reason, ...]


@dataclass(eq=False, slots=True)
class _Entry:
    """One query and those who gave it; without *anchor* it is decided for every patch."""

    query: Query
    anchor: tuple[_Handle, ...]
    subscriptions: dict[SubscriptionId, Subscription] = field(default_factory=dict)


class Index:
    """All subscriptions, to be asked patch by patch; a change touches only the terms of its own query."""

    def __init__(self) -> None:
        self._subscriptions: dict[SubscriptionId, Subscription] = {}
        self._entries: dict[Query, _Entry] = {}
        self._anchored: dict[_Handle, set[_Entry]] = {}
        self._unanchored: set[_Entry] = set()
        self._patterns: PathTrie[str] = PathTrie()
        self._pattern_uses: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._subscriptions)

    @property
    def scanned(self) -> int:
        """How many subscriptions have no anchor, so that every patch is held against them."""
        return sum(len(entry.subscriptions) for entry in self._unanchored)

    def add(self, subscription: Subscription) -> None:
        """Take *subscription* in; it replaces one of the same id."""
        if subscription.id in self._subscriptions:
            self.remove(subscription.id)
        entry = self._entries.get(subscription.query) or self._add_query(subscription.query)
        entry.subscriptions[subscription.id] = subscription
        self._subscriptions[subscription.id] = subscription

    def remove(self, id_: SubscriptionId) -> None:
        """Forget a subscription; one that is not there is left alone."""
        subscription = self._subscriptions.pop(id_, None)
        if subscription is None:
            return
        entry = self._entries[subscription.query]
        del entry.subscriptions[id_]
        if not entry.subscriptions:
            self._remove_query(entry)

    def match(self, facts: Facts) -> list[Match]:
        """The subscriptions that a patch is for, in the order of their ids."""
        hits = hits_of(self._patterns, facts.paths)
        judge = Judge(facts, hits)
        matches: list[Match] = []
        for entry in self._candidates(facts, hits):
            if judge.accepts(entry.query):
                reasons = judge.decide(entry.query).reasons
                matches += [Match(each, reasons) for each in entry.subscriptions.values()]
        return sorted(matches, key=lambda match: match.subscription.id)

    def _candidates(self, facts: Facts, hits: Hits) -> set[_Entry]:
        found = set(self._unanchored)
        for handle in _handles_of(facts, hits):
            if (entries := self._anchored.get(handle)) is not None:
                found |= entries
        return found

    def _add_query(self, query: Query) -> _Entry:
        entry = self._entries[query] = _Entry(query, _anchor_of(query.tree))
        for pattern in query.patterns:
            uses = self._pattern_uses.get(pattern, 0)
            if not uses:
                self._patterns.add(pattern, pattern)
            self._pattern_uses[pattern] = uses + 1
        for handle in entry.anchor:
            self._anchored.setdefault(handle, set()).add(entry)
        if not entry.anchor:
            self._unanchored.add(entry)
        return entry

    def _remove_query(self, entry: _Entry) -> None:
        del self._entries[entry.query]
        for pattern in entry.query.patterns:
            self._pattern_uses[pattern] -= 1
            if not self._pattern_uses[pattern]:
                del self._pattern_uses[pattern]
                self._patterns.remove(pattern, pattern)
        for handle in entry.anchor:
            self._anchored[handle].discard(entry)
            if not self._anchored[handle]:
                del self._anchored[handle]
        self._unanchored.discard(entry)


def _anchor_of(node: Node) -> tuple[_Handle, ...]:
    """Handles of which every match of *node* has at least one; none where nothing can be looked up."""
    match node:
        case Term(key, values):
            return _handles(key, values)
        case Not():
            return ()
        case And(parts):
            anchors = [anchor for part in parts if (anchor := _anchor_of(part))]
            return min(anchors, key=lambda anchor: _ANCHOR_KEYS.index(anchor[0][0]), default=())
        case _:
            assert_never(node)


def _handles(key: Key, values: tuple[str, ...]) -> tuple[_Handle, ...]:
    """A handle for each of the *values*; none if one of them can only be searched for."""
    match key:
        case Key.PATH:
            return tuple((key, value) for value in values)
        case Key.FROM if not all("@" in value for value in values):
            return ()
        case Key.FROM | Key.PREFIX | Key.PROJECT:
            return tuple(dict.fromkeys((key, value.casefold()) for value in values))
        case Key.SUBJECT:
            return ()
        case _:
            assert_never(key)


def _handles_of(facts: Facts, hits: Hits) -> Iterator[_Handle]:
    """Everything in a patch that an anchor may name."""
    for pattern in hits:
        yield Key.PATH, pattern
    yield Key.FROM, facts.submitter.email.casefold()
    yield Key.FROM, domain_of(facts.submitter.email)
    for prefix in facts.prefixes:
        yield Key.PREFIX, prefix.casefold()
    yield Key.PROJECT, facts.project.casefold()
