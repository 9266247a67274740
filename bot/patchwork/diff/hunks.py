"""The hunks of a diff: how many lines they add and remove, and where they end.

Only the counts of its header tell where a hunk ends. A removed line may read "--- a/x", an added one
"+++ b/x", and a patch that adds a patch holds whole diffs; trusting the counts keeps all of them inside.

Nearly always the hunks fill their part of the diff to its last line. Then the first signs of all lines are
counted at once, and the last hunk is seen to have as many lines as its header says; a hunk before it ends
where the next one starts, for no line of a hunk begins with "@" (what else stands between two hunks is counted with
them). Otherwise all of them are walked line by line.
"""

import re
from itertools import chain, takewhile
from typing import NamedTuple

_HUNK = re.compile(r"\n@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@.*")
# Git merges at most 16 parents in practice; the cap bounds the work per line.
_MERGED_HUNK = re.compile(r"\n(@{3,17})((?: -\d{1,9}(?:,\d{1,9})?){2,16}) \+\d{1,9}(?:,(\d{1,9}))? \1.*")
_OLD_COUNT = re.compile(r"-\d+(?:,(\d+))?")
_NO_LINE = re.compile(r"\n[^ +\-\\\r\n]")  # the start of one that no hunk can hold
_SIGNATURE = "\n-- \n"  # of a mail


class Tally(NamedTuple):
    """The lines added and removed, and the end of the last of them."""

    added: int
    removed: int
    end: int


def tally(text: str, at: int, limit: int) -> Tally:
    """All hunks that follow each other below the line that ends at *at*; nothing where none does.

    *limit* is the end of the last line that can belong to a hunk, unless a hunk needs more.
    """
    if not text.startswith("\n@@ -", at):
        return _walk(text, at)
    last = text.rfind("\n@@ -", at, limit)
    filled = _filled(text, last, limit)
    if not filled and (signature := text.rfind(_SIGNATURE, last, limit)) > 0:
        filled = _filled(text, last, signature)
    if not filled:
        return _walk(text, at)
    added, removed, end = filled
    return Tally(added + text.count("\n+", at, last), removed + text.count("\n-", at, last), end)


def _filled(text: str, at: int, end: int) -> tuple[int, int, int] | None:
    """The tally of the hunk at *at* if it ends at *end*."""
    header = _HUNK.match(text, at)
    if not header:
        return None
    start = header.end()
    added, removed = text.count("\n+", start, end), text.count("\n-", start, end)
    lines = text.count("\n", start, end)
    return (added, removed, end) if lines == _count(header[1]) + added == _count(header[2]) + removed else None


def _walk(text: str, at: int) -> Tally:
    """The hunks from *at*, each line of theirs looked at."""
    added = removed = 0
    while hunk := _hunk(text, at):
        added, removed, at = added + hunk.added, removed + hunk.removed, hunk.end
    return Tally(added, removed, at)


def _hunk(text: str, at: int) -> Tally | None:
    """The hunk whose header starts at *at*; None where there is no header."""
    header = _HUNK.match(text, at) or _MERGED_HUNK.match(text, at)
    if not header:
        return None
    start = header.end()
    below = _NO_LINE.search(text, start)
    lines = text[start : below.start() if below else len(text)].split("\n")[1:]
    if header.re is _HUNK:
        added, removed, used = _plain(lines, _count(header[1]), _count(header[2]))
    else:
        old = [_count(found[1]) for found in _OLD_COUNT.finditer(header[2])]
        added, removed, used = _merged(lines, old, _count(header[3]))
    remarks = takewhile(lambda line: line.startswith("\\"), lines[used:])  # "\ No newline at end of file"
    return Tally(added, removed, start + sum(len(line) + 1 for line in chain(lines[:used], remarks)))


def _count(digits: str | None) -> int:
    return int(digits or 1)  # "@@ -3 +3 @@" leaves a count of one out


def _plain(lines: list[str], old: int, new: int) -> tuple[int, int, int]:
    """The signs of a hunk of *old* and *new* lines, and how many of *lines* it is.

    Each line uses up one of the old or new lines or of both, so the next max(old, new) lines are surely
    part of the hunk: whole slices are counted, and soon nothing is left.
    """
    firsts = "".join([line[:1] or " " for line in lines])  # an empty line is a blank one that lost its space
    added = removed = used = 0
    while (sure := max(old, new)) > 0:
        signs = firsts[used : used + sure]
        plus, minus = signs.count("+"), signs.count("-")
        both = len(signs) - plus - minus - signs.count("\\")
        added, removed, used = added + plus, removed + minus, used + len(signs)
        old, new = old - minus - both, new - plus - both
        if len(signs) < sure:
            break
    return added, removed, used


def _merged(lines: list[str], old: list[int], new: int) -> tuple[int, int, int]:
    """The same for a hunk of a merge, with one column of signs per parent."""
    added = removed = used = 0
    while used < len(lines) and (new > 0 or max(old) > 0):
        signs = lines[used][: len(old)].removesuffix("\r").ljust(len(old))
        if not signs.startswith("\\"):
            if signs.strip(" +-"):
                break
            gone = "-" in signs
            shown = "-" if gone else " "  # the sign of a parent that has the line
            old = [left - (sign == shown) for left, sign in zip(old, signs, strict=True)]
            added, removed, new = added + ("+" in signs and not gone), removed + gone, new - (not gone)
        used += 1
    return added, removed, used
