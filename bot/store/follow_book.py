"""Storage of the submissions that people follow, and of the direct chats in which they get the news."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.ids import EventId, RoomId, ServerName, UserId
from bot.store import schema
from bot.store.book import Book, drop_batch
from bot.store.following_tables import direct_chat, follow, follow_reaction
from bot.store.lineage import with_earlier, with_later
from bot.submission import SubmissionKind, SubmissionRef


@dataclass(frozen=True, slots=True)
class Follow:
    """A submission that a person has followed since a time (UTC); later versions of it belong to it."""

    id: int
    person: UserId
    about: SubmissionRef
    since: datetime


class FollowBook(Book):
    """The followed submissions in one transaction."""

    # Direct chats

    async def set_chat(self, person: UserId, room: RoomId) -> None:
        """Set the direct chat in which a person gets the news of what they follow."""
        if await self.chat_of(person) != room:
            await self._replace(direct_chat, {"person": person}, {"room": room})

    async def chat_of(self, person: UserId) -> RoomId | None:
        """Return a person's direct chat; None without one."""
        row = await self._one(sa.select(direct_chat.c.room).where(direct_chat.c.person == person))
        return None if row is None else RoomId(row["room"])

    async def end_chat(self, room: RoomId) -> None:
        """Forget a direct chat, because the bot is out of it, or somebody else is in it, too."""
        await self._delete(direct_chat, {"room": room})

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Follow a room to the one that replaces it."""
        for table in (direct_chat, follow_reaction):
            await self._connection.execute(sa.update(table).where(table.c.room == old).values(room=new))

    # Follows

    async def add(self, person: UserId, about: SubmissionRef) -> int:
        """Let a person follow a submission that they do not follow yet, and return the id of the follow."""
        values = {
            "person": person,
            "server": about.server,
            "kind": about.kind,
            "object": about.id,
            "since": self._now,
        }
        inserted = await self._connection.execute(sa.insert(follow).values(values).returning(follow.c.id))
        return int(inserted.scalar_one())

    async def end(self, id_: int) -> None:
        """End a follow, however it began."""
        await self._delete(follow_reaction, {"follow": id_})
        await self._delete(follow, {"id": id_})

    async def of(self, person: UserId) -> list[Follow]:
        """Return what a person follows, in the order in which they began."""
        rows = await self._all(sa.select(follow).where(follow.c.person == person).order_by(follow.c.id))
        return [_follow(row) for row in rows]

    async def of_lineage(self, person: UserId, about: SubmissionRef) -> list[Follow]:
        """Return a person's follows of a submission, of its earlier and of its later versions."""
        same = (follow.c.person == person, follow.c.server == about.server, follow.c.kind == about.kind)
        of_line = sa.or_(follow.c.object.in_(with_earlier(about)), follow.c.object.in_(with_later(about)))
        return [_follow(row) for row in await self._all(sa.select(follow).where(*same, of_line).order_by(follow.c.id))]

    async def chats_following(self, about: SubmissionRef, *, only_earlier: bool = False) -> set[RoomId]:
        """Return the direct chats of those who follow a submission or an earlier version of it.

        With *only_earlier*, those who follow this very version do not count.
        """
        query = sa.select(direct_chat.c.room).join(follow, follow.c.person == direct_chat.c.person)
        query = query.where(follow.c.server == about.server, follow.c.kind == about.kind)
        query = query.where(follow.c.object.in_(with_earlier(about)))
        if only_earlier:
            query = query.where(follow.c.object != about.id)
        return {RoomId(row["room"]) for row in await self._all(query.distinct())}

    # Reactions

    async def add_reaction(self, id_: int, room: RoomId, event: EventId) -> None:
        """Store a reaction by which a person follows."""
        await self._replace(follow_reaction, {"room": room, "event": event}, {"follow": id_})

    async def take_back(self, room: RoomId, event: EventId) -> bool:
        """End the follow of a reaction that was taken back, unless another one stands; return whether it ended."""
        found = await self._one(
            sa.select(follow_reaction.c.follow).where(follow_reaction.c.room == room, follow_reaction.c.event == event)
        )
        if found is None:
            return False
        await self._delete(follow_reaction, {"room": room, "event": event})
        others = sa.select(follow_reaction.c.event).where(follow_reaction.c.follow == found["follow"]).limit(1)
        if await self._one(others) is not None:
            return False
        await self._delete(follow, {"id": found["follow"]})
        return True

    async def tidy(self) -> bool:
        """Delete a batch of follows of what is no longer stored, and return whether there may be more."""
        series, patch = schema.series, schema.patch
        known = [
            sa.exists().where(table.c.server == follow.c.server, table.c.id == follow.c.object, follow.c.kind == kind)
            for kind, table in (("series", series), ("patch", patch))
        ]
        later = sa.exists().where(series.c.server == follow.c.server, series.c.former == follow.c.object)
        more = await drop_batch(self._connection, follow, ~sa.or_(*known, sa.and_(follow.c.kind == "series", later)))
        is_over = ~sa.exists().where(follow.c.id == follow_reaction.c.follow)
        return await drop_batch(self._connection, follow_reaction, is_over) or more


def _follow(row: sa.RowMapping) -> Follow:
    about = SubmissionRef(ServerName(row["server"]), SubmissionKind(row["kind"]), row["object"])
    return Follow(row["id"], UserId(row["person"]), about, row["since"])
