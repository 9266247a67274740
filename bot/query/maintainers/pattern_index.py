r"""Index of MAINTAINERS patterns: determines which of thousands of them match a path.

Patterns have the meaning of get_maintainer.pl, which differs from that of `path:`.

The script turns an F: or X: pattern into a Perl regular expression: `.` becomes `\.`, `*` becomes `.*`, `?` becomes
`.`, and the rest is unchanged, so `[ch]` is a set. The expression is anchored at the start of the path, not at the end:

- A pattern that ends with a slash matches everything below, and a `*` in it also matches slashes: `drivers/*/qcom/`
  matches `drivers/media/platform/qcom/venus.c`.
- Any other pattern matches only paths with the same number of slashes, but any continuation: `fs/foo.c` matches
  `fs/foo.cc`.
- The name of a directory of the tree is treated as if it ended with a slash. The script checks this in the file system
  with the regular expression, and therefore never finds a name with a dot. There is no tree here, so such a pattern is
  used in both forms.
- Linux's newest script translates `**` to `(?:.*)`, and then ignores the number of slashes. Older scripts, including
  those of QEMU and U-Boot, treat it as two stars. Here `**` always has the new meaning, because nobody writes it in a
  tree whose script does not support it. Both slashes of `fs/**/x` are required: it matches `fs/a/x`, not `fs/x`.

N: and K: are Perl's extended expressions, in which blanks and comments are ignored.

Theory of operation: every path that a pattern matches begins with the pattern's initial literal directories. So the
pattern is stored under them, and only the directories of a path are looked up. In each, the following part of the
pattern up to its first star is looked up in a dict, once per length of such parts; the parts after the star are then
searched in the path, leftmost first. This is exact because no pattern has an end anchor, and needs no backtracking.
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
    """Return the regular expression that get_maintainer.pl makes of an F: or X: pattern."""
    escaped = pattern.replace(".", r"\.").replace("**", "\0")
    return "^" + escaped.replace("*", ".*").replace("?", ".").replace("\0", "(?:.*)")


def takes_any_depth(pattern: str) -> bool:
    """Return whether *pattern* matches paths with any number of slashes."""
    return pattern.endswith("/") or "**" in pattern


def may_be_folder(pattern: str) -> bool:
    """Return whether the script would append a slash to *pattern* if it were the name of a directory."""
    return _NOT_IN_FOLDERS.isdisjoint(pattern) and not pattern.endswith("/")


def runs_of(pattern: str) -> list[str] | None:
    """Return the literal runs between the stars, the first one anchored; None if it has other special characters."""
    return pattern.split("*") if _SIGNS.isdisjoint(pattern.replace("*", "")) else None


def folder_of(pattern: str) -> str:
    """Return the directories, ending with a slash, in which all matching paths are; "" if there are none."""
    if "|" in pattern or "{" in pattern:
        return ""  # an alternative has its own start, and a quantifier may be zero
    sign = _FIRST_SIGN.search(pattern)
    head = pattern[: sign.start()] if sign else pattern
    return head[: head.rfind("/") + 1]


def without_layout(expression: str) -> str:
    """Return an extended expression without its insignificant blanks and comments."""
    return _LAYOUT.sub(lambda match: match["kept"] or "", expression)


class PatternIndex:
    """Patterns of F: and X: lines, each with a number."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[int, _Table]] = {}  # by directory, then by slashes in the path
        self._longest_folder = 0

    def add(self, pattern: str, number: int) -> None:
        """Add *pattern* with its *number*.

        Raises:
            ExpressionError: it is not a regular expression for RE2.
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
        """Return the numbers of all patterns that match *path*, each once."""
        numbers: list[int] = []
        depth = path.count("/")
        end = 0
        while True:
            if (tables := self._folders.get(path[:end])) is not None:
                if (table := tables.get(_ANY_DEPTH)) is not None:
                    table.collect(path, end, numbers)
                if (table := tables.get(depth)) is not None:
                    table.collect(path, end, numbers)
            end = path.find("/", end) + 1
            if not 0 < end <= self._longest_folder:
                return numbers

    def _table(self, folder: str, depth: int) -> "_Table":
        self._longest_folder = max(self._longest_folder, len(folder))
        return self._folders.setdefault(folder, {}).setdefault(depth, _Table())


@dataclass(frozen=True, slots=True)
class _Entry:
    """The part of a pattern that remains to be matched after its start."""

    number: int
    runs: tuple[str, ...]
    expression: Expression | None

    def takes(self, path: str, start: int) -> bool:
        """Return whether *path* contains the runs in order from *start* on, or the expression anywhere."""
        if self.expression is not None:
            return self.expression.search(as_utf_8(path)) is not None
        for run in self.runs:
            at = path.find(run, start)
            if at < 0:
                return False
            start = at + len(run)
        return True


class _Table:
    """The patterns that start with the same directories."""

    __slots__ = ("_entries", "_lengths")

    def __init__(self) -> None:
        self._entries: dict[str, list[_Entry]] = {}  # by what comes after the directories
        self._lengths: list[int] = []  # of that, ascending

    def add(self, beginning: str, entry: _Entry) -> None:
        if len(beginning) not in self._lengths:
            insort(self._lengths, len(beginning))
        self._entries.setdefault(beginning, []).append(entry)

    def collect(self, path: str, start: int, numbers: list[int]) -> None:
        """Add to *numbers* the patterns that match *path*, whose directories up to *start* are those of this table."""
        for length in self._lengths:
            end = start + length
            if end > len(path):
                return
            if (entries := self._entries.get(path[start:end])) is not None:
                numbers += [entry.number for entry in entries if entry.takes(path, end)]
