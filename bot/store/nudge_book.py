"""Storage of who is to be reminded of their own unanswered patches, and of what they were reminded.

A chat is looked at when the first of its patches may have been unanswered for long enough, and again after as long as a
patch must be unanswered at least: what is sent in the meantime cannot be due before.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bot.ids import RoomId, ServerName, UserId
from bot.patchwork.updates import MailKind
from bot.query.durations import read_duration
from bot.store import columns, schema
from bot.store.book import Book, drop_batch
from bot.store.nudge_tables import nudge, nudged
from bot.store.retry_book import RetryKind, is_put_off
from bot.submission import SubmissionKind, SubmissionRef

NUDGE = "nudge"  # the setting: how long nobody must have answered
_LOOK_AGAIN = timedelta(days=1)  # after the setting was unreadable


@dataclass(frozen=True, slots=True)
class NudgeDue:
    """A direct chat that is to be looked at now; its person is reminded of what is unanswered for *after*."""

    room: RoomId
    person: UserId
    after: timedelta


@dataclass(frozen=True, slots=True)
class OwnSubmission:
    """The newest version of a person's work, and the last time (UTC) that anything happened to it."""

    about: SubmissionRef
    last: datetime


@dataclass(frozen=True, slots=True)
class NudgeScope:
    """The watched *projects* of a *server*, and the states in which nothing more is to be done there."""

    server: ServerName
    projects: Collection[str]
    closed: Collection[str]


class NudgeBook(Book):
    """The reminders in one transaction."""

    async def set(self, room: RoomId, person: UserId) -> None:
        """Look at a direct chat as soon as possible."""
        await self._replace(nudge, {"room": room}, {"person": person, "next_at": self._now})

    async def unset(self, room: RoomId) -> None:
        """Remind nobody in a chat any more."""
        await self._delete(nudge, {"room": room})

    async def look_soon(self, person: UserId) -> None:
        """Look at the chats of a person who has another address now."""
        await self._connection.execute(sa.update(nudge).where(nudge.c.person == person).values(next_at=self._now))

    async def due(self, limit: int) -> list[NudgeDue]:
        """Return at most *limit* chats to look at now, except those that wait for a retry."""
        setting = schema.room_setting
        of_room = sa.and_(setting.c.room == nudge.c.room, setting.c.key == NUDGE)
        is_due = (nudge.c.next_at <= self._now, ~is_put_off(RetryKind.NUDGE, nudge.c.room, self._now))
        query = sa.select(nudge, setting.c.value).join(setting, of_room, isouter=True).where(*is_due)
        rows = await self._all(query.order_by(nudge.c.next_at, nudge.c.room).limit(limit))
        return [
            NudgeDue(RoomId(row["room"]), UserId(row["person"]), read_duration(row["value"] or "") or _LOOK_AGAIN)
            for row in rows
        ]

    async def look_at(self, room: RoomId, next_at: datetime) -> None:
        """Look at a chat again at a time (UTC)."""
        await self._connection.execute(sa.update(nudge).where(nudge.c.room == room).values(next_at=next_at))

    async def unanswered_of(self, person: UserId, scope: NudgeScope) -> list[OwnSubmission]:
        """Return the newest versions of a person's open work in a *scope* of which they were not reminded, by id."""
        address = schema.person_address
        addresses = sa.select(address.c.address).where(address.c.person == person)
        series = await self._series_of(person, addresses, scope)
        return [*series, *await self._patches_of(person, addresses, scope)]

    async def reminds_of(self, about: SubmissionRef) -> bool:
        """Return whether somebody is to be reminded of a submission while nobody answers it."""
        series, patch = schema.series, schema.patch
        if about.kind is SubmissionKind.SERIES:
            sent = sa.select(series.c.submitter).where(series.c.server == about.server, series.c.id == about.id)
        else:
            of_patch = (patch.c.server == about.server, patch.c.id == about.id)
            sent = sa.select(sa.func.lower(patch.c.submitter_email)).where(*of_patch)
        address = schema.person_address
        of_person = sa.and_(address.c.person == nudge.c.person, address.c.address == sent.scalar_subquery())
        query = sa.select(nudge.c.room).join(address, of_person).limit(1)
        return await self._one(query) is not None

    async def add(self, person: UserId, abouts: Iterable[SubmissionRef]) -> None:
        """Store of what a person was reminded."""
        await self._insert_new(
            nudged,
            ({"person": person, "server": each.server, "kind": each.kind, "object": each.id} for each in abouts),
        )

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Follow a direct chat to the room that replaces it."""
        known = sa.exists().where(nudge.c.room == old)
        await self._connection.execute(sa.delete(nudge).where(nudge.c.room == new, known))
        await self._connection.execute(sa.update(nudge).where(nudge.c.room == old).values(room=new))

    async def tidy(self) -> bool:
        """Delete a batch of rows on what is no longer stored, and return whether there may be more."""
        known = [
            sa.exists().where(table.c.server == nudged.c.server, table.c.id == nudged.c.object, nudged.c.kind == kind)
            for kind, table in (("series", schema.series), ("patch", schema.patch))
        ]
        return await drop_batch(self._connection, nudged, ~sa.or_(*known))

    async def _series_of(
        self, person: UserId, addresses: sa.Select[tuple[str]], scope: NudgeScope
    ) -> list[OwnSubmission]:
        series, patch, later = schema.series, schema.patch, schema.series.alias()
        own = (*_is_watched(series, scope), series.c.submitter.in_(addresses))
        has_later = sa.exists().where(later.c.server == series.c.server, later.c.former == series.c.id)
        of_series = (patch.c.server == series.c.server, patch.c.series == series.c.id)
        is_open = sa.exists().where(*of_series, *_is_open(scope))
        changed = sa.select(sa.func.max(patch.c.changed_at, type_=columns.Utc())).where(*of_series)
        patches = sa.select(patch.c.id).where(*of_series)
        query = sa.select(
            series.c.server,
            series.c.id,
            series.c.date,
            series.c.evaluated_at.label("read_at"),
            changed.scalar_subquery().label("changed_at"),
            _commented(series.c.server, MailKind.PATCH, patches).label("commented_at"),
            _commented(series.c.server, MailKind.COVER, [series.c.cover_id]).label("cover_commented_at"),
        ).where(*own, is_open, ~has_later, ~_is_known(person, series.c.server, SubmissionKind.SERIES, series.c.id))
        return [_own(row, SubmissionKind.SERIES) for row in await self._all(query.order_by(series.c.id))]

    async def _patches_of(
        self, person: UserId, addresses: sa.Select[tuple[str]], scope: NudgeScope
    ) -> list[OwnSubmission]:
        patch = schema.patch
        own = (*_is_watched(patch, scope), patch.c.series.is_(None), *_is_open(scope))
        is_sent = sa.func.lower(patch.c.submitter_email).in_(addresses)
        query = sa.select(
            patch.c.server,
            patch.c.id,
            patch.c.date,
            patch.c.read_at,
            patch.c.changed_at,
            _commented(patch.c.server, MailKind.PATCH, [patch.c.id]).label("commented_at"),
            sa.null().label("cover_commented_at"),
        ).where(*own, is_sent, ~_is_known(person, patch.c.server, SubmissionKind.PATCH, patch.c.id))
        return [_own(row, SubmissionKind.PATCH) for row in await self._all(query.order_by(patch.c.id))]


def next_nudge(now: datetime) -> sa.Select[tuple[datetime]]:
    """Select when the next chat is to be looked at, ignoring those that wait for a retry; null if none is."""
    waits = is_put_off(RetryKind.NUDGE, nudge.c.room, now)
    return sa.select(sa.func.min(nudge.c.next_at, type_=columns.Utc())).where(~waits)


def _is_watched(table: sa.Table, scope: NudgeScope) -> tuple[sa.ColumnElement[bool], ...]:
    projects = [name.lower() for name in scope.projects]
    return table.c.server == scope.server, sa.func.lower(table.c.project).in_(projects)


def _is_open(scope: NudgeScope) -> tuple[sa.ColumnElement[bool], ...]:
    patch = schema.patch.c
    return patch.archived.is_(False), ~sa.func.coalesce(patch.state, "").in_(scope.closed)


def _commented(
    server: sa.ColumnElement[str], kind: MailKind, mails: sa.Select[tuple[int]] | list[sa.Column[int]]
) -> sa.ScalarSelect[datetime]:
    """Select when the last comment on some mails was seen."""
    comment = schema.comment
    of_mails = (comment.c.server == server, comment.c.kind == kind, comment.c.object.in_(mails))
    return sa.select(sa.func.max(comment.c.seen_at, type_=columns.Utc())).where(*of_mails).scalar_subquery()


def _is_known(
    person: UserId, server: sa.ColumnElement[str], kind: SubmissionKind, number: sa.ColumnElement[int]
) -> sa.ColumnElement[bool]:
    of_person = (nudged.c.person == person, nudged.c.server == server, nudged.c.kind == kind)
    return sa.exists().where(*of_person, nudged.c.object == number)


def _own(row: sa.RowMapping, kind: SubmissionKind) -> OwnSubmission:
    times = [row["changed_at"], row["commented_at"], row["cover_commented_at"], _sent(row["date"], row["read_at"])]
    about = SubmissionRef(ServerName(row["server"]), kind, row["id"])
    return OwnSubmission(about, max(time for time in times if time is not None))


def _sent(date: str, read_at: datetime) -> datetime:
    """Return when a mail was sent, by its *date*, naive UTC; when it was read, if it cannot have been sent then."""
    try:
        sent = datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError:
        return read_at
    return min(sent, read_at)
