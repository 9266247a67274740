"""The cards: which room has one of what, why, and which event it is."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import EventId, NoticeKey, RoomId, SeriesId, ServerName
from bot.notices.outbox import CardRef, NoticeState, Tag
from bot.store import schema
from bot.store.messages import message_of
from bot.subscriptions.wishes import Form


class CardBook:
    """The cards' part of one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    async def rooms_with(self, card: CardRef) -> set[RoomId]:
        """The rooms that have a card of this object."""
        table = schema.card
        query = sa.select(table.c.room).where(*_is(card))
        return {RoomId(room) for room in (await self._connection.execute(query)).scalars()}

    async def rooms_with_series(self, server: ServerName, series: Sequence[SeriesId]) -> set[RoomId]:
        """The rooms that have a card of one of these *series*."""
        if not series:
            return set()
        table = schema.card
        of_these = (table.c.server == server, table.c.kind == "series", table.c.object.in_(series))
        return {
            RoomId(room)
            for room in (await self._connection.execute(sa.select(table.c.room).where(*of_these))).scalars()
        }

    async def add(
        self, room: RoomId, card: CardRef, key: NoticeKey, why: Iterable[Sequence[object]], form: Form = Form.CARD
    ) -> None:
        """Remember that *room* has a card of this object, in this form."""
        values = {
            "room": room,
            "server": card.server,
            "kind": card.kind,
            "object": card.number,
            "notice_key": key,
            "why": [list(reason) for reason in why],
            "created_at": self._now,
            "form": form,
        }
        await self._connection.execute(sa.insert(schema.card).values(values))

    async def came(self, room: RoomId, key: NoticeKey, event: EventId) -> None:
        """The card that a notice was, if it was one, is that event from now on."""
        card = schema.card
        where = (card.c.room == room, card.c.notice_key == key)
        await self._connection.execute(sa.update(card).where(*where).values(event=event))

    async def move(self, old: RoomId, new: RoomId) -> None:
        """The cards of a room are those of another from now on; those that are events already are edited no more."""
        card, there = schema.card, schema.card.alias()
        same = (there.c.server == card.c.server, there.c.kind == card.c.kind, there.c.object == card.c.object)
        double = sa.select(there.c.room).where(there.c.room == new, *same).exists()
        await self._connection.execute(sa.delete(card).where(card.c.room == old, double))
        ended = sa.case((card.c.event.is_not(None), "moved"), else_=card.c.ended)
        await self._connection.execute(sa.update(card).where(card.c.room == old).values(room=new, ended=ended))

    async def why(self, room: RoomId, event: EventId) -> list[list[str | int]] | None:
        """Why a card came: of each reason the subscription, the term, and what that found; None for any other event."""
        card = schema.card
        found = await self._connection.execute(sa.select(card.c.why).where(card.c.room == room, card.c.event == event))
        return found.scalar_one_or_none()

    async def about_event(self, room: RoomId, event: EventId) -> CardRef | None:
        """What a card or an answer of ours is about; None for any other event, and for an answer of long ago."""
        card, notice = schema.card, schema.notice
        query = sa.select(card).where(card.c.room == room, card.c.event == event)
        if found := (await self._connection.execute(query)).mappings().first():
            return CardRef(ServerName(found["server"]), found["kind"], found["object"])
        done = (notice.c.state == NoticeState.DONE, notice.c.room == room, notice.c.event == event)
        said = (await self._connection.execute(sa.select(notice.c.message).where(*done))).scalars().first()
        return None if said is None else _about(message_of(said).tag)


def _about(tag: Tag) -> CardRef | None:
    """The patch that is told of, else the series."""
    if tag.server is None:
        return None
    if tag.patch is not None:
        return CardRef(tag.server, "patch", tag.patch)
    return None if tag.series is None else CardRef(tag.server, "series", tag.series)


def _is(card: CardRef) -> tuple[sa.ColumnElement[bool], ...]:
    table = schema.card
    return table.c.server == card.server, table.c.kind == card.kind, table.c.object == card.number
