"""The store's own copies of patches and series, for when their server does not answer."""

from collections.abc import Iterable

from bot.commands.resolved import Found, FoundPatch, FoundSeries, OwnCopy
from bot.commands.servers import Place
from bot.errors import UserError
from bot.ids import Msgid, SeriesId
from bot.patchwork.model import Patch, PatchPage, Series
from bot.patchwork.references import Kind, Ref
from bot.store.store import Store


class Copies:
    """Finds copies; *outage* is always why the server was not asked."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, place: Place, ref: Ref, kinds: Iterable[Kind], outage: str) -> Found | None:
        """What *ref* means; a number is tried as the id of each of *kinds*. Of cover letters no ids are known."""
        if ref.msgid is not None:
            patch, opened = await self.with_msgid(place, ref.msgid)
            if opened is not None:
                return await self.series(place, opened, outage)
            return await self.patch(place, patch.id, outage) if patch else None
        looks = {Kind.PATCH: self.patch, Kind.SERIES: self.series}
        for kind in kinds:
            found = await looks[kind](place, ref.number or 0, outage) if kind in looks else None
            if found is not None:
                return found
        return None

    async def with_msgid(self, place: Place, msgid: Msgid) -> tuple[Patch | None, SeriesId | None]:
        """The patch with a message-id, else the series whose cover letter has it."""
        async with self._store.transaction() as tx:
            patch = await tx.watch.by_msgid(place.name, msgid)
            series = None if patch else await tx.watch.opened_by(place.name, msgid)
        return patch, series.id if series else None

    async def patch(self, place: Place, number: int, outage: str) -> FoundPatch | None:
        """A patch that was read."""
        async with self._store.transaction() as tx:
            found = await tx.watch.remembered(place.name, number)
        if found is None:
            return None
        return FoundPatch(place, PatchPage(found.patch, found.series), OwnCopy(outage, found.read_at))

    async def series(self, place: Place, number: int, outage: str) -> FoundSeries | None:
        """A series that was judged."""
        async with self._store.transaction() as tx:
            series = await tx.watch.series(place.name, number)
            as_of = await tx.watch.judged_at(place.name, number)
        return FoundSeries(place, series, OwnCopy(outage, as_of)) if series and as_of else None

    async def patches(self, found: FoundSeries, outage: str) -> tuple[list[Patch], OwnCopy]:
        """The patches read of a series.

        Raises:
            UserError: it was never judged.
        """
        copy = found.copy or await self._copy_of(found.place, found.series, outage)
        async with self._store.transaction() as tx:
            return await tx.watch.patches_of(found.place.name, found.series.id), copy

    async def _copy_of(self, place: Place, series: Series, outage: str) -> OwnCopy:
        found = await self.series(place, series.id, outage)
        if found is None or found.copy is None:
            raise UserError(f"{outage}, and the bot has no copy of the patches.")
        return found.copy
