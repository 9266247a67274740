"""How the path trie compares with other ways to match a patch against many patterns.

Only ratios taken within one run mean anything: after some patches to warm up, in each round every way matches
the same new patches, then the same ones again, one way after the other; the table shows the medians of the
rounds. The patterns have the mix
of Linux's MAINTAINERS: 58 % files, 24 % directories, 16 % globs for a name, 2 % with one for a directory.

    python bench/match.py
"""

import gc
import random
import re
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from statistics import median
from time import perf_counter

import re2  # type: ignore[import-untyped]  # google-re2 ships no types
from rich.console import Console
from rich.table import Table

from bot.subscriptions.paths import PathTrie

SIZES = (100, 1_000, 10_000, 100_000)
LOOPS_UP_TO = 10_000  # a loop over 100,000 patterns takes seconds per patch
ROUNDS = 7
PATCHES_PER_ROUND = 20
WARM_UP_PATCHES = 400
CHECKED_IN_LOOPS = 40  # of them
RE2_BYTES = 1 << 30

Match = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to match; it answers for one path at a time."""

    name: str
    match: Match


def main() -> None:
    """Measure and print."""
    rng = random.Random(20)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    patches = [a_patch(rng, files) for _ in range(ROUNDS * PATCHES_PER_ROUND)]
    warm_up = [a_patch(rng, files) for _ in range(WARM_UP_PATCHES)]
    console = Console()

    speed = Table("patterns", "way", "new paths", "x trie", "known paths", "x trie", title="µs per patch")
    costs = Table("patterns", "different", "build s", "MiB", "add+remove µs", "re2 build, x add+remove")
    for size in SIZES:
        patterns = [a_pattern(rng, files) for _ in range(size)]
        ways, re2_seconds = the_ways(patterns, with_loops=size <= LOOPS_UP_TO)
        check_answers(ways, warm_up)
        speed_rows(speed, size, ways, patches)
        cost_row(costs, size, patterns, re2_seconds)
    console.print(speed)
    console.print(costs)
    console.print(hostile_line())


# --- what is matched ---


def a_tree(rng: random.Random) -> list[str]:
    """Some 60,000 files in 5,000 directories."""
    folders = [f"{letter}{number}" for letter in "abcd" for number in range(6)]
    while len(folders) < 5_000:
        parent = rng.choice(folders)
        if parent.count("/") < 5:
            folders.append(f"{parent}/{a_word(rng)}")
    ends = [".c", ".c", ".c", ".h", ".h", ".rst", ".yaml", ".dts"]
    return sorted({f"{rng.choice(folders)}/{a_word(rng)}-{a_word(rng)}{rng.choice(ends)}" for _ in range(60_000)})


def a_word(rng: random.Random) -> str:
    """Three to eight letters."""
    return "".join(rng.choices("abcdefghiklmnoprstuvxyz", k=rng.randint(3, 8)))


def a_patch(rng: random.Random, files: list[str]) -> list[str]:
    """One to eight neighbours in the tree, two and a half on average; some parts see more work than others."""
    first = int((len(files) - 8) * rng.random() ** 3)
    return files[first : first + min(8, 1 + int(rng.expovariate(0.5)))]


def a_pattern(rng: random.Random, files: list[str]) -> str:
    """One pattern that matches at least one of *files*."""
    path = rng.choice(files)
    folder, _, name = path.rpartition("/")
    kind = rng.random()
    if kind < 0.58:
        return path
    if kind < 0.82:
        components = folder.split("/")
        return "/".join(components[: rng.randint(1, len(components))]) + "/"
    if kind < 0.98:
        word, _, rest = name.partition("-")
        globs = [f"{word}*", f"{word[:3]}*", f"*{rest}", f"*{word[1:]}*", f"{word[:2]}*.[ch]", "*.c"]
        return f"{folder}/{rng.choices(globs, weights=[5, 3, 3, 2, 3, 2])[0]}"
    components = folder.split("/")
    components[rng.randrange(len(components))] = "*"
    return "/".join(components) + "/"


# --- the ways ---


def the_ways(patterns: list[str], *, with_loops: bool) -> tuple[list[Way], float]:
    """The trie first, then the others; and the seconds that the re2 Set took to build."""
    trie = a_trie(patterns)
    expressions = [as_expression(pattern) for pattern in patterns]
    start = perf_counter()
    many = a_re2_set(expressions)
    seconds = perf_counter() - start
    ways = [Way("trie", trie.matches), Way("re2 Set", many)]
    if with_loops:
        compiled = [re.compile(expression) for expression in expressions]
        shells = [pattern + "*" if pattern.endswith("/") else pattern for pattern in patterns]
        ways += [
            Way("re loop", lambda path: [i for i, each in enumerate(compiled) if each.fullmatch(path)]),
            Way("fnmatch loop", lambda path: [i for i, each in enumerate(shells) if fnmatchcase(path, each)]),
        ]
    return [*ways, Way("split and look up", a_floor(patterns))], seconds


def a_trie(patterns: list[str]) -> PathTrie[int]:
    """All *patterns*, each with its position."""
    trie: PathTrie[int] = PathTrie()
    for position, pattern in enumerate(patterns):
        trie.add(pattern, position)
    return trie


def a_re2_set(expressions: list[str]) -> Match:
    """One automaton of them all."""
    options = re2.Options()
    options.max_mem = RE2_BYTES
    many = re2.Set.FullMatchSet(options)
    for expression in expressions:
        many.Add(expression)
    many.Compile()
    match: Match = many.Match
    return match


def a_floor(patterns: list[str]) -> Match:
    """What nothing can be faster than: each component looked up once in one dict."""
    known = {component: 1 for pattern in patterns for component in pattern.split("/")}
    return lambda path: [known.get(component) for component in path.split("/")]


def as_expression(pattern: str) -> str:
    """The same pattern as a regular expression for a whole path."""
    *folders, last = pattern.split("/")
    parts = [one_component(folder) for folder in folders]
    if not last:
        end = ".+"
    elif any(sign in last for sign in "*?["):
        end = one_component(last)
    else:
        end = re.escape(last) + "(?:/.+)?"
    return "/".join([*parts, end])


def one_component(glob: str) -> str:
    """A glob that does not cross a slash; fnmatch's own translation does."""
    if glob == "*":
        return "[^/]+"
    inner = re.fullmatch(r"\(\?s:(.*)\)\\Z", translate(glob).replace("(?>.*?", "(?:.*?"))
    return (inner[1] if inner else "").replace(".*", "[^/]*")


# --- the measuring ---


def check_answers(ways: list[Way], warm_up: list[list[str]]) -> None:
    """See that all exact ways agree; fnmatch's `*` crosses slashes, so it and the floor are left out."""
    for number, patch in enumerate(warm_up):
        exact = {"trie", "re2 Set", "re loop"} if number < CHECKED_IN_LOOPS else {"trie", "re2 Set"}
        for path in patch:
            if len({frozenset(as_ids(way.match(path))) for way in ways if way.name in exact}) != 1:
                raise SystemExit(f"the ways differ on {path}")


def as_ids(answer: object) -> Iterable[object]:
    """Any way's answer as ids; re2 says None for none."""
    return answer if isinstance(answer, Iterable) else ()


def speed_rows(table: Table, size: int, ways: list[Way], patches: list[list[str]]) -> None:
    """A row for each way."""
    new: dict[str, list[float]] = {way.name: [] for way in ways}
    known: dict[str, list[float]] = {way.name: [] for way in ways}
    for start in range(0, len(patches), PATCHES_PER_ROUND):
        batch = patches[start : start + PATCHES_PER_ROUND]
        for seconds in (new, known):
            for way in ways:
                seconds[way.name].append(seconds_for(way, batch) / len(batch))
    for way in ways:
        cells = [cell for seconds in (new, known) for cell in two_cells(seconds[way.name], seconds["trie"])]
        table.add_row(f"{size:,}", way.name, *cells)
    table.add_section()


def seconds_for(way: Way, batch: list[list[str]]) -> float:
    """How long *way* takes for all patches of the batch."""
    start = perf_counter()
    for patch in batch:
        for path in patch:
            way.match(path)
    return perf_counter() - start


def two_cells(seconds: list[float], of_trie: list[float]) -> tuple[str, str]:
    """The median itself, and the median of the rounds' ratios."""
    ratio = median(mine / its for mine, its in zip(seconds, of_trie, strict=True))
    return f"{median(seconds) * 1e6:,.1f}", f"{ratio:,.2f}"


def cost_row(table: Table, size: int, patterns: list[str], re2_seconds: float) -> None:
    """What building, keeping and changing the trie costs."""
    gc.collect()
    start = perf_counter()
    trie = a_trie(patterns)
    build = perf_counter() - start
    start = perf_counter()
    for number in range(2_000):
        trie.add(f"a1/new{number}.c", -1)
        trie.remove(f"a1/new{number}.c", -1)
    change = (perf_counter() - start) / 2_000
    tracemalloc.start()
    trie = a_trie(patterns)
    mebibytes = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    row = (f"{build:.2f}", f"{mebibytes:.1f}", f"{change * 1e6:.1f}", f"{re2_seconds / change:,.0f}")
    table.add_row(f"{size:,}", f"{len(set(patterns)):,}", *row)


def hostile_line() -> str:
    """The time for a glob that ruins a backtracking matcher."""
    trie = a_trie(["*a*a*a*a*a*a*a*a*b"])
    name = "b" + "a" * 1_000
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        trie.matches(name)
        times.append(perf_counter() - start)
    return f"*a*a*a*a*a*a*a*a*b against 1,001 letters: {median(times) * 1e3:.2f} ms"


if __name__ == "__main__":
    main()
