"""Tells whether all that one query matches is certain to match another one. Pure."""

from bot.query.index.globs import has_wildcard
from bot.query.keys import Key
from bot.query.query import And, Node, Not, Or, Query, Term
from bot.query.values import Age, Bound, Value, domain_of, folded


def covers(wide: Query, narrow: Query) -> bool:
    """Return whether *wide* is certain to match whatever *narrow* matches; in doubt it is not. Options do not count."""
    return _implies(narrow.tree, wide.tree)


def _implies(first: Node, second: Node) -> bool:
    """Return whether whatever matches *first* is certain to match *second*."""
    match first, second:
        case _, And(parts):
            return all(_implies(first, part) for part in parts)
        case Or(parts), _:
            return all(_implies(part, second) for part in parts)
        case And(parts), _ if any(_implies(part, second) for part in parts):
            return True
        case _, Or(parts):
            return any(_implies(first, part) for part in parts)
        case Not(one), Not(other):
            return _implies(other, one)
        case _:
            return isinstance(first, Term) and isinstance(second, Term) and _is_term_within(first, second)


def _is_term_within(first: Term, second: Term) -> bool:
    if first.key is not second.key:
        return False
    return all(any(_is_within(value, other, first.key) for other in second.values) for value in first.values)


def _is_within(value: Value, other: Value, key: Key) -> bool:
    """Return whether whatever matches *value* matches *other*, for values of the same key."""
    match value, other:
        case Bound(), Bound():
            return _bound_within(value, other)
        case Age(), Age():
            return value.time >= other.time
        case str(), str() if key is Key.PATH:
            is_plain = not has_wildcard(value) and not has_wildcard(other)
            return value == other or (is_plain and value.startswith(other.removesuffix("/") + "/"))
        case str(), str():
            is_in_domain = other.startswith("@") and domain_of(value) == folded(other)
            return value == other or is_in_domain or (key.spec.is_single and folded(value) == folded(other))
        case _:
            return value == other


def _bound_within(value: Bound, other: Bound) -> bool:
    if value.sign == "=":
        return other.holds(value.number)
    least = value.number + (value.sign == ">")
    if value.sign in {">", ">="} and other.sign in {">", ">="}:
        return least >= other.number + (other.sign == ">")
    most = value.number - (value.sign == "<")
    return value.sign in {"<", "<="} and other.sign in {"<", "<="} and most <= other.number - (other.sign == "<")
