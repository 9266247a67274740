"""Storage of the outbox: notices to be sent, and recently sent ones."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import DeviceId, NoticeId, NoticeKey, RoomId, UserId
from bot.notices.notice import (
    Choose,
    ClaimedNotice,
    Dead,
    Lane,
    Message,
    Notice,
    NoticeState,
    Outcome,
    RetryAt,
    Sent,
    Suspend,
    in_order,
    txn_id,
)
from bot.notices.status import QueueStatus
from bot.store import columns, schema
from bot.store.book import BATCH, drop_batch
from bot.store.card_book import CardBook
from bot.store.engine import UNNOTED
from bot.store.notice_claims import HAS_EVENT, HEADS, NEXT_AT, OPEN, attempts, moments, read_heads

KEEP_SAID = timedelta(days=7)
KEEP_UNSENT = timedelta(days=180)  # dead and suspended notices, as long as their submissions are stored
_HUNG_ON_IT = "what it belongs to was given up"
_NOTICE, _ROOM = schema.notice, schema.room
_STORED: Final = sa.select(
    sa.exists().where(_NOTICE.c.key == sa.bindparam("of_key")).label("is_known"),
    sa.exists().where(_ROOM.c.room == sa.bindparam("of_room"), _ROOM.c.suspended.is_(True)).label("is_suspended"),
)
_SETTLE: Final = (
    sa.update(_NOTICE)
    .where(_NOTICE.c.id == sa.bindparam("of_id"), _NOTICE.c.room == sa.bindparam("of_room"))
    .execution_options(**UNNOTED)  # the sender looks for the next notice anyway
)


@dataclass(frozen=True, slots=True)
class Unsent:
    """An unsent notice, as shown to an operator; times are UTC.

    *after* is the unsent notice that is sent before it, in the same room and lane, or because it belongs to that one;
    None if there is none, or if it is suspended or dead.
    """

    id: NoticeId
    key: NoticeKey
    room: RoomId
    state: NoticeState
    attempts: int
    created_at: datetime
    next_at: datetime
    reason: str
    after: NoticeId | None = None


@dataclass(frozen=True, slots=True)
class UnsentAnswers:
    """The numbers of unsent answers, by person and by room; those of suspended rooms count only by room."""

    people: Counter[UserId]
    rooms: Counter[RoomId]


@dataclass(frozen=True, slots=True)
class Claim:
    """The *notices* to send now, and when the next notice of another room may be sent (UTC); None if there is none."""

    notices: list[ClaimedNotice]
    next_at: datetime | None


class OutboxBook:
    """The outbox in one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime, cards: CardBook) -> None:
        self._connection = connection
        self._now = now
        self._cards = cards

    async def add(self, notices: Sequence[Notice]) -> None:
        """Store notices, in this order, except for those whose keys are stored already.

        Those for a suspended room are suspended, too; those that belong to a redacted card are dropped.
        """
        for notice in notices:
            stored = (await self._connection.execute(_STORED, {"of_key": notice.key, "of_room": notice.room})).one()
            if stored.is_known:
                continue
            if notice.of is None or not await self._cards.is_dead(notice.of):
                state = NoticeState.SUSPENDED if stored.is_suspended else NoticeState.WAITING
                await self._connection.execute(sa.insert(_NOTICE), _row(notice, self._now) | {"state": state})

    async def edit(self, notice: Notice) -> bool:
        """Store an edit; return False if an untried edit, or the untried card itself, was changed instead."""
        table = schema.notice
        says = sa.or_(sa.and_(table.c.of == notice.of, table.c.lane == Lane.EDIT), table.c.key == notice.of)
        untried = (table.c.attempts == 0, table.c.state.in_((NoticeState.WAITING, NoticeState.SUSPENDED)))
        query = sa.select(table.c.id, table.c.key).where(says, *untried).order_by(table.c.lane.desc()).limit(1)
        row = (await self._connection.execute(query)).first()
        if row is None:
            await self.add([notice])
            return True
        message = replace(notice.message, tag=replace(notice.message.tag, key=NoticeKey(row.key)))
        values = {"message": asdict(message)}
        await self._connection.execute(sa.update(table).where(table.c.id == row.id).values(values))
        return False

    async def forget_about(self, key: NoticeKey) -> None:
        """Delete the unsent notices that refer to the notice with *key* or edit it."""
        table = schema.notice
        where = (table.c.of == key, table.c.state != NoticeState.DONE)
        await self._connection.execute(sa.delete(table).where(*where))

    async def suspend(self, room: RoomId) -> None:
        """Suspend the open notices of a room."""
        table = schema.notice
        where = (table.c.room == room, table.c.state.in_(OPEN))
        await self._connection.execute(sa.update(table).where(*where).values(state=NoticeState.SUSPENDED))

    async def resume(self, room: RoomId) -> None:
        """Make the suspended notices of a room due now."""
        table = schema.notice
        of_room = (table.c.room == room, table.c.state == NoticeState.SUSPENDED)
        for was_tried, state in (
            (table.c.attempts == 0, NoticeState.WAITING),
            (table.c.attempts > 0, NoticeState.TRIED),
        ):
            values = {"state": state, "next_at": self._now}
            await self._connection.execute(sa.update(table).where(*of_room, was_tried).values(values))

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Move the unsent notices of a room to another one.

        Attempts in the old room do not count in the new one. Notices that refer to an event of the old room, or edit
        it, are deleted.
        """
        notice = schema.notice
        hangs = (notice.c.room == old, notice.c.state != NoticeState.DONE, notice.c.of.is_not(None))
        await self._connection.execute(sa.delete(notice).where(*hangs, HAS_EVENT))
        still_open = (notice.c.room == old, notice.c.state.in_((*OPEN, NoticeState.SUSPENDED)))
        tried = sa.update(notice).where(*still_open, notice.c.state == NoticeState.TRIED)
        await self._connection.execute(tried.values(state=NoticeState.WAITING))
        fresh = {"room": new, "attempts": 0, "first_tried": None, "first_device": None, "next_at": self._now}
        await self._connection.execute(sa.update(notice).where(*still_open).values(fresh))

    async def claim(
        self, limit: int, device: DeviceId, busy: Collection[RoomId] = (), choose: Choose = in_order
    ) -> Claim:
        """Claim up to *limit* notices that may be sent now, one per room, none of *busy* rooms; count the attempt.

        In each lane of a room only the oldest open notice is a candidate, of answers the oldest of each person;
        *choose* selects from them. A notice that cannot be read, because another version of this program wrote it,
        becomes dead.
        """
        waiting = await read_heads(self._connection, self._now, busy)
        if limit <= 0 or not waiting.may_go:
            return Claim([], waiting.next_without(()))
        chosen = [each.id for each in choose(waiting.may_go, limit)]
        tried = await attempts(self._connection, self._now, device, chosen)
        rooms = {notice.room for notice in tried.claimed}
        if not tried.unreadable:
            return Claim(list(tried.claimed), waiting.next_without(rooms))
        for key, reason in tried.unreadable.items():
            await self._bury(key, reason)
            await self._give_up_what_hangs_on(key)
        return Claim(list(tried.claimed), await self.next_at(rooms.union(busy)))

    async def settle(self, notice: ClaimedNotice, outcome: Outcome) -> bool:
        """Store the outcome of an attempt; do nothing and return False if the notice was moved to another room."""
        match outcome:
            case Sent(event):
                about = _without_text(notice.message)
                values: dict[str, object] = {"state": NoticeState.DONE, "event": event, "settled_at": self._now} | about
            case RetryAt(at, reason):
                values = {"next_at": at, "reason": reason}
            case Suspend(reason):
                values = {"state": NoticeState.SUSPENDED, "reason": reason}
            case Dead(reason):
                values = {"state": NoticeState.DEAD, "reason": reason, "settled_at": self._now}
        values |= {"of_id": notice.id, "of_room": notice.room}
        is_there = bool((await self._connection.execute(_SETTLE, values)).rowcount)
        if is_there and isinstance(outcome, Sent):
            await self._cards.set_event(notice.room, notice.message.tag.key, outcome.event)
        if is_there and isinstance(outcome, Dead):
            await self._give_up_what_hangs_on(notice.message.tag.key)
            await self._cards.mark_linked_versions(notice.room, notice.message.tag.key)
        return is_there

    async def next_at(self, busy: Collection[RoomId] = ()) -> datetime | None:
        """Return when the next notice of a room that is not *busy* may be claimed (UTC); None if there is none.

        Only the first notice of each lane counts, even if later ones are due.
        """
        moment: datetime | None = (await self._connection.execute(NEXT_AT, moments(self._now, busy))).scalar_one()
        return moment

    async def _due_since(self) -> datetime | None:
        """Return since when a notice may be claimed that was not; None if none may be claimed now."""
        table = schema.notice
        query = sa.select(sa.func.min(table.c.next_at, type_=columns.Utc)).where(table.c.id.in_(HEADS))
        moment: datetime | None = (await self._connection.execute(query, {"busy": []})).scalar_one()
        return moment if moment is not None and moment <= self._now else None

    async def last_reply(self, card: NoticeKey, since: datetime) -> datetime | None:
        """Return when the last reply in a *card*'s thread was stored (UTC); None if that was before *since*."""
        table = schema.notice
        last = sa.select(sa.func.max(table.c.created_at)).where(
            table.c.of == card, table.c.lane == Lane.REPLY, table.c.created_at >= since
        )
        stored_at: datetime | None = (await self._connection.execute(last)).scalar_one()
        return stored_at

    async def tidy(self) -> bool:
        """Delete a batch of notices that were sent a week ago or will never be; return whether there may be more.

        The cards have the data that they need. Dead notices are kept for an operator, and suspended ones for their
        room: answers for a week, because nobody waits longer for one, others for half a year.
        """
        table = schema.notice
        old = table.c.settled_at < self._now - KEEP_SAID
        more = await drop_batch(self._connection, table, table.c.state == NoticeState.DONE, old)
        return await self._tidy_unsent() or more

    async def _tidy_unsent(self) -> bool:
        table, written = schema.notice, schema.notice.c.created_at
        answers = sa.and_(table.c.lane == Lane.ANSWER, written < self._now - KEEP_SAID)
        is_old = sa.or_(answers, written < self._now - KEEP_UNSENT)
        old = (table.c.state.in_((NoticeState.DEAD, NoticeState.SUSPENDED)), is_old)
        some = sa.select(table.c.id, table.c.key).where(*old).limit(BATCH)
        rows = (await self._connection.execute(some)).all()
        hangs = (table.c.of == sa.bindparam("of_key"), table.c.state != NoticeState.DONE)
        if rows:
            await self._connection.execute(sa.delete(table).where(*hangs), [{"of_key": row.key} for row in rows])
            this = sa.delete(table).where(table.c.id == sa.bindparam("of_id"))
            await self._connection.execute(this, [{"of_id": row.id} for row in rows])
        return len(rows) >= BATCH

    async def count(self) -> Mapping[NoticeState, int]:
        """Return the number of notices in each state."""
        table = schema.notice
        query = sa.select(table.c.state, sa.func.count()).group_by(table.c.state)
        return {NoticeState(state): count for state, count in await self._connection.execute(query)}

    async def count_waiting(self, room: RoomId) -> int:
        """Return the number of notices that are to be sent to a room."""
        table = schema.notice
        query = sa.select(sa.func.count()).where(table.c.room == room, table.c.state.in_(OPEN))
        return (await self._connection.execute(query)).scalar_one()

    async def unsent(self, ids: Collection[int] | None = None) -> list[Unsent]:
        """Return the unsent notices, in the order of writing; only those with *ids*, if given."""
        table, root = schema.notice, schema.notice.alias()
        shown = [table.c[field.name] for field in fields(Unsent) if field.name in table.c]
        of = sa.select(root.c.id).where(root.c.key == table.c.of, root.c.state != NoticeState.DONE).scalar_subquery()
        turn = (table.c.lane, table.c.asked_by, of.label("root"))
        query = sa.select(*shown, *turn).where(table.c.state != NoticeState.DONE).order_by(table.c.id)
        rows = (await self._connection.execute(query)).mappings().all()
        first: dict[tuple[object, ...], int] = {}
        for row in rows:
            if row["state"] in OPEN and row["root"] is None:
                first.setdefault(_lane_of(row), row["id"])
        return [_unsent(row, first) for row in rows if ids is None or row["id"] in ids]

    async def retry(self, ids: Collection[NoticeId]) -> None:
        """Make unsent notices due now; those that were tried before count as attempts with unknown outcome."""
        table = schema.notice
        selected = (table.c.id.in_(ids), table.c.state != NoticeState.DONE)
        was_tried = sa.case((table.c.attempts > 0, NoticeState.TRIED), else_=NoticeState.WAITING)
        values = {"state": was_tried, "next_at": self._now, "settled_at": None, "reason": None}
        await self._connection.execute(sa.update(table).where(*selected).values(values))

    async def drop(self, ids: Collection[NoticeId]) -> None:
        """Delete unsent notices and those that refer to them; their cards remain stored and are not posted again."""
        table = schema.notice
        selected = (table.c.id.in_(ids), table.c.state != NoticeState.DONE)
        for key in (await self._connection.execute(sa.select(table.c.key).where(*selected))).scalars().all():
            await self.forget_about(NoticeKey(key))
        await self._connection.execute(sa.delete(table).where(*selected))

    async def unsent_answers(self) -> UnsentAnswers:
        """Return the numbers of unsent answers."""
        table = schema.notice
        unsent = (table.c.lane == Lane.ANSWER, table.c.state.in_((*OPEN, NoticeState.SUSPENDED)))
        groups = (table.c.room, table.c.asked_by, table.c.state)
        query = sa.select(*groups, sa.func.count()).where(*unsent).group_by(*groups)
        people, rooms = Counter[UserId](), Counter[RoomId]()
        for room, person, state, count in await self._connection.execute(query):
            rooms[RoomId(room)] += count
            if person is not None and state != NoticeState.SUSPENDED:
                people[UserId(person)] += count
        return UnsentAnswers(people, rooms)

    async def queue(self) -> QueueStatus:
        """Return the state of the outbox in numbers."""
        table = schema.notice
        counts = await self.count()
        first, last = (
            sa.func.min(table.c.created_at, type_=columns.Utc),
            sa.func.max(table.c.settled_at, type_=columns.Utc),
        )

        async def moment(which: sa.ColumnElement[datetime], *states: NoticeState) -> datetime | None:
            query = sa.select(which).where(table.c.state.in_(states))
            return (await self._connection.execute(query)).scalar_one()

        return QueueStatus(
            waiting=sum(counts.get(state, 0) for state in OPEN),
            oldest=await moment(first, *OPEN),
            suspended=counts.get(NoticeState.SUSPENDED, 0),
            dead=counts.get(NoticeState.DEAD, 0),
            next_at=await self.next_at(),
            due_since=await self._due_since(),
            suspended_since=await moment(first, NoticeState.SUSPENDED),
            given_up=await moment(last, NoticeState.DEAD),
        )

    async def waiting_since(self, edges: Sequence[datetime]) -> list[int]:
        """Return the number of open notices by age: since each of *edges* (latest first), and before all of them.

        A notice counts once, for the first edge that is not later than its creation.
        """
        created = schema.notice.c.created_at
        group = sa.case(*((created >= edge, place) for place, edge in enumerate(edges)), else_=len(edges))
        query = sa.select(group.label("place"), sa.func.count()).where(schema.notice.c.state.in_(OPEN))
        counts: dict[int, int] = {}
        counts.update((place, count) for place, count in await self._connection.execute(query.group_by("place")))
        return [counts.get(place, 0) for place in range(len(edges) + 1)]

    async def resumed(self, room: RoomId) -> int:
        """Return how often a room was resumed."""
        query = sa.select(schema.room.c.resumed).where(schema.room.c.room == room)
        return (await self._connection.execute(query)).scalar_one_or_none() or 0

    async def _bury(self, key: NoticeKey, reason: str) -> None:
        table = schema.notice
        values = {"state": NoticeState.DEAD, "reason": reason, "settled_at": self._now}
        await self._connection.execute(sa.update(table).where(table.c.key == key).values(values))

    async def _give_up_what_hangs_on(self, key: NoticeKey) -> None:
        """Mark the notices that refer to a dead notice as dead, too; an operator may retry them."""
        table = schema.notice
        values = {"state": NoticeState.DEAD, "reason": _HUNG_ON_IT, "settled_at": self._now}
        hangs = (table.c.of == key, table.c.state.in_((*OPEN, NoticeState.SUSPENDED)))
        await self._connection.execute(sa.update(table).where(*hangs).values(values))


def _row(notice: Notice, now: datetime) -> dict[str, object]:
    return {
        "key": notice.key,
        "txn": txn_id(notice.key),
        "room": notice.room,
        "lane": notice.lane,
        "of": notice.of,
        "asked_by": notice.asked_by,
        "message": asdict(notice.message),
        "state": NoticeState.WAITING,
        "attempts": 0,
        "created_at": now,
        "next_at": now,
    }


def _lane_of(row: sa.RowMapping) -> tuple[object, ...]:
    """Return what a notice shares with those that are sent in order."""
    return row["room"], row["lane"], row["asked_by"]


def _unsent(row: sa.RowMapping, first: Mapping[tuple[object, ...], int]) -> Unsent:
    """Return a row as an unsent notice; *first* is the notice that may be sent first of each lane."""
    after = row["root"] or first.get(_lane_of(row))
    is_open = row["state"] in OPEN
    return Unsent(
        after=NoticeId(after) if is_open and after is not None and after != row["id"] else None,
        id=NoticeId(row["id"]),
        key=NoticeKey(row["key"]),
        room=RoomId(row["room"]),
        state=NoticeState(row["state"]),
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_at=row["next_at"],
        reason=row["reason"] or "",
    )


def _without_text(message: Message) -> dict[str, object]:
    """Return the column of a message that was sent: what it was about, for those who reply to it."""
    tag = {name: value for name, value in asdict(message.tag).items() if value is not None}
    return {"message": {"body": "", "html": "", "rings": message.rings, "tag": tag}}
