"""Stores what a session must not forget: the `SessionMemory` port, in the database and in memory.

In the database, the outcome of a sync is one transaction with the inbox and the outbox.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import structlog

from bot.ids import EventId, NoticeKey, RoomId, UserId
from bot.matrix.model import Invitation
from bot.notices.notice import Notice
from bot.store.inbox_book import InboxMessage
from bot.store.session_book import StoredInvitation
from bot.store.store import Store, Transaction

MAX_UNASKED = 10  # answers that may wait for a person before welcomes and the like are left out
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """What somebody said in a room; *sent_at* is UTC.

    *thread* is the root of the thread it was said in, *replies_to* the event that it answers; None where there is none.
    """

    room: RoomId
    event: EventId
    sender: UserId
    body: str
    sent_at: datetime
    thread: EventId | None = None
    replies_to: EventId | None = None


@dataclass(frozen=True, slots=True)
class SessionUpdate:
    """What follows from one answer or one step, to be kept together or not at all.

    *since* None leaves the token as it is; *settled* are rooms whose invitation needs nothing more; *crowded* were
    direct chats, and are rooms like any other since a third person is there; *alone* are rooms that everybody else
    left, *accompanied* those where somebody is again, or that we left too; *partners* are new direct chats with who
    asked us in, whose earlier chats they take the place of; *encrypted* are rooms known to be encrypted, with the
    algorithm as their state tells it; *moved* are a room and the one in its
    place; *left* are those that we went out of by ourselves; *named* are configured rooms with their ids; *redacted*
    are events that somebody took back; *skipped* are rooms that are too large to be read, until a time (UTC).
    """

    since: str | None = None
    heard: tuple[IncomingMessage, ...] = ()
    notices: tuple[Notice, ...] = ()
    invited: tuple[Invitation, ...] = ()
    settled: tuple[RoomId, ...] = ()
    direct: tuple[RoomId, ...] = ()
    crowded: tuple[RoomId, ...] = ()
    alone: tuple[RoomId, ...] = ()
    accompanied: tuple[RoomId, ...] = ()
    partners: tuple[tuple[RoomId, UserId], ...] = ()
    encrypted: tuple[tuple[RoomId, str], ...] = ()
    resumed: tuple[RoomId, ...] = ()
    suspended: tuple[RoomId, ...] = ()
    left: tuple[RoomId, ...] = ()
    moved: tuple[tuple[RoomId, RoomId], ...] = ()
    named: tuple[tuple[str, RoomId], ...] = ()
    redacted: tuple[tuple[RoomId, EventId], ...] = ()
    skipped: tuple[tuple[RoomId, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class StoredSession:
    """Where a session goes on; *since* None: it never began."""

    since: str | None = None
    invitations: tuple[Invitation, ...] = ()
    direct: frozenset[RoomId] = frozenset()
    suspended: frozenset[RoomId] = frozenset()
    alone: frozenset[RoomId] = frozenset()
    encrypted: Mapping[RoomId, str] = field(default_factory=dict)
    skipped: Mapping[RoomId, datetime] = field(default_factory=dict)


class SessionMemory(Protocol):
    """Keeps what a session takes."""

    async def remembered(self) -> StoredSession:
        """What was kept."""

    async def take(self, taken: SessionUpdate) -> None:
        """Keep all of it in one transaction.

        What was heard before (same room and event) is left as it is, and so is a notice whose key is there already;
        an invitation stands until it is settled, a suspended room until it is resumed. What is kept of a room that
        was moved is of the other from then on, before anything else is taken. A card that was redacted is edited no
        more.
        """


@dataclass
class InMemorySession:
    """A memory that lasts as long as the process."""

    since: str | None = None
    heard: list[IncomingMessage] = field(default_factory=list)
    notices: dict[NoticeKey, Notice] = field(default_factory=dict)
    invitations: dict[RoomId, Invitation] = field(default_factory=dict)
    direct: set[RoomId] = field(default_factory=set)
    suspended: set[RoomId] = field(default_factory=set)
    alone: set[RoomId] = field(default_factory=set)
    encrypted: dict[RoomId, str] = field(default_factory=dict)
    moved: list[tuple[RoomId, RoomId]] = field(default_factory=list)
    named: dict[str, RoomId] = field(default_factory=dict)
    redacted: set[tuple[RoomId, EventId]] = field(default_factory=set)
    skipped: dict[RoomId, datetime] = field(default_factory=dict)
    takes: int = 0
    before_take: Callable[[SessionUpdate], None] = lambda _: None  # may raise what a database would
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def remembered(self) -> StoredSession:
        """What was kept."""
        kept = tuple(self.invitations.values())
        return StoredSession(
            self.since,
            kept,
            frozenset(self.direct),
            frozenset(self.suspended),
            frozenset(self.alone),
            encrypted=dict(self.encrypted),
            skipped=dict(self.skipped),
        )

    async def take(self, taken: SessionUpdate) -> None:
        """Keep it."""
        self.before_take(taken)
        known = {(heard.room, heard.event) for heard in self.heard}
        self.since = taken.since or self.since
        self.heard += [heard for heard in taken.heard if (heard.room, heard.event) not in known]
        for notice in taken.notices:
            self.notices.setdefault(notice.key, notice)
        self.invitations |= {invitation.room: invitation for invitation in taken.invited}
        for room in taken.settled:
            self.invitations.pop(room, None)
        for old, new in taken.moved:
            for rooms in (self.direct, self.suspended):
                if old in rooms:
                    rooms.remove(old)
                    rooms.add(new)
        self.direct = (self.direct | set(taken.direct)) - set(taken.crowded)
        self.suspended = (self.suspended | set(taken.suspended)) - set(taken.resumed)
        self.alone = (self.alone | set(taken.alone)) - set(taken.accompanied)
        self.encrypted |= dict(taken.encrypted)
        self.moved += taken.moved
        self.named |= dict(taken.named)
        self.redacted |= set(taken.redacted)
        self.skipped |= dict(taken.skipped)
        self.takes += 1
        async with self._changed:
            self._changed.notify_all()

    async def until(self, claim: Callable[[], bool]) -> None:
        """Return when *claim* holds; it is looked at whenever something was taken."""
        async with self._changed:
            await self._changed.wait_for(claim)

    def bodies(self) -> list[str]:
        """What was heard, in order."""
        return [heard.body for heard in self.heard]


class DatabaseSession:
    """A memory that outlasts the process; *took* hears of everything once it is kept, *doubts* of what may be."""

    def __init__(
        self,
        store: Store,
        user: UserId,
        took: Callable[[SessionUpdate], None] = lambda _: None,
        doubts: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._user = user
        self._took = took
        self._doubts = doubts

    async def remembered(self) -> StoredSession:
        """What was kept."""
        async with self._store.transaction() as tx:
            kept = await tx.session.kept(self._user)
        asked = tuple(Invitation(each.room, each.inviter, each.direct) for each in kept.invitations)
        return StoredSession(
            kept.since, asked, kept.direct, kept.suspended, kept.alone, encrypted=kept.encrypted, skipped=kept.skipped
        )

    async def take(self, taken: SessionUpdate) -> None:
        """Keep it."""
        try:
            taken = await self._kept(taken)
        except BaseException:
            self._doubts()
            raise
        self._took(taken)

    async def _kept(self, taken: SessionUpdate) -> SessionUpdate:
        """Keep it, with the direct chats that others took the place of."""
        async with self._store.transaction() as tx:
            former = await self._former_chats(tx, taken.partners)
            taken = replace(taken, moved=(*taken.moved, *former), resumed=(*taken.resumed, *(new for _, new in former)))
            await self._keep_rooms(tx, taken)
            for invitation in taken.invited:
                await tx.session.invited(StoredInvitation(invitation.room, invitation.inviter, invitation.direct))
            for room in taken.settled:
                await tx.session.settled(room)
            for heard in taken.heard:
                await tx.inbox.add(_said(heard))
            await tx.outbox.add(await self._bearable(tx, taken.notices))
            for room, event in taken.redacted:
                if (card := await tx.cards.redacted(room, event)) is not None:
                    await tx.outbox.forget_about(card)
            if taken.since is not None:
                await tx.session.go_on(self._user, taken.since)
        return taken

    async def _bearable(self, tx: Transaction, notices: Sequence[Notice]) -> list[Notice]:
        """Leave out welcomes and requests to send again for people for whom enough waits to be sent."""
        if not notices:
            return []
        unsent = (await tx.outbox.unsent_answers()).people
        bearable: list[Notice] = []
        for notice in notices:
            if notice.asked_by is not None and unsent[notice.asked_by] >= MAX_UNASKED:
                _log.warning("notice.left_out", key=notice.key, person=notice.asked_by, unsent=unsent[notice.asked_by])
                continue
            bearable.append(notice)
            if notice.asked_by is not None:
                unsent[notice.asked_by] += 1
        return bearable

    async def _former_chats(
        self, tx: Transaction, partners: Iterable[tuple[RoomId, UserId]]
    ) -> list[tuple[RoomId, RoomId]]:
        """The direct chats of the same person that each of the new ones takes the place of."""
        return [(old, chat) for chat, person in partners for old in await tx.subscriptions.former_chats(person, chat)]

    async def _keep_rooms(self, tx: Transaction, taken: SessionUpdate) -> None:
        """How the rooms stand; before the notices, for these wait where a room is suspended."""
        for old, new in taken.moved:
            await tx.session.move(old, new)
        for room, until in taken.skipped:
            await tx.session.skip(room, until)
        await self._keep_company(tx, taken)
        for room in (each for each in taken.suspended if each not in taken.resumed):
            await tx.session.suspend(room)
        for room in taken.left:
            await tx.session.left(room)
        for room, algorithm in taken.encrypted:
            await tx.session.encrypted(room, algorithm)
        for room in taken.resumed:
            await tx.session.resume(room)
        for name, room in taken.named:
            await tx.session.called(name, room)

    async def _keep_company(self, tx: Transaction, taken: SessionUpdate) -> None:
        """Who else is in the rooms."""
        for room in taken.direct:
            await tx.session.is_direct(room)
        for room in taken.crowded:
            await tx.session.is_direct(room, direct=False)
        for room in taken.alone:
            await tx.session.is_alone(room)
        for room in taken.accompanied:
            await tx.session.is_alone(room, alone=False)


def _said(heard: IncomingMessage) -> InboxMessage:
    return InboxMessage(
        heard.room, heard.event, heard.sender, heard.body, heard.sent_at, heard.thread, heard.replies_to
    )
