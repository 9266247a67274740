"""Reads cover letters: for the name of a series that is known without it, and for what a series needs."""

from dataclasses import dataclass

from bot.ids import Msgid, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.model import Series
from bot.poll import CoverRead, Pending, PendingKind
from bot.polling.follow_ups import Followers
from bot.polling.pending import Fetch, PendingQueue
from bot.store.store import Store


@dataclass(frozen=True, slots=True)
class CoversRead:
    """The series that cover letters *renamed*, and what series *need* according to them."""

    renamed: tuple[Series, ...] = ()
    needs: tuple[CoverRead, ...] = ()


class Covers:
    """The cover letters of one server.

    Each is due a while after it arrived. If its series is known without it by then, two requests find out its name.
    Otherwise one request reads its text, if a card shows what the series needs.
    """

    def __init__(self, server: ServerName, api: PatchworkApi, store: Store, followers: Followers) -> None:
        self._server = server
        self._api = api
        self._store = store
        self._followers = followers

    async def read(self, fetch: Fetch) -> CoversRead:
        """Read the due cover letters."""
        results = await fetch.read_and_settle(self._read, PendingKind.COVER)
        renamed = tuple(series for each in results for series in each.renamed)
        return CoversRead(renamed, tuple(read for each in results for read in each.needs))

    async def _read(self, _: PendingQueue, item: Pending) -> CoversRead:
        async with self._store.reading() as tx:
            known = await tx.watch.ref_of_cover(self._server, item.project, Msgid(item.name))
        if known is not None and not await self._followers.sees_trailers(known):
            return CoversRead()
        cover = await self._api.cover(item.id)
        if cover.series is None:
            return CoversRead()
        needs = (CoverRead(cover.series, cover.needs),) if cover.needs else ()
        if known is not None:
            return CoversRead(needs=needs)
        async with self._store.reading() as tx:
            if not await tx.watch.known_series(self._server, [cover.series]):
                return CoversRead(needs=needs)
        return CoversRead((await self._api.series(cover.series),), needs)
