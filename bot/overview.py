"""Asks the parts of a running bot how they are, for `status`, /readyz and /metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot import __version__
from bot.clock import Clock
from bot.errors import StoreError
from bot.ids import ProjectName, ServerName
from bot.notices.condition import Condition, Queue
from bot.rulebook import Rulebook
from bot.store.store import Store
from bot.subscriptions.index import Index
from bot.watch.watch import Watch


class Presence(Protocol):
    """How the bot stands at its homeserver."""

    def outages(self) -> tuple[str, ...]:
        """What keeps it from hearing and speaking, a sentence each."""

    def remarks(self) -> tuple[str, ...]:
        """What else is not as it should be, a sentence each."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What is looked at."""

    index: Index
    watches: Sequence[Watch]
    rulebook: Rulebook


class Overview:
    """How everything is; *presence* is None where there is no homeserver, as in the demo."""

    def __init__(self, store: Store, parts: Parts, clock: Clock, override: str) -> None:
        self.presence: Presence | None = None
        self.doubts: tuple[str, ...] = ()  # about configured queries
        self._store = store
        self._parts = parts
        self._clock = clock
        self._override = override
        self._started: datetime = clock.now()

    async def condition(self) -> Condition:
        """How the bot is now; a database that cannot be used is part of that."""
        queue: Queue | None = None
        known: dict[ServerName, list[tuple[ProjectName, datetime]]] = {}
        broken: tuple[str, ...] = ()
        try:
            async with self._store.transaction() as tx:
                queue = await tx.outbox.queue()
                known = {watch.server: await tx.watch.known_since(watch.server) for watch in self._parts.watches}
        except StoreError as error:
            broken = (f"The database cannot be used: {error}.",)
        presence = self.presence
        return Condition(
            version=__version__,
            now=self._clock.now(),
            started=self._started,
            servers=tuple(watch.condition(known.get(watch.server, ())) for watch in self._parts.watches),
            queue=queue,
            outages=(*broken, *(presence.outages() if presence else ())),
            remarks=(*(presence.remarks() if presence else ()), *self._parts.rulebook.problems(), *self.doubts),
            subscriptions=len(self._parts.index),
            scanned=self._parts.index.scanned,
            override=self._override,
        )
