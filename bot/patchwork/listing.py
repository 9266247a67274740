"""Lists of a server: request parameters, pages newest first, and their rows as the model.

Unreadable rows are skipped and recorded as incidents.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pydantic import BaseModel

from bot.ids import ProjectName
from bot.incidents import Incidents
from bot.patchwork.client import Params
from bot.patchwork.model import Patch, Series
from bot.patchwork.response_rows import Page, SkippedRow, read_rows
from bot.patchwork.wire import CheckRow, CommentRow, CoverRow, EventHint, EventRow, PatchRow, SeriesRow

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
