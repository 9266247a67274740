"""Defines the kinds of parameters that follow a verb, and parses them. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from bot.patchwork.references import read_ref

_MAX_SHOWN = 50  # characters of the input in an error
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DURATION = re.compile(r"([1-9][0-9]{0,4})([mhdw])", re.IGNORECASE)
_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"(?!\S)|'([^']*+)'(?!\S)|(\S++))""", re.DOTALL)
_MARKDOWN_LINK = re.compile(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]\(<?([^\s()<>]+)>?\)")
_ESCAPED = re.compile(r'\\(["\\])')
_NAMED_ADDRESS = re.compile(r"<[^\s<>@]+@[^\s<>@]+>[.,;]?\Z")  # Ada <ada@example.org>


class ParameterKind(Enum):
    """A kind of parameter; the value is its spelling in usage lines, and in lower case the argument's name."""

    REF = "REF"
    QUERY = "QUERY"
    ID = "ID"
    DURATION = "DURATION"
    KEY = "KEY"
    VALUE = "VALUE"
    ADDRESS = "ADDRESS"
    ROOM = "ROOM"
    VERB = "VERB"
    FROM = "FROM"
    REFS = "REFS"  # of patches, with what else follows
    SERVER = "SERVER"
    TOKEN = "TOKEN"  # noqa: S105  # the word in usage lines


_FORMS = {
    ParameterKind.ID: re.compile(r"#?([1-9][0-9]{0,8})"),
    ParameterKind.DURATION: _DURATION,
    ParameterKind.ADDRESS: re.compile(
        r"[<`(]*(?:mailto:)?([^\s@<>:?`(]+@[^\s@<>:?`)]*[^\s@<>:?.,;`)])(?:\?\S*?)?[>`)]*[.,;]?", re.IGNORECASE
    ),
    ParameterKind.FROM: re.compile(r"#?([1-9][0-9]{0,5})"),
    ParameterKind.ROOM: re.compile(r"[!#]\S+"),
}
_RESTS = frozenset(
    {ParameterKind.QUERY, ParameterKind.VERB, ParameterKind.REFS, ParameterKind.TOKEN}
)  # these take the rest of the text
_REFERENCES = frozenset({ParameterKind.REF, ParameterKind.REFS})
_IN_ANY_CASE = frozenset({ParameterKind.KEY, ParameterKind.DURATION})
KEYS = "KEY is project, mode, timezone, notify or flood."
_MISSING = {ParameterKind.KEY: f" {KEYS}"}
_FROM_FILE = "config"  # the id that `subs` shows for subscriptions of the configuration file
_NAMES = {
    ParameterKind.ID: "the number of a subscription",
    ParameterKind.DURATION: "a time such as 30m, 2h, 7d or 2w",
    ParameterKind.ADDRESS: "a mail address",
    ParameterKind.ROOM: "a room's alias or id",
    ParameterKind.FROM: "the number of the line to go on from",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a command; *shown* is its spelling in usage lines if that of its kind is too general."""

    kind: ParameterKind
    optional: bool = False
    shown: str = ""

    @property
    def name(self) -> str:
        """The name of its argument."""
        return self.kind.value.lower()

    @property
    def spelled(self) -> str:
        """Its spelling in usage lines: in brackets if optional, except REF, which only replies to a card may omit."""
        text = self.shown or self.kind.value
        return f"[{text}]" if self.optional and self.kind not in _REFERENCES else text


class InvalidArgument(Exception):
    """Arguments that do not fit the parameters; the text gives the reason in one line."""


def read(parameters: Sequence[Parameter], text: str) -> Mapping[str, str]:
    """Parse the arguments in *text*, by name; optional ones that were not typed are absent.

    A word goes to the first parameter that accepts it, so `2h 7` means the same as `7 2h`. A QUERY takes the text that
    the other parameters leave, unchanged; a DURATION at the very end is not part of the query, if the command takes a
    duration.

    Raises:
        InvalidArgument: something is missing, superfluous, or of the wrong form.
    """
    open_parameters, arguments, rest = list(parameters), dict[str, str](), _without_markdown(text.strip(), parameters)
    if [each.kind for each in parameters[-2:]] == [ParameterKind.QUERY, ParameterKind.DURATION]:
        rest, duration = _without_duration(rest)
        arguments |= {"duration": duration} if duration else {}
        open_parameters.pop()
    rest = _without_sentence(rest, parameters)
    while rest:
        if open_parameters and open_parameters[0].kind in _RESTS:
            arguments[open_parameters.pop(0).name] = rest
            break
        word, rest = _next_word(rest)
        taker, value = _taker(open_parameters, word)
        open_parameters.remove(taker)
        arguments[taker.name] = value
    for parameter in open_parameters:
        if not parameter.optional:
            raise InvalidArgument(f"{parameter.spelled} is missing.{_MISSING.get(parameter.kind, '')}")
    return arguments


def _without_markdown(text: str, parameters: Sequence[Parameter]) -> str:
    """Return *text* with each `[label](target)`, as clients write links and addresses, replaced by its target."""
    if not any(parameter.kind in {*_REFERENCES, ParameterKind.ADDRESS} for parameter in parameters):
        return text
    return _MARKDOWN_LINK.sub(r"\1", text)


def _without_sentence(text: str, parameters: Sequence[Parameter]) -> str:
    """Return the only reference or the address in *text*, if one is all that is asked for: "patch 300", "Ada <a@x>"."""
    match [parameter.kind for parameter in parameters]:
        case [ParameterKind.REF]:
            refs = [word for word in text.split() if read_ref(word) is not None]
            return refs[0] if len(refs) == 1 else text
        case [ParameterKind.ADDRESS]:
            named = _NAMED_ADDRESS.search(text)
            return named[0] if named else text
        case _:
            return text


def read_duration(text: str) -> timedelta | None:
    """Return the duration that *text*, such as 30m, 2h, 7d or 2w, spells, or None if it is not a duration."""
    typed = _DURATION.fullmatch(text)
    return int(typed[1]) * _UNITS[typed[2].lower()] if typed else None


def shown(text: str) -> str:
    """Return the beginning of what was typed, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_SHOWN else line[: _MAX_SHOWN - 1] + "…"


def _taker(parameters: Sequence[Parameter], word: str) -> tuple[Parameter, str]:
    """Return the first parameter that accepts *word*, and its value."""
    single = [parameter for parameter in parameters if parameter.kind not in _RESTS]
    for parameter in single:
        if (value := _taken(parameter.kind, word)) is not None:
            return parameter, value
    if word.lower() == _FROM_FILE and any(parameter.kind is ParameterKind.ID for parameter in single):
        raise InvalidArgument("Subscriptions listed as config can only be changed in the configuration file.")
    if len(single) == 1:
        raise InvalidArgument(f"“{shown(word)}” is not {_NAMES[single[0].kind]}.")
    raise InvalidArgument(f"“{shown(word)}” does not belong there.")


def _taken(kind: ParameterKind, word: str) -> str | None:
    """Return the value of *word* as a parameter of this kind, or None if it does not fit."""
    if (form := _FORMS.get(kind)) is not None:
        typed = form.fullmatch(word)
        if typed is None:
            return None
        word = typed[1] if form.groups == 1 else word
    return word.lower() if kind in _IN_ANY_CASE else word


def _next_word(text: str) -> tuple[str, str]:
    """Return the first word without its quotes, and the text behind it; *text* is not blank."""
    typed = _WORD.match(text)
    if typed is None:
        return text, ""
    double, single, bare = typed.groups()
    if bare is not None and bare[0] in "\"'":
        raise InvalidArgument(f"The quote before “{shown(text.lstrip()[1:])}” is not closed before a space or the end.")
    word = _ESCAPED.sub(r"\1", double) if double is not None else single if single is not None else bare
    return word, text[typed.end() :].lstrip()


def _without_duration(text: str) -> tuple[str, str]:
    """Return a query and the duration behind it, which is "" if there is none."""
    *query, last = text.rsplit(maxsplit=1) or [""]
    return ("".join(query), last.lower()) if _DURATION.fullmatch(last) else (text, "")
