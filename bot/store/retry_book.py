"""Stores items that failed individually, with their number of failures, until they are retried.

A change is stored complete, as JSON, because the tables have only the current state.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.backoff import USUAL
from bot.ids import PatchId, RoomId, ServerName
from bot.incidents import Incidents
from bot.notices.changes import ChangedSubmission
from bot.patchwork.model import CheckState, Patch, Series
from bot.store import columns, rows, schema
from bot.store import queued_change_book as queued
from bot.store.book import batched, drop_batch
from bot.store.patch_book import KEEP_PATCHES
from bot.submission import Contexts, SubmissionKind, SubmissionRef

_NO_TIME = datetime.min.replace(tzinfo=UTC)  # the rows have one, which is not kept
BATCH: Final = 50
_CHUNK = 500  # below the number of parameters that any SQLite takes


def of_changed(changed: ChangedSubmission) -> dict[str, Any]:
    """Return *changed* as JSON."""
    return {
        "kind": changed.about.kind,
        "object": changed.about.id,
        "rebuilds": changed.about.rebuilds,
        "series": _of_series(changed.series),
        "former": _of_series(changed.former),
        "before": [_of_patch(patch) for patch in changed.before],
        "after": [_of_patch(patch) for patch in changed.after],
        "changes": [queued.of_change(change) for change in changed.changes],
        "checks": _of_checks(changed.checks),
        "former_checks": _of_checks(changed.former_checks),
    }


def to_changed(server: ServerName, kept: Mapping[str, Any]) -> ChangedSubmission:
    """Return the stored change of *server*.

    Raises:
        KeyError, TypeError, ValueError: it has another shape than this program writes.
    """
    return ChangedSubmission(
        about=SubmissionRef(server, SubmissionKind(kept["kind"]), kept["object"], kept["rebuilds"]),
        series=rows.to_series(kept["series"]) if kept["series"] else None,
        before=tuple(map(rows.to_patch, kept["before"])),
        after=tuple(map(rows.to_patch, kept["after"])),
        changes=tuple(map(queued.to_change, kept["changes"])),
        checks=_to_checks(kept["checks"]),
        former_checks=_to_checks(kept["former_checks"]),
        former=rows.to_series(kept["former"]) if kept["former"] else None,
    )


def _of_series(series: Series | None) -> dict[str, object] | None:
    if series is None:
        return None
    row = {"id": series.id, "trailers": rows.of_trailers(series.trailers), **rows.of_series(series, _NO_TIME)}
    return {name: value for name, value in row.items() if value is not _NO_TIME}


def _of_patch(patch: Patch) -> dict[str, object]:
    row = {"id": patch.id, **rows.of_patch(patch, _NO_TIME)}
    return {name: value for name, value in row.items() if value is not _NO_TIME}


def _of_checks(checks: Mapping[PatchId, Contexts]) -> list[list[object]]:
    return [[patch, [list(context) for context in contexts]] for patch, contexts in checks.items()]


def _to_checks(kept: Sequence[Sequence[Any]]) -> dict[PatchId, Contexts]:
    return {
        PatchId(patch): tuple((context, CheckState(state)) for context, state in contexts) for patch, contexts in kept
    }


class RetryKind(StrEnum):
    """The kinds of items that are retried; the first four are parts of a poll."""

    SUBMISSION = "submission"
    CHANGE = "change"
    CARD = "card"
    LINK = "link"  # of a version to the one before it
    EDIT = "edit"
    REPLY = "reply"
    DIGEST = "digest"
    FLOOD = "flood"

    @property
    def incident(self) -> str:
        """The kind of the incident that records a failure."""
        return f"{self}.failed"


_OF_A_POLL: Final = (RetryKind.SUBMISSION, RetryKind.CHANGE, RetryKind.CARD, RetryKind.LINK)


@dataclass(frozen=True, slots=True)
class Retry:
    """An item to be retried after *failures* in a row (1 or more); *work* is the data that its *key* lacks."""

    kind: RetryKind
    key: str
    server: ServerName | None = None
    room: RoomId | None = None
    work: Mapping[str, Any] = field(default_factory=dict)
    failures: int = 1


class RetryBook:
    """The retries in one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime, incidents: Incidents) -> None:
        self._connection = connection
        self._now = now
        self._incidents = incidents

    # Parts of a poll

    async def add(self, retry: Retry) -> None:
        """Schedule a retry, after 2 s doubling to 15 min with the number of failures."""
        values = {
            "kind": retry.kind,
            "key": retry.key,
            "server": retry.server,
            "room": retry.room,
            "work": dict(retry.work),
            "failures": retry.failures,
            "next_at": self._now + USUAL.wait(retry.failures),
        }
        await self._connection.execute(sa.insert(schema.retry).values(values))

    async def take(self, server: ServerName) -> list[Retry]:
        """Remove and return the due parts of polls of *server*, the oldest first; the caller handles or re-adds them.

        At most one batch; a clock that was set back delays none.
        """
        table = schema.retry
        query = self._due(server).order_by(table.c.id).limit(BATCH)
        found = (await self._connection.execute(query)).mappings().all()
        if found:
            await self._connection.execute(sa.delete(table).where(table.c.id.in_([row["id"] for row in found])))
        return [_retry(row) for row in found]

    async def are_due(self, server: ServerName) -> bool:
        """Return whether there are parts of polls of *server* to take."""
        return (await self._connection.execute(self._due(server).limit(1))).first() is not None

    # Duties, of which the key says everything

    async def put_off(self, kind: RetryKind, key: str, error: Exception) -> None:
        """Record a failure of a duty, which then waits for 2 s, doubling to 15 min with the number of failures."""
        self._incidents.record(kind.incident, key, error)
        table = schema.retry
        same = (table.c.kind == kind, table.c.key == key)
        query = sa.select(sa.func.max(table.c.failures)).where(*same)
        failures = (await self._connection.execute(query)).scalar_one() or 0
        await self._connection.execute(sa.delete(table).where(*same))
        await self.add(Retry(kind, key, failures=failures + 1))

    async def settle(self, kind: RetryKind, keys: Collection[str]) -> None:
        """Remove duties that succeeded, or no longer exist."""
        table = schema.retry
        for some in batched(keys, _CHUNK):
            await self._connection.execute(sa.delete(table).where(table.c.kind == kind, table.c.key.in_(some)))

    async def waiting(self, kind: RetryKind) -> set[str]:
        """Return the keys of the duties that must not be tried yet."""
        table = schema.retry
        query = sa.select(table.c.key).where(table.c.kind == kind, *_waits(self._now))
        return set((await self._connection.execute(query)).scalars())

    def _due(self, server: ServerName) -> sa.Select[Any]:
        table = schema.retry
        is_due = sa.or_(table.c.next_at <= self._now, table.c.next_at > self._now + USUAL.longest)
        return sa.select(table).where(table.c.server == server, table.c.kind.in_(_OF_A_POLL), is_due)

    # Rooms, servers and time

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Move the retries of one room to another."""
        table = schema.retry
        await self._connection.execute(sa.update(table).where(table.c.room == old).values(room=new))

    async def leave(self, room: RoomId) -> None:
        """Drop the retries of a room that we left."""
        await self._connection.execute(sa.delete(schema.retry).where(schema.retry.c.room == room))

    async def tidy(self) -> bool:
        """Delete a batch of retries that are long overdue, and return whether there may be more."""
        table = schema.retry
        return await drop_batch(self._connection, table, table.c.next_at < self._now - KEEP_PATCHES)


def next_try(now: datetime, kinds: Collection[RetryKind]) -> sa.Select[tuple[datetime]]:
    """Select when the next of the *kinds* that must not be tried yet may be; null: there is none."""
    table = schema.retry
    return sa.select(sa.func.min(table.c.next_at, type_=columns.Utc())).where(table.c.kind.in_(kinds), *_waits(now))


def is_put_off(kind: RetryKind, key: sa.ColumnElement[str], now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that the duty with *key* failed and must not be tried yet."""
    table = schema.retry
    return sa.exists().where(table.c.kind == kind, table.c.key == key, *_waits(now))


def _waits(now: datetime) -> Sequence[sa.ColumnElement[bool]]:
    table = schema.retry
    return table.c.next_at > now, table.c.next_at <= now + USUAL.longest


def _retry(row: sa.RowMapping) -> Retry:
    server, room = row["server"], row["room"]
    return Retry(
        kind=RetryKind(row["kind"]),
        key=row["key"],
        server=None if server is None else ServerName(server),
        room=None if room is None else RoomId(room),
        work=row["work"],
        failures=row["failures"],
    )
