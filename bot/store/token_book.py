"""People's API tokens, which are stored encrypted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from bot.ids import RoomId, ServerName, UserId
from bot.store.acting_tables import token as table
from bot.store.book import Book, drop_batch

KEEP_ABSENT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A person's token for a server, encrypted; *account* is whose it is there, None if unknown.

    *room* is the direct chat with the person, *given_at* is UTC.
    """

    person: UserId
    server: ServerName
    sealed: str
    room: RoomId
    given_at: datetime
    account: str | None = None
    account_id: int | None = None


class TokenBook(Book):
    """The tokens in one transaction."""

    async def put(self, token: StoredToken) -> None:
        """Store a token in place of the person's former one for that server."""
        key = {"person": token.person, "server": token.server}
        values = {
            "sealed": token.sealed,
            "account": token.account,
            "account_id": token.account_id,
            "room": token.room,
            "given_at": token.given_at,
            "absent_since": None,
        }
        await self._replace(table, key, values)

    async def get(self, person: UserId, server: ServerName) -> StoredToken | None:
        """Return a person's token for a server."""
        row = await self._one(sa.select(table).where(table.c.person == person, table.c.server == server))
        return None if row is None else _token(row)

    async def of(self, person: UserId) -> list[StoredToken]:
        """Return a person's tokens, by server."""
        query = sa.select(table).where(table.c.person == person).order_by(table.c.server)
        return [_token(row) for row in await self._all(query)]

    async def set_account(self, person: UserId, server: ServerName, account: str, account_id: int) -> None:
        """Set whose a token is on its server."""
        where = (table.c.person == person, table.c.server == server)
        await self._connection.execute(sa.update(table).where(*where).values(account=account, account_id=account_id))

    async def forget(self, person: UserId, server: ServerName) -> bool:
        """Delete a token, and return whether there was one."""
        where = (table.c.person == person, table.c.server == server)
        return (await self._connection.execute(sa.delete(table).where(*where))).rowcount > 0

    async def chat_left(self, room: RoomId) -> None:
        """Note that somebody left a direct chat, after which its person's tokens are kept for `KEEP_ABSENT`."""
        where = (table.c.room == room, table.c.absent_since.is_(None))
        await self._connection.execute(sa.update(table).where(*where).values(absent_since=self._now))

    async def chat_resumed(self, room: RoomId) -> None:
        """Note that both are in a direct chat again."""
        await self._connection.execute(sa.update(table).where(table.c.room == room).values(absent_since=None))

    async def chat_opened(self, room: RoomId, person: UserId) -> None:
        """Note that a person has a new direct chat with the bot."""
        where = table.c.person == person
        await self._connection.execute(sa.update(table).where(where).values(room=room, absent_since=None))

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Follow a direct chat to the room that replaces it."""
        await self._connection.execute(sa.update(table).where(table.c.room == old).values(room=new))

    async def tidy(self) -> bool:
        """Delete a batch of tokens whose person left long ago, and return whether there may be more."""
        return await drop_batch(self._connection, table, table.c.absent_since < self._now - KEEP_ABSENT)


def _token(row: sa.RowMapping) -> StoredToken:
    return StoredToken(
        person=UserId(row["person"]),
        server=ServerName(row["server"]),
        sealed=row["sealed"],
        room=RoomId(row["room"]),
        given_at=row["given_at"],
        account=row["account"],
        account_id=row["account_id"],
    )
