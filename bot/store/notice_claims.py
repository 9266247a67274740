"""Claims of notices: selects those that may be sent now and records attempts, with few statements for any outbox.

The statements are constants: to build one takes longer than to execute it.
"""

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.backoff import LONGEST_REQUESTED
from bot.ids import DeviceId, EventId, NoticeId, NoticeKey, RoomId, TxnId
from bot.notices.notice import ClaimedNotice, Lane, Message, NoticeState, SendCandidate
from bot.store import columns, schema
from bot.store.engine import UNNOTED
from bot.store.rows import message_of

SEVERAL_DEVICES: Final = DeviceId("")  # in the place of the device that tried a notice first; no device is called so
OPEN = (NoticeState.WAITING, NoticeState.TRIED)


@dataclass(frozen=True, slots=True)
class Attempts:
    """The notices to send, and the keys of unreadable ones, which another version of the program wrote."""

    claimed: tuple[ClaimedNotice, ...]
    unreadable: dict[NoticeKey, str]


_NOTICE, _CARD, _ROOM = schema.notice, schema.card, schema.room
_SENT = schema.notice.alias()

HAS_EVENT: Final = sa.or_(
    sa.exists().where(_CARD.c.notice_key == _NOTICE.c.of, _CARD.c.event.is_not(None)),
    sa.exists().where(_SENT.c.key == _NOTICE.c.of, _SENT.c.event.is_not(None)),
)
"""The condition that the notice that a notice refers to has an event; sent notices are soon deleted."""

HEADS: Final = (
    sa.select(sa.func.min(_NOTICE.c.id))
    .where(
        _NOTICE.c.state.in_(OPEN),
        _NOTICE.c.room.not_in(sa.bindparam("busy", expanding=True)),
        sa.or_(_NOTICE.c.of.is_(None), HAS_EVENT),
    )
    .group_by(_NOTICE.c.room, _NOTICE.c.lane, _NOTICE.c.asked_by)
)
"""Selects the ids of the oldest open notice of each lane and person of rooms that are not busy, with `moments`."""

_NOW: Final = sa.bindparam("now", type_=columns.Utc())
IS_DUE: Final = sa.or_(
    _NOTICE.c.state == NoticeState.WAITING,
    _NOTICE.c.next_at <= _NOW,
    _NOTICE.c.next_at > sa.bindparam("latest", type_=columns.Utc()),
)
"""The condition that a notice may be tried now, even if the clock was set back, with `moments`."""

_MOMENT = sa.case((sa.and_(IS_DUE, _NOTICE.c.next_at > _NOW), _NOW), else_=_NOTICE.c.next_at)
NEXT_AT: Final = sa.select(sa.func.min(_MOMENT, type_=columns.Utc())).where(_NOTICE.c.id.in_(HEADS))
"""Selects when the next notice may be tried, now if it may be already, with `moments`."""

_READ_HEADS: Final = (
    sa.select(
        *(_NOTICE.c[name] for name in ("id", "room", "lane", "asked_by", "next_at")),
        IS_DUE.label("may_go"),
    )
    .where(_NOTICE.c.id.in_(HEADS))
    .order_by(_NOTICE.c.lane, _NOTICE.c.id)
)
_TRY: Final = (
    sa.update(_NOTICE)
    .where(_NOTICE.c.id.in_(sa.bindparam("ids", expanding=True)))
    .values(
        state=NoticeState.TRIED,
        attempts=_NOTICE.c.attempts + 1,
        first_tried=sa.func.coalesce(_NOTICE.c.first_tried, _NOW),
        first_device=sa.case(
            (_NOTICE.c.first_device.is_(None), sa.bindparam("device")),
            (_NOTICE.c.first_device == sa.bindparam("device"), _NOTICE.c.first_device),
            else_=SEVERAL_DEVICES,
        ),
    )
    .execution_options(**UNNOTED)
)


def _whole() -> sa.Select[tuple[object, ...]]:
    """Select some notices, each with the event that it refers to, from the cards or the outbox."""
    of_card = sa.select(sa.func.min(_CARD.c.event)).where(_CARD.c.notice_key == _NOTICE.c.of)
    of_notice = sa.select(sa.func.min(_SENT.c.event)).where(_SENT.c.key == _NOTICE.c.of)
    root = sa.func.coalesce(of_card.scalar_subquery(), of_notice.scalar_subquery())
    query = sa.select(_NOTICE, root.label("root"), _ROOM.c.resumed).outerjoin(_ROOM, _ROOM.c.room == _NOTICE.c.room)
    return query.where(_NOTICE.c.id.in_(sa.bindparam("ids", expanding=True)))


_WHOLE: Final = _whole()


@dataclass(frozen=True, slots=True)
class Heads:
    """The oldest open notice per lane and person of some rooms: those that *may_go* now, and when each may, by room."""

    may_go: tuple[SendCandidate, ...]
    next_at: tuple[tuple[RoomId, datetime], ...]

    def next_without(self, rooms: Container[RoomId]) -> datetime | None:
        """Return when the next notice outside of *rooms* may be sent; None if there is none."""
        return min((at for room, at in self.next_at if room not in rooms), default=None)


def moments(now: datetime, busy: Collection[RoomId] = ()) -> dict[str, object]:
    """Return the values of `HEADS` and `IS_DUE` at *now* (UTC), without *busy* rooms."""
    return {"now": now, "latest": now + LONGEST_REQUESTED, "busy": list(busy)}


async def read_heads(connection: AsyncConnection, now: datetime, busy: Collection[RoomId]) -> Heads:
    """Return the oldest open notices of rooms that are not *busy*; those due at *now* (UTC) by lane and age."""
    rows = (await connection.execute(_READ_HEADS, moments(now, busy))).all()
    may_go = (
        SendCandidate(NoticeId(row.id), RoomId(row.room), Lane(row.lane), row.asked_by) for row in rows if row.may_go
    )
    next_at = ((RoomId(row.room), min(row.next_at, now) if row.may_go else row.next_at) for row in rows)
    return Heads(tuple(may_go), tuple(next_at))


async def attempts(
    connection: AsyncConnection, now: datetime, device: DeviceId, chosen: Sequence[NoticeId]
) -> Attempts:
    """Record that *device* tries the *chosen* notices at *now* (UTC), and return them in that order."""
    by_id = {row["id"]: row for row in (await connection.execute(_WHOLE, {"ids": list(chosen)})).mappings()}
    claimed: list[ClaimedNotice] = []
    unreadable: dict[NoticeKey, str] = {}
    for row in (by_id[number] for number in chosen):
        try:
            claimed.append(_claimed(row, now, device))
        except (TypeError, ValueError, KeyError) as error:
            unreadable[NoticeKey(row["key"])] = f"cannot be read: {error}"
    tried = [notice.id for notice in claimed]
    await connection.execute(_TRY, {"ids": tried, "now": now, "device": device})
    return Attempts(tuple(claimed), unreadable)


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
        first_device=device if row["first_device"] is None else DeviceId(row["first_device"]),
        resumed=row["resumed"] or 0,
    )


def _addressed(message: Message, lane: int, event: str | None) -> Message:
    """Return *message* with the event that it refers to or edits, as known now."""
    if event is None:
        return message
    root = EventId(event)
    return replace(message, edits=root) if lane == Lane.EDIT else replace(message, thread=root)
