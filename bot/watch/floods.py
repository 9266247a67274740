"""Sifts what is wanted into cards and floods, and tells of the floods when they are over."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from bot import metrics
from bot.clock import Clock
from bot.ids import RoomId
from bot.notices.card import Site
from bot.notices.floods import Cause, Fate, Flood, Room, Sites, fate, flood_key, flood_notices, flood_so_far
from bot.notices.outbox import Lane
from bot.patchwork.poller import Poller
from bot.store.store import Store, Transaction
from bot.watch.announce import Wanted
from bot.watch.audience import Audience

_log = structlog.get_logger(__name__)


async def going_on(tx: Transaction, now: datetime) -> dict[RoomId, Flood]:
    """The floods that more may belong to, by room; asked before a poll is written, which says when the server was."""
    floods = [(flood, await tx.absences.polled_at(flood.server)) for flood in await tx.floods.all()]
    return {flood.room: flood for flood, polled_at in floods if not flood.is_over(now, polled_at)}


async def sift(
    tx: Transaction, wanted: Sequence[Wanted], floods: Mapping[RoomId, Flood], now: datetime
) -> list[Wanted]:
    """Those of the *wanted* that get a card; the others are taken into the *floods* that go on, or into new ones."""
    by_room: dict[RoomId, list[Wanted]] = {}
    for each in wanted:
        by_room.setdefault(each.room, []).append(each)
    flooded: set[RoomId] = set()
    for room, some in by_room.items():
        if await _takes(tx, some, floods.get(room), now):
            flooded.add(room)
    return [each for each in wanted if each.room not in flooded]


async def _takes(tx: Transaction, wanted: Sequence[Wanted], flood: Flood | None, now: datetime) -> bool:
    """Whether the *wanted* of one room are in a flood, which has them then; *flood* is the one that goes on there."""
    room, server = wanted[0].room, wanted[0].about.server
    limit = await tx.floods.limit(room)
    recent = await tx.floods.count_recent(room) if limit else 0
    if fate(limit, len(wanted), recent, flood) is Fate.CARDS:
        return False
    if flood is None:
        withdrawn = await tx.floods.withdraw_recent(room)
        cause = Cause.AT_ONCE if withdrawn else Cause.CHANGED
        flood = Flood(room, flood_key(room, now), server, now, now, before=recent - len(withdrawn), cause=cause)
        await tx.floods.gather(room, flood.key, withdrawn)
        metrics.FLOODS.inc()
    if flood.cause is Cause.CHANGED and not all(each.by_change for each in wanted):
        flood = replace(flood, cause=Cause.AT_ONCE)
    await tx.floods.put(replace(flood, server=server, last=now))
    await tx.floods.gather(room, flood.key, [each.held for each in wanted])
    return True


class Floods:
    """The floods of all rooms, and of the servers behind all *pollers*."""

    def __init__(self, store: Store, audience: Audience, clock: Clock, pollers: Sequence[Poller]) -> None:
        self._store = store
        self._audience = audience
        self._clock = clock
        self._pollers = pollers

    async def tell(self) -> None:
        """Tell of the floods that are over, and that there is one where a room should have heard of it."""
        async with self._store.transaction() as tx:
            now = self._clock.now()
            goes_on = (await going_on(tx, now)).values()
            for flood in await tx.floods.all():
                if flood not in goes_on:
                    await self._end(tx, flood)
                elif flood.is_unheard(now):
                    gathered = await tx.floods.gathered(flood.key)
                    notice = await asyncio.to_thread(flood_so_far, flood, gathered, self._room(flood.room))
                    await tx.outbox.add([notice])
                    await tx.floods.put(replace(flood, said=True))

    async def _end(self, tx: Transaction, flood: Flood) -> None:
        gathered = await tx.floods.gathered(flood.key)
        if gathered:  # else its server was rebuilt, and nobody can look at them any more
            line, *thread = await asyncio.to_thread(flood_notices, flood, gathered, self._room(flood.room))
            if line.lane is Lane.EDIT:
                await tx.outbox.edit(line)
            else:
                await tx.outbox.add([line])
            await tx.outbox.add(thread)
        await tx.floods.told(flood)
        _log.info("flood", room=flood.room, series=len(gathered), cause=flood.cause.value)

    def _room(self, room: RoomId) -> Room:
        sites = Sites({poller.server: Site(poller.url, poller.links_by_msgid) for poller in self._pollers})
        return Room(room, self._audience.rings(room), sites)
