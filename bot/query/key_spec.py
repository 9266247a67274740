"""The specification of a key of the query language: grammar, evaluation, index and help.

A handle is a value by which the index finds queries: a path pattern, an address, a state, or a part of a text.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from bot.query.facts import MAX_SEEN, FactName, Facts, PatchView, Things
from bot.query.index.trigrams import MIN_CHARACTERS
from bot.query.values import Value, folded


@dataclass(frozen=True, slots=True, eq=False)
class HandleField:
    """A field of patches in which handles are looked up.

    *rank* orders the fields by the selectivity of their handles, the best first. *names* returns the names of all
    handles of a patch; if the handles *are_parts* of texts, it returns these texts, folded. They depend only on the
    *source*, which is the same for many patches and can be hashed quickly; None if there is no such thing.
    """

    rank: int
    names: Callable[[PatchView], Collection[str]]
    are_parts: bool = False
    source: Callable[[Facts], Hashable] | None = None


# The facts of few values: a text, or a tuple of texts.
_SOURCES = frozenset(
    {
        FactName.SERVER,
        FactName.PROJECT,
        FactName.SUBJECTS,
        FactName.PREFIXES,
        FactName.TO,
        FactName.CC,
        FactName.DELEGATE,
    }
)

Handle: TypeAlias = tuple[HandleField, str]


class ValueHandle(NamedTuple):
    """A handle of every patch that a value matches; if it *decides*, no other patch has it."""

    handle: Handle
    decides: bool = True


def source_of(facts: tuple[FactName, ...]) -> Callable[[Facts], Hashable] | None:
    """Return the source of handles that depend on *facts*; None unless this is one of `_SOURCES`."""
    return attrgetter(facts[0].value) if len(facts) == 1 and facts[0] in _SOURCES else None


def part_handle(field: HandleField, text: str, *, decides: bool) -> ValueHandle | None:
    """Return the handle for a part of a text; None if it is too short to be looked up."""
    return ValueHandle((field, text), decides) if len(text) >= MIN_CHARACTERS else None


@dataclass(frozen=True, kw_only=True, eq=False)
class KeySpec(ABC):
    """The specification of one key: grammar, evaluation, explanation, index and help.

    *example* and *meaning* are shown in help. *facts* are those that decide whether a term matches. A key *is_single*
    if a patch has only one value of it, so that two terms with different values contradict each other. A value that
    *may_begin_with_dash* is not taken for an exclude; in one that *is_literal* a `*` is no wildcard.
    """

    name: str
    example: str
    meaning: str
    facts: tuple[FactName, ...]
    short_name: str | None = None
    names_elsewhere: tuple[str, ...] = ()  # its names in other tools
    more: tuple[str, ...] = ()  # further sentences of help, with code between backquotes
    words: tuple[str, ...] = ()  # by which questions find it
    takes_regex: bool = False
    takes_leading_slash: bool = False
    is_single: bool = False
    may_begin_with_dash: bool = False
    is_literal: bool = False
    narrowed_by: FactName | None = None  # the words or the number in it let a database leave out patches

    @abstractmethod
    def read(self, text: str) -> Value:
        """Parse *text*, which is not blank, and return the canonical value.

        Raises:
            ValueMistake: it is not a value of this key.
        """

    @abstractmethod
    def find(self, patch: PatchView, value: Value) -> Things:
        """Return the parts of *patch* that match *value*."""

    @abstractmethod
    def instead(self, facts: Facts, values: Sequence[Value], /) -> Things:
        """Return what a patch has instead of *values*, for the explanation of a term that does not match."""

    @property
    @abstractmethod
    def fields(self) -> tuple[HandleField, ...]:
        """The fields in which the index looks for this key's handles; empty without handles."""

    @abstractmethod
    def handle(self, value: Value, /) -> ValueHandle | None:
        """Return the handle by which the index finds *value*; None if it must be evaluated for each patch."""

    def matches(self, patch: PatchView, values: Sequence[Value]) -> bool:
        """Return whether any of *values* matches."""
        return any(self.find(patch, value) for value in values)

    def find_all(self, patch: PatchView, values: Sequence[Value]) -> Things:
        """Return the parts of *patch* that match any of *values*, each once, at most MAX_SEEN."""
        return tuple(dict.fromkeys(thing for value in values for thing in self.find(patch, value)))[:MAX_SEEN]

    def facts_for(self, _value: Value, /) -> tuple[FactName, ...]:
        """Return the facts that decide whether a value matches."""
        return self.facts

    def past_refusal(self, _term: str, _value: Value, /) -> str | None:
        """Return why past patches cannot be searched for a value of a term, and an alternative; None if they can."""
        return None


class UnindexedKey(KeySpec):
    """A key without handles: a query with no other keys is evaluated for every patch."""

    @property
    def fields(self) -> tuple[HandleField, ...]:
        """Return no field: it is not indexed."""
        return ()

    def handle(self, _value: Value, /) -> None:
        """Return no handle: it is not indexed."""
        return None  # noqa: RET501


@dataclass(frozen=True, kw_only=True, eq=False)
class IndexedKey(KeySpec):
    """A key with handles in one field, of that *rank*."""

    rank: int

    @cached_property
    def fields(self) -> tuple[HandleField, ...]:
        """The one field."""
        return (HandleField(self.rank, self.handle_names, source=source_of(self.facts)),)

    @abstractmethod
    def handle_names(self, patch: PatchView) -> Collection[str]:
        """Return the names of all handles that *patch* has."""

    def handle(self, value: Value, /) -> ValueHandle | None:
        """Return the handle that is *value*, folded."""
        return ValueHandle((self.fields[0], folded(str(value))))
