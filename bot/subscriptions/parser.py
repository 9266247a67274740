r"""From what somebody typed to a query, or to a mistake with its place.

query  = part { space part }
part   = [ "-" ] ( key ":" values | values )       without a key: words of the subject
values = value { "," value }
value  = run of anything but space , " ( )  |  '"' { anything, \" \\ } '"'
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn, assert_never

from bot.errors import QueryError
from bot.subscriptions.globs import PatternError
from bot.subscriptions.paths import read_pattern
from bot.subscriptions.query import And, Key, Node, Not, Query, Term

MAX_QUERY_CHARACTERS = 2000
MAX_TERM_CHARACTERS = 256  # as the canonical text spells its values
MAX_TERMS = 64

_ALIASES = {"dfn": Key.PATH, "f": Key.FROM, "s": Key.SUBJECT}
_KEYS: dict[str, Key] = {**{key.value: key for key in Key}, **_ALIASES}
_LATER_KEYS = frozenset(
    {"maint", "to", "cc", "version", "v", "patches", "n", "server", "state", "delegate", "check"}
    | {"is", "stale", "text", "k", "on", "as", "digest"}
)
_EXAMPLES = {
    Key.PATH: "path:drivers/net/",
    Key.FROM: "from:@redhat.com",
    Key.PROJECT: "project:qemu-devel",
    Key.SUBJECT: 'subject:"dirty limit"',
    Key.PREFIX: "prefix:RFC",
}
_WORDS = {
    "OR": ("OR is not supported yet.", "A comma means it between the values of one key: path:hw/,migration/"),
    "AND": ("AND is not needed.", "Terms side by side must all match: leave it out."),
    "NOT": ("NOT is written as a minus sign.", "e.g. path:hw/ -path:hw/arm/"),
}

_STRAIGHT_QUOTES = str.maketrans("“”„", '"""')
_SPACE = re.compile(r"\s*")
_KEY = re.compile(r"([^\W\d_][\w-]*):")
_RUN = re.compile(r'[^\s,"()]*')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_BETWEEN_PREFIXES = re.compile(r"[\s,\[\]]+")
_ADDRESS = re.compile(r"[^\s@<>]*@[^\s@<>]+")


def parse(text: str) -> Query:
    """The query that *text* spells.

    Raises:
        QueryError: it cannot be read; with the place in *text*, and what to type instead.
    """
    return _Parser(text).query()


@dataclass(frozen=True, slots=True)
class _Value:
    """A value as typed, without its quotes, and its place."""

    text: str
    start: int
    end: int
    is_quoted: bool


class _Parser:
    """Reads one query from left to right; every method starts where the one before it stopped."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._source = text.translate(_STRAIGHT_QUOTES)  # one for one, so that places stay
        self._position = 0

    def query(self) -> Query:
        if len(self._text) > MAX_QUERY_CHARACTERS:
            self._refuse_length(len(self._text))
        parts: list[Node] = []
        while self._skip_space():
            if len(parts) == MAX_TERMS:
                self._refuse(self._position, len(self._text), f"More than {MAX_TERMS} terms; at most {MAX_TERMS}.")
            parts.append(self._part())

        query = Query(And(tuple(dict.fromkeys(parts))))
        if all(isinstance(part, Not) for part in parts):
            self._refuse_without_wish(query)
        if len(str(query)) > MAX_QUERY_CHARACTERS:
            self._refuse_length(len(str(query)))
        return query

    def _part(self) -> Node:
        if not self._source.startswith("-", self._position):
            return self._term()
        minus = self._position
        self._position += 1
        if self._at_space() or self._source.startswith("-", self._position):
            self._refuse(minus, minus + 1, "A minus sign excludes the term right after it,", "e.g. -path:docs/")
        return Not(self._term())

    def _term(self) -> Term:
        start = self._position
        key = self._key()
        values = self._values()
        if key is None:
            self._check_words(values)
            key = Key.SUBJECT
        elif len(values) == 1 and not values[0].text:
            self._refuse(start, values[0].end, f"{key}: needs a value,", f"e.g. {_EXAMPLES[key]}")
        for value in values:
            if not value.text.strip():
                self._refuse_empty(value)
        term = Term(key, tuple(dict.fromkeys(self._read(key, value) for value in values)))
        if len(term.spelled_values) > MAX_TERM_CHARACTERS:
            reason = f"A term of {len(term.spelled_values)} characters; at most {MAX_TERM_CHARACTERS}."
            self._refuse(start, self._position, reason)
        return term

    def _key(self) -> Key | None:
        found = _KEY.match(self._source, self._position)
        if found is None:
            return None
        self._position = found.end()
        name = found[1].lower()
        if name not in _KEYS:
            self._refuse_key(name, found.start(), found.end())
        return _KEYS[name]

    def _values(self) -> list[_Value]:
        values = [self._value()]
        while self._source.startswith(",", self._position):
            self._position += 1
            values.append(self._value())
        if not self._at_space():
            self._refuse_sign()
        return values

    def _value(self) -> _Value:
        start = self._position
        if self._source.startswith('"', start):
            quoted = _QUOTED.match(self._source, start)
            if quoted is None:
                self._refuse(start, len(self._text), "This quote is not closed.", 'End it with a ".')
            self._position = quoted.end()
            return _Value(_ESCAPE.sub(r"\1", quoted[1]), start, self._position, is_quoted=True)
        run = _RUN.match(self._source, start)
        self._position = run.end() if run else start
        return _Value(self._source[start : self._position], start, self._position, is_quoted=False)

    def _check_words(self, values: list[_Value]) -> None:
        """See that words without a key are meant as words of the subject."""
        first = values[0]
        if len(values) == 1 and not first.is_quoted and first.text in _WORDS:
            self._refuse(first.start, first.end, *_WORDS[first.text])
        for value in values:
            if "/" in value.text and not value.is_quoted:
                reason = "A word without a key is looked for in the subject, and this looks like a path."
                typed = self._text[first.start : values[-1].end]
                self._refuse(first.start, values[-1].end, reason, f"Did you mean path:{typed}?")

    def _read(self, key: Key, value: _Value) -> str:
        """The *value* in its canonical form."""
        match key:
            case Key.PATH:
                return self._path(value)
            case Key.FROM:
                return self._submitter(value)
            case Key.PREFIX:
                return self._prefix(value)
            case Key.SUBJECT:
                return self._words(value)
            case Key.PROJECT:
                return value.text.strip()
            case _:
                assert_never(key)

    def _path(self, value: _Value) -> str:
        try:
            return read_pattern(value.text).text
        except PatternError as error:
            hint = "Put the whole path in quotes if a comma belongs to it." if "[" in value.text else None
            self._refuse(value.start, value.end, f"This path {error}.", hint)

    def _submitter(self, value: _Value) -> str:
        text = value.text.strip()
        if "@" in text and not _ADDRESS.fullmatch(text):
            reason = "from: takes a whole address, @domain, or part of a name,"
            self._refuse(value.start, value.end, reason, "e.g. from:jane@example.org")
        return text

    def _prefix(self, value: _Value) -> str:
        words = [word for word in _BETWEEN_PREFIXES.split(value.text) if word]
        if len(words) != 1:
            reason = "prefix: takes one word out of the subject's brackets,"
            self._refuse(value.start, value.end, reason, "e.g. prefix:RFC")
        return words[0]

    def _words(self, value: _Value) -> str:
        if value.text.startswith("/") and not value.is_quoted:
            hint = f'In quotes it is looked for as it stands: subject:"{value.text}"'
            self._refuse(value.start, value.end, "/regex/ is not supported yet.", hint)
        return " ".join(value.text.split())

    def _skip_space(self) -> bool:
        """Whether there is something after the space."""
        space = _SPACE.match(self._source, self._position)
        self._position = space.end() if space else self._position
        return self._position < len(self._source)

    def _at_space(self) -> bool:
        return self._source[self._position : self._position + 1].strip() == ""

    def _refuse(self, start: int, end: int, reason: str, hint: str | None = None) -> NoReturn:
        raise QueryError(self._text, start, end, reason, hint)

    def _refuse_key(self, name: str, start: int, end: int) -> NoReturn:
        if name in _LATER_KEYS:
            self._refuse(start, end, f"{name}: is not supported yet.")
        near = get_close_matches(name, [*_KEYS, *_LATER_KEYS], n=1)
        quoted = f'To look for it in the subject, put it in quotes: "{name}:"'
        hint = f"Did you mean {near[0]}:?" if near else quoted
        self._refuse(start, end, f"{name}: is not a key.", hint)

    def _refuse_sign(self) -> NoReturn:
        """Refuse what cannot follow a value: a parenthesis or a quote."""
        start, end = self._position, self._position + 1
        if self._source[start] in "()":
            hint = "One that belongs to a name goes in quotes with it."
            self._refuse(start, end, "Parentheses are not supported yet.", hint)
        reason = "A quote starts right after a key or a comma, and ends before a space or a comma."
        self._refuse(start, end, reason, 'Inside quotes, write it as \\".')

    def _refuse_empty(self, value: _Value) -> NoReturn:
        if value.is_quoted:
            self._refuse(value.start, value.end, "There is nothing between these quotes.")
        comma = value.start if self._source.startswith(",", value.end) else value.start - 1
        hint = "Write no space after it, or put the whole value in quotes."
        self._refuse(comma, comma + 1, "A comma needs a value on both sides.", hint)

    def _refuse_without_wish(self, query: Query) -> NoReturn:
        if not query.tree.parts:
            self._refuse(0, len(self._text), "An empty query; say what you want to hear of,", "e.g. path:drivers/net/")
        reason = "This matches nearly everything: add what you want to hear of,"
        self._refuse(0, len(self._text), reason, f"e.g. project:qemu-devel {query}")

    def _refuse_length(self, length: int) -> NoReturn:
        reason = f"A query of {length:,} characters; at most {MAX_QUERY_CHARACTERS:,}."
        self._refuse(min(MAX_QUERY_CHARACTERS, len(self._text)), len(self._text), reason)
