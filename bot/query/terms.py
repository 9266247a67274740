"""Reads the terms of a query into values; refuses malformed and contradictory ones with their place."""

import re
from itertools import combinations
from typing import NoReturn

from bot.query.keys import Key, begins_with_key, key_named
from bot.query.options import OptionKind
from bot.query.query import And, Node, Not, Or, Term, spelled
from bot.query.scanner import Scanner, Typed, ValueForm
from bot.query.values import Bound, Regex, Value, ValueMistake

MAX_TERM_CHARACTERS = 256  # as the canonical text spells its values

_BRACES = re.compile(r"(?<!\\)\{([^{}]*[,，][^{}]*)\}")
_COMMA = re.compile("[,，]")
_ADDRESS = re.compile(r"<[^<>\s]+@[^<>\s]+>")
_WORDS = {
    "AND": ("AND is not needed.", "Terms side by side must all match: leave it out."),
    "&&": ("&& is not needed.", "Terms side by side must all match: leave it out."),
    "NOT": ("NOT is written as a minus sign.", "e.g. path:hw/ -path:hw/arm/"),
    "|": ("| is written as OR.", "e.g. path:hw/ OR from:@redhat.com"),
    "||": ("|| is written as OR.", "e.g. path:hw/ OR from:@redhat.com"),
}


def read_term(scanner: Scanner, key: Key | None, start: int) -> Term:
    """The term whose values come next, without a key words of the subject; it begins at *start*.

    Raises:
        QueryError: it cannot be read.
    """
    typed = scanner.values(may_be_regex=(key or Key.SUBJECT).spec.takes_regex)
    if key is None:
        _check_words(scanner, typed)
        key = Key.SUBJECT
    check_blanks(scanner, key, typed, start)
    _check_foreign(scanner, key, typed)
    values = [_value(scanner, key, each) for each in typed]
    term = Term(key, tuple(dict.fromkeys(values)))
    if len(term.spelled_values) > MAX_TERM_CHARACTERS:
        reason = f"This term has {len(term.spelled_values)} characters; at most {MAX_TERM_CHARACTERS} are allowed."
        scanner.refuse(start, scanner.position, reason)
    return term


def check_blanks(scanner: Scanner, key: Key | OptionKind, typed: list[Typed], start: int) -> None:
    """See that each of the values *typed* has something in it.

    Raises:
        QueryError: one has not.
    """
    if len(typed) == 1 and not typed[0].text and typed[0].start > start:
        scanner.refuse(start, typed[0].end, f"{key}: needs a value,", f"e.g. {key.example}")
    for value in typed:
        if not value.text.strip():
            _refuse_blank(scanner, value)


def _value(scanner: Scanner, key: Key, typed: Typed) -> Value:
    try:
        if typed.kind is ValueForm.REGEX:
            return Regex(typed.text)
        if typed.kind is ValueForm.BARE and typed.text.startswith("/") and not key.spec.takes_leading_slash:
            _refuse_slash(scanner, key, typed)
        return key.spec.read(typed.text)
    except ValueMistake as mistake:
        scanner.refuse(typed.start, typed.end, mistake.reason, mistake.hint)


def _check_foreign(scanner: Scanner, key: Key, typed: list[Typed]) -> None:
    """Refuse signs of shells and other tools that would be taken for part of a name, with what to type instead."""
    first, end = typed[0], typed[-1].end
    raw = scanner.text[first.start : end]
    if first.kind is ValueForm.BARE and (braces := _BRACES.search(raw)) and raw.count("{") == 1:
        options = (f"{raw[: braces.start()]}{option}{raw[braces.end() :]}" for option in _COMMA.split(braces[1]))
        hint = f"e.g. {key}:{','.join(options)}"
        scanner.refuse(first.start, end, "Write alternatives out, separated by commas,", hint)
    for value in typed:
        if value.kind is ValueForm.BARE and len(value.text) > 1 and value.text.startswith("!"):
            hint = f"e.g. -{key}:{value.text[1:]}"
            scanner.refuse(value.start, value.end, "To exclude something, put a minus sign before its key,", hint)


def _slip(word: str) -> tuple[str, str] | None:
    """What is wrong with a word that is likely the rest of something else, and what to type."""
    key, equals, value = word.partition("=")
    match word[:1]:
        case "/" if word.count("/") == 1:
            return (
                "A regular expression ends with a slash, too,",
                f"e.g. {word.rstrip(':')}/ or, with \\s for a blank, /a\\sb/",
            )
        case "!":
            return "To exclude something, put a minus sign before it,", f"e.g. -{word.lstrip('!') or 'path:docs/'}"
        case "[" | "<":
            return _bracketed(word)
        case ":":
            return "Write the value directly after the key and its colon,", "e.g. path:migration/"
    if equals and key_named(key.lower()) is not None:
        return "A key ends with a colon,", f"e.g. {key}:{value or '…'}"
    return None


def _bracketed(word: str) -> tuple[str, str] | None:
    """What is wrong with a word that begins like a prefix of a subject or an address, and what to type."""
    if word.startswith("["):
        prefix = word.strip("[]:,")
        example = prefix if prefix.upper() not in {"", "PATCH"} else "RFC"
        return "The words in the brackets of a subject are its prefixes,", f"e.g. prefix:{example} or version:2"
    if _ADDRESS.fullmatch(word):
        return "An address stands behind a key,", f"e.g. from:{word[1:-1]}"
    return None


def _check_words(scanner: Scanner, typed: list[Typed]) -> None:
    """See that words without a key are meant as words of the subject."""
    first, end = typed[0], typed[-1].end
    if len(typed) == 1 and first.kind is ValueForm.BARE and first.text in _WORDS:
        scanner.refuse(first.start, first.end, *_WORDS[first.text])
    if first.kind is ValueForm.BARE and (mistake := _slip(first.text)):
        scanner.refuse(first.start, end, *mistake)
    if first.kind is ValueForm.QUOTED and begins_with_key(first.text):
        reason = "Quotes go around a value, not around its key."
        scanner.refuse(first.start, end, reason, f"Did you mean {_without_quotes(first.text)}?")
    if any(value.kind is ValueForm.BARE and "/" in value.text for value in typed):
        reason = "A word without a key is looked for in the subject, and this looks like a path."
        scanner.refuse(first.start, end, reason, f"Did you mean path:{scanner.text[first.start : end]}?")


def _without_quotes(term: str) -> str:
    """*term* with quotes around its value where that needs them."""
    key, _, value = term.partition(":")
    return f"{key}:{spelled(value.strip())}"


def _refuse_slash(scanner: Scanner, key: Key, typed: Typed) -> NoReturn:
    hint = f'In quotes it is searched literally: {key}:"{typed.text}"'
    if key.spec.takes_regex:
        scanner.refuse(typed.start, typed.end, "This /regex/ is not closed. End it with a /.", hint)
    others = " and ".join(f"{each}:" for each in Key if each.spec.takes_regex)
    reason = f"{key}: takes no /regex/; {others} do."
    scanner.refuse(typed.start, typed.end, reason, hint)


def _refuse_blank(scanner: Scanner, value: Typed) -> NoReturn:
    if value.kind is not ValueForm.BARE:
        signs = "quotes" if value.kind is ValueForm.QUOTED else "slashes"
        scanner.refuse(value.start, value.end, f"There is nothing between these {signs}.")
    comma = value.start if scanner.text.startswith(",", value.end) else value.start - 1
    hint = "Write no space after it, or put the whole value in quotes."
    scanner.refuse(comma, comma + 1, "A comma needs a value on both sides.", hint)


def contradiction(node: Node) -> tuple[Term, Term] | None:
    """Two terms in *node* that cannot both hold, None without any; one that is wanted and excluded comes twice."""
    match node:
        case And(parts):
            return _between(parts) or next(filter(None, map(contradiction, parts)), None)
        case Or(parts):
            return next(filter(None, map(contradiction, parts)), None)
        case Term() | Not():
            return None


def _between(parts: tuple[Node, ...]) -> tuple[Term, Term] | None:
    wanted = [part for part in parts if isinstance(part, Term)]
    excluded = {part.part for part in parts if isinstance(part, Not)}
    if (both := next((term for term in wanted if term in excluded), None)) is not None:
        return both, both
    return next((pair for pair in combinations(wanted, 2) if _exclude_each_other(*pair)), None)


def _exclude_each_other(first: Term, second: Term) -> bool:
    """Whether both ask for one value of what a patch has one of, and for different ones."""
    if first.key is not second.key or not first.key.spec.is_single:
        return False
    values = (*first.values, *second.values)
    if not all(isinstance(value, str) or (isinstance(value, Bound) and value.sign == "=") for value in values):
        return False
    return _folded(first).isdisjoint(_folded(second))


def _folded(term: Term) -> set[str]:
    return {str(value).casefold() for value in term.values}
