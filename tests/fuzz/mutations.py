"""Mutations of JSON values: every field of an answer, made wrong in every way that a sender can. Pure.

A mutated value may be what no parser gives back (a key that stands twice, NaN, a thousand levels), so such parts are
`Raw`: JSON text that stands in the tree as it is, until `encoded` writes it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from key_material import KEYS, is_key_material

Path: TypeAlias = tuple[str | int, ...]

LEVELS: Final = 1_000
LONG: Final = 1_000_000  # characters
_LAST_ESCAPE: Final = "\ue000{}\ue000"


@dataclass(frozen=True, slots=True)
class Raw:
    """JSON text, or what is none, in the place of a value."""

    text: str


_DROPPED: Final = Raw("")
REPLACEMENTS: Final[Mapping[str, object]] = {
    "null": None,
    "true": True,
    "zero": 0,
    "negative": -1,
    "over 64 bits": 2**63,
    "over all digits": Raw("9" * 5_000),
    "fraction": 1.5,
    "infinite": Raw("1e999"),
    "NaN": Raw("NaN"),
    "text": "text",
    "empty text": "",
    "1 MB": "x" * LONG,
    "lone surrogate": "\ud800",
    "NUL": "a\0b",
    "list": [],
    "nested list": Raw("[" * LEVELS + "]" * LEVELS),
    "object": {},
    "nested object": Raw('{"a":' * LEVELS + "1" + "}" * LEVELS),
    "list of everything": [None, True, -1, 1.5, "text", [], {}],
}
KINDS: Final = ("drop", "duplicate", "contradicted", "another id", *REPLACEMENTS)


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is made wrong: the field at *path*, in the way that *kind* names."""

    path: Path
    kind: str

    def __str__(self) -> str:
        """As a person finds it in the answer."""
        return f"{self.kind} at {'.'.join(map(str, self.path)) or 'the root'}"


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """The place of every field in *value*, outermost first, without the root."""
    entries: list[tuple[str | int, object]] = []
    if isinstance(value, Mapping):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    for name, inner in entries:
        yield (*path, name)
        yield from paths(inner, (*path, name))


def shape(value: object, path: Path) -> str:
    """What kind of field *path* is: alike for all events of a type, whatever their ids and their order."""
    words: list[str] = []
    for name in path:
        kind = value.get("type") if isinstance(value, Mapping) else None
        if isinstance(kind, str) and not isinstance(name, int):
            words.append(f"<{kind}>")
        is_open = isinstance(name, int) or name[:1] in "!@$" or ":" in name
        words.append("*" if is_open else str(name))
        value = at(value, (name,))
    return ".".join(words)


def at(value: object, path: Path) -> object:
    """The value at *path*; None where there is none."""
    for name in path:
        match value, name:
            case dict(), str():
                value = value.get(name)
            case list(), int():
                value = value[name] if name < len(value) else None
            case _:
                return None
    return value


def kinds_for(value: object, path: Path) -> tuple[str, ...]:
    """The mutations that make sense for the field at *path*."""
    there = at(value, path)
    is_id = isinstance(there, str) and there[:1] in {"!", "@", "$"}
    is_key = is_key_material(path) and isinstance(there, str)
    left_out = set() if is_id else {"another id"}
    return (*(kind for kind in KINDS if kind not in left_out), *(KEYS if is_key else ()))


def mutated(value: object, mutation: Mutation) -> object:
    """*value* with the field at the mutation's path made wrong; *value* itself stays."""
    *above, name = mutation.path
    there = at(value, mutation.path)
    match mutation.kind:
        case "drop":
            return _changed(value, tuple(above), lambda parent: _without(parent, name))
        case "duplicate":
            return _changed(value, tuple(above), lambda parent: _twice(parent, name, there))
        case "contradicted":
            return _changed(value, tuple(above), lambda parent: _twice(parent, name, None))
        case "another id":
            return _changed(value, mutation.path, lambda known: _another_id(value, known))
        case kind if kind in KEYS:
            return _changed(value, mutation.path, lambda known: KEYS[kind](str(known)))
        case kind:
            return _changed(value, mutation.path, lambda _: REPLACEMENTS[kind])


def encoded(value: object) -> bytes:
    """*value* as JSON, with what is raw in it as it stands."""
    raw: list[str] = []

    def marked(inner: object) -> object:
        if isinstance(inner, Raw):
            raw.append(inner.text)
            return _LAST_ESCAPE.format(len(raw) - 1)
        if isinstance(inner, Mapping):
            return {name: marked(each) for name, each in inner.items()}
        if isinstance(inner, list):
            return [marked(each) for each in inner]
        return inner

    text = json.dumps(marked(value))
    for number, part in enumerate(raw):
        text = text.replace(json.dumps(_LAST_ESCAPE.format(number)), part)
    return text.encode()


def _changed(value: object, path: Path, change: Callable[[object], object]) -> object:
    if not path:
        return change(value)
    name, rest = path[0], path[1:]
    match value, name:
        case dict(), str():
            return {**value, name: _changed(value.get(name), rest, change)}
        case list(), int():
            held = value[name] if name < len(value) else None  # an answer may be shorter than the recorded one
            return [*value[:name], _changed(held, rest, change), *value[name + 1 :]]
        case _:
            return value


def _without(parent: object, name: str | int) -> object:
    match parent, name:
        case dict(), str():
            return {known: each for known, each in parent.items() if known != name}
        case list(), int():
            return [*parent[:name], *parent[name + 1 :]]
        case _:
            return parent


def _twice(parent: object, name: str | int, second: object) -> object:
    """The field with *second* as another value behind it; of a key that stands twice, parsers take the last."""
    match parent, name:
        case dict(), str():
            rest = encoded(_without(parent, name)).decode()[1:-1]
            pair = ", ".join(f"{json.dumps(name)}: {encoded(each).decode()}" for each in (parent.get(name), second))
            return Raw(f"{{{pair}{', ' if rest else ''}{rest}}}")
        case list(), int():
            return [*parent[: name + 1], second, *parent[name + 1 :]]
        case _:
            return parent


def _another_id(value: object, known: object) -> object:
    """Another id of the same kind from the same answer; a made-up one where there is none."""
    sigil = str(known)[:1]
    others = (at(value, path) for path in paths(value))
    return next(
        (each for each in others if isinstance(each, str) and each[:1] == sigil and each != known), f"{sigil}x:y"
    )
