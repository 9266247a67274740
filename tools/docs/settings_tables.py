"""The settings as data, for the pages that are written from them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_KINDS: dict[object, str] = {
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    Path: "path",
    str: "text",
    SecretStr: "text",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key; *default* and *examples* are TOML. Without *default*, it is required, empty, or follows from others."""

    name: str
    about: str
    kind: str
    is_required: bool
    default: str | None
    examples: tuple[str, ...]
    parts: "Table | None"  # what each entry may be instead of a text

    @property
    def is_off(self) -> bool:
        """Whether the key has no value of its own to show."""
        return self.default is None and not self.is_required


@dataclass(frozen=True, slots=True)
class Table:
    """A [table], or each of the [[tables]] of a list; *name* "" is what stands above them all."""

    name: str
    about: str
    is_list: bool
    is_required: bool
    settings: tuple[Setting, ...]

    @property
    def heading(self) -> str:
        """As the file has it."""
        return f"[[{self.name}]]" if self.is_list else f"[{self.name}]"


def tables(model: type[BaseModel]) -> Iterator[Table]:
    """All that *model* can be set to, in the order of a file."""
    fields = model.model_fields
    single = {name: field for name, field in fields.items() if _table_of(field) is None}
    yield Table("", "", is_list=False, is_required=True, settings=_settings(single))
    for name, field in fields.items():
        if table := _table_of(field):
            is_list = get_origin(field.annotation) is tuple
            settings = _settings(table.model_fields)
            yield Table(name, field.description or "", is_list, field.is_required() or not is_list, settings)


def _settings(fields: dict[str, FieldInfo]) -> tuple[Setting, ...]:
    return tuple(_setting(name, field) for name, field in fields.items())


def _setting(name: str, field: FieldInfo) -> Setting:
    has_default = field.default not in {None, PydanticUndefined}
    shown = field.examples or ([field.default] if has_default else [])
    return Setting(
        name=name,
        about=field.description or "",
        kind=_kind(field.annotation) + _bounds(field),
        is_required=field.is_required(),
        default=toml(field.default) if has_default else None,
        examples=tuple(map(toml, shown)),
        parts=_parts(field),
    )


def _parts(field: FieldInfo) -> Table | None:
    table = _table_of(field)
    if table is None:
        return None
    return Table("", table.__doc__ or "", is_list=True, is_required=False, settings=_settings(table.model_fields))


def _table_of(field: FieldInfo) -> type[BaseModel] | None:
    candidates = (field.annotation, *get_args(field.annotation))
    return next((part for part in candidates if isinstance(part, type) and issubclass(part, BaseModel)), None)


def _kind(annotation: object) -> str:
    """What may stand there, in words."""
    first = get_args(annotation)[:1]
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{toml(choice)}`" for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {_kind(first[0])}s"
    if get_origin(annotation) is dict:
        return "table of lists"
    if first:
        return _kind(first[0])  # X | None
    return _KINDS.get(getattr(annotation, "__supertype__", annotation), "table")


def _bounds(field: FieldInfo) -> str:
    """Such as ", 1 to 1,000"; our numbers have bounds on both sides."""
    bound = {key: getattr(rule, key) for rule in field.metadata for key in ("gt", "ge", "le") if hasattr(rule, key)}
    match bound:
        case {"ge": low, "le": high}:
            return f", {low:,} to {high:,}"
        case {"gt": low, "le": high}:
            return f", more than {low:,}, up to {high:,}"
    return ""


def toml(value: object) -> str:
    """A value as TOML writes it, on one line."""
    match value:
        case SecretStr():
            return toml(value.get_secret_value())
        case tuple() | list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
        case float():
            return f"{value:g}"
        case Path():
            return toml(str(value))
    return json.dumps(value, ensure_ascii=False)
