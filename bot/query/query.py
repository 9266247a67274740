"""Represents a query as a tree with one canonical text.

    Node = And    all parts must match; excludes take precedence, and at least one part is not an exclude
         | Or     one of its parts must match; no part is an exclude
         | Not    its part, which is not an exclude, must not match
         | Term   one key, and the values of which one must match

An And is never a part of an And, nor an Or of an Or; both have two or more parts, all different. `all_of` and `any_of`
ensure this. `str` of a query is its canonical text: parsing that again gives an equal query, and different queries have
different texts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from bot.query.facts import FactName
from bot.query.keys import Key
from bot.query.options import DEFAULT_ON, NO_OPTIONS, OnKind, SubscriptionOptions
from bot.query.values import IsFlag, Regex, Value
from bot.text import DASHES

_NEEDS_QUOTES = frozenset(',，、;；|｜"(){}\\')
_BEGINS_OTHERWISE = frozenset("/!！:^'`´′‘‚‛＇«»‹›「『" + DASHES)
_ENDS_OTHERWISE = ("...", "…")


@dataclass(frozen=True, slots=True)
class Term:
    """A key and its values, of which one must match; the values are in the canonical form of the key."""

    key: Key
    values: tuple[Value, ...]
    _text: str | None = field(default=None, init=False, repr=False, compare=False)  # None until somebody asks

    def __str__(self) -> str:
        text = self._text
        if text is None:
            text = f"{self.key}:{self.spelled_values}"
            object.__setattr__(self, "_text", text)
        return text

    @property
    def spelled_values(self) -> str:
        """The values in canonical text."""
        is_literal = self.key.spec.is_literal
        return ",".join(spelled(value, is_literal=is_literal) for value in self.values)

    @property
    def facts(self) -> frozenset[FactName]:
        """The facts that decide whether it matches."""
        return frozenset(fact for value in self.values for fact in self.key.spec.facts_for(value))


@dataclass(frozen=True, slots=True)
class Not:
    """A part that must not match."""

    part: "Node"

    def __str__(self) -> str:
        return f"-{_grouped(self.part)}"


@dataclass(frozen=True, slots=True)
class And:
    """Parts that must all match."""

    parts: "tuple[Node, ...]"

    def __str__(self) -> str:
        return " ".join(map(_grouped, self.parts))


@dataclass(frozen=True, slots=True)
class Or:
    """Parts of which one must match."""

    parts: "tuple[Node, ...]"

    def __str__(self) -> str:
        return " OR ".join(map(_grouped, self.parts))


Node: TypeAlias = And | Or | Not | Term

# The kinds of changes that may change a fact; Patchwork has the delegate, archived and trailers besides the state.
_CHANGES = {
    FactName.STATE: OnKind.STATE,
    FactName.FORMER_STATE: OnKind.STATE,
    FactName.DELEGATE: OnKind.STATE,
    FactName.REVIEWERS: OnKind.STATE,
    FactName.IS_ARCHIVED: OnKind.STATE,
    FactName.CHECK: OnKind.CHECK,
    FactName.CHECKS: OnKind.CHECK,
}
_DEFAULT_KINDS = frozenset(DEFAULT_ON)
_NOTHING = frozenset[OnKind]()


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: the tree that decides which patches match, and the options for matching patches."""

    tree: Node
    options: SubscriptionOptions = NO_OPTIONS
    _implied: frozenset[OnKind] | None = field(default=None, init=False, repr=False, compare=False)
    _is_queue: bool | None = field(default=None, init=False, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.tree} {self.options}" if self.options else str(self.tree)

    @property
    def news_kinds(self) -> frozenset[OnKind]:
        """The kinds of news to post: those of `on:` (default: new and revision), and those that terms imply."""
        if self.is_queue:
            return _NOTHING
        if not self.options.on and not self.implied:
            return _DEFAULT_KINDS
        return self.implied.union(self.options.on or DEFAULT_ON)

    @property
    def is_queue(self) -> bool:
        """Return whether its digest is a queue, by `as:queue` or because it asks whose turn it is; it posts no news."""
        if self._is_queue is None:
            by_turn = any(FactName.TURN in term.facts for term in terms_of(self.tree))
            object.__setattr__(self, "_is_queue", self.options.as_queue or by_turn)
        return bool(self._is_queue)

    @property
    def implied(self) -> frozenset[OnKind]:
        """The kinds of changes by which the query can become true, so that it is evaluated again after these."""
        if self._implied is None:
            may_imply = [
                term for term in positive_terms(self.tree) if not _CHANGES.keys().isdisjoint(term.key.spec.facts)
            ]
            facts = (fact for term in may_imply for fact in term.facts)
            object.__setattr__(self, "_implied", frozenset(_CHANGES[fact] for fact in facts if fact in _CHANGES))
        return self._implied or frozenset()


def all_of(parts: Iterable[Node]) -> Node:
    """Return a node that matches if all *parts* match, of which there is at least one."""
    flat = dict.fromkeys(each for part in parts for each in (part.parts if isinstance(part, And) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else And(tuple(flat))


def any_of(parts: Iterable[Node]) -> Node:
    """Return a node that matches if one of *parts* matches, of which there is at least one."""
    flat = dict.fromkeys(each for part in parts for each in (part.parts if isinstance(part, Or) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else Or(tuple(flat))


def terms_of(node: Node) -> Iterator[Term]:
    """Yield all terms in *node* in order, including excluded ones."""
    match node:
        case Term():
            yield node
        case Not(part):
            yield from terms_of(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from terms_of(part)
        case _:
            assert_never(node)


def positive_terms(node: Node) -> Iterator[Term]:
    """Return all terms in *node* in order, without excluded ones."""
    match node:
        case Term():
            yield node
        case Not():
            return
        case And(parts) | Or(parts):
            for part in parts:
                yield from positive_terms(part)
        case _:
            assert_never(node)


def facts_in(node: Node) -> frozenset[FactName]:
    """Return the facts that decide whether *node* matches."""
    return frozenset(fact for term in terms_of(node) for fact in term.facts)


def patterns_of(node: Node) -> tuple[str, ...]:
    """Return all path patterns in *node*, including excluded ones, each once."""
    return tuple(
        dict.fromkeys([str(value) for term in terms_of(node) if term.key is Key.PATH for value in term.values])
    )


def depth_of(node: Node) -> int:
    """Return the depth of nested parentheses in the canonical text of *node*."""
    match node:
        case Term():
            return 0
        case Not(part):
            return depth_of(part) + isinstance(part, And | Or)
        case And(parts) | Or(parts):
            return max(depth_of(part) + isinstance(part, And | Or) for part in parts)
        case _:
            assert_never(node)


def resolved(query: Query, addresses: Iterable[str]) -> Query:
    """Return *query* with `from:` the owner's *addresses* instead of `is:mine`; without any it matches nothing."""
    mine = Term(Key.FROM, tuple(dict.fromkeys(addresses)))
    return replace(query, tree=_resolved(query.tree, mine)) if mine.values else query


def _resolved(node: Node, mine: Term) -> Node:
    match node:
        case Term(Key.IS, values) if IsFlag.MINE in values:
            others = tuple(value for value in values if value is not IsFlag.MINE)
            return any_of([mine, Term(Key.IS, others)] if others else [mine])
        case Term():
            return node
        case Not(part):
            return Not(_resolved(part, mine))
        case And(parts):
            return all_of(_resolved(part, mine) for part in parts)
        case Or(parts):
            return any_of(_resolved(part, mine) for part in parts)
        case _:
            assert_never(node)


def _grouped(node: Node) -> str:
    return f"({node})" if isinstance(node, And | Or) else str(node)


def spelled(value: Value, *, is_literal: bool = False) -> str:
    """Return the value as written in a query, in quotes only if necessary; *is_literal* if a `*` is no wildcard."""
    text = str(value)
    reads_otherwise = text[:1] in _BEGINS_OTHERWISE or text.endswith(_ENDS_OTHERWISE)
    is_plain = _NEEDS_QUOTES.isdisjoint(text) and text.split() == [text] and not reads_otherwise
    if isinstance(value, Regex) or (is_plain and not (is_literal and text.strip("*") not in {"", text})):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
