"""Patchwork's answers as rows: a list row that is none is left out and counted, an answer that is none is garbled."""

import functools
import json
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, FailFast, Field, TypeAdapter, ValidationError

from bot.errors import Temporary
from bot.patchwork.text import line

T = TypeVar("T", bound=BaseModel)

MAX_ROWS = 1_000  # Patchwork gives 250 at most, an administrator may allow more


class Garbled(Temporary):
    """An answer of the right type whose content is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """The rows of a list, and how many were left out because they could not be read."""

    rows: tuple[T, ...]
    rejected: int


def read_row(kind: type[T], body: bytes) -> T:
    """One object.

    Raises:
        Garbled: when *body* is no such object.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        pass  # a lone surrogate is an error to the fast parser only; the slow one below decides
    try:
        return kind.model_validate(_sound(json.loads(body)))
    except (ValueError, RecursionError) as error:
        raise Garbled(f"not {kind.__name__}: {_first_line(error)}") from None


def read_rows(kind: type[T], body: bytes) -> Rows[T]:
    """A list, row by row where it cannot be read in one go.

    Raises:
        Garbled: when *body* is no list at all, or one with more rows than any page has.
    """
    try:
        return Rows(tuple(_page_of(kind).validate_json(body)), 0)
    except ValidationError:
        pass  # find the rows that can be read
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Garbled(f"not a list: {_first_line(error)}") from None
    if not isinstance(values, list):
        raise Garbled("not a list")
    if len(values) > MAX_ROWS:
        raise Garbled(f"a list of {len(values):,} rows, where a page has {MAX_ROWS} at most")
    rows = [row for value in values if (row := _row(kind, value)) is not None]
    return Rows(tuple(rows), len(values) - len(rows))


@functools.cache
def _page_of(kind: type[T]) -> TypeAdapter[list[T]]:
    """Reads a page of rows, and gives up at the first one that cannot be read."""
    return TypeAdapter(Annotated[list[kind], Field(max_length=MAX_ROWS), FailFast()])  # type: ignore[valid-type, arg-type]  # a type at run time


def _row(kind: type[T], value: object) -> T | None:
    try:
        return kind.model_validate(_sound(value))
    except (ValueError, RecursionError):
        return None


def _sound(value: object) -> object:
    """*value* with lone surrogates replaced, which JSON can spell and Unicode forbids."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case list():
            return [_sound(item) for item in value]
        case dict():
            return {key: _sound(item) for key, item in value.items()}
        case _:
            return value


def _first_line(error: Exception) -> str:
    return line(str(error).partition("\n")[0], 200)
