"""Asks the parts of a running bot how they are, for `status`, /readyz and /metrics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from bot import __version__
from bot.clock import Clock
from bot.delivery.sender import Sender
from bot.errors import StoreError
from bot.ids import ProjectName, ServerName
from bot.notices.condition import Condition, Queue, moment
from bot.notices.floods import Flood
from bot.notices.gaps import Absence
from bot.rulebook import Rulebook
from bot.store.store import Store, Transaction
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
    sender: Sender


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
        reading: dict[ServerName, Absence | None] = {}
        floods: tuple[str, ...] = ()
        broken: tuple[str, ...] = ()
        try:
            async with self._store.transaction() as tx:
                queue = await tx.outbox.queue()
                known = {watch.server: await tx.watch.known_since(watch.server) for watch in self._parts.watches}
                reading = {watch.server: await _still_read(tx, watch.server) for watch in self._parts.watches}
                floods = tuple([_flood(flood) for flood in await tx.floods.all()])
        except StoreError as error:
            since = moment(self._store.failing_since or self._clock.now())
            broken = (f"The database cannot be used since {since} ({error}); it is tried again all the time.",)
        presence = self.presence
        return Condition(
            version=__version__,
            now=self._clock.now(),
            started=self._started,
            servers=tuple(
                watch.condition(known.get(watch.server, ()), reading.get(watch.server)) for watch in self._parts.watches
            ),
            queue=queue and self._paced(queue),
            outages=(*broken, *(presence.outages() if presence else ())),
            remarks=(*(presence.remarks() if presence else ()), *self._parts.rulebook.problems(), *self.doubts),
            floods=floods,
            subscriptions=len(self._parts.index),
            scanned=self._parts.index.scanned,
            override=self._override,
        )

    def _paced(self, queue: Queue) -> Queue:
        """*queue* with the time at which the next message may go, as the pace allows, too."""
        if queue.next_at is None:
            return queue
        return replace(queue, next_at=max(queue.next_at, self._parts.sender.may_send_at))


async def _still_read(tx: Transaction, server: ServerName) -> Absence | None:
    """The absence whose arrivals are not all read; None: there is none."""
    absence = await tx.absences.last(server)
    return absence if absence is not None and absence.ended is None else None


def _flood(flood: Flood) -> str:
    return (
        f"{flood.room}: a flood from {flood.server} since {moment(flood.opened)}; what it brings is listed at its end."
    )
