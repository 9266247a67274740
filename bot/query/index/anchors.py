"""Chooses the handles by which the index finds a query.

A query is anchored where every match of it has at least one of some handles; it is decided where, beyond that, handles
alone tell whether a patch matches.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from bot.query.key_spec import Handle
from bot.query.query import And, Node, Not, Or, Term


@dataclass(frozen=True, slots=True)
class HandleDecision:
    """A query that handles alone decide: a patch matches if it has one of *any_of* and none of *none_of*."""

    any_of: tuple[Handle, ...]
    none_of: tuple[Handle, ...]


def decision_of(node: Node) -> HandleDecision | None:
    """Return how handles alone decide *node*; None where its terms must be evaluated."""
    parts = node.parts if isinstance(node, And) else (node,)
    any_of = [_exact_handles(part) for part in parts if not isinstance(part, Not)]
    none_of = [_exact_handles(part.part) for part in parts if isinstance(part, Not)]
    if len(any_of) != 1 or None in any_of or None in none_of:
        return None
    return HandleDecision(_flat(any_of), _flat(none_of))


def anchor_of(node: Node) -> tuple[Handle, ...]:
    """Return handles of which every match of *node* has one; none where only a scan helps."""
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
    """Handles of which a patch has one just when *node* matches; None where there are none such."""
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
