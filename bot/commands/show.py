"""`show`: one patch or series, asked of its server; from the store when the server does not answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.errors import Temporary
from bot.ids import ProjectName, ServerName
from bot.notices.card import Shown, Site, card
from bot.notices.markup import Document
from bot.notices.replies import patch_shown, said
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import NotFound
from bot.patchwork.lookup import Ref, read_ref
from bot.patchwork.model import Patch, Series
from bot.store.store import Store


@dataclass(frozen=True, slots=True)
class Place:
    """A configured server to look at: its API, its projects, and their archives by project."""

    name: ServerName
    api: PatchworkApi
    projects: tuple[str, ...]
    archives: Mapping[str, str]

    def site(self, project: ProjectName) -> Site:
        """How links to it are written."""
        return Site(self.api.url, self.api.version != "1.1", self.archives.get(project.lower(), ""))


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, and where its links may lead."""

    document: Document
    site: Site | None = None


class Show:
    """Looks patches and series up."""

    def __init__(self, places: Sequence[Place], store: Store) -> None:
        self._places = places
        self._store = store

    async def __call__(self, text: str) -> Answer:
        """What *text* refers to, or why it cannot be shown."""
        ref = read_ref(text)
        if ref is None:
            return Answer(said(f"“{text[:100]}” is no patch id, message-id or link.", "Example: show 2194095"))
        outages: list[str] = []
        for place in self._named(ref):
            try:
                found = await self._ask(place, ref)
            except Temporary as error:
                found = await self._remember(place, ref, str(error))
                outages += [] if found else [f"{place.name} cannot be asked: {error}"]
            if found is not None:
                return found
        known = ", ".join(place.name for place in self._places)
        return Answer(said(*(outages or [f"No patch or series {text[:100]} on {known}."])))

    def _named(self, ref: Ref) -> list[Place]:
        """The servers to ask: the one that was named, or all."""
        if ref.server is not None:
            return [place for place in self._places if place.name.lower() == ref.server.lower()]
        hosts = [place for place in self._places if urlsplit(place.api.url).netloc == ref.host]
        return hosts or (list(self._places) if ref.host is None or ref.msgid is not None else [])

    async def _ask(self, place: Place, ref: Ref) -> Answer | None:
        if not place.api.version:
            await place.api.discover()
        if ref.msgid is not None:
            for patch in await place.api.by_msgid(ref.msgid, place.projects):
                return self._patch(place, await place.api.patch(patch.id), None)
            return None
        if ref.number is not None and not ref.is_series:
            try:
                return await self._whole_patch(place, ref.number)
            except NotFound:
                pass  # the number may be a series
        if ref.number is not None and ref.is_series is not False:
            try:
                series = await place.api.series(ref.number)
                return self._series(place, series, await place.api.contents(series, series.patches))
            except NotFound:
                pass  # said in the end, when no server has it
        return None

    async def _whole_patch(self, place: Place, number: int) -> Answer:
        patch = await place.api.patch(number)
        async with self._store.transaction() as tx:
            series = await tx.watch.series(place.name, patch.series) if patch.series is not None else None
        return self._patch(place, patch, series)

    async def _remember(self, place: Place, ref: Ref, outage: str) -> Answer | None:
        """The store's own copy, with the outage named."""
        async with self._store.transaction() as tx:
            patch = None
            if ref.msgid is not None:
                patch = await tx.watch.by_msgid(place.name, ref.msgid)
            elif ref.number is not None and not ref.is_series:
                patch = await tx.watch.patch(place.name, ref.number)
            if patch is None:
                return None
            series = await tx.watch.series(place.name, patch.series) if patch.series is not None else None
        remark = f"{place.name} cannot be asked ({outage}); this is the bot's own copy"
        return Answer(patch_shown(patch, series, place.site(patch.project), remark), place.site(patch.project))

    def _patch(self, place: Place, patch: Patch, series: Series | None) -> Answer:
        site = place.site(patch.project)
        return Answer(patch_shown(patch, series, site), site)

    def _series(self, place: Place, series: Series, patches: Sequence[Patch]) -> Answer:
        site = place.site(series.project)
        return Answer(card(Shown(tuple(patches), series), site), site)
