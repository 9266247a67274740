"""Parser of diff headers, whose file names may be C-quoted, prefixed, or two to a line."""

import re

_CLOSING = re.compile(r'(?<!\\)"')
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)")
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?[ ]+"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
# What follows a name if a mailer turned the tab behind it into spaces: blanks, a time stamp, or a note of Subversion
# such as (revision 4007).
_BEHIND_NAME = re.compile(
    rf"""
    [ \u00a0]{{2}} |                                                 # more than one blank
    [ \u00a0](?:{_DAY})?(?:
        \d{{4}}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d |                       # 2009-12-26 11:39:47, of GNU diff
        {_MONTH}[ ]+\d{{1,2}}[ ]+(?:\d{{4}}[ ]+)?\d\d:\d\d |            # Sat Dec 26 11:39:47 2009, of Mercurial
        \d{{1,2}}[/.]\d{{1,2}}[/.]\d{{4}}[ ]+\d{{1,2}}:\d\d |              # 12/26/2009 11:39, of Windows
        \d{{1,2}}[ -]{_MONTH}[ -]\d{{4}}[ ]+\d\d:\d\d                 # 26 Dec 2009 11:39:47, of CVS
    ) |
    [ ]\((?:\.\.\.[^()]*|[^\W\d]+[ ]\d+|working[ ]copy|nonexistent)\)(?=[ ]*$|[ ]*\() |
    [ \u00a0]$
    """,
    re.VERBOSE,
)
_NOTE = re.compile(r"[ ]\([^()]*\)$")
_SLASHES = re.compile(r"/(?:\.?/)+")
_LEADING_DOT = re.compile(r"(?:^|(?<= ))\./")
_USUAL_PREFIX = re.compile(r"[ab]/")
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
_PLAIN_NAMES = re.compile(r"\n--- (.*)\n\+\+\+ (.*)")
_PLAIN = re.compile(r"\n--- (.*)\n\+\+\+ (.*)(?=\n@@ -)")
_MOVED = re.compile(r"^(?:rename|copy) (from|to) (.+)", re.MULTILINE)
_Names = tuple[str | None, str | None]  # of the file now, and before a rename or copy


def unquote(field: str) -> str:
    """Return the name in *field*, which git C-quotes if it has quotes, backslashes or control characters.

    Bytes that are not UTF-8 become U+FFFD.
    """
    quoted = _quoted(field)
    return field if quoted is None else _unescape(quoted)


def name_of(field: str) -> str | None:
    """Return the name after "--- " or "+++ ", without a time stamp or note behind it; None for /dev/null."""
    if not field.startswith('"'):
        field, tab, _ = field.partition("\t")  # the tab with which git ends a name that has spaces
        if not tab and (behind := _BEHIND_NAME.search(field)):
            field = field[: behind.start()]
    name = plain(unquote(field))
    return name if name and name != "/dev/null" else None


def plain(name: str) -> str:
    """Return *name*, or the two names of a header, without "./" and doubled slashes."""
    if "./" not in name and "//" not in name:
        return name
    return _LEADING_DOT.sub("", _SLASHES.sub("/", name))


def name_in_header(names: str) -> str | None:
    """Return the name shared by both sides of the "a/x b/x" of a git header; None if they differ or cannot be split."""
    middle = len(names) // 2
    name = names[2:middle]
    if name and names == f"a/{name} b/{name}":  # nearly always
        return name
    pair = _split(names)
    return _shared(*pair) if pair else None


def new_name_in_header(names: str) -> str | None:
    """Return the second name of "a/x b/y", for headers without any other hint."""
    pair = _split(names)
    return _without_usual_prefixes(*pair)[1] if pair else None


def name_of_pair(old: str | None, new: str | None) -> str | None:
    """Return the file that a "---" and a "+++" name stand for; None if both are /dev/null.

    The file itself takes precedence over a backup beside it ("x.c.orig", "x.c~"), as in git.
    """
    if old is None or new is None:
        lone = old or new
        return _USUAL_PREFIX.sub("", lone, count=1) if lone and _USUAL_PREFIX.match(lone) else lone
    if shared := _shared(old, new) or _shared_before_notes(old, new):
        return shared
    old, new = _without_usual_prefixes(old, new)
    return old if new.startswith(old) else new


def _quoted(field: str) -> str | None:
    """Return the text between the quote at the start of *field* and the closing one; None if it is not quoted."""
    if not field.startswith('"'):
        return None
    # With the escaped backslashes replaced, any backslash before a quote escapes that quote.
    closing = _CLOSING.search(field.replace("\\\\", "\0\0"), 1)
    return field[1 : closing.start()] if closing else None


def _unescape(quoted: str) -> str:
    """Return *quoted* with its C escapes resolved; octal ones are UTF-8 bytes."""
    return _ESCAPE.sub(_escaped, quoted.encode(errors="replace")).decode(errors="replace")


def _escaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _ESCAPED.get(code, code)


def _split(names: str) -> tuple[str, str] | None:
    """Return both names of a git header with their prefixes; None if spaces make it ambiguous."""
    if (first := _quoted(names)) is not None:
        return _unescape(first), unquote(names[len(first) + 3 :])  # two quotes and a space
    if names.endswith('"'):  # an unquoted name has no quote in it
        old, _, new = names.partition(' "')
        return old, unquote(f'"{new}')
    middle = len(names) // 2
    halves = names[:middle], names[middle + 1 :]
    if names[middle : middle + 1] == " " and _shared(*halves):
        return halves
    return (names.partition(" ")[0], names.partition(" ")[2]) if names.count(" ") == 1 else None


def _shared(old: str, new: str) -> str | None:
    """Return the name shared by *old* and *new*: equal as they are, or equal below their first components."""
    if old == new:
        return old or None
    below_old, below_new = old.partition("/")[2], new.partition("/")[2]
    return below_old if below_old and below_old == below_new else None


def _shared_before_notes(old: str, new: str) -> str | None:
    """Return the name shared by *old* and *new* if only notes behind it differ: "x.c (original)", "x.c (modified)"."""
    before_old, before_new = _NOTE.sub("", old), _NOTE.sub("", new)
    return _shared(before_old, before_new) if (before_old, before_new) != (old, new) else None


def _without_usual_prefixes(old: str, new: str) -> tuple[str, str]:
    prefixed = _USUAL_PREFIX.match(old) and _USUAL_PREFIX.match(new)
    return (old[2:], new[2:]) if prefixed else (old, new)


def read_header(text: str, at: int) -> tuple[str, str | None, int] | None:
    """Return the path, the old path and the end of the header below the line that ends at *at*; None if there is none.

    The old path is None unless a rename or copy changed it.
    """
    if header := _GIT.match(text, at):
        below = _EXTENDED_END.search(text, header.end())
        end = below.start() if below else len(text)
        names = _PLAIN_NAMES.match(text, end)
        extended = text[header.end() : end]
        if not extended and names is None and _ENDS.match(text, end) is None:
            return None  # text that only looks like a header
        path, old_path = _names(header, extended, names)
        end = names.end() if names else end
    elif names := _PLAIN.match(text, at):
        path, old_path, end = _plain_file(names), None, names.end()
    else:
        return None
    return (path, old_path, end) if path else None


def _names(header: re.Match[str], extended: str, plain_names: re.Match[str] | None) -> _Names:
    """Return the path and the old path that a "diff --git" header is about."""
    named = header[2].removesuffix("\r")
    if header[1] != "git":
        return unquote(named), None  # the header of a merge names the file without a prefix
    moved = _moved(extended) if "rename " in extended or "copy " in extended else {}
    named = plain(named)
    path = moved.get("to") or name_in_header(named) or _plain_file(plain_names) or new_name_in_header(named)
    old_path = moved.get("from") or path
    return path and plain(path), plain(old_path) if old_path and old_path != path else None


def _plain_file(lines: re.Match[str] | None) -> str | None:
    """Return the file that the "---" and "+++" lines name; None if there are none."""
    if lines is None:
        return None
    return name_of_pair(name_of(lines[1].removesuffix("\r")), name_of(lines[2].removesuffix("\r")))


def _moved(extended: str) -> dict[str, str]:
    """Return the names of a rename or copy under "from" and "to"; they have no prefix."""
    return {side: unquote(name.removesuffix("\r")) for side, name in _MOVED.findall(extended)}
