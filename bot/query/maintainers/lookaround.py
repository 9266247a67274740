"""Perl's look-behind and look-ahead, which RE2 has not, as far as it can say as much in linear time. Pure.

Where a branch of an expression begins with a look-behind, or ends with a look-ahead, nothing else in it looks at
those characters, so that they may as well be taken: `(?<=uni)versal` is `universal`. What must not be there,
`(?<!uni)versal`, is three characters of which one is another, or fewer at the edge of the line. Of several,
`(?<!uni|re)`, each has to differ somewhere, which makes a choice of places. Only characters and sets of them, one after
the other, can be said so.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from bot.query.index.regexes import ExpressionError, compile_expression

MAX_CHOICES = 200
_LOOKS = re.compile(r"\(\?<?[=!]")
_PART = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_INSIDE = r"((?:\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[^()\\\[])*)"
_BEHIND = re.compile(rf"((?:\(\?[a-z]+\))?)\(\?<([=!]){_INSIDE}\)", re.DOTALL)
_AHEAD = re.compile(rf"\(\?([=!]){_INSIDE}\)\Z", re.DOTALL)
_ONE = re.compile(r"\\[^A-Za-z0-9]|\\[dwsDWS]|\[[^\]\\^][^\]\\]*\]|[^\\\[\]^$.|?*+(){}]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of an expression with what it looks at; *far* stands before or behind it, *near* between it and an edge.

    None where it does not look there. *flags* apply to all that follows.
    """

    flags: str
    body: str
    behind: tuple[str, str] | None = None
    ahead: tuple[str, str] | None = None

    def by_line(self) -> str:
        """The branch, to be found anywhere."""
        behind = f"(?:{self.behind[0]}|^(?:{self.behind[1]}))" if self.behind else ""
        return f"{self.flags}{behind}(?:{self.body}){self._ahead}"

    def behind_a_sign(self) -> str:
        """The branch, to be found in a line behind the + or - that begins it."""
        behind = f"(?:.*{self.behind[0]}|{self.behind[1]})" if self.behind else ".*"
        return f"{self.flags}^[+-]{behind}(?:{self.body}){self._ahead}"

    @property
    def _ahead(self) -> str:
        return f"(?:{self.ahead[0]}|(?:{self.ahead[1]})$)" if self.ahead else ""


def looks_around(expression: str) -> bool:
    """Whether there is something in an *expression* that only looks."""
    return _LOOKS.search(expression) is not None


def branches_of(expression: str) -> list[Branch]:
    """The branches of an *expression*, as RE2 can have them.

    Raises:
        ExpressionError: it looks in a way that cannot be said without.
    """
    return [_branch(branch) for branch in _split(expression)]


def _split(expression: str) -> list[str]:
    """The branches at the top."""
    branches, depth = [""], 0
    for part in _PART.findall(expression):
        depth += (part == "(") - (part == ")")
        if part == "|" and depth == 0:
            branches.append("")
        else:
            branches[-1] += part
    return branches


def _branch(text: str) -> Branch:
    flags, behind, ahead = "", None, None
    if found := _BEHIND.match(text):
        flags, text = found[1], text[found.end() :]
        behind = _said(found[2], found[3], backwards=True)
    if found := _AHEAD.search(text):
        text = text[: found.start()]
        ahead = _said(found[1], found[2], backwards=False)
    if looks_around(text):
        raise ExpressionError("it looks ahead or behind in the middle")
    return Branch(flags, text, behind, ahead)


def _said(sign: str, inside: str, *, backwards: bool) -> tuple[str, str]:
    """What is to be there, and what near an edge: for "=" the same, for "!" anything else."""
    words = [_places(word) for word in _split(inside)]
    if sign == "=":
        said = "|".join("".join(word) for word in words)
        return f"(?:{said})", said
    if backwards and any(compile_expression(word[0]).search(sign) for word in words for sign in (b"+", b"-")):
        raise ExpressionError("it looks behind for a + or -")
    longest = max(map(len, words))
    near = [_without(words, length, backwards=backwards) for length in range(longest)]
    return _without(words, longest, backwards=backwards), "|".join(near)


def _places(word: str) -> list[str]:
    """The characters, or sets of them, of a *word*, one after the other."""
    places = _ONE.findall(word)
    if not word or "".join(places) != word:
        raise ExpressionError("it looks ahead or behind for more than characters and sets of them")
    return places


def _without(words: Sequence[Sequence[str]], length: int, *, backwards: bool) -> str:
    """So many characters that do not end (*backwards*), or begin, with any of the *words*."""
    starts = [(length - len(word) if backwards else 0, word) for word in words if len(word) <= length]
    if prod(len(word) for _, word in starts) > MAX_CHOICES:
        raise ExpressionError("it looks ahead or behind for too much")
    choices = product(*([(start + place, one) for place, one in enumerate(word)] for start, word in starts))
    return f"(?:{'|'.join(dict.fromkeys(''.join(_template(choice, length)) for choice in choices))})"


def _template(choice: Iterable[tuple[int, str]], length: int) -> Iterator[str]:
    """So many characters, each other than the *choice* has at its place."""
    excluded: dict[int, list[str]] = {}
    for place, one in choice:
        excluded.setdefault(place, []).append(one)
    for place in range(length):
        others = "".join(_in_a_set(one) for one in dict.fromkeys(excluded.get(place, ())))
        yield f"[^{others}]" if others else "."


def _in_a_set(one: str) -> str:
    """A character or a set as it stands within brackets."""
    if one.startswith("["):
        return one[1:-1]
    return one if one.startswith("\\") else re.escape(one) if one in "-^]\\" else one
