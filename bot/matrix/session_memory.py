"""Stores what a session needs after a restart: the `SessionMemory` port, in the database and in memory.

In the database, the outcome of a sync is one transaction with the inbox and the outbox.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, assert_never

import structlog

from bot.ids import EventId, NoticeKey, RoomId, UserId
from bot.matrix.model import Invitation
from bot.matrix.session_update import (
    BotBecameAlone,
    BotNoLongerAlone,
    ConfiguredRoomJoined,
    DirectChatOpened,
    EventRedacted,
    InvitationReceived,
    InvitationSettled,
    MembershipState,
    MessageReceived,
    NoticeQueued,
    RoomBecameDirect,
    RoomEncrypted,
    RoomLeft,
    RoomMoved,
    RoomNoLongerDirect,
    RoomResumed,
    RoomSkipped,
    RoomSuspended,
    SessionEvent,
    SessionUpdate,
    WelcomeDue,
)
from bot.notices.notice import Notice
from bot.store.inbox_book import ARRIVAL, InboxMessage
from bot.store.session_book import StoredInvitation
from bot.store.store import Store, Transaction

MAX_UNASKED = 10  # unsent answers to a person, above which welcomes and resend requests are dropped
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredSession:
    """The stored state of a session; *since* is None before the first sync, *skipped* has times of retries (UTC)."""

    since: str | None = None
    membership: MembershipState = field(default_factory=MembershipState)
    skipped: Mapping[RoomId, datetime] = field(default_factory=dict)


class SessionMemory(Protocol):
    """Stores the updates of a session."""

    async def load(self) -> StoredSession:
        """Return what the updates so far amount to."""

    async def save(self, update: SessionUpdate) -> None:
        """Store all of *update* in one transaction.

        A message that is stored already (same room and event) is left as it is, and so is a notice with a known key.
        """


@dataclass
class InMemorySession:
    """A memory that lasts as long as the process."""

    since: str | None = None
    membership: MembershipState = field(default_factory=MembershipState)
    messages: list[MessageReceived] = field(default_factory=list)
    welcomes: list[WelcomeDue] = field(default_factory=list)
    notices: dict[NoticeKey, Notice] = field(default_factory=dict)
    moves: list[tuple[RoomId, RoomId]] = field(default_factory=list)
    redactions: set[tuple[RoomId, EventId]] = field(default_factory=set)
    skipped: dict[RoomId, datetime] = field(default_factory=dict)
    saves: int = 0
    before_save: Callable[[SessionUpdate], None] = lambda _: None  # may raise errors of a database
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def load(self) -> StoredSession:
        """Return what the updates so far amount to."""
        return StoredSession(self.since, deepcopy(self.membership), dict(self.skipped))

    async def save(self, update: SessionUpdate) -> None:
        """Store all of *update*."""
        self.before_save(update)
        self.since = update.since or self.since
        self.membership.apply(update)
        self._add_messages(update.of(MessageReceived))
        self.welcomes += [welcome for welcome in update.of(WelcomeDue) if welcome.room not in self.welcomed]
        for queued in update.of(NoticeQueued):
            self.notices.setdefault(queued.notice.key, queued.notice)
        self.moves += [(moved.old, moved.new) for moved in update.of(RoomMoved)]
        self.redactions |= {(redacted.room, redacted.event) for redacted in update.of(EventRedacted)}
        self.skipped |= {skipped.room: skipped.until for skipped in update.of(RoomSkipped)}
        self.saves += 1
        async with self._changed:
            self._changed.notify_all()

    @property
    def welcomed(self) -> set[RoomId]:
        """The rooms that were welcomed, or are to be."""
        return {welcome.room for welcome in self.welcomes}

    def _add_messages(self, messages: list[MessageReceived]) -> None:
        known = {(message.room, message.event) for message in self.messages}
        self.messages += [message for message in messages if (message.room, message.event) not in known]

    async def until(self, claim: Callable[[], bool]) -> None:
        """Return when *claim* holds, which is checked after each update."""
        async with self._changed:
            await self._changed.wait_for(claim)

    def bodies(self) -> list[str]:
        """Return the bodies of all messages, in order."""
        return [message.body for message in self.messages]


class DatabaseSession:
    """A memory that outlasts the process.

    *on_saved* is called with each stored update, including moves of former direct chats; *on_failure* if the outcome of
    a write is unknown.
    """

    def __init__(
        self,
        store: Store,
        user: UserId,
        on_saved: Callable[[SessionUpdate], None] = lambda _: None,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._user = user
        self._on_saved = on_saved
        self._on_failure = on_failure
        self._stored_since: str | None = None  # None if it is not certain which token is stored

    async def load(self) -> StoredSession:
        """Return what the updates so far amount to."""
        async with self._store.transaction() as tx:
            stored = await tx.session.load(self._user)
        membership = MembershipState(
            invitations={each.room: Invitation(each.room, each.inviter, each.direct) for each in stored.invitations},
            direct=set(stored.direct),
            suspended=set(stored.suspended),
            alone=set(stored.alone),
            encrypted=dict(stored.encrypted),
        )
        self._stored_since = stored.since
        return StoredSession(stored.since, membership, stored.skipped)

    async def save(self, update: SessionUpdate) -> None:
        """Store all of *update* in one transaction, unless nothing happened and the token is the stored one."""
        if not update.events and update.since in {None, self._stored_since}:
            return
        self._stored_since, since = None, update.since or self._stored_since
        try:
            async with self._store.transaction() as tx:
                update = await _with_former_chats(tx, update)
                writer = _EventWriter(tx, update, self._user)
                for event in update.events:
                    await writer.write(event)
                if update.since is not None:
                    await tx.session.set_since(self._user, update.since)
        except BaseException:
            self._on_failure()
            raise
        self._stored_since = since
        self._on_saved(update)


async def _with_former_chats(tx: Transaction, update: SessionUpdate) -> SessionUpdate:
    """Return *update* with the moves of direct chats that are replaced by new ones with the same person."""
    moves = [
        RoomMoved(old, opened.room)
        for opened in update.of(DirectChatOpened)
        for old in await tx.subscriptions.former_chats(opened.person, opened.room)
    ]
    resumed = {each.room for each in update.of(RoomResumed)}
    missing = dict.fromkeys(move.new for move in moves if move.new not in resumed)
    return update.with_events((*moves, *map(RoomResumed, missing)))


class _EventWriter:
    """Writes the events of one update within a transaction."""

    def __init__(self, tx: Transaction, update: SessionUpdate, user: UserId) -> None:
        self._tx = tx
        self._user = user
        self._resumed = {each.room for each in update.of(RoomResumed)}
        self._unsent: Counter[UserId] | None = None  # unsent answers by person; None: not counted yet

    async def write(self, event: SessionEvent) -> None:  # noqa: C901, PLR0912  # a case for each kind of event
        session = self._tx.session
        match event:
            case DirectChatOpened(room, person):  # the former chats are handled by `_with_former_chats`
                await self._tx.tokens.chat_opened(room, person)
                await self._tx.follows.set_chat(person, room)
            case RoomMoved(old, new):
                await session.move(old, new)
            case RoomSkipped(room, until):
                await session.skip(room, until)
            case RoomBecameDirect(room):
                await session.set_direct(room)
            case RoomNoLongerDirect(room):
                await session.set_direct(room, direct=False)
            case BotBecameAlone(room):
                await session.set_alone(room)
            case BotNoLongerAlone(room):
                await session.set_alone(room, alone=False)
            case RoomSuspended(room):
                if room not in self._resumed:
                    await session.suspend(room)
            case RoomLeft(room):
                await session.leave(room)
            case RoomEncrypted(room, algorithm):
                await session.set_encrypted(room, algorithm)
            case RoomResumed(room):
                await session.resume(room)
            case ConfiguredRoomJoined(name, room):
                await session.set_name(name, room)
            case InvitationReceived(invitation):
                await session.add_invitation(StoredInvitation(invitation.room, invitation.inviter, invitation.direct))
            case InvitationSettled(room):
                await session.remove_invitation(room)
            case MessageReceived():
                await self._receive(event)
            case WelcomeDue(room, inviter):
                await self._welcome(room, inviter)
            case NoticeQueued(notice):
                await self._queue(notice)
            case EventRedacted(room, redacted):
                if (card := await self._tx.cards.redacted(room, redacted)) is not None:
                    await self._tx.outbox.forget_about(card)
                await self._tx.inbox.withdraw(room, redacted)
                await self._tx.follows.take_back(room, redacted)
            case _:
                assert_never(event)

    async def _receive(self, message: MessageReceived) -> None:
        """Add a message to the inbox, and note who has which direct chat; reactions count only to our own messages."""
        target = message.replies_to
        if message.reaction and (target is None or await self._tx.cards.about_event(message.room, target) is None):
            return
        await self._tx.inbox.add(_inbox_message(message))
        if await self._tx.session.is_direct(message.room):
            await self._tx.follows.set_chat(message.sender, message.room)

    async def _queue(self, notice: Notice) -> None:
        """Add *notice* to the outbox, unless enough waits to be sent to the person who caused it."""
        if await self._is_allowed(notice.asked_by, notice.key):
            await self._tx.outbox.add([notice])

    async def _welcome(self, room: RoomId, inviter: UserId | None) -> None:
        """Let the commands write the welcome, which they can do only when the room and its subscriptions are known."""
        if await self._is_allowed(inviter, NoticeKey(f"welcome/{room}")):
            await self._tx.inbox.add(InboxMessage(room, ARRIVAL, inviter or self._user, "", self._tx.now))

    async def _is_allowed(self, person: UserId | None, key: NoticeKey) -> bool:
        """Return whether one more message that *person* caused may wait to be sent."""
        if person is None:
            return True
        if self._unsent is None:
            self._unsent = (await self._tx.outbox.unsent_answers()).people
        self._unsent[person] += 1
        unsent = self._unsent[person] + await self._tx.inbox.arrivals(person)
        if unsent > MAX_UNASKED:
            _log.warning("notice.left_out", key=key, person=person, unsent=unsent - 1)
        return unsent <= MAX_UNASKED


def _inbox_message(message: MessageReceived) -> InboxMessage:
    return InboxMessage(
        message.room,
        message.event,
        message.sender,
        message.body,
        message.sent_at,
        message.thread,
        message.replies_to,
        message.encrypted,
        reaction=message.reaction,
    )
