"""Converts the rows of lists into the model; unreadable rows are skipped and recorded as incidents."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from bot.incidents import Incidents
from bot.patchwork.response_rows import SkippedRow, read_rows
from bot.patchwork.wire import CheckRow, CommentRow, CoverRow, EventRow, PatchRow, SeriesRow

ROW_SKIPPED = "fetch.row_skipped"
_MAX_NAMED = 5  # per response, so that a bad page does not displace every other incident
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
class ListedRows(Generic[_Model]):
    """The readable rows of a list by id, and the unreadable ones, each with the reason."""

    found: tuple[tuple[int, _Model], ...]
    skipped: tuple[tuple[SkippedRow, str | Exception], ...]


def read_list(kind: type[_Row], body: bytes, model: Callable[[_Row], _Model]) -> ListedRows[_Model]:
    """Return the *model* of each row of a list.

    Raises:
        Garbled: *body* is not a list.
    """
    rows = read_rows(kind, body)
    found: list[tuple[int, _Model]] = []
    skipped: list[tuple[SkippedRow, str | Exception]] = [(row, row.reason) for row in rows.skipped]
    for row in rows.rows:
        try:
            found.append((row.id, model(row)))
        except Exception as error:  # noqa: BLE001  # a bug of ours in one row; it is recorded with its traceback
            skipped.append((SkippedRow(row.id, getattr(row, "date", None), str(error)), error))
    return ListedRows(tuple(found), tuple(skipped))


class RowLog:
    """The unreadable rows of one server's lists, each an incident until it can be read."""

    def __init__(self, server: str, incidents: Incidents) -> None:
        self._server = server
        self._incidents = incidents
        self._skipped: set[str] = set()

    def note(self, kind: type[_Row], listed: ListedRows[_Model]) -> None:
        """Record the unreadable rows of a response as incidents, and resolve those of rows that are readable now."""
        for number, _ in listed.found if self._skipped else ():
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
