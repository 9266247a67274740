"""The index of subscriptions: determines which of a hundred thousand match a patch.

Each distinct query is stored and evaluated once, however many rooms have it.

Theory of operation. Each handle, a value that can be looked up in a patch, has a bucket. A trie finds handles that are
path patterns, trigrams find handles that are parts of a text, and all other handles are values of the patch itself. A
query that look-ups alone decide, as most are, has the ids of its subscriptions in the buckets of its handles and of its
excluded handles, so that the matches of a patch are a union of sets. Any other query is evaluated only for patches with
its anchor: handles of which every match has at least one. A query without an anchor is evaluated for every patch.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final, NamedTuple, assert_never

from bot.ids import RoomId, SubscriptionId
from bot.query.evaluate import Evaluator, Reason
from bot.query.facts import FactName, Facts, PatchView
from bot.query.index.path_trie import Ids, PathTrie, with_id, without_id
from bot.query.index.trigrams import WordIndex
from bot.query.key_spec import Handle, HandleField
from bot.query.keys import Key
from bot.query.options import ARRIVALS, OnKind
from bot.query.query import And, Node, Not, Or, Query, Term, patterns_of, terms_of

_MAX_REMEMBERED: Final = 4096  # sources of one field


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


class Match(NamedTuple):
    """A subscription that matches a patch, and the reasons."""

    subscription: Subscription
    reasons: tuple[Reason, ...]


@dataclass(eq=False, slots=True)
class _Entry:
    """A query and the ids of its subscriptions, of which nearly all queries have one."""

    tree: Node
    looks_at_reviewers: bool
    ids: Ids[SubscriptionId] = ()


@dataclass(eq=False, slots=True)
class _Bucket:
    """The subscriptions that a handle includes or excludes, and the queries to evaluate for patches with the handle.

    Nearly all buckets have one of these.
    """

    matches: Ids[SubscriptionId] = ()
    exclusions: Ids[SubscriptionId] = ()
    candidates: Ids[_Entry] = ()

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
        self._remembered: dict[HandleField, dict[Hashable, list[_Bucket]]] = {}  # by the source of the handles
        self._patterns: PathTrie[str] = PathTrie()
        self._pattern_uses: dict[str, int] = {}
        self._listeners: dict[OnKind, set[SubscriptionId]] = {on: set() for on in OnKind if on not in ARRIVALS}
        self._on_review: set[SubscriptionId] = set()
        self._queues: set[SubscriptionId] = set()

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

    @property
    def has_queues(self) -> bool:
        """Return whether any subscription posts a queue."""
        return bool(self._queues)

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
        """Return the ids of the subscriptions that match a patch."""
        with self._lock:
            return self._find(PatchView(facts, self._patterns))

    def find_changed(self, facts: Facts, changes: Iterable[OnKind]) -> list[Subscription]:
        """Return the subscriptions that match a patch and post one of these kinds of *changes*, by id."""
        with self._lock:
            listeners = set().union(*(self._listeners[on] for on in changes))
            matching = self._find(PatchView(facts, self._patterns)) & listeners
            return [self._subscriptions[id_][0] for id_ in sorted(matching)]

    def match(self, facts: Facts, wanted: Callable[[Subscription], bool] | None = None) -> list[Match]:
        """Return the *wanted* subscriptions that match a patch with the reasons, by id.

        The reasons take longer than the match, and are found only for these. *wanted* must not use this index.
        """
        with self._lock:
            patch = PatchView(facts, self._patterns)
            found = [self._subscriptions[id_] for id_ in sorted(self._find(patch))]
            if wanted is not None:
                found = [pair for pair in found if wanted(pair[0])]
            explain = Evaluator(patch).explain
            reasons = {entry: explain(entry.tree) for entry in {entry for _, entry in found}}
            return [Match(subscription, reasons[entry]) for subscription, entry in found]

    def has_subscriptions_to(self, changes: Iterable[OnKind]) -> bool:
        """Return whether any subscription posts one of these kinds of *changes*."""
        return any(self._listeners[on] for on in changes)

    def _changed(self) -> None:
        self.changes += 1
        self._remembered.clear()
        self.on_change()

    def _add(self, subscription: Subscription) -> None:
        self._changed()
        tree = subscription.query.tree
        decision = decision_of(tree)
        entry = self._entries.get(tree) or self._add_tree(tree, decision)
        entry.ids = with_id(entry.ids, subscription.id)
        self._subscriptions[subscription.id] = subscription, entry
        for on in subscription.query.news_kinds - ARRIVALS:
            self._listeners[on].add(subscription.id)
        if entry.looks_at_reviewers:
            self._on_review.add(subscription.id)
        if subscription.query.is_queue:
            self._queues.add(subscription.id)
        if decision is not None:
            for handle in decision.any_of:
                bucket = self._bucket(handle)
                bucket.matches = with_id(bucket.matches, subscription.id)
            for handle in decision.none_of:
                bucket = self._bucket(handle)
                bucket.exclusions = with_id(bucket.exclusions, subscription.id)

    def _remove(self, id_: SubscriptionId) -> None:
        _, entry = self._subscriptions.pop(id_, (None, None))
        if entry is None:
            return
        self._changed()
        entry.ids = without_id(entry.ids, id_)
        for listeners in self._listeners.values():
            listeners.discard(id_)
        self._on_review.discard(id_)
        self._queues.discard(id_)
        if (decision := decision_of(entry.tree)) is not None:
            for handle in decision.any_of:
                bucket = self._bucket(handle)
                bucket.matches = without_id(bucket.matches, id_)
                self._tidy(handle)
            for handle in decision.none_of:
                bucket = self._bucket(handle)
                bucket.exclusions = without_id(bucket.exclusions, id_)
                self._tidy(handle)
        if not entry.ids:
            self._remove_tree(entry)

    def _find(self, patch: PatchView) -> set[SubscriptionId]:
        ids, candidates = self._look_up(patch)
        if candidates:
            accepts = Evaluator(patch).accepts
            for entry in candidates:
                if accepts(entry.tree):
                    ids.update(entry.ids)
        return ids

    def _look_up(self, patch: PatchView) -> tuple[set[SubscriptionId], set[_Entry]]:
        """Return the ids that look-ups alone match with a patch, and the queries that remain to be evaluated."""
        if not self._remembered:
            self._remembered = {handle_field: {} for handle_field in self._buckets}
        buckets: list[_Bucket] = []
        for handle_field, remembered in self._remembered.items():
            if handle_field.source is None:
                buckets += self._buckets_of(handle_field, patch)
                continue
            source = handle_field.source(patch.facts)
            known = remembered.get(source)
            if known is None:
                if len(remembered) >= _MAX_REMEMBERED:
                    remembered.clear()
                known = remembered[source] = self._buckets_of(handle_field, patch)
            buckets += known
        ids: set[SubscriptionId] = set().union(*[bucket.matches for bucket in buckets])
        entries = self._unanchored.copy()
        for bucket in buckets:
            if bucket.exclusions:
                ids = ids.difference(bucket.exclusions)  # iterates over the smaller set, unlike -=
            if bucket.candidates:
                entries.update(bucket.candidates)
        return ids, entries

    def _buckets_of(self, handle_field: HandleField, patch: PatchView) -> list[_Bucket]:
        """Return the buckets of a patch's handles in *handle_field*."""
        buckets = self._buckets[handle_field]
        names = handle_field.names(patch)
        if handle_field.are_parts:
            words_in = self._parts[handle_field].words_in
            return [buckets[word] for text in names for word in words_in(text)]
        return [bucket for name in names if (bucket := buckets.get(name)) is not None]

    def _add_tree(self, tree: Node, decision: HandleDecision | None) -> _Entry:
        for pattern in patterns_of(tree):
            uses = self._pattern_uses.get(pattern, 0)
            if not uses:
                self._patterns.add(pattern, pattern)
            self._pattern_uses[pattern] = uses + 1
        entry = self._entries[tree] = _Entry(tree, looks_at_reviewers=_looks_at_reviewers(tree))
        anchor = anchor_of(tree) if decision is None else ()
        for handle in anchor:
            bucket = self._bucket(handle)
            bucket.candidates = with_id(bucket.candidates, entry)
        if decision is None and not anchor:
            self._unanchored.add(entry)
        return entry

    def _remove_tree(self, entry: _Entry) -> None:
        del self._entries[entry.tree]
        self._unanchored.discard(entry)
        for handle in anchor_of(entry.tree) if decision_of(entry.tree) is None else ():
            bucket = self._bucket(handle)
            bucket.candidates = without_id(bucket.candidates, entry)
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


def _looks_at_reviewers(tree: Node) -> bool:
    terms = [term for term in terms_of(tree) if FactName.REVIEWERS in term.key.spec.facts]
    return any(FactName.REVIEWERS in term.facts for term in terms)
