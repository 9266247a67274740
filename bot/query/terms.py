"""Parses the terms of a query; rejects malformed and contradictory ones with their position."""

import re
from collections.abc import Iterator
from itertools import combinations, islice
from typing import NoReturn

from bot.query.keys import Key, begins_with_key, key_named
from bot.query.options import OptionKind
from bot.query.query import And, Node, Not, Or, Term, spelled
from bot.query.scanner import Scanner, Token, ValueForm
from bot.query.values import Bound, Regex, Value, ValueMistake
from bot.text import DASHES

MAX_TERM_CHARACTERS = 256  # of the values in canonical text

_BRACES = re.compile(r"(?<![\\\[])\{([^{}]*[,，、|｜][^{}]*)\}")
_BETWEEN_ALTERNATIVES = re.compile("[,，、|｜]")
_MOST_ALTERNATIVES = 8  # in an example
_WRITTEN_OUT = "**/*.c,**/*.h"
_ESCAPED = re.compile(r"\\.|\[\{\]", re.DOTALL)
_SEPARATORS = re.compile("[;；|｜]")
_GIT_SIGNS = re.compile(r":[!^/]+")
_SIGNS_BEFORE_KEY = re.compile(r"""\A[^\w\s"'()]{1,3}(?=\w)""")
_ALL_BELOW = re.compile(r"/?(?:\.{3}|…)/?\Z")
_ADDRESS = re.compile(r"<[^<>\s]+@[^<>\s]+>")
_MAINTAINERS_LINE = re.compile(r"(?<!\S)([FX]):(?:[ \t]+([^\s:\"']+)|([^\s:\"']*/[^\s\"']*))(?!\S)", re.IGNORECASE)
_AGE_IN_WORDS = re.compile(r"(?<!\S)(-?stale):\s*(\d+)\s+(hours?|days?|weeks?)\b", re.IGNORECASE)
_QUOTES = frozenset("\"'“”„‟″＂‘’«»")
_COMMA_BEFORE_KEY = re.compile(r",\s+(?=\S)")
_ONE_QUOTED_TERM = re.compile(r"\s*[\"“”„]([^\"“”„:]+:[^\"“”„:]+)[\"“”„]\s*")
_PREFIXES = frozenset({"RFC", "RFT", "RESEND", "PULL", "WIP", "POC", "DRAFT"})
_WORDS = {
    "AND": ("AND is not needed.", "Terms side by side must all match: leave it out."),
    "&&": ("&& is not needed.", "Terms side by side must all match: leave it out."),
    "&": ("& is not needed.", "Terms side by side must all match: leave it out."),
    ";": ("; is not needed.", "Terms side by side must all match: leave it out."),
    "+": ("+ is not needed.", "Terms side by side must all match: leave it out."),
    "NOT": ("NOT is written as a minus sign.", "e.g. path:hw/ -path:hw/arm/"),
    "|": ("| is written as OR.", "e.g. path:hw/ OR from:@redhat.com"),
    "||": ("|| is written as OR.", "e.g. path:hw/ OR from:@redhat.com"),
}


def read_term(scanner: Scanner, key: Key | None, start: int) -> Term:
    """Parse the next values as a term that begins at *start*; without a key, they are words of the subject.

    Raises:
        QueryError: they are malformed.
    """
    tokens = scanner.values(may_be_regex=(key or Key.SUBJECT).spec.takes_regex)
    if key is None:
        _check_words(scanner, tokens)
        key = Key.SUBJECT
    _check_braces(scanner, key, tokens)
    check_blanks(scanner, key, tokens, start)
    for token in tokens:
        _check_foreign(scanner, key, token)
    values = [_value(scanner, key, each) for each in tokens]
    term = Term(key, tuple(dict.fromkeys(values)))
    if len(term.spelled_values) > MAX_TERM_CHARACTERS:
        reason = f"This term has {len(term.spelled_values)} characters; at most {MAX_TERM_CHARACTERS} are allowed."
        scanner.refuse(start, scanner.position, reason)
    return term


def as_typed_by_hand(text: str) -> str:
    """Return *text* with what people copy or say in other words as the query language spells it."""
    plain = _AGE_IN_WORDS.sub(r"\1:\2\3", text)
    if _QUOTES.isdisjoint(plain):
        plain = _COMMA_BEFORE_KEY.sub(lambda comma: " " if begins_with_key(plain[comma.end() :]) else comma[0], plain)
    elif (whole := _ONE_QUOTED_TERM.fullmatch(plain)) is not None and begins_with_key(whole[1]):
        plain = _without_quotes(whole[1])
    return _with_maintainers_lines(plain)


def _with_maintainers_lines(text: str) -> str:
    """Return *text* with the `F:` and `X:` lines of MAINTAINERS in it, as people paste them, as one term of paths.

    A short `f:` for the submitter has no space behind it, and no slash in its value.
    """
    lines = [line for line in _MAINTAINERS_LINE.finditer(text) if line[3] or line[1].isupper() or "/" in line[2]]
    if not lines:
        return text
    wanted = ",".join(line[2] or line[3] for line in lines if line[1].upper() == "F")
    excluded = ",".join(line[2] or line[3] for line in lines if line[1].upper() == "X")
    terms = [f"{Key.PATH}:{wanted}" if wanted else "", f"-{Key.PATH}:{excluded}" if excluded else ""]
    pieces = [text[: lines[0].start()], *(part for part in terms if part)]
    between = zip(lines, [*(line.start() for line in lines[1:]), len(text)], strict=True)
    pieces += [text[line.end() : end] for line, end in between]
    return " ".join(piece.strip() for piece in pieces if piece.strip())


def as_prefix(term: Term) -> Term:
    """Return the prefix that an excluded word without a key means, as in `-RFC`; other words stay as they are."""
    names = [str(value).upper() for value in term.values]
    return Term(Key.PREFIX, tuple(dict.fromkeys(names))) if _PREFIXES.issuperset(names) else term


def check_blanks(scanner: Scanner, key: Key | OptionKind, tokens: list[Token], start: int) -> None:
    """Check that none of the *tokens* is blank.

    Raises:
        QueryError: one is.
    """
    if len(tokens) == 1 and not tokens[0].text and tokens[0].start > start:
        scanner.refuse(start, tokens[0].end, f"{key}: needs a value,", f"e.g. {key.example}")
    for token in tokens:
        if not token.text.strip():
            _refuse_blank(scanner, token)


def _value(scanner: Scanner, key: Key, token: Token) -> Value:
    try:
        if token.kind is ValueForm.REGEX:
            return Regex(token.text)
        if token.kind is ValueForm.BARE and token.text.startswith("/") and not key.spec.takes_leading_slash:
            _refuse_slash(scanner, key, token)
        return key.spec.read(token.text)
    except ValueMistake as mistake:
        scanner.refuse(token.start, token.end, mistake.reason, mistake.hint)


def _check_braces(scanner: Scanner, key: Key, tokens: list[Token]) -> None:
    """Refuse the alternatives of shells, with what to type instead; those in quotes only if there is a wildcard."""
    first, end = tokens[0].start, tokens[-1].end
    bare = scanner.text[first:end]
    for token in tokens:
        if token.kind is ValueForm.BARE:
            continue
        if key is Key.PATH and "*" in token.text and _BRACES.search(token.text):
            _refuse_braces(scanner, key, token.start, token.end)
        bare = bare[: token.start - first] + "\0" * (token.end - token.start) + bare[token.end - first :]
    if _BRACES.search(bare):
        _refuse_braces(scanner, key, first, end)
    _, brace, behind = _ESCAPED.sub("", bare).rpartition("{")
    if brace and "}" not in behind and _BETWEEN_ALTERNATIVES.search(behind):
        reason = "These alternatives are not closed; write them out, separated by commas,"
        scanner.refuse(first, end, reason, f"e.g. {key}:{_WRITTEN_OUT}")


def _refuse_braces(scanner: Scanner, key: Key, start: int, end: int) -> NoReturn:
    alternatives = [*islice(_alternatives(scanner.text[start:end]), _MOST_ALTERNATIVES + 1)]
    values = ",".join(dict.fromkeys(",".join(alternatives).split(",")))
    hint = values if len(alternatives) <= _MOST_ALTERNATIVES else _WRITTEN_OUT
    scanner.refuse(start, end, "Write alternatives out, separated by commas,", f"e.g. {key}:{hint}")


def _alternatives(text: str) -> Iterator[str]:
    """Yield what *text* means to a shell, the innermost braces first."""
    braces = _BRACES.search(text)
    if braces is None:
        yield text
        return
    for option in _BETWEEN_ALTERNATIVES.split(braces[1]):
        yield from _alternatives(f"{text[: braces.start()]}{option}{text[braces.end() :]}")


def _check_foreign(scanner: Scanner, key: Key, token: Token) -> None:
    """Refuse signs of other tools that would be taken for part of a name, with what to type instead."""
    text = token.text
    if token.kind is not ValueForm.BARE or not text:
        return
    if text[1:] and (text[0] in "!！" or (text[0] in DASHES and not key.spec.may_begin_with_dash)):
        hint = f"e.g. -{key}:{text[1:]}"
        scanner.refuse(token.start, token.end, "To exclude something, put a minus sign before its key,", hint)
    if key.spec.is_literal and text.strip("*") not in {"", text} and "@" not in text:
        hint = f"e.g. {key}:{text.strip('*')}"
        scanner.refuse(token.start, token.end, f"{key}: takes no wildcards, and * only means itself in quotes;", hint)
    if key is Key.PATH and (mistake := _foreign_path(text)) is not None:
        scanner.refuse(token.start, token.end, *mistake)


def _foreign_path(text: str) -> tuple[str, str] | None:
    """Return why no file is likely called *text*, and what to type instead; None if one may be."""
    if (signs := _GIT_SIGNS.match(text)) or text.startswith("^"):
        path = text[signs.end() :] if signs else text.strip("^$")
        if signs and ("!" in signs[0] or "^" in signs[0]):
            return "To exclude something, put a minus sign before its key,", f"e.g. -path:{path or 'docs/'}"
        return "A path starts at the root of the tree without any sign,", f"e.g. path:{path or 'docs/'}"
    if "://" in text:
        return "This is an address; paths start at the root of the tree,", f"e.g. {Key.PATH.example}"
    if _SEPARATORS.search(text):
        paths = (part.removeprefix("path:") for part in _SEPARATORS.split(text))
        return "Alternatives are separated by commas,", f"e.g. path:{','.join(filter(None, paths))}"
    if below := _ALL_BELOW.search(text):
        return "A folder stands for all that is below it,", f"e.g. path:{text[: below.start()] or 'docs'}/"
    return None


_BY_PARENTHESES = "Terms are grouped by parentheses,", "e.g. (path:hw/ OR path:docs/)"
_FIRST_SIGNS = {
    "{": _BY_PARENTHESES,
    "｛": _BY_PARENTHESES,
    ":": ("Write the value directly after the key and its colon,", "e.g. path:migration/"),
}


def _slip(word: str) -> tuple[str, str] | None:
    """Return the mistake in a word that is likely part of something else, and what to type instead, or None."""
    key, equals, value = word.partition("=")
    match word[:1]:
        case "/" if word.count("/") == 1:
            return (
                "A regular expression ends with a slash, too,",
                f"e.g. {word.rstrip(':')}/ or, with \\s for a blank, /a\\sb/",
            )
        case "!" | "！":
            return "To exclude something, put a minus sign before it,", f"e.g. -{word.lstrip('!！') or 'path:docs/'}"
        case "[" | "<":
            return _bracketed(word)
        case first if first in _FIRST_SIGNS:
            return _FIRST_SIGNS[first]
    if equals and key_named(key.lower()) is not None:
        return "A key ends with a colon,", f"e.g. {key}:{value or '…'}"
    term = _SIGNS_BEFORE_KEY.sub("", word, count=1)
    return ("A term begins with its key,", f"e.g. {term}") if term != word and begins_with_key(term) else None


def _bracketed(word: str) -> tuple[str, str] | None:
    """Return the mistake in a word that resembles a subject prefix or an address, and what to type instead."""
    if word.startswith("["):
        prefix = word.strip("[]:,")
        example = prefix if prefix.upper() not in {"", "PATCH"} else "RFC"
        return "The words in the brackets of a subject are its prefixes,", f"e.g. prefix:{example} or version:2"
    if _ADDRESS.fullmatch(word):
        return "An address stands behind a key,", f"e.g. from:{word[1:-1]}"
    return None


def _check_words(scanner: Scanner, tokens: list[Token]) -> None:
    """Reject words without a key that are likely not meant as words of the subject."""
    first, end = tokens[0], tokens[-1].end
    if len(tokens) == 1 and first.kind is ValueForm.BARE and first.text in _WORDS:
        scanner.refuse(first.start, first.end, *_WORDS[first.text])
    if first.kind is ValueForm.BARE and (mistake := _slip(first.text)):
        scanner.refuse(first.start, end, *mistake)
    if first.kind is ValueForm.QUOTED and begins_with_key(first.text):
        reason = "Quotes go around a value, not around its key."
        scanner.refuse(first.start, end, reason, f"Did you mean {_without_quotes(first.text)}?")
    if any(token.kind is ValueForm.BARE and "/" in token.text for token in tokens):
        reason = "A word without a key is looked for in the subject, and this looks like a path."
        scanner.refuse(first.start, end, reason, f"Did you mean path:{scanner.text[first.start : end]}?")


def _without_quotes(term: str) -> str:
    """Return *term* with quotes around its value if necessary."""
    key, _, value = term.partition(":")
    return f"{key}:{spelled(value.strip())}"


def _refuse_slash(scanner: Scanner, key: Key, token: Token) -> NoReturn:
    hint = f'In quotes it is searched literally: {key}:"{token.text}"'
    if key.spec.takes_regex:
        scanner.refuse(token.start, token.end, "This /regex/ is not closed. End it with a /.", hint)
    others = " and ".join(f"{each}:" for each in Key if each.spec.takes_regex)
    reason = f"{key}: takes no /regex/; {others} do."
    scanner.refuse(token.start, token.end, reason, hint)


def _refuse_blank(scanner: Scanner, token: Token) -> NoReturn:
    if token.kind is not ValueForm.BARE:
        signs = "quotes" if token.kind is ValueForm.QUOTED else "slashes"
        scanner.refuse(token.start, token.end, f"There is nothing between these {signs}.")
    comma = token.start if scanner.text.startswith(",", token.end) else token.start - 1
    hint = "Write no space after it, or put the whole value in quotes."
    scanner.refuse(comma, comma + 1, "A comma needs a value on both sides.", hint)


def contradiction(node: Node) -> tuple[Term, Term] | None:
    """Return two terms in *node* that cannot both match, or None; a term that is also excluded is returned twice."""
    match node:
        case And(parts):
            return _between(parts) or next(filter(None, map(contradiction, parts)), None)
        case Or(parts):
            return next(filter(None, map(contradiction, parts)), None)
        case Term() | Not():
            return None


def _between(parts: tuple[Node, ...]) -> tuple[Term, Term] | None:
    required = [part for part in parts if isinstance(part, Term)]
    excluded = {part.part for part in parts if isinstance(part, Not)}
    if (both := next((term for term in required if term in excluded), None)) is not None:
        return both, both
    return next((pair for pair in combinations(required, 2) if _exclude_each_other(*pair)), None)


def _exclude_each_other(first: Term, second: Term) -> bool:
    """Return whether both terms require different values of a key that has only one value per patch."""
    if first.key is not second.key or not first.key.spec.is_single:
        return False
    values = (*first.values, *second.values)
    if not all(isinstance(value, str) or (isinstance(value, Bound) and value.sign == "=") for value in values):
        return False
    return _folded(first).isdisjoint(_folded(second))


def _folded(term: Term) -> set[str]:
    return {str(value).casefold() for value in term.values}
