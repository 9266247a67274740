r"""The patterns of MAINTAINERS as get_maintainer.pl understands them; they are not those of `path:`.

The script makes a Perl regular expression of an F: or X: pattern: `.` becomes `\.`, `*` becomes `.*`, `?` becomes `.`,
and the rest stays, so `[ch]` is a set. It is matched from the start of the path, with no end:

- A pattern that ends with a slash takes everything below, and a `*` in it may cross slashes: `drivers/*/qcom/`
  takes `drivers/media/platform/qcom/venus.c`.
- Any other takes only paths with as many slashes as it has itself; what may follow is open: `fs/foo.c` takes
  `fs/foo.cc`.
- A name that is a directory of the tree counts as if it ended with a slash. The script asks the file system, for
  the regular expression, hence never for a name with a dot in it. There is no tree here, so such a pattern is
  read both ways.
- Linux's newest script knows `**`, as `(?:.*)`: with that in the pattern, the count of slashes does not matter. Older
  scripts, QEMU's and U-Boot's among them, take it for two stars. Here a pattern with `**` in it is read the new
  way, for nobody writes one in a tree whose script does not know it. Both slashes of `fs/**/x` must be there: it
  takes `fs/a/x`, not `fs/x`.

N: and K: are Perl's extended expressions, in which blanks and comments mean nothing.
"""

import re

_SIGNS = frozenset("*?[]()+{}|\\^$")
_NOT_IN_FOLDERS = frozenset(".*?")
_FIRST_SIGN = re.compile(r"[*?\[\]()+{}|\\^$]")
_LAYOUT = re.compile(
    r"(?P<kept>\\.|\[\^?\]?(?:\\.|\[:\^?[a-z]*+:\]|[^\]\\])*\]?|[^\s\\#\[]++|\\)|\s++|#.*+",
    re.DOTALL,
)


def expression_of(pattern: str) -> str:
    """What get_maintainer.pl makes of an F: or X: pattern, to be searched for in a path."""
    escaped = pattern.replace(".", r"\.").replace("**", "\0")
    return "^" + escaped.replace("*", ".*").replace("?", ".").replace("\0", "(?:.*)")


def takes_any_depth(pattern: str) -> bool:
    """Whether the number of slashes in the path does not matter."""
    return pattern.endswith("/") or "**" in pattern


def may_be_folder(pattern: str) -> bool:
    """Whether the script would add a slash if there were a directory of that name."""
    return _NOT_IN_FOLDERS.isdisjoint(pattern) and not pattern.endswith("/")


def runs_of(pattern: str) -> list[str] | None:
    """The literal runs between the stars, if there is no other sign in the pattern; the first begins the path."""
    return pattern.split("*") if _SIGNS.isdisjoint(pattern.replace("*", "")) else None


def folder_of(pattern: str) -> str:
    """The directories, with a slash at the end, that every path has which the pattern takes; "" for any."""
    if "|" in pattern or "{" in pattern:
        return ""  # a branch begins anywhere, a count may be nought
    sign = _FIRST_SIGN.search(pattern)
    head = pattern[: sign.start()] if sign else pattern
    return head[: head.rfind("/") + 1]


def without_layout(expression: str) -> str:
    """An extended expression without the blanks and comments that mean nothing in it."""
    return _LAYOUT.sub(lambda found: found["kept"] or "", expression)
