"""The store: explicit transactions over the books of the watch, the rooms, the people and what is said to them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Self

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.clock import Clock
from bot.errors import StoreError
from bot.incidents import Incidents
from bot.store import migrate
from bot.store.card_book import CardBook
from bot.store.digest_book import DigestBook, DigestHelpers
from bot.store.due_book import DueBook
from bot.store.engine import READ_ONLY, connect, file_of, plain_errors, written_by
from bot.store.flood_book import CatchUpBook, FloodBook
from bot.store.inbox_book import InboxBook
from bot.store.outbox_book import KEEP_SAID, OutboxBook
from bot.store.patch_book import VersionBook
from bot.store.poll_book import PollBook
from bot.store.queued_change_book import QueuedChangeBook
from bot.store.recheck_book import RecheckBook
from bot.store.retry_book import RetryBook
from bot.store.session_book import RoomBooks, SessionBook
from bot.store.subscription_book import SubscriptionBook
from bot.store.sweep_book import SweepBook


@dataclass(frozen=True, slots=True)
class Transaction:
    """All books, under one commit; *now* (UTC) is the time of everything in it."""

    watch: PollBook
    sweeps: SweepBook
    outbox: OutboxBook
    cards: CardBook
    versions: VersionBook
    queued: QueuedChangeBook
    digests: DigestBook
    floods: FloodBook
    absences: CatchUpBook
    inbox: InboxBook
    session: SessionBook
    subscriptions: SubscriptionBook
    retries: RetryBook
    rechecks: RecheckBook
    due: DueBook
    now: datetime
    savepoint: Callable[[], AbstractAsyncContextManager[None]]
    """A part of the transaction that alone is undone when its block raises; raises StoreError as `transaction` does."""


class Store:
    """The database, which is read and written in transactions."""

    def __init__(self, engine: AsyncEngine, clock: Clock, incidents: Incidents | None = None) -> None:
        self.incidents = incidents or Incidents(clock)  # rows that cannot be read, and what whoever uses it adds
        self._engine = engine
        self._clock = clock
        self.failing_since: datetime | None = None  # UTC; None: the last transaction was well
        self._wakes: list[tuple[frozenset[str], Callable[[], None]]] = []

    @classmethod
    async def open(cls, url: str, clock: Clock, incidents: Incidents | None = None) -> Self:
        """The store behind *url*, at the program's version; on PostgreSQL for this process alone.

        Raises:
            ConfigError: when the URL is none that this program can use.
            StoreError: when the database cannot be used, or is newer than the program.
        """
        engine = connect(url, only_instance=True)
        try:
            await migrate.upgrade(engine)
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, clock, incidents)

    @classmethod
    async def beside(cls, url: str, clock: Clock) -> Self:
        """The store behind *url* for somebody who looks in while the bot may be running; nothing is made or migrated.

        Raises:
            ConfigError: when the URL is none that this program can use.
            StoreError: when there is no database, it cannot be used, or is not of the program's version.
        """
        file = file_of(url)
        if file is not None and not file.exists():
            raise StoreError(f"there is no database at {file}")
        engine = connect(url)
        try:
            await migrate.see_that_it_fits(engine)
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, clock)

    async def close(self) -> None:
        """Give the database back."""
        await self._engine.dispose()

    def on_write(self, tables: Collection[str], wake: Callable[[], None]) -> None:
        """Call *wake* after each transaction of this process that wrote one of the *tables*."""
        self._wakes.append((frozenset(tables), wake))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StoreError: when the database cannot be used.
        """
        with self._noted(), plain_errors(self._engine.url):
            async with self._engine.begin() as connection:
                written = written_by(connection)
                yield self._books(connection)
        for tables, wake in self._wakes:
            if not tables.isdisjoint(written):
                wake()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """One transaction that only looks, and so takes no write lock and waits for no other program.

        Raises:
            StoreError: when the database cannot be used.
            RuntimeError: when the block writes, on SQLite; a StoreError on PostgreSQL.
        """
        with self._noted(), plain_errors(self._engine.url):
            async with self._engine.connect() as connection:
                await connection.execution_options(**READ_ONLY)
                async with connection.begin():
                    yield self._books(connection)

    def _books(self, connection: AsyncConnection) -> Transaction:
        now = self._clock.now()
        retries, subscriptions = RetryBook(connection, now, self.incidents), SubscriptionBook(connection, now)
        cards, floods = CardBook(connection, now, retries), FloodBook(connection, now, self.incidents)
        digests = DigestBook(connection, now, DigestHelpers(subscriptions, retries, self.incidents))
        outbox = OutboxBook(connection, now, cards)
        return Transaction(
            watch=PollBook(connection, now, self.incidents),
            sweeps=SweepBook(connection, now),
            outbox=outbox,
            cards=cards,
            versions=VersionBook(connection),
            queued=QueuedChangeBook(connection, now, retries),
            digests=digests,
            floods=floods,
            absences=CatchUpBook(connection),
            inbox=InboxBook(connection),
            session=SessionBook(connection, RoomBooks(outbox, cards, digests, floods, subscriptions, retries)),
            subscriptions=subscriptions,
            retries=retries,
            rechecks=RecheckBook(connection, now),
            due=DueBook(connection, now, floods, retries),
            now=now,
            savepoint=partial(self._savepoint, connection),
        )

    @asynccontextmanager
    async def _savepoint(self, connection: AsyncConnection) -> AsyncIterator[None]:
        refused: StoreError | None = None
        try:
            with plain_errors(self._engine.url):
                async with connection.begin_nested():
                    try:
                        with plain_errors(self._engine.url):
                            yield
                    except StoreError as error:
                        refused = error
                        raise
        except StoreError as error:
            # SQLite undoes the whole transaction when the disk is full, so that the savepoint cannot be undone, either:
            # what it says of that is not what is the matter.
            raise refused or error from None

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Remember since when the database cannot be used."""
        try:
            yield
        except StoreError:
            self.failing_since = self.failing_since or self._clock.now()
            raise
        self.failing_since = None

    async def tidy(self) -> None:
        """Drop what is kept no longer, a batch a transaction, so that others get their turn in between.

        Where one kind of it cannot be dropped, the others are all the same.

        Raises:
            StoreError: when the database cannot be used, after all were tried.
        """
        broken: StoreError | None = None
        for name, tidy in _TIDIES.items():
            try:
                while await self._tidy_a_batch(tidy):
                    pass
            except StoreError as error:
                broken = error
            except Exception as error:  # noqa: BLE001  # the one broad catch of a kind: it is recorded and tried again
                self.incidents.record("housekeeping.failed", name, error)
            else:
                self.incidents.resolve("housekeeping.failed", name)
        if broken is not None:
            raise broken

    async def _tidy_a_batch(self, tidy: Callable[[Transaction], Awaitable[bool]]) -> bool:
        async with self.transaction() as tx:
            return await tidy(tx)


# What is dropped, by what it is called where that fails
_TIDIES: Final[Mapping[str, Callable[[Transaction], Awaitable[bool]]]] = {
    "what waits for its patch": lambda tx: tx.watch.tidy_told(),
    "checks": lambda tx: tx.watch.tidy_checks(),
    "comments": lambda tx: tx.watch.tidy_comments(),
    "what cannot be read": lambda tx: tx.watch.tidy_pending(),
    "patches": lambda tx: tx.watch.tidy_patches(),
    "series": lambda tx: tx.watch.tidy_series(),
    "events": lambda tx: tx.watch.tidy_events(),
    "sent messages": lambda tx: tx.outbox.tidy(),
    "answered messages": lambda tx: tx.inbox.tidy(tx.now - KEEP_SAID),
    "cards": lambda tx: tx.cards.tidy(),
    "digests": lambda tx: tx.digests.tidy(),
    "lists": lambda tx: tx.floods.tidy(),
    "retries": lambda tx: tx.retries.tidy(),
    "rechecks": lambda tx: tx.rechecks.tidy(),
}
