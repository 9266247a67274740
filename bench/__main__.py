"""All benches, in one table; a goal that is missed is shown and fails nothing."""

from bench import bounds, index, maintainers, match, paths, trie
from bench.table import Row, progress, show

BENCHES = {
    "Paths out of diffs": paths.rows,
    "Many path patterns": match.rows,
    "The trie by itself": trie.rows,
    "The whole index": index.rows,
    "MAINTAINERS": maintainers.rows,
    "The worst that comes in": bounds.rows,
}


def main() -> None:
    """Measure, then print."""
    measured: dict[str, list[Row]] = {}
    for title, rows in BENCHES.items():
        progress(title)
        measured[title] = list(rows())
    show(measured)


if __name__ == "__main__":
    main()
