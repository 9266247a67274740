"""The lease over a connection of its own, so that it is renewed whatever the store's connection does.

Each method is one short transaction, with a deadline; a connection that hangs is left behind, because a renewal that
waits for it would come too late.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.clock import Clock
from bot.errors import StoreError
from bot.lease import candidacy
from bot.store import migrate, postgres
from bot.store.engine import connect, name_of, plain_errors
from bot.store.lease_book import Instance, LeaseBook, LeaseView, StandbyInstance

ANSWER_SECONDS: Final = 4.0  # of a renewal, and of a look
TAKE_SECONDS: Final = 15.0  # of a take-over, which may wait for the last transaction of the former holder
_LOCK_SECONDS: Final = 10.0
_END_SECONDS: Final = 1.0
_Result = TypeVar("_Result")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TakeOver:
    """The *epoch* under which an instance acts, why it may, and the lease as it was *before*."""

    epoch: int
    reason: str
    before: LeaseView


class Leases:
    """The lease in the PostgreSQL database at *url*, for one instance."""

    def __init__(self, url: str, me: Instance, clock: Clock) -> None:
        self.me = me
        self._url = url
        self._clock = clock
        self._engine = self._connect()
        self._left_behind: set[asyncio.Task[None]] = set()

    async def prepare(self) -> None:
        """Create the tables in an empty database, and check that the program can use it.

        A database of an older version is upgraded by the instance that gets the lease.

        Raises:
            ConfigError: the URL cannot be used.
            StoreError: the database cannot be used, or is newer than the program.
        """
        engine = connect(self._url)
        try:
            await migrate.create(engine)
        finally:
            await engine.dispose()

    async def close(self) -> None:
        """Close the connection."""
        if self._left_behind:
            await asyncio.wait(self._left_behind, timeout=_END_SECONDS)
        for ending in self._left_behind:
            ending.cancel()
        await self._engine.dispose()

    async def look(self, *, reaches_homeserver: bool | None) -> LeaseView:
        """Note that this instance waits, and return the lease. Raises `StoreError`."""

        async def look(book: LeaseBook) -> LeaseView:
            await book.stand_by(self.me, reaches_homeserver=reaches_homeserver)
            return await book.view()

        return await self._run(look)

    async def view(self) -> LeaseView:
        """Return the lease. Raises `StoreError`."""
        return await self._run(LeaseBook.view)

    async def go(self) -> None:
        """Note that this instance does not wait any more. Raises `StoreError`."""
        await self._run(lambda book: book.go(self.me), _END_SECONDS)

    async def take(self) -> TakeOver | None:
        """Take the lease; return None if it is another instance's. Raises `StoreError`."""
        return await self._run(self._take, TAKE_SECONDS)

    async def renew(self, epoch: int, *, is_cut_off: bool) -> tuple[StandbyInstance, ...] | None:
        """Renew the lease, and return who stands by; None if another instance has the lease. Raises `StoreError`."""

        async def renew(book: LeaseBook) -> tuple[StandbyInstance, ...] | None:
            return await book.standbys() if await book.renew(epoch, is_cut_off=is_cut_off) else None

        return await self._run(renew)

    async def release(self, epoch: int, seconds: float) -> None:
        """End the lease of *epoch* in so many *seconds* at the latest. Raises `StoreError`."""
        await self._run(lambda book: book.release(epoch, seconds), _END_SECONDS)

    async def publish(self, epoch: int, keys: Mapping[str, str]) -> None:
        """Set what other instances must share with the holder. Raises `StoreError`."""
        await self._run(lambda book: book.publish(epoch, keys))

    async def _take(self, book: LeaseBook) -> TakeOver | None:
        before = await book.lock()
        if not (decision := candidacy(before.row, self.me.name)).may_take:
            return None
        await _end_transactions(book.connection)
        await book.connection.exec_driver_sql(postgres.BEGIN)
        return TakeOver(await book.take(self.me), decision.reason, before)

    async def _run(self, step: Callable[[LeaseBook], Awaitable[_Result]], seconds: float | None = None) -> _Result:
        """Run *step* in a transaction; after *seconds*, leave it and its connection behind."""
        seconds = ANSWER_SECONDS if seconds is None else seconds
        engine = self._engine
        task = asyncio.ensure_future(self._transaction(engine, step))
        try:
            await asyncio.wait({task}, timeout=seconds)
            if task.done():
                return task.result()
            self._engine = self._connect()
            raise StoreError(f"{name_of(engine.url)} did not respond within {seconds:g} s")
        finally:
            if not task.done():
                ending = asyncio.create_task(_end(task, engine, self._engine))
                self._left_behind.add(ending)
                ending.add_done_callback(self._left_behind.discard)

    async def _transaction(self, engine: AsyncEngine, step: Callable[[LeaseBook], Awaitable[_Result]]) -> _Result:
        with plain_errors(engine.url):
            async with engine.begin() as connection:
                return await step(LeaseBook(connection, self._clock.now()))

    def _connect(self) -> AsyncEngine:
        return postgres.engine_for(self._url, _LOCK_SECONDS)


async def _end(task: "asyncio.Task[_Result]", engine: AsyncEngine, current: AsyncEngine) -> None:
    """End a transaction that takes too long, and its *engine*, unless that is the *current* one."""
    task.cancel()
    await asyncio.wait({task})
    if engine is not current:
        await engine.dispose()


async def _end_transactions(connection: AsyncConnection) -> None:
    """End the connections of the former holder, which may be stopped in a transaction, or cut off."""
    try:
        async with connection.begin_nested():
            await connection.exec_driver_sql(postgres.END_MARKED)
    except sa.exc.ProgrammingError as error:
        _log.warning("lease.connections_kept", reason=next(iter(str(error.orig).splitlines()), ""))
