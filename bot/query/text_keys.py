"""The keys whose values are text: paths, addresses, names and words."""

import re
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar, Final

from bot.patchwork.diff_headers import plain
from bot.patchwork.mails import mailbox
from bot.query.facts import Facts, PatchView, Things
from bot.query.index.globs import PatternError, unescaped
from bot.query.index.path_trie import read_pattern
from bot.query.index.regexes import as_utf_8
from bot.query.key_spec import HandleField, IndexedKey, KeySpec, UnindexedKey, ValueHandle, part_handle, source_of
from bot.query.values import (
    Regex,
    Value,
    ValueMistake,
    domain_of,
    folded,
)

_BETWEEN_PREFIXES = re.compile(r"[\s,\[\]]+")
_ADDRESS = re.compile(r"[^\s@<>*:]*@[^\s@<>*:]+")
_PATCH_TEXT: Final = ("the patch's text",)


@dataclass(frozen=True, kw_only=True, eq=False)
class PathKey(IndexedKey):
    """A key for patterns of the paths that a patch touches."""

    takes_leading_slash: bool = True

    def read(self, text: str) -> str:
        try:
            return read_pattern(plain(unescaped(text))).text
        except PatternError as error:
            hint = "Put the whole path in quotes if a comma belongs to it." if "[" in text else None
            raise ValueMistake(f"This path {error}.", hint) from None

    def find(self, patch: PatchView, value: Value) -> Things:
        return patch.hits.paths((value,))

    def matches(self, patch: PatchView, values: Sequence[Value]) -> bool:
        return not patch.hits.patterns.isdisjoint(values)

    def find_all(self, patch: PatchView, values: Sequence[Value]) -> Things:
        return patch.hits.paths(values)

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return facts.paths

    def handle_names(self, patch: PatchView) -> Collection[str]:
        return patch.hits.patterns

    def handle(self, value: Value, /) -> ValueHandle:
        return ValueHandle((self.fields[0], str(value)))


@dataclass(frozen=True, kw_only=True, eq=False)
class NameOrAddressKey(KeySpec):
    """A key for addresses, domains, or parts of names.

    Handles of addresses have *rank*, those of parts of names *part_rank*. If handles *decide*, no further evaluation is
    needed.
    """

    is_literal: bool = True
    a_name: str
    rank: int
    part_rank: int
    handles_decide: bool
    are_sources: ClassVar[bool] = False  # whether addresses and names are tuples of few values

    @abstractmethod
    def addresses(self, facts: Facts) -> tuple[str, ...]:
        """Return the addresses with which a value with an @ is compared."""

    @abstractmethod
    def names(self, facts: Facts) -> tuple[str, ...]:
        """Return the names in which a value without an @ is searched."""

    def read(self, text: str) -> str:
        words = _joined(text)
        if "@" in words and not _ADDRESS.fullmatch(words := _bare_address(words)):
            raise ValueMistake(
                f"{self.name}: takes a whole address, @domain, or part of {self.a_name},",
                f"e.g. {self.name}:jane@example.org",
            )
        return words

    @cached_property
    def fields(self) -> tuple[HandleField, ...]:
        return (
            HandleField(
                self.rank,
                lambda patch: _address_names(self.addresses(patch.facts)),
                source=self.addresses if self.are_sources else None,
            ),
            HandleField(
                self.part_rank,
                lambda patch: [*map(folded, self.names(patch.facts))],
                are_parts=True,
                source=self.names if self.are_sources else None,
            ),
        )

    def handle(self, value: Value, /) -> ValueHandle | None:
        whole, part = self.fields
        text = folded(str(value))
        if "@" in text:
            return ValueHandle((whole, text), self.handles_decide)
        return part_handle(part, text, decides=self.handles_decide)


@dataclass(frozen=True, kw_only=True, eq=False)
class SubmitterKey(NameOrAddressKey):
    """A key for the submitter of a patch."""

    are_sources: ClassVar[bool] = True

    def addresses(self, facts: Facts) -> tuple[str, ...]:
        return (facts.submitter.email,)

    def names(self, facts: Facts) -> tuple[str, ...]:
        return (facts.submitter.name,)

    def find(self, patch: PatchView, value: Value) -> Things:
        submitter, text = patch.facts.submitter, str(value)
        if "@" in text:
            return _equal_addresses(text, (submitter.email,))
        return (submitter.name,) if folded(text) in folded(submitter.name) else ()

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return tuple(text for text in (facts.submitter.name, facts.submitter.email) if text)


@dataclass(frozen=True, kw_only=True, eq=False)
class SectionKey(NameOrAddressKey):
    """A key for the sections of MAINTAINERS that cover a patch, by their names or people."""

    def addresses(self, facts: Facts) -> tuple[str, ...]:
        return tuple(address for each in facts.more.sections for address in each.section.people)

    def names(self, facts: Facts) -> tuple[str, ...]:
        return tuple(each.section.name for each in facts.more.sections)

    def find(self, patch: PatchView, value: Value) -> Things:
        more, text = patch.facts.more, folded(str(value))
        if "@" in text:
            return tuple(str(each) for each in more.sections if _equal_addresses(text, each.section.people))
        is_whole = text in more.known_sections
        names = [(each, folded(each.section.name)) for each in more.sections]
        return tuple(str(each) for each, name in names if (text == name if is_whole else text in name))

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return tuple(map(str, facts.more.sections)) or ("a patch of no known section",)


@dataclass(frozen=True, kw_only=True, eq=False)
class AddressKey(IndexedKey):
    """A key for addresses or domains among the *addresses* of a patch."""

    addresses: Callable[[Facts], tuple[str, ...]]

    def read(self, text: str) -> str:
        address = _bare_address(text.strip())
        if not _ADDRESS.fullmatch(address):
            raise ValueMistake(f"{self.name}: takes a whole address or @domain,", f"e.g. {self.example}")
        return address

    def find(self, patch: PatchView, value: Value) -> Things:
        return _equal_addresses(str(value), self.addresses(patch.facts))

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return self.addresses(facts)

    def handle_names(self, patch: PatchView) -> Collection[str]:
        return _address_names(self.addresses(patch.facts))


@dataclass(frozen=True, kw_only=True, eq=False)
class SubjectKey(IndexedKey):
    """A key for words in any order, or regular expressions, in one of a patch's subjects."""

    takes_regex: bool = True
    may_begin_with_dash: bool = True  # compilers' options, for example
    is_literal: bool = True

    def read(self, text: str) -> str:
        return _joined(text)

    def find(self, patch: PatchView, value: Value) -> Things:
        if isinstance(value, Regex):
            return tuple(subject for subject in patch.facts.subjects if value.finds(as_utf_8(subject)))
        words = _words(str(value))
        return tuple(subject for subject, plain in patch.subjects if all(word in plain for word in words))

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return facts.subjects

    @cached_property
    def fields(self) -> tuple[HandleField, ...]:
        return (HandleField(self.rank, self.handle_names, are_parts=True, source=source_of(self.facts)),)

    def handle_names(self, patch: PatchView) -> Collection[str]:
        return [plain for _, plain in patch.subjects]

    def handle(self, value: Value, /) -> ValueHandle | None:
        if isinstance(value, Regex):
            return None
        words = _words(str(value))
        return part_handle(self.fields[0], max(words, key=len), decides=len(words) == 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class TextKey(UnindexedKey):
    """A key for words in any order, or regular expressions, in the mail."""

    takes_regex: bool = True
    may_begin_with_dash: bool = True  # compilers' options, for example
    is_literal: bool = True

    def read(self, text: str) -> str:
        return _joined(text)

    def find(self, patch: PatchView, value: Value) -> Things:
        if isinstance(value, Regex):
            return _PATCH_TEXT if value.finds(patch.text_bytes) else ()
        return _PATCH_TEXT if all(word in patch.text for word in _words(str(value))) else ()

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return _PATCH_TEXT if facts.text else ()

    def past_refusal(self, _term: str, _value: Value, /) -> str:
        return f"{self.name}: cannot search past patches, whose text is not stored. Try subject: or path:."


@dataclass(frozen=True, kw_only=True, eq=False)
class NameKey(IndexedKey):
    """A key for names among the *names* of a patch, ignoring case; *nothing* describes a patch without any."""

    is_literal: bool = True
    names: Callable[[Facts], tuple[str, ...]]
    nothing: tuple[str, ...] = ()

    def read(self, text: str) -> str:
        return text.strip()

    def find(self, patch: PatchView, value: Value) -> Things:
        text = folded(str(value))
        return tuple(name for name in self.names(patch.facts) if folded(name) == text)

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return self.names(facts) or self.nothing

    def handle_names(self, patch: PatchView) -> Collection[str]:
        return {*map(folded, self.names(patch.facts))}


class PrefixKey(NameKey):
    """A key for words in the brackets of a subject."""

    def read(self, text: str) -> str:
        words = [word for word in _BETWEEN_PREFIXES.split(text) if word]
        if len(words) != 1:
            raise ValueMistake(f"{self.name}: takes one word from the brackets of the subject,", f"e.g. {self.example}")
        if words[0].upper() == "PATCH":
            reason = "Patchwork leaves PATCH out of every subject, so this matches nothing;"
            raise ValueMistake(reason, f"e.g. {self.example}")
        return words[0]


def _joined(text: str) -> str:
    return " ".join(text.split())


@lru_cache(maxsize=4_096)
def _words(text: str) -> tuple[str, ...]:
    """Return the folded words of a value; cached, because a value is compared with many patches."""
    return tuple(folded(text).split())


def _bare_address(text: str) -> str:
    """Return the address in a copied text: `Ada <ada@example.org>`, a mailto: link, `*@example.org` for a domain."""
    person = mailbox(text)
    return person.email if person is not None and not text.startswith("*@") else text.removeprefix("*")


def _equal_addresses(address: str, addresses: Iterable[str]) -> Things:
    """Return those of *addresses* that equal *address*, or belong to it if it is an @domain."""
    text = folded(address)
    return tuple(each for each in addresses if text in (folded(each), domain_of(each)))


def _address_names(addresses: Iterable[str]) -> set[str]:
    return {name for address in addresses for name in (folded(address), domain_of(address))}
