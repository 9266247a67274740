"""Patches of the past as facts: of each row only the columns are read that the facts of a query are made of.

A whole row costs many times as much to read and to decode as the few columns that most queries need. What is decided is
the same: facts that decide nothing in the query are empty.
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
    """The rows of a server's patches with the columns that some *facts* are made of."""

    def __init__(self, server: ServerName, facts: Collection[FactName]) -> None:
        self.server = server
        self._names = dict.fromkeys([*_ALWAYS, *(name for fact in facts for name in KEPT_FACTS[fact].columns)])

    def query(self) -> sa.Select[Any]:
        """Return the query for all patches of the server."""
        patch, series = schema.patch, schema.series
        selected = sa.select(*(_column(name) for name in self._names)).where(patch.c.server == self.server)
        if not any(name.startswith(_OF_SERIES) for name in self._names):
            return selected
        of_patch = sa.and_(series.c.server == patch.c.server, series.c.id == patch.c.series)
        return selected.select_from(patch.outerjoin(series, of_patch))


class FactsReader:
    """Makes those *facts* of the rows of a scan that decide a part of its query."""

    def __init__(self, server: ServerName, facts: Collection[FactName]) -> None:
        self.facts = frozenset(facts)
        kept = {fact.value: KEPT_FACTS[fact] for fact in facts}
        self.effort = max((each.effort for each in kept.values()), default=0)
        self._server = server
        self._fields = [(field, each.read) for field, each in kept.items() if each.read is not None]

    def read(self, row: ScanRow, more: ExtraFacts) -> Facts:
        """Return the facts of the patch of a row, and *more* than its columns tell."""
        fields = dict(_NOTHING)
        for field, read in self._fields:
            fields[field] = read(row)
        return Facts(server=self._server, project=row.project, more=more, **fields)


def _column(name: str) -> sa.ColumnElement[Any]:
    """Return the column with a *name*; JSON as text, to be decoded off the event loop."""
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


_OF_SERIES: Final = "series_"  # begins the names of columns that a patch's series has
_NAME_COLUMNS: Final = ("name", "series_id", "series_name")
_ALWAYS: Final = ("id", "series", "project", "read_at")
_NOTHING: Final[Mapping[str, Any]] = {"submitter": Person("", ""), "subjects": (), "prefixes": (), "paths": ()}


@dataclass(frozen=True, slots=True)
class KeptFact:
    """The columns that a fact is made of, and how; *read* is None for what rows have always, or the search adds.

    What takes more *effort*, because it is decoded or taken apart, is looked at last.
    """

    columns: tuple[str, ...] = ()
    read: Callable[[ScanRow], object] | None = None
    effort: int = 0


KEPT_FACTS: Final[Mapping[FactName, KeptFact]] = {
    FactName.SERVER: KeptFact(),
    FactName.PROJECT: KeptFact(),
    FactName.PATHS: KeptFact(("files",), paths_of, effort=2),
    FactName.SECTIONS: KeptFact(("files",), effort=3),
    FactName.KNOWN_SECTIONS: KeptFact(),
    FactName.SUBMITTER: KeptFact(
        ("submitter_name", "submitter_email"), lambda row: Person(row.submitter_name, row.submitter_email)
    ),
    FactName.TO: KeptFact(("to",), lambda row: tuple(json.loads(row.to)), effort=2),
    FactName.CC: KeptFact(("cc",), lambda row: tuple(json.loads(row.cc)), effort=2),
    FactName.SUBJECTS: KeptFact(_NAME_COLUMNS, lambda row: subjects_of(_names(row)), effort=1),
    FactName.PREFIXES: KeptFact(_NAME_COLUMNS, lambda row: all_prefixes_of(_names(row)), effort=1),
    FactName.VERSION: KeptFact(("name", "series_version"), _version, effort=1),
    FactName.TOTAL: KeptFact(("name", "series_total"), lambda row: total_of(row.name, row.series_total or 1), effort=1),
    FactName.STATE: KeptFact(("state",), lambda row: row.state),
    FactName.DELEGATE: KeptFact(("delegate",), lambda row: row.delegate),
    FactName.CHECK: KeptFact(("check",), lambda row: CheckState(row.check) if row.check else None),
    FactName.IS_PULL: KeptFact(("pull_url",), lambda row: row.pull_url is not None),
    FactName.IS_COMPLETE: KeptFact(("name", "pull_url", "series_received_all"), _is_complete, effort=1),
    FactName.IS_ARCHIVED: KeptFact(("archived",), lambda row: row.archived),
    FactName.REVIEWERS: KeptFact(("trailers", "series_trailers"), _reviewers, effort=2),
    FactName.IDLE: KeptFact(("changed_at",)),
}
