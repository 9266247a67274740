"""The benches in one table: those that are named, else all but those that take many minutes.

A goal that is missed is shown and fails nothing.
"""

import sys
from collections.abc import Sequence

from bench import (
    bounds,
    growth,
    idle,
    index,
    maintainers,
    match,
    paths,
    queue,
    quiet,
    rechecks,
    rooms,
    scale,
    search,
    statements,
    traffic,
    trie,
    whole,
)
from bench.table import Row, progress, show

BENCHES = {
    "paths": ("Paths out of diffs", paths.rows),
    "match": ("Many path patterns", match.rows),
    "trie": ("The trie by itself", trie.rows),
    "index": ("The whole index", index.rows),
    "maintainers": ("MAINTAINERS", maintainers.rows),
    "statements": ("The database", statements.rows),
    "search": ("Searching the past", search.rows),
    "queue": ("Queues", queue.rows),
    "bounds": ("The worst that comes in", bounds.rows),
    "traffic": ("What is read of Patchwork", traffic.rows),
    "whole": ("The bot as it is run", whole.rows),
    "idle": ("Nothing to do", idle.rows),
    "scale": ("How it grows", scale.rows),
    "growth": ("Half a year", growth.rows),
    "rooms": ("A thousand rooms", rooms.rows),
    "quiet": ("A day of a large list", quiet.rows),
    "rechecks": ("Comments without events", rechecks.rows),
}
LONG = {"idle", "rooms", "quiet", "rechecks", "scale", "growth"}


def main(names: Sequence[str]) -> None:
    """Measure, then print."""
    if unknown := set(names) - set(BENCHES):
        raise SystemExit(f"no bench is called {', '.join(sorted(unknown))}; there is {', '.join(BENCHES)}")
    measured: dict[str, list[Row]] = {}
    for name in names or [name for name in BENCHES if name not in LONG]:
        title, rows = BENCHES[name]
        progress(title)
        measured[title] = list(rows())
    show(measured)


if __name__ == "__main__":
    main(sys.argv[1:])
