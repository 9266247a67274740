"""Storage of the links that were answered lately, and of what has been posted since a card."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.ids import RoomId
from bot.notices.notice import Lane, NoticeState
from bot.store import schema
from bot.store.book import Book, drop_batch, upsert
from bot.store.unfurl_tables import unfurl
from bot.submission import SubmissionRef

UNFURL = "unfurl"  # the setting: whether pasted links are answered
AT_MOST_EVERY = timedelta(hours=1)  # a line about the same submission in the same room
_GONE = ("redacted", "moved")  # why a card is no longer in its room


class UnfurlBook(Book):
    """The answered links in one transaction."""

    async def claim(self, room: RoomId, about: SubmissionRef) -> bool:
        """Return whether a line about a submission may be posted now; none may be for an hour after that.

        A time in the future, which a clock that was set back leaves, does not count.
        """
        key = {"room": room, "server": about.server, "kind": about.kind, "object": about.id}
        insert = upsert(self._connection.dialect.name, unfurl).values(**key, at=self._now)
        is_over = sa.or_(unfurl.c.at <= self._now - AT_MOST_EVERY, unfurl.c.at > self._now)
        claimed = insert.on_conflict_do_update(
            index_elements=unfurl.primary_key, set_={"at": insert.excluded.at}, where=is_over
        )
        return (await self._connection.execute(claimed.returning(unfurl.c.room))).first() is not None

    async def card_since(self, room: RoomId, about: SubmissionRef) -> datetime | None:
        """Return when the card of a submission in a room was stored (UTC); None if there is none to be seen."""
        card, notice = schema.card, schema.notice
        of_it = (card.c.server == about.server, card.c.kind == about.kind, card.c.object == about.id)
        is_dead = sa.exists().where(notice.c.key == card.c.notice_key, notice.c.state == NoticeState.DEAD)
        is_gone = sa.and_(card.c.ended.is_not(None), card.c.ended.in_(_GONE))
        row = await self._one(sa.select(card.c.created_at).where(card.c.room == room, *of_it, ~is_gone, ~is_dead))
        return None if row is None else row["created_at"]

    async def own_messages_since(self, room: RoomId, moment: datetime, limit: int) -> int:
        """Return how many messages of the bot in a room were stored after *moment*, *limit* at most; edits are none."""
        notice = schema.notice
        here = (notice.c.state == NoticeState.DONE, notice.c.room == room, notice.c.lane != Lane.EDIT)
        some = sa.select(notice.c.id).where(*here, notice.c.created_at > moment).limit(limit).subquery()
        return int((await self._connection.execute(sa.select(sa.func.count()).select_from(some))).scalar_one())

    async def tidy(self) -> bool:
        """Delete a batch of those that count no more, and return whether there may be more."""
        return await drop_batch(self._connection, unfurl, unfurl.c.at <= self._now - AT_MOST_EVERY)
