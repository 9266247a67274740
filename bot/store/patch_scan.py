"""Scans of stored patches: reads only those columns from which the facts of a query are made.

Reading and decoding a whole row takes many times as long as the few columns that most queries need. The result is the
same, because facts that the query does not use are left empty.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from bot.ids import ServerName
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
from bot.store import rows, schema

ScanRow: TypeAlias = sa.Row[Any]


class PatchScan:
    """A query for a server's patches with the columns from which *facts* are made."""

    def __init__(self, server: ServerName, facts: Collection[FactName]) -> None:
        self.server = server
        self._names = dict.fromkeys([*_ALWAYS, *(name for fact in facts for name in STORED_FACTS[fact].columns)])

    def query(self) -> sa.Select[Any]:
        """Return the query for all patches of the server."""
        patch, series = schema.patch, schema.series
        selected = sa.select(*(_column(name) for name in self._names)).where(patch.c.server == self.server)
        if not any(name.startswith(_OF_SERIES) for name in self._names):
            return selected
        of_patch = sa.and_(series.c.server == patch.c.server, series.c.id == patch.c.series)
        return selected.select_from(patch.outerjoin(series, of_patch))


class FactsReader:
    """Makes *facts*, which decide a part of a query, from the rows of a scan."""

    def __init__(self, server: ServerName, facts: Collection[FactName]) -> None:
        self.facts = frozenset(facts)
        stored_facts = {fact.value: STORED_FACTS[fact] for fact in facts}
        self.effort = max((each.effort for each in stored_facts.values()), default=0)
        self._server = server
        self._fields = [(field, each.read) for field, each in stored_facts.items() if each.read is not None]

    def read(self, row: ScanRow, more: ExtraFacts) -> Facts:
        """Return the facts of the patch in a row, together with *more* facts from elsewhere."""
        fields = dict(_NOTHING)
        for field, read in self._fields:
            fields[field] = read(row)
        return Facts(server=self._server, project=row.project, more=more, **fields)


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
    files = json.loads(row.files) or ()
    return tuple(dict.fromkeys(path for file in files for path in (file[1], file[0]) if path is not None))


def _version(row: ScanRow) -> int:
    version: int | None = row.series_version
    return version_in(prefixes_of(row.name)) if version is None else version


def _is_complete(row: ScanRow) -> bool:
    received_all: bool | None = row.series_received_all
    return is_whole(row.name, is_pull=row.pull_url is not None) if received_all is None else received_all


def _reviewers(row: ScanRow) -> tuple[str, ...]:
    stored = [*json.loads(row.trailers), *(json.loads(row.series_trailers or "null") or ())]
    return reviewers_in(rows.to_trailers(stored))


_OF_SERIES: Final = "series_"  # the prefix of columns of a patch's series
_NAME_COLUMNS: Final = ("name", "series_id", "series_name")
_ALWAYS: Final = ("id", "series", "project", "read_at")
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
    FactName.IDLE: StoredFact(("changed_at",)),
}
