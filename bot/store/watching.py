"""What is known of the Patchwork servers: cursors, baselines, pending objects, series and patches."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import Msgid, PatchId, PatchworkEventId, ProjectName, SeriesId, ServerName
from bot.patchwork.events import Watched
from bot.patchwork.model import Patch, Series
from bot.patchwork.pending import KnownSeries
from bot.patchwork.poller import Poll
from bot.store import rows, schema
from bot.store.housekeeping import drop_batch

KEEP_EVENTS = timedelta(days=4)
KEEP_EVENTS_AT_LEAST = 1_000
KEEP_PATCHES = timedelta(days=180)
_NEWEST = 5_000  # patches that paths are looked for in
_CHUNK = 500  # below the number of parameters that any SQLite takes


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a project's MAINTAINERS; *place* is where it was read, *read_at* when (UTC)."""

    project: ProjectName
    place: str
    text: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Remembered:
    """A patch as the store has it, with its series where that was judged; *read_at* is UTC."""

    patch: Patch
    series: Series | None
    read_at: datetime


class WatchBook:
    """The watch's part of one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    # What a poller asks

    async def watched(self, server: ServerName) -> Watched:
        """Where the watch of *server* stands."""
        row = await self._one(sa.select(schema.server).where(schema.server.c.name == server))
        project, pending = schema.project, schema.pending
        baselines = await self._all(sa.select(project).where(project.c.server == server).order_by(project.c.name))
        waiting = sa.select(pending).where(pending.c.server == server).order_by(pending.c.kind, pending.c.id)
        return Watched(
            cursor=row["cursor"] if row else None,
            highest=row["highest_event"] if row else 0,
            baselines=tuple(rows.to_baseline(item) for item in baselines),
            pending=tuple(rows.to_pending(item) for item in await self._all(waiting)),
        )

    async def known_events(self, server: ServerName, ids: Iterable[int]) -> set[PatchworkEventId]:
        """Those of *ids* that an earlier poll brought."""
        table = schema.seen_event
        found = await self._among(sa.select(table.c.id).where(table.c.server == server), table.c.id, ids)
        return {PatchworkEventId(row["id"]) for row in found}

    async def known_series(self, server: ServerName, ids: Iterable[int]) -> dict[SeriesId, KnownSeries]:
        """Those of *ids* that were judged, with the patches that were read of them."""
        series, patch = schema.series, schema.patch
        wanted = list(ids)
        judged = await self._among(
            sa.select(series.c.id, series.c.received_all).where(series.c.server == server), series.c.id, wanted
        )
        read = await self._among(
            sa.select(patch.c.series, patch.c.id).where(patch.c.server == server), patch.c.series, wanted
        )
        patches: dict[int, set[PatchId]] = {row["id"]: set() for row in judged}
        for row in read:
            patches.setdefault(row["series"], set()).add(PatchId(row["id"]))
        return {SeriesId(row["id"]): KnownSeries(row["received_all"], frozenset(patches[row["id"]])) for row in judged}

    async def known_patches(self, server: ServerName, ids: Iterable[int]) -> set[PatchId]:
        """Those of *ids* that were read whole."""
        table = schema.patch
        found = await self._among(sa.select(table.c.id).where(table.c.server == server), table.c.id, ids)
        return {PatchId(row["id"]) for row in found}

    # What is known

    async def patches_of(self, server: ServerName, series: SeriesId) -> list[Patch]:
        """The patches read of a series, by id."""
        table = schema.patch
        query = sa.select(table).where(table.c.server == server, table.c.series == series).order_by(table.c.id)
        return [rows.to_patch(row) for row in await self._all(query)]

    async def series(self, server: ServerName, number: int) -> Series | None:
        """A series that was judged."""
        table = schema.series
        row = await self._one(sa.select(table).where(table.c.server == server, table.c.id == number))
        return rows.to_series(row) if row else None

    async def patch(self, server: ServerName, number: int) -> Patch | None:
        """A patch that was read."""
        table = schema.patch
        row = await self._one(sa.select(table).where(table.c.server == server, table.c.id == number))
        return rows.to_patch(row) if row else None

    async def by_msgid(self, server: ServerName, msgid: Msgid) -> Patch | None:
        """The first patch with a message-id, which is unique per project only."""
        table = schema.patch
        query = sa.select(table).where(table.c.server == server, table.c.msgid == msgid).order_by(table.c.id)
        row = await self._one(query.limit(1))
        return rows.to_patch(row) if row else None

    async def remembered(self, server: ServerName, number: int) -> Remembered | None:
        """A patch that was read, with its series where that was judged."""
        table = schema.patch
        row = await self._one(sa.select(table).where(table.c.server == server, table.c.id == number))
        if row is None:
            return None
        patch = rows.to_patch(row)
        series = None if patch.series is None else await self.series(server, patch.series)
        return Remembered(patch, series, row["read_at"])

    async def judged_at(self, server: ServerName, series: int) -> datetime | None:
        """When a series was last judged (UTC)."""
        table = schema.series
        row = await self._one(sa.select(table.c.judged_at).where(table.c.server == server, table.c.id == series))
        return row["judged_at"] if row else None

    async def opened_by(self, server: ServerName, cover: Msgid) -> Series | None:
        """The series that was judged whose cover letter has a message-id."""
        table = schema.series
        query = sa.select(table).where(table.c.server == server, table.c.cover == cover).order_by(table.c.id)
        row = await self._one(query.limit(1))
        return rows.to_series(row) if row else None

    async def past(
        self, server: ServerName, projects: Collection[str], before: int | None, limit: int
    ) -> list[Remembered]:
        """The patches read of *projects* with the highest ids below *before*, newest first, *limit* at most.

        What is long in a row is read off the event loop.
        """
        table = schema.patch
        wanted = [table.c.server == server, sa.func.lower(table.c.project).in_([name.lower() for name in projects])]
        wanted += [table.c.id < before] if before is not None else []
        found = await self._all(rows.packed(table).where(*wanted).order_by(table.c.id.desc()).limit(limit))
        of_a_series = rows.packed(schema.series).where(schema.series.c.server == server)
        ids = {row["series"] for row in found if row["series"] is not None}
        series = await self._among(of_a_series, schema.series.c.id, ids)
        return await asyncio.to_thread(_remembered, found, series)

    async def states_of(self, server: ServerName, series: Iterable[int]) -> dict[SeriesId, Counter[str]]:
        """How many of the patches read of each series are in which state, as far as that was told."""
        table = schema.patch
        query = sa.select(table.c.series, table.c.state, sa.func.count().label("count"))
        query = query.where(table.c.server == server, table.c.state.is_not(None))
        found: dict[SeriesId, Counter[str]] = {}
        for row in await self._among(query.group_by(table.c.series, table.c.state), table.c.series, series):
            found.setdefault(SeriesId(row["series"]), Counter())[row["state"]] = row["count"]
        return found

    async def link(self, server: ServerName, series: SeriesId, former: SeriesId) -> None:
        """A series is a new version of a *former* one."""
        table = schema.series
        where = (table.c.server == server, table.c.id == series)
        await self._connection.execute(sa.update(table).where(*where).values(former=former))

    async def earlier(self, server: ServerName, series: SeriesId) -> list[SeriesId]:
        """The earlier versions of a series, the newest first."""
        found: list[SeriesId] = []
        at = await self._former(server, series)
        while at is not None and at not in found:
            found.append(at)
            at = await self._former(server, at)
        return found

    async def _former(self, server: ServerName, series: SeriesId) -> SeriesId | None:
        table = schema.series
        row = await self._one(sa.select(table.c.former).where(table.c.server == server, table.c.id == series))
        return SeriesId(row["former"]) if row and row["former"] is not None else None

    async def rebuilds(self, server: ServerName) -> int:
        """How often the server's ids started anew: an id names the same object only within one count."""
        row = await self._one(sa.select(schema.server.c.rebuilds).where(schema.server.c.name == server))
        return row["rebuilds"] if row else 0

    async def known_since(self, server: ServerName) -> list[tuple[ProjectName, datetime]]:
        """The projects of a server with the time of their baselines (UTC): of what came before, nothing is known."""
        table = schema.project
        query = sa.select(table.c.name, table.c.known_since).where(table.c.server == server).order_by(table.c.name)
        return [(ProjectName(row["name"]), row["known_since"]) for row in await self._all(query)]

    async def seen_paths(self, server: ServerName, project: ProjectName) -> set[str]:
        """The paths that the newest patches of a project touched, old and new names."""
        table = schema.patch
        where = (table.c.server == server, sa.func.lower(table.c.project) == project.lower())
        newest = sa.select(table.c.files).where(*where).order_by(table.c.id.desc()).limit(_NEWEST)
        found = (await self._connection.execute(newest)).scalars()
        return {path for files in found for row in files or () for path in row[:2] if path is not None}

    async def remembers_since(self, server: ServerName) -> list[tuple[ProjectName, datetime]]:
        """The same, but no further back than patches are kept."""
        kept = self._now - KEEP_PATCHES
        return [(project, max(since, kept)) for project, since in await self.known_since(server)]

    async def maintainers(self, server: ServerName, project: ProjectName) -> Copy | None:
        """The last good copy of a project's MAINTAINERS."""
        table = schema.maintainers
        row = await self._one(sa.select(table).where(table.c.server == server, table.c.project == project))
        return Copy(project, row["place"], row["text"], row["read_at"]) if row else None

    async def keep_maintainers(self, server: ServerName, copy: Copy) -> None:
        """Keep a good copy."""
        key = {"server": server, "project": copy.project}
        values = {"place": copy.place, "text": copy.text, "read_at": copy.read_at}
        await self._replace(schema.maintainers, key, values)

    # What a poll found

    async def save(self, poll: Poll) -> None:
        """Write what *poll* found, whole."""
        if poll.rebuilt:
            await self._forget(poll.server)
        await self._move_cursor(poll)
        for base in poll.baselines:
            await self._replace(
                schema.project, {"server": poll.server, "name": base.project}, rows.of_baseline(base, self._now)
            )
        items = [{"server": poll.server, "kind": item.kind, "id": item.id} for item in (*poll.settled, *poll.pending)]
        await self._delete_all(schema.pending, items)
        await self._insert(schema.pending, [rows.of_pending(poll.server, item) for item in poll.pending])
        await self._keep_series(poll.server, [read.series for read in poll.series])
        patches = {patch.id: patch for patch in (*poll.patches, *(one for read in poll.series for one in read.news))}
        keys = [{"server": poll.server, "id": number} for number in patches]
        await self._delete_all(schema.patch, keys)
        values = [rows.of_patch(patch, self._now) for patch in patches.values()]
        await self._insert(schema.patch, [{**key, **row} for key, row in zip(keys, values, strict=True)])
        await self._tell_states(poll)

    async def _keep_series(self, server: ServerName, found: Sequence[Series]) -> None:
        """What is known of some series, but which ones they follow is not told by the server."""
        table, here = schema.series, schema.series.c.server == server
        read = {series.id: rows.of_series(series, self._now) for series in found}
        known = {row["id"] for row in await self._among(sa.select(table.c.id).where(here), table.c.id, read)}
        for number in known:
            await self._connection.execute(sa.update(table).where(here, table.c.id == number).values(read[number]))
        new = [{"server": server, "id": number, **row} for number, row in read.items() if number not in known]
        await self._insert(table, new)

    async def keep_only(self, server: ServerName, projects: Sequence[str]) -> None:
        """Forget where projects no longer watched begin and what is pending there: watched again, they start anew."""
        watched = {name.lower() for name in projects}
        for table, column in ((schema.project, schema.project.c.name), (schema.pending, schema.pending.c.project)):
            known = await self._connection.execute(sa.select(column).where(table.c.server == server).distinct())
            for name in known.scalars().all():
                if name.lower() not in watched:
                    await self._connection.execute(sa.delete(table).where(table.c.server == server, column == name))

    async def tidy(self) -> bool:
        """Drop a batch of what no window reaches and nobody asks for any more; whether there may be more of it.

        Of events never the newest thousand. What is dropped becomes the past: were it found again, by the safety net
        of a quiet list, it would be no news.
        """
        told, patch, series = schema.told_state, schema.patch, schema.series
        old = self._now - KEEP_PATCHES
        await self._raise_baselines(patch.c.id, patch.c.read_at < old, "baseline_patch")
        await self._raise_baselines(series.c.id, series.c.judged_at < old, "baseline_series")
        more = [
            await drop_batch(self._connection, told, told.c.told_at < self._now - KEEP_EVENTS),
            await drop_batch(self._connection, patch, patch.c.read_at < old),
            await drop_batch(self._connection, series, series.c.judged_at < old),
        ]
        servers = (await self._connection.execute(sa.select(schema.server.c.name))).scalars().all()
        more += [await self._tidy_events(ServerName(server)) for server in servers]
        return any(more)

    async def _raise_baselines(self, number: sa.Column[int], old: sa.ColumnElement[bool], baseline: str) -> None:
        table = number.table
        highest = sa.select(table.c.server, table.c.project, sa.func.max(number).label("id")).where(old)
        project = schema.project
        for row in await self._all(highest.group_by(table.c.server, table.c.project)):
            where = (project.c.server == row["server"], project.c.name == row["project"])
            lower = project.c[baseline] < row["id"]
            await self._connection.execute(sa.update(project).where(*where, lower).values({baseline: row["id"]}))

    async def _tidy_events(self, server: ServerName) -> bool:
        table = schema.seen_event
        newest = sa.select(table.c.id).where(table.c.server == server).order_by(table.c.id.desc())
        edge = newest.offset(KEEP_EVENTS_AT_LEAST).limit(1).scalar_subquery()
        old = (table.c.server == server, table.c.seen_at < self._now - KEEP_EVENTS, table.c.id <= edge)
        highest = (await self._connection.execute(sa.select(sa.func.max(table.c.id)).where(*old))).scalar_one()
        project = schema.project
        if highest is not None:
            past = sa.update(project).where(project.c.server == server, project.c.baseline_event < highest)
            await self._connection.execute(past.values(baseline_event=highest))
        return await drop_batch(self._connection, table, *old)

    async def _move_cursor(self, poll: Poll) -> None:
        before = await self._one(sa.select(schema.server).where(schema.server.c.name == poll.server))
        ids = [event.id for event in poll.events] + [base.event for base in poll.baselines]
        row = {
            "cursor": poll.cursor,
            "highest_event": max([before["highest_event"] if before and not poll.rebuilt else 0, *ids]),
            "rebuilds": (before["rebuilds"] if before else 0) + poll.rebuilt,
            "polled_at": self._now,
        }
        await self._replace(schema.server, {"name": poll.server}, row)
        known = await self.known_events(poll.server, (event.id for event in poll.events))
        unknown = [event.id for event in poll.events if event.id not in known]
        seen = [{"server": poll.server, "id": number, "seen_at": self._now} for number in unknown]
        await self._insert(schema.seen_event, seen)

    async def _tell_states(self, poll: Poll) -> None:
        """Newest states go to the patches that are known; the others wait until their patch is read."""
        told, patch = schema.told_state, schema.patch
        for number, state in poll.states:
            row = {"state": state, "told_at": self._now}
            await self._replace(told, {"server": poll.server, "patch": number}, row)
        newest = sa.select(told.c.state).where(told.c.server == patch.c.server, told.c.patch == patch.c.id)
        waiting = sa.select(told.c.patch).where(told.c.server == poll.server)
        known = sa.select(patch.c.id).where(patch.c.server == poll.server)
        await self._connection.execute(
            sa.update(patch)
            .where(patch.c.server == poll.server, patch.c.id.in_(waiting))
            .values(state=newest.scalar_subquery())
        )
        await self._connection.execute(sa.delete(told).where(told.c.server == poll.server, told.c.patch.in_(known)))

    async def _forget(self, server: ServerName) -> None:
        """Everything known of a server whose ids started anew."""
        of_a_server = (schema.seen_event, schema.pending, schema.series, schema.patch, schema.told_state)
        for table in (*of_a_server, schema.project, schema.card, schema.flooded, schema.absence):
            await self._connection.execute(sa.delete(table).where(table.c.server == server))

    # Rows

    async def _one(self, query: sa.Select[Any]) -> sa.RowMapping | None:
        row: sa.RowMapping | None = (await self._connection.execute(query)).mappings().first()
        return row

    async def _all(self, query: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        found: Sequence[sa.RowMapping] = (await self._connection.execute(query)).mappings().all()
        return found

    async def _among(self, query: sa.Select[Any], column: sa.Column[Any], ids: Iterable[int]) -> list[sa.RowMapping]:
        """The rows of *query* whose *column* is one of *ids*, however many those are."""
        found: list[sa.RowMapping] = []
        for chunk in batched(sorted(set(ids)), _CHUNK):
            found += await self._all(query.where(column.in_(chunk)))
        return found

    async def _delete(self, table: sa.Table, key: Mapping[str, object]) -> None:
        where = [table.c[name] == value for name, value in key.items()]
        await self._connection.execute(sa.delete(table).where(*where))

    async def _delete_all(self, table: sa.Table, keys: Sequence[Mapping[str, object]]) -> None:
        """The rows with the *keys*, which name the same columns, in one go."""
        if keys:
            where = [table.c[name] == sa.bindparam(f"key_{name}") for name in keys[0]]
            bound = [{f"key_{name}": value for name, value in key.items()} for key in keys]
            await self._connection.execute(sa.delete(table).where(*where), bound)

    async def _replace(self, table: sa.Table, key: Mapping[str, object], values: Mapping[str, object]) -> None:
        """The row with *key* becomes *values*, portably."""
        await self._delete(table, key)
        await self._insert(table, [{**key, **values}])

    async def _insert(self, table: sa.Table, values: Sequence[Mapping[str, object]]) -> None:
        if values:
            await self._connection.execute(sa.insert(table), values)


def _remembered(patches: Sequence[sa.RowMapping], series: Sequence[sa.RowMapping]) -> list[Remembered]:
    known = {row["id"]: rows.to_series(rows.unpacked(row, schema.series)) for row in series}
    return [
        Remembered(rows.to_patch(rows.unpacked(row, schema.patch)), known.get(row["series"]), row["read_at"])
        for row in patches
    ]


def batched(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """*items* in pieces of *size* at most."""
    return (items[start : start + size] for start in range(0, len(items), size))
