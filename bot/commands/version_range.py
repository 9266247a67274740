"""Reads which two versions of a series are meant: `v5..v6`, `v6`, or two references with dots between them. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from bot.patchwork.model import Version
from bot.patchwork.references import read_ref

_VERSION: Final = r"v(?:ersion\s*)?(\d{1,3})(?:\.(\d{1,2}))?"
_BETWEEN: Final = r"\s*(?:\.{2,4}|…|->|→|-|\bto\b|\band\b|\bvs\.?|\bversus\b|\bwith\b|\bagainst\b|\s)\s*"
_BOTH: Final = re.compile(rf"(?:(?:from|between)\s+)?{_VERSION}{_BETWEEN}{_VERSION}", re.IGNORECASE)
_ONE: Final = re.compile(_VERSION, re.IGNORECASE)
_DOTS: Final = re.compile(r"\s*(?:\.{2,4}|…)\s*")
_OPEN: Final = re.compile(r"^(?:\.{2}|…)|(?:\.{2}|…)$")


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Two versions of the series that *ref* names, or that is replied to if that is ""; *before* None is the former."""

    before: Version | None
    after: Version
    ref: str = ""


@dataclass(frozen=True, slots=True)
class SeriesRange:
    """Two series, as they were named."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class BrokenRange:
    """Text with dots, at which an end is missing or is no version and no reference."""


def read_range(text: str) -> VersionRange | SeriesRange | BrokenRange | None:
    """Return the two versions that *text* names; None if it does not name any, and may be a reference."""
    typed = " ".join(text.split())
    line = typed.strip(" .,;:!?`\"'()…")
    if _OPEN.search(typed) and read_ref(line) is None:
        return BrokenRange()
    for pattern in (_BOTH, _ONE):
        if (versions := _versions(pattern, line)) is not None:
            return versions
    for dots in _DOTS.finditer(line):
        before, after = line[: dots.start()], line[dots.end() :]
        if read_ref(before) is not None and read_ref(after) is not None:
            return SeriesRange(before, after)
    return BrokenRange() if read_ref(line) is None and _DOTS.search(line) else None


def _versions(pattern: re.Pattern[str], line: str) -> VersionRange | None:
    """Return the versions in *line*, before or after which there may be a reference."""
    match = pattern.match(line)
    rest = line[match.end() :] if match else ""
    if match is None or (rest and not rest[0].isspace()):
        match = next((each for each in pattern.finditer(line) if each.end() == len(line)), None)
        if match is None or not line[: match.start()].endswith(" "):
            return None
        rest = line[: match.start()]
    ref = re.sub(r"^\s*(?:of|for|in|on)\s+|\s+(?:from|between)\s*$", "", rest).strip()
    if ref and read_ref(ref) is None:
        return None
    numbers = [int(group or 0) for group in match.groups()]
    found = [Version(*numbers[place : place + 2]) for place in range(0, len(numbers), 2)]
    return VersionRange(found[0] if len(found) == 2 else None, found[-1], ref)
