"""Scans of stored patches: reads only those columns from which the facts of a query are made.

Reading and decoding a whole row takes many times as long as the few columns that most queries need. The result is the
same, because facts that the query does not use are left empty.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from bot.ids import PatchId, ServerName
from bot.patchwork.model import CheckState, Person, prefixes_of
from bot.query.facts import (
    ExtraFacts,
    FactName,
    Facts,
    all_prefixes_of,
    is_whole,
    reviewers_in,
    subjects_of,
    total_of,
    version_in,
)
from bot.query.prefilter import Condition
from bot.store import rows, schema
from bot.store.patch_filter import filter_of

ScanRow: TypeAlias = sa.Row[Any]


@dataclass(frozen=True, slots=True)
class ScanScope:
    """The patches that are scanned: those of a server's *projects*, read at *since* or later (UTC; None: whenever)."""

    server: ServerName
    projects: Collection[str]
    since: datetime | None


@dataclass(frozen=True, slots=True)
class ScanWindow:
    """So many *patches* of a scan's projects, with ids below *before* (None: any) and down to *lowest*.

    *recent* is the number of those that were read late enough.
    """

    before: PatchId | None
    lowest: PatchId
    patches: int
    recent: int


class PatchScan:
    """The patches of a *scope* that meet a condition at *now* (UTC), with the columns that *facts* are made of."""

    def __init__(self, scope: ScanScope, facts: Collection[FactName], condition: Condition, now: datetime) -> None:
        self._names = dict.fromkeys([*_ALWAYS, *(name for fact in facts for name in STORED_FACTS[fact].columns)])
        self._filter = filter_of(condition, now)
        self._is_recent = schema.patch.c.read_at >= scope.since if scope.since is not None else sa.true()
        lower_names = [name.lower() for name in scope.projects]
        self._of_projects = sa.and_(
            schema.patch.c.server == scope.server, sa.func.lower(schema.patch.c.project).in_(lower_names)
        )

    def window(self, before: PatchId | None, patches: int) -> sa.Select[Any, int, int]:
        """Return the query for the columns of a window of so many *patches*; its lowest id is null if it has none."""
        patch = schema.patch.c
        columns = sa.select(patch.id, self._is_recent.label("is_recent")).where(self._of_projects, *_below(before))
        some = columns.order_by(patch.id.desc()).limit(patches).subquery()
        recent = sa.func.count().filter(some.c.is_recent)
        lowest = sa.func.min(some.c.id).label("lowest")
        return sa.select(lowest, sa.func.count().label("patches"), recent.label("recent"))

    def candidates(self, window: ScanWindow, before: PatchId | None, limit: int) -> sa.Select[Any]:
        """Return the query for the newest *limit* patches of a window with ids below *before*."""
        is_in_window = schema.patch.c.id >= window.lowest
        where = (self._of_projects, is_in_window, *_below(before), self._is_recent, self._filter)
        return self._selected(*where).limit(limit)

    def open(self, window: ScanWindow, closed: Collection[str], before: PatchId | None, limit: int) -> sa.Select[Any]:
        """Return the query for the newest *limit* open patches of a window with ids below *before*.

        Those are not archived, in none of the *closed* states, and of no series that a later version replaces. A state
        that the server spells otherwise is not recognised, so the result has to be judged.
        """
        patch, later = schema.patch.c, schema.series.alias()
        is_superseded = sa.exists().where(later.c.server == patch.server, later.c.former == patch.series)
        is_closed = sa.func.coalesce(patch.state, "").in_(closed)
        is_open = (patch.archived.is_(False), ~is_closed, ~is_superseded)
        where = (self._of_projects, patch.id >= window.lowest, *_below(before), *is_open, self._filter)
        return self._selected(*where).limit(limit)

    def _selected(self, *where: sa.ColumnElement[bool]) -> sa.Select[Any]:
        """Return the query for patches with the columns of the scan, newest first."""
        patch, series = schema.patch, schema.series
        selected = sa.select(*(_column(name) for name in self._names)).where(*where)
        if any(name.startswith(_OF_SERIES) for name in self._names):
            of_patch = sa.and_(series.c.server == patch.c.server, series.c.id == patch.c.series)
            selected = selected.select_from(patch.outerjoin(series, of_patch))
        return selected.order_by(patch.c.id.desc())


def _below(before: PatchId | None) -> tuple[sa.ColumnElement[bool], ...]:
    return () if before is None else (schema.patch.c.id < before,)


class FactsReader:
    """Makes *facts*, which decide a part of a query, from the rows of a scan."""

    def __init__(self, server: ServerName, facts: Collection[FactName]) -> None:
        self.facts = frozenset(facts)
        stored_facts = {fact.value: STORED_FACTS[fact] for fact in facts}
        self.effort = max((each.effort for each in stored_facts.values()), default=0)
        self._others = {"server": server, **_NOTHING}
        self._fields = [(field, each.read) for field, each in stored_facts.items() if each.read is not None]

    def read(self, row: ScanRow, more: ExtraFacts) -> Facts:
        """Return the facts of the patch in a row, together with *more* facts from elsewhere."""
        fields = {field: read(row) for field, read in self._fields}
        return Facts(**{**self._others, **fields, "project": row.project, "more": more})


def _column(name: str) -> sa.ColumnElement[Any]:
    """Return the column with a *name*; JSON columns as text, to be decoded off the event loop."""
    table = schema.series if name.startswith(_OF_SERIES) else schema.patch
    column = table.c[name.removeprefix(_OF_SERIES)]
    packed = sa.cast(column, sa.Text) if isinstance(column.type, sa.JSON) else column
    return packed.label(name)


def _names(row: ScanRow) -> tuple[str, ...]:
    return (row.name,) if row.series_id is None else (row.name, row.series_name)


def paths_of(row: ScanRow) -> tuple[str, ...]:
    """Return the touched paths of a row in the order of `Patch.paths`."""
    found: dict[str, None] = {}
    for file in _decoded(row.files)[0] or ():
        if file[1] is not None:
            found[file[1]] = None
        found[file[0]] = None
    return tuple(found)


def _version(row: ScanRow) -> int:
    version: int | None = row.series_version
    return version_in(prefixes_of(row.name)) if version is None else version


def _is_complete(row: ScanRow) -> bool:
    received_all: bool | None = row.series_received_all
    return is_whole(row.name, is_pull=row.pull_url is not None) if received_all is None else received_all


def _reviewers(row: ScanRow) -> tuple[str, ...]:
    stored = [*json.loads(row.trailers), *(json.loads(row.series_trailers or "null") or ())]
    return reviewers_in(rows.to_trailers(stored))


_decoded: Final = json.JSONDecoder().raw_decode  # half the time of `json.loads`, which looks for blanks around
_OF_SERIES: Final = "series_"  # the prefix of columns of a patch's series
_NAME_COLUMNS: Final = ("name", "series_id", "series_name")
_ALWAYS: Final = ("id", "series", "project")
_NOTHING: Final[Mapping[str, Any]] = {"submitter": Person("", ""), "subjects": (), "prefixes": (), "paths": ()}


@dataclass(frozen=True, slots=True)
class StoredFact:
    """The columns from which a fact is made, and the function *read* that makes it.

    *read* is None for facts that every row has or that the search adds. Facts of higher *effort*, which must be
    decoded or parsed, are evaluated last.
    """

    columns: tuple[str, ...] = ()
    read: Callable[[ScanRow], object] | None = None
    effort: int = 0


STORED_FACTS: Final[Mapping[FactName, StoredFact]] = {
    FactName.SERVER: StoredFact(),
    FactName.PROJECT: StoredFact(),
    FactName.PATHS: StoredFact(("files",), paths_of, effort=2),
    FactName.SECTIONS: StoredFact(("files",), effort=3),
    FactName.KNOWN_SECTIONS: StoredFact(),
    FactName.SUBMITTER: StoredFact(
        ("submitter_name", "submitter_email"), lambda row: Person(row.submitter_name, row.submitter_email)
    ),
    FactName.TO: StoredFact(("to",), lambda row: tuple(json.loads(row.to)), effort=2),
    FactName.CC: StoredFact(("cc",), lambda row: tuple(json.loads(row.cc)), effort=2),
    FactName.SUBJECTS: StoredFact(_NAME_COLUMNS, lambda row: subjects_of(_names(row)), effort=1),
    FactName.PREFIXES: StoredFact(_NAME_COLUMNS, lambda row: all_prefixes_of(_names(row)), effort=1),
    FactName.VERSION: StoredFact(("name", "series_version"), _version, effort=1),
    FactName.TOTAL: StoredFact(
        ("name", "series_total"), lambda row: total_of(row.name, row.series_total or 1), effort=1
    ),
    FactName.STATE: StoredFact(("state",), lambda row: row.state),
    FactName.DELEGATE: StoredFact(("delegate",), lambda row: row.delegate),
    FactName.CHECK: StoredFact(("check",), lambda row: CheckState(row.check) if row.check else None),
    FactName.IS_PULL: StoredFact(("pull_url",), lambda row: row.pull_url is not None),
    FactName.IS_COMPLETE: StoredFact(("name", "pull_url", "series_received_all"), _is_complete, effort=1),
    FactName.IS_ARCHIVED: StoredFact(("archived",), lambda row: row.archived),
    FactName.REVIEWERS: StoredFact(("trailers", "series_trailers"), _reviewers, effort=2),
    FactName.IDLE: StoredFact(("changed_at", "read_at")),
}
