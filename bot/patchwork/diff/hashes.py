"""Patchwork's digest of a diff: the "hash" of its API.

It ignores what a rebase changes: line numbers, blob ids, the names of the two trees. A series mbox lacks it, so it is
computed by the server's own algorithm for each diff that is read, which makes all of them comparable.
"""

import hashlib
import re
from typing import Final

OF_NOTHING: Final = hashlib.sha1(b"", usedforsecurity=False).hexdigest()
_NAME = re.compile(r"(---|\+\+\+) (\S+)")
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", re.ASCII)
_NOTABLE = re.compile(r"\n(?:(?:---|\+\+\+) .*|(?![ +\-]).*)")  # lines that do not enter the digest unchanged


def hash_of(diff: str) -> str:
    """Return the SHA-1 of the file names, hunk sizes and hunk lines of *diff*.

    A name ends at white space, and its first component becomes "a" or "b". Nothing else enters the digest, so that of a
    pure rename, a mode change or a binary file is the digest of nothing.
    """
    lines = _NOTABLE.sub(_plain, "\n" + diff.replace("\r", "").strip())
    text = f"{lines[1:]}\n" if lines else ""
    return hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def proves(digest: str | None) -> bool:
    """Return whether two diffs with this *digest* are certainly equal, which the digest of nothing does not prove."""
    return digest is not None and digest != OF_NOTHING


def _plain(notable: re.Match[str]) -> str:
    """Return the part of a line that enters the digest, with the line feed before it; "" if there is none."""
    line = notable[0][1:]
    if name := _NAME.match(line):
        tree = "a" if name[1] == "---" else "b"
        return f"\n{name[1]} {tree}/{name[2].partition('/')[2]}"
    if hunk := _HUNK.match(line):
        return f"\n@@ -{_count(hunk[1])} +{_count(hunk[2])} @@"
    return notable[0] if line.startswith(("-", "+")) else ""


def _count(digits: str | None) -> str:
    """Return a count without leading zeros, 1 if it is left out, as text because it may exceed any integer."""
    return "1" if digits is None else digits.lstrip("0") or "0"
