"""What the index of a MAINTAINERS file saves, beside trying every rule of it on every path.

The file has the size of Linux's, 2,400 sections and 6,500 patterns, and their mix.
"""

import random
from collections.abc import Iterator
from time import process_time

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from bench.patterns import a_patch, a_pattern, a_tree, a_word
from bench.table import Row, Work, in_turns
from bot.query.maintainers.file import RuleKind
from bot.query.maintainers.maintainers import Maintainers, read
from bot.query.maintainers.pattern_index import expression_of, may_be_folder, takes_any_depth

SECTIONS = 2_400
PATTERNS = 6_500
ROUNDS = 7
PATCHES_PER_ROUND = 40


class Loop:
    """Every F: and X: pattern and N: expression as a compiled RE2, tried one after the other."""

    def __init__(self, known: Maintainers) -> None:
        self._rules = [
            (place, rule.kind, rule.pattern, re2.compile(self._expression(rule.kind, rule.pattern)))
            for place, section in enumerate(known.sections)
            for rule in section.rules
            if rule.kind is not RuleKind.KEYWORD
        ]

    def covering(self, paths: list[str]) -> set[int]:
        """The places of the sections that cover *paths*."""
        return {place for path in paths for place in self._one(path)}

    def _one(self, path: str) -> set[int]:
        slashes = path.count("/")
        taken: dict[bool, set[int]] = {False: set(), True: set()}
        for place, kind, pattern, expression in self._rules:
            counts = kind is RuleKind.PATH or takes_any_depth(pattern) or pattern.count("/") == slashes
            if (counts and expression.search(path)) or (may_be_folder(pattern) and path.startswith(f"{pattern}/")):
                taken[kind is RuleKind.EXCLUDED].add(place)
        return taken[False] - taken[True]

    @staticmethod
    def _expression(kind: RuleKind, pattern: str) -> str:
        return pattern if kind is RuleKind.PATH else expression_of(pattern)


def rows() -> Iterator[Row]:
    """Reading the file, and asking it."""
    rng = random.Random(20)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    text = a_file(rng, files)
    start = process_time()
    known = read(text)
    yield Row(f"MAINTAINERS with {SECTIONS:,} sections", "read", process_time() - start, " s")
    loop = Loop(known)
    rounds = [[a_patch(rng, files) for _ in range(PATCHES_PER_ROUND)] for _ in range(ROUNDS)]
    for patch in rounds[0]:
        if {known.sections.index(each.section) for each in known.covering(patch)} != loop.covering(patch):
            raise SystemExit(f"the ways differ for {patch}")
    turns = in_turns({"index": asking(known, rounds), "loop": asking(loop, rounds)}, ROUNDS)
    yield Row("sections of a patch", "compiled RE2 in a loop", turns.faster("index", "loop"), "× faster")


def asking(known: Maintainers | Loop, rounds: list[list[list[str]]]) -> Work:
    """One round: its patches, one by one."""

    def work(number: int) -> int:
        for patch in rounds[number]:
            known.covering(patch)
        return len(rounds[number])

    return work


def a_file(rng: random.Random, files: list[str]) -> str:
    """A MAINTAINERS file; its directories are deep ones, for few sections have a whole part of the tree."""
    lines = []
    for number in range(SECTIONS):
        lines += [f"SECTION {number}", f"M: somebody{number}@example.org"]
        lines += [f"F: {deep_pattern(rng, files)}" for _ in range(PATTERNS // SECTIONS + (number % 10 < 7))]
        lines += [f"X: {deep_pattern(rng, files)}"] * (number % 70 == 0)
        lines += [f"N: {a_word(rng)}"] * (number % 32 == 0)
    return "\n".join([*lines, "THE REST", "F: *", "F: */"])


def deep_pattern(rng: random.Random, files: list[str]) -> str:
    """A pattern that is no directory near the root."""
    pattern = "/"
    while pattern.endswith("/") and pattern.count("/") < 4:
        pattern = a_pattern(rng, files)
    return pattern
