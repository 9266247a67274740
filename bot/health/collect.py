"""Collects the health of a running bot's parts, for `status`, /readyz, /metrics and the status page."""

import asyncio
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from bot import __version__
from bot.clock import Clock
from bot.delivery.sender import Sender
from bot.errors import StoreError
from bot.ids import ProjectName, RoomId, ServerName
from bot.incidents import Incident, Incidents
from bot.maintainers_files import MaintainersFiles
from bot.notices.catch_up import Absence
from bot.notices.floods import Flood
from bot.notices.status import BotStatus, QueueStatus, RoomStatus, StatusDetails, SubscriptionCounts, moment
from bot.query.index.index import Index
from bot.store import migrate
from bot.store.session_book import SessionState
from bot.store.store import Store, Transaction
from bot.watch.watch import Watch

AGES = (timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1))
_DAY = timedelta(days=1)


class Presence(Protocol):
    """The state of the bot at its homeserver."""

    @property
    def incidents(self) -> Incidents:
        """The incidents in its session."""

    def outages(self) -> tuple[str, ...]:
        """Return the problems that keep the bot from receiving or sending messages, a sentence each."""

    def remarks(self) -> tuple[str, ...]:
        """Return the less serious problems, a sentence each."""

    def room_names(self) -> Mapping[RoomId, tuple[str, ...]]:
        """Return the rooms that the bot is in, each with its name and its alias, as far as it has them."""


class RoleReporter(Protocol):
    """The role of this instance among those that share the database."""

    def outages(self) -> tuple[str, ...]:
        """Return the problems that keep it from acting, a sentence each."""

    def acts(self) -> str:
        """Return a sentence about the instances; "" if there is only this one."""


@dataclass(frozen=True, slots=True)
class HealthSources:
    """The parts of the bot whose health is collected; *configured* is the number of subscriptions in the settings."""

    index: Index
    watches: Sequence[Watch]
    maintainers_files: MaintainersFiles
    sender: Sender
    incidents: Incidents
    configured: int = 0


class HealthCollector:
    """Collects the health of the bot; *presence* is None without a homeserver, as in the demo."""

    def __init__(self, store: Store, parts: HealthSources, clock: Clock, override: str) -> None:
        self.presence: Presence | None = None
        self.role: RoleReporter | None = None  # None if no other instance can share the database
        self.doubts: tuple[str, ...] = ()  # about configured queries
        self._store = store
        self._parts = parts
        self._clock = clock
        self._override = override
        self._started: datetime = clock.now()

    async def condition(self) -> BotStatus:
        """Return the current status of the bot, even if the database cannot be used."""
        queue: QueueStatus | None = None
        known: dict[ServerName, list[tuple[ProjectName, datetime]]] = {}
        in_chat = 0, 0
        reading: dict[ServerName, Absence | None] = {}
        looks: dict[ServerName, datetime | None] = {}
        floods: tuple[str, ...] = ()
        broken: tuple[str, ...] = ()
        try:
            async with self._store.transaction() as tx:  # a bot that cannot write is not ready, though it may read
                queue = await tx.outbox.queue()
                known = {watch.server: await tx.watch.known_since(watch.server) for watch in self._parts.watches}
                in_chat = await tx.subscriptions.count()
                reading = {watch.server: await _still_read(tx, watch.server) for watch in self._parts.watches}
                looks = {watch.server: await tx.rechecks.oldest(watch.server) for watch in self._parts.watches}
                floods = tuple([_flood(flood) for flood in await tx.floods.all()])
        except StoreError as error:
            since = moment(self._store.failing_since or self._clock.now())
            broken = (f"The database has not responded since {since} ({error}); retrying.",)
        presence = self.presence
        return BotStatus(
            version=__version__,
            now=self._clock.now(),
            started=self._started,
            servers=tuple(
                watch.condition(known.get(watch.server, ()), reading.get(watch.server), looks.get(watch.server))
                for watch in self._parts.watches
            ),
            queue=queue and self._paced(queue),
            outages=(
                *broken,
                *(self.role.outages() if self.role else ()),
                *(presence.outages() if presence else ()),
            ),
            remarks=(
                *(presence.remarks() if presence else ()),
                *self._parts.maintainers_files.problems(),
                *self.doubts,
            ),
            floods=floods,
            incidents=tuple(_incident(each) for each in self._incidents()),
            subscriptions=self._subscriptions(*in_chat),
            role=self.role.acts() if self.role else "",
            override=self._override,
        )

    async def particulars(self) -> StatusDetails:
        """Return the rooms, those with most cards first, the ages of waiting notices, and the versions.

        The rooms and ages are empty if the database cannot be used.
        """
        now, versions = self._clock.now(), (("Python", platform.python_version()), ("database", migrate.newest()))
        try:
            async with self._store.reading() as tx:
                kept, out = await tx.session.load_rooms(), await tx.session.rooms_out()
                cards = await tx.cards.count_since(now - _DAY)
                waiting = await tx.outbox.waiting_since([now - age for age in AGES])
        except StoreError:
            return StatusDetails(versions=versions)
        names = _names(kept, self.presence.room_names() if self.presence else {})
        rooms = await asyncio.to_thread(self._rooms, kept, out, cards, names)
        return StatusDetails(rooms, tuple(zip((*AGES, None), waiting, strict=True)), versions)

    def _incidents(self) -> list[Incident]:
        there = self.presence.incidents if self.presence else ()
        return sorted((*self._parts.incidents, *there), key=lambda each: each.last_at)

    def _subscriptions(self, rooms: int, persons: int) -> SubscriptionCounts:
        index = self._parts.index
        return SubscriptionCounts(rooms, persons, self._parts.configured, len(index), index.scanned)

    def _paced(self, queue: QueueStatus) -> QueueStatus:
        """Return *queue* with the next send delayed to the time that the rate limit allows, and whether it is stuck."""
        if queue.next_at is None:
            return queue
        sender = self._parts.sender
        paced = replace(queue, next_at=max(queue.next_at, sender.may_send_at))
        if sender.may_send_at > self._clock.now():
            return paced
        health = sender.health
        if health.failing_since is not None:
            return replace(paced, stuck_since=health.failing_since, stuck_reason=health.reason)
        if queue.due_since is None:
            return paced
        since = max(queue.due_since, health.last_attempt or self._started, health.silent_until or self._started)
        return replace(paced, stuck_since=since)

    def _rooms(
        self,
        kept: SessionState,
        out: frozenset[RoomId],
        cards: Mapping[RoomId, int],
        names: Mapping[RoomId, tuple[str, ...]],
    ) -> tuple[RoomStatus, ...]:
        listening = Counter(each.room for each in self._parts.index.subscriptions)
        seen = []
        for room in {*listening, *cards, *names, *kept.direct, *out}:
            name, alias, *_ = *names.get(room, ()), "", ""
            seen.append(
                RoomStatus(
                    room=room,
                    name=name,
                    subscriptions=listening[room],
                    cards=cards.get(room, 0),
                    is_direct=room in kept.direct,
                    state=_state(room, kept.suspended, out),
                    alias=alias,
                )
            )
        return tuple(sorted(seen, key=lambda each: (-each.cards, -each.subscriptions, each.name, each.room)))


def _names(kept: SessionState, joined: Mapping[RoomId, tuple[str, ...]]) -> dict[RoomId, tuple[str, ...]]:
    """Return the names of the *joined* rooms and those in the settings, which name a room that has no other name."""
    configured = {room: (name,) for name, room in kept.named.items() if name != room}
    return {room: joined.get(room, ()) or configured.get(room, ()) for room in {*joined, *kept.named.values()}}


def _state(room: RoomId, suspended: frozenset[RoomId], out: frozenset[RoomId]) -> str:
    if room in suspended:
        return "does not let the bot speak"
    return "left" if room in out else ""


async def _still_read(tx: Transaction, server: ServerName) -> Absence | None:
    """Return the absence whose events are not yet all read, or None."""
    absence = await tx.catch_ups.last(server)
    return absence if absence is not None and absence.ended is None else None


def _incident(incident: Incident) -> str:
    often = "" if incident.count == 1 else f", {incident.count} times since {moment(incident.first_at)}"
    return f"{incident.name}: {incident.reason} ({incident.kind}, last at {moment(incident.last_at)}{often})."


def _flood(flood: Flood) -> str:
    since = moment(flood.opened)
    return f"{flood.room}: a flood from {flood.server} since {since}; its series are listed when it is over."
