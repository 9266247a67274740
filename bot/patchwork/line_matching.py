"""Finds the lines that two texts have in common, with bounded work. Pure.

Theory of operation. The longest common subsequence is found by the greedy algorithm of Myers ("An O(ND) Difference
Algorithm and Its Variations", 1986), whose work grows with the number of differences. Before it, equal lines at both
ends are paired, and lines that only one side has are left out, as git does: what has little in common is then as fast
as what is nearly equal. Every round is charged to a `WorkBudget`, which several comparisons may share, so that a
hostile mail takes no more than a known number of steps, on any machine alike.
"""

from array import array
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

MAX_DIFFERENCES: Final = 1_500  # ambiguous lines of one comparison; its memory grows with their square, to 5 MB
CONTEXT: Final = 3  # unchanged lines that are shown around changed ones, as git does
Pairs: TypeAlias = list[tuple[int, int]]


@dataclass(slots=True)
class WorkBudget:
    """The number of steps that are left for comparisons; a million take less than half a second."""

    steps: int

    def spend(self, steps: int) -> bool:
        """Take *steps* from the budget, and return whether there were as many."""
        self.steps -= steps
        return self.steps >= 0


def common_lines(old: Sequence[Hashable], new: Sequence[Hashable], budget: WorkBudget) -> Pairs | None:
    """Return the positions of the longest common subsequence of lines, in order; None if that takes too many steps."""
    if not budget.spend((len(old) + len(new)) // 2):
        return None
    start, shorter = 0, min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and old[-1 - end] == new[-1 - end]:
        end += 1
    there, here = set(old[start : len(old) - end]), set(new[start : len(new) - end])
    left = [place for place in range(start, len(old) - end) if old[place] in here]
    right = [place for place in range(start, len(new) - end) if new[place] in there]
    inner = _myers([old[place] for place in left], [new[place] for place in right], budget)
    if inner is None:
        return None
    head = [(place, place) for place in range(start)]
    tail = [(len(old) - place, len(new) - place) for place in range(end, 0, -1)]
    return [*head, *((left[one], right[other]) for one, other in inner), *tail]


def _myers(old: Sequence[Hashable], new: Sequence[Hashable], budget: WorkBudget) -> Pairs | None:
    """Return the positions of a longest common subsequence; None beyond `MAX_DIFFERENCES` or the budget."""
    height, width = len(old), len(new)
    most = min(height + width, MAX_DIFFERENCES)
    reach = array("i", [0]) * (2 * most + 3)  # the furthest old line on each diagonal
    rounds: list[array[int]] = []
    for count in range(most + 1):
        if not budget.spend(count + 1):
            return None
        for diagonal in range(-count, count + 1, 2):
            above, below = reach[most + 1 + diagonal + 1], reach[most + 1 + diagonal - 1]
            x = above if diagonal == -count or (diagonal != count and below < above) else below + 1
            y = x - diagonal
            while x < height and y < width and old[x] == new[y]:
                x, y = x + 1, y + 1
            reach[most + 1 + diagonal] = x
            if x >= height and y >= width:
                return _path(rounds, height, width)
        rounds.append(reach[most + 1 - count : most + 2 + count])
    return None


def _path(rounds: Sequence["array[int]"], height: int, width: int) -> Pairs:
    """Return the pairs of equal lines on the way to the end, read backwards from the *rounds* of the search."""
    pairs: Pairs = []
    x, y = height, width
    for count in range(len(rounds), 0, -1):
        reach = rounds[count - 1]  # of the diagonals from 1 - count to count - 1
        diagonal = x - y
        above = reach[diagonal + count] if diagonal + 1 <= count - 1 else -1
        below = reach[diagonal + count - 2] if diagonal - 1 >= 1 - count else -1
        is_down = diagonal == -count or (diagonal != count and below < above)
        former_x = above if is_down else below
        former_y = former_x - (diagonal + 1 if is_down else diagonal - 1)
        begin = former_x if is_down else former_x + 1
        while x > begin:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = former_x, former_y
    while x > 0 and y > 0:
        x, y = x - 1, y - 1
        pairs.append((x, y))
    return pairs[::-1]


@dataclass(frozen=True, slots=True)
class ChangedRun:
    """A place where two texts differ: the ranges of lines on both sides, one of which may be empty."""

    old: range
    new: range


def changed_runs(pairs: Pairs, old: int, new: int) -> Iterator[ChangedRun]:
    """Yield the places where texts of *old* and *new* lines with these common lines differ, in order."""
    x = y = 0
    for one, other in [*pairs, (old, new)]:
        if one > x or other > y:
            yield ChangedRun(range(x, one), range(y, other))
        x, y = one + 1, other + 1


def shown_lines(pairs: Pairs, old: int, new: int) -> int:
    """Return how many lines a unified diff with these common lines has: headings, changed lines and their context."""
    total, at = 0, 0
    is_first = True
    for run in changed_runs(pairs, old, new):
        unchanged = run.old.start - at
        if is_first:
            total += 1 + min(unchanged, CONTEXT)
        else:
            total += unchanged if unchanged <= 2 * CONTEXT else 1 + 2 * CONTEXT
        total += len(run.old) + len(run.new)
        at, is_first = run.old.stop, False
    return total if is_first else total + min(old - at, CONTEXT)
