"""Parser of diff headers, which name the file of the next part."""

import re

from bot.patchwork.diff.quoting import name_in_header, name_of, name_of_pair, new_name_in_header, plain, unquote

_GIT = re.compile(r"\ndiff --(git|cc|combined) (.*)")
# The end of the extended header lines. A repeated group would remember each of them for backtracking.
_EXTENDED_END = re.compile(
    r"""
    \n(?!
        index\ | (?:(?:old|new|new\ file|deleted\ file)\ )?mode\ | (?:dis)?similarity\ index\ |
        (?:rename|copy)\ (?:from|to)\ | GIT\ binary\ patch | Binary\ file
    )
    """,
    re.VERBOSE,
)
# What may follow a bare "diff --git" line, which is all that Patchwork leaves of a deleted binary file.
_ENDS = re.compile(r"\s*\Z|\n(?:diff --git |-- \n)")
_SHOWN = re.compile(r"\n--- (.*)\n\+\+\+ (.*)")
_PLAIN = re.compile(r"\n--- (.*)\n\+\+\+ (.*)(?=\n@@ -)")
_MOVED = re.compile(r"^(?:rename|copy) (from|to) (.+)", re.MULTILINE)

_Names = tuple[str | None, str | None]  # of the file now, and before a rename or copy


def read_header(text: str, at: int) -> tuple[str, str | None, int] | None:
    """Return the path, the old path and the end of the header below the line that ends at *at*; None if there is none.

    The old path is None unless a rename or copy changed it.
    """
    if header := _GIT.match(text, at):
        below = _EXTENDED_END.search(text, header.end())
        end = below.start() if below else len(text)
        shown = _SHOWN.match(text, end)
        extended = text[header.end() : end]
        if not extended and shown is None and _ENDS.match(text, end) is None:
            return None  # text that only looks like a header
        path, old_path = _names(header, extended, shown)
        end = shown.end() if shown else end
    elif shown := _PLAIN.match(text, at):
        path, old_path, end = _shown(shown), None, shown.end()
    else:
        return None
    return (path, old_path, end) if path else None


def _names(header: re.Match[str], extended: str, shown: re.Match[str] | None) -> _Names:
    """Return the path and the old path that a "diff --git" header is about."""
    named = header[2].removesuffix("\r")
    if header[1] != "git":
        return unquote(named), None  # the header of a merge names the file without a prefix
    moved = _moved(extended) if "rename " in extended or "copy " in extended else {}
    named = plain(named)
    path = moved.get("to") or name_in_header(named) or _shown(shown) or new_name_in_header(named)
    old_path = moved.get("from") or path
    return path and plain(path), plain(old_path) if old_path and old_path != path else None


def _shown(lines: re.Match[str] | None) -> str | None:
    """Return the file that the "---" and "+++" lines name; None if there are none."""
    if lines is None:
        return None
    return name_of_pair(name_of(lines[1].removesuffix("\r")), name_of(lines[2].removesuffix("\r")))


def _moved(extended: str) -> dict[str, str]:
    """Return the names of a rename or copy under "from" and "to"; they have no prefix."""
    return {side: unquote(name.removesuffix("\r")) for side, name in _MOVED.findall(extended)}
