"""Parser of responses as rows and pages, and the parameters of lists; unreadable rows are skipped and reported."""

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, FailFast, Field, TypeAdapter, ValidationError

from bot.errors import Temporary
from bot.ids import ProjectName
from bot.incidents import Incidents
from bot.json_reader import read_json
from bot.patchwork.model import Patch, Series
from bot.patchwork.responses import Page
from bot.patchwork.wire import (
    CheckRow,
    CommentRow,
    CoverRow,
    EventHint,
    EventRow,
    MaintainersRow,
    PatchRow,
    ProjectRow,
    SeriesRow,
)
from bot.text import encodable, one_line

T = TypeVar("T", bound=BaseModel)

Params = Sequence[tuple[str, str]]
MAX_ROWS = 1_000  # Patchwork returns at most 250; an administrator may allow more
MAX_ID = 2**63  # database ids are less
_Of = TypeVar("_Of", EventHint, Patch, Series)
_Listed = TypeVar("_Listed", Patch, Series)
ROW_SKIPPED = "fetch.row_skipped"
_MAX_NAMED = 5  # incidents per response, so that a bad page does not displace all other incidents
_MAX_REMEMBERED = 1_000
_Row = TypeVar("_Row", EventRow, PatchRow, SeriesRow, CoverRow, CheckRow, CommentRow)
_Model = TypeVar("_Model")
_NAMES: dict[type[BaseModel], str] = {
    EventRow: "event",
    PatchRow: "patch",
    SeriesRow: "series",
    CoverRow: "cover letter",
    CheckRow: "check",
    CommentRow: "comment",
}


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
class NewestPage(Generic[_Listed]):
    """One page of objects by id, newest first; *more* is true if it was full.

    *highest* and *lowest* are the greatest and the least id on it, including unreadable rows; 0 if there are none.
    *total* is the number of rows of the whole list; None unless one row was requested and the server returns the total.
    """

    rows: tuple[_Listed, ...]
    more: bool
    highest: int
    lowest: int = 0
    total: int | None = None


def newest(projects: Collection[str], count: int, page: int, *, archived: bool = False) -> list[tuple[str, str]]:
    """Return the parameters that request the newest objects of *projects*, or only the *archived* ones."""
    params = [*(("project", name) for name in projects), ("order", "-id"), ("per_page", str(count))]
    params += [("archived", "true")] if archived else []
    return params if page == 1 else [*params, ("page", str(page))]


def page_of(
    projects: Collection[str], objects: Sequence[_Listed], skipped: Sequence[SkippedRow], answer: Page, count: int
) -> NewestPage[_Listed]:
    """Return the rows of *answer* as a page; *count* is the number of rows requested."""
    rows: tuple[_Listed, ...] = of_projects(projects, objects)
    length = len(objects) + len(skipped)
    ids = [*(row.id for row in rows), *(row.id for row in skipped if row.id is not None)]
    total = answer.last if count == length == 1 else None
    return NewestPage(rows, length >= count, max(ids, default=0), min(ids, default=0), total if length else 0)


def joined(parts: Sequence[NewestPage[_Listed]]) -> NewestPage[_Listed]:
    """Return *parts*, pages requested instead of one large page, as one; without any of them, there may be more."""
    return NewestPage(
        rows=tuple(row for part in parts for row in part.rows),
        more=not parts or parts[-1].more,
        highest=max((part.highest for part in parts), default=0),
        lowest=min((part.lowest for part in parts if part.lowest), default=0),
    )


def of_projects(projects: Collection[str], objects: Sequence[_Of]) -> tuple[_Of, ...]:
    """Return the members of *objects* that belong to one of *projects*, with the project's name as requested."""
    names = {name.lower(): ProjectName(name) for name in projects}
    named = [(item, names.get(item.project.lower())) for item in objects]
    return tuple(replace(item, project=project) for item, project in named if project is not None)


def last_page(projects: Collection[str]) -> Params:
    """Return the parameters that request the last page, of size one, of the archived patches of *projects*."""
    return [*newest(projects, 1, 1, archived=True), ("page", "last")]


@dataclass(frozen=True, slots=True)
class ListedRows(Generic[_Model]):
    """The readable rows of a list by id, and the unreadable ones, each with the reason."""

    rows: tuple[tuple[int, _Model], ...]
    skipped: tuple[tuple[SkippedRow, str | Exception], ...]


def read_list(kind: type[_Row], body: bytes, model: Callable[[_Row], _Model]) -> ListedRows[_Model]:
    """Return the *model* of each row of a list.

    Raises:
        Garbled: *body* is not a list.
    """
    rows = read_rows(kind, body)
    objects: list[tuple[int, _Model]] = []
    skipped: list[tuple[SkippedRow, str | Exception]] = [(row, row.reason) for row in rows.skipped]
    for row in rows.rows:
        try:
            objects.append((row.id, model(row)))
        except Exception as error:  # noqa: BLE001  # a bug of ours in one row; it is recorded with its traceback
            skipped.append((SkippedRow(row.id, getattr(row, "date", None), str(error)), error))
    return ListedRows(tuple(objects), tuple(skipped))


class RowLog:
    """The unreadable rows of one server's lists, each an incident until it can be read."""

    def __init__(self, server: str, incidents: Incidents) -> None:
        self._server = server
        self._incidents = incidents
        self._skipped: set[str] = set()

    def note(self, kind: type[_Row], listed: ListedRows[_Model]) -> None:
        """Record the unreadable rows of a response as incidents, and resolve those of rows that are readable now."""
        for number, _ in listed.rows if self._skipped else ():
            if (name := self._name(kind, number)) in self._skipped:
                self._skipped.discard(name)
                self._incidents.resolve(ROW_SKIPPED, name)
        for row, reason in listed.skipped[:_MAX_NAMED]:
            name = self._name(kind, row.id)
            self._incidents.record(ROW_SKIPPED, name, reason)
            if len(self._skipped) < _MAX_REMEMBERED:
                self._skipped.add(name)
        rest = len(listed.skipped) - _MAX_NAMED
        if rest > 0:
            name = f"more rows of {self._server} ({_NAMES[kind]})"
            self._incidents.record(ROW_SKIPPED, name, f"{rest} in one answer")

    def _name(self, kind: type[_Row], number: int | None) -> str:
        return f"{_NAMES[kind]} {'without a readable id' if number is None else number} of {self._server}"


def read_project(body: bytes) -> ProjectName:
    """Return the project's name in a /projects/NAME/ response, in the server's spelling.

    Raises:
        Garbled: *body* is not a project.
    """
    return ProjectName(read_row(ProjectRow, body).link_name)


def read_maintainers(body: bytes) -> tuple[str, ...]:
    """Return the account names of the maintainers in a /projects/NAME/ response.

    Raises:
        Garbled: *body* is not a project.
    """
    return tuple(user.username for user in read_row(MaintainersRow, body).maintainers if user.username)
