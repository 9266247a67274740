"""Patches of the past as facts: of each row only the columns that the keys of a query look at are read.

A whole row costs many times as much to read and to decode as the few columns that most queries need. What is decided is
the same: facts that no key of the query looks at are empty.
"""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from bot.ids import ServerName
from bot.patchwork.model import CheckState, Person, prefixes_of
from bot.query.facts import (
    ExtraFacts,
    Facts,
    all_prefixes_of,
    is_whole,
    reviewers_in,
    subjects_of,
    total_of,
    version_in,
)
from bot.query.keys import Key
from bot.store import rows, schema

ScanRow: TypeAlias = sa.Row[Any]


class PatchScan:
    """The rows of a server's patches with the columns that the *keys* of a query look at."""

    def __init__(self, server: ServerName, keys: Collection[Key]) -> None:
        self.server = server
        self._names = dict.fromkeys([*_ALWAYS, *(name for key in keys for name in _COLUMNS.get(key, ()))])

    def query(self) -> sa.Select[Any]:
        """The rows of all patches of the server."""
        patch, series = schema.patch, schema.series
        selected = sa.select(*(_column(name) for name in self._names)).where(patch.c.server == self.server)
        if not any(name.startswith(_OF_SERIES) for name in self._names):
            return selected
        of_patch = sa.and_(series.c.server == patch.c.server, series.c.id == patch.c.series)
        return selected.select_from(patch.outerjoin(series, of_patch))


class FactsReader:
    """Makes facts of the rows of a scan, as far as the *keys* of a part of its query look at them."""

    def __init__(self, server: ServerName, keys: Collection[Key]) -> None:
        self.keys = frozenset(keys)
        self.effort = max((_EFFORT.get(key, 0) for key in keys), default=0)
        self._server = server
        self._fields = [(field, read) for key in keys for field, read in _FIELDS.get(key, {}).items()]

    def read(self, row: ScanRow, more: ExtraFacts) -> Facts:
        """What the keys look at in the patch of a row, and *more* than its columns tell."""
        fields = dict(_NOTHING)
        for field, read in self._fields:
            fields[field] = read(row)
        return Facts(server=self._server, project=row.project, more=more, **fields)


def _column(name: str) -> sa.ColumnElement[Any]:
    """The column behind a *name*; JSON comes as text, to be decoded off the event loop."""
    table = schema.series if name.startswith(_OF_SERIES) else schema.patch
    column = table.c[name.removeprefix(_OF_SERIES)]
    packed = sa.cast(column, sa.Text) if isinstance(column.type, sa.JSON) else column
    return packed.label(name)


def _names(row: ScanRow) -> tuple[str, ...]:
    return (row.name,) if row.series_id is None else (row.name, row.series_name)


def paths_of(row: ScanRow) -> tuple[str, ...]:
    """As `Patch.paths` has them."""
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
_ALWAYS: Final = ("id", "series", "project", "read_at")
_NOTHING: Final[Mapping[str, Any]] = {"submitter": Person("", ""), "subjects": (), "prefixes": (), "paths": ()}

_COLUMNS: Final[Mapping[Key, tuple[str, ...]]] = {
    Key.PATH: ("files",),
    Key.MAINT: ("files",),
    Key.FROM: ("submitter_name", "submitter_email"),
    Key.TO: ("to",),
    Key.CC: ("cc",),
    Key.SUBJECT: ("name", "series_id", "series_name"),
    Key.PREFIX: ("name", "series_id", "series_name"),
    Key.VERSION: ("name", "series_version"),
    Key.PATCHES: ("name", "series_total"),
    Key.STATE: ("state",),
    Key.DELEGATE: ("delegate",),
    Key.CHECK: ("check",),
    Key.IS: ("name", "pull_url", "archived", "trailers", "series_received_all", "series_trailers"),
    Key.STALE: ("changed_at",),
}
# What is decoded or taken apart is looked at last.
_EFFORT: Final = {
    **dict.fromkeys((Key.SUBJECT, Key.PREFIX, Key.VERSION, Key.PATCHES), 1),
    **dict.fromkeys((Key.IS, Key.TO, Key.CC, Key.PATH), 2),
    Key.MAINT: 3,
}
_FIELDS: Final[Mapping[Key, Mapping[str, Callable[[ScanRow], object]]]] = {
    Key.PATH: {"paths": paths_of},
    Key.MAINT: {"paths": paths_of},
    Key.FROM: {"submitter": lambda row: Person(row.submitter_name, row.submitter_email)},
    Key.TO: {"to": lambda row: tuple(json.loads(row.to))},
    Key.CC: {"cc": lambda row: tuple(json.loads(row.cc))},
    Key.SUBJECT: {"subjects": lambda row: subjects_of(_names(row))},
    Key.PREFIX: {"prefixes": lambda row: all_prefixes_of(_names(row))},
    Key.VERSION: {"version": _version},
    Key.PATCHES: {"total": lambda row: total_of(row.name, row.series_total or 1)},
    Key.STATE: {"state": lambda row: row.state},
    Key.DELEGATE: {"delegate": lambda row: row.delegate},
    Key.CHECK: {"check": lambda row: CheckState(row.check) if row.check else None},
    Key.IS: {
        "is_pull": lambda row: row.pull_url is not None,
        "is_complete": _is_complete,
        "is_archived": lambda row: row.archived,
        "reviewers": _reviewers,
    },
}
