"""Storage of the Matrix session: the sync token, the invitations and the rooms."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import RoomId, UserId
from bot.store import schema
from bot.store.book import upsert
from bot.store.card_book import CardBook
from bot.store.digest_book import DigestBook
from bot.store.flood_book import FloodBook
from bot.store.follow_book import FollowBook
from bot.store.nudge_book import NudgeBook
from bot.store.outbox_book import OutboxBook
from bot.store.queue_book import QueueBook
from bot.store.retry_book import RetryBook
from bot.store.snooze_book import SnoozeBook
from bot.store.subscription_book import SubscriptionBook
from bot.store.token_book import TokenBook


@dataclass(frozen=True, slots=True)
class StoredInvitation:
    """An invitation of the bot to a room; *direct* is true for a direct chat."""

    room: RoomId
    inviter: UserId
    direct: bool


@dataclass(frozen=True, slots=True)
class SessionState:
    """The stored state; *since* is None before the first sync, *named* has the ids of configured rooms by name.

    *encrypted* are the rooms that were ever encrypted, with the algorithm in their state; *skipped* are those that are
    not read until a time (UTC), because they are too large.
    """

    since: str | None = None
    invitations: tuple[StoredInvitation, ...] = ()
    direct: frozenset[RoomId] = frozenset()
    suspended: frozenset[RoomId] = frozenset()
    alone: frozenset[RoomId] = frozenset()
    named: Mapping[str, RoomId] = field(default_factory=dict)
    encrypted: Mapping[RoomId, str] = field(default_factory=dict)
    skipped: Mapping[RoomId, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoomBooks:
    """The books that store rows by room."""

    outbox: OutboxBook
    cards: CardBook
    digests: DigestBook
    floods: FloodBook
    subscriptions: SubscriptionBook
    retries: RetryBook
    tokens: TokenBook
    follows: FollowBook
    queues: QueueBook
    snoozes: SnoozeBook
    nudges: NudgeBook


class SessionBook:
    """The session in one transaction."""

    def __init__(self, connection: AsyncConnection, books: RoomBooks) -> None:
        self._connection = connection
        self._outbox = books.outbox
        self._cards = books.cards
        self._digests = books.digests
        self._floods = books.floods
        self._subscriptions = books.subscriptions
        self._retries = books.retries
        self._tokens = books.tokens
        self._follows = books.follows
        self._queues = books.queues
        self._snoozes = books.snoozes
        self._nudges = books.nudges

    async def load(self, user: UserId) -> SessionState:
        """Return the stored state for the account *user*; the rooms are the same for every account."""
        invitation = schema.invitation
        since = sa.select(schema.session.c.since).where(schema.session.c.user == user)
        invitations = (await self._connection.execute(sa.select(invitation).order_by(invitation.c.room))).mappings()
        return replace(
            await self.load_rooms(),
            since=(await self._connection.execute(since)).scalar_one_or_none(),
            invitations=tuple(
                StoredInvitation(RoomId(row["room"]), UserId(row["inviter"]), bool(row["direct"]))
                for row in invitations
            ),
        )

    async def load_rooms(self) -> SessionState:
        """Return the stored state of the rooms, without token and invitations."""
        rooms = (await self._connection.execute(sa.select(schema.room))).mappings().all()
        encrypted = (await self._connection.execute(sa.select(schema.encrypted_room))).mappings()
        return SessionState(
            direct=frozenset(RoomId(row["room"]) for row in rooms if row["direct"]),
            suspended=frozenset(RoomId(row["room"]) for row in rooms if row["suspended"]),
            alone=frozenset(RoomId(row["room"]) for row in rooms if row["alone"]),
            named={row["name"]: RoomId(row["room"]) for row in rooms if row["name"] is not None},
            encrypted={RoomId(row["room"]): row["algorithm"] for row in encrypted},
            skipped={RoomId(row["room"]): row["skipped_until"] for row in rooms if row["skipped_until"] is not None},
        )

    async def set_since(self, user: UserId, since: str) -> None:
        """Set the token from which the next sync of *user* starts."""
        insert = upsert(self._connection.dialect.name, schema.session).values(user=user, since=since)
        await self._connection.execute(
            insert.on_conflict_do_update(index_elements=schema.session.primary_key, set_={"since": since})
        )

    async def add_invitation(self, invited: StoredInvitation) -> None:
        """Add an invitation; it replaces a former one to the same room."""
        await self.remove_invitation(invited.room)
        values = {"room": invited.room, "inviter": invited.inviter, "direct": invited.direct}
        await self._connection.execute(sa.insert(schema.invitation).values(values))

    async def remove_invitation(self, room: RoomId) -> None:
        """Remove the invitation to a room, if there is one."""
        table = schema.invitation
        await self._connection.execute(sa.delete(table).where(table.c.room == room))

    async def set_direct(self, room: RoomId, *, direct: bool = True) -> None:
        """Set whether a room is a direct chat."""
        await self._set(room, direct=direct)
        if not direct:
            await self._follows.end_chat(room)

    async def is_direct(self, room: RoomId) -> bool:
        """Return whether a room is a direct chat."""
        direct = sa.select(schema.room.c.direct).where(schema.room.c.room == room)
        return bool((await self._connection.execute(direct)).scalar_one_or_none())

    async def set_alone(self, room: RoomId, *, alone: bool = True) -> None:
        """Set whether the bot is the only member of a room."""
        await self._set(room, alone=alone)
        if alone:
            await self._tokens.chat_left(room)
        else:
            await self._tokens.chat_resumed(room)

    async def set_name(self, name: str, room: RoomId) -> None:
        """Set the room with the configured *name*; no other room has this name any more."""
        table = schema.room
        await self._connection.execute(sa.update(table).where(table.c.name == name).values(name=None))
        await self._set(room, name=name)

    async def skip(self, room: RoomId, until: datetime) -> None:
        """Set the time (UTC) until which syncs leave a room out."""
        await self._set(room, skipped_until=until)

    async def suspend(self, room: RoomId) -> None:
        """Suspend the notices for a room, because the bot was removed from it or may not send there."""
        await self._set(room, suspended=True)
        await self._outbox.suspend(room)
        await self._tokens.chat_left(room)

    async def resume(self, room: RoomId) -> None:
        """Make the suspended notices for a room due, and ignore refusals from before.

        If too many cards were suspended, they become a flood.
        """
        await self._set(room, suspended=False, left=False, resumed=schema.room.c.resumed + 1)
        await self._floods.fold(room)
        await self._outbox.resume(room)
        await self._tokens.chat_resumed(room)

    async def leave(self, room: RoomId) -> None:
        """Deactivate the subscriptions of a room that the bot left, until it is back."""
        await self._digests.leave(room)
        await self._retries.leave(room)
        await self._follows.end_chat(room)
        await self._snoozes.leave(room)
        await self._tokens.chat_left(room)
        if await self._subscriptions.has_any(room):
            await self._set(room, left=True)

    async def set_encrypted(self, room: RoomId, algorithm: str) -> None:
        """Mark a room as encrypted for good; *algorithm* is the one in its state."""
        table = schema.encrypted_room
        await self._connection.execute(sa.delete(table).where(table.c.room == room))
        await self._connection.execute(sa.insert(table).values(room=room, algorithm=algorithm))

    async def rooms_out(self) -> frozenset[RoomId]:
        """Return the rooms that the bot left, was removed from, or may not send in."""
        table = schema.room
        query = sa.select(table.c.room).where(sa.or_(table.c.suspended, table.c.left))
        return frozenset(RoomId(room) for room in (await self._connection.execute(query)).scalars())

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Move everything that is stored of the room *old* to *new*."""
        table = schema.room
        old_row = (await self._connection.execute(sa.select(table).where(table.c.room == old))).mappings().first()
        await self._connection.execute(sa.delete(table).where(table.c.room == old))
        if old_row is not None:
            values = {"direct": True} if old_row["direct"] else {}
            values |= {"suspended": True} if old_row["suspended"] else {}
            values |= {"name": old_row["name"]} if old_row["name"] is not None else {}
            await self._set(new, **values)
        await self._outbox.move(old, new)
        await self._cards.move(old, new)
        await self._digests.move(old, new)
        await self._floods.move(old, new)
        await self._retries.move(old, new)
        await self._subscriptions.move(old, new)
        await self._tokens.move(old, new)
        await self._follows.move(old, new)
        await self._queues.move(old, new)
        await self._snoozes.move(old, new)
        await self._nudges.move(old, new)

    async def _set(self, room: RoomId, **values: object) -> None:
        """Set columns of a room, which is added if it is new."""
        table = schema.room
        known = sa.select(table.c.room).where(table.c.room == room)
        if (await self._connection.execute(known)).first() is None:
            await self._connection.execute(sa.insert(table).values(room=room, direct=False, suspended=False))
        if values:
            await self._connection.execute(sa.update(table).where(table.c.room == room).values(values))
