"""The form in which each key of the query language is described.

A handle is one thing to look queries up by: a path pattern, an address, a state, or a part of a text.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from bot.query.facts import MAX_SEEN, FactName, Facts, PatchView, Things
from bot.query.index.trigrams import MIN_CHARACTERS
from bot.query.values import Value, folded


@dataclass(frozen=True, slots=True, eq=False)
class HandleField:
    """A place where handles are looked up.

    *rank* orders the fields by how well their handles tell patches apart, the best first. *names* returns the names of
    all handles that a patch has; where the handles *are_parts* of texts, it returns those texts, folded.
    """

    rank: int
    names: Callable[[PatchView], Collection[str]]
    are_parts: bool = False


Handle: TypeAlias = tuple[HandleField, str]


@dataclass(frozen=True, slots=True)
class ValueHandle:
    """A handle of every patch that a value matches; one that *decides* is a handle of no other patch."""

    handle: Handle
    decides: bool = True


def part_handle(field: HandleField, text: str, *, decides: bool) -> ValueHandle | None:
    """Return the handle for a part of a text; None for one that is too short to be looked up."""
    return ValueHandle((field, text), decides) if len(text) >= MIN_CHARACTERS else None


@dataclass(frozen=True, kw_only=True, eq=False)
class KeySpec(ABC):
    """Everything that the bot knows of one key: grammar, evaluation, explanation, index and help.

    *example* and *meaning* are what help says. *facts* are those that decide whether a term matches. A term whose key
    *is_single* looks at what a patch has one of, so that two terms with different values contradict each other. A value
    that *may_begin_with_dash* is not taken for an exclude; in one that *is_literal* a `*` is no wildcard.
    """

    name: str
    example: str
    meaning: str
    facts: tuple[FactName, ...]
    short_name: str | None = None
    names_elsewhere: tuple[str, ...] = ()  # what other tools call it
    takes_regex: bool = False
    takes_leading_slash: bool = False
    is_single: bool = False
    may_begin_with_dash: bool = False
    is_literal: bool = False

    @abstractmethod
    def read(self, text: str) -> Value:
        """Return the value that *text*, which is not blank, spells, in its canonical form.

        Raises:
            ValueMistake: it cannot be used here.
        """

    @abstractmethod
    def find(self, patch: PatchView, value: Value) -> Things:
        """Return what of *patch* matches *value*."""

    @abstractmethod
    def instead(self, facts: Facts, values: Sequence[Value], /) -> Things:
        """Return what a patch has in place of any of *values*, for the explanation of a term that does not match."""

    @property
    @abstractmethod
    def fields(self) -> tuple[HandleField, ...]:
        """The fields in which the index looks for this key's handles; none where it has no handles."""

    @abstractmethod
    def handle(self, value: Value, /) -> ValueHandle | None:
        """Return the handle by which the index finds *value*; None where it has to look at each patch."""

    def matches(self, patch: PatchView, values: Sequence[Value]) -> bool:
        """Return whether any of *values* matches."""
        return any(self.find(patch, value) for value in values)

    def find_all(self, patch: PatchView, values: Sequence[Value]) -> Things:
        """Return what of *patch* matches any of *values*, each thing once; MAX_SEEN at most."""
        return tuple(dict.fromkeys(thing for value in values for thing in self.find(patch, value)))[:MAX_SEEN]

    def facts_for(self, _value: Value, /) -> tuple[FactName, ...]:
        """Return those of the facts that decide about a value."""
        return self.facts

    def past_refusal(self, _term: str, _value: Value, /) -> str | None:
        """Return why past patches cannot be asked for a value of a term, and what to ask instead; None if they can."""
        return None


class UnindexedKey(KeySpec):
    """A key without handles: a query that wants nothing else is held against every patch."""

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
        return (HandleField(self.rank, self.handle_names),)

    @abstractmethod
    def handle_names(self, patch: PatchView) -> Collection[str]:
        """Return the names of all handles that *patch* has."""

    def handle(self, value: Value, /) -> ValueHandle | None:
        """Return the handle that is *value*, folded."""
        return ValueHandle((self.fields[0], folded(str(value))))
