"""Parser of Patchwork's responses as rows and pages; unreadable rows of a list are skipped and reported."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, FailFast, Field, TypeAdapter, ValidationError

from bot.errors import Temporary
from bot.json_reader import read_json
from bot.text import encodable, one_line

T = TypeVar("T", bound=BaseModel)

MAX_ROWS = 1_000  # Patchwork returns at most 250; an administrator may allow more
MAX_ID = 2**63  # database ids are less


class Garbled(Temporary):
    """A response of the right type whose content does not match the request."""


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row of a list that cannot be read, with the reason, and its id and date if these are readable."""

    id: int | None
    date: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """The rows of a list, and the unreadable ones that were skipped."""

    rows: tuple[T, ...]
    skipped: tuple[SkippedRow, ...] = ()

    @property
    def rejected(self) -> int:
        """The number of skipped rows."""
        return len(self.skipped)


def read_row(kind: type[T], body: bytes) -> T:
    """Return the object in *body*.

    Raises:
        Garbled: *body* is not such an object.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        pass  # the fast parser refuses lone surrogates, deep nesting and long numbers; the slow one below decides
    try:
        return kind.model_validate(_sound(read_json(body)))
    except ValueError as error:
        raise Garbled(f"not {kind.__name__}: {_first_line(error)}") from None


def read_rows(kind: type[T], body: bytes) -> Rows[T]:
    """Return the rows of a list, parsed one by one if it cannot be parsed in one go.

    Raises:
        Garbled: *body* is not a list, or has more rows than any page.
    """
    try:
        return Rows(tuple(_page_of(kind).validate_json(body)))
    except ValidationError:
        pass  # read the rows one by one below
    try:
        values = read_json(body)
    except ValueError as error:
        raise Garbled(f"not a list: {_first_line(error)}") from None
    if not isinstance(values, list):
        raise Garbled("not a list")
    if len(values) > MAX_ROWS:
        raise Garbled(f"a list of {len(values):,} rows; a page has at most {MAX_ROWS}")
    read = [_row(kind, value) for value in values]
    return Rows(
        tuple(row for row in read if not isinstance(row, SkippedRow)),
        tuple(row for row in read if isinstance(row, SkippedRow)),
    )


@functools.cache
def _page_of(kind: type[T]) -> TypeAdapter[list[T]]:
    """Return a parser of a page of rows that stops at the first unreadable one."""
    return TypeAdapter(Annotated[list[kind], Field(max_length=MAX_ROWS), FailFast()])  # type: ignore[valid-type, arg-type]  # a type at run time


def _row(kind: type[T], value: object) -> T | SkippedRow:
    try:
        return kind.model_validate(_sound(value))
    except ValueError as error:
        return _skipped(value, error)


def _skipped(value: object, error: ValueError) -> SkippedRow:
    row = value if isinstance(value, dict) else {}
    number, date = row.get("id"), row.get("date")
    has_id = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < MAX_ID
    return SkippedRow(number if has_id else None, date if isinstance(date, str) else None, _reason(error))


def _sound(value: object) -> object:
    """Return *value* with lone surrogates replaced, which are valid in JSON but not in Unicode."""
    match value:
        case str():
            return encodable(value)
        case list():
            return [_sound(item) for item in value]
        case dict():
            return {_sound(key): _sound(item) for key, item in value.items()}
        case _:
            return value


def _reason(error: ValueError) -> str:
    """Return the reason why a row is unreadable, as one line."""
    if not isinstance(error, ValidationError):
        return _first_line(error)
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return one_line(f"{place}: {first['msg']}" if place else first["msg"], 200)


def _first_line(error: Exception) -> str:
    return one_line(str(error).partition("\n")[0], 200)


@dataclass(frozen=True, slots=True)
class Page:
    """The body of a response, and the links to other pages.

    *previous* and *last* are page numbers; None if the server has no link to the page. Servers before API 1.3 never
    link the last one.
    """

    body: bytes
    has_next: bool = False
    previous: int | None = None
    last: int | None = None


def page_with(body: bytes, links: Mapping[str, str]) -> Page:
    """Return the page with *body* and the *links* of its Link header by relation."""
    return Page(body, "next" in links, _page_number(links.get("prev")), _page_number(links.get("last")))


def _page_number(url: str | None) -> int | None:
    """Return the page number in a link, 1 if it has none; None if there is no link."""
    if url is None:
        return None
    try:
        number = parse_qs(urlsplit(url).query).get("page", ["1"])[-1]
    except ValueError:
        return None
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
