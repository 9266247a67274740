"""Translates Perl's look-behind and look-ahead, which RE2 lacks, into expressions without them, where possible. Pure.

If a branch of an expression begins with a look-behind or ends with a look-ahead, no other part of it examines these
characters, so they can become part of the match: `(?<=uni)versal` becomes `universal`. A negative look-behind,
`(?<!uni)versal`, becomes three characters of which at least one differs, or fewer at the edge of the line. For several
words, `(?<!uni|re)`, each must differ somewhere, which gives alternatives of positions. Only sequences of characters
and character sets can be translated.
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
    """A branch of an expression, with its look-behind and look-ahead.

    *behind* and *ahead* are pairs of expressions, one for any place in a line and one for its edge; None if the branch
    has none. *flags* apply to all that follows.
    """

    flags: str
    body: str
    behind: tuple[str, str] | None = None
    ahead: tuple[str, str] | None = None

    def by_line(self) -> str:
        """Return the expression for a search anywhere in a line."""
        behind = f"(?:{self.behind[0]}|^(?:{self.behind[1]}))" if self.behind else ""
        return f"{self.flags}{behind}(?:{self.body}){self._ahead}"

    def behind_a_sign(self) -> str:
        """Return the expression for a search in a line after its initial + or -."""
        behind = f"(?:.*{self.behind[0]}|{self.behind[1]})" if self.behind else ".*"
        return f"{self.flags}^[+-]{behind}(?:{self.body}){self._ahead}"

    @property
    def _ahead(self) -> str:
        return f"(?:{self.ahead[0]}|(?:{self.ahead[1]})$)" if self.ahead else ""


def looks_around(expression: str) -> bool:
    """Return whether *expression* has a look-behind or look-ahead."""
    return _LOOKS.search(expression) is not None


def branches_of(expression: str) -> list[Branch]:
    """Return the branches of *expression* in a form for RE2.

    Raises:
        ExpressionError: it has a look-behind or look-ahead that cannot be translated.
    """
    return [_branch(branch) for branch in _split(expression)]


def _split(expression: str) -> list[str]:
    """Return the top-level branches."""
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
    if match := _BEHIND.match(text):
        flags, text = match[1], text[match.end() :]
        behind = _look_expressions(match[2], match[3], backwards=True)
    if match := _AHEAD.search(text):
        text = text[: match.start()]
        ahead = _look_expressions(match[1], match[2], backwards=False)
    if looks_around(text):
        raise ExpressionError("it has a look-around in the middle")
    return Branch(flags, text, behind, ahead)


def _look_expressions(sign: str, inside: str, *, backwards: bool) -> tuple[str, str]:
    """Return the expressions for *inside* in a line and near its edge: *inside* for "=", anything else for "!"."""
    words = [_units(word) for word in _split(inside)]
    if sign == "=":
        alternatives = "|".join("".join(word) for word in words)
        return f"(?:{alternatives})", alternatives
    if backwards and any(compile_expression(word[0]).search(sign) for word in words for sign in (b"+", b"-")):
        raise ExpressionError("its look-behind matches a + or -")
    longest = max(map(len, words))
    near = [_without(words, length, backwards=backwards) for length in range(longest)]
    return _without(words, longest, backwards=backwards), "|".join(near)


def _units(word: str) -> list[str]:
    """Return the characters and character sets of *word* in order."""
    units = _ONE.findall(word)
    if not word or "".join(units) != word:
        raise ExpressionError("its look-around is not a sequence of characters and sets")
    return units


def _without(words: Sequence[Sequence[str]], length: int, *, backwards: bool) -> str:
    """Return the expression for *length* characters that do not begin (or end, if *backwards*) with any of *words*."""
    starts = [(length - len(word) if backwards else 0, word) for word in words if len(word) <= length]
    if prod(len(word) for _, word in starts) > MAX_CHOICES:
        raise ExpressionError("its look-around is too large")
    choices = product(*([(start + offset, one) for offset, one in enumerate(word)] for start, word in starts))
    return f"(?:{'|'.join(dict.fromkeys(''.join(_template(choice, length)) for choice in choices))})"


def _template(choice: Iterable[tuple[int, str]], length: int) -> Iterator[str]:
    """Return the expression for *length* characters that differ from *choice* at each of its positions."""
    excluded: dict[int, list[str]] = {}
    for offset, one in choice:
        excluded.setdefault(offset, []).append(one)
    for offset in range(length):
        others = "".join(_in_a_set(one) for one in dict.fromkeys(excluded.get(offset, ())))
        yield f"[^{others}]" if others else "."


def _in_a_set(one: str) -> str:
    """Return a character or set in the form used within brackets."""
    if one.startswith("["):
        return one[1:-1]
    return one if one.startswith("\\") else re.escape(one) if one in "-^]\\" else one
