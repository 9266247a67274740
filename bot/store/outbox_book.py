"""The outbox and the cards: what is to be said, and what was said."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import DeviceId, NoticeId, NoticeKey, RoomId, UserId
from bot.notices.notice import (
    Choose,
    ClaimedNotice,
    Dead,
    Lane,
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
from bot.store.book import drop_batch
from bot.store.card_book import CardBook
from bot.store.claims import OPEN, attempts, has_event, heads, is_due, read_heads

KEEP_SAID = timedelta(days=7)
KEEP_UNSENT = timedelta(days=180)  # what was given up or is kept for a room; as long as what it tells of is known
_HUNG_ON_IT = "what it belongs to was given up"


@dataclass(frozen=True, slots=True)
class Unsent:
    """A notice that is not sent, as an operator sees it; times are UTC."""

    id: NoticeId
    key: NoticeKey
    room: RoomId
    state: NoticeState
    attempts: int
    created_at: datetime
    next_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class UnsentAnswers:
    """How many answers wait to be sent to each person, and in each room; those of rooms that refuse them only there."""

    people: Counter[UserId]
    rooms: Counter[RoomId]


@dataclass(frozen=True, slots=True)
class Claim:
    """The *notices* that are to be sent now, and when the next of another room may be (UTC); None without any."""

    notices: list[ClaimedNotice]
    next_at: datetime | None


class OutboxBook:
    """The outbox's part of one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime, cards: CardBook) -> None:
        self._connection = connection
        self._now = now
        self._cards = cards

    async def add(self, notices: Sequence[Notice]) -> None:
        """Write notices down, in this order; one whose key is there already is left as it is.

        Those for a suspended room wait with the others there; what hangs on a card that was taken back is not said.
        """
        table, of_room = schema.notice, schema.room
        for notice in notices:
            known = sa.exists().where(table.c.key == notice.key).label("is_known")
            suspended = sa.exists().where(of_room.c.room == notice.room, of_room.c.suspended.is_(True))
            there = (await self._connection.execute(sa.select(known, suspended.label("is_suspended")))).one()
            if there.is_known:
                continue
            if notice.of is None or not await self._cards.is_dead(notice.of):
                state = NoticeState.SUSPENDED if there.is_suspended else NoticeState.WAITING
                await self._connection.execute(sa.insert(table).values(_row(notice, self._now) | {"state": state}))

    async def edit(self, notice: Notice) -> bool:
        """Write an edit down; False where one that was not tried yet, or else the card itself, says this instead."""
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
        """Say nothing more that hangs on a notice or changes it."""
        table = schema.notice
        where = (table.c.of == key, table.c.state != NoticeState.DONE)
        await self._connection.execute(sa.delete(table).where(*where))

    async def suspend(self, room: RoomId) -> None:
        """Keep what is to be said in a room until it may be said."""
        table = schema.notice
        where = (table.c.room == room, table.c.state.in_(OPEN))
        await self._connection.execute(sa.update(table).where(*where).values(state=NoticeState.SUSPENDED))

    async def resume(self, room: RoomId) -> None:
        """What was kept for a room is due now."""
        table = schema.notice
        of_room = (table.c.room == room, table.c.state == NoticeState.SUSPENDED)
        for was_tried, state in (
            (table.c.attempts == 0, NoticeState.WAITING),
            (table.c.attempts > 0, NoticeState.TRIED),
        ):
            values = {"state": state, "next_at": self._now}
            await self._connection.execute(sa.update(table).where(*of_room, was_tried).values(values))

    async def move(self, old: RoomId, new: RoomId) -> None:
        """What is still to be said in a room is said in another from now on.

        An attempt in the old room says nothing of the new one, and so does not count there. What hangs on an event of
        the old room, or changes it, is not said any more.
        """
        notice = schema.notice
        hangs = (notice.c.room == old, notice.c.state != NoticeState.DONE, notice.c.of.is_not(None))
        await self._connection.execute(sa.delete(notice).where(*hangs, has_event(notice.c.of)))
        still_open = (notice.c.room == old, notice.c.state.in_((*OPEN, NoticeState.SUSPENDED)))
        tried = sa.update(notice).where(*still_open, notice.c.state == NoticeState.TRIED)
        await self._connection.execute(tried.values(state=NoticeState.WAITING))
        fresh = {"room": new, "attempts": 0, "first_tried": None, "first_device": None, "next_at": self._now}
        await self._connection.execute(sa.update(notice).where(*still_open).values(fresh))

    async def claim(
        self, limit: int, device: DeviceId, busy: Collection[RoomId] = (), choose: Choose = in_order
    ) -> Claim:
        """Take up to *limit* notices that may be sent now, one a room at most, none of *busy* rooms; note the attempt.

        In a lane of a room only its oldest open notice may go, among answers the oldest of each person; *choose*
        says which. One that cannot be read, written by another version of this program, is dead and holds nobody up.
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
        """Write down how an attempt ended; False, and nothing is written, where the notice has another room by now."""
        match outcome:
            case Sent(event):
                values: dict[str, object] = {"state": NoticeState.DONE, "event": event, "settled_at": self._now}
            case RetryAt(at, reason):
                values = {"next_at": at, "reason": reason}
            case Suspend(reason):
                values = {"state": NoticeState.SUSPENDED, "reason": reason}
            case Dead(reason):
                values = {"state": NoticeState.DEAD, "reason": reason, "settled_at": self._now}
        table = schema.notice
        where = (table.c.id == notice.id, table.c.room == notice.room)
        is_there = bool((await self._connection.execute(sa.update(table).where(*where).values(values))).rowcount)
        if is_there and isinstance(outcome, Sent):
            await self._cards.came(notice.room, notice.message.tag.key, outcome.event)
        if is_there and isinstance(outcome, Dead):
            await self._give_up_what_hangs_on(notice.message.tag.key)
            await self._cards.tell_versions(notice.room, notice.message.tag.key)
        return is_there

    async def next_at(self, busy: Collection[RoomId] = ()) -> datetime | None:
        """When the next notice of a room that is not *busy* may be claimed; None when all is said there.

        What waits behind another notice of its lane does not count, however long it has been due.
        """
        table, now = schema.notice, sa.literal(self._now, columns.Utc())
        moment_of = sa.case((sa.and_(is_due(self._now), table.c.next_at > now), now), else_=table.c.next_at)
        query = sa.select(sa.func.min(moment_of, type_=columns.Utc())).where(table.c.id.in_(heads(busy)))
        moment: datetime | None = (await self._connection.execute(query)).scalar_one()
        return moment

    async def last_reply(self, card: NoticeKey, since: datetime) -> datetime | None:
        """When the last reply below a *card* was written, if that was at *since* or later; both UTC."""
        table = schema.notice
        last = sa.select(sa.func.max(table.c.created_at)).where(
            table.c.of == card, table.c.lane == Lane.REPLY, table.c.created_at >= since
        )
        found: datetime | None = (await self._connection.execute(last)).scalar_one()
        return found

    async def tidy(self) -> bool:
        """Drop a batch of what was said a week ago, and of what will not be; whether there may be more of it.

        The cards remember what they need. What was given up stays for an operator to see, and what is kept for a room
        waits for it: answers for a week, for nobody waits longer for one, all else for half a year.
        """
        table = schema.notice
        old = table.c.settled_at < self._now - KEEP_SAID
        said = await drop_batch(self._connection, table, table.c.state == NoticeState.DONE, old)
        return await self._tidy_unsent() or said

    async def _tidy_unsent(self) -> bool:
        table, written = schema.notice, schema.notice.c.created_at
        is_old = sa.or_(
            written < self._now - KEEP_UNSENT,
            sa.and_(table.c.lane == Lane.ANSWER, written < self._now - KEEP_SAID),
        )
        old = (table.c.state.in_((NoticeState.DEAD, NoticeState.SUSPENDED)), is_old)
        hangs = table.c.of.in_(sa.select(table.c.key).where(*old))
        await self._connection.execute(sa.delete(table).where(hangs, table.c.state != NoticeState.DONE))
        return await drop_batch(self._connection, table, *old)

    async def count(self) -> Mapping[NoticeState, int]:
        """How many notices stand where."""
        table = schema.notice
        query = sa.select(table.c.state, sa.func.count()).group_by(table.c.state)
        return {NoticeState(state): count for state, count in await self._connection.execute(query)}

    async def unsent(self, ids: Collection[int] | None = None) -> list[Unsent]:
        """The notices that are not sent, in the order of writing; of *ids* only, where given."""
        table = schema.notice
        shown = [table.c[name.name] for name in fields(Unsent)]
        query = sa.select(*shown).where(table.c.state != NoticeState.DONE).order_by(table.c.id)
        if ids is not None:
            query = query.where(table.c.id.in_(ids))
        return [_unsent(row) for row in (await self._connection.execute(query)).mappings()]

    async def retry(self, ids: Collection[NoticeId]) -> None:
        """Make notices that are not sent due now; what was tried before is looked up as after any unknown outcome."""
        table = schema.notice
        wanted = (table.c.id.in_(ids), table.c.state != NoticeState.DONE)
        was_tried = sa.case((table.c.attempts > 0, NoticeState.TRIED), else_=NoticeState.WAITING)
        values = {"state": was_tried, "next_at": self._now, "settled_at": None, "reason": None}
        await self._connection.execute(sa.update(table).where(*wanted).values(values))

    async def drop(self, ids: Collection[NoticeId]) -> None:
        """Forget notices that are not sent, and what hangs on them; their cards stay known and are not written anew."""
        table = schema.notice
        meant = (table.c.id.in_(ids), table.c.state != NoticeState.DONE)
        for key in (await self._connection.execute(sa.select(table.c.key).where(*meant))).scalars().all():
            await self.forget_about(NoticeKey(key))
        await self._connection.execute(sa.delete(table).where(*meant))

    async def unsent_answers(self) -> UnsentAnswers:
        """Count the answers that are not sent yet."""
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
        """What is still to be said, in numbers."""
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
            suspended_since=await moment(first, NoticeState.SUSPENDED),
            given_up=await moment(last, NoticeState.DEAD),
        )

    async def waiting_since(self, edges: Sequence[datetime]) -> list[int]:
        """How many notices that wait were written since each of the *edges*, latest first, and how many before all.

        Each counts once, behind the first edge that it is not older than.
        """
        created = schema.notice.c.created_at
        group = sa.case(*((created >= edge, place) for place, edge in enumerate(edges)), else_=len(edges))
        query = sa.select(group.label("place"), sa.func.count()).where(schema.notice.c.state.in_(OPEN))
        counts: dict[int, int] = {}
        counts.update((place, count) for place, count in await self._connection.execute(query.group_by("place")))
        return [counts.get(place, 0) for place in range(len(edges) + 1)]

    async def resumed(self, room: RoomId) -> int:
        """How often a room has let us again."""
        query = sa.select(schema.room.c.resumed).where(schema.room.c.room == room)
        return (await self._connection.execute(query)).scalar_one_or_none() or 0

    async def _bury(self, key: NoticeKey, reason: str) -> None:
        table = schema.notice
        values = {"state": NoticeState.DEAD, "reason": reason, "settled_at": self._now}
        await self._connection.execute(sa.update(table).where(table.c.key == key).values(values))

    async def _give_up_what_hangs_on(self, key: NoticeKey) -> None:
        """What waits for an event that never comes is dead, too; an operator may retry all of it."""
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


def _unsent(row: sa.RowMapping) -> Unsent:
    return Unsent(
        id=NoticeId(row["id"]),
        key=NoticeKey(row["key"]),
        room=RoomId(row["room"]),
        state=NoticeState(row["state"]),
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_at=row["next_at"],
        reason=row["reason"] or "",
    )
