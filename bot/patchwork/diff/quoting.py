"""File names as diffs write them: C-quoted, prefixed, two to a line."""

import re

_CLOSING = re.compile(r'(?<!\\)"')
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)")
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?[ ]+"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
# What stands behind a name where no tab ends it, for a mailer turned the tab to spaces: blanks, a time stamp, or a note
# of Subversion, such as (revision 4007).
_BEHIND_NAME = re.compile(
    rf"""
    [ ]{{2}} |                                                       # more than one blank
    [ ](?:{_DAY})?(?:
        \d{{4}}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d |                       # 2009-12-26 11:39:47, of GNU diff
        {_MONTH}[ ]+\d{{1,2}}[ ]+\d\d:\d\d |                         # Sat Dec 26 11:39:47 2009, of Unix and Mercurial
        \d{{1,2}}[ -]{_MONTH}[ -]\d{{4}}[ ]+\d\d:\d\d                 # 26 Dec 2009 11:39:47, of CVS
    ) |
    [ ]\((?:\.\.\.[^()]*|[^\W\d]+[ ]\d+|working[ ]copy|nonexistent)\)(?=[ ]*$|[ ]*\() |
    [ ]$
    """,
    re.VERBOSE,
)
_SLASHES = re.compile(r"/(?:\.?/)+")
_LEADING_DOT = re.compile(r"(?:^|(?<= ))\./")
_USUAL_PREFIX = re.compile(r"[ab]/")


def unquote(field: str) -> str:
    """The name in *field*, which git C-quotes when it holds quotes, backslashes or control characters.

    Bytes that are not UTF-8 become U+FFFD.
    """
    quoted = _quoted(field)
    return field if quoted is None else _unescape(quoted)


def name_of(field: str) -> str | None:
    """The name after "--- " or "+++ ", without what stands behind it; None for /dev/null."""
    if not field.startswith('"'):
        field, tab, _ = field.partition("\t")  # with which git ends a name that holds spaces
        if not tab and (behind := _BEHIND_NAME.search(field)):
            field = field[: behind.start()]
    name = plain(unquote(field))
    return name if name and name != "/dev/null" else None


def plain(name: str) -> str:
    """*name* without "./" and doubled slashes, which mean nothing; *name* may also be the two names of a header."""
    if "./" not in name and "//" not in name:
        return name
    return _LEADING_DOT.sub("", _SLASHES.sub("/", name))


def name_in_header(names: str) -> str | None:
    """The one name in the "a/x b/x" of a git header; None where the two differ or cannot be told apart."""
    middle = len(names) // 2
    name = names[2:middle]
    if name and names == f"a/{name} b/{name}":  # nearly always
        return name
    pair = _split(names)
    return _shared(*pair) if pair else None


def new_name_in_header(names: str) -> str | None:
    """The second name of "a/x b/y", for headers that nothing else explains."""
    pair = _split(names)
    return _without_usual_prefixes(*pair)[1] if pair else None


def name_of_pair(old: str | None, new: str | None) -> str | None:
    """The file that a "---" and a "+++" name stand for; None for /dev/null on both sides.

    Backups beside the file ("x.c.orig", "x.c~") lose to the file itself, as with git.
    """
    if old is None or new is None:
        lone = old or new
        return _USUAL_PREFIX.sub("", lone, count=1) if lone and _USUAL_PREFIX.match(lone) else lone
    if shared := _shared(old, new):
        return shared
    old, new = _without_usual_prefixes(old, new)
    return old if new.startswith(old) else new


def _quoted(field: str) -> str | None:
    """What stands between the quote that *field* starts with and the one that closes it; None without them."""
    if not field.startswith('"'):
        return None
    # With the escaped backslashes out of the way, any backslash before a quote escapes that.
    closing = _CLOSING.search(field.replace("\\\\", "\0\0"), 1)
    return field[1 : closing.start()] if closing else None


def _unescape(quoted: str) -> str:
    """*quoted* with its C escapes resolved; octal ones are UTF-8 bytes."""
    return _ESCAPE.sub(_escaped, quoted.encode(errors="replace")).decode(errors="replace")


def _escaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _ESCAPED.get(code, code)


def _split(names: str) -> tuple[str, str] | None:
    """Both names of a git header, prefixes kept; None where spaces leave it open."""
    if (first := _quoted(names)) is not None:
        return _unescape(first), unquote(names[len(first) + 3 :])  # two quotes and a space
    if names.endswith('"'):  # no bare name holds a quote
        old, _, new = names.partition(' "')
        return old, unquote(f'"{new}')
    middle = len(names) // 2
    halves = names[:middle], names[middle + 1 :]
    if names[middle : middle + 1] == " " and _shared(*halves):
        return halves
    return (names.partition(" ")[0], names.partition(" ")[2]) if names.count(" ") == 1 else None


def _shared(old: str, new: str) -> str | None:
    """The name that both stand for: equal as they are (no prefixes), or below their first components."""
    if old == new:
        return old or None
    below_old, below_new = old.partition("/")[2], new.partition("/")[2]
    return below_old if below_old and below_old == below_new else None


def _without_usual_prefixes(old: str, new: str) -> tuple[str, str]:
    prefixed = _USUAL_PREFIX.match(old) and _USUAL_PREFIX.match(new)
    return (old[2:], new[2:]) if prefixed else (old, new)
