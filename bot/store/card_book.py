"""Storage of cards: their rooms, submissions, reasons and events, and when they are due for an edit."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from bot.ids import EventId, NoticeKey, RoomId, SeriesId, ServerName
from bot.notices.edit_schedule import FREEZES_AFTER, EditSchedule
from bot.notices.notice import CARD_KEYS, Notice, NoticeState, Tag
from bot.query.options import CardForm
from bot.store import columns, schema
from bot.store.book import drop_batch, read_each, upsert
from bot.store.engine import UNNOTED
from bot.store.retry_book import RetryBook, RetryKind, is_put_off
from bot.store.rows import message_of
from bot.submission import SubmissionKind, SubmissionRef

KEEP_CARDS = timedelta(days=180)
_happened = sa.func.coalesce(schema.card.c.touched_at, schema.card.c.created_at, type_=columns.Utc)  # last activity
_NO_MARKS = {"urgent_since": None, "counts_since": None, "counts_last": None, "due_at": None}


@dataclass(frozen=True, slots=True)
class DueCard:
    """A card that may be out of date.

    *why* and *form* are those it was added with, *digest* is that of its text with all stored edits, *edits* is
    their number. *is_there* is true if it was sent, or may still be; a card whose notice is dead cannot be edited.
    """

    room: RoomId
    about: SubmissionRef
    key: NoticeKey
    why: Sequence[Sequence[str | int]]
    form: CardForm
    rings: bool
    digest: str | None
    edits: int
    is_there: bool


class CardBook:
    """The cards in one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime, retries: RetryBook) -> None:
        self._connection = connection
        self._now = now
        self._retries = retries

    async def rooms_with(self, card: SubmissionRef) -> set[RoomId]:
        """Return the rooms that have a card of this submission."""
        table = schema.card
        query = sa.select(table.c.room).where(*_is(card))
        return {RoomId(room) for room in (await self._connection.execute(query)).scalars()}

    async def count_since(self, moment: datetime) -> dict[RoomId, int]:
        """Return the number of cards written since *moment*, a week ago at most, by room.

        The outbox still has those whose server was rebuilt meanwhile.
        """
        table = schema.notice
        cards = (table.c.created_at >= moment, table.c.key.startswith(CARD_KEYS))
        query = sa.select(table.c.room, sa.func.count()).where(*cards).group_by(table.c.room)
        return {RoomId(room): count for room, count in await self._connection.execute(query)}

    async def reasons_since(
        self, rooms: Collection[RoomId], moment: datetime, limit: int
    ) -> list[tuple[datetime, Sequence[Sequence[str | int]]]]:
        """Return when (UTC) and why the newest cards of *rooms* since *moment* were stored, at most *limit*."""
        table = schema.card
        query = sa.select(table.c.created_at, table.c.why)
        query = query.where(table.c.room.in_(rooms), table.c.created_at >= moment)
        found = await self._connection.execute(query.order_by(table.c.created_at.desc()).limit(limit))
        return [(stored, why) for stored, why in found]

    async def to_be_edited(self) -> tuple[int, datetime | None]:
        """Return the number of cards with a pending edit, and when the first of these is due (UTC)."""
        card = schema.card
        first = sa.func.min(card.c.due_at, type_=columns.Utc)
        query = sa.select(sa.func.count(), first).where(card.c.ended.is_(None), card.c.due_at.is_not(None))
        count, due = (await self._connection.execute(query)).one()
        return count, due

    async def is_living(self, card: SubmissionRef) -> bool:
        """Return whether a room has a card of this submission that is still edited."""
        table = schema.card
        query = sa.select(table.c.room).where(
            *_is(card), table.c.ended.is_(None), _happened >= self._now - FREEZES_AFTER
        )
        return (await self._connection.execute(query.limit(1))).first() is not None

    async def rooms_with_series(self, server: ServerName, series: Sequence[SeriesId]) -> set[RoomId]:
        """Return the rooms that have a card of one of these *series*."""
        if not series:
            return set()
        table = schema.card
        of_these = (table.c.server == server, table.c.kind == "series", table.c.object.in_(series))
        return {
            RoomId(room)
            for room in (await self._connection.execute(sa.select(table.c.room).where(*of_these))).scalars()
        }

    async def add(
        self, card: SubmissionRef, notice: Notice, why: Iterable[Sequence[object]], form: CardForm = CardForm.CARD
    ) -> bool:
        """Store *notice* as a room's card of this submission, in this form; return False if it has one already.

        It replaces a card that was left behind in the room that this one replaced.
        """
        values = {
            "room": notice.room,
            "server": card.server,
            "kind": card.kind,
            "object": card.id,
            "notice_key": notice.key,
            "why": [list(reason) for reason in why],
            "created_at": self._now,
            "form": form,
            "rings": notice.message.rings,
            "digest": notice.message.digest,
        }
        return (await self._connection.execute(_insert(self._connection.dialect.name), values)).first() is not None

    async def keys_by_room(self, card: SubmissionRef) -> dict[RoomId, tuple[NoticeKey, str | None]]:
        """Return the keys of all cards of this submission by room, each with the reason why it is no longer edited.

        The reason is None for a card that is still edited.
        """
        rows = await self._connection.execute(_KEYS, _of(card))
        return {RoomId(room): (NoticeKey(key), ended) for room, key, ended in rows}

    async def set_event(self, room: RoomId, key: NoticeKey, event: EventId) -> None:
        """Store the event of a sent notice, if it is a card."""
        values = {"of_room": room, "of_key": key, "event": event}
        if (await self._connection.execute(_SET_EVENT, values)).first() is not None:
            await self.mark_linked_versions(room, key)

    async def mark_linked_versions(self, room: RoomId, key: NoticeKey) -> None:
        """Mark the cards of the versions before and after for an edit, because their link to this card may change."""
        for server, number in (await self._connection.execute(_LINKED, {"of_room": room, "of_key": key})).all():
            await self.touch(
                SubmissionRef(ServerName(server), SubmissionKind.SERIES, number), urgent=True, rooms={room}
            )

    async def events_by_room(self, about: SubmissionRef) -> dict[RoomId, EventId | None]:
        """Return the events of a submission's cards by room; None for a card that is not sent yet.

        Cards that were redacted, left behind when a room moved, or will never be sent do not count.
        """
        card, notice = schema.card, schema.notice
        is_open = sa.exists().where(notice.c.key == card.c.notice_key, notice.c.state != NoticeState.DEAD)
        is_there = sa.or_(card.c.event.is_not(None), is_open)
        is_gone = sa.and_(card.c.ended.is_not(None), card.c.ended != "frozen")
        query = sa.select(card.c.room, card.c.event).where(*_is(about), is_there, ~is_gone)
        rows = await self._connection.execute(query)
        return {RoomId(row.room): EventId(row.event) if row.event else None for row in rows}

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Move the cards of a room to another one; those that are already sent are no longer edited."""
        card, other = schema.card, schema.card.alias()
        same = (other.c.server == card.c.server, other.c.kind == card.c.kind, other.c.object == card.c.object)
        double = sa.select(other.c.room).where(other.c.room == new, *same).exists()
        await self._connection.execute(sa.delete(card).where(card.c.room == old, double))
        ended = sa.case((card.c.event.is_not(None), "moved"), else_=card.c.ended)
        await self._connection.execute(sa.update(card).where(card.c.room == old).values(room=new, ended=ended))

    async def touch(self, about: SubmissionRef, *, urgent: bool, rooms: Collection[RoomId] | None = None) -> None:
        """Schedule edits of the active cards of a submission, in *rooms* or all, because of a change that they lack."""
        table = schema.card
        living = [*_is(about), table.c.ended.is_(None)]
        if rooms is not None:
            living.append(table.c.room.in_(rooms))
        rows = (await self._connection.execute(sa.select(table).where(*living))).mappings().all()
        lives = {row["room"]: _life(row) for row in rows}
        marks = [
            {"of_room": room, **_columns(life.changed(self._now, urgent=urgent))}
            for room, life in lives.items()
            if not life.is_frozen(self._now)
        ]
        if marks:
            of_room = sa.update(table).where(*_is(about), table.c.room == sa.bindparam("of_room"))
            await self._connection.execute(of_room, marks)

    async def due(self, limit: int) -> list[DueCard]:
        """Return at most *limit* cards to edit now, the longest overdue first, even if the clock was set back.

        A card whose edit failed, or that cannot be read, is not due before its retry.
        """
        card = schema.card
        is_due = sa.or_(card.c.due_at <= self._now, card.c.touched_at > self._now)
        waits = is_put_off(RetryKind.EDIT, card.c.notice_key, self._now)
        where = (card.c.ended.is_(None), card.c.due_at.is_not(None), is_due, ~waits)
        query = sa.select(card, is_there()).where(*where).order_by(card.c.due_at, card.c.room).limit(limit)
        rows = (await self._connection.execute(query)).mappings()
        due, unreadable = read_each(rows, _due, lambda row: str(row["notice_key"]))
        for each in unreadable:
            await self._retries.put_off(RetryKind.EDIT, each.key, each.error)
        return due

    async def mark_up_to_date(self, card: DueCard) -> None:
        """Clear the scheduled edit of a card that is up to date."""
        await self._set(card, _NO_MARKS)

    async def edited(self, card: DueCard, digest: str, *, anew: bool) -> None:
        """Store the *digest* of a card's text after an edit; *anew* unless the edit replaced an untried one."""
        more = {"edits": card.edits + 1, "edited_at": self._now} if anew else {}
        await self._set(card, {**_NO_MARKS, **more, "digest": digest})

    async def redacted(self, room: RoomId, event: EventId) -> NoticeKey | None:
        """Mark a card as dead whose event was redacted, and return its key; None if the event is not a card."""
        table = schema.card
        where = (table.c.room == room, table.c.event == event)
        key = (await self._connection.execute(sa.select(table.c.notice_key).where(*where))).scalar_one_or_none()
        await self._connection.execute(sa.update(table).where(*where).values({**_NO_MARKS, "ended": "redacted"}))
        if key is not None:
            await self.mark_linked_versions(room, NoticeKey(key))
        return None if key is None else NoticeKey(key)

    async def is_dead(self, key: NoticeKey) -> bool:
        """Return whether the card with *key* was redacted."""
        table = schema.card
        query = sa.select(table.c.room).where(table.c.notice_key == key, table.c.ended == "redacted")
        return (await self._connection.execute(query)).first() is not None

    async def tidy(self) -> bool:
        """Delete a batch of old cards whose submissions are no longer stored, and return whether there may be more.

        While the submission is stored, so is its card; otherwise it would be posted again.
        """
        card, series, patch = schema.card, schema.series, schema.patch
        edge = self._now - KEEP_CARDS
        old = sa.and_(card.c.created_at < edge, _happened < edge)  # the first is all that an index tells
        known = [
            sa.exists().where(table.c.server == card.c.server, table.c.id == card.c.object, card.c.kind == kind)
            for kind, table in (("series", series), ("patch", patch))
        ]
        return await drop_batch(self._connection, card, old, ~sa.or_(*known))

    async def why(self, room: RoomId, event: EventId) -> list[list[str | int]] | None:
        """Return the reasons of a card: subscription, term, and matches of each; None if the event is not a card."""
        card = schema.card
        result = await self._connection.execute(sa.select(card.c.why).where(card.c.room == room, card.c.event == event))
        return result.scalar_one_or_none()

    async def about_event(self, room: RoomId, event: EventId) -> SubmissionRef | None:
        """Return the submission of a card or an answer; None for other events, and for answers that were deleted."""
        card, notice = schema.card, schema.notice
        query = sa.select(card).where(card.c.room == room, card.c.event == event)
        if row := (await self._connection.execute(query)).mappings().first():
            return SubmissionRef(ServerName(row["server"]), SubmissionKind(row["kind"]), row["object"])
        done = (notice.c.state == NoticeState.DONE, notice.c.room == room, notice.c.event == event)
        message = (await self._connection.execute(sa.select(notice.c.message).where(*done))).scalars().first()
        return None if message is None else _about(message_of(message).tag)

    async def _set(self, card: DueCard, values: Mapping[str, object]) -> None:
        table = schema.card
        await self._connection.execute(
            sa.update(table).where(*_is(card.about), table.c.room == card.room).values(values)
        )


def next_edit(now: datetime) -> sa.Select[tuple[datetime]]:
    """Select when the next card is due for an edit, ignoring cards that wait for a retry; null if none is."""
    card = schema.card
    waits = is_put_off(RetryKind.EDIT, card.c.notice_key, now)
    moment = sa.case((card.c.touched_at > now, columns.LONG_AGO), else_=card.c.due_at)  # the clock was set back
    # Unlike "is not null", the comparison lets SQLite use the index on due_at.
    marked = (card.c.ended.is_(None), card.c.due_at >= columns.LONG_AGO)
    return sa.select(sa.func.min(moment, type_=columns.Utc())).where(*marked, ~waits)


def _life(row: sa.RowMapping) -> EditSchedule:
    return EditSchedule(
        posted=row["created_at"],
        touched=row["touched_at"],
        edited=row["edited_at"],
        urgent_since=row["urgent_since"],
        counts_since=row["counts_since"],
        counts_last=row["counts_last"],
    )


def _columns(life: EditSchedule) -> dict[str, datetime | None]:
    """Return the columns of an edit schedule."""
    return {
        "touched_at": life.touched,
        "edited_at": life.edited,
        "urgent_since": life.urgent_since,
        "counts_since": life.counts_since,
        "counts_last": life.counts_last,
        "due_at": life.due,
    }


def _due(row: sa.RowMapping) -> DueCard:
    return DueCard(
        room=RoomId(row["room"]),
        about=SubmissionRef(ServerName(row["server"]), SubmissionKind(row["kind"]), row["object"]),
        key=NoticeKey(row["notice_key"]),
        why=row["why"],
        form=CardForm(row["form"]),
        rings=row["rings"],
        digest=row["digest"],
        edits=row["edits"],
        is_there=bool(row["is_there"]),
    )


def is_there() -> sa.Label[bool]:
    """Return the condition that a card was sent, or may still be."""
    card, notice = schema.card, schema.notice
    is_open = sa.exists().where(notice.c.key == card.c.notice_key, notice.c.state != NoticeState.DEAD)
    return sa.or_(card.c.event.is_not(None), is_open).label("is_there")


def _about(tag: Tag) -> SubmissionRef | None:
    """Return the patch in *tag*, or otherwise the series."""
    if tag.server is None:
        return None
    if tag.patch is not None:
        return SubmissionRef(tag.server, SubmissionKind.PATCH, tag.patch)
    return None if tag.series is None else SubmissionRef(tag.server, SubmissionKind.SERIES, tag.series)


def _linked() -> sa.CompoundSelect[str, int]:
    """Select the versions before and after the series of a card: their servers and ids."""
    card, series = schema.card, schema.series
    here = (card.c.room == sa.bindparam("of_room"), card.c.notice_key == sa.bindparam("of_key"))
    of_card = sa.and_(series.c.server == card.c.server, series.c.id == card.c.object)
    before = sa.select(card.c.server, series.c.former.label("number")).join_from(card, series, of_card)
    follows_card = sa.and_(series.c.server == card.c.server, series.c.former == card.c.object)
    after = sa.select(card.c.server, series.c.id.label("number")).join_from(card, series, follows_card)
    is_series = card.c.kind == "series"
    return sa.union_all(before.where(*here, is_series, series.c.former.is_not(None)), after.where(*here, is_series))


_LINKED: Final = _linked()
_SET_EVENT: Final = (
    sa.update(schema.card)
    .where(schema.card.c.room == sa.bindparam("of_room"), schema.card.c.notice_key == sa.bindparam("of_key"))
    .returning(schema.card.c.room)
    .execution_options(**UNNOTED)  # nothing becomes due by it
)
_KEYS: Final = sa.select(schema.card.c.room, schema.card.c.notice_key, schema.card.c.ended).where(
    *(schema.card.c[name] == sa.bindparam(name) for name in ("server", "kind", "object"))
)


@cache
def _insert(dialect: str) -> ReturningInsert[tuple[str]]:
    """Return the INSERT of a card, which replaces one that was left behind, and returns nothing if there is another."""
    insert = upsert(dialect, schema.card)
    left_behind = insert.on_conflict_do_update(
        index_elements=schema.card.primary_key,
        set_={column.name: insert.excluded[column.name] for column in schema.card.columns},
        where=schema.card.c.ended == "moved",
    )
    return left_behind.returning(schema.card.c.room)


def _of(card: SubmissionRef) -> dict[str, object]:
    return {"server": card.server, "kind": card.kind, "object": card.id}


def _is(card: SubmissionRef) -> tuple[sa.ColumnElement[bool], ...]:
    table = schema.card
    return table.c.server == card.server, table.c.kind == card.kind, table.c.object == card.id
