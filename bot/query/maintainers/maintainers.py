"""The maintainers of a project: look-ups in its MAINTAINERS file by the rules of get_maintainer.pl.

Parsing is total: it returns the sections of any text, with remarks on unusable parts. A file without any F: line (such
as an error page) is recognized by `has_files`, so that an older copy can be kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from bot.query.maintainers.file import FileRemark, Rule, RuleKind, Section, read_sections
from bot.query.maintainers.rules import RuleIndex
from bot.query.values import domain_of, folded

MAX_REMARKS = 100
_MAX_NEAR_CHARACTERS = 100
_MAX_NEAR = 3


@dataclass(frozen=True, slots=True)
class SectionMatch:
    """A section that covers a patch, with the first rule that matched and the path it matched ("" for K:)."""

    section: Section
    rule: Rule
    path: str

    def __str__(self) -> str:
        return f"{self.section.name} ({self.rule} covers {self.path or 'the text'})"


@dataclass(frozen=True, slots=True)
class Maintainers:
    """The sections of a file in order; *remarks* are the first ones on unusable parts, by line.

    *folded_names* are the names of the sections, folded.
    """

    sections: tuple[Section, ...]
    remarks: tuple[FileRemark, ...]
    folded_names: frozenset[str]
    _index: RuleIndex = field(repr=False, compare=False)
    _named: dict[str, tuple[Section, ...]] = field(repr=False, compare=False)  # by folded name or address

    @property
    def has_files(self) -> bool:
        """Return whether there is any F: line."""
        return any(rule.kind is RuleKind.FILES for section in self.sections for rule in section.rules)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sections in file order."""
        return tuple(section.name for section in self.sections)

    def covering(self, paths: Sequence[str], text: str = "") -> tuple[SectionMatch, ...]:
        """Return the sections that cover a patch of *paths*, in file order, each once.

        *text* is the patch as a mail, for K: rules: `Subject:` line, message and diff, as far as available.
        """
        matches: dict[int, SectionMatch] = {}
        for path in paths:
            for index, rule in self._index.for_path(path):
                if index not in matches:
                    matches[index] = SectionMatch(self.sections[index], rule, path)
        for index, rule in self._index.for_text(text):
            if index not in matches:
                matches[index] = SectionMatch(self.sections[index], rule, "")
        return tuple(matches[index] for index in sorted(matches))

    def only(self, sections: Iterable[Section]) -> "Maintainers":
        """Return the file as if it had none but some of its *sections*; *folded_names* stay those of all."""
        kept = tuple(dict.fromkeys(sections))
        return Maintainers(kept, (), self.folded_names, RuleIndex(kept), _by_name(kept))

    def unusable(self, section: Section) -> tuple[Rule, ...]:
        """Return the rules of a *section* of this file that cannot be used."""
        index = next((index for index, each in enumerate(self.sections) if each is section), -1)
        return tuple(self._index.unusable.get(index, ()))

    def find(self, value: str) -> tuple[Section, ...]:
        """Return the sections with the name, address or @domain *value*, or else those with *value* in their name.

        Case is ignored. The caller treats several sections as ambiguous, and none as a mistake.
        """
        name = folded(value)
        if not name:
            return ()
        exact = self._named.get(name)
        if exact or "@" in name:
            return exact or ()
        return tuple(section for section in self.sections if name in folded(section.name))

    def nearest(self, name: str) -> tuple[str, ...]:
        """Return the names most similar to *name*, the best first, at most three."""
        names = {folded(section.name): section.name for section in self.sections}
        near = get_close_matches(folded(name[:_MAX_NEAR_CHARACTERS]), names, _MAX_NEAR)
        return tuple(names[each] for each in near)


@dataclass(frozen=True, slots=True)
class SectionChange:
    """The difference of a section between two copies of a file; rules have the form `F: fs/`."""

    name: str
    is_gone: bool
    rules_added: tuple[str, ...]
    rules_removed: tuple[str, ...]
    people_added: tuple[str, ...]
    people_removed: tuple[str, ...]

    def __bool__(self) -> bool:
        """Return whether there is any difference."""
        return any((self.rules_added, self.rules_removed, self.people_added, self.people_removed))


def read(file: str | bytes) -> Maintainers:
    """Parse a MAINTAINERS file; bytes are UTF-8, and at most 4 MiB are read.

    Linux's file takes a tenth of a second, so this must not run on the event loop.
    """
    sections, remarks = read_sections(file)
    index = RuleIndex(sections)
    in_order = sorted((*remarks, *index.remarks), key=lambda remark: remark.line)
    names = frozenset(folded(section.name) for section in sections)
    return Maintainers(sections, tuple(in_order[:MAX_REMARKS]), names, index, _by_name(sections))


def changed(before: Maintainers, after: Maintainers, name: str) -> SectionChange:
    """Return the difference of the section with this *name*, ignoring case, between two copies."""
    old, new = _sections(before, name), _sections(after, name)
    old_rules, new_rules = _rules(old), _rules(new)
    old_people, new_people = _people(old), _people(new)
    return SectionChange(
        name=(new or old)[0].name if new or old else name,
        is_gone=bool(old) and not new,
        rules_added=_without(new_rules, old_rules),
        rules_removed=_without(old_rules, new_rules),
        people_added=_without(new_people, old_people),
        people_removed=_without(old_people, new_people),
    )


def _by_name(sections: Sequence[Section]) -> dict[str, tuple[Section, ...]]:
    sections_by_name: dict[str, list[Section]] = {}
    for section in sections:
        people = {name for person in section.people for name in (folded(person), domain_of(person))}
        for name in {folded(section.name), *people}:
            sections_by_name.setdefault(name, []).append(section)
    return {name: tuple(those) for name, those in sections_by_name.items()}


def _sections(maintainers: Maintainers, name: str) -> list[Section]:
    return [section for section in maintainers.sections if folded(section.name) == folded(name)]


def _rules(sections: Iterable[Section]) -> dict[str, None]:
    return {str(rule): None for section in sections for rule in section.rules}


def _people(sections: Iterable[Section]) -> dict[str, None]:
    return {person: None for section in sections for person in section.people}


def _without(some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    return tuple(each for each in some if each not in others)
