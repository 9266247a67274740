"""Storage of digests: when each is due, and the submissions collected for it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import BotError
from bot.ids import RoomId, ServerName
from bot.incidents import Incidents
from bot.query.options import DigestTimes, read_digest
from bot.store import columns, schema
from bot.store.book import drop_batch, readable
from bot.store.retry_book import RetryBook, RetryKind, is_put_off
from bot.store.subscription_book import SubscriptionBook
from bot.submission import SubmissionKind, SubmissionRef
from bot.subscriptions.digest_schedule import next_due, zone_named

KEEP_POSTED = timedelta(days=180)  # as long as a submission may arrive again


@dataclass(frozen=True, slots=True)
class DigestDue:
    """A digest of a room with its next due time, and the previous one, or when it was requested (both UTC)."""

    room: RoomId
    digest: DigestTimes
    since: datetime
    next_due_at: datetime

    @property
    def key(self) -> str:
        """The name of the digest in incidents and retries."""
        return f"digest {self.digest} of {self.room}"


@dataclass(frozen=True, slots=True)
class DigestEntry:
    """A series or a patch without one in a digest; *has_former* is true if it is a known new version of another."""

    about: SubmissionRef
    has_former: bool = False


@dataclass(frozen=True, slots=True)
class DigestHelpers:
    """The dependencies of the digests: the time zones, the retries, and the incidents for unreadable rows."""

    subscriptions: SubscriptionBook
    retries: RetryBook
    incidents: Incidents


class DigestBook:
    """The digests in one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime, books: DigestHelpers) -> None:
        self._connection = connection
        self._now = now
        self._subscriptions = books.subscriptions
        self._retries = books.retries
        self._incidents = books.incidents

    # Entries

    async def add(
        self, room: RoomId, digests: Iterable[DigestTimes], about: SubmissionRef, why: Iterable[Sequence[object]]
    ) -> None:
        """Collect a submission for *digests* of a room, unless it was in them before."""
        table, reasons = schema.digest_entry, [list(reason) for reason in why]
        for digest in digests:
            key = {
                "room": room,
                "digest": str(digest),
                "server": about.server,
                "kind": about.kind,
                "object": about.id,
            }
            known = sa.select(table.c.id).where(*(table.c[name] == value for name, value in key.items()))
            if (await self._connection.execute(known)).first() is None:
                values = {**key, "why": reasons, "added_at": self._now}
                await self._connection.execute(sa.insert(table).values(values))

    async def entries(self, room: RoomId, digest: DigestTimes) -> list[DigestEntry]:
        """Return the collected submissions of a digest that have no card in the room, in the order of arrival."""
        entry, card, series = schema.digest_entry, schema.card, schema.series
        same = [card.c[name] == entry.c[name] for name in ("room", "server", "kind", "object")]
        is_series = (entry.c.kind == "series", series.c.server == entry.c.server, series.c.id == entry.c.object)
        query = sa.select(entry, series.c.former).outerjoin(series, sa.and_(*is_series))
        where = (*_is(entry, room, digest), entry.c.posted_at.is_(None), ~sa.exists().where(*same))
        return [
            DigestEntry(
                SubmissionRef(ServerName(row["server"]), SubmissionKind(row["kind"]), row["object"]),
                row["former"] is not None,
            )
            for row in await self._all(query.where(*where).order_by(entry.c.id))
        ]

    async def reasons_since(
        self, rooms: Collection[RoomId], moment: datetime, limit: int
    ) -> list[tuple[datetime, Sequence[Sequence[str | int]], bool]]:
        """Return when (UTC) and why the newest submissions in digests of *rooms* since *moment* were collected.

        The third is whether the submission is still to be posted; there are at most *limit*.
        """
        table = schema.digest_entry
        query = sa.select(table.c.added_at, table.c.why, table.c.posted_at.is_(None))
        query = query.where(table.c.room.in_(rooms), table.c.added_at >= moment)
        found = await self._connection.execute(query.order_by(table.c.added_at.desc()).limit(limit))
        return [(added, why, bool(is_waiting)) for added, why, is_waiting in found]

    # Schedule

    async def due(self) -> list[DigestDue]:
        """Return the due digests, the longest overdue first, without those that wait for a retry."""
        table = schema.digest
        query = sa.select(table).where(table.c.next_due_at <= self._now).order_by(table.c.next_due_at, table.c.room)
        digests = readable(await self._all(query), _appointment, _name, self._incidents)
        waiting = await self._retries.waiting(RetryKind.DIGEST) if digests else set()
        return [each for each in digests if each.key not in waiting]

    async def is_still_due(self, due: DigestDue) -> bool:
        """Return whether a digest that was *due* is still to be posted."""
        table = schema.digest
        where = (*_is(table, due.room, due.digest), table.c.next_due_at == due.next_due_at)
        return bool(await self._all(sa.select(table).where(*where)))

    async def next_of(self, room: RoomId) -> datetime | None:
        """Return when the next digest of a room is due (UTC); None if it has none."""
        table = schema.digest
        query = sa.select(sa.func.min(table.c.next_due_at, type_=columns.Utc)).where(table.c.room == room)
        next_due_at: datetime | None = (await self._connection.execute(query)).scalar_one()
        return next_due_at

    async def schedule(self, wanted: Collection[tuple[RoomId, DigestTimes]]) -> None:
        """Schedule the *wanted* digests and those with unposted entries at their next times, and delete all others."""
        table, entry = schema.digest, schema.digest_entry
        with_entries = sa.select(entry.c.room, entry.c.digest).where(entry.c.posted_at.is_(None)).distinct()
        needed = {(RoomId(row["room"]), row["digest"]) for row in await self._all(with_entries)}
        needed |= {(room, str(digest)) for room, digest in wanted}
        known = {(RoomId(row["room"]), row["digest"]) for row in await self._all(sa.select(table))}
        for room, digest in sorted(known - needed):
            await self._connection.execute(sa.delete(table).where(table.c.room == room, table.c.digest == digest))
        for room, digest in sorted(needed - known):
            try:
                at = await self.next_at(room, read_digest(digest))
            except (BotError, LookupError, ValueError) as error:
                self._incidents.record("digest.not_scheduled", f"digest {digest} of {room}", error)
                continue
            values = {"room": room, "digest": digest, "since": self._now, "next_due_at": at}
            await self._connection.execute(sa.insert(table).values(values))

    async def reschedule(self, room: RoomId) -> None:
        """Reschedule the digests of a room after a change of its time zone; overdue ones remain due."""
        table = schema.digest
        coming = sa.select(table).where(table.c.room == room, table.c.next_due_at > self._now)
        for each in [_appointment(row) for row in await self._all(coming)]:
            at = await self.next_at(room, each.digest)
            await self._connection.execute(
                sa.update(table).where(*_is(table, room, each.digest)).values(next_due_at=at)
            )

    async def settle(self, due: DigestDue, left_out: Collection[SubmissionRef] = ()) -> None:
        """Mark the submissions of a digest as posted, except for *left_out*, and schedule the next one after now."""
        entry = schema.digest_entry
        where = [*_is(entry, due.room, due.digest), entry.c.posted_at.is_(None)]
        if left_out:
            abouts = [(about.server, about.kind, about.id) for about in left_out]
            where.append(sa.tuple_(entry.c.server, entry.c.kind, entry.c.object).not_in(abouts))
        await self._connection.execute(sa.update(entry).where(*where).values(posted_at=self._now))
        await self._put_off(due, since=self._now)

    async def put_off(self, due: DigestDue) -> None:
        """Postpone a digest, with its submissions, to its next time."""
        await self._put_off(due, since=due.since)

    async def end(self, due: DigestDue) -> None:
        """Delete a digest."""
        table = schema.digest
        await self._connection.execute(sa.delete(table).where(*_is(table, due.room, due.digest)))

    async def next_at(self, room: RoomId, digest: DigestTimes) -> datetime:
        """Return the next time of a digest of a room (UTC)."""
        return next_due(digest, zone_named(await self._subscriptions.timezone(room)), self._now)

    # Left and replaced rooms

    async def leave(self, room: RoomId) -> None:
        """Drop the digests of a room that the bot left."""
        entry, table = schema.digest_entry, schema.digest
        await self._connection.execute(sa.delete(entry).where(entry.c.room == room, entry.c.posted_at.is_(None)))
        await self._connection.execute(sa.delete(table).where(table.c.room == room))

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Move the digests of one room to another."""
        for table, names in (
            (schema.digest, ["digest"]),
            (schema.digest_entry, ["digest", "server", "kind", "object"]),
        ):
            other = table.alias()
            same = sa.exists().where(other.c.room == new, *(other.c[name] == table.c[name] for name in names))
            await self._connection.execute(sa.delete(table).where(table.c.room == old, same))
            await self._connection.execute(sa.update(table).where(table.c.room == old).values(room=new))

    async def tidy(self) -> bool:
        """Delete a batch of old posted submissions, and return whether there may be more."""
        table = schema.digest_entry
        return await drop_batch(self._connection, table, table.c.posted_at < self._now - KEEP_POSTED)

    async def _put_off(self, due: DigestDue, since: datetime) -> None:
        table = schema.digest
        values = {"since": since, "next_due_at": await self.next_at(due.room, due.digest)}
        await self._connection.execute(sa.update(table).where(*_is(table, due.room, due.digest)).values(values))

    async def _all(self, query: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        rows: Sequence[sa.RowMapping] = (await self._connection.execute(query)).mappings().all()
        return rows


def next_digest(now: datetime) -> sa.Select[tuple[datetime]]:
    """Select when the next digest is due, ignoring digests that wait for a retry; null if none is."""
    table = schema.digest
    key = sa.literal("digest ") + table.c.digest + sa.literal(" of ") + table.c.room  # as `DigestDue.key`
    waits = is_put_off(RetryKind.DIGEST, key, now)
    return sa.select(sa.func.min(table.c.next_due_at, type_=columns.Utc())).where(~waits)


def _is(table: sa.Table, room: RoomId, digest: DigestTimes) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.room == room, table.c.digest == str(digest)


def _name(row: sa.RowMapping) -> str:
    return f"digest {row['digest']} of {row['room']}"


def _appointment(row: sa.RowMapping) -> DigestDue:
    return DigestDue(RoomId(row["room"]), read_digest(row["digest"]), row["since"], row["next_due_at"])
