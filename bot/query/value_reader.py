"""From what stands after a key to a value in its canonical form."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from bot.patchwork.addresses import mailbox
from bot.patchwork.diff.quoting import plain
from bot.patchwork.model import CheckState
from bot.query.index.globs import PatternError, check_glob, unescaped
from bot.query.index.path_trie import read_pattern
from bot.query.keys import Key, example_of
from bot.query.options import CardForm, OnKind
from bot.query.values import (
    ANY_STATE,
    Age,
    Bound,
    CheckCondition,
    IsFlag,
    Transition,
    Value,
    ValueMistake,
    plain_slug,
)

_Choice = TypeVar("_Choice", bound=StrEnum)

_BETWEEN_PREFIXES = re.compile(r"[\s,\[\]]+")
_ADDRESS = re.compile(r"[^\s@<>*:]*@[^\s@<>*:]+")
_BOUND = re.compile(r"(>=|<=|>|<|=|)\s*v?([0-9]{1,5})")
_SLUG = re.compile(r"[\w-]+", re.ASCII)
_ARROW = re.compile(r"->|→")
_AGE = re.compile(r"([0-9]{1,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_LONGEST_GUESSED = 20  # characters


def read_value(key: Key, text: str) -> Value:
    """The value that *text*, which is not blank, says to *key*.

    Raises:
        ValueMistake: it cannot be used there.
    """
    return _READERS[key](text)


def read_on(text: str) -> OnKind:
    """The kind of news of that name; in the plural, too.

    Raises:
        ValueMistake: there is none.
    """
    name = text.strip().lower()
    return _choice("on", OnKind, name.removesuffix("s") if name not in set(OnKind) else name)


def read_form(text: str) -> CardForm:
    """The form of that name.

    Raises:
        ValueMistake: there is none.
    """
    return _choice("as", CardForm, text.strip().lower())


def _path(text: str) -> str:
    try:
        return read_pattern(plain(unescaped(text))).text
    except PatternError as error:
        hint = "Put the whole path in quotes if a comma belongs to it." if "[" in text else None
        raise ValueMistake(f"This path {error}.", hint) from None


def _stripped(text: str) -> str:
    return text.strip()


def _words(text: str) -> str:
    return " ".join(text.split())


def _name_or_address(key: Key, kind: str) -> Callable[[str], str]:
    """A reader for an address, a domain, or part of a name, whose *kind* is told in a mistake."""

    def read(text: str) -> str:
        words = _words(text)
        if "@" in words and not _ADDRESS.fullmatch(words := _bare_address(words)):
            raise ValueMistake(
                f"{key}: takes a whole address, @domain, or part of {kind},", f"e.g. {key}:jane@example.org"
            )
        return words

    return read


def _address(key: Key) -> Callable[[str], str]:
    def read(text: str) -> str:
        address = _bare_address(text.strip())
        if not _ADDRESS.fullmatch(address):
            raise ValueMistake(f"{key}: takes a whole address or @domain,", f"e.g. {example_of(key)}")
        return address

    return read


def _bare_address(text: str) -> str:
    """The address in what people copy: `Ada <ada@example.org>`, a mailto: link, `*@example.org` for a domain."""
    found = mailbox(text)
    return found.email if found is not None and not text.startswith("*@") else text.removeprefix("*")


def _prefix(text: str) -> str:
    words = [word for word in _BETWEEN_PREFIXES.split(text) if word]
    if len(words) != 1:
        raise ValueMistake("prefix: takes one word from the brackets of the subject,", "e.g. prefix:RFC")
    if words[0].upper() == "PATCH":
        raise ValueMistake("Patchwork leaves PATCH out of every subject, so this matches nothing;", "e.g. prefix:RFC")
    return words[0]


def _bound(key: Key) -> Callable[[str], Bound]:
    def read(text: str) -> Bound:
        found = _BOUND.fullmatch(text.strip().lower())
        if found is None:
            raise ValueMistake(f"{key}: takes a number, with >=, <=, > or < in front,", f"e.g. {example_of(key)}")
        bound = Bound(found[1] or "=", int(found[2]))
        if not any(map(bound.holds, (1, max(bound.number, 1), bound.number + 1))):
            raise ValueMistake(f"{key}: counts from 1, so nothing is {bound};", f"e.g. {example_of(key)}")
        return bound

    return read


def _state(text: str) -> str | Transition:
    sides = [_slug(side) for side in _ARROW.split(text)]
    if len(sides) == 1 and _SLUG.fullmatch(sides[0]):
        return sides[0]
    if len(sides) == 2 and all(side == ANY_STATE or _SLUG.fullmatch(side) for side in sides):
        return Transition(*sides)
    raise ValueMistake("state: takes a state, or two with -> between them,", f"e.g. {example_of(Key.STATE)}")


def _slug(name: str) -> str:
    """A state as Patchwork spells it in its API: "Under Review" and under_review are under-review."""
    return plain_slug("-".join(name.lower().split()))


def _check(text: str) -> CheckCondition:
    name, slash, context = text.strip().partition("/")
    state = _choice("check", CheckState, name.strip().lower())
    if not slash:
        return CheckCondition(state)
    context = context.strip()
    if not context:
        raise ValueMistake("There is no check name after the slash,", "e.g. check:fail/build*")
    try:
        check_glob(context)
    except PatternError as error:
        raise ValueMistake(f"This check name {error}.") from None
    return CheckCondition(state, context)


def _is(text: str) -> IsFlag:
    return _choice("is", IsFlag, text.strip().lower())


def _age(text: str) -> Age:
    found = _AGE.fullmatch(text.strip().lower())
    if found is None or not int(found[1]):
        raise ValueMistake("stale: takes a number of hours, days or weeks,", "e.g. stale:36h, stale:14d or stale:2w")
    return Age(int(found[1]) * _HOURS[found[2]])


def _choice(key: str, choices: type[_Choice], name: str) -> _Choice:
    """The one of *choices* that is called *name*."""
    if name in set(choices):
        return choices(name)
    near = get_close_matches(name, list(choices), n=1) if len(name) <= _LONGEST_GUESSED else []
    hint = f"Did you mean {key}:{near[0]}?" if near else None
    raise ValueMistake(f"{key}: takes {_listed(choices)}.", hint)


def _listed(choices: Iterable[str]) -> str:
    *most, last = choices
    return f"{', '.join(most)} or {last}"


_READERS: dict[Key, Callable[[str], Value]] = {
    Key.PATH: _path,
    Key.MAINT: _name_or_address(Key.MAINT, "a section's name"),
    Key.FROM: _name_or_address(Key.FROM, "a name"),
    Key.TO: _address(Key.TO),
    Key.CC: _address(Key.CC),
    Key.SUBJECT: _words,
    Key.PREFIX: _prefix,
    Key.VERSION: _bound(Key.VERSION),
    Key.PATCHES: _bound(Key.PATCHES),
    Key.PROJECT: _stripped,
    Key.SERVER: _stripped,
    Key.STATE: _state,
    Key.DELEGATE: _stripped,
    Key.CHECK: _check,
    Key.IS: _is,
    Key.STALE: _age,
    Key.TEXT: _words,
}
