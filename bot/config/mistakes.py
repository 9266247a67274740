"""Explains mistakes in the settings to the person who wrote them.

A reason never repeats the value, which may be a secret, except for numbers out of bounds.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.config.model import Settings
from bot.errors import ConfigError

Location = tuple[int | str, ...]

# pydantic's error type -> the reason; the {fields} come from the error's context
_REASONS = {
    "missing": "is required",
    "string_type": "must be text",
    "path_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of a usable size",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "greater_than": "must be more than {gt:g}, is {input}",
    "greater_than_equal": "must be {ge:g} or more, is {input}",
    "less_than_equal": "must be {le:g} or less, is {input}",
    "string_too_short": "must not be empty",
    "string_too_long": "must be {max_length} characters or fewer",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
    "tuple_type": 'must be a list, such as ["…"]',
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dict_type": "must be a table",
    "value_error": "{error}",
}
_HEADER = re.compile(r"^[ \t]*(\[{1,2})[ \t]*([A-Za-z0-9_-]+)[ \t]*\]", re.MULTILINE)
# the beginning of tomllib's reason -> what to do
_TOML_HINTS = {
    "Invalid value": '; text must be in quotes, as in name = "ozlabs"',
    "Cannot overwrite a value": "; each key may be set only once",
}
_NUMBER_SHOWN = 20  # characters
_NAME_SHOWN = 60  # characters
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


def key_name(location: Location) -> str:
    """Return the path of a setting in the file, such as `patchwork[0].url`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in location]
    return "".join(parts).removeprefix(".")


def _shown(name: str) -> str:
    """Return a name on one line, quoted as in TOML unless it is a bare key."""
    short = name if len(name) <= _NAME_SHOWN else f"{name[:_NAME_SHOWN]}…"
    return short if _PLAIN_NAME.fullmatch(short) else json.dumps(short)


def subscription_key(room: int, subscription: int) -> str:
    """Return the path of a query in the file, such as `room[0].subscribe[1]`; both indexes begin at 0."""
    return key_name(("room", room, "subscribe", subscription))


def setting_names(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """Yield the path of each setting, such as `("contact",)` or `("matrix", "user_id")`; a list of tables has one."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((name, inner) for inner in field.annotation.model_fields)
        else:
            yield (name,)


def explain(error: ValidationError, model: type[BaseModel], origins: Mapping[Location, str]) -> Iterator[ConfigError]:
    """Yield every mistake in *error*, in order.

    *origins* maps keys to the variable or secret that set them; keys set by the file are not in it.
    """
    for mistake in error.errors(include_url=False):
        if mistake["type"] == "default_factory_not_called":
            continue  # caused by another mistake
        location = mistake["loc"]
        reason = _unknown_key(model, location) if mistake["type"] == "extra_forbidden" else _reason(mistake)
        yield _mistake(location, reason, origins)


def toml_mistake(text: str, error: ValueError) -> str:
    """Return what is wrong with *text*, which *error* refuses as TOML, in the words of this file where those help."""
    headers = [(match[1], match[2], text.count("\n", 0, match.start(1)) + 1) for match in _HEADER.finditer(text)]
    for name, field in Settings.model_fields.items():
        single, double = ([line for mark, key, line in headers if (mark, key) == (kind, name)] for kind in ("[", "[["))
        if double and single and not _is_table(field.annotation):
            return f"[{name}] must be written [[{name}]], as there may be several (line {single[0]})"
        if double and single:
            return f"[[{name}]] must be written [{name}], as there is only one (line {double[0]})"
        if len(single) > 1:
            return f"[{name}] is there twice (lines {single[0]} and {single[1]}); a table must be in one piece"
    hint = next((hint for reason, hint in _TOML_HINTS.items() if str(error).startswith(reason)), "")
    return f"{error}{hint}"


def _is_table(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def exposed(settings: Settings, origins: Mapping[Location, str]) -> Iterator[ConfigError]:
    """Yield a mistake if the password would be sent to another machine unencrypted; *origins* as in `explain`."""
    if settings.matrix.is_exposed:
        reason = (
            "must begin with https://: otherwise anybody on the network can read the password and command the bot "
            "(matrix.allow_http = true permits it all the same)"
        )
        yield _mistake(("matrix", "homeserver"), reason, origins)


def _mistake(location: Location, reason: str, origins: Mapping[Location, str]) -> ConfigError:
    origin = origins.get(location[:2]) or origins.get(location[:1])
    return ConfigError(key_name(location), f"{reason} (set by {origin})" if origin else reason)


def unknown_variables(names: Iterable[str], known: Iterable[str]) -> Iterator[ConfigError]:
    """Yield a mistake for each of *names* that is not *known*, with the most similar known one."""
    choices = sorted(known)
    for name in names:
        if name not in choices:
            nearest = get_close_matches(name.upper(), choices, n=1, cutoff=0)[0]
            yield ConfigError(_shown(name), f"unknown variable; did you mean {nearest}?")


def _reason(mistake: ErrorDetails) -> str:
    """Return the reason in words; brackets of a table are the mistake of its header."""
    location, value = mistake["loc"], mistake["input"]
    if len(location) == 1 and mistake["type"] == "value_error" and isinstance(value, Mapping):
        return f"[{location[0]}] must be written [[{location[0]}]], as there may be several"
    if len(location) == 1 and mistake["type"].startswith("model_") and isinstance(value, list):
        return f"[[{location[0]}]] must be written [{location[0]}], as there is only one"
    template = _REASONS.get(mistake["type"], "cannot be used as it is")
    return template.format(**mistake.get("ctx", {}), input=str(mistake["input"])[:_NUMBER_SHOWN])


def _unknown_key(model: type[BaseModel], location: Location) -> str:
    """Return the reason for an unknown key, with a similar key of the same or another table."""
    *table, name = location
    here = list(_table_at(model, table).model_fields)
    if close := get_close_matches(str(name), here, n=1):
        return f"unknown key; did you mean {key_name((*table, close[0]))}?"
    elsewhere = {names[-1]: names for names in setting_names(model)}
    if close := get_close_matches(str(name), elsewhere, n=1, cutoff=0.8):
        return f"unknown key; did you mean {key_name(elsewhere[close[0]])}?"
    return f"unknown key; valid keys here: {', '.join(here)}"


def _table_at(model: type[BaseModel], location: Iterable[int | str]) -> type[BaseModel]:
    """Return the model of the table at *location*; an index leads to the entries of a list."""
    for part in location:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            candidates = (annotation, *get_args(annotation))
            model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return model
