"""The regular expressions of the program mean the same on every Python that it runs on."""

import ast
import re
from collections.abc import Iterator

import pytest

from support.program_trees import program_trees

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_GROUP_KEPT = re.compile(r"(?<!\()\)(?:[*+?]|\{[\d,]+\})\+|\(\?>")  # "()*+" is a list of signs


def keeps_a_group(pattern: str) -> bool:
    """Whether *pattern* has a possessive quantifier behind a group, or an atomic group."""
    return bool(_GROUP_KEPT.search(_ESCAPED.sub("x", pattern)))


def texts_of(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def test_no_group_is_possessive_or_atomic() -> None:
    """CPython before 3.11.5, Debian 12's among them, matches those wrongly where the group can go back (gh-106052).

    On a single character or a set, as in `[a-z]*+`, a possessive quantifier is right everywhere.
    """
    trees = program_trees()

    found = [(file.name, text) for file, tree in trees.items() for text in texts_of(tree) if keeps_a_group(text)]

    assert len(trees) > 100
    assert found == []


@pytest.mark.parametrize("pattern", [r"(?:a|b.)*+", r"(a)++", r"x(?:a)?+y", r"(?:a){2,3}+", r"(?>a|b)"])
def test_a_group_that_keeps_what_it_took_is_seen(pattern: str) -> None:
    assert keeps_a_group(pattern)


@pytest.mark.parametrize("pattern", [r"[a-z]*+", r"\S++", r"\)*+", r"(a)+\+", r"(?:a)* +", "&'()*+,"])
def test_what_means_the_same_everywhere_may_stay(pattern: str) -> None:
    assert not keeps_a_group(pattern)
