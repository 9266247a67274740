"""Finds the pairing with the greatest total gain, the "assignment problem", with bounded work. Pure.

Theory of operation. Only pairs with a gain are given, and patches that no chain of such pairs connects do not affect
each other; so each connected group is solved by itself, which is nearly always a pair or a few. Within a group the
Hungarian method adds one row after the other by the cheapest augmenting path (Kuhn, 1955; with potentials as by
Jonker and Volgenant, 1987), in steps of rows² · columns. A group that would take more than `MAX_STEPS` is paired
greedily instead, the greatest gain first; that needs hundreds of patches which all resemble each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

MAX_STEPS: Final = 1_000_000  # of one group, as of a hundred patches on each side: a few tenths of a second
Gains: TypeAlias = Mapping[tuple[int, int], int]
_NEVER: Final = 1 << 60


def best_pairs(gains: Gains) -> dict[int, int]:
    """Return the pairing of rows with columns whose sum of *gains*, all of them positive, is the greatest."""
    pairs: dict[int, int] = {}
    for group in _groups(gains):
        rows, columns = sorted({row for row, _ in group}), sorted({column for _, column in group})
        few, many = (rows, columns) if len(rows) <= len(columns) else (columns, rows)
        if len(few) ** 2 * len(many) > MAX_STEPS:
            pairs |= _greedy(group)
            continue
        is_turned = few is columns
        matrix = [[-group.get((other, one) if is_turned else (one, other), 0) for other in many] for one in few]
        for at, place in enumerate(_hungarian(matrix)):
            pair = (many[place], few[at]) if is_turned else (few[at], many[place])
            if pair in group:
                pairs[pair[0]] = pair[1]
    return pairs


def _groups(gains: Gains) -> Iterator[dict[tuple[int, int], int]]:
    """Yield the connected parts of the bipartite graph whose edges have *gains*."""
    parent: dict[tuple[bool, int], tuple[bool, int]] = {}

    def root(node: tuple[bool, int]) -> tuple[bool, int]:
        while (above := parent.setdefault(node, node)) != node:
            parent[node] = parent.setdefault(above, above)
            node = above
        return node

    for row, column in gains:
        parent[root((False, row))] = root((True, column))
    groups: dict[tuple[bool, int], dict[tuple[int, int], int]] = {}
    for pair, gain in gains.items():
        groups.setdefault(root((False, pair[0])), {})[pair] = gain
    yield from groups.values()


def _greedy(group: Gains) -> dict[int, int]:
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for row, column in sorted(group, key=lambda pair: (-group[pair], pair)):
        if row not in pairs and column not in taken:
            pairs[row] = column
            taken.add(column)
    return pairs


def _hungarian(costs: Sequence[Sequence[int]]) -> list[int]:
    """Return the column of each row in the cheapest complete assignment; there are at least as many columns as rows.

    Rows and columns are numbered from 1 inside, because column 0 stands for the row that is being added.
    """
    rows, columns = len(costs), len(costs[0])
    of_row, of_column = [0] * (rows + 1), [0] * (columns + 1)  # the potentials
    owner, way = [0] * (columns + 1), [0] * (columns + 1)
    for row in range(1, rows + 1):
        owner[0], at = row, 0
        least, is_used = [_NEVER] * (columns + 1), [False] * (columns + 1)
        while owner[at]:
            is_used[at] = True
            costs_here, potential, step, following = costs[owner[at] - 1], of_row[owner[at]], _NEVER, 0
            for column in range(1, columns + 1):
                if is_used[column]:
                    continue
                cost = costs_here[column - 1] - potential - of_column[column]
                if cost < least[column]:
                    least[column], way[column] = cost, at
                if least[column] < step:
                    step, following = least[column], column
            for column in range(columns + 1):
                if is_used[column]:
                    of_row[owner[column]] += step
                    of_column[column] -= step
                else:
                    least[column] -= step
            at = following
        while at:
            owner[at] = owner[way[at]]
            at = way[at]
    places = {owner[column]: column - 1 for column in range(1, columns + 1)}
    return [places[row] for row in range(1, rows + 1)]
