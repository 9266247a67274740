"""Storage of what rooms snooze, until it is back.

What brings a submission back before its time, a comment or a new version, makes its snooze due, with the reason. The
duty that ends due snoozes tells the room, and deletes them in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.ids import RoomId, SeriesId, ServerName, UserId
from bot.store import columns, schema
from bot.store.book import Book, drop_batch
from bot.store.retry_book import RetryKind, is_put_off
from bot.store.snooze_tables import snooze
from bot.submission import SubmissionKind, SubmissionRef


@dataclass(frozen=True, slots=True)
class Snooze:
    """A submission that a room snoozes *until* a time (UTC), or until its *version* comes.

    *reason* says why it is back before; "" if it is not. *since* is UTC, *id* 0 for a new one.
    """

    room: RoomId
    about: SubmissionRef
    person: UserId
    since: datetime
    until: datetime | None = None
    version: int | None = None
    reason: str = ""
    id: int = 0


class SnoozeBook(Book):
    """The snoozes in one transaction."""

    async def put(self, new: Snooze) -> None:
        """Store a snooze in place of a former one of the same submission in the room."""
        key = _key(new.room, new.about)
        values = {"person": new.person, "since": new.since, "until": new.until, "version": new.version}
        await self._replace(snooze, key, {**values, "reason": new.reason})

    async def get(self, room: RoomId, about: SubmissionRef) -> Snooze | None:
        """Return the snooze of a submission in a room; None if it is not snoozed there."""
        found = [each for each in await self.of(room) if _key(room, each.about) == _key(room, about)]
        return found[0] if found else None

    async def of(self, room: RoomId) -> list[Snooze]:
        """Return what a room snoozes, in the order in which it is back; what waits for a version comes last."""
        query = sa.select(snooze).where(snooze.c.room == room)
        rows = await self._all(query.order_by(snooze.c.until.is_(None), snooze.c.until, snooze.c.id))
        return [_snooze(row) for row in rows]

    async def refs(self, room: RoomId) -> set[SubmissionRef]:
        """Return the submissions that are out of a room's queues and stale lists now."""
        return {each.about for each in await self.of(room)}

    async def end(self, room: RoomId, about: SubmissionRef) -> None:
        """End the snooze of a submission in a room, if there is one."""
        await self._delete(snooze, _key(room, about))

    async def is_snoozed(self, about: SubmissionRef) -> bool:
        """Return whether any room snoozes a submission."""
        return await self._one(sa.select(snooze.c.id).where(*_is(about)).limit(1)) is not None

    # What brings it back

    async def wake(self, about: SubmissionRef, reason: str) -> None:
        """Make the snoozes of a submission due, for a *reason*, unless they are due for another already."""
        is_asleep = (*_is(about), snooze.c.reason == "")
        await self._connection.execute(sa.update(snooze).where(*is_asleep).values(until=self._now, reason=reason))

    async def replaced(self, former: SubmissionRef, new: SubmissionRef, version: int, reason: str) -> None:
        """Let a new *version* replace a snoozed one, which is due then, unless it waits for a later version."""
        rows = await self._all(sa.select(snooze).where(*_is(former)))
        for each in map(_snooze, rows):
            await self._delete(snooze, _key(each.room, new))
            waits = each.version is not None and version < each.version
            values = {"object": new.id} if waits else {"object": new.id, "until": self._now, "reason": reason}
            await self._connection.execute(sa.update(snooze).where(snooze.c.id == each.id).values(values))

    async def due(self, limit: int) -> list[Snooze]:
        """Return the due snoozes of at most *limit* rooms, by room; those of rooms that wait for a retry are not."""
        is_due = (snooze.c.until <= self._now, ~is_put_off(RetryKind.SNOOZE, snooze.c.room, self._now))
        rooms = sa.select(snooze.c.room).where(*is_due).distinct().order_by(snooze.c.room).limit(limit)
        query = sa.select(snooze).where(snooze.c.until <= self._now, snooze.c.room.in_(rooms))
        return [_snooze(row) for row in await self._all(query.order_by(snooze.c.room, snooze.c.until, snooze.c.id))]

    async def ended(self, snoozes: Sequence[Snooze]) -> None:
        """Delete snoozes that are over."""
        await self._delete_all(snooze, ({"id": each.id} for each in snoozes))

    # Rooms, and housekeeping

    async def leave(self, room: RoomId) -> None:
        """Delete the snoozes of a room that the bot left."""
        await self._delete(snooze, {"room": room})

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Move the snoozes of a room to the one that replaces it, unless that has one of the same submission."""
        for each in await self.of(new):
            await self._delete(snooze, _key(old, each.about))
        await self._connection.execute(sa.update(snooze).where(snooze.c.room == old).values(room=new))

    async def tidy(self) -> bool:
        """Delete a batch of snoozes of what is no longer stored, and return whether there may be more."""
        known = [
            sa.exists().where(table.c.server == snooze.c.server, table.c.id == snooze.c.object, snooze.c.kind == kind)
            for kind, table in (("series", schema.series), ("patch", schema.patch))
        ]
        return await drop_batch(self._connection, snooze, ~sa.or_(*known))


def next_return(now: datetime) -> sa.Select[tuple[datetime]]:
    """Select when the next snooze is due, ignoring those of rooms that wait for a retry; null if none is."""
    waits = is_put_off(RetryKind.SNOOZE, snooze.c.room, now)
    # Unlike "is not null", the comparison lets SQLite use the index.
    has_time = snooze.c.until >= columns.LONG_AGO
    return sa.select(sa.func.min(snooze.c.until, type_=columns.Utc())).where(has_time, ~waits)


def _key(room: RoomId, about: SubmissionRef) -> dict[str, object]:
    return {"room": room, "server": about.server, "kind": about.kind, "object": about.id}


def _is(about: SubmissionRef) -> tuple[sa.ColumnElement[bool], ...]:
    return snooze.c.server == about.server, snooze.c.kind == about.kind, snooze.c.object == about.id


def _snooze(row: sa.RowMapping) -> Snooze:
    return Snooze(
        room=RoomId(row["room"]),
        about=SubmissionRef(ServerName(row["server"]), SubmissionKind(row["kind"]), SeriesId(row["object"])),
        person=UserId(row["person"]),
        since=row["since"],
        until=row["until"],
        version=row["version"],
        reason=row["reason"],
        id=row["id"],
    )
