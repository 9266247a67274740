"""The index of subscriptions: determines which of a hundred thousand match a patch.

Each distinct query is stored and evaluated once, however many rooms have it.

Theory of operation. Each handle, a value that can be looked up in a patch, has a bucket. A trie finds handles that are
path patterns, trigrams find handles that are parts of a text, and all other handles are values of the patch itself. A
query that look-ups alone decide, as most are, has the ids of its subscriptions in the buckets of its handles and of its
excluded handles, so that the matches of a patch are a union of sets. Any other query is evaluated only for patches with
its anchor: handles of which every match has at least one. A query without an anchor is evaluated for every patch.
"""

from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import assert_never

from bot.ids import RoomId, SubscriptionId
from bot.query.evaluate import Evaluator, Reason
from bot.query.facts import FactName, Facts, PatchView
from bot.query.index.path_trie import PathTrie
from bot.query.index.trigrams import WordIndex
from bot.query.key_spec import Handle, HandleField
from bot.query.keys import Key
from bot.query.options import ARRIVALS, OnKind
from bot.query.query import And, Node, Not, Or, Query, Term, facts_in, patterns_of


@dataclass(frozen=True, slots=True)
class HandleDecision:
    """The decision of a query by handles alone: a patch matches if it has one of *any_of* and none of *none_of*."""

    any_of: tuple[Handle, ...]
    none_of: tuple[Handle, ...]


def decision_of(node: Node) -> HandleDecision | None:
    """Return the decision of *node* by handles alone; None if its terms must be evaluated."""
    parts = node.parts if isinstance(node, And) else (node,)
    any_of = [_exact_handles(part) for part in parts if not isinstance(part, Not)]
    none_of = [_exact_handles(part.part) for part in parts if isinstance(part, Not)]
    if len(any_of) != 1 or None in any_of or None in none_of:
        return None
    return HandleDecision(_flat(any_of), _flat(none_of))


def anchor_of(node: Node) -> tuple[Handle, ...]:
    """Return handles of which every match of *node* has one; empty if it must be evaluated for every patch."""
    match node:
        case Term(key, values):
            handles = [value_handle.handle for value in values if (value_handle := key.spec.handle(value)) is not None]
            return tuple(handles) if len(handles) == len(values) else ()
        case Not():
            return ()
        case And(parts):
            return min(filter(None, map(anchor_of, parts)), key=_rank, default=())
        case Or(parts):
            anchors = [anchor_of(part) for part in parts]
            return _flat(anchors) if all(anchors) else ()
        case _:
            assert_never(node)


def _rank(anchor: tuple[Handle, ...]) -> int:
    return max(field.rank for field, _ in anchor)


def _exact_handles(node: Node) -> tuple[Handle, ...] | None:
    """Return handles of which a patch has one if and only if *node* matches; None if there are none."""
    match node:
        case Term(key, values):
            value_handles = [key.spec.handle(value) for value in values]
            handles = [each.handle for each in value_handles if each is not None and each.decides]
            return tuple(handles) if len(handles) == len(values) else None
        case Or(parts):
            of_parts = [_exact_handles(part) for part in parts]
            return None if None in of_parts else _flat(of_parts)
        case And() | Not():
            return None
        case _:
            assert_never(node)


def _flat(handles: Iterable[tuple[Handle, ...] | None]) -> tuple[Handle, ...]:
    return tuple(dict.fromkeys(handle for each in handles for handle in each or ()))


@dataclass(frozen=True, slots=True)
class Subscription:
    """A query with the room in which its matches are posted, except before *muted_until* (UTC)."""

    id: SubscriptionId
    room: RoomId
    query: Query
    muted_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A subscription that matches a patch, and the reasons."""

    subscription: Subscription
    reasons: tuple[Reason, ...]


@dataclass(eq=False, slots=True)
class _Entry:
    """A query and the ids of its subscriptions; without a *decision*, it is in the buckets of its *anchor*."""

    tree: Node
    decision: HandleDecision | None
    anchor: tuple[Handle, ...]
    ids: set[SubscriptionId] = field(default_factory=set)


@dataclass(eq=False, slots=True)
class _Bucket:
    """The subscriptions that a handle includes or excludes, and the queries to evaluate for patches with the handle."""

    matches: set[SubscriptionId] = field(default_factory=set)
    exclusions: set[SubscriptionId] = field(default_factory=set)
    candidates: set[_Entry] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        return not (self.matches or self.exclusions or self.candidates)


class Index:
    """All subscriptions; a change affects only the handles of its own query.

    Other threads may match patches during a change: they see the state before or after it.
    """

    def __init__(self) -> None:
        self.changes = 0  # number of changes so far
        self.on_change: Callable[[], None] = lambda: None
        self._lock = Lock()
        self._subscriptions: dict[SubscriptionId, tuple[Subscription, _Entry]] = {}
        self._entries: dict[Node, _Entry] = {}
        self._buckets: dict[HandleField, dict[str, _Bucket]] = {}
        self._parts = {field: WordIndex() for key in Key for field in key.spec.fields if field.are_parts}
        self._unanchored: set[_Entry] = set()
        self._patterns: PathTrie[str] = PathTrie()
        self._pattern_uses: dict[str, int] = {}
        self._listeners: dict[OnKind, set[SubscriptionId]] = {on: set() for on in OnKind if on not in ARRIVALS}
        self._on_review: set[SubscriptionId] = set()

    def __len__(self) -> int:
        return len(self._subscriptions)

    @property
    def subscriptions(self) -> list[Subscription]:
        """All subscriptions in the order in which they were added."""
        with self._lock:
            return [subscription for subscription, _ in self._subscriptions.values()]

    @property
    def scanned(self) -> int:
        """The number of subscriptions without an anchor, which are evaluated for every patch."""
        with self._lock:
            return sum(len(entry.ids) for entry in self._unanchored)

    @property
    def waits_for_reviews(self) -> bool:
        """Return whether any subscription depends on the reviewers of a patch."""
        return bool(self._on_review)

    def add(self, subscription: Subscription) -> None:
        """Add *subscription*, which replaces one with the same id."""
        with self._lock:
            self._remove(subscription.id)
            self._add(subscription)

    def remove(self, id_: SubscriptionId) -> None:
        """Remove a subscription; do nothing if there is none with this id."""
        with self._lock:
            self._remove(id_)

    def find(self, facts: Facts) -> set[SubscriptionId]:
        """Return the subscriptions that match a patch."""
        with self._lock:
            patch = PatchView(facts, self._patterns)
            return self._find(patch, Evaluator(patch))

    def match(self, facts: Facts, without: AbstractSet[SubscriptionId] = frozenset()) -> list[Match]:
        """Return the subscriptions that match a patch with the reasons, by id; the ids in *without* are ignored."""
        with self._lock:
            patch = PatchView(facts, self._patterns)
            judge = Evaluator(patch)
            return self._explain(self._find(patch, judge) - without, judge)

    def anybody_hears(self, changes: Iterable[OnKind]) -> bool:
        """Return whether any subscription posts one of these kinds of *changes*."""
        return any(self._listeners[on] for on in changes)

    def match_changed(self, facts: Facts, changes: Iterable[OnKind]) -> list[Match]:
        """Return the result of `match` for subscriptions that post one of these kinds of *changes*."""
        with self._lock:
            patch = PatchView(facts, self._patterns)
            judge = Evaluator(patch)
            listeners = set().union(*(self._listeners[on] for on in changes))
            return self._explain(self._find(patch, judge) & listeners, judge)

    def _changed(self) -> None:
        self.changes += 1
        self.on_change()

    def _add(self, subscription: Subscription) -> None:
        self._changed()
        tree = subscription.query.tree
        entry = self._entries.get(tree) or self._add_tree(tree)
        entry.ids.add(subscription.id)
        self._subscriptions[subscription.id] = subscription, entry
        for on in subscription.query.hears - ARRIVALS:
            self._listeners[on].add(subscription.id)
        if FactName.REVIEWERS in facts_in(tree):
            self._on_review.add(subscription.id)
        if entry.decision is not None:
            for handle in entry.decision.any_of:
                self._bucket(handle).matches.add(subscription.id)
            for handle in entry.decision.none_of:
                self._bucket(handle).exclusions.add(subscription.id)

    def _remove(self, id_: SubscriptionId) -> None:
        _, entry = self._subscriptions.pop(id_, (None, None))
        if entry is None:
            return
        self._changed()
        entry.ids.discard(id_)
        for listeners in self._listeners.values():
            listeners.discard(id_)
        self._on_review.discard(id_)
        if entry.decision is not None:
            for handle in entry.decision.any_of:
                self._bucket(handle).matches.discard(id_)
                self._tidy(handle)
            for handle in entry.decision.none_of:
                self._bucket(handle).exclusions.discard(id_)
                self._tidy(handle)
        if not entry.ids:
            self._remove_tree(entry)

    def _explain(self, ids: set[SubscriptionId], judge: Evaluator) -> list[Match]:
        reasons: dict[_Entry, tuple[Reason, ...]] = {}
        matches: list[Match] = []
        for id_ in sorted(ids):
            subscription, entry = self._subscriptions[id_]
            if entry not in reasons:
                reasons[entry] = judge.decide(entry.tree).reasons
            matches.append(Match(subscription, reasons[entry]))
        return matches

    def _find(self, patch: PatchView, judge: Evaluator) -> set[SubscriptionId]:
        ids, candidates = self._look_up(patch)
        for entry in candidates:
            if judge.accepts(entry.tree):
                ids |= entry.ids
        return ids

    def _look_up(self, patch: PatchView) -> tuple[set[SubscriptionId], set[_Entry]]:
        """Return the ids that look-ups alone match with a patch, and the queries that remain to be evaluated."""
        matches: list[set[SubscriptionId]] = []
        exclusions: list[set[SubscriptionId]] = []
        candidates = [self._unanchored]
        for handle_field, buckets in self._buckets.items():
            for name in self._names_in(handle_field, patch):
                bucket = buckets.get(name)
                if bucket is None:
                    continue
                matches.append(bucket.matches)
                if bucket.exclusions:
                    exclusions.append(bucket.exclusions)
                if bucket.candidates:
                    candidates.append(bucket.candidates)
        matching: set[SubscriptionId] = set().union(*matches)
        for ids in exclusions:
            matching = matching - ids  # iterates over the smaller set, unlike -=
        entries: set[_Entry] = set().union(*candidates)
        return matching, entries

    def _names_in(self, handle_field: HandleField, patch: PatchView) -> Collection[str]:
        """Return the names of a patch's handles in *handle_field*, which may include names without a bucket."""
        names = handle_field.names(patch)
        return (
            [word for text in names for word in self._parts[handle_field].words_in(text)]
            if handle_field.are_parts
            else names
        )

    def _add_tree(self, tree: Node) -> _Entry:
        for pattern in patterns_of(tree):
            uses = self._pattern_uses.get(pattern, 0)
            if not uses:
                self._patterns.add(pattern, pattern)
            self._pattern_uses[pattern] = uses + 1
        decision = decision_of(tree)
        anchor = () if decision is not None else anchor_of(tree)
        entry = self._entries[tree] = _Entry(tree, decision, anchor)
        for handle in anchor:
            self._bucket(handle).candidates.add(entry)
        if decision is None and not anchor:
            self._unanchored.add(entry)
        return entry

    def _remove_tree(self, entry: _Entry) -> None:
        del self._entries[entry.tree]
        self._unanchored.discard(entry)
        for handle in entry.anchor:
            self._bucket(handle).candidates.discard(entry)
            self._tidy(handle)
        for pattern in patterns_of(entry.tree):
            self._pattern_uses[pattern] -= 1
            if not self._pattern_uses[pattern]:
                del self._pattern_uses[pattern]
                self._patterns.remove(pattern, pattern)

    def _bucket(self, handle: Handle) -> _Bucket:
        """Return the bucket of *handle*, which is created if there is none."""
        handle_field, name = handle
        buckets = self._buckets.setdefault(handle_field, {})
        bucket = buckets.get(name)
        if bucket is None:
            bucket = buckets[name] = _Bucket()
            if handle_field.are_parts:
                self._parts[handle_field].add(name)
        return bucket

    def _tidy(self, handle: Handle) -> None:
        """Drop the bucket of *handle* if it is empty."""
        handle_field, name = handle
        if self._bucket(handle).is_empty:
            del self._buckets[handle_field][name]
            if handle_field.are_parts:
                self._parts[handle_field].remove(name)
            if not self._buckets[handle_field]:
                del self._buckets[handle_field]
