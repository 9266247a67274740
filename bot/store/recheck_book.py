"""Storage of the rechecks of comments that no event announces: their schedule, and the requests made."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from bot.ids import ServerName
from bot.notices.changes import ChangedSubmission
from bot.patchwork.recheck_schedule import FIRST, LASTS, LATER
from bot.poll import DueRecheck, Poll, Recheck, Rechecks
from bot.store import schema
from bot.store.book import Book, drop_batch
from bot.store.recheck_tables import recheck, recheck_request
from bot.submission import SubmissionKind, SubmissionRef

KEEP_RECHECKS: Final = LASTS + timedelta(days=1)
KEEP_REQUESTS: Final = timedelta(hours=1)


class RecheckBook(Book):
    """The rechecks in one transaction."""

    async def due(self, server: ServerName, limit: int) -> list[DueRecheck]:
        """Return the submissions whose recheck is due, in the order in which to read them, *limit* at most.

        The newest change comes first, but every fourth place goes to the most overdue recheck, so that each is read
        some day even if the budget is always too small. A poll may have the budget for only one; so which place is the
        fourth changes from minute to minute. A clock that was set back delays none.
        """
        is_due = sa.or_(recheck.c.next_at <= self._now, recheck.c.next_at > self._now + LATER)
        query = sa.select(recheck).where(recheck.c.server == server, is_due).limit(limit)
        newest = await self._all(query.order_by(recheck.c.changed_at.desc(), recheck.c.object.desc(), recheck.c.kind))
        overdue = await self._all(query.order_by(recheck.c.next_at, recheck.c.object, recheck.c.kind))
        rows = _interleaved(newest, overdue, self._now.minute)
        return [DueRecheck(_ref(row), row["changed_at"], row["read_at"] is None) for row in rows[:limit]]

    async def requests(self, server: ServerName) -> list[tuple[datetime, int]]:
        """Return how many requests were made within the last hour, by time."""
        table = recheck_request
        query = sa.select(table.c.made_at, table.c.requests).where(table.c.server == server)
        return [(row["made_at"], row["requests"]) for row in await self._all(query)]

    async def comments_since(self, ref: SubmissionRef) -> datetime | None:
        """Return the time from which unannounced comments on *ref* are new; None if none count as new."""
        row = await self._one(sa.select(recheck.c.comments_since).where(*_is(ref)))
        return row["comments_since"] if row else None

    async def oldest(self, server: ServerName) -> datetime | None:
        """Return the oldest time of a last recheck among the submissions of *server*; None if none is rechecked."""
        last_read = sa.func.coalesce(recheck.c.read_at, recheck.c.comments_since)
        where = (recheck.c.server == server, recheck.c.seen, recheck.c.next_at.is_not(None))
        oldest = sa.select(sa.func.min(last_read, type_=recheck.c.read_at.type)).where(*where)
        read_at: datetime | None = (await self._connection.execute(oldest)).scalar_one()
        return read_at

    async def save(self, poll: Poll, rechecks: Rechecks, changed: Iterable[ChangedSubmission]) -> None:
        """Store the *rechecks* of a *poll*, and restart the schedule of submissions that are new or *changed*."""
        await self._begin(poll.server, rechecks.begun)
        await self._read(poll)
        await self._spend(poll.server, rechecks)
        refs = [SubmissionRef(poll.server, SubmissionKind.SERIES, read.series.id) for read in poll.series]
        refs += [SubmissionRef(poll.server, SubmissionKind.PATCH, patch.id) for patch in poll.patches]
        refs += [SubmissionRef(poll.server, each.about.kind, each.about.id) for each in changed]
        for ref in dict.fromkeys(refs):
            await self._begin_anew(ref)

    async def tidy(self) -> bool:
        """Delete a batch of finished rechecks, and return whether there may be more."""
        return await drop_batch(self._connection, recheck, recheck.c.changed_at < self._now - KEEP_RECHECKS)

    async def forget(self, server: ServerName) -> None:
        """Delete the rechecks of a server whose ids started over, but not the requests made to it."""
        await self._connection.execute(sa.delete(recheck).where(recheck.c.server == server))

    async def leave(self, server: ServerName, project: str) -> None:
        """Delete the rechecks of a project that is no longer watched."""
        for kind, table in ((SubmissionKind.SERIES, schema.series), (SubmissionKind.PATCH, schema.patch)):
            ids = sa.select(table.c.id).where(table.c.server == server, table.c.project == project)
            where = (recheck.c.server == server, recheck.c.kind == kind, recheck.c.object.in_(ids))
            await self._connection.execute(sa.delete(recheck).where(*where))

    async def _begin(self, server: ServerName, begun: Sequence[Recheck]) -> None:
        """Store rechecks that begin; if their result was not seen before, only comments from now on are new."""
        await self._change(server, {each.ref: {"next_at": each.next_at, "seen": each.is_seen} for each in begun})
        anew = {"comments_since": self._now, "read_at": None}
        await self._change(server, {each.ref: anew for each in begun if not each.is_seen})

    async def _read(self, poll: Poll) -> None:
        followed = poll.followed
        refs = [read.ref for read in followed.comments if read.ref is not None and read.comments is not None]
        refs += [
            SubmissionRef(poll.server, SubmissionKind.SERIES, read.series)
            for read in followed.trailers
            if read.series is not None
        ]
        alone = [patch for read in followed.trailers if read.series is None for patch, _ in read.patches]
        refs += [SubmissionRef(poll.server, SubmissionKind.PATCH, patch) for patch in alone]
        await self._change(poll.server, {ref: {"read_at": self._now} for ref in refs})

    async def _spend(self, server: ServerName, rechecks: Rechecks) -> None:
        if not rechecks.requests:
            return
        table = recheck_request
        over = (table.c.server == server, table.c.made_at <= self._now - KEEP_REQUESTS)
        await self._connection.execute(sa.delete(table).where(*over))
        await self._insert(table, [{"server": server, "made_at": self._now, "requests": rechecks.requests}])

    async def _begin_anew(self, ref: SubmissionRef) -> None:
        values = {"changed_at": self._now, "next_at": self._now + FIRST[0]}
        if await self._one(sa.select(recheck.c.object).where(*_is(ref))) is not None:
            await self._change(ref.server, {ref: values})
            return
        key = {"server": ref.server, "kind": ref.kind, "object": ref.id}
        await self._insert(recheck, [{**key, **values, "comments_since": self._now, "seen": False}])

    async def _change(self, server: ServerName, changes: Mapping[SubmissionRef, Mapping[str, object]]) -> None:
        """Update the rows of some submissions, each with its own values for the same columns."""
        if not changes:
            return
        is_it = (recheck.c.kind == sa.bindparam("of_kind"), recheck.c.object == sa.bindparam("of_object"))
        bound = [{"of_kind": ref.kind, "of_object": ref.id, **values} for ref, values in changes.items()]
        columns: dict[str, object] = {name: sa.bindparam(name) for name in next(iter(changes.values()))}
        change = sa.update(recheck).where(recheck.c.server == server, *is_it).values(columns)
        await self._connection.execute(change, bound)


def _interleaved(newest: Sequence[sa.RowMapping], overdue: Sequence[sa.RowMapping], turn: int) -> list[sa.RowMapping]:
    """Return the rows of both, each once: every fourth is of *overdue*; *turn* is the first place."""
    queues = deque(newest), deque(overdue)
    rows: dict[SubmissionRef, sa.RowMapping] = {}
    while any(queues):
        queue = queues[1] if (turn % 4 == 3 and queues[1]) or not queues[0] else queues[0]
        row = queue.popleft()
        rows.setdefault(_ref(row), row)
        turn += 1
    return list(rows.values())


def _is(ref: SubmissionRef) -> tuple[sa.ColumnElement[bool], ...]:
    return recheck.c.server == ref.server, recheck.c.kind == ref.kind, recheck.c.object == ref.id


def _ref(row: sa.RowMapping) -> SubmissionRef:
    return SubmissionRef(ServerName(row["server"]), SubmissionKind(row["kind"]), row["object"])
