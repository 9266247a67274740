r"""Splits a query into tokens: keys, values and signs, each with its place.

values = value { "," value }
value  = run of anything but space , " ( )  |  '"' { anything, \" \\ } '"'  |  "/" { anything, \/ } "/"

What phones, shells and other tools make of these signs is read as well: quotes of other kinds around a value, dashes
for the minus sign, full-width colons and commas, a backslash before a space or a sign that belongs to a value.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from bot.errors import QueryError
from bot.text import DASHES

_STRAIGHT_QUOTES = str.maketrans(dict.fromkeys("“”„‟″＂〝〞〟", '"'))
_OTHER_QUOTES = {  # what closes a value that begins so
    "'": "'’",
    "‘": "’'",
    "‚": "‘’",
    "‛": "’'",
    "`": "`´",
    "´": "´`",
    "′": "′'",
    "＇": "＇",
    "«": "»",
    "»": "«",
    "‹": "›",
    "›": "‹",
    "「": "」",
    "『": "』",
}
_COMMAS = ",，、"
_SPACE = re.compile(r"\s*")
_KEY = re.compile(r"([^\W\d_][\w-]*)([:：])")
_RUN = re.compile(r'(?:\\[\s,"()]|[^\s,，、"()])*')
_ESCAPED_SIGN = re.compile(r'\\([\s,"()])')
_BETWEEN = {
    opening: re.compile(rf"{re.escape(opening)}(.*?)[{re.escape(closing)}](?=[\s,，、)]|\Z)", re.DOTALL)
    for opening, closing in _OTHER_QUOTES.items()
}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
# As a shell or a program has it if its quotes were escaped once too often.
_ESCAPED_QUOTES = re.compile(r"""\\(["'])((?:[^"'\\]|\\[^"'])*)\\\1(?=[\s,，、)]|\Z)""")
_REGEX = re.compile(r"/((?:[^/\\]|\\.)*)/", re.DOTALL)
_ESCAPED_QUOTE = re.compile(r'\\(["\\])')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class ValueForm(Enum):
    """The form in which somebody typed a value."""

    BARE = "bare"
    QUOTED = "quoted"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class Token:
    """A key or value as somebody typed it, without quotes or slashes, and its place."""

    text: str
    start: int
    end: int
    kind: ValueForm = ValueForm.BARE


class Scanner:
    """Goes over one query from left to right; everything starts where what was read before it ended."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self._source = text.translate(_STRAIGHT_QUOTES)  # one for one, so that places stay

    def skip_space(self) -> bool:
        """Whether there is something after the space."""
        space = _SPACE.match(self._source, self.position)
        self.position = space.end() if space else self.position
        return self.position < len(self._source)

    def is_at(self, sign: str) -> bool:
        """Whether *sign* comes next."""
        return self._source.startswith(sign, self.position)

    def take(self, sign: str) -> bool:
        """Whether *sign* came next; it is passed."""
        is_next = self.is_at(sign)
        self.position += len(sign) if is_next else 0
        return is_next

    def take_minus(self) -> bool:
        """Whether a minus sign, or a dash in its place, came next; it is passed."""
        is_next = self.is_at_minus()
        self.position += is_next
        return is_next

    def is_at_minus(self) -> bool:
        """Whether a minus sign, or a dash in its place, comes next."""
        return self._source[self.position : self.position + 1] in {*DASHES}

    def word_ahead(self) -> str:
        """The bare run that comes next, if nothing else belongs to it; else ""."""
        run = _RUN.match(self._source, self.position)
        end = run.end() if run else self.position
        return self._source[self.position : end] if not self._goes_on(end) or self._source[end] == "(" else ""

    def key(self, is_key: Callable[[str], bool]) -> Token | None:
        """The name before a colon, in lower case; with the colon it is passed. One of full width needs *is_key*."""
        match = _KEY.match(self._source, self.position)
        if match is None or (match[2] != ":" and not is_key(match[1].lower())):
            return None
        self.position = match.end()
        return Token(match[1].lower(), match.start(), match.end())

    def values(self, *, may_be_regex: bool) -> list[Token]:
        """What stands between commas.

        Raises:
            QueryError: a quote or regex is not closed, or something else follows a value directly.
        """
        values = [self._value(may_be_regex=may_be_regex)]
        while any(map(self.take, _COMMAS)):
            values.append(self._value(may_be_regex=may_be_regex))
        if self._goes_on(self.position):
            self._refuse_sign(values[-1])
        return values

    def refuse(self, start: int, end: int, reason: str, hint: str | None = None) -> NoReturn:
        """Raise the mistake that lies between *start* and *end*."""
        raise QueryError(self.text, start, end, reason, hint)

    def _value(self, *, may_be_regex: bool) -> Token:
        start = self.position
        if self.is_at('"'):
            quoted = _QUOTED.match(self._source, start)
            if quoted is None:
                self.refuse(start, len(self.text), "This quote is not closed.", 'End it with a ".')
            self.position = quoted.end()
            return Token(_ESCAPED_QUOTE.sub(r"\1", quoted[1]), start, self.position, ValueForm.QUOTED)
        if may_be_regex and (regex := _REGEX.match(self._source, start)) is not None:
            self.position = regex.end()
            source = _ESCAPE.sub(lambda escape: "/" if escape[1] == "/" else escape[0], regex[1])
            return Token(source, start, self.position, ValueForm.REGEX)
        if (between := self._quoted_otherwise(start)) is not None:
            return between
        run = _RUN.match(self._source, start)
        self.position = run.end() if run else start
        text = _ESCAPED_SIGN.sub(r"\1", self._source[start : self.position])
        return Token(text, start, self.position)

    def _quoted_otherwise(self, start: int) -> Token | None:
        """A value between quotes that are not plain double ones; None where none closes, as in “'tis”."""
        if escaped := _ESCAPED_QUOTES.match(self._source, start):
            self.position = escaped.end()
            return Token(escaped[2], start, self.position, ValueForm.QUOTED)
        between = _BETWEEN.get(self._source[start : start + 1])
        quoted = between.match(self._source, start) if between else None
        if quoted is None:
            return None
        self.position = quoted.end()
        return Token(quoted[1], start, self.position, ValueForm.QUOTED)

    def is_at_space(self) -> bool:
        """Whether space, a parenthesis that closes, or the end comes next."""
        return not self._goes_on(self.position)

    def _goes_on(self, position: int) -> bool:
        """Whether what stands there belongs to the term before it: neither space, the end, nor a parenthesis closed."""
        following = self._source[position : position + 1]
        return following != ")" and following.strip() != ""

    def _refuse_sign(self, last: Token) -> NoReturn:
        """Refuse what cannot follow a value."""
        start, end = self.position, self.position + 1
        if last.kind is ValueForm.REGEX:
            run = _RUN.match(self._source, start)
            run_together = self.text[last.start : run.end() if run else end]
            reason = "A /regex/ ends at its second slash; one inside it is written \\/."
            hint = None if any(map(str.isspace, run_together)) else f"For a path: path:{run_together.removeprefix('/')}"
            self.refuse(last.start, last.start + len(run_together), reason, hint)
        if self.is_at("("):
            either = "Between values a comma means either: path:hw/,migration/"
            hint = f'One that belongs to a name goes in quotes with it: "{last.text}(…)"' if last.text else either
            self.refuse(start, end, "Parentheses go around whole terms.", hint)
        reason = "A quote starts right after a key or a comma, and ends before a space or a comma."
        self.refuse(start, end, reason, 'Inside quotes, write it as \\".')
