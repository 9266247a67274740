"""Lists of patches and series by id, newest first: request parameters and response pages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from bot.ids import ProjectName
from bot.patchwork.client import Params
from bot.patchwork.model import Patch, Series
from bot.patchwork.response_rows import Page, SkippedRow
from bot.patchwork.wire import EventHint

_Of = TypeVar("_Of", EventHint, Patch, Series)
_Listed = TypeVar("_Listed", Patch, Series)


@dataclass(frozen=True, slots=True)
class NewestPage(Generic[_Listed]):
    """One page of objects by id, newest first; *more* is true if it was full.

    *highest* and *lowest* are the greatest and the least id on it, including unreadable rows; 0 if there are none.
    *total* is the number of rows of the whole list, if one row was requested and the server tells the total.
    """

    rows: tuple[_Listed, ...]
    more: bool
    highest: int
    lowest: int = 0
    total: int | None = None


def newest(projects: Collection[str], count: int, page: int, *, archived: bool = False) -> list[tuple[str, str]]:
    """Return the parameters that request the newest objects of *projects*, or only the *archived* ones."""
    asked = [*(("project", name) for name in projects), ("order", "-id"), ("per_page", str(count))]
    asked += [("archived", "true")] if archived else []
    return asked if page == 1 else [*asked, ("page", str(page))]


def page_of(
    projects: Collection[str], found: Sequence[_Listed], skipped: Sequence[SkippedRow], answer: Page, count: int
) -> NewestPage[_Listed]:
    """Return the rows of *answer*, of which *count* were requested, as a page."""
    rows: tuple[_Listed, ...] = asked_for(projects, found)
    shown = len(found) + len(skipped)
    ids = [*(row.id for row in rows), *(row.id for row in skipped if row.id is not None)]
    total = answer.last if count == shown == 1 else None
    return NewestPage(rows, shown >= count, max(ids, default=0), min(ids, default=0), total if shown else 0)


def joined(parts: Sequence[NewestPage[_Listed]]) -> NewestPage[_Listed]:
    """Return the pages that were requested in *parts* as one; if all of them were left out, there may be more."""
    return NewestPage(
        rows=tuple(row for part in parts for row in part.rows),
        more=not parts or parts[-1].more,
        highest=max((part.highest for part in parts), default=0),
        lowest=min((part.lowest for part in parts if part.lowest), default=0),
    )


def asked_for(projects: Collection[str], found: Sequence[_Of]) -> tuple[_Of, ...]:
    """Return the members of *found* that belong to one of *projects*, with the project's name as requested."""
    asked = {name.lower(): ProjectName(name) for name in projects}
    named = [(item, asked.get(item.project.lower())) for item in found]
    return tuple(replace(item, project=project) for item, project in named if project is not None)


def last_page(projects: Collection[str]) -> Params:
    """Return the parameters that request the last page, of size one, of the archived patches of *projects*."""
    return [*newest(projects, 1, 1, archived=True), ("page", "last")]
