"""Storage of the subscriptions made in chat, and of settings of rooms and people."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import RoomId, SubscriptionId, UserId
from bot.query.options import CardForm
from bot.query.query import Query
from bot.store import schema
from bot.store.queue_book import QueueBook
from bot.subscriptions.registry import RoomChoices
from bot.subscriptions.subscription import ChatSubscription, QueryContext

PROJECT = "project"  # the setting that scopes a room's queries
MODE = "mode"  # the setting that says what form new series have in a room
TIMEZONE = "timezone"  # the setting for the times of digests
NOTIFY = "notify"  # the setting for notifications in a direct chat, which "off" disables
FLOOD = "flood"


@dataclass(frozen=True, slots=True)
class RoomCount:
    """The number of subscriptions made in chat in a room; *person* is None for the room's own."""

    room: RoomId
    person: UserId | None
    count: int


@dataclass(frozen=True, slots=True)
class AllSubscriptions:
    """All subscriptions with the contexts of their queries, and the state of their rooms."""

    subscriptions: tuple[tuple[ChatSubscription, QueryContext], ...]
    muted: Mapping[RoomId, datetime]
    chosen: RoomChoices
    left: frozenset[RoomId]


class SubscriptionBook:
    """The subscriptions in one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    # Subscriptions

    async def add(self, room: RoomId, person: UserId | None, query: Query, added_by: UserId) -> ChatSubscription:
        """Add a subscription of *person*, or of the *room* if that is None, with its messages in *room*."""
        values = {
            "room": room,
            "person": person,
            "query": str(query),
            "added_by": added_by,
            "added_at": self._now,
        }
        table = schema.subscription
        inserted = await self._connection.execute(sa.insert(table).values(values).returning(table.c.id))
        return ChatSubscription(SubscriptionId(inserted.scalar_one()), room, person, str(query), added_by, self._now)

    async def get(self, id_: SubscriptionId) -> ChatSubscription | None:
        """Return the subscription with this id, in any room; None if there is none."""
        subscriptions = await self._subscriptions(schema.subscription.c.id == id_)
        return subscriptions[0] if subscriptions else None

    async def of_owner(self, room: RoomId, person: UserId | None) -> list[ChatSubscription]:
        """Return the subscriptions of *person* in all rooms, or of the *room* itself; by id."""
        table = schema.subscription
        if person is None:
            return await self._subscriptions(table.c.room == room, table.c.person.is_(None))
        return await self._subscriptions(table.c.person == person)

    async def in_room(self, room: RoomId) -> list[ChatSubscription]:
        """Return the subscriptions in *room*, of any owner; by id."""
        return await self._subscriptions(schema.subscription.c.room == room)

    async def edit(self, id_: SubscriptionId, query: Query) -> None:
        """Change the query of a subscription."""
        await self._set(id_, query=str(query))

    async def mute(self, id_: SubscriptionId, until: datetime | None) -> None:
        """Mute a subscription until a time (UTC), or unmute it if that is None."""
        await self._set(id_, muted_until=until)

    async def remove(self, id_: SubscriptionId) -> None:
        """Delete a subscription."""
        table = schema.subscription
        await self._connection.execute(sa.delete(table).where(table.c.id == id_))

    async def context_of(self, subscribed: ChatSubscription) -> QueryContext:
        """Return the context of a subscription's query."""
        addresses = await self.addresses(subscribed.person) if subscribed.person else ()
        return QueryContext((await self.settings(subscribed.room)).get(PROJECT, ""), addresses)

    async def load_all(self) -> AllSubscriptions:
        """Return all subscriptions and the room states that the registry needs at startup."""
        setting, room, mute, address = schema.room_setting, schema.room, schema.room_mute, schema.person_address
        addresses: defaultdict[str, list[str]] = defaultdict(list)
        for row in await self._all(sa.select(address).order_by(address.c.address)):
            addresses[row["person"]].append(row["address"])
        chosen = {(row["room"], row["key"]): row["value"] for row in await self._all(sa.select(setting))}
        return AllSubscriptions(
            subscriptions=tuple(
                (each, QueryContext(chosen.get((each.room, PROJECT), ""), tuple(addresses.get(each.person or "", ()))))
                for each in await self._subscriptions()
            ),
            muted={RoomId(row["room"]): row["until"] for row in await self._all(sa.select(mute))},
            chosen=RoomChoices(
                quiet=_where(chosen, NOTIFY, "off"),
                compact=_where(chosen, MODE, CardForm.COMPACT),
                queues=await QueueBook(self._connection, self._now).rooms(),
            ),
            left=frozenset(RoomId(row["room"]) for row in await self._all(sa.select(room).where(room.c.left))),
        )

    async def count_by_room(self) -> list[RoomCount]:
        """Return the numbers of subscriptions by room and owner."""
        table = schema.subscription
        query = sa.select(table.c.room, table.c.person, sa.func.count().label("count"))
        query = query.group_by(table.c.room, table.c.person).order_by(table.c.room, table.c.person)
        return [RoomCount(RoomId(row["room"]), _user(row["person"]), row["count"]) for row in await self._all(query)]

    async def count(self) -> tuple[int, int]:
        """Return the numbers of subscriptions of rooms and of people."""
        table = schema.subscription
        query = sa.select(sa.func.count(), sa.func.count(table.c.person)).select_from(table)
        everybody, persons = (await self._connection.execute(query)).one()
        return everybody - persons, persons

    # Settings of people and rooms

    async def addresses(self, person: UserId) -> tuple[str, ...]:
        """Return the addresses of a person, in alphabetical order."""
        table = schema.person_address
        address_rows = await self._all(sa.select(table).where(table.c.person == person).order_by(table.c.address))
        return tuple(row["address"] for row in address_rows)

    async def add_address(self, person: UserId, address: str) -> None:
        """Add an address that is not stored yet."""
        await self._connection.execute(sa.insert(schema.person_address).values(person=person, address=address))

    async def forget_address(self, person: UserId, address: str) -> None:
        """Delete an address."""
        table = schema.person_address
        await self._connection.execute(sa.delete(table).where(table.c.person == person, table.c.address == address))

    async def settings(self, room: RoomId) -> Mapping[str, str]:
        """Return the settings of a room."""
        table = schema.room_setting
        return {row["key"]: row["value"] for row in await self._all(sa.select(table).where(table.c.room == room))}

    async def timezone(self, room: RoomId) -> str | None:
        """Return the time zone set in a room; None if none is."""
        return (await self.settings(room)).get(TIMEZONE)

    async def set(self, room: RoomId, key: str, value: str | None) -> None:
        """Change a setting of a room; None restores its default."""
        table = schema.room_setting
        await self._connection.execute(sa.delete(table).where(table.c.room == room, table.c.key == key))
        if value is not None:
            await self._connection.execute(sa.insert(table).values(room=room, key=key, value=value))

    async def muted_until(self, room: RoomId) -> datetime | None:
        """Return the time until which a room is muted (UTC); None if it is not muted."""
        table = schema.room_mute
        mute_rows = await self._all(sa.select(table).where(table.c.room == room))
        return mute_rows[0]["until"] if mute_rows else None

    async def mute_room(self, room: RoomId, until: datetime | None) -> None:
        """Mute a room until a time (UTC), or unmute it if that is None."""
        table = schema.room_mute
        await self._connection.execute(sa.delete(table).where(table.c.room == room))
        if until is not None:
            await self._connection.execute(sa.insert(table).values(room=room, until=until))

    # Replaced rooms

    async def former_chats(self, person: UserId, chat: RoomId) -> list[RoomId]:
        """Return the direct chats that *chat* replaces: the bot is out of them, and only *person* subscribed."""
        table, room = schema.subscription, schema.room
        is_out = sa.or_(room.c.suspended, room.c.left)
        of_others = table.alias()
        shared = sa.select(of_others.c.id).where(
            of_others.c.room == table.c.room, of_others.c.person.is_distinct_from(person)
        )
        query = sa.select(table.c.room).join(room, room.c.room == table.c.room).distinct()
        query = query.where(table.c.person == person, table.c.room != chat, is_out, ~shared.exists())
        return [RoomId(row["room"]) for row in await self._all(query.order_by(table.c.room))]

    async def has_any(self, room: RoomId) -> bool:
        """Return whether *room* has any subscriptions made in chat."""
        table = schema.subscription
        return bool(await self._all(sa.select(table.c.id).where(table.c.room == room).limit(1)))

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Move the subscriptions and settings of one room to another, without replacing settings that exist there."""
        subscription, setting, mute = schema.subscription, schema.room_setting, schema.room_mute
        await self._connection.execute(sa.update(subscription).where(subscription.c.room == old).values(room=new))
        for key, value in {**await self.settings(old), **await self.settings(new)}.items():
            await self.set(new, key, value)
        if (until := await self.muted_until(old)) is not None and await self.muted_until(new) is None:
            await self.mute_room(new, until)
        for table in (setting, mute):
            await self._connection.execute(sa.delete(table).where(table.c.room == old))

    async def _set(self, id_: SubscriptionId, **values: object) -> None:
        table = schema.subscription
        await self._connection.execute(sa.update(table).where(table.c.id == id_).values(values))

    async def _subscriptions(self, *where: sa.ColumnElement[bool]) -> list[ChatSubscription]:
        table = schema.subscription
        return [_subscribed(row) for row in await self._all(sa.select(table).where(*where).order_by(table.c.id))]

    async def _all(self, query: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        rows: Sequence[sa.RowMapping] = (await self._connection.execute(query)).mappings().all()
        return rows


def _subscribed(row: sa.RowMapping) -> ChatSubscription:
    return ChatSubscription(
        id=SubscriptionId(row["id"]),
        room=RoomId(row["room"]),
        person=_user(row["person"]),
        query=row["query"],
        added_by=UserId(row["added_by"]),
        added_at=row["added_at"],
        muted_until=row["muted_until"],
    )


def _where(chosen: Mapping[tuple[str, str], str], key: str, value: str) -> frozenset[RoomId]:
    """Return the rooms where *key* is set to *value*."""
    return frozenset(RoomId(room) for (room, set_), stored in chosen.items() if (set_, stored) == (key, value))


def _user(name: str | None) -> UserId | None:
    return None if name is None else UserId(name)
