"""The sample Patchwork's tables, with transactions that commit late.

Theory of operation. Writers write in place and see everything. An open transaction keeps, for each row it
touched, what stood there before (None: nothing). Readers get a `Snapshot`: the rows with the old images of all
open transactions laid over. Committing forgets the old images; so a row has the id and the date of its creation,
however late it is seen. What points at a row that cannot be seen yet is not shown either. People and accounts
are there at once. This is how ids and dates come to be visible out of order on a real server.
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
    """Writes that nobody sees until `commit`; what is written inside `with transaction:` belongs to it.

    With *events_at_once* the events it raises are seen before what they tell of, as with a REST PATCH.
    """

    def __init__(self, tables: "Tables", *, events_at_once: bool = False) -> None:
        self._tables = tables
        self.events_at_once = events_at_once

    def __enter__(self) -> Self:
        """Make it the one that is written to."""
        self._tables.scopes.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave it open, and written to no more."""
        self._tables.scopes.remove(self)

    def commit(self) -> None:
        """Let everybody see what it wrote."""
        for table in self._tables.every:
            table.forget(self)
        self._tables.writes += 1

    def rollback(self) -> None:
        """Undo what it wrote; the ids it took stay taken."""
        for table in self._tables.every:
            table.restore(self)
        self._tables.writes += 1


class Table(Generic[R]):
    """Rows of one kind by id; with *at_once* no transaction holds them back."""

    def __init__(self, tables: "Tables", *, at_once: bool = False) -> None:
        self._tables = tables
        self._at_once = at_once
        self._before: dict[TableTransaction, dict[int, R | None]] = {}
        self._visible: dict[int, R] | None = None
        self.rows: dict[int, R] = {}
        self.last_id = 0

    def next_id(self) -> int:
        """A fresh id; never given twice, even where its transaction fails."""
        self.last_id += 1
        return self.last_id

    def put(self, row: R) -> R:
        """Insert or replace *row*; ids go on above it."""
        self._remember(row.id)
        self.rows[row.id] = row
        self.last_id = max(self.last_id, row.id)
        return row

    def remove(self, row_id: int) -> None:
        """Delete a row."""
        self._remember(row_id)
        del self.rows[row_id]

    def visible(self) -> dict[int, R]:
        """What readers see, by ascending id."""
        if self._visible is None:
            seen: dict[int, R | None] = dict(self.rows)
            for before in self._before.values():
                seen |= before
            self._visible = {key: seen_row for key in sorted(seen) if (seen_row := seen[key]) is not None}
        return self._visible

    def forget(self, transaction: TableTransaction) -> None:
        """Drop the old images of *transaction*: it is committed."""
        if self._before.pop(transaction, None) is not None:
            self._visible = None

    def restore(self, transaction: TableTransaction) -> None:
        """Put the old images of *transaction* back."""
        for key, row in self._before.pop(transaction, {}).items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
            self._visible = None

    @property
    def is_settled(self) -> bool:
        """Whether no open transaction wrote here."""
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
        """Whether *table* is the one of events."""
        return table is self.events

    @property
    def every(self) -> tuple[Table[_Row], ...]:
        """Each table once."""
        tables = [value for value in vars(self).values() if isinstance(value, Table)]
        return tuple(tables)

    @contextmanager
    def transaction(self) -> Iterator[TableTransaction]:
        """Commit what is written inside at its end, or undo it when an exception leaves."""
        transaction = TableTransaction(self)
        try:
            with transaction:
                yield transaction
        except BaseException:
            transaction.rollback()
            raise
        transaction.commit()

    def snapshot(self) -> "Snapshot":
        """What a request sees now."""
        if self._snapshot is None or self._snapshot_writes != self.writes:
            self._snapshot = Snapshot(self)
            self._snapshot_writes = self.writes
        return self._snapshot


class Snapshot:
    """The committed rows, with the look-ups that answers need."""

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
        """Whether all that an event points at can be seen."""
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
        """The cover letter of a series, None while it has not come."""
        return self._cover_of.get(series)

    def patches_of(self, series: int) -> Sequence[PatchRecord]:
        """The patches of a series, by mail date and not by number, as the API lists them."""
        return sorted(self._patches_of.get(series, ()), key=lambda patch: (patch.date, patch.id))

    def checks_of(self, patch: int) -> Sequence[CheckRecord]:
        """The checks of a patch, oldest first."""
        return self._checks_of.get(patch, ())

    def comments_of(self, patch: int) -> Sequence[CommentRecord]:
        """The comments on a patch, oldest first."""
        return self._comments_of.get(patch, ())

    def events_between(self, since: datetime | None, before: datetime | None) -> Sequence[EventRecord]:
        """The events by ascending date; *since* is inclusive, *before* exclusive."""
        first = 0 if since is None else bisect_left(self.event_dates, since)
        last = len(self.events) if before is None else bisect_left(self.event_dates, before)
        return self.events[first:last]
