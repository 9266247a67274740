"""Asks the parts of a running bot how they are, for `status`, /readyz and /metrics."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bot import __version__
from bot.clock import Clock
from bot.errors import StoreError
from bot.notices.condition import Condition, Queue, WatchedServer
from bot.store.store import Store
from bot.subscriptions.index import Index
from bot.watch import Watch


class Presence(Protocol):
    """How the bot stands at its homeserver."""

    def outages(self) -> tuple[str, ...]:
        """What keeps it from hearing and speaking, a sentence each."""

    def remarks(self) -> tuple[str, ...]:
        """What else is not as it should be, a sentence each."""


class Overview:
    """How everything is; *presence* is None where there is no homeserver, as in the demo."""

    def __init__(self, store: Store, index: Index, watches: Sequence[Watch], clock: Clock, override: str) -> None:
        self.presence: Presence | None = None
        self._store = store
        self._index = index
        self._watches = watches
        self._clock = clock
        self._override = override
        self._started: datetime = clock.now()

    async def condition(self) -> Condition:
        """How the bot is now; a database that cannot be used is part of that."""
        servers: list[WatchedServer] = []
        queue, broken = Queue(), ""
        try:
            async with self._store.transaction() as tx:
                queue = await tx.outbox.queue()
                servers = [watch.condition(await tx.watch.known_since(watch.server)) for watch in self._watches]
        except StoreError as error:
            broken = f"The database cannot be used: {error}."
        presence = self.presence
        return Condition(
            version=__version__,
            now=self._clock.now(),
            started=self._started,
            servers=tuple(servers),
            queue=queue,
            outages=(*filter(None, [broken]), *(presence.outages() if presence else ())),
            remarks=presence.remarks() if presence else (),
            subscriptions=len(self._index),
            scanned=self._index.scanned,
            override=self._override,
        )
