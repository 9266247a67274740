"""Defines the kinds of parameters that follow a verb, and parses them. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from bot.commands.version_range import read_range
from bot.patchwork.references import read_ref
from bot.query.durations import EXAMPLES, split_duration

_MAX_SHOWN = 50  # characters of the input in an error
_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"(?!\S)|'([^']*+)'(?!\S)|(\S++))""", re.DOTALL)
_MARKDOWN_LINK = re.compile(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]\(<?([^\s()<>]+)>?\)")
_ESCAPED = re.compile(r'\\(["\\])')
_NAMED_ADDRESS = re.compile(r"<[^\s<>@]+@[^\s<>@]+>[.,;]?\Z")  # Ada <ada@example.org>
_CONTINUED = re.compile(r"(.*?)(?:^|\s)from\s+#?([1-9]\d{0,5})[.,;:!]*", re.IGNORECASE | re.DOTALL)
_QUOTES = "\"'"


class ParameterKind(Enum):
    """A kind of parameter; the value is its spelling in usage lines, and in lower case the argument's name."""

    REF = "REF"
    QUERY = "QUERY"
    ID = "ID"
    WHICH = "ID or QUERY"  # of a subscription
    DURATION = "DURATION"
    KEY = "KEY"
    VALUE = "VALUE"
    ADDRESS = "ADDRESS"
    ROOM = "ROOM"
    TOPIC = "WORD"
    FROM = "FROM"
    RANGE = "REF, or vA..vB"  # of a patch or series, or of two versions
    LISTED = "REF [from N]"  # of a patch or series, before the number of a line to continue from
    REFS = "REFS"  # of patches, with what else follows
    SERVER = "SERVER"
    TOKEN = "TOKEN"  # noqa: S105  # the word in usage lines


_FORMS = {
    ParameterKind.ID: re.compile(r"#?([1-9][0-9]{0,8})[.,;:!]*"),
    ParameterKind.KEY: re.compile(r"(\S+?)[:=]*"),
    ParameterKind.ADDRESS: re.compile(
        r"[<`(]*(?:mailto:)?([^\s@<>:?`(]+@[^\s@<>:?`)]*[^\s@<>:?.,;!`)])(?:\?\S*?)?[>`)]*[.,;!?]*", re.IGNORECASE
    ),
    ParameterKind.FROM: re.compile(r"#?([1-9][0-9]{0,5})[.,;:!]*"),
    ParameterKind.ROOM: re.compile(r"[!#]\S+"),
    ParameterKind.SERVER: re.compile(r"\S+"),
}
_RESTS = frozenset(
    {
        ParameterKind.QUERY,
        ParameterKind.WHICH,
        ParameterKind.TOPIC,
        ParameterKind.VALUE,
        ParameterKind.REF,
        ParameterKind.RANGE,
        ParameterKind.LISTED,
        ParameterKind.REFS,
        ParameterKind.TOKEN,
    }
)
_REFERENCES = frozenset({ParameterKind.REF, ParameterKind.RANGE, ParameterKind.LISTED, ParameterKind.REFS})
SETTING_KEYS = ("project", "mode", "timezone", "notify", "flood", "nudge", "unfurl")
KEYS = f"KEY is {', '.join(SETTING_KEYS[:-1])} or {SETTING_KEYS[-1]}."
_MISSING = {ParameterKind.KEY: f" {KEYS}", ParameterKind.QUERY: " Say what should match."}
_FROM_FILE = "config"  # the id that `subs` shows for subscriptions of the configuration file
_CONFIGURED = "Subscriptions listed as config can only be changed in the configuration file."
_NAMES = {
    ParameterKind.ID: "the number of a subscription",
    ParameterKind.DURATION: f"a duration; try {EXAMPLES}",
    ParameterKind.ADDRESS: "a mail address",
    ParameterKind.ROOM: "a room's alias or id",
    ParameterKind.FROM: "the number of a line to continue from",
}
_COURTESY = frozenset({"please", "pls", "me", "the", "this", "that", "one", "it", "here", "now", "a", "my", "our"})
_FILLERS: Mapping[ParameterKind, frozenset[str]] = {
    ParameterKind.REF: _COURTESY | {"of", "on", "for", "about", "up", "at", "from", "with", "to"},
    ParameterKind.ID: _COURTESY | {"subscription", "sub", "number", "no", "nr", "id", "from", "for"},
    ParameterKind.WHICH: _COURTESY | {"subscription", "sub", "number", "no", "nr", "id", "from", "for"},
    ParameterKind.FROM: _COURTESY | {"from", "all", "subscriptions", "list", "rooms", "page", "in", "room", "chat"},
    ParameterKind.ADDRESS: _COURTESY | {"address", "mail", "email", "is", "add", "as", "am", "i", "i'm"},
    ParameterKind.ROOM: _COURTESY | {"room"},
    ParameterKind.VALUE: frozenset({"to", "is", "=", ":", "as"}),
}
_KINDS_OF_REFS = frozenset({"patch", "series", "cover", "link", "card", "mail", "email", "message"})
_ALL = frozenset({"all", "everything", "everyone", "room", "chat", "subscriptions", "forever"})  # of `mute`


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a command; *shown* is its spelling in usage lines if that of its kind is too general.

    An *optional* one may be missing. One that is *asked* for may be missing, too, but only because the command then
    does not know what is meant, and says what may be typed.
    """

    kind: ParameterKind
    optional: bool = False
    shown: str = ""
    asked: bool = False

    @property
    def name(self) -> str:
        """The name of its argument."""
        return self.kind.name.lower()

    @property
    def spelled(self) -> str:
        """Its spelling in usage lines: in brackets if optional."""
        text = self.shown or self.kind.value
        return f"[{text}]" if self.optional else text


class InvalidArgument(Exception):
    """Arguments that do not fit the parameters; the text gives the reason in one line."""


def read(parameters: Sequence[Parameter], text: str) -> Mapping[str, str]:
    """Parse the arguments in *text*, by name; missing ones are absent, and a command without parameters has none.

    A word goes to the first parameter that accepts it, so `2h 7` means the same as `7 2h`. A QUERY, REF or VALUE takes
    the text that the parameters before it leave. A DURATION may be several words; after a QUERY, it must be at the end.

    Raises:
        InvalidArgument: something is missing, superfluous, or of the wrong form.
    """
    left, arguments, rest = list(parameters), dict[str, str](), _without_markdown(text.strip(), parameters)
    kinds = [each.kind for each in parameters]
    if ParameterKind.DURATION in kinds:
        after_query = ParameterKind.QUERY in kinds
        rest, duration = split_duration(rest, at_end=after_query)
        if duration:
            arguments["duration"] = duration.lower()
        if duration or after_query:
            left = [each for each in left if each.kind is not ParameterKind.DURATION]
    if kinds == [ParameterKind.ADDRESS] and (named := _NAMED_ADDRESS.search(rest)) is not None:
        rest = named[0]
    while rest and parameters:
        if left and left[0].kind in _RESTS:
            arguments |= _rest(left.pop(0), rest)
            break
        word, following = _next_word(rest)
        if not _is_filler(word, parameters):
            taker, value = _taker(left, word)
            left.remove(taker)
            arguments[taker.name] = value
        rest = following
    for parameter in left:
        if not (parameter.optional or parameter.asked):
            raise InvalidArgument(f"{parameter.spelled} is missing.{_MISSING.get(parameter.kind, '')}")
    return arguments


def shown(text: str) -> str:
    """Return the beginning of what was typed, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_SHOWN else line[: _MAX_SHOWN - 1] + "…"


def _rest(parameter: Parameter, text: str) -> Mapping[str, str]:
    """Return the argument of a parameter that takes all of *text*; none if nothing is left of it."""
    if parameter.kind is ParameterKind.WHICH:
        return _which(text)
    if parameter.kind is ParameterKind.RANGE:
        bare = _without_fillers(text, ParameterKind.REF)
        if read_range(bare) is not None:
            return {parameter.name: bare}
        return {"ref": value} if (value := _reference(text)) else {}
    if parameter.kind is ParameterKind.LISTED:
        return _listed(text)
    match parameter.kind:
        case ParameterKind.REF:
            value = _reference(text)
        case ParameterKind.VALUE:
            value = _unquoted(text)
        case _:
            value = text
    return {parameter.name: value} if value or parameter.kind is ParameterKind.VALUE else {}


def _listed(text: str) -> Mapping[str, str]:
    """Return the reference in *text* as "ref", and the number behind it as "from"."""
    arguments: dict[str, str] = {}
    if (continued := _CONTINUED.fullmatch(text)) is not None:
        text, arguments["from"] = continued[1].strip(), continued[2]
    return arguments | ({"ref": ref} if (ref := _reference(text)) else {})


def _which(text: str) -> Mapping[str, str]:
    """Return the id of a subscription as "id", or what else was typed, which may be its query, as "query"."""
    bare = _without_fillers(text, ParameterKind.WHICH)
    if (number := _FORMS[ParameterKind.ID].fullmatch(bare)) is not None:
        return {"id": number[1]}
    if bare.lower() == _FROM_FILE:
        raise InvalidArgument(_CONFIGURED)
    return {"query": bare} if bare else {}


def _reference(text: str) -> str:
    """Return the reference in *text*, without words that people put around it; *text* if there is none."""
    bare = _without_fillers(text, ParameterKind.REF)
    words = bare.split()
    if read_ref(bare) is not None or not words:
        return bare
    inside = [word for word in words if ("@" in word or "/" in word) and read_ref(word) is not None]
    if len(inside) == 1:
        return inside[0]
    if words[0].lower().rstrip(".,:;!?") not in _KINDS_OF_REFS:
        return bare
    behind = " ".join(words[1:])
    return behind if not behind or read_ref(behind) is not None else bare


def _without_fillers(text: str, kind: ParameterKind) -> str:
    words, rest = _FILLERS[kind], text
    while rest and (first := rest.split(maxsplit=1))[0].lower().rstrip(".,:;!?") in words:
        rest = first[1] if len(first) > 1 else ""
    return rest.strip()


def _unquoted(text: str) -> str:
    """Return a value without the words before it and the quotes around it."""
    bare = _without_fillers(text, ParameterKind.VALUE).lstrip("=: ").rstrip(".!; ")
    typed = _WORD.fullmatch(bare)
    if typed is None or typed[3] is not None:
        return bare.strip(_QUOTES) if bare[:1] in _QUOTES else bare
    return _ESCAPED.sub(r"\1", typed[1]) if typed[1] is not None else typed[2]


def _without_markdown(text: str, parameters: Sequence[Parameter]) -> str:
    """Return *text* with each `[label](target)`, as clients write links and addresses, replaced by its target."""
    if not any(parameter.kind in {*_REFERENCES, ParameterKind.ADDRESS} for parameter in parameters):
        return text
    return _MARKDOWN_LINK.sub(r"\1", text)


def _is_filler(word: str, parameters: Sequence[Parameter]) -> bool:
    """Return whether *word* says nothing more than the verb did, as "all" where a missing id means all."""
    bare = word.lower().strip(".,:;!?…")
    if not bare or (bare in _ALL and any(each.kind is ParameterKind.ID and each.optional for each in parameters)):
        return True
    return any(bare in _FILLERS.get(each.kind, ()) for each in parameters if each.kind not in _RESTS)


def _taker(parameters: Sequence[Parameter], word: str) -> tuple[Parameter, str]:
    """Return the first parameter that accepts *word*, and its value."""
    single = [parameter for parameter in parameters if parameter.kind not in _RESTS]
    for parameter in single:
        if (value := _taken(parameter.kind, word)) is not None:
            return parameter, value
    if word.lower() == _FROM_FILE and any(parameter.kind is ParameterKind.ID for parameter in single):
        raise InvalidArgument(_CONFIGURED)
    if not single:
        raise InvalidArgument(f"“{shown(word)}” is one word too many.")
    names = " or ".join(_NAMES[each.kind] for each in single)
    raise InvalidArgument(f"“{shown(word)}” is not {names}.")


def _taken(kind: ParameterKind, word: str) -> str | None:
    """Return the value of *word* as a parameter of this kind, or None if it does not fit."""
    if (form := _FORMS.get(kind)) is None:
        return None
    typed = form.fullmatch(word)
    if typed is None:
        return None
    value = typed[1] if form.groups == 1 else word
    return value.lower() if kind is ParameterKind.KEY else value


def _next_word(text: str) -> tuple[str, str]:
    """Return the first word without its quotes, and the text behind it; *text* is not blank."""
    typed = _WORD.match(text)
    if typed is None:
        return text, ""
    double, single, bare = typed.groups()
    if bare is not None and bare[0] in _QUOTES:
        raise InvalidArgument(f"The quote before “{shown(text.lstrip()[1:])}” is not closed before a space or the end.")
    word = _ESCAPED.sub(r"\1", double) if double is not None else single if single is not None else bare
    return word, text[typed.end() :].lstrip()
