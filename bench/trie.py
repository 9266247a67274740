"""What the trie of path patterns costs by itself: growth, building, memory, changes, hostile globs."""

import gc
import random
import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import chain
from statistics import median
from time import process_time

from bench.match import Way, a_trie, answering, some_paths
from bench.patterns import a_glob, a_pattern, a_tree, a_word
from bench.table import Row, in_turns, progress

FEW, MANY = 100, 100_000
PATCHES = 400  # of about 200 directories
ROUNDS = 9
CHANGES = 2_000
RANDOM_GLOBS = 300


def rows() -> Iterator[Row]:
    """Every figure."""
    rng = random.Random(21)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    progress("  growth")
    yield from growth(rng, files)
    progress("  building and changing")
    yield from costs([a_pattern(rng, files) for _ in range(MANY)])
    progress("  hostile globs")
    yield from hostile(rng)


def growth(rng: random.Random, files: Sequence[str]) -> Iterator[Row]:
    """How much slower the same hits are found among a thousand times as many patterns."""
    touched = some_paths(rng, files, PATCHES)
    few = [a_pattern(rng, touched) for _ in range(FEW)]
    trie = a_trie(few)
    paths = [path for path in touched if trie.matches(path)]
    folders = sorted({path.rpartition("/")[0] for path in paths})
    elsewhere = [f"elsewhere/{a_pattern(rng, files)}" for _ in range(MANY - FEW)]
    crowd = missing(paths, [a_stranger(rng, rng.choice(folders)) for _ in range(MANY + MANY // 4)])[: MANY - FEW]
    tries = {"few": trie, "elsewhere": a_trie(few + elsewhere), "crowd": a_trie(few + crowd)}
    if any(len({frozenset(trie.matches(path)) for trie in tries.values()}) > 1 for path in paths):
        raise SystemExit("the tries differ")
    turns = in_turns({name: answering(Way(trie.matches), [paths] * ROUNDS) for name, trie in tries.items()}, ROUNDS)
    against = f"{FEW} with the same hits"
    yield Row(f"{MANY:,}, others elsewhere", against, turns.times("elsewhere", "few"), "× the time", at_most=1.2)
    yield Row(f"{MANY:,}, same directories", against, turns.times("crowd", "few"), "× the time", at_most=4)


def a_stranger(rng: random.Random, folder: str) -> str:
    """A pattern of the usual mix for *folder*, and for a name that is most likely not there."""
    word = a_word(rng)
    name = f"{a_word(rng)}-{a_word(rng)}.c"
    kind = rng.random()
    if kind < 0.58:
        return f"{folder}/{name}"
    if kind < 0.82:
        return f"{folder}/{word}/"
    if kind < 0.98:
        return f"{folder}/{a_glob(rng, name)}"
    return f"{folder.rpartition('/')[0]}/*/{word}/".removeprefix("/")


def missing(paths: list[str], patterns: list[str]) -> list[str]:
    """Those of the *patterns* that match none of the *paths*."""
    trie = a_trie(patterns)
    hits = set(chain.from_iterable(map(trie.matches, paths)))
    return [pattern for position, pattern in enumerate(patterns) if position not in hits]


def costs(patterns: list[str]) -> Iterator[Row]:
    """Building, keeping and changing the trie."""
    what = f"{len(patterns):,} patterns"
    gc.collect()
    start = process_time()
    trie = a_trie(patterns)
    yield Row(what, "building", process_time() - start, " s", at_most=1)
    news = [f"a1/new{number}.c" for number in range(CHANGES)]
    for change, against in ((trie.add, "adding one"), (trie.remove, "removing one")):
        start = process_time()
        for pattern in news:
            change(pattern, -1)
        yield Row(what, against, (process_time() - start) / CHANGES * 1e6, " µs", at_most=10)
    tracemalloc.start()
    trie = a_trie(patterns)
    yield Row(what, "memory", tracemalloc.get_traced_memory()[0] / 2**20, " MiB", at_most=25)
    tracemalloc.stop()


def hostile(rng: random.Random) -> Iterator[Row]:
    """The time for one path with globs that ruin a backtracking matcher."""
    deep = "/".join(f"a{depth}" for depth in range(20))
    for pattern, path, against in (
        ("a*a*a*a*a*a*a*a*b", "a" * 1_000, "1,000 letters"),
        ("**/a*/" * 6, f"{deep}/b", "a path 20 deep"),
    ):
        yield Row(pattern, against, milliseconds(pattern, path), " ms", at_most=1)
    slowest = max(milliseconds(a_hostile_glob(rng), "".join(rng.choices("ab", k=1_000))) for _ in range(RANDOM_GLOBS))
    yield Row(f"worst of {RANDOM_GLOBS} random globs", "1,000 letters", slowest, " ms", at_most=1)


def a_hostile_glob(rng: random.Random) -> str:
    """Many wildcards over few letters."""
    return "".join(rng.choices(["a", "b", "*", "?", "[ab]", "[!a]", "*a"], k=rng.randint(5, 40)))


def milliseconds(pattern: str, path: str) -> float:
    """The median of some times, each with a trie that knows neither."""
    times = []
    for _ in range(ROUNDS):
        trie = a_trie([pattern])
        start = process_time()
        trie.matches(path)
        times.append(process_time() - start)
    return median(times) * 1e3
