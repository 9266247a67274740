"""Applies the updates of a poll to the known submissions, and detects the changes.

An update of a patch that was not read yet waits in the table `told`; checks wait in their own table.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from collections.abc import Set as AbstractSet
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

_SHOWN = (
    "name",
    "total",
    "received_total",
    "cover",
    "cover_id",
    "archive_url",
    "cover_name",
)  # by the lists, of a series
_BATCH = 500
_MAX_DESCRIPTION = 200  # characters of a check's, which only says here whether the patch applied


class PollChanges(PatchBook):
    """The changes by one *poll*: `look` reads the state before it; `make` applies it after what it read was written."""

    def __init__(self, connection: AsyncConnection, now: datetime, poll: Poll) -> None:
        super().__init__(connection, now)
        self._poll = poll
        self._server = poll.server
        self._before: dict[SubmissionRef, Submission] = {}

    async def look(self) -> AbstractSet[SubmissionRef]:
        """Read what the poll may change as it is before the poll, and return what of that is known."""
        await self._name_delegates()
        self._before = await self.load_submissions(await self._touched(), with_checks=True)
        return self._before.keys()

    async def make(self) -> tuple[ChangedSubmission, ...]:
        """Write the updates of the poll, and return the changed submissions."""
        await self._tell_fields()
        await self._tell_checks()
        await self._tell_series()
        await self._tell_trailers()
        said = await self._tell_comments()
        if not self._before:
            return ()
        now = await self.load_submissions(self._before, with_checks=True)
        rebuilds = await self.rebuilds(self._server)
        found: list[ChangedSubmission] = []
        for ref, before in self._before.items():
            changes = (*detect(before, now[ref]), *said.get(ref, ()))
            if changes:
                about = SubmissionRef(self._server, ref.kind, ref.id, rebuilds)
                found.append(_changed(about, before, now[ref], changes))
                await self._note(found[-1])
        return tuple(found)

    async def _note(self, changed: ChangedSubmission) -> None:
        """Record that patches changed now; a change of the series counts for all of them."""
        ids = {change.patch for change in changed.changes}
        touched = {patch.id for patch in changed.after if None in ids or patch.id in ids}
        for some in batched(sorted(touched), _BATCH):
            where = (schema.patch.c.server == self._server, schema.patch.c.id.in_(some))
            await self._connection.execute(sa.update(schema.patch).where(*where).values(changed_at=self._now))

    # What is touched

    async def _touched(self) -> dict[SubmissionRef, None]:
        """Return the known submissions that the poll may change, in its order."""
        poll, followed = self._poll, self._poll.followed
        patches = [patch for patch, values in (await self._news()).items() if values]
        patches += [told.patch for told in poll.updates if isinstance(told, CheckUpdate)]
        patches += [read.patch for read in followed.checks]
        patches += [patch for read in followed.trailers for patch, _ in read.patches]
        refs = await self.refs_of(self._server, patches)
        found = dict.fromkeys(refs[patch] for patch in patches if patch in refs)
        series = [read.series.id for read in poll.series] + [each.id for each in await self._renamed()]
        series += [read.series for read in followed.trailers if read.series is not None]
        found |= dict.fromkeys(SubmissionRef(self._server, SubmissionKind.SERIES, number) for number in series)
        return found | dict.fromkeys(read.ref for read in followed.comments if read.ref and read.comments)

    async def _news(self) -> dict[PatchId, dict[str, object]]:
        """Return the columns that the poll's updates change, by known patch."""
        told = self._last_told()
        table = schema.patch
        columns = [table.c.id, *(table.c[field] for field in PatchField)]
        stored = await self._among(sa.select(*columns).where(table.c.server == self._server), table.c.id, told)
        return {row["id"]: _differing(row, told[row["id"]]) for row in stored}

    def _last_told(self) -> dict[PatchId, dict[PatchField, str | None]]:
        found: dict[PatchId, dict[PatchField, str | None]] = defaultdict(dict)
        for told in self._poll.updates:
            if isinstance(told, FieldUpdate):
                found[told.patch][told.field] = told.value
        return found

    async def _renamed(self) -> list[Series]:
        """Return the known series that differ in a list, except for those that the poll read."""
        read = {each.series.id for each in self._poll.series}
        shown = {series.id: series for series in self._poll.listed if series.id not in read}
        table = schema.series
        columns = [table.c.id, *(table.c[name] for name in _SHOWN)]
        stored = await self._among(sa.select(*columns).where(table.c.server == self._server), table.c.id, shown)
        return [
            shown[row["id"]] for row in stored if any(row[name] != value for name, value in _of_list(shown[row["id"]]))
        ]

    # What is told

    async def _name_delegates(self) -> None:
        """Replace a delegate known only by address, as from an mbox, by the first name given, which is no change."""
        told: dict[PatchId, str] = {}
        for each in self._poll.updates:
            if isinstance(each, FieldUpdate) and each.field is PatchField.DELEGATE and each.value:
                told.setdefault(each.patch, each.value)
        table = schema.patch
        query = sa.select(table.c.id).where(table.c.server == self._server, table.c.delegate.contains("@"))
        for row in await self._among(query, table.c.id, told):
            await self._change(table, row["id"], {"delegate": told[row["id"]]})

    async def _tell_fields(self) -> None:
        """Write the updates of known patches; those of other patches wait until their patch is read."""
        for patch, waiting in (await self._waiting()).items():
            await self._change(schema.patch, patch, waiting)
        news = await self._news()
        for patch, values in news.items():
            if values:
                await self._change(schema.patch, patch, values)
        for patch, told in self._last_told().items():
            for field, value in told.items() if patch not in news else ():
                key = {"server": self._server, "patch": patch, "field": field}
                await self._replace(schema.told, key, {"value": value, "told_at": self._now})

    async def _waiting(self) -> dict[PatchId, dict[str, object]]:
        """Remove and return the updates that waited for patches of this poll."""
        table, read = schema.told, self._read()
        of_server = table.c.server == self._server
        found: dict[PatchId, dict[str, object]] = defaultdict(dict)
        for row in await self._among(sa.select(table).where(of_server), table.c.patch, read):
            found[row["patch"]][row["field"]] = _column(PatchField(row["field"]), row["value"])
        for some in batched(sorted(found), _BATCH):
            await self._connection.execute(sa.delete(table).where(of_server, table.c.patch.in_(some)))
        return found

    async def _tell_checks(self) -> None:
        """Write the latest check of each account in each context, and the worst of them with the patch."""
        table, read = schema.patch_check, {each.patch: each.checks for each in self._poll.followed.checks}
        told = [each for each in self._poll.updates if isinstance(each, CheckUpdate)]
        changed = {*read, *(new.patch for new in told)}
        of_server = table.c.server == self._server
        checks: dict[PatchId, list[Check]] = defaultdict(list)
        for row in await self._among(sa.select(table).where(of_server), table.c.patch, changed | self._read()):
            checks[row["patch"]].append(rows.to_check(row))
        for new in told:
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
        return {"server": self._server, "patch": patch, **row, "told_at": self._now}

    async def _tell_series(self) -> None:
        for series in await self._renamed():
            await self._change(schema.series, series.id, dict(_of_list(series)))

    async def _tell_trailers(self) -> None:
        for read in self._poll.followed.trailers:
            for patch, trailers in read.patches:
                await self._change(schema.patch, patch, {"trailers": rows.of_trailers(trailers)})
            if read.series is not None and read.cover is not None:
                await self._change(schema.series, read.series, {"trailers": rows.of_trailers(read.cover)})

    async def _tell_comments(self) -> dict[SubmissionRef, list[Change]]:
        """Store new comments, and return those to be posted, by submission."""
        await self._hear()
        found: dict[SubmissionRef, list[Change]] = defaultdict(list)
        for read in self._poll.followed.comments:
            untold = await self._untold(read)
            await self._told(read.on.kind, untold)
            if read.ref is not None:
                found[read.ref] += _said(read, untold)
        return found

    async def _untold(self, read: CommentsRead) -> set[int]:
        """Return the ids of the new comments that were read, or of all new ones if none need to be read."""
        table = schema.comment
        where = (table.c.server == self._server, table.c.kind == read.on.kind, table.c.object == read.on.id)
        query = sa.select(table.c.id).where(*where, table.c.told.is_(False))
        heard = set((await self._connection.execute(query)).scalars())
        return heard if read.comments is None else heard & {comment.id for comment in read.comments}

    async def _told(self, kind: MailKind, ids: Iterable[int]) -> None:
        table = schema.comment
        for some in batched(sorted(ids), _BATCH):
            where = (table.c.server == self._server, table.c.kind == kind, table.c.id.in_(some))
            await self._connection.execute(sa.update(table).where(*where).values(told=True))

    async def _hear(self) -> None:
        followed = self._poll.followed
        heard = [(told.on, told.id) for told in followed.new_comments]
        heard += [(read.on, number) for read in followed.comments for number in read.unannounced]
        rows_ = [
            {
                "server": self._server,
                "kind": on.kind,
                "id": number,
                "object": on.id,
                "told": False,
                "seen_at": self._now,
            }
            for on, number in dict.fromkeys(heard)
        ]
        await self._insert(schema.comment, rows_)

    # Rows

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


def _said(read: CommentsRead, untold: Container[int]) -> list[Change]:
    patch = PatchId(read.on.id) if read.on.kind is MailKind.PATCH else None
    new = [comment for comment in read.comments or () if comment.id in untold]
    return [Change(ChangeKind.COMMENT, patch, "", str(comment.id), comment=comment) for comment in new]


def _differing(row: sa.RowMapping, told: Mapping[PatchField, str | None]) -> dict[str, object]:
    values = {field: _column(field, value) for field, value in told.items()}
    news: dict[str, object] = {field: value for field, value in values.items() if row[field] != value}
    return news | ({"former_state": row[PatchField.STATE]} if PatchField.STATE in news else {})


def _column(field: PatchField, value: str | None) -> object:
    return value is not None if field is PatchField.ARCHIVED else value


def _of_list(series: Series) -> list[tuple[str, object]]:
    """Return the columns of a series that a list has."""
    return [(name, getattr(series, name)) for name in _SHOWN]
