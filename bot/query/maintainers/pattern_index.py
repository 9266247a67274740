r"""Finds which of thousands of MAINTAINERS patterns cover a path.

Patterns mean what get_maintainer.pl understands; they are not those of `path:`.

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

Theory of operation: the literal directories that a pattern begins with are those of every path it covers. So it is
stored under them, and a path looks only into the directories it is in. There, what follows in the pattern up to its
first star is looked up in a dict, once for each length that such beginnings have; what follows the star is then
searched in the path, leftmost first. That is exact because no pattern has an end anchor, and it never backtracks.
Patterns with other special characters than stars are left to RE2, which does not backtrack either.
"""

import re
from bisect import insort
from dataclasses import dataclass

from bot.query.index.regexes import Expression, as_utf_8, compile_expression

_SIGNS = frozenset("*?[]()+{}|\\^$")
_NOT_IN_FOLDERS = frozenset(".*?")
_FIRST_SIGN = re.compile(r"[*?\[\]()+{}|\\^$]")
_LAYOUT = re.compile(
    r"(?P<kept>\\.|\[\^?\]?(?:\\.|\[:\^?[a-z]*+:\]|[^\]\\])*\]?|[^\s\\#\[]++|\\)|\s++|#.*+",
    re.DOTALL,
)
_ANY_DEPTH = -1


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


class PatternIndex:
    """Patterns of F: and X: lines, each with a number."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[int, _Table]] = {}  # by directory, then by slashes in the path
        self._longest_folder = 0

    def add(self, pattern: str, number: int) -> None:
        """Let *number* be found by *pattern*.

        Raises:
            ExpressionError: it has signs that do not make a regular expression for RE2.
        """
        folder = folder_of(pattern)
        depth = _ANY_DEPTH if takes_any_depth(pattern) else pattern.count("/")
        runs = runs_of(pattern)
        if runs is None:
            self._table(folder, depth).add("", _Entry(number, (), compile_expression(expression_of(pattern))))
            return
        beginning, *rest = runs
        self._table(folder, depth).add(beginning[len(folder) :], _Entry(number, tuple(filter(None, rest)), None))
        if may_be_folder(pattern):
            self._table(f"{pattern}/", _ANY_DEPTH).add("", _Entry(number, (), None))

    def matches(self, path: str) -> list[int]:
        """The numbers of all patterns that take *path*, each once."""
        found: list[int] = []
        depth = path.count("/")
        end = 0
        while True:
            if (tables := self._folders.get(path[:end])) is not None:
                if (table := tables.get(_ANY_DEPTH)) is not None:
                    table.collect(path, end, found)
                if (table := tables.get(depth)) is not None:
                    table.collect(path, end, found)
            end = path.find("/", end) + 1
            if not 0 < end <= self._longest_folder:
                return found

    def _table(self, folder: str, depth: int) -> "_Table":
        self._longest_folder = max(self._longest_folder, len(folder))
        return self._folders.setdefault(folder, {}).setdefault(depth, _Table())


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is left to see of a pattern when its beginning was found."""

    number: int
    runs: tuple[str, ...]
    expression: Expression | None

    def takes(self, path: str, start: int) -> bool:
        """Whether the runs are in the path from *start* on, in order; or the expression anywhere."""
        if self.expression is not None:
            return self.expression.search(as_utf_8(path)) is not None
        for run in self.runs:
            at = path.find(run, start)
            if at < 0:
                return False
            start = at + len(run)
        return True


class _Table:
    """The patterns that begin with the same directories."""

    __slots__ = ("_entries", "_lengths")

    def __init__(self) -> None:
        self._entries: dict[str, list[_Entry]] = {}  # by what comes after the directories
        self._lengths: list[int] = []  # of that, ascending

    def add(self, beginning: str, entry: _Entry) -> None:
        if len(beginning) not in self._lengths:
            insort(self._lengths, len(beginning))
        self._entries.setdefault(beginning, []).append(entry)

    def collect(self, path: str, start: int, found: list[int]) -> None:
        """Add to *found* what takes *path*, whose directories up to *start* are this table's."""
        for length in self._lengths:
            end = start + length
            if end > len(path):
                return
            if (entries := self._entries.get(path[start:end])) is not None:
                found += [entry.number for entry in entries if entry.takes(path, end)]
