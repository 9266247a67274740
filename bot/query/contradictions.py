"""Terms of a query that no patch can match together. Pure."""

from itertools import combinations

from bot.query.query import And, Key, Node, Not, Or, Term
from bot.query.values import Bound

_ONE_OF_EACH = frozenset({Key.PROJECT, Key.SERVER, Key.STATE, Key.DELEGATE, Key.VERSION, Key.PATCHES})


def contradiction(node: Node) -> tuple[Term, Term] | None:
    """Two terms in *node* that cannot both hold, None without any; one that is wanted and excluded comes twice."""
    match node:
        case And(parts):
            return _between(parts) or next(filter(None, map(contradiction, parts)), None)
        case Or(parts):
            return next(filter(None, map(contradiction, parts)), None)
        case Term() | Not():
            return None


def _between(parts: tuple[Node, ...]) -> tuple[Term, Term] | None:
    wanted = [part for part in parts if isinstance(part, Term)]
    excluded = {part.part for part in parts if isinstance(part, Not)}
    if (both := next((term for term in wanted if term in excluded), None)) is not None:
        return both, both
    return next((pair for pair in combinations(wanted, 2) if _exclude_each_other(*pair)), None)


def _exclude_each_other(first: Term, second: Term) -> bool:
    """Whether both ask for one value of what a patch has one of, and for different ones."""
    if first.key is not second.key or first.key not in _ONE_OF_EACH:
        return False
    values = (*first.values, *second.values)
    if not all(isinstance(value, str) or (isinstance(value, Bound) and value.sign == "=") for value in values):
        return False
    return _folded(first).isdisjoint(_folded(second))


def _folded(term: Term) -> set[str]:
    return {str(value).casefold() for value in term.values}
