"""By what a query can be looked up, and what of a patch it is looked up with.

A handle is one thing to look up: a path pattern, an address, a state, or a part of a text. A query is anchored where
every match of it has one of some handles at least; it is certain where, beyond that, handles alone decide it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import TypeAlias, assert_never

from bot.query.facts import Facts
from bot.query.index.trigrams import MIN_CHARACTERS
from bot.query.keys import Key
from bot.query.query import And, Node, Not, Or, Term
from bot.query.values import ANY_STATE, CheckCondition, IsFlag, Value, domain_of, folded


class HandleField(IntEnum):
    """Where a handle is looked up; the most telling first."""

    PATH = auto()
    SECTION_ADDRESS = auto()
    FROM = auto()
    TO = auto()
    CC = auto()
    SECTION_PART = auto()
    NAME_PART = auto()
    SUBJECT_PART = auto()
    PREFIX = auto()
    DELEGATE = auto()
    CHECK = auto()
    STATE = auto()
    IS = auto()
    PROJECT = auto()
    SERVER = auto()


Handle: TypeAlias = tuple[HandleField, str]

_PART_KEYS = {
    Key.MAINT: HandleField.SECTION_PART,
    Key.FROM: HandleField.NAME_PART,
    Key.SUBJECT: HandleField.SUBJECT_PART,
}
PART_FIELDS = frozenset(_PART_KEYS.values())


@dataclass(frozen=True, slots=True)
class Certain:
    """A query that handles decide: a patch matches that has one of *wanted* and none of *barred*."""

    wanted: tuple[Handle, ...]
    barred: tuple[Handle, ...]


def certain(node: Node) -> Certain | None:
    """How handles alone decide *node*; None where its terms must be looked at."""
    parts = node.parts if isinstance(node, And) else (node,)
    wanted = [_exact_handles(part) for part in parts if not isinstance(part, Not)]
    barred = [_exact_handles(part.part) for part in parts if isinstance(part, Not)]
    if len(wanted) != 1 or None in wanted or None in barred:
        return None
    return Certain(_flat(wanted), _flat(barred))


def anchor_of(node: Node) -> tuple[Handle, ...]:
    """Handles of which every match of *node* has one; none where only a scan helps."""
    match node:
        case Term(key, values):
            handles = [_needed(key, value) for value in values]
            return () if None in handles else tuple(handle for handle in handles if handle is not None)
        case Not():
            return ()
        case And(parts):
            return min(filter(None, map(anchor_of, parts)), key=_rank, default=())
        case Or(parts):
            anchors = [anchor_of(part) for part in parts]
            return _flat(anchors) if all(anchors) else ()
        case _:
            assert_never(node)


def names_in(field: HandleField, facts: Facts) -> Collection[str]:
    """The names of all handles of *field* that a patch has; of PART_FIELDS, the texts whose parts they are."""
    return _NAMES[field](facts)


def _rank(anchor: tuple[Handle, ...]) -> int:
    return max(place for place, _ in anchor)


def _exact_handles(node: Node) -> tuple[Handle, ...] | None:
    """Handles of which a patch has one just when *node* matches; None where there are none such."""
    match node:
        case Term(key, values):
            handles = [_exact(key, value) for value in values]
            return tuple(handle for handle in handles if handle is not None) if None not in handles else None
        case Or(parts):
            of_parts = [_exact_handles(part) for part in parts]
            return None if None in of_parts else _flat(of_parts)
        case And() | Not():
            return None
        case _:
            assert_never(node)


def _flat(handles: Iterable[tuple[Handle, ...] | None]) -> tuple[Handle, ...]:
    return tuple(dict.fromkeys(handle for each in handles for handle in each or ()))


def _exact(key: Key, value: Value) -> Handle | None:
    """The handle that a patch has just when *value* matches."""
    text = folded(str(value))
    match key, value:
        case Key.PATH, _:
            return HandleField.PATH, str(value)
        case Key.CHECK, CheckCondition(context=str()):
            return None
        case Key.SUBJECT, str() if len(text.split()) == 1:
            return _part(key, text)
        case Key.FROM, _ if "@" not in text:
            return _part(key, text)
        case _:
            return (_EXACT_FIELDS[key], text) if key in _EXACT_FIELDS else None


def _needed(key: Key, value: Value) -> Handle | None:
    """A handle that every patch has that *value* matches."""
    text = folded(str(value))
    match key, value:
        case Key.CHECK, CheckCondition(state, str()):
            return HandleField.CHECK, f"{state}/"
        case Key.MAINT, _:
            return (HandleField.SECTION_ADDRESS, text) if "@" in text else _part(key, text)
        case Key.SUBJECT, str():
            return _part(key, max(text.split(), key=len))
        case _:
            return _exact(key, value)


def _part(key: Key, text: str) -> Handle | None:
    return (_PART_KEYS[key], text) if len(text) >= MIN_CHARACTERS else None


def _address_names(addresses: Iterable[str]) -> set[str]:
    return {name for address in addresses for name in (folded(address), domain_of(address))}


def _states(facts: Facts) -> Iterator[str]:
    state, former = facts.slug, facts.former_slug
    if state is None:
        return
    yield state
    if former is not None and former != state:
        yield from (f"{before}->{after}" for before in (ANY_STATE, former) for after in (ANY_STATE, state))


def _checks(facts: Facts) -> Iterator[str]:
    if facts.check is not None:
        yield facts.check
    yield from (f"{state}/" for _, state in facts.more.checks)


def _kinds(facts: Facts) -> Iterator[str]:
    is_so = {
        IsFlag.PULL: facts.is_pull,
        IsFlag.COMPLETE: facts.is_complete,
        IsFlag.REVIEWED: bool(facts.reviewers),
        IsFlag.ARCHIVED: facts.is_archived,
    }
    return (kind for kind, holds in is_so.items() if holds)


_EXACT_FIELDS = {
    Key.FROM: HandleField.FROM,
    Key.TO: HandleField.TO,
    Key.CC: HandleField.CC,
    Key.PREFIX: HandleField.PREFIX,
    Key.DELEGATE: HandleField.DELEGATE,
    Key.CHECK: HandleField.CHECK,
    Key.STATE: HandleField.STATE,
    Key.IS: HandleField.IS,
    Key.PROJECT: HandleField.PROJECT,
    Key.SERVER: HandleField.SERVER,
}

_NAMES: dict[HandleField, Callable[[Facts], Collection[str]]] = {
    HandleField.SECTION_ADDRESS: lambda facts: _address_names(
        address for each in facts.more.sections for address in each.section.people
    ),
    HandleField.FROM: lambda facts: _address_names((facts.submitter.email,)),
    HandleField.TO: lambda facts: _address_names(facts.to),
    HandleField.CC: lambda facts: _address_names(facts.cc),
    HandleField.SECTION_PART: lambda facts: [folded(each.section.name) for each in facts.more.sections],
    HandleField.NAME_PART: lambda facts: (folded(facts.submitter.name),),
    HandleField.SUBJECT_PART: lambda facts: [folded(subject) for subject in facts.subjects],
    HandleField.PREFIX: lambda facts: {folded(prefix) for prefix in facts.prefixes},
    HandleField.DELEGATE: lambda facts: (folded(facts.delegate),) if facts.delegate else (),
    HandleField.CHECK: lambda facts: set(_checks(facts)),
    HandleField.STATE: lambda facts: tuple(_states(facts)),
    HandleField.IS: lambda facts: tuple(_kinds(facts)),
    HandleField.PROJECT: lambda facts: (folded(facts.project),),
    HandleField.SERVER: lambda facts: (folded(facts.server),),
}
