r"""Splits a query into tokens: keys, values and signs, each with its position.

values = value { "," value }
value  = run of anything but space , " ( )  |  '"' { anything, \" \\ } '"'  |  "/" { anything, \/ } "/"

Variants typed by phones, shells and other tools are accepted as well: other kinds of quotes around a value, dashes for
the minus sign, full-width colons and commas, a backslash before a space or a sign that belongs to a value.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from bot.errors import QueryError
from bot.text import DASHES

_STRAIGHT_QUOTES = str.maketrans(dict.fromkeys("“”„‟″＂〝〞〟", '"'))
_OTHER_QUOTES = {  # closing quotes by the opening one
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
    """A key or value as typed, without quotes or slashes, and its position."""

    text: str
    start: int
    end: int
    kind: ValueForm = ValueForm.BARE


class Scanner:
    """Scans one query from left to right; each method continues where the last token ended."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self._source = text.translate(_STRAIGHT_QUOTES)  # of the same length, so that positions are unchanged

    def skip_space(self) -> bool:
        """Skip white space, and return whether text follows."""
        space = _SPACE.match(self._source, self.position)
        self.position = space.end() if space else self.position
        return self.position < len(self._source)

    def is_at(self, sign: str) -> bool:
        """Return whether *sign* is next."""
        return self._source.startswith(sign, self.position)

    def skip_space_before_value(self) -> None:
        """Pass the space between a key and its value, which phones insert, unless what follows is a term of its own."""
        space = _SPACE.match(self._source, self.position)
        end = space.end() if space else self.position
        following = self._source[end : end + 1]
        is_term = _KEY.match(self._source, end) is not None or following in {*DASHES, "("}
        if end < len(self._source) and following != ")" and not is_term:
            self.position = end

    def take_text(self, text: str) -> bool:
        """Whether *text* came next, and a space, a closing parenthesis or the end after it; it is passed."""
        end = self.position + len(text)
        if self._goes_on(end):
            return False
        self.position = end
        return True

    def take(self, sign: str) -> bool:
        """Skip *sign* if it is next, and return whether it was."""
        is_next = self.is_at(sign)
        self.position += len(sign) if is_next else 0
        return is_next

    def take_minus(self) -> bool:
        """Skip a minus sign or dash if it is next, and return whether it was."""
        is_next = self.is_at_minus()
        self.position += is_next
        return is_next

    def is_at_minus(self) -> bool:
        """Return whether a minus sign or dash is next."""
        return self._source[self.position : self.position + 1] in {*DASHES}

    def word_ahead(self) -> str:
        """Return the next bare word if it is not part of a longer term; otherwise ""."""
        run = _RUN.match(self._source, self.position)
        end = run.end() if run else self.position
        return self._source[self.position : end] if not self._goes_on(end) or self._source[end] == "(" else ""

    def key(self, is_key: Callable[[str], bool]) -> Token | None:
        """Scan a name and its colon, and return the name in lower case; before a full-width colon only if *is_key*."""
        match = _KEY.match(self._source, self.position)
        if match is None or (match[2] != ":" and not is_key(match[1].lower())):
            return None
        self.position = match.end()
        return Token(match[1].lower(), match.start(), match.end())

    def values(self, *, may_be_regex: bool) -> list[Token]:
        """Scan values separated by commas.

        Raises:
            QueryError: a quote or regex is not closed, or a value is directly followed by something else.
        """
        values = [self._value(may_be_regex=may_be_regex)]
        while any(map(self.take, _COMMAS)):
            values.append(self._value(may_be_regex=may_be_regex))
        if self._goes_on(self.position):
            self._refuse_sign(values[-1])
        return values

    def refuse(self, start: int, end: int, reason: str, hint: str | None = None) -> NoReturn:
        """Raise an error about the text between *start* and *end*."""
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
        """Scan a value in other than double quotes; None if there is no closing quote, as in “'tis”."""
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
        """Return whether white space, a closing parenthesis or the end is next."""
        return not self._goes_on(self.position)

    def _goes_on(self, position: int) -> bool:
        """Return whether a term continues at *position*, without white space, the end or a closing parenthesis."""
        following = self._source[position : position + 1]
        return following != ")" and following.strip() != ""

    def _refuse_sign(self, last: Token) -> NoReturn:
        """Reject text that cannot follow a value."""
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
