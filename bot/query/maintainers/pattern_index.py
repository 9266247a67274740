"""Thousands of MAINTAINERS patterns at once, by the directories they begin with.

Theory of operation: the literal directories that a pattern begins with are those of every path it takes. So it is
kept under them, and a path asks only the directories it is in. There, what the pattern goes on with up to its
first star is looked up in a dict, once for each length that such beginnings have; what follows the star is then
found in the path run by run, leftmost first. That is exact because no pattern has an end anchor, and it never
goes back. Patterns with other signs than stars are left to RE2, which does not go back either.
"""

from bisect import insort
from dataclasses import dataclass

from bot.query.index.regexes import Expression, as_utf_8, compile_expression
from bot.query.maintainers.patterns import (
    expression_of,
    folder_of,
    may_be_folder,
    runs_of,
    takes_any_depth,
)

_ANY_DEPTH = -1


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
