"""The hunks of a diff: how many lines they add and remove, and where they end.

Only the counts of its header tell where a hunk ends. A removed line may read "--- a/x", an added one
"+++ b/x", and a patch that adds a patch holds whole diffs; trusting the counts keeps all of them inside.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple, Self

_HUNK = re.compile(r"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")
# Git merges at most 16 parents in practice; the cap bounds the work per line.
_COMBINED_HUNK = re.compile(r"(@{3,17})((?: -\d{1,9}(?:,\d{1,9})?){2,16}) \+\d{1,9}(?:,(\d{1,9}))? \1")
_OLD_COUNT = re.compile(r"-\d+(?:,(\d+))?")
_BODY = re.compile(r"[ +\-\\\r]*")


@dataclass(frozen=True, slots=True)
class Page:
    """The lines of a text, with the first character of each; a blank stands for an empty line.

    The string of first characters lets whole hunks be counted at once.
    """

    lines: list[str]
    firsts: str

    @classmethod
    def of(cls, text: str) -> Self:
        """*text* split at line feeds; carriage returns stay."""
        lines = text.split("\n")
        return cls(lines, "".join([line[:1] or " " for line in lines]))

    def starts_with(self, at: int, prefixes: str | tuple[str, ...]) -> bool:
        """Whether there is a line *at*, and it starts with one of *prefixes*."""
        return at < len(self.lines) and self.lines[at].startswith(prefixes)


class Tally(NamedTuple):
    """The lines added and removed, and the number of the first line behind them."""

    added: int
    removed: int
    end: int


def tally(page: Page, at: int) -> Tally:
    """All hunks that follow each other from line *at*; nothing where none starts there."""
    added = removed = 0
    while hunk := _hunk(page, at):
        added, removed, at = added + hunk.added, removed + hunk.removed, hunk.end
        while page.starts_with(at, "\\"):  # "\ No newline at end of file" below the last line
            at += 1
    return Tally(added, removed, at)


def _hunk(page: Page, at: int) -> Tally | None:
    """The hunk whose header is line *at*; None where there is no header."""
    if not page.starts_with(at, "@@"):
        return None
    if plain := _HUNK.match(page.lines[at]):
        return _plain(page.firsts, at + 1, _count(plain[1]), _count(plain[2]))
    if combined := _COMBINED_HUNK.match(page.lines[at]):
        old = [_count(found[1]) for found in _OLD_COUNT.finditer(combined[2])]
        return _combined(page.lines, at + 1, old, _count(combined[3]))
    return None


def _count(digits: str | None) -> int:
    return 1 if digits is None else int(digits)


def _plain(firsts: str, at: int, old: int, new: int) -> Tally:
    """A hunk of *old* and *new* lines; a line no hunk can hold ends it early.

    Each line uses up one of the old or new lines or of both, so the next max(old, new) lines are surely
    part of the hunk: whole slices are counted, and soon nothing is left.
    """
    added = removed = 0
    while (sure := max(old, new)) > 0:
        end = at + sure
        match = _BODY.match(firsts, at, end)
        body = match[0] if match else ""
        plus, minus = body.count("+"), body.count("-")
        both = len(body) - plus - minus - body.count("\\")
        added, removed, at = added + plus, removed + minus, at + len(body)
        old, new = old - minus - both, new - plus - both
        if at < end:
            break
    return Tally(added, removed, at)


def _combined(lines: list[str], at: int, old: list[int], new: int) -> Tally:
    """A hunk of a merge, with one column of signs per parent."""
    added = removed = 0
    while at < len(lines) and (new > 0 or max(old) > 0):
        signs = lines[at][: len(old)].removesuffix("\r").ljust(len(old))
        if not signs.startswith("\\"):
            if signs.strip(" +-"):
                break
            gone = "-" in signs
            shown = "-" if gone else " "  # the sign of a parent that has the line
            old = [left - (sign == shown) for left, sign in zip(old, signs, strict=True)]
            added, removed, new = added + ("+" in signs and not gone), removed + gone, new - (not gone)
        at += 1
    return Tally(added, removed, at)
