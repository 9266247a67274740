"""Implements the sample Patchwork's tables, with transactions that may commit late.

Theory of operation. Writers write in place and see everything. An open transaction keeps the previous version of each
row that it touched (None: there was no row). Readers get a `Snapshot`: the rows, with the previous versions of all open
transactions in place of the new ones. A commit drops the previous versions, so a row has the id and the date of its
creation, however late it becomes visible. Rows that refer to an invisible row are not shown, either. People and
accounts are visible immediately. This reproduces how ids and dates become visible out of order on a real server.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import attrgetter
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from bot.sample_patchwork.records import (
    CheckRecord,
    CommentRecord,
    CoverRecord,
    EventRecord,
    PatchRecord,
    PersonRecord,
    ProjectRecord,
    SeriesRecord,
    UserRecord,
)


class _Row(Protocol):
    @property
    def id(self) -> int:
        """The row's primary key."""


R = TypeVar("R", bound=_Row)


class TableTransaction:
    """Writes that are invisible until `commit`; everything written inside `with transaction:` belongs to it.

    With *events_at_once* its events are visible before the objects in them, as in a REST PATCH.
    """

    def __init__(self, tables: "Tables", *, events_at_once: bool = False) -> None:
        self._tables = tables
        self.events_at_once = events_at_once

    def __enter__(self) -> Self:
        """Direct writes to this transaction."""
        self._tables.scopes.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop directing writes to this transaction, which stays open."""
        self._tables.scopes.remove(self)

    def commit(self) -> None:
        """Make all its writes visible."""
        for table in self._tables.every:
            table.forget(self)
        self._tables.writes += 1

    def rollback(self) -> None:
        """Undo all its writes; the ids that it used are not reused."""
        for table in self._tables.every:
            table.restore(self)
        self._tables.writes += 1


class Table(Generic[R]):
    """The rows of one kind, by id; with *at_once* all writes are visible immediately."""

    def __init__(self, tables: "Tables", *, at_once: bool = False) -> None:
        self._tables = tables
        self._at_once = at_once
        self._before: dict[TableTransaction, dict[int, R | None]] = {}
        self._visible: dict[int, R] | None = None
        self.rows: dict[int, R] = {}
        self.last_id = 0

    def next_id(self) -> int:
        """Return a new id; an id is never reused, even if its transaction fails."""
        self.last_id += 1
        return self.last_id

    def put(self, row: R) -> R:
        """Insert or replace *row*; later ids are higher than its own."""
        self._remember(row.id)
        self.rows[row.id] = row
        self.last_id = max(self.last_id, row.id)
        return row

    def remove(self, row_id: int) -> None:
        """Delete a row."""
        self._remember(row_id)
        del self.rows[row_id]

    def visible(self) -> dict[int, R]:
        """Return the rows that readers see, by ascending id."""
        if self._visible is None:
            seen: dict[int, R | None] = dict(self.rows)
            for before in self._before.values():
                seen |= before
            self._visible = {key: seen_row for key in sorted(seen) if (seen_row := seen[key]) is not None}
        return self._visible

    def forget(self, transaction: TableTransaction) -> None:
        """Drop the previous versions that *transaction* keeps, because it is committed."""
        if self._before.pop(transaction, None) is not None:
            self._visible = None

    def restore(self, transaction: TableTransaction) -> None:
        """Restore the previous versions that *transaction* keeps."""
        for key, row in self._before.pop(transaction, {}).items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
            self._visible = None

    @property
    def is_settled(self) -> bool:
        """True if no open transaction has written to this table."""
        return not self._before

    def _remember(self, row_id: int) -> None:
        self._tables.writes += 1
        self._visible = None
        scope = self._tables.scopes[-1] if self._tables.scopes else None
        if scope is None or self._at_once or (scope.events_at_once and self._tables.is_events(self)):
            return
        self._before.setdefault(scope, {}).setdefault(row_id, self.rows.get(row_id))


class Tables:
    """All tables of the site."""

    def __init__(self) -> None:
        self.scopes: list[TableTransaction] = []
        self.writes = 0
        self.projects: Table[ProjectRecord] = Table(self)
        self.people: Table[PersonRecord] = Table(self, at_once=True)
        self.users: Table[UserRecord] = Table(self, at_once=True)
        self.series: Table[SeriesRecord] = Table(self)
        self.covers: Table[CoverRecord] = Table(self)
        self.patches: Table[PatchRecord] = Table(self)
        self.checks: Table[CheckRecord] = Table(self)
        self.patch_comments: Table[CommentRecord] = Table(self)
        self.cover_comments: Table[CommentRecord] = Table(self)
        self.events: Table[EventRecord] = Table(self)
        self._snapshot: Snapshot | None = None
        self._snapshot_writes = -1

    def is_events(self, table: object) -> bool:
        """Return whether *table* is the table of events."""
        return table is self.events

    @property
    def every(self) -> tuple[Table[_Row], ...]:
        """All tables."""
        tables = [value for value in vars(self).values() if isinstance(value, Table)]
        return tuple(tables)

    @contextmanager
    def transaction(self) -> Iterator[TableTransaction]:
        """Commit everything written inside at the end, or undo it after an exception."""
        transaction = TableTransaction(self)
        try:
            with transaction:
                yield transaction
        except BaseException:
            transaction.rollback()
            raise
        transaction.commit()

    def snapshot(self) -> "Snapshot":
        """Return the rows that a request sees now."""
        if self._snapshot is None or self._snapshot_writes != self.writes:
            self._snapshot = Snapshot(self)
            self._snapshot_writes = self.writes
        return self._snapshot


class Snapshot:
    """The committed rows, with the look-ups that responses need."""

    def __init__(self, tables: Tables) -> None:
        self.projects = tables.projects.visible()
        self.people = tables.people.visible()
        self.users = tables.users.visible()
        self.series = tables.series.visible()
        self.covers = tables.covers.visible()
        self.patches = tables.patches.visible()
        self.checks = tables.checks.visible()
        self.patch_comments = tables.patch_comments.visible()
        self.cover_comments = tables.cover_comments.visible()
        events = list(tables.events.visible().values())
        if not all(table.is_settled for table in tables.every):
            self.patches = {key: row for key, row in self.patches.items() if self._has_series(row.series)}
            self.covers = {key: row for key, row in self.covers.items() if self._has_series(row.series)}
            events = [event for event in events if self._shows(event)]
        self.events = sorted(events, key=attrgetter("date", "id"))
        self.event_dates = [event.date for event in self.events]
        self._cover_of = {cover.series: cover for cover in self.covers.values()}
        self._patches_of: dict[int, list[PatchRecord]] = defaultdict(list)
        for patch in self.patches.values():
            if patch.series is not None:
                self._patches_of[patch.series].append(patch)
        self._checks_of: dict[int, list[CheckRecord]] = defaultdict(list)
        for check in self.checks.values():
            self._checks_of[check.patch].append(check)
        self._comments_of: dict[int, list[CommentRecord]] = defaultdict(list)
        for comment in self.patch_comments.values():
            self._comments_of[comment.parent].append(comment)

    def _has_series(self, series: int | None) -> bool:
        return series is None or series in self.series

    def _shows(self, event: EventRecord) -> bool:
        """Return whether all objects that an event refers to are visible."""
        comments = self.cover_comments if event.patch is None else self.patch_comments
        references = (
            (event.series, self.series),
            (event.patch, self.patches),
            (event.cover, self.covers),
            (event.check, self.checks),
            (event.comment, comments),
        )
        return all(key is None or key in rows for key, rows in references)

    def cover_of(self, series: int) -> CoverRecord | None:
        """Return the cover letter of a series, or None if it has not arrived."""
        return self._cover_of.get(series)

    def patches_of(self, series: int) -> Sequence[PatchRecord]:
        """Return the patches of a series by mail date, as in the API, not by number."""
        return sorted(self._patches_of.get(series, ()), key=lambda patch: (patch.date, patch.id))

    def checks_of(self, patch: int) -> Sequence[CheckRecord]:
        """Return the checks of a patch, oldest first."""
        return self._checks_of.get(patch, ())

    def comments_of(self, patch: int) -> Sequence[CommentRecord]:
        """Return the comments on a patch, oldest first."""
        return self._comments_of.get(patch, ())

    def events_between(self, since: datetime | None, before: datetime | None) -> Sequence[EventRecord]:
        """Return the events by ascending date; *since* is inclusive, *before* exclusive."""
        first = 0 if since is None else bisect_left(self.event_dates, since)
        last = len(self.events) if before is None else bisect_left(self.event_dates, before)
        return self.events[first:last]
