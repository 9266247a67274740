"""Applies the updates of a poll to the known submissions, and detects the changes.

An update of a patch that is not read yet is stored in the table `early_update` until it is; checks have their own
table.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import PatchId, SeriesId
from bot.notices.changes import Change, ChangedSubmission, ChangeKind, detect
from bot.patchwork.model import Check, Series, latest, worst
from bot.patchwork.updates import CheckUpdate, FieldUpdate, MailKind, PatchField, with_check
from bot.poll import CommentsRead, Poll
from bot.store import rows, schema
from bot.store.book import batched
from bot.store.patch_book import PatchBook
from bot.submission import Submission, SubmissionKind, SubmissionRef

_LISTED_COLUMNS = (  # by the lists, of a series
    "name",
    "total",
    "received_total",
    "cover",
    "cover_id",
    "archive_url",
    "cover_name",
)
_ATTRIBUTED = {PatchField.STATE: ChangeKind.STATE, PatchField.DELEGATE: ChangeKind.DELEGATE}  # by events
_BATCH = 500
_MAX_DESCRIPTION = 200  # characters of a check's, which only says here whether the patch applied


class PollChanges(PatchBook):
    """The changes by one *poll*: `read_before` reads the state before it, `apply` writes its updates.

    In between, the caller writes the objects that the poll read.
    """

    def __init__(self, connection: AsyncConnection, now: datetime, poll: Poll) -> None:
        super().__init__(connection, now)
        self._poll = poll
        self._server = poll.server
        self._before: dict[SubmissionRef, Submission] = {}

    async def read_before(self) -> AbstractSet[SubmissionRef]:
        """Read the known submissions that the poll may change as they are before it, and return their identities."""
        await self._name_delegates()
        self._before = await self.load_submissions(await self._affected(), with_checks=True)
        return self._before.keys()

    async def apply(self) -> tuple[ChangedSubmission, ...]:
        """Write the updates of the poll, and return the changed submissions."""
        await self._write_fields()
        await self._write_checks()
        await self._write_series()
        await self._write_trailers()
        comments = await self._write_comments()
        if not self._before:
            return ()
        now = await self.load_submissions(self._before, with_checks=True)
        rebuilds = await self.rebuilds(self._server)
        changed_submissions: list[ChangedSubmission] = []
        for ref, before in self._before.items():
            changes = (*self._with_actors(detect(before, now[ref])), *comments.get(ref, ()))
            if changes:
                about = SubmissionRef(self._server, ref.kind, ref.id, rebuilds)
                changed_submissions.append(_changed(about, before, now[ref], changes))
                await self._mark_changed(changed_submissions[-1])
        return tuple(changed_submissions)

    def _with_actors(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield *changes* with the accounts that made them, as far as events tell."""
        actors = {
            (update.patch, _ATTRIBUTED[update.field], update.value or ""): update.actor
            for update in self._poll.updates
            if isinstance(update, FieldUpdate) and update.field in _ATTRIBUTED
        }
        for change in changes:
            actor = actors.get((change.patch, change.kind, change.after)) if change.patch is not None else None
            yield replace(change, actor=actor) if actor else change

    async def _mark_changed(self, changed: ChangedSubmission) -> None:
        """Record the time of a change of patches; a change of the series counts for all of them."""
        ids = {change.patch for change in changed.changes}
        touched = {patch.id for patch in changed.after if None in ids or patch.id in ids}
        for some in batched(sorted(touched), _BATCH):
            where = (schema.patch.c.server == self._server, schema.patch.c.id.in_(some))
            await self._connection.execute(sa.update(schema.patch).where(*where).values(changed_at=self._now))

    # Affected submissions

    async def _affected(self) -> dict[SubmissionRef, None]:
        """Return the known submissions that the poll may change, in the order of the poll."""
        poll, followed = self._poll, self._poll.followed
        patches = [patch for patch, values in (await self._new_values()).items() if values]
        patches += [update.patch for update in poll.updates if isinstance(update, CheckUpdate)]
        patches += [read.patch for read in followed.checks]
        patches += [patch for read in followed.trailers for patch, _ in read.patches]
        refs = await self.refs_of(self._server, patches)
        refs_in_order = dict.fromkeys(refs[patch] for patch in patches if patch in refs)
        series = [read.series.id for read in poll.series] + [each.id for each in await self._renamed()]
        series += [read.series for read in followed.trailers if read.series is not None]
        refs_in_order |= dict.fromkeys(SubmissionRef(self._server, SubmissionKind.SERIES, number) for number in series)
        return refs_in_order | dict.fromkeys(read.ref for read in followed.comments if read.ref and read.comments)

    async def _new_values(self) -> dict[PatchId, dict[str, object]]:
        """Return the column values that the poll's updates change, by known patch."""
        updates = self._latest_updates()
        table = schema.patch
        columns = [table.c.id, *(table.c[field] for field in PatchField)]
        stored = await self._among(sa.select(*columns).where(table.c.server == self._server), table.c.id, updates)
        return {row["id"]: _differing(row, updates[row["id"]], self._now) for row in stored}

    def _latest_updates(self) -> dict[PatchId, dict[PatchField, str | None]]:
        updates: dict[PatchId, dict[PatchField, str | None]] = defaultdict(dict)
        for update in self._poll.updates:
            if isinstance(update, FieldUpdate):
                updates[update.patch][update.field] = update.value
        return updates

    async def _renamed(self) -> list[Series]:
        """Return the known series whose listed columns differ, except for those that the poll read."""
        read = {each.series.id for each in self._poll.series}
        listed = {series.id: series for series in self._poll.listed if series.id not in read}
        table = schema.series
        columns = [table.c.id, *(table.c[name] for name in _LISTED_COLUMNS)]
        stored = await self._among(sa.select(*columns).where(table.c.server == self._server), table.c.id, listed)
        return [
            listed[row["id"]]
            for row in stored
            if any(row[name] != value for name, value in _listed_columns(listed[row["id"]]))
        ]

    # Writes

    async def _name_delegates(self) -> None:
        """Replace a delegate known only by address, as from an mbox, by the name, which does not count as a change."""
        names: dict[PatchId, str] = {}
        for each in self._poll.updates:
            if isinstance(each, FieldUpdate) and each.field is PatchField.DELEGATE and each.value:
                names.setdefault(each.patch, each.value)
        table = schema.patch
        query = sa.select(table.c.id).where(table.c.server == self._server, table.c.delegate.contains("@"))
        for row in await self._among(query, table.c.id, names):
            await self._change(table, row["id"], {"delegate": names[row["id"]]})

    async def _write_fields(self) -> None:
        """Write the updates of known patches; store those of other patches until the patch is read."""
        for patch, waiting in (await self._take_early_updates()).items():
            await self._change(schema.patch, patch, waiting)
        new_values = await self._new_values()
        for patch, values in new_values.items():
            if values:
                await self._change(schema.patch, patch, values)
        for patch, updates in self._latest_updates().items():
            for field, value in updates.items() if patch not in new_values else ():
                key = {"server": self._server, "patch": patch, "field": field}
                await self._replace(schema.early_update, key, {"value": value, "received_at": self._now})

    async def _take_early_updates(self) -> dict[PatchId, dict[str, object]]:
        """Remove and return the stored updates of patches that this poll read."""
        table, read = schema.early_update, self._read()
        of_server = table.c.server == self._server
        updates: dict[PatchId, dict[str, object]] = defaultdict(dict)
        for row in await self._among(sa.select(table).where(of_server), table.c.patch, read):
            updates[row["patch"]][row["field"]] = _column(PatchField(row["field"]), row["value"])
        for some in batched(sorted(updates), _BATCH):
            await self._connection.execute(sa.delete(table).where(of_server, table.c.patch.in_(some)))
        return updates

    async def _write_checks(self) -> None:
        """Write the latest check of each account in each context, and the worst of them with the patch."""
        table, read = schema.patch_check, {each.patch: each.checks for each in self._poll.followed.checks}
        updates = [each for each in self._poll.updates if isinstance(each, CheckUpdate)]
        changed = {*read, *(new.patch for new in updates)}
        of_server = table.c.server == self._server
        checks: dict[PatchId, list[Check]] = defaultdict(list)
        for row in await self._among(sa.select(table).where(of_server), table.c.patch, changed | self._read()):
            checks[row["patch"]].append(rows.to_check(row))
        for new in updates:
            checks[new.patch] = with_check(checks[new.patch], new.check)
        checks |= {patch: latest(every) for patch, every in read.items()}
        for some in batched(sorted(changed), _BATCH):
            await self._connection.execute(sa.delete(table).where(of_server, table.c.patch.in_(some)))
        await self._insert(table, [self._row(patch, check) for patch in sorted(changed) for check in checks[patch]])
        for patch, last in checks.items():
            await self._change(schema.patch, patch, {"check": worst(check.state for check in last)})

    def _row(self, patch: PatchId, check: Check) -> dict[str, object]:
        row = {"id": check.id, "user": check.user, "context": check.context, "state": check.state}
        row |= {"description": check.description[:_MAX_DESCRIPTION] or None}
        return {"server": self._server, "patch": patch, **row, "received_at": self._now}

    async def _write_series(self) -> None:
        for series in await self._renamed():
            await self._change(schema.series, series.id, dict(_listed_columns(series)))

    async def _write_trailers(self) -> None:
        for read in self._poll.followed.trailers:
            for patch, trailers in read.patches:
                await self._change(schema.patch, patch, {"trailers": rows.of_trailers(trailers)})
            if read.series is not None and read.cover is not None:
                await self._change(schema.series, read.series, {"trailers": rows.of_trailers(read.cover)})

    async def _write_comments(self) -> dict[SubmissionRef, list[Change]]:
        """Store new comments, and return those to be posted, by submission."""
        await self._insert_comments()
        changes: dict[SubmissionRef, list[Change]] = defaultdict(list)
        for read in self._poll.followed.comments:
            new = await self._unposted(read)
            await self._mark_posted(read.on.kind, new)
            if read.ref is not None:
                changes[read.ref] += _comment_changes(read, new)
        return changes

    async def _unposted(self, read: CommentsRead) -> set[int]:
        """Return the ids of the comments to post: new ones that were read, or all new ones if none need to be read."""
        table = schema.comment
        where = (table.c.server == self._server, table.c.kind == read.on.kind, table.c.object == read.on.id)
        query = sa.select(table.c.id).where(*where, table.c.posted.is_(False))
        unposted = set((await self._connection.execute(query)).scalars())
        return unposted if read.comments is None else unposted & {comment.id for comment in read.comments}

    async def _mark_posted(self, kind: MailKind, ids: Iterable[int]) -> None:
        table = schema.comment
        for some in batched(sorted(ids), _BATCH):
            where = (table.c.server == self._server, table.c.kind == kind, table.c.id.in_(some))
            await self._connection.execute(sa.update(table).where(*where).values(posted=True))

    async def _insert_comments(self) -> None:
        followed = self._poll.followed
        comments = [(hint.on, hint.id) for hint in followed.new_comments]
        comments += [(read.on, number) for read in followed.comments for number in read.unannounced]
        rows_ = [
            {
                "server": self._server,
                "kind": on.kind,
                "id": number,
                "object": on.id,
                "posted": False,
                "seen_at": self._now,
            }
            for on, number in dict.fromkeys(comments)
        ]
        await self._insert(schema.comment, rows_)

    # Helpers
    def _read(self) -> set[PatchId]:
        """Return the patches that the poll read with their diffs."""
        poll = self._poll
        return {patch.id for patch in (*poll.patches, *(patch for read in poll.series for patch in read.news))}

    async def _change(self, table: sa.Table, number: PatchId | SeriesId, values: Mapping[str, object]) -> None:
        where = (table.c.server == self._server, table.c.id == number)
        await self._connection.execute(sa.update(table).where(*where).values(values))


def _changed(
    about: SubmissionRef, before: Submission, now: Submission, changes: tuple[Change, ...]
) -> ChangedSubmission:
    return ChangedSubmission(
        about, now.series, before.patches, now.patches, changes, now.checks, before.checks, before.series
    )


def _comment_changes(read: CommentsRead, new: Container[int]) -> list[Change]:
    patch = PatchId(read.on.id) if read.on.kind is MailKind.PATCH else None
    comments = [comment for comment in read.comments or () if comment.id in new]
    return [Change(ChangeKind.COMMENT, patch, "", str(comment.id), comment=comment) for comment in comments]


def _differing(row: sa.RowMapping, updates: Mapping[PatchField, str | None], now: datetime) -> dict[str, object]:
    """Return the columns of a patch that *updates* change at the time *now* (UTC)."""
    values = {field: _column(field, value) for field, value in updates.items()}
    changed: dict[str, object] = {field: value for field, value in values.items() if row[field] != value}
    if PatchField.STATE in changed:
        changed |= {"former_state": row[PatchField.STATE], "state_changed_at": now}
    return changed


def _column(field: PatchField, value: str | None) -> object:
    return value is not None if field is PatchField.ARCHIVED else value


def _listed_columns(series: Series) -> list[tuple[str, object]]:
    """Return the columns of a series that lists have, with their values."""
    return [(name, getattr(series, name)) for name in _LISTED_COLUMNS]
