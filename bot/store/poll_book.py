"""Storage of the state of polling: cursors, baselines, pending objects, series, and the progress of the sweeps."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import Msgid, PatchId, PatchworkEventId, ProjectName, SeriesId, ServerName
from bot.incidents import Incidents
from bot.notices.changes import ChangedSubmission
from bot.patchwork.model import CheckState, Series
from bot.patchwork.states import DEFAULT_CLASSES, States
from bot.patchwork.updates import FieldUpdate, MailKind, PatchField
from bot.poll import KnownSeries, ListMark, OpenSubmission, OpenSubmissions, Poll, SweepState, WatchPosition
from bot.store import rows, schema
from bot.store.apply_updates import PollChanges
from bot.store.book import Book, drop_batch, readable
from bot.store.comment_book import CommentBook
from bot.store.dependency_book import DependencyBook
from bot.store.following_tables import follow
from bot.store.nudge_tables import nudged
from bot.store.patch_book import KEEP_PATCHES, PatchBook
from bot.store.queue_book import QueueBook
from bot.store.recheck_book import RecheckBook
from bot.store.snooze_tables import snooze
from bot.store.unfurl_tables import unfurl
from bot.submission import SubmissionKind, SubmissionRef

KEEP_EVENTS = timedelta(days=4)
KEEP_EVENTS_AT_LEAST = 1_000
KEEP_CHECKS = timedelta(days=30)
KEEP_PENDING = timedelta(days=30)  # for which an unreadable object is requested again
OPEN_FOR = timedelta(days=60)  # since the arrival of a submission; older ones rarely change, and their cards are old
SETTLED_FOR = timedelta(days=1)  # in a final state, during which the commit may still be added
_FINAL_STATES = tuple(sorted(DEFAULT_CLASSES.closed - {"deferred"}))  # deferred patches are often taken up again


def _states_in(poll: Poll) -> set[str]:
    """Return the slugs of the states in a poll."""
    patches = (*poll.patches, *(patch for read in poll.series for patch in read.news))
    slugs = {each.value for each in poll.updates if isinstance(each, FieldUpdate) and each.field is PatchField.STATE}
    return {slug for slug in slugs | {patch.state for patch in patches} if slug}


def _pending_name(row: sa.RowMapping) -> str:
    return f"pending {row['kind']} {row['id']} of {row['server']}"


class PollBook(PatchBook):
    """The watch of servers in one transaction: the stored state for polls, and their results."""

    def __init__(self, connection: AsyncConnection, now: datetime, incidents: Incidents) -> None:
        super().__init__(connection, now)
        self._incidents = incidents
        self._sweeps = SweepBook(connection, now)

    # Reads of the poller

    async def watched(self, server: ServerName) -> WatchPosition:
        """Return the position of the watch of *server*."""
        table, sweep, project, pending = schema.server, schema.sweep, schema.project, schema.pending
        with_sweep = sa.select(table.c.cursor, table.c.highest_event, sweep)
        with_sweep = with_sweep.join_from(table, sweep, sweep.c.server == table.c.name, isouter=True)
        row = await self._one(with_sweep.where(table.c.name == server))
        baselines = await self._all(sa.select(project).where(project.c.server == server).order_by(project.c.name))
        query = sa.select(pending).where(pending.c.server == server).order_by(pending.c.kind, pending.c.id)
        waiting = await self._connection.execute(query)
        return WatchPosition(
            cursor=row["cursor"] if row else None,
            highest=row["highest_event"] if row else 0,
            baselines=tuple(rows.to_baseline(item) for item in baselines),
            pending=await asyncio.to_thread(  # tens of thousands after an import
                lambda: tuple(readable(waiting.mappings(), rows.to_pending, _pending_name, self._incidents))
            ),
            sweep=to_sweep_state(row) if row and row["server"] is not None else None,
            states=await self._sweeps.states(server),
        )

    async def known_events(self, server: ServerName, ids: Iterable[int]) -> set[PatchworkEventId]:
        """Return those of *ids* that an earlier poll read."""
        table = schema.seen_event
        known = await self._among(sa.select(table.c.id).where(table.c.server == server), table.c.id, ids)
        return {PatchworkEventId(row["id"]) for row in known}

    async def known_series(self, server: ServerName, ids: Iterable[int]) -> dict[SeriesId, KnownSeries]:
        """Return those of *ids* that were evaluated, with their known patches."""
        series, patch = schema.series, schema.patch
        judged = await self._among(
            sa.select(series.c.id, series.c.received_all).where(series.c.server == server), series.c.id, ids
        )
        patches: dict[int, set[PatchId]] = {row["id"]: set() for row in judged}
        of_server = sa.select(patch.c.series, patch.c.id).where(patch.c.server == server)
        for row in await self._among(of_server, patch.c.series, patches):
            patches[row["series"]].add(PatchId(row["id"]))
        return {SeriesId(row["id"]): KnownSeries(row["received_all"], frozenset(patches[row["id"]])) for row in judged}

    async def known_patches(self, server: ServerName, ids: Iterable[int]) -> set[PatchId]:
        """Return those of *ids* that were read with their diffs."""
        table = schema.patch
        rows_ = await self._among(sa.select(table.c.id).where(table.c.server == server), table.c.id, ids)
        return {PatchId(row["id"]) for row in rows_}

    async def ref_of_cover(self, server: ServerName, project: ProjectName, cover: Msgid) -> SubmissionRef | None:
        """Return the evaluated series with the cover letter *cover*, a message-id that is unique within a project."""
        table = schema.series
        where = (table.c.server == server, table.c.cover == cover, table.c.project == project)
        row = await self._one(sa.select(table.c.id).where(*where).order_by(table.c.id).limit(1))
        return SubmissionRef(server, SubmissionKind.SERIES, row["id"]) if row else None

    async def known_comments(self, server: ServerName, kind: MailKind, ids: Iterable[int]) -> set[int]:
        """Return those of *ids* that an earlier poll saw."""
        table = schema.comment
        query = sa.select(table.c.id).where(table.c.server == server, table.c.kind == kind)
        return {row["id"] for row in await self._among(query, table.c.id, ids)}

    async def worst_checks(self, server: ServerName, patches: Iterable[int]) -> dict[PatchId, CheckState | None]:
        """Return the worst check of each known one of *patches*; None for a patch without checks."""
        table = schema.patch
        query = sa.select(table.c.id, table.c.check).where(table.c.server == server)
        rows_ = await self._among(query, table.c.id, patches)
        return {PatchId(row["id"]): CheckState(row["check"]) if row["check"] else None for row in rows_}

    # Results of a poll

    async def save(self, poll: Poll) -> tuple[ChangedSubmission, ...]:
        """Write the results of *poll*, and return the changed submissions."""
        if poll.rebuilt:
            await self._forget(poll.server)
        changes = PollChanges(self._connection, self._now, poll)
        known = await changes.read_before()
        await self._write_results(poll, known)
        changed = await changes.apply()
        await CommentBook(self._connection, self._now).save(poll)
        await DependencyBook(self._connection, self._now, self._incidents).save(poll)
        if poll.followed.rechecks is not None:
            await RecheckBook(self._connection, self._now).save(poll, poll.followed.rechecks, changed)
        return changed

    async def _write_results(self, poll: Poll, known: AbstractSet[SubmissionRef]) -> None:
        await self._move_cursor(poll)
        if poll.sweep is not None:
            await self._sweeps.save(poll.server, poll.sweep)
        if (slugs := _states_in(poll)) or poll.state_names:
            await self._sweeps.learn_states(poll.server, slugs, poll.state_names)
        for base in poll.baselines:
            await self._replace(
                schema.project, {"server": poll.server, "name": base.project}, rows.of_baseline(base, self._now)
            )
        for project, date in poll.unread_from.items():
            where = (schema.project.c.server == poll.server, schema.project.c.name == project)
            await self._connection.execute(sa.update(schema.project).where(*where).values(unread_from=date))
        items = chain(poll.settled, poll.pending)  # tens of thousands, after an import
        keys = ({"server": poll.server, "kind": item.kind, "id": item.id} for item in items)
        await self._delete_all(schema.pending, keys)
        await self._insert(schema.pending, (rows.of_pending(poll.server, item) for item in poll.pending))
        await self._keep_series(poll.server, [read.series for read in poll.series], known)
        patches = {patch.id: patch for patch in (*poll.patches, *(one for read in poll.series for one in read.news))}
        await self._delete_all(schema.patch, ({"server": poll.server, "id": number} for number in patches))
        read = (
            {"server": poll.server, "id": number, **rows.of_patch(each, self._now)} for number, each in patches.items()
        )
        await self._insert(schema.patch, read)

    async def _keep_series(
        self, server: ServerName, new_series: Sequence[Series], known: AbstractSet[SubmissionRef]
    ) -> None:
        """Write *new_series*, without their former versions, which the server does not have."""
        table, here = schema.series, schema.series.c.server == server
        read = {series.id: rows.of_series(series, self._now) for series in new_series}
        before = {number for number in read if SubmissionRef(server, SubmissionKind.SERIES, number) in known}
        for number in before:
            await self._connection.execute(sa.update(table).where(here, table.c.id == number).values(read[number]))
        new = [{"server": server, "id": number, **row} for number, row in read.items() if number not in before]
        await self._insert(table, new)

    async def keep_only(self, server: ServerName, projects: Sequence[str]) -> None:
        """Delete the baselines and pending objects of projects that are not watched any more."""
        watched = {name.lower() for name in projects}
        for table, column in ((schema.project, schema.project.c.name), (schema.pending, schema.pending.c.project)):
            known = await self._connection.execute(sa.select(column).where(table.c.server == server).distinct())
            for name in known.scalars().all():
                if name.lower() not in watched:
                    await self._connection.execute(sa.delete(table).where(table.c.server == server, column == name))
                    await RecheckBook(self._connection, self._now).leave(server, name)

    # Housekeeping: each method deletes a batch of rows that are no longer needed, and returns whether there may be
    # more. Baselines are raised first, so that a deleted object does not count as new if a sweep reads it again.

    async def tidy_early_updates(self) -> bool:
        """Delete a batch of old updates of patches that were never read."""
        table = schema.early_update
        return await drop_batch(self._connection, table, table.c.received_at < self._now - KEEP_EVENTS)

    async def tidy_checks(self) -> bool:
        """Delete a batch of old checks."""
        check = schema.patch_check
        return await drop_batch(self._connection, check, check.c.received_at < self._now - KEEP_CHECKS)

    async def tidy_comments(self) -> bool:
        """Delete a batch of old comments."""
        comment = schema.comment
        return await drop_batch(self._connection, comment, comment.c.seen_at < self._now - KEEP_PATCHES)

    async def tidy_pending(self) -> bool:
        """Delete a batch of pending objects that have been unreadable for a long time."""
        pending = schema.pending
        return await drop_batch(self._connection, pending, pending.c.first_seen < self._now - KEEP_PENDING)

    async def tidy_patches(self) -> bool:
        """Delete a batch of old patches."""
        return await self._tidy_old(schema.patch, schema.patch.c.read_at, "baseline_patch")

    async def tidy_series(self) -> bool:
        """Delete a batch of old series."""
        return await self._tidy_old(schema.series, schema.series.c.evaluated_at, "baseline_series")

    async def tidy_events(self) -> bool:
        """Delete a batch of old events of each server, except for the newest thousand."""
        servers = (await self._connection.execute(sa.select(schema.server.c.name))).scalars().all()
        return any([await self._tidy_events(ServerName(server)) for server in servers])

    async def _tidy_old(self, table: sa.Table, time: sa.Column[datetime], baseline: str) -> bool:
        """Delete a batch of rows whose *time* is too old, and raise the *baseline* of their projects to their ids."""
        old = sa.select(table.c.server, table.c.project, table.c.id).where(time < self._now - KEEP_PATCHES)
        batch, may_be_more = await self._batch(old)
        highest: dict[tuple[str, str], int] = {}
        for row in batch:
            of_project = (row["server"], row["project"])
            highest[of_project] = max(row["id"], highest.get(of_project, 0))
        project = schema.project
        for (server, name), number in highest.items():
            where = (project.c.server == server, project.c.name == name, project.c[baseline] < number)
            await self._connection.execute(sa.update(project).where(*where).values({baseline: number}))
        await self._delete_all(table, ({"server": row["server"], "id": row["id"]} for row in batch))
        return may_be_more

    async def _tidy_events(self, server: ServerName) -> bool:
        table = schema.seen_event
        newest = sa.select(table.c.id).where(table.c.server == server).order_by(table.c.id.desc())
        edge = newest.offset(KEEP_EVENTS_AT_LEAST).limit(1).scalar_subquery()
        old = (table.c.server == server, table.c.seen_at < self._now - KEEP_EVENTS, table.c.id <= edge)
        highest = (await self._connection.execute(sa.select(sa.func.max(table.c.id)).where(*old))).scalar_one()
        project = schema.project
        if highest is not None:
            raised = sa.update(project).where(project.c.server == server, project.c.baseline_event < highest)
            await self._connection.execute(raised.values(baseline_event=highest))
        return await drop_batch(self._connection, table, *old)

    async def _move_cursor(self, poll: Poll) -> None:
        before = await self._one(sa.select(schema.server).where(schema.server.c.name == poll.server))
        ids = [event.id for event in poll.events] + [base.event for base in poll.baselines]
        rebuilds = (before["rebuilds"] if before else 0) + poll.rebuilt
        row = {
            "cursor": poll.cursor,
            "highest_event": max([before["highest_event"] if before and not poll.rebuilt else 0, *ids]),
            "rebuilds": rebuilds,
            "polled_at": self._now,
        }
        await self._put(schema.server, {"name": poll.server}, row, is_new=before is None)
        self._rebuilds[poll.server] = rebuilds
        events = dict.fromkeys(event.id for event in poll.events)
        seen = [{"server": poll.server, "id": number, "seen_at": self._now} for number in events]
        await self._insert_new(schema.seen_event, seen)

    async def _forget(self, server: ServerName) -> None:
        """Delete everything stored about a server whose ids started over."""
        known = (schema.series, schema.patch, schema.early_update, schema.patch_check, schema.comment)
        posted = (
            schema.card,
            schema.digest_entry,
            schema.flood_entry,
            schema.catch_up,
            schema.retry,
            follow,
            snooze,
            nudged,
            unfurl,
        )
        for table in (*known, *posted, schema.seen_event, schema.pending, schema.project, schema.sweep, schema.state):
            await self._connection.execute(sa.delete(table).where(table.c.server == server))
        for book in (RecheckBook, CommentBook, QueueBook):
            await book(self._connection, self._now).forget(server)
        await DependencyBook(self._connection, self._now, self._incidents).forget(server)


class SweepBook(Book):
    """The sweeps in one transaction."""

    async def save(self, server: ServerName, state: SweepState) -> None:
        """Store the progress of the sweeps of *server*."""
        marks = {"patches": _of_mark(state.patches), "series": _of_mark(state.series)}
        values = {"at": state.at, "named_at": state.named_at, "archived": state.archived, "below": state.below, **marks}
        await self._replace(schema.sweep, {"server": server}, values)

    async def states(self, server: ServerName) -> States:
        """Return the patch states seen on *server*."""
        rows = await self._all(sa.select(schema.state).where(schema.state.c.server == server))
        return States({row["slug"]: row["name"] for row in rows})

    async def learn_states(self, server: ServerName, slugs: Iterable[str], names: Mapping[str, str]) -> None:
        """Store the states that were seen, and the *names* from a page; drop names that no page shows any more."""
        known = (await self.states(server)).names
        seen = dict.fromkeys(slugs)
        if names:
            dropped = known.keys() - names.keys() - seen.keys()
            keys = ({"server": server, "slug": slug} for slug in dropped if known[slug] is not None)
            await self._delete_all(schema.state, keys)
        for slug, name in {**seen, **names}.items():
            if slug not in known or (name is not None and known[slug] != name):
                await self._replace(schema.state, {"server": server, "slug": slug}, {"name": name})

    async def archived(self, server: ServerName, projects: Collection[ProjectName]) -> dict[PatchId, OpenSubmission]:
        """Return the patches of *projects* that are known as archived, each with its submission."""
        table = schema.patch
        query = sa.select(table.c.project, table.c.series, table.c.id.label("newest"), sa.literal("").label("name"))
        query = query.where(table.c.server == server, table.c.project.in_(projects), table.c.archived.is_(True))
        return {PatchId(row["newest"]): _to_submission(row) for row in await self._all(query)}

    async def open(
        self, server: ServerName, projects: Collection[ProjectName], below: PatchId | None, limit: int
    ) -> OpenSubmissions:
        """Return the open submissions of *projects* with the newest patch below the id *below*, newest first."""
        patch, series = schema.patch, schema.series
        is_open = sa.and_(
            sa.or_(patch.c.state.is_(None), patch.c.state.not_in(_FINAL_STATES)),
            patch.c.archived.is_(False),
            patch.c.read_at >= self._now - OPEN_FOR,
        )
        where = (
            patch.c.server == server,
            patch.c.project.in_(projects),
            sa.or_(is_open, patch.c.changed_at >= self._now - SETTLED_FOR),
        )
        lone = sa.case((patch.c.series.is_(None), patch.c.id))
        newest = sa.func.max(patch.c.id)
        query = sa.select(patch.c.project, patch.c.series, newest.label("newest"), series.c.name)
        of_series = sa.and_(series.c.server == patch.c.server, series.c.id == patch.c.series)
        query = query.select_from(patch.outerjoin(series, of_series)).where(*where)
        query = query.group_by(patch.c.project, patch.c.series, lone, series.c.name)
        query = query.having(newest < below) if below is not None else query
        submissions = await self._all(query.order_by(newest.desc()).limit(limit))
        total = (await self._connection.execute(sa.select(sa.func.count()).where(*where))).scalar_one()
        return OpenSubmissions(tuple(map(_to_submission, submissions)), total)


def to_sweep_state(row: sa.RowMapping) -> SweepState:
    """Return the progress of the sweeps in a row."""
    below = None if row["below"] is None else PatchId(row["below"])
    marks = _to_mark(row["patches"]), _to_mark(row["series"])
    return SweepState(row["at"], row["archived"], below, *marks, row["named_at"])


def _to_submission(row: sa.RowMapping) -> OpenSubmission:
    series = None if row["series"] is None else SeriesId(row["series"])
    return OpenSubmission(ProjectName(row["project"]), series, PatchId(row["newest"]), row["name"] or "")


def _of_mark(mark: ListMark) -> list[object]:
    return [mark.highest, mark.total, list(mark.projects), dict(mark.floors)]


def _to_mark(stored: Sequence[Any]) -> ListMark:
    highest, total, projects, floors = stored
    return ListMark(highest, total, tuple(projects), floors)
