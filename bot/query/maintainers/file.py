"""A MAINTAINERS file as sections, read the way get_maintainer.pl of Linux, QEMU and U-Boot reads it.

A section is a heading and the `X: value` lines after it. As in the script, blank lines and lines that begin with `#`
mean nothing, any other line is a heading, and the last heading before a field names the section. Unlike the
script, dashes under a heading (QEMU has them) do not take its place, and blanks at a line's end belong to no pattern.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

MAX_FILE_BYTES = 4 * 2**20  # characters, for text; Linux's file has 0.8 MB
MAX_FIELDS = 100_000  # rules and people; Linux has some 15,000
MAX_PATTERN_CHARACTERS = 1_000
_MAX_NAME_CHARACTERS = 200

_UNDERLINES = frozenset("-=~")
_AROUND_ADDRESSES = str.maketrans(dict.fromkeys('<>()[],;"', " "))


class RuleKind(StrEnum):
    """What a rule looks at."""

    FILES = "F"
    EXCLUDED = "X"
    PATH = "N"
    KEYWORD = "K"


@dataclass(frozen=True, slots=True)
class Rule:
    """A line that says which patches a section is for; *line* counts from 1."""

    kind: RuleKind
    pattern: str
    line: int

    def __str__(self) -> str:
        return f"{self.kind}: {self.pattern}"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the tree and who looks after it; *people* are the addresses of M: and R:, in lower case."""

    name: str
    people: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class FileRemark:
    """Something in the file that could not be used; *line* counts from 1."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


def read_sections(file: str | bytes) -> tuple[tuple[Section, ...], tuple[FileRemark, ...]]:
    """The sections that have a rule or a person, in file order; and what could not be used."""
    reading = _Reading()
    for number, line in _lines(file, reading.remarks):
        if reading.fields_read == MAX_FIELDS:
            reading.remarks.append(FileRemark(number, f"after {MAX_FIELDS:,} rules and people; the rest is not read"))
            break
        reading.take(number, line)
    reading.close()
    return tuple(reading.sections), tuple(reading.remarks)


def _lines(file: str | bytes, remarks: list[FileRemark]) -> Iterator[tuple[int, str]]:
    """The numbered lines of what is read of the file."""
    kept = file[:MAX_FILE_BYTES]
    text = kept if isinstance(kept, str) else kept.decode("utf-8", "replace")
    lines = text.removeprefix("\ufeff").split("\n")
    if len(file) > len(kept):
        lines.pop()  # cut somewhere
        remarks.append(
            FileRemark(len(lines) + 1, f"the file goes on after {MAX_FILE_BYTES:,} bytes; the rest is not read")
        )
    yield from enumerate(lines, 1)


@dataclass(slots=True)
class _Reading:
    """What was read so far, and the section being read."""

    sections: list[Section] = field(default_factory=list)
    remarks: list[FileRemark] = field(default_factory=list)
    fields_read: int = 0
    name: str = ""
    people: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    has_fields: bool = False

    def take(self, number: int, line: str) -> None:
        """Read one line."""
        if line[1:2] == ":" and "A" <= line[0] <= "Z":
            self.has_fields = True
            self._take_field(number, line[0], line[2:].strip())
        elif (text := line.strip()) and not text.startswith("#"):
            self._take_heading(text)

    def close(self) -> None:
        """Keep the section being read, and begin another."""
        if self.people or self.rules:
            self.sections.append(Section(self.name, tuple(dict.fromkeys(self.people)), tuple(self.rules)))
        self.name = ""
        self.people, self.rules, self.has_fields = [], [], False

    def _take_heading(self, text: str) -> None:
        if self.has_fields:
            self.close()
        if not (self.name and _UNDERLINES.issuperset(text)):
            self.name = " ".join(text[:_MAX_NAME_CHARACTERS].split())

    def _take_field(self, number: int, letter: str, value: str) -> None:
        match letter:
            case "M" | "R":
                self.fields_read += 1
                self.people += _addresses(value)
            case "F" | "X" | "N" | "K":
                self.fields_read += 1
                self._take_rule(Rule(RuleKind(letter), value, number))

    def _take_rule(self, rule: Rule) -> None:
        if not rule.pattern:
            self.remarks.append(FileRemark(rule.line, f"{rule.kind}: without a pattern"))
        elif len(rule.pattern) > MAX_PATTERN_CHARACTERS:
            self.remarks.append(
                FileRemark(rule.line, f"{rule.kind}: with more than {MAX_PATTERN_CHARACTERS:,} characters")
            )
        else:
            self.rules.append(rule)


def _addresses(value: str) -> Iterator[str]:
    """The mail addresses in the value of an M: or R: line."""
    for word in value.translate(_AROUND_ADDRESSES).lower().split():
        user, _, domain = word.partition("@")
        if user and domain:
            yield word
