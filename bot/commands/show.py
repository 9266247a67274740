"""`show`: one patch or series, asked of its server; from the store when the server does not answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from bot.commands import grammar
from bot.commands.answers import About, Answer
from bot.commands.asked import Asked
from bot.errors import Permanent, Temporary
from bot.ids import Msgid, ProjectName, ServerName
from bot.notices.card import Shown, Site, card
from bot.notices.replies import patch_shown, said
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import NotFound
from bot.patchwork.lookup import Kind, Ref, host_of, read_ref
from bot.patchwork.model import Patch, Series
from bot.store.store import Store

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A configured server to look at: its API, its projects, and their archives by project."""

    name: ServerName
    api: PatchworkApi
    projects: tuple[str, ...]
    archives: Mapping[str, str]

    @property
    def finds_msgids(self) -> bool:
        """Whether its API can look for a message-id; before 1.2 it ignores the question."""
        return self.api.version >= "1.2"

    def site(self, project: ProjectName) -> Site:
        """How links to it are written."""
        return Site(self.api.url, self.api.version != "1.1", self.archives.get(project.lower(), ""))


class Show:
    """Looks patches and series up."""

    def __init__(self, places: Sequence[Place], store: Store) -> None:
        self._places = places
        self._store = store

    async def __call__(self, asked: Asked) -> Answer:
        """What was referred to, or why it cannot be shown."""
        text = asked.call.arguments.get("ref")
        if text is None:
            return Answer(said(f"REF is missing. {grammar.usage(asked.call.command, asked.prefix)}"))
        ref = read_ref(text)
        if ref is None:
            example = asked.call.command.typical(asked.prefix)
            return Answer(said(f"“{text[:100]}” is not a patch id, a message-id or a link.", f"Example: {example}"))
        places = self._meant(ref)
        if not places:
            return Answer(said(*self._not_watched(ref)))
        if ref.kind is Kind.COVER and ref.number is not None:
            return Answer(said(f"Cover letters cannot be looked up by id. {_INSTEAD_OF_A_COVER}"))
        missing: list[str] = []
        for place in places:
            try:
                found = await self._ask(place, ref)
                missing += [] if found else _missing(place, ref)
            except (Temporary, Permanent) as error:
                _log.warning("a server could not be asked", server=place.name, reason=str(error))
                found = await self._remember(place, ref, f"{place.name} cannot be asked ({error})")
                missing += [] if found else [f"{place.name} cannot be asked ({error}), and the bot has no copy of it."]
            if found is not None:
                return found
        return Answer(said(*missing))

    def _meant(self, ref: Ref) -> list[Place]:
        """The servers to ask: the one that was named, else all; an id of another server means nothing to them."""
        if ref.server is not None:
            return [place for place in self._places if place.name.lower() == ref.server.lower()]
        if ref.host is None:
            return list(self._places)
        hosts = [place for place in self._places if host_of(place.api.url) == ref.host]
        return hosts or (list(self._places) if ref.msgid is not None else [])

    def _not_watched(self, ref: Ref) -> Sequence[str]:
        known = ", ".join(f"{place.name} ({host_of(place.api.url)})" for place in self._places)
        if ref.server is not None:
            return (f"There is no server “{ref.server}” here.", f"Watched: {known}.")
        return (
            f"{ref.host} is not watched here; of other servers, only message-ids can be looked for.",
            f"Watched: {known}.",
        )

    async def _ask(self, place: Place, ref: Ref) -> Answer | None:
        if not place.api.version:
            await place.api.discover()
        if ref.msgid is not None:
            return await self._ask_for_mail(place, ref, ref.msgid)
        if ref.number is not None and ref.kind is not Kind.SERIES:
            try:
                return await self._patch(place, await place.api.patch(ref.number))
            except NotFound:
                pass  # the number may be a series
        if ref.number is not None and ref.kind is not Kind.PATCH:
            return await self._ask_for_series(place, ref.number)
        return None

    async def _ask_for_series(self, place: Place, number: int) -> Answer | None:
        try:
            series = await place.api.series(number)
            patches = await place.api.contents(series, series.patches)
        except NotFound:
            return None
        return _series(place, series, await self._with_states(place, series, patches))

    async def _ask_for_mail(self, place: Place, ref: Ref, msgid: Msgid) -> Answer | None:
        """The patch with a message-id, or the series whose cover letter has it.

        Of several projects that have the mail, the one that the link named.
        """
        if place.finds_msgids:
            here = ref.project if host_of(place.api.url) == ref.host else None
            projects = [here] if here else place.projects
            patch = next(iter(await place.api.by_msgid(msgid, projects)), None)
            opened = None if patch else await place.api.series_of_cover(msgid, projects)
            if opened is not None:
                return await self._ask_for_series(place, opened)
        else:
            async with self._store.transaction() as tx:
                patch = await tx.watch.by_msgid(place.name, msgid)
        try:
            return await self._patch(place, await place.api.patch(patch.id)) if patch else None
        except NotFound:
            return None

    async def _with_states(self, place: Place, series: Series, patches: Sequence[Patch]) -> list[Patch]:
        """The patches as they stand by all that was heard: what was read from mails, not pages, has no true state.

        A page always tells the check, a mail never.
        """
        async with self._store.transaction() as tx:
            known = {patch.id: patch for patch in await tx.watch.patches_of(place.name, series.id)}
        states = {number: patch.state for number, patch in known.items()}
        return [patch if patch.check else replace(patch, state=states.get(patch.id)) for patch in patches]

    async def _patch(self, place: Place, patch: Patch, *remarks: str) -> Answer:
        async with self._store.transaction() as tx:
            series = await tx.watch.series(place.name, patch.series) if patch.series is not None else None
        site = place.site(patch.project)
        document = (*patch_shown(patch, series, site), *said(*remarks))
        about = About(place.name, patch.project, patch.series, patch.id, series.version if series else None)
        return Answer(document, site, about)

    async def _remember(self, place: Place, ref: Ref, outage: str) -> Answer | None:
        """The store's own copy, with the outage named."""
        remark = f"{outage}; this is the bot's own copy."
        async with self._store.transaction() as tx:
            patch = series = None
            if ref.msgid is not None:
                patch = await tx.watch.by_msgid(place.name, ref.msgid)
            if ref.number is not None and ref.kind is not Kind.SERIES:
                patch = await tx.watch.patch(place.name, ref.number)
            if patch is None and ref.number is not None and ref.kind is not Kind.PATCH:
                series = await tx.watch.series(place.name, ref.number)
            patches = await tx.watch.patches_of(place.name, series.id) if series else []
        if patch is not None:
            return await self._patch(place, patch, remark)
        return _series(place, series, patches, remark) if series else None


_INSTEAD_OF_A_COVER = "Name the series, or one of its patches."


def _series(place: Place, series: Series, patches: Sequence[Patch], *remarks: str) -> Answer:
    site = place.site(series.project)
    document = (*card(Shown(tuple(patches), series), site), *said(*remarks))
    return Answer(document, site, About(place.name, series.project, series.id, version=series.version))


def _missing(place: Place, ref: Ref) -> Sequence[str]:
    """That a server has no such thing, or cannot be asked for it, and what to do."""
    if ref.msgid is None:
        kind = ref.kind.value if ref.kind else "patch or series"
        return (f"There is no {kind} {ref.number} on {place.name}.",)
    if not place.finds_msgids:
        why = f"{place.name} cannot look for message-ids (API {place.api.version}), and the bot has not seen this one."
        return (why, "Name the id of the patch.")
    return (f"There is no patch or cover letter with the message-id {ref.msgid} in what is watched on {place.name}.",)
