"""Storage of items that failed individually, with their number of failures, until they are retried."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.backoff import USUAL
from bot.ids import RoomId, ServerName
from bot.incidents import Incidents
from bot.store import columns, schema
from bot.store.book import batched, drop_batch
from bot.store.patch_book import KEEP_PATCHES

BATCH: Final = 50
_CHUNK = 500  # below the parameter limit of every SQLite version


class RetryKind(StrEnum):
    """The kinds of items that are retried; the first four are parts of a poll."""

    SUBMISSION = "submission"
    CHANGE = "change"
    CARD = "card"
    LINK = "link"  # from a version to the one before it
    EDIT = "edit"
    REPLY = "reply"
    DIGEST = "digest"
    FLOOD = "flood"
    SNOOZE = "snooze"  # those of a room
    NUDGE = "nudge"  # those of a direct chat

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

        At most one batch is returned. Parts are also due if the clock was set back.
        """
        table = schema.retry
        query = self._due(server).order_by(table.c.id).limit(BATCH)
        due_rows = (await self._connection.execute(query)).mappings().all()
        if due_rows:
            await self._connection.execute(sa.delete(table).where(table.c.id.in_([row["id"] for row in due_rows])))
        return [_retry(row) for row in due_rows]

    async def are_due(self, server: ServerName) -> bool:
        """Return whether parts of polls of *server* are due."""
        return (await self._connection.execute(self._due(server).limit(1))).first() is not None

    # Duties, which need no data besides their keys

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
        """Remove the retries of duties that succeeded, or no longer exist."""
        table = schema.retry
        for some in batched(keys, _CHUNK):
            await self._connection.execute(sa.delete(table).where(table.c.kind == kind, table.c.key.in_(some)))

    async def waiting(self, kind: RetryKind) -> set[str]:
        """Return the keys of the duties that wait for a retry."""
        table = schema.retry
        query = sa.select(table.c.key).where(table.c.kind == kind, *_waits(self._now))
        return set((await self._connection.execute(query)).scalars())

    def _due(self, server: ServerName) -> sa.Select[Any]:
        table = schema.retry
        is_due = sa.or_(table.c.next_at <= self._now, table.c.next_at > self._now + USUAL.longest)
        return sa.select(table).where(table.c.server == server, table.c.kind.in_(_OF_A_POLL), is_due)

    # Left and replaced rooms, and housekeeping

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Move the retries of one room to another."""
        table = schema.retry
        await self._connection.execute(sa.update(table).where(table.c.room == old).values(room=new))

    async def leave(self, room: RoomId) -> None:
        """Delete the retries of a room that the bot left."""
        await self._connection.execute(sa.delete(schema.retry).where(schema.retry.c.room == room))

    async def tidy(self) -> bool:
        """Delete a batch of retries that are long overdue, and return whether there may be more."""
        table = schema.retry
        return await drop_batch(self._connection, table, table.c.next_at < self._now - KEEP_PATCHES)


def next_try(now: datetime, kinds: Collection[RetryKind]) -> sa.Select[tuple[datetime]]:
    """Select when the next retry of one of *kinds* is due; null if none waits."""
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
