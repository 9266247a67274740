"""The digest by which Patchwork tells two diffs alike: the "hash" of its API.

It is blind to what a rebase moves: line numbers, blob ids, the names of the two trees. A series mbox does not carry it,
so it is computed for every diff that is read, by the server's own rule, for all of them to be compared.
"""

import hashlib
import re
from typing import Final

OF_NOTHING: Final = hashlib.sha1(b"", usedforsecurity=False).hexdigest()
_NAME = re.compile(r"(---|\+\+\+) (\S+)")
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", re.ASCII)
_NOTABLE = re.compile(r"\n(?:(?:---|\+\+\+) .*|(?![ +\-]).*)")  # what does not count as it stands


def hash_of(diff: str) -> str:
    """The SHA-1 of what *diff* says, a line each: the names of its files, the sizes of its hunks and their lines.

    A name ends at white space, and its first part becomes "a" or "b". Nothing else counts: of a rename, a change of
    mode or a binary file nothing is left.
    """
    kept = _NOTABLE.sub(_plain, "\n" + diff.replace("\r", "").strip())
    text = f"{kept[1:]}\n" if kept else ""
    return hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def proves(digest: str | None) -> bool:
    """Whether diffs with the same *digest* are alike; of all that leave nothing, they are not."""
    return digest is not None and digest != OF_NOTHING


def _plain(notable: re.Match[str]) -> str:
    """What counts of a line, with the line feed before it; "" for one that does not count."""
    line = notable[0][1:]
    if name := _NAME.match(line):
        tree = "a" if name[1] == "---" else "b"
        return f"\n{name[1]} {tree}/{name[2].partition('/')[2]}"
    if hunk := _HUNK.match(line):
        return f"\n@@ -{_count(hunk[1])} +{_count(hunk[2])} @@"
    return notable[0] if line.startswith(("-", "+")) else ""


def _count(digits: str | None) -> str:
    """A count without leading zeros; one that is left out is 1. It may be longer than any number."""
    return "1" if digits is None else digits.lstrip("0") or "0"
