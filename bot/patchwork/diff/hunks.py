"""Line counts and ends of the hunks of a diff.

Only the counts in its header tell where a hunk ends. A removed line may read "--- a/x", an added one "+++ b/x", and a
patch that adds a patch contains whole diffs; trusting the counts keeps all of them inside the hunk.

Nearly always the hunks fill their part of the diff to its last line. Then the first characters of all lines are counted
at once, and the last hunk is checked against its header; an earlier hunk ends where the next one starts, because no
line of a hunk begins with "@" (other lines between two hunks are counted with them). Otherwise the hunks are parsed
line by line.
"""

import re
from itertools import chain, takewhile
from typing import NamedTuple

_HUNK = re.compile(r"\n@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@.*")
# Git merges at most 16 parents in practice; the limit bounds the work per line.
_MERGED_HUNK = re.compile(r"\n(@{3,17})((?: -\d{1,9}(?:,\d{1,9})?){2,16}) \+\d{1,9}(?:,(\d{1,9}))? \1.*")
_OLD_COUNT = re.compile(r"-\d+(?:,(\d+))?")
_NO_LINE = re.compile(r"\n[^ +\-\\\r\n]")  # the start of a line that no hunk can contain
_SIGNATURE = "\n-- \n"  # of a mail


class _Tally(NamedTuple):
    """The numbers of added and removed lines, and the end of the last of them."""

    added: int
    removed: int
    end: int


def count_lines(text: str, at: int, limit: int) -> tuple[int, int]:
    """Return how many lines the consecutive hunks below the line that ends at *at* add and remove.

    *limit* is the end of the last line that can belong to a hunk, unless a hunk needs more lines.
    """
    last = text.rfind("\n@@ -", at, limit)
    filled = _filled(text, at, last, limit)
    if filled is None:
        return _walk(text, at)[:2]
    added, removed, _ = filled
    if last > at:
        added, removed = added + text.count("\n+", at, last), removed + text.count("\n-", at, last)
    return added, removed


def end_of_hunks(text: str, at: int, limit: int) -> int:
    """Return the end of the last line of the hunks that `count_lines` counts."""
    filled = _filled(text, at, text.rfind("\n@@ -", at, limit), limit)
    return _walk(text, at).end if filled is None else filled[2]


def _filled(text: str, at: int, last: int, limit: int) -> tuple[int, int, int] | None:
    """Return the tally of the hunk at *last*; None unless hunks fill the text from *at* to *limit* or a signature."""
    header = _HUNK.match(text, last) if last == at or (last > at and text.startswith("\n@@ -", at)) else None
    if header is None:
        return None
    start, end = header.end(), limit
    old, new = header.groups("1")  # "@@ -3 +3 @@" omits a count of one
    while end >= 0:
        added, removed = text.count("\n+", start, end), text.count("\n-", start, end)
        if text.count("\n", start, end) == int(old) + added == int(new) + removed:
            return added, removed, end
        end = text.rfind(_SIGNATURE, start, limit) if end == limit else -1
    return None


def _walk(text: str, at: int) -> _Tally:
    """Return the tally of the hunks from *at*, parsed line by line."""
    added = removed = 0
    while hunk := _hunk(text, at):
        added, removed, at = added + hunk.added, removed + hunk.removed, hunk.end
    return _Tally(added, removed, at)


def _hunk(text: str, at: int) -> _Tally | None:
    """Return the tally of the hunk whose header starts at *at*; None if there is no header."""
    header = _HUNK.match(text, at) or _MERGED_HUNK.match(text, at)
    if not header:
        return None
    start = header.end()
    below = _NO_LINE.search(text, start)
    lines = text[start : below.start() if below else len(text)].split("\n")[1:]
    if header.re is _HUNK:
        added, removed, used = _plain(lines, _count(header[1]), _count(header[2]))
    else:
        old = [_count(match[1]) for match in _OLD_COUNT.finditer(header[2])]
        added, removed, used = _merged(lines, old, _count(header[3]))
    remarks = takewhile(lambda line: line.startswith("\\"), lines[used:])  # "\ No newline at end of file"
    return _Tally(added, removed, start + sum(len(line) + 1 for line in chain(lines[:used], remarks)))


def _count(digits: str | None) -> int:
    return int(digits or 1)  # "@@ -3 +3 @@" omits a count of one


def _plain(lines: list[str], old: int, new: int) -> tuple[int, int, int]:
    """Return the added and removed lines of a hunk of *old* and *new* lines, and how many of *lines* it has.

    Each line counts as an old line, a new line or both, so the next max(old, new) lines certainly belong to the hunk:
    whole slices are counted at once, and few rounds are needed.
    """
    firsts = "".join([line[:1] or " " for line in lines])  # an empty line is a blank context line without its space
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
    """Return the added and removed lines of a merge's hunk, with a column of signs per parent, and its length."""
    added = removed = used = 0
    while used < len(lines) and (new > 0 or max(old) > 0):
        signs = lines[used][: len(old)].removesuffix("\r").ljust(len(old))
        if not signs.startswith("\\"):
            if signs.strip(" +-"):
                break
            gone = "-" in signs
            mark = "-" if gone else " "  # the sign of a parent that has the line
            old = [left - (sign == mark) for left, sign in zip(old, signs, strict=True)]
            added, removed, new = added + ("+" in signs and not gone), removed + gone, new - (not gone)
        used += 1
    return added, removed, used
