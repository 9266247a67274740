"""Builds git diffs from their lines; line numbers and counts are computed."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hunk:
    """Changed lines with their context; *start* is the old line number.

    Each line begins with " ", "+" or "-"; an empty line is an empty line of context.
    """

    start: int
    lines: str
    function: str = ""


def git_diff(path: str, *hunks: Hunk) -> str:
    """Return a diff that changes one file."""
    return _head(path, path, hunks) + f"--- a/{path}\n+++ b/{path}\n" + _body(hunks)


def new_file_diff(path: str, text: str) -> str:
    """Return a diff that adds a file."""
    lines = text.splitlines()
    blob = _blob(text)
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex {'0' * 12}..{blob}\n"
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n"
    ) + "".join(f"+{line}\n" for line in lines)


def rename_diff(old: str, new: str) -> str:
    """Return a diff that only renames a file."""
    return f"diff --git a/{old} b/{new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"


def sample_diff(*paths: str, removed: str = "old line", added: str = "new line") -> str:
    """Return a diff that changes one line in each of *paths*."""
    return "".join(git_diff(path, Hunk(1, f" before\n-{removed}\n+{added}\n after\n")) for path in paths)


def _head(old: str, new: str, hunks: tuple[Hunk, ...]) -> str:
    before = _blob(old + "".join(hunk.lines for hunk in hunks))
    after = _blob(new + before)
    return f"diff --git a/{old} b/{new}\nindex {before}..{after} 100644\n"


def _body(hunks: tuple[Hunk, ...]) -> str:
    text, shift = "", 0
    for hunk in hunks:
        lines = [line or " " for line in hunk.lines.splitlines()]
        old = sum(not line.startswith("+") for line in lines)
        new = sum(not line.startswith("-") for line in lines)
        function = f" {hunk.function}" if hunk.function else ""
        text += f"@@ -{hunk.start},{old} +{hunk.start + shift},{new} @@{function}\n"
        text += "".join(f"{line}\n" for line in lines)
        shift += new - old
    return text


def _blob(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:12]
