"""Detection of archived patches, which raise no event: one small request counts them, and the list is read if needed.

The number of the last page of size one is their total, on every version of the API. If the total changed, the list is
read, newest first, until the differences to the known patches account for the change, or down to the baselines. Patches
missing on the list are read individually, because only a row proves a state.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass

from bot.ids import PatchId, ProjectName, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import NotFound
from bot.patchwork.listing import NewestPage
from bot.patchwork.model import Patch
from bot.poll import OpenSubmission
from bot.store.store import Store

_PAGE_ROWS = 50
_MAX_PAGES = 40
_MAX_MISSING = 50  # series of a sweep, looked at by themselves


@dataclass(frozen=True, slots=True)
class Archived:
    """The archived patches that were read, and their total; *total* is None if the server does not tell.

    *missing* were archived and are no longer on the list.
    """

    total: int | None
    patches: tuple[Patch, ...] = ()
    missing: tuple[OpenSubmission, ...] = ()


class Archive:
    """The archived patches of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, store: Store) -> None:
        self._server = server
        self._api = api
        self._store = store

    async def look(self, baselines: Mapping[ProjectName, int], before: int | None) -> Archived:
        """Return the archived patches of the projects with these *baselines*, if their total is not *before*.

        Raises:
            TransportError: the server fails.
        """
        projects = list(baselines)
        total = await self._api.archived_total(projects)
        if total is None or total == before:
            return Archived(total)
        async with self._store.reading() as tx:
            known = await tx.sweeps.archived(self._server, projects)
        found: list[Patch] = []
        new: set[PatchId] = set()
        gone: set[PatchId] = set()
        async for page in self._pages(projects):
            found += page.rows
            ids = {patch.id for patch in page.rows}
            async with self._store.reading() as tx:
                new |= await tx.watch.known_patches(self._server, ids) - known.keys()
            reached = page.lowest if page.more else 0
            gone = {patch for patch in known if patch >= reached}.difference(patch.id for patch in found)
            accounts = before is not None and bool(new or gone) and len(new) - len(gone) == total - before
            if accounts or reached <= min(baselines.values()):
                break
        missing = {each.series or each.newest: each for each in map(known.__getitem__, sorted(gone, reverse=True))}
        return Archived(total, tuple(found), tuple(missing.values())[:_MAX_MISSING])

    async def _pages(self, projects: Collection[ProjectName]) -> AsyncIterator[NewestPage[Patch]]:
        for number in range(1, _MAX_PAGES + 1):
            try:
                page = await self._api.archived_patches(projects, _PAGE_ROWS, number)
            except NotFound:
                if number == 1:
                    raise
                return
            yield page
