"""The store: explicit transactions over the books of servers, rooms, people and messages."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Self, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.clock import Clock
from bot.errors import LeaseLost, StoreError
from bot.incidents import Incidents
from bot.lease import Tenure
from bot.store import migrate
from bot.store.act_book import ActBook
from bot.store.card_book import CardBook
from bot.store.comment_book import CommentBook
from bot.store.dependency_book import DependencyBook
from bot.store.digest_book import DigestBook, DigestHelpers
from bot.store.due_book import DueBook
from bot.store.engine import READ_ONLY, connect, file_of, plain_errors, written_by
from bot.store.figure_book import FigureBook
from bot.store.flood_book import CatchUpBook, FloodBook
from bot.store.follow_book import FollowBook
from bot.store.inbox_book import InboxBook
from bot.store.lease_book import LeaseBook
from bot.store.nudge_book import NudgeBook
from bot.store.outbox_book import OutboxBook
from bot.store.overlap_book import OverlapBook
from bot.store.patch_book import VersionBook
from bot.store.poll_book import PollBook, SweepBook
from bot.store.queue_book import QueueBook
from bot.store.queued_change_book import QueuedChangeBook
from bot.store.recheck_book import RecheckBook
from bot.store.retry_book import RetryBook
from bot.store.session_book import RoomBooks, SessionBook
from bot.store.snooze_book import SnoozeBook
from bot.store.subscription_book import SubscriptionBook
from bot.store.token_book import TokenBook
from bot.store.unfurl_book import UnfurlBook
from bot.store.vault import Vault

_Savepoint: TypeAlias = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class TransactionServices:
    """What the books of a transaction use besides its connection."""

    incidents: Incidents
    savepoint: _Savepoint
    vault: Vault


class Transaction:
    """The books of one transaction, each opened when it is first used; *now* (UTC) is the time of all its writes.

    *savepoint* is a part of the transaction that is rolled back by itself if its block raises; it raises StoreError
    as `Store.transaction` does.
    """

    def __init__(self, connection: AsyncConnection, now: datetime, services: TransactionServices) -> None:
        self.now = now
        self.savepoint = services.savepoint
        self._connection = connection
        self._incidents = services.incidents
        self._vault = services.vault

    @cached_property
    def watch(self) -> PollBook:
        """The watched servers, with their series and patches."""
        return PollBook(self._connection, self.now, self._incidents)

    @cached_property
    def sweeps(self) -> SweepBook:
        """The progress of the sweeps."""
        return SweepBook(self._connection, self.now)

    @cached_property
    def outbox(self) -> OutboxBook:
        """The notices."""
        return OutboxBook(self._connection, self.now, self.cards)

    @cached_property
    def cards(self) -> CardBook:
        """The cards of rooms."""
        return CardBook(self._connection, self.now, self.retries)

    @cached_property
    def versions(self) -> VersionBook:
        """The links between versions of series."""
        return VersionBook(self._connection)

    @cached_property
    def overlaps(self) -> OverlapBook:
        """The open submissions that touch the same files."""
        return OverlapBook(self._connection, self.now)

    @cached_property
    def dependencies(self) -> DependencyBook:
        """What submissions need according to their mails."""
        return DependencyBook(self._connection, self.now, self._incidents)

    @cached_property
    def figures(self) -> FigureBook:
        """The times of patches and comments."""
        return FigureBook(self._connection, self.now)

    @cached_property
    def queued(self) -> QueuedChangeBook:
        """The changes that are to be posted soon."""
        return QueuedChangeBook(self._connection, self.now, self.retries)

    @cached_property
    def digests(self) -> DigestBook:
        """The digests and their entries."""
        helpers = DigestHelpers(self.subscriptions, self.retries, self._incidents)
        return DigestBook(self._connection, self.now, helpers)

    @cached_property
    def floods(self) -> FloodBook:
        """The floods, and the submissions that are listed or held."""
        return FloodBook(self._connection, self.now, self._incidents)

    @cached_property
    def catch_ups(self) -> CatchUpBook:
        """The last absence from each server."""
        return CatchUpBook(self._connection)

    @cached_property
    def inbox(self) -> InboxBook:
        """The messages to be answered."""
        return InboxBook(self._connection, self._vault)

    @cached_property
    def tokens(self) -> TokenBook:
        """The tokens of people."""
        return TokenBook(self._connection, self.now)

    @cached_property
    def acts(self) -> ActBook:
        """The changes on Patchwork that people asked for."""
        return ActBook(self._connection, self.now)

    @cached_property
    def session(self) -> SessionBook:
        """The Matrix account and its rooms."""
        books = RoomBooks(
            outbox=self.outbox,
            cards=self.cards,
            digests=self.digests,
            floods=self.floods,
            subscriptions=self.subscriptions,
            retries=self.retries,
            tokens=self.tokens,
            queues=self.queues,
            follows=self.follows,
            snoozes=self.snoozes,
            nudges=self.nudges,
        )
        return SessionBook(self._connection, books)

    @cached_property
    def subscriptions(self) -> SubscriptionBook:
        """The subscriptions, and the settings of rooms."""
        return SubscriptionBook(self._connection, self.now)

    @cached_property
    def follows(self) -> FollowBook:
        """What people follow."""
        return FollowBook(self._connection, self.now)

    @cached_property
    def snoozes(self) -> SnoozeBook:
        """What rooms snooze."""
        return SnoozeBook(self._connection, self.now)

    @cached_property
    def unfurls(self) -> UnfurlBook:
        """The pasted links that were answered lately."""
        return UnfurlBook(self._connection, self.now)

    @cached_property
    def nudges(self) -> NudgeBook:
        """Who is reminded of their own unanswered patches."""
        return NudgeBook(self._connection, self.now)

    @cached_property
    def retries(self) -> RetryBook:
        """The failed items that wait for a retry."""
        return RetryBook(self._connection, self.now, self._incidents)

    @cached_property
    def rechecks(self) -> RecheckBook:
        """The schedule of comment rechecks."""
        return RecheckBook(self._connection, self.now)

    @cached_property
    def comments(self) -> CommentBook:
        """The authors of comments."""
        return CommentBook(self._connection, self.now)

    @cached_property
    def queues(self) -> QueueBook:
        """Where queues are used, and the numbers of listed rows."""
        return QueueBook(self._connection, self.now)

    @cached_property
    def leases(self) -> LeaseBook:
        """The lease of the instances, and who waits for it."""
        return LeaseBook(self._connection, self.now)

    @cached_property
    def due(self) -> DueBook:
        """The due times of duties."""
        return DueBook(self._connection, self.now, self.floods, self.retries)


class Store:
    """The database, which is read and written in transactions."""

    def __init__(self, engine: AsyncEngine, clock: Clock, incidents: Incidents | None = None) -> None:
        self.incidents = incidents or Incidents(clock)  # unreadable rows, and incidents of the store's users
        self._engine = engine
        self._clock = clock
        self.vault = Vault.for_this_process()  # replaced by that of the installation, if people may give tokens
        self.failing_since: datetime | None = None  # UTC; None if the last transaction succeeded
        self._tenure: Tenure | None = None
        self._wakes: list[tuple[frozenset[str], Callable[[], None]]] = []

    @classmethod
    async def open(
        cls, url: str, clock: Clock, incidents: Incidents | None = None, tenure: Tenure | None = None
    ) -> Self:
        """Open the database at *url* and upgrade it; with a *tenure*, write only as long as that lasts.

        Raises:
            ConfigError: the URL is not supported.
            StoreError: the database cannot be used, or is newer than the program.
            LeaseLost: another instance has taken over.
        """
        engine = connect(url, tenure.epoch if tenure else None)
        try:
            await migrate.upgrade(engine)
        except BaseException:
            await engine.dispose()
            raise
        store = cls(engine, clock, incidents)
        store._tenure = tenure
        return store

    @classmethod
    async def beside(cls, url: str, clock: Clock) -> Self:
        """Open the database at *url*, which a running bot may be using, without creating or upgrading it.

        Raises:
            ConfigError: the URL is not supported.
            StoreError: there is no database, it cannot be used, or it has another version than the program.
        """
        file = file_of(url)
        if file is not None and not file.exists():
            raise StoreError(f"there is no database at {file}")
        engine = connect(url)
        try:
            await migrate.check_version(engine)
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, clock)

    async def close(self) -> None:
        """Close the database."""
        await self._engine.dispose()

    def on_write(self, tables: Collection[str], wake: Callable[[], None]) -> None:
        """Call *wake* after each transaction of this process that wrote one of the *tables*."""
        self._wakes.append((frozenset(tables), wake))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Run a transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StoreError: the database cannot be used.
            LeaseLost: another instance has taken over.
        """
        with self._noted(), plain_errors(self._engine.url):
            async with self._engine.begin() as connection:
                written = written_by(connection)
                yield self._begun(connection)
        for tables, wake in self._wakes:
            if not tables.isdisjoint(written):
                wake()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Run a read-only transaction, which takes no write lock and waits for no other program.

        Raises:
            StoreError: the database cannot be used.
            RuntimeError: the block writes, on SQLite; a StoreError on PostgreSQL.
        """
        with self._noted(), plain_errors(self._engine.url):
            async with self._engine.connect() as connection:
                await connection.execution_options(**READ_ONLY)
                async with connection.begin():
                    yield self._begun(connection)

    def _begun(self, connection: AsyncConnection) -> Transaction:
        services = TransactionServices(self.incidents, partial(self._savepoint, connection), self.vault)
        return Transaction(connection, self._clock.now(), services)

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
            # If the disk is full, SQLite rolls back the whole transaction, so the rollback to the savepoint fails, too:
            # its error must not replace the original one.
            raise refused or error from None

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Record since when the database has been unusable, and that it refuses this instance."""
        try:
            yield
        except StoreError as error:
            if isinstance(error, LeaseLost) and self._tenure is not None:
                self._tenure.lose()
            self.failing_since = self.failing_since or self._clock.now()
            raise
        self.failing_since = None
