"""A query as a tree, and the one way to write it.

    Node = And    all of its parts, of which excludes always win
         | Not    what must not match
         | Term   one key and the values of which one must match

`str` of a query is its canonical text: reading that again gives the same tree.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never

_NEEDS_QUOTES = frozenset(',"()')


class Key(StrEnum):
    """What a term looks at."""

    PATH = "path"
    FROM = "from"
    PROJECT = "project"
    SUBJECT = "subject"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True)
class Term:
    """One key and its values, of which one must match; each is checked and canonical for its key."""

    key: Key
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.key}:{self.spelled_values}"

    @property
    def spelled_values(self) -> str:
        """The values as the canonical text has them."""
        return ",".join(map(_quoted, self.values))


@dataclass(frozen=True, slots=True)
class Not:
    """A term that must not match."""

    part: Term

    def __str__(self) -> str:
        return f"-{self.part}"


@dataclass(frozen=True, slots=True)
class And:
    """Parts that must all hold."""

    parts: "tuple[Node, ...]"

    def __str__(self) -> str:
        return " ".join(map(str, self.parts))


Node: TypeAlias = And | Not | Term


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody wants to hear of; equal queries have equal canonical texts, and the reverse."""

    tree: And

    def __str__(self) -> str:
        return str(self.tree)

    @property
    def patterns(self) -> tuple[str, ...]:
        """All path patterns in it, wanted or excluded, each once."""
        values = (value for term in terms_of(self.tree) if term.key is Key.PATH for value in term.values)
        return tuple(dict.fromkeys(values))


def terms_of(node: Node) -> list[Term]:
    """All terms below *node*, in order, excluded ones too."""
    match node:
        case Term():
            return [node]
        case Not(part):
            return terms_of(part)
        case And(parts):
            return [term for part in parts for term in terms_of(part)]
        case _:
            assert_never(node)


def _quoted(value: str) -> str:
    """The value as a query spells it: in quotes only where it must be."""
    is_plain = _NEEDS_QUOTES.isdisjoint(value) and not value.startswith("/") and value.split() == [value]
    if is_plain:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
