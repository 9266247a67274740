"""By what a query can be looked up, and what of a patch it is looked up with.

A handle is one thing to look up: a path pattern, an address, a state, or a part of a text. A query is anchored where
every match of it has one of some handles at least; it is certain where, beyond that, handles alone decide it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from bot.query.key_spec import Handle
from bot.query.query import And, Node, Not, Or, Term


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
            handles = [found.handle for value in values if (found := key.spec.handle(value)) is not None]
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
    """Handles of which a patch has one just when *node* matches; None where there are none such."""
    match node:
        case Term(key, values):
            found = [key.spec.handle(value) for value in values]
            handles = [each.handle for each in found if each is not None and each.decides]
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
