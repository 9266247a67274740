"""Parser of a MAINTAINERS file into sections, as get_maintainer.pl of Linux, QEMU and U-Boot parses it.

A section is a heading and the `X: value` lines after it. As in the script, blank lines and lines that begin with `#`
are ignored, any other line is a heading, and the last heading before a field names the section. Unlike in the script,
dashes under a heading (QEMU has them) do not replace it, and blanks at the end of a line are not part of a pattern.
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
    """The kinds of rules."""

    FILES = "F"
    EXCLUDED = "X"
    PATH = "N"
    KEYWORD = "K"


@dataclass(frozen=True, slots=True)
class Rule:
    """A line that assigns patches to a section; *line* starts at 1."""

    kind: RuleKind
    pattern: str
    line: int

    def __str__(self) -> str:
        return f"{self.kind}: {self.pattern}"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the tree with its maintainers; *people* are the addresses of M: and R: lines, in lower case."""

    name: str
    people: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class FileRemark:
    """A part of the file that could not be used, and the reason; *line* starts at 1."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


def read_sections(file: str | bytes) -> tuple[tuple[Section, ...], tuple[FileRemark, ...]]:
    """Return the sections that have a rule or a person, in file order, and remarks on unusable lines."""
    reading = _Reading()
    for number, line in _lines(file, reading.remarks):
        if reading.fields_read == MAX_FIELDS:
            reading.remarks.append(FileRemark(number, f"after {MAX_FIELDS:,} rules and people; the rest is not read"))
            break
        reading.take(number, line)
    reading.close()
    return tuple(reading.sections), tuple(reading.remarks)


def _lines(file: str | bytes, remarks: list[FileRemark]) -> Iterator[tuple[int, str]]:
    """Return the numbered lines of the file, up to the size limit."""
    content = file[:MAX_FILE_BYTES]
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    lines = text.removeprefix("\ufeff").split("\n")
    if len(file) > len(content):
        lines.pop()  # incomplete
        remarks.append(
            FileRemark(len(lines) + 1, f"the file goes on after {MAX_FILE_BYTES:,} bytes; the rest is not read")
        )
    yield from enumerate(lines, 1)


@dataclass(slots=True)
class _Reading:
    """The parser's state: the sections so far, and the current one."""

    sections: list[Section] = field(default_factory=list)
    remarks: list[FileRemark] = field(default_factory=list)
    fields_read: int = 0
    name: str = ""
    people: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    has_fields: bool = False

    def take(self, number: int, line: str) -> None:
        """Parse one line."""
        if line[1:2] == ":" and "A" <= line[0] <= "Z":
            self.has_fields = True
            self._take_field(number, line[0], line[2:].strip())
        elif (text := line.strip()) and not text.startswith("#"):
            self._take_heading(text)

    def close(self) -> None:
        """Store the current section, and begin another."""
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
    """Return the mail addresses in the value of an M: or R: line."""
    for word in value.translate(_AROUND_ADDRESSES).lower().split():
        user, _, domain = word.partition("@")
        if user and domain:
            yield word
