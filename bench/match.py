"""Matching paths against many patterns with the trie, beside other ways to do it.

All ways answer for the same paths, first for new ones, then for the same again; a slow way answers for the first
few of them only.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate

import re2  # type: ignore[import-untyped]  # google-re2 ships no types
from pathspec import GitIgnoreSpec

from bench.patterns import a_patch, a_pattern, a_tree
from bench.table import Row, Work, in_turns, progress
from bot.query.index.path_trie import PathTrie

SIZES = (100, 1_000, 10_000, 100_000)
ROUNDS = 7
PATCHES_PER_ROUND = 20
WARM_UP_PATCHES = 400
CHECKED_PATHS = 5
RE2_BYTES = 1 << 30
PATHSPEC_UP_TO = 10_000  # beyond that one path takes it half a second

NAIVE, RE_LOOP, RE2, PATHSPEC, FLOOR = (
    "fnmatch in a loop",
    "compiled re in a loop",
    "google-re2 Set",
    "pathspec in a loop",
    "one look-up a component",
)
AT_LEAST = {(NAIVE, 10_000): 300, (NAIVE, 100_000): 5_000, (RE2, 10_000): 5, (RE2, 100_000): 20}
AT_MOST = {("new", 10_000): 8, ("known", 10_000): 5}  # of the time of the floor

Match = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to match; it answers for one path at a time."""

    match: Match
    is_exact: bool = True  # the same answers as the trie
    paths_per_round: int | None = None  # None: all of them, and then again as known ones


def rows() -> Iterator[Row]:
    """The trie against every way, size by size."""
    rng = random.Random(20)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    for size in SIZES:
        progress(f"  {size:,} patterns")
        trie, others = the_ways([a_pattern(rng, files) for _ in range(size)])
        warm_up(trie, others, some_paths(rng, files, WARM_UP_PATCHES))
        rounds = [some_paths(rng, files, PATCHES_PER_ROUND) for _ in range(ROUNDS)]
        yield from compared(size, trie, others, rounds)


def some_paths(rng: random.Random, files: Sequence[str], patches: int) -> list[str]:
    """The paths of so many patches."""
    return [path for _ in range(patches) for path in a_patch(rng, files)]


def warm_up(trie: Way, others: dict[str, Way], paths: list[str]) -> None:
    """Let each way see some paths, and see that all exact ones agree."""
    for path in paths:
        trie.match(path)
    for name, way in others.items():
        for path in paths[: CHECKED_PATHS if way.paths_per_round else None]:
            if way.is_exact and as_ids(way.match(path)) != as_ids(trie.match(path)):
                raise SystemExit(f"{name} and the trie differ on {path}")


def as_ids(answer: object) -> frozenset[object]:
    """Any way's answer as ids; re2 says None for none."""
    return frozenset(answer if isinstance(answer, Iterable) else ())


def compared(size: int, trie: Way, others: dict[str, Way], rounds: list[list[str]]) -> Iterator[Row]:
    """A row for each other way, and one more for known paths where it answers for all."""
    again = {name: way for name, way in others.items() if way.paths_per_round is None}
    ways = {"new": {"trie": trie, **others}, "known": {"trie": trie, **again}}
    turns = in_turns(
        {f"{kind} {name}": answering(way, rounds) for kind, each in ways.items() for name, way in each.items()}, ROUNDS
    )
    for kind, each in ways.items():
        what = f"{size:,} patterns, {kind} paths"
        for name in list(each)[1:]:
            ours, theirs = f"{kind} trie", f"{kind} {name}"
            if name == FLOOR:
                yield Row(what, name, turns.times(ours, theirs), "× the time", at_most=AT_MOST.get((kind, size)))
            else:
                goal = AT_LEAST.get((name, size)) if kind == "new" else None
                yield Row(what, name, turns.faster(ours, theirs), "× faster", at_least=goal)


def answering(way: Way, rounds: list[list[str]]) -> Work:
    """One round: its paths, one by one."""

    def work(number: int) -> int:
        paths = rounds[number][: way.paths_per_round]
        for path in paths:
            way.match(path)
        return len(paths)

    return work


# --- the ways ---


def the_ways(patterns: list[str]) -> tuple[Way, dict[str, Way]]:
    """The trie, and the others; the loops are slow, the more so the more *patterns*."""
    expressions = [as_expression(pattern) for pattern in patterns]
    few = max(1, 10_000 // len(patterns))
    others = {
        NAIVE: Way(a_naive_loop(patterns), is_exact=False, paths_per_round=few),  # its `*` crosses slashes
        RE_LOOP: Way(a_re_loop(expressions), paths_per_round=few),
        RE2: Way(a_re2_set(expressions)),
        FLOOR: Way(a_floor(patterns), is_exact=False),
    }
    if len(patterns) <= PATHSPEC_UP_TO:
        others[PATHSPEC] = Way(a_pathspec_loop(patterns), paths_per_round=few)
    return Way(a_trie(patterns).matches), others


def a_trie(patterns: Iterable[str]) -> PathTrie[int]:
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


def a_naive_loop(patterns: list[str]) -> Match:
    """The first thing that comes to mind."""
    shells = [pattern + "*" if pattern.endswith("/") else pattern for pattern in patterns]
    return lambda path: [position for position, each in enumerate(shells) if fnmatchcase(path, each)]


def a_re_loop(expressions: list[str]) -> Match:
    """The same with each pattern compiled."""
    compiled = [re.compile(expression) for expression in expressions]
    return lambda path: [position for position, each in enumerate(compiled) if each.fullmatch(path)]


def a_pathspec_loop(patterns: list[str]) -> Match:
    """The matcher of gitignore files, one for each pattern."""
    specs = [GitIgnoreSpec.from_lines([f"/{pattern}"]) for pattern in patterns]
    return lambda path: [position for position, each in enumerate(specs) if each.match_file(path)]


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
