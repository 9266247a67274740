"""Posts the lists of floods, submissions of which too many matched for a room at once, when they are over."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import structlog

from bot.ids import NoticeKey, RoomId
from bot.notices.card import ServerLinks
from bot.notices.floods import (
    AllServerLinks,
    Flood,
    FloodEntry,
    ListContext,
    flood_notices,
    flood_so_far,
)
from bot.notices.notice import Lane, Notice
from bot.polling.poller import Poller
from bot.store.retry_book import RetryKind
from bot.store.store import Store, Transaction
from bot.subscriptions.registry import Audience
from bot.watch.announce import going_on
from bot.watch.item_isolation import composed, isolated

_log = structlog.get_logger(__name__)


class FloodLists:
    """The floods of all rooms, and of the servers behind all *pollers*."""

    def __init__(self, store: Store, audience: Audience, pollers: Sequence[Poller]) -> None:
        self._store = store
        self._audience = audience
        self._incidents = store.incidents
        self._pollers = pollers

    async def tick(self) -> None:
        """Post the lists of floods that are over, and the lines of those that last long.

        A flood that cannot be posted waits for its retry; the others are posted.
        """
        async with self._store.transaction() as tx:
            floods = await tx.floods.all()
            waiting = await tx.retries.waiting(RetryKind.FLOOD) if floods else set()
            due = [flood for flood in floods if flood.key not in waiting]
            posted = await isolated(tx, due, partial(self._post, tx), partial(self._put_off, tx))
            await tx.retries.settle(RetryKind.FLOOD, posted)
        for key in posted:
            self._incidents.resolve(RetryKind.FLOOD.incident, key)

    async def _post(self, tx: Transaction, floods: Sequence[Flood]) -> list[NoticeKey]:
        """Post what is due of some floods, and return the keys of those of which something was posted."""
        goes_on = (await going_on(tx, tx.now)).values()
        posted: list[NoticeKey] = []
        for flood in floods:
            if flood not in goes_on:
                await self._end(tx, flood)
                posted.append(flood.key)
            elif flood.is_line_due(tx.now):
                gathered = await tx.floods.gathered(flood.key)
                await tx.outbox.add(await self._composed(flood, gathered, flood_so_far))
                await tx.floods.put(replace(flood, is_posted=True))
                posted.append(flood.key)
        return posted

    async def _put_off(self, tx: Transaction, flood: Flood, error: Exception) -> None:
        await tx.retries.put_off(RetryKind.FLOOD, flood.key, error)

    async def _end(self, tx: Transaction, flood: Flood) -> None:
        gathered = await tx.floods.gathered(flood.key)
        if gathered:  # otherwise its server was rebuilt, and they no longer exist
            line, *thread = await self._composed(flood, gathered, flood_notices)
            if line.lane is Lane.EDIT:
                await tx.outbox.edit(line)
            else:
                await tx.outbox.add([line])
            await tx.outbox.add(thread)
        await tx.floods.remove(flood)
        _log.info("flood.posted", room=flood.room, series=len(gathered), cause=flood.cause.value)

    async def _composed(
        self,
        flood: Flood,
        gathered: Sequence[FloodEntry],
        compose: Callable[[Flood, Sequence[FloodEntry], ListContext], list[Notice]],
    ) -> list[Notice]:
        room = self._room(flood.room)
        return await asyncio.to_thread(composed, gathered, lambda some: compose(flood, some, room), self._incidents)

    def _room(self, room: RoomId) -> ListContext:
        sites = AllServerLinks(
            {poller.server: ServerLinks(poller.url, poller.links_by_msgid) for poller in self._pollers}
        )
        return ListContext(room, self._audience.rings(room), sites)
