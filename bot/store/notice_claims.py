"""Claims of notices: selects those that may be sent now and records attempts, with few statements for any outbox."""

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.backoff import LONGEST_REQUESTED
from bot.ids import DeviceId, EventId, NoticeId, NoticeKey, RoomId, TxnId
from bot.notices.notice import ClaimedNotice, Lane, Message, NoticeState, SendCandidate
from bot.store import columns, schema
from bot.store.engine import UNNOTED
from bot.store.rows import message_of

OPEN = (NoticeState.WAITING, NoticeState.TRIED)


@dataclass(frozen=True, slots=True)
class Attempts:
    """The notices to send, and the keys of unreadable ones, which another version of the program wrote."""

    claimed: tuple[ClaimedNotice, ...]
    unreadable: dict[NoticeKey, str]


def heads(busy: Collection[RoomId]) -> sa.Select[tuple[int]]:
    """Select the ids of the oldest open notice of each lane and person of the rooms that are not *busy*."""
    table = schema.notice
    candidates = (
        table.c.state.in_(OPEN),
        table.c.room.not_in(busy),
        sa.or_(table.c.of.is_(None), has_event(table.c.of)),
    )
    return sa.select(sa.func.min(table.c.id)).where(*candidates).group_by(table.c.room, table.c.lane, table.c.asked_by)


def has_event(key: sa.Column[str]) -> sa.ColumnElement[bool]:
    """Return the condition that the notice with *key* has an event; sent notices are soon deleted."""
    card, sent = schema.card, schema.notice.alias()
    is_card = sa.exists().where(card.c.notice_key == key, card.c.event.is_not(None))
    return sa.or_(is_card, sa.exists().where(sent.c.key == key, sent.c.event.is_not(None)))


def is_due(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a notice may be tried at *now* (UTC), even if the clock was set back."""
    table = schema.notice
    return sa.or_(
        table.c.state == NoticeState.WAITING, table.c.next_at <= now, table.c.next_at > now + LONGEST_REQUESTED
    )


@dataclass(frozen=True, slots=True)
class Heads:
    """The oldest open notice per lane and person of some rooms: those that *may_go* now, and when each may, by room."""

    may_go: tuple[SendCandidate, ...]
    next_at: tuple[tuple[RoomId, datetime], ...]

    def next_without(self, rooms: Container[RoomId]) -> datetime | None:
        """Return when the next notice outside of *rooms* may be sent; None if there is none."""
        return min((at for room, at in self.next_at if room not in rooms), default=None)


async def read_heads(connection: AsyncConnection, now: datetime, busy: Collection[RoomId]) -> Heads:
    """Return the oldest open notices of rooms that are not *busy*; those due at *now* (UTC) by lane and age."""
    table = schema.notice
    columns_ = (table.c.id, table.c.room, table.c.lane, table.c.asked_by, table.c.next_at, is_due(now).label("may_go"))
    query = sa.select(*columns_).where(table.c.id.in_(heads(busy))).order_by(table.c.lane, table.c.id)
    rows = (await connection.execute(query)).all()
    may_go = (
        SendCandidate(NoticeId(row.id), RoomId(row.room), Lane(row.lane), row.asked_by) for row in rows if row.may_go
    )
    moments = ((RoomId(row.room), min(row.next_at, now) if row.may_go else row.next_at) for row in rows)
    return Heads(tuple(may_go), tuple(moments))


async def attempts(
    connection: AsyncConnection, now: datetime, device: DeviceId, chosen: Sequence[NoticeId]
) -> Attempts:
    """Record that *device* tries the *chosen* notices at *now* (UTC), and return them in that order."""
    table = schema.notice
    by_id = {row["id"]: row for row in (await connection.execute(_whole(chosen))).mappings()}
    claimed: list[ClaimedNotice] = []
    unreadable: dict[NoticeKey, str] = {}
    for row in (by_id[number] for number in chosen):
        try:
            claimed.append(_claimed(row, now, device))
        except (TypeError, ValueError, KeyError) as error:
            unreadable[NoticeKey(row["key"])] = f"cannot be read: {error}"
    values = {
        "state": NoticeState.TRIED,
        "attempts": table.c.attempts + 1,
        "first_tried": sa.func.coalesce(table.c.first_tried, sa.literal(now, columns.Utc)),
        "first_device": sa.func.coalesce(table.c.first_device, device),
    }
    tried = table.c.id.in_([notice.id for notice in claimed])
    await connection.execute(sa.update(table).where(tried).values(values).execution_options(**UNNOTED))
    return Attempts(tuple(claimed), unreadable)


def _whole(chosen: Collection[NoticeId]) -> sa.Select[tuple[object, ...]]:
    """Select the *chosen* notices, each with the event that it refers to, from the cards or the outbox."""
    table, room, other = schema.notice, schema.room, schema.notice.alias()
    of_card = sa.select(sa.func.min(schema.card.c.event)).where(schema.card.c.notice_key == table.c.of)
    of_notice = sa.select(sa.func.min(other.c.event)).where(other.c.key == table.c.of)
    root = sa.func.coalesce(of_card.scalar_subquery(), of_notice.scalar_subquery())
    query = sa.select(table, root.label("root"), room.c.resumed).outerjoin(room, room.c.room == table.c.room)
    return query.where(table.c.id.in_(chosen))


def _claimed(row: sa.RowMapping, now: datetime, device: DeviceId) -> ClaimedNotice:
    """Return a notice ready to be sent.

    Raises:
        TypeError, ValueError, KeyError: another version of the program wrote it.
    """
    return ClaimedNotice(
        id=NoticeId(row["id"]),
        room=RoomId(row["room"]),
        txn=TxnId(row["txn"]),
        message=_addressed(message_of(row["message"]), row["lane"], row["root"]),
        attempts=row["attempts"] + 1,
        written_at=row["created_at"],
        first_tried=row["first_tried"] or now,
        first_device=DeviceId(row["first_device"] or device),
        resumed=row["resumed"] or 0,
    )


def _addressed(message: Message, lane: int, event: str | None) -> Message:
    """Return *message* with the event that it refers to or edits, as known now."""
    if event is None:
        return message
    root = EventId(event)
    return replace(message, edits=root) if lane == Lane.EDIT else replace(message, thread=root)
