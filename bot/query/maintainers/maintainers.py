"""Who looks after what: a project's MAINTAINERS file, asked as get_maintainer.pl would answer.

Reading is total: of whatever text, it gives the sections that are there, with remarks on what could not be used. A
file without any F: line (an error page, say) is told by `has_files`; whoever has an older copy keeps that.
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
    """A section that a patch is for, the first rule that says so, and the path it took; "" for K:."""

    section: Section
    rule: Rule
    path: str

    def __str__(self) -> str:
        return f"{self.section.name} ({self.rule} covers {self.path or 'the text'})"


@dataclass(frozen=True, slots=True)
class Maintainers:
    """The sections of a file, in its order; *remarks* are the first on what could not be used, by line.

    *folded_names* are the names of the sections, folded.
    """

    sections: tuple[Section, ...]
    remarks: tuple[FileRemark, ...]
    folded_names: frozenset[str]
    _index: RuleIndex = field(repr=False, compare=False)
    _named: dict[str, tuple[Section, ...]] = field(repr=False, compare=False)  # by folded name or address

    @property
    def has_files(self) -> bool:
        """Whether there is an F: line at all."""
        return any(rule.kind is RuleKind.FILES for section in self.sections for rule in section.rules)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sections, in file order."""
        return tuple(section.name for section in self.sections)

    def covering(self, paths: Sequence[str], text: str = "") -> tuple[SectionMatch, ...]:
        """The sections that a patch of *paths* is for, in file order, each once.

        *text* is the patch as a mail, for K: `Subject:` line, message and diff, as far as there are any.
        """
        found: dict[int, SectionMatch] = {}
        for path in paths:
            for place, rule in self._index.for_path(path):
                if place not in found:
                    found[place] = SectionMatch(self.sections[place], rule, path)
        for place, rule in self._index.for_text(text):
            if place not in found:
                found[place] = SectionMatch(self.sections[place], rule, "")
        return tuple(found[place] for place in sorted(found))

    def unusable(self, section: Section) -> tuple[Rule, ...]:
        """The rules of a *section* of this file that cannot be used."""
        place = next((place for place, each in enumerate(self.sections) if each is section), -1)
        return tuple(self._index.unusable.get(place, ()))

    def find(self, value: str) -> tuple[Section, ...]:
        """The sections that *value* means: those of that name, address or @domain, else those with it in their name.

        Case does not matter. Several are candidates, none is a mistake.
        """
        wanted = folded(value)
        if not wanted:
            return ()
        exact = self._named.get(wanted)
        if exact or "@" in wanted:
            return exact or ()
        return tuple(section for section in self.sections if wanted in folded(section.name))

    def nearest(self, name: str) -> tuple[str, ...]:
        """The names most like *name*, the best first; three at most."""
        names = {folded(section.name): section.name for section in self.sections}
        near = get_close_matches(folded(name[:_MAX_NEAR_CHARACTERS]), names, _MAX_NEAR)
        return tuple(names[each] for each in near)


@dataclass(frozen=True, slots=True)
class SectionChange:
    """How a section differs between two copies of a file; rules are spelled as in `F: fs/`."""

    name: str
    is_gone: bool
    rules_added: tuple[str, ...]
    rules_removed: tuple[str, ...]
    people_added: tuple[str, ...]
    people_removed: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether it differs at all."""
        return any((self.rules_added, self.rules_removed, self.people_added, self.people_removed))


def read(file: str | bytes) -> Maintainers:
    """What a MAINTAINERS file says; bytes are UTF-8, and at most 4 MiB are read.

    Linux's takes a tenth of a second, which is not for an event loop.
    """
    sections, remarks = read_sections(file)
    index = RuleIndex(sections)
    in_order = sorted((*remarks, *index.remarks), key=lambda remark: remark.line)
    names = frozenset(folded(section.name) for section in sections)
    return Maintainers(sections, tuple(in_order[:MAX_REMARKS]), names, index, _by_name(sections))


def changed(before: Maintainers, after: Maintainers, name: str) -> SectionChange:
    """What differs in the section of exactly that *name*, in any case."""
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
    found: dict[str, list[Section]] = {}
    for section in sections:
        people = {name for person in section.people for name in (folded(person), domain_of(person))}
        for name in {folded(section.name), *people}:
            found.setdefault(name, []).append(section)
    return {name: tuple(those) for name, those in found.items()}


def _sections(maintainers: Maintainers, name: str) -> list[Section]:
    return [section for section in maintainers.sections if folded(section.name) == folded(name)]


def _rules(sections: Iterable[Section]) -> dict[str, None]:
    return {str(rule): None for section in sections for rule in section.rules}


def _people(sections: Iterable[Section]) -> dict[str, None]:
    return {person: None for section in sections for person in section.people}


def _without(some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    return tuple(each for each in some if each not in others)
