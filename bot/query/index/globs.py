"""Globs for one path component, matched without backtracking.

`*` matches any run of characters, `?` any one, `[a-z]` one of a set, `[!a-z]` one outside of it. Everything else,
including the backslash, is literal; `[*]` is a literal star. `unescaped` converts the syntax of shells and gitignore.

Theory of operation: without its stars, a glob is a sequence of single-character tests. A bit set has the numbers of
tests that may have been passed so far; each character of a name advances the whole set with one AND, one shift and one
OR, and the bit of a star is kept. As there is no backtracking, no glob and no name can make a match slow. The tests
that a character passes are found by bisection in the few ranges into which the glob's characters divide the alphabet.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from sys import maxunicode

_COMPILED_GLOBS = 4096  # size of the cache of compiled globs

_WILDCARDS = frozenset("*?[")
_TOKEN = re.compile(r"(?P<star>\*+)|(?P<any>\?)|\[(?P<negated>[!^]?+)(?P<set>.[^\]]*)\]|(?P<literal>[^\[])", re.DOTALL)

_BACKSLASH = "\\"
_LITERAL_IN_SETS = frozenset("\\{")  # what would be read otherwise when the canonical text is parsed
_FOREIGN = re.compile(r"(?P<set>\[[!^]?(?:\[:\w*:\]|.)(?:\[:\w*:\]|[^\]])*\])|\\(?P<escaped>.)", re.DOTALL)
_CLASS = re.compile(r"\[:(\w*):\]")
_CLASSES = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "xdigit": "0-9A-Fa-f",
    "word": "A-Za-z0-9_",
}

_TEST = re.compile(r"\*+|\?|\[[!^]?+.[^\]]*\]", re.DOTALL)  # all but the literals

_Range = tuple[int, int]  # of code points, both included
_EVERY: _Range = (0, maxunicode)


class PatternError(ValueError):
    """A pattern that cannot be used; the text is a continuation of "this path"."""


def has_wildcard(component: str) -> bool:
    """Return whether *component* has wildcards."""
    return not _WILDCARDS.isdisjoint(component)


def check_glob(component: str) -> None:
    """Check that *component* can be compiled.

    Raises:
        PatternError: a bracket is not closed.
    """
    for _ in _tokens(component):
        pass


def unescaped(path: str) -> str:
    r"""Convert a *path* in shell or gitignore syntax: `\[` becomes a literal bracket, `[[:digit:]]` becomes `[0-9]`.

    Raises:
        PatternError: a backslash separates names, as on Windows, or a character class is unknown.
    """
    if "\\" not in path and "[:" not in path:
        return path
    return _FOREIGN.sub(_own, path)


def _own(match: re.Match[str]) -> str:
    """Return a set or an escape in the syntax of this module."""
    if match["set"] is not None:
        return _CLASS.sub(_own_class, match[0])
    escaped = match["escaped"]
    if escaped.isalnum() or escaped in "_.":
        raise PatternError(
            f"has a backslash; names are separated by slashes: path:{match.string.replace(_BACKSLASH, '/')}"
        )
    return f"[{escaped}]" if escaped in _WILDCARDS or escaped in _LITERAL_IN_SETS else escaped


def _own_class(match: re.Match[str]) -> str:
    if (ranges := _CLASSES.get(match[1])) is None:
        raise PatternError(f"has [:{match[1]}:], which is not known; ranges such as a-z or 0-9 are")
    return ranges


def literal_runs(glob: str) -> list[str]:
    """Return the parts of *glob* between its wildcards, which a name that matches has in this order; some are empty."""
    return _TEST.split(glob)


def longest_run(glob: str) -> str:
    """Return the longest part of *glob* without wildcards, which every matching name contains."""
    return max(literal_runs(glob), key=len)


def glob_matches(glob: str, name: str) -> bool:
    """Return whether all of *name* matches *glob*; takes at most one short step per character."""
    if glob[-1:] == "*" and not has_wildcard(stem := glob[:-1]):
        return name.startswith(stem)
    if glob[:1] == "*" and not has_wildcard(stem := glob[1:]):
        return name.endswith(stem)
    compiled = _compile(glob)
    return compiled.run in name and compiled.accepts(name)


@dataclass(frozen=True, slots=True)
class _Glob:
    """A compiled glob: the character range *i* starts at `bounds[i]` and passes the tests in the bits `masks[i]`."""

    run: str  # the longest literal part, without which no name matches
    bounds: list[int]
    masks: list[int]
    stars: int
    end: int

    def accepts(self, name: str) -> bool:
        """Return whether all of *name* matches."""
        passed = 1
        for character in name:
            mask = self.masks[bisect_right(self.bounds, ord(character)) - 1]
            passed = (passed & mask) << 1 | passed & self.stars
            if not passed:
                return False
        return bool(passed & self.end)


@lru_cache(maxsize=_COMPILED_GLOBS)
def _compile(glob: str) -> _Glob:
    tests: list[list[_Range]] = []
    stars = 0
    for token in _tokens(glob):
        if token["star"]:
            stars |= 1 << len(tests)
        else:
            tests.append(_ranges(token))

    bounds = sorted({0}.union(*({low, high + 1} for ranges in tests for low, high in ranges)))
    masks = [0] * len(bounds)
    for position, ranges in enumerate(tests):
        for low, high in ranges:
            for index in range(bisect_left(bounds, low), bisect_left(bounds, high + 1)):
                masks[index] |= 1 << position
    return _Glob(longest_run(glob), bounds, masks, stars, 1 << len(tests))


def _tokens(glob: str) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(glob):
        token = _TOKEN.match(glob, position)
        if token is None:
            raise PatternError("has a [ without its ]")
        yield token
        position = token.end()


def _ranges(token: re.Match[str]) -> list[_Range]:
    """Return the ranges of characters that pass the test *token*, which is not a star."""
    if token["literal"]:
        return [(ord(token["literal"]), ord(token["literal"]))]
    if token["any"]:
        return [_EVERY]
    listed = sorted(_listed(token["set"]))
    return _complement(listed) if token["negated"] else listed


def _listed(characters: str) -> Iterator[_Range]:
    """Return the ranges in a bracket: "a-z_" has two of them; a reversed range is empty."""
    position = 0
    while position < len(characters):
        last = position + 2 if characters[position + 1 : position + 2] == "-" else position
        if last >= len(characters):
            last = position  # a minus at the end is literal
        if characters[position] <= characters[last]:
            yield ord(characters[position]), ord(characters[last])
        position = last + 1


def _complement(ranges: list[_Range]) -> list[_Range]:
    """Return the ranges outside of the sorted *ranges*."""
    merged: list[_Range] = [(-1, -1)]
    for low, high in ranges:
        if low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    merged.append((maxunicode + 1, maxunicode + 1))
    return [(before[1] + 1, after[0] - 1) for before, after in pairwise(merged) if before[1] + 1 < after[0]]
