"""Resolves references to patches and series, on their server or from the store if the server does not respond."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

import structlog

from bot.commands.request import AnswerSubject, CommandRequest
from bot.commands.servers import LookupServer
from bot.errors import Permanent, Temporary, TransportError, UserError
from bot.ids import Msgid, PatchId, SeriesId
from bot.notices.card import ServerLinks
from bot.notices.fact_lines import moment
from bot.patchwork.client import AT_ONCE
from bot.patchwork.model import CheckState, Patch, PatchPage, Series
from bot.patchwork.references import Ref, RefKind, read_ref
from bot.patchwork.responses import NotFound
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef

MOST_ROWS = 1_000  # of a list that has numbers
MOST_ASKED_FOR_CHECKS = 10  # patches of a series that the bot does not watch
MOST_VERSIONS = 100  # of one series
_EXAMPLE = "2194095"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CacheNote:
    """The reason for showing the stored copy, and its date (UTC)."""

    outage: str
    as_of: datetime

    def __str__(self) -> str:
        return f"{self.outage}; this is the bot's copy, as of {moment(self.as_of)}."


@dataclass(frozen=True, slots=True)
class ResolvedPatch:
    """A patch that a reference was resolved to; with *copy*, it comes from the store and has no diff."""

    place: LookupServer
    page: PatchPage
    copy: CacheNote | None = None

    @property
    def site(self) -> ServerLinks:
        """The links of its server."""
        return self.place.site(self.page.patch.project)

    @property
    def about(self) -> AnswerSubject:
        """The subject of an answer about it."""
        patch, series = self.page.patch, self.page.series
        version = series.version if series else None
        return AnswerSubject(self.place.name, patch.project, patch.series, patch.id, version)


@dataclass(frozen=True, slots=True)
class ResolvedSeries:
    """A series that a reference was resolved to; with *copy*, it comes from the store."""

    place: LookupServer
    series: Series
    copy: CacheNote | None = None

    @property
    def site(self) -> ServerLinks:
        """The links of its server."""
        return self.place.site(self.series.project)

    @property
    def about(self) -> AnswerSubject:
        """The subject of an answer about it."""
        return AnswerSubject(self.place.name, self.series.project, self.series.id, version=self.series.version)


Resolved: TypeAlias = ResolvedPatch | ResolvedSeries


class RefResolver:
    """Finds the patch or series that a reference means."""

    def __init__(self, places: Sequence[LookupServer], store: Store) -> None:
        self._places = places
        self._store = store
        self._cached = CachedSubmissions(store)

    async def find(self, request: CommandRequest, first: RefKind = RefKind.PATCH) -> Resolved:
        """Resolve the reference in a command; a bare number is tried as an id of *first* before the other kind.

        Raises:
            UserError: nothing was found; the text gives the reason and a way out, one per line.
        """
        text = request.call.arguments.get("ref")
        if text is None:
            return await self._in_reply(request)
        return await self.find_named(text, request, first)

    async def find_named(self, text: str, request: CommandRequest, first: RefKind = RefKind.PATCH) -> Resolved:
        """Resolve the reference *text*; raises as `find` does."""
        ref = read_ref(text)
        if ref is None:
            raise UserError(f"“{text[:100]}” is not a patch id, a message-id or a link.\n{_example(request)}")
        if ref.may_be_row:
            return await self._numbered(request, ref, first)
        return await self._find(ref, first)

    async def find_stored(self, ref: Ref) -> Resolved | None:
        """Return what the store has of a reference that names a host or a message-id, without asking a server."""
        for place in self._meant(ref):
            found = await self._cached.find(place, ref, _kinds(ref, RefKind.PATCH), "")
            if found is not None:
                return found
        return None

    async def stored_versions(self, found: ResolvedSeries) -> list[Series]:
        """Return the known versions of a series, in the order of their ids, with the series itself."""
        name, known = found.place.name, {found.series.id: found.series}
        async with self._store.reading() as tx:
            ids = await tx.watch.earlier(name, found.series.id)
            earlier = [await tx.watch.series(name, number) for number in ids]
            known |= {series.id: series for series in earlier if series is not None}
            ends = list(known)
            while ends and len(known) < MOST_VERSIONS:
                later = [series for end in ends for series in await tx.versions.following(name, end)]
                ends = [series.id for series in later if series.id not in known]
                known |= {series.id: series for series in later if series.id not in known}
        return [known[number] for number in sorted(known)]

    async def series_of(self, found: ResolvedPatch) -> ResolvedSeries:
        """Return the series of a patch, from the server or the store as the patch itself.

        Raises:
            UserError: it is in no series, or the series cannot be read.
        """
        number = found.page.patch.series
        if number is None:
            raise UserError(f"{found.page.patch.name} is in no series.")
        place, outage = found.place, found.copy.outage if found.copy else ""
        if found.copy is None:
            try:
                return ResolvedSeries(place, await place.api.series(number))
            except NotFound as error:
                raise UserError(f"There is no series {number} on {place.name}.") from error
            except (Temporary, Permanent) as error:
                outage = _outage(place, error)
        series = await self._cached.series(place, number, outage)
        if series is None:
            raise UserError(f"{outage}, and the bot has no copy of its series.")
        return series

    async def patches_of(self, found: ResolvedSeries) -> tuple[list[Patch], CacheNote | None]:
        """Return the patches of a series with files and status, from the store if the server stops responding.

        Raises:
            UserError: the server stopped responding, and the store has no copies.
        """
        outage = found.copy.outage if found.copy else ""
        if found.copy is None:
            try:
                return await self._read(found.place, found.series), None
            except (Temporary, Permanent) as error:
                outage = _outage(found.place, error)
        return await self._cached.patches(found, outage)

    async def checked(self, place: LookupServer, patches: Sequence[Patch]) -> list[Patch]:
        """Return *patches* with a check state of None instead of "pending" if no tool has reported anything.

        Patchwork reports "pending" in both cases. The bot knows the checks of watched patches from events. For a few
        others it asks the server; the rest get None.
        """
        unclear = [patch.id for patch in patches if patch.check is CheckState.PENDING]
        known: dict[PatchId, CheckState | None] = {}
        if unclear:
            async with self._store.transaction() as tx:
                known = await tx.watch.worst_checks(place.name, unclear)
        others = [number for number in unclear if number not in known][:MOST_ASKED_FOR_CHECKS]
        found = {number: state is not None for number, state in known.items()}
        for start in range(0, len(others), AT_ONCE):
            some = others[start : start + AT_ONCE]
            found |= zip(some, await asyncio.gather(*(_has_checks(place, number) for number in some)), strict=True)
        return [
            patch if found.get(patch.id, patch.id not in unclear) else replace(patch, check=None) for patch in patches
        ]

    async def _read(self, place: LookupServer, series: Series) -> list[Patch]:
        """Return the patches from the server; the state of patches read from mails is replaced by that of the list."""
        patches = await place.api.contents(series, series.patches)
        if not all(patch.check for patch in patches):
            rows = {row.id: row for row in await place.api.patches_of(series.id)}
            patches = tuple(_standing(patch, rows.get(patch.id)) for patch in patches)
        return await self.checked(place, patches)

    # What is meant

    async def _numbered(self, request: CommandRequest, ref: Ref, first: RefKind) -> Resolved:
        """Return the row of the last list in the chat with a number, or else what has it as its id."""
        number = ref.number or 0
        async with self._store.reading() as tx:
            listed = await tx.queues.listed(request.message.room, number) if number <= MOST_ROWS else None
        if listed is not None:
            return await self._submission(listed)
        try:
            return await self._find(ref, first)
        except UserError as error:
            raise UserError(f"{error}\nThe last list here has no row {number}, either.") from error

    async def _submission(self, about: SubmissionRef) -> Resolved:
        """Return a submission; the patch itself if it is the only one."""
        kind = RefKind.SERIES if about.kind is SubmissionKind.SERIES else RefKind.PATCH
        return await self._lone(await self._find(Ref(about.id, kind=kind, server=about.server), kind))

    async def _in_reply(self, request: CommandRequest) -> Resolved:
        """Return the subject of the message that is replied to, or of the thread's first message."""
        message = request.message
        for event in (message.replies_to, message.thread):
            if event is None:
                continue
            async with self._store.reading() as tx:
                about = await tx.cards.about_event(message.room, event)
            if about is not None:
                return await self._submission(about)
        raise UserError(f"Which one? Name it, or type this in reply to a card.\n{_example(request)}")

    async def _lone(self, found: Resolved) -> Resolved:
        """Return the patch instead of its series if the series has only one, because that is what its card shows."""
        if isinstance(found, ResolvedPatch) or len(found.series.patches) != 1:
            return found
        place, patch = found.place, found.series.patches[0].id
        if found.copy is not None:
            return await self._cached.patch(place, patch, found.copy.outage) or found
        return await self._find(Ref(patch, kind=RefKind.PATCH, server=place.name), RefKind.PATCH)

    async def _find(self, ref: Ref, first: RefKind) -> Resolved:
        missing: list[str] = []
        for place in self._meant(ref):
            try:
                found = await self._ask(place, ref, first)
                missing += [] if found else _missing(place, ref)
            except (Temporary, Permanent) as error:
                outage = _outage(place, error)
                found = await self._cached.find(place, ref, _kinds(ref, first), outage)
                missing += [] if found else [f"{outage}, and the bot has no copy of it."]
            if found is not None:
                return found
        raise UserError("\n".join(missing))

    def _meant(self, ref: Ref) -> Sequence[LookupServer]:
        """Return the servers to ask: the one that was named, or else all; ids of other servers are useless to them."""
        if ref.server is not None:
            meant = [place for place in self._places if place.name.lower() == ref.server.lower()]
        elif ref.host is None:
            meant = list(self._places)
        else:
            meant = [place for place in self._places if place.host == ref.host]
            meant = meant or (list(self._places) if ref.msgid is not None else [])
        if not meant:
            known = ", ".join(f"{place.name} ({place.host})" for place in self._places)
            raise UserError(f"{_not_watched(ref)}\nWatched: {known}.")
        return meant

    # On the server

    async def _ask(self, place: LookupServer, ref: Ref, first: RefKind) -> Resolved | None:
        if not place.api.version:
            await place.api.discover()
        if ref.msgid is not None:
            return await self._ask_for_mail(place, ref, ref.msgid)
        for kind in _kinds(ref, first):
            try:
                return await self._ask_for(place, kind, ref.number or 0)
            except NotFound:
                continue
        return None

    async def _ask_for(self, place: LookupServer, kind: RefKind, number: int) -> Resolved | None:
        if kind is RefKind.PATCH:
            return ResolvedPatch(place, await place.api.patch_page(number))
        opened = (await place.api.cover(number)).series if kind is RefKind.COVER else number
        return ResolvedSeries(place, await place.api.series(opened)) if opened is not None else None

    async def _ask_for_mail(self, place: LookupServer, ref: Ref, msgid: Msgid) -> Resolved | None:
        """Return the patch with a message-id, or the series whose cover letter has it.

        If several projects have the mail, the project in the link is preferred.
        """
        if place.finds_msgids:
            here = ref.project if place.host == ref.host else None
            projects = [here] if here else place.projects
            patch = next(iter(await place.api.by_msgid(msgid, projects)), None)
            opened = None if patch else await place.api.series_of_cover(msgid, projects)
        else:
            patch, opened = await self._cached.with_msgid(place, msgid)
        try:
            if patch is not None:
                return ResolvedPatch(place, await place.api.patch_page(patch.id))
            return ResolvedSeries(place, await place.api.series(opened)) if opened is not None else None
        except NotFound:
            return None


async def _has_checks(place: LookupServer, patch: PatchId) -> bool:
    """Return whether the server has a check of a patch; False if it does not respond."""
    try:
        return bool(await place.api.checks(patch))
    except (Temporary, Permanent):
        return False


def _kinds(ref: Ref, first: RefKind) -> Sequence[RefKind]:
    """Return the kinds of objects that an id may refer to, in the order of trying."""
    if ref.kind is not None:
        return [ref.kind]
    return [RefKind.SERIES, RefKind.PATCH] if first is RefKind.SERIES else [RefKind.PATCH, RefKind.SERIES]


def _standing(patch: Patch, row: Patch | None) -> Patch:
    """Return *patch* with the status from a list's *row*; without a row, its status is unknown."""
    if row is None:
        return patch if patch.check else replace(patch, state=None)
    return replace(
        patch,
        state=row.state,
        check=row.check,
        delegate=row.delegate,
        archived=row.archived,
        pull_url=row.pull_url,
        archive_url=row.archive_url,
        date=row.date,
    )


def _outage(place: LookupServer, error: TransportError) -> str:
    _log.warning("lookup.failed", server=place.name, reason=str(error))
    return place.outage(error)


def _example(request: CommandRequest) -> str:
    return "Example: " + " ".join(part for part in (request.prefix, request.call.command.verb, _EXAMPLE) if part)


def _not_watched(ref: Ref) -> str:
    if ref.server is not None:
        return f"There is no server “{ref.server}” here."
    return f"I do not watch {ref.host}, so I cannot look up ids there; a message-id would do."


def _missing(place: LookupServer, ref: Ref) -> Sequence[str]:
    """Return the reasons why a server does not have an object, or cannot look for it, and what to do."""
    if ref.msgid is None:
        kind = ref.kind.value if ref.kind else "patch or series"
        return (f"There is no {kind} {ref.number} on {place.name}.",)
    if not place.finds_msgids:
        why = f"{place.name} cannot look for message-ids (API {place.api.version}), and the bot has not seen this one."
        return (why, "Name the id of the patch.")
    return (f"No watched project on {place.name} has a patch or cover letter with the message-id {ref.msgid}.",)


class CachedSubmissions:
    """The copies of patches and series in the store; *outage* is always the reason why the server was not asked."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, place: LookupServer, ref: Ref, kinds: Iterable[RefKind], outage: str) -> Resolved | None:
        """Return the copy that *ref* means; a number is tried as an id of each of *kinds*, except of cover letters."""
        if ref.msgid is not None:
            patch, opened = await self.with_msgid(place, ref.msgid, ref.project if ref.host == place.host else None)
            if opened is not None:
                return await self.series(place, opened, outage)
            return await self.patch(place, patch.id, outage) if patch else None
        looks = {RefKind.PATCH: self.patch, RefKind.SERIES: self.series}
        for kind in kinds:
            found = await looks[kind](place, ref.number or 0, outage) if kind in looks else None
            if found is not None:
                return found
        return None

    async def with_msgid(
        self, place: LookupServer, msgid: Msgid, project: str | None = None
    ) -> tuple[Patch | None, SeriesId | None]:
        """Return the patch with a message-id, or else the series whose cover letter has it, in one *project* or any."""
        async with self._store.reading() as tx:
            patch = await tx.watch.by_msgid(place.name, msgid, project)
            series = None if patch else await tx.watch.series_of_cover(place.name, msgid, project)
        return patch, series.id if series else None

    async def patch(self, place: LookupServer, number: int, outage: str) -> ResolvedPatch | None:
        """Return a known patch; None if it is unknown."""
        async with self._store.reading() as tx:
            found = await tx.watch.stored_patch(place.name, number)
        if found is None:
            return None
        return ResolvedPatch(place, PatchPage(found.patch, found.series), CacheNote(outage, found.read_at))

    async def series(self, place: LookupServer, number: int, outage: str) -> ResolvedSeries | None:
        """Return a stored series; None if it is unknown."""
        async with self._store.reading() as tx:
            series = await tx.watch.series(place.name, number)
            as_of = await tx.watch.evaluated_at(place.name, number)
        return ResolvedSeries(place, series, CacheNote(outage, as_of)) if series and as_of else None

    async def patches(self, found: ResolvedSeries, outage: str) -> tuple[list[Patch], CacheNote]:
        """Return the copies of the patches of a series.

        Raises:
            UserError: the series was never matched against subscriptions.
        """
        copy = found.copy or await self._copy_of(found.place, found.series, outage)
        async with self._store.reading() as tx:
            return await tx.watch.patches_of(found.place.name, found.series.id), copy

    async def _copy_of(self, place: LookupServer, series: Series, outage: str) -> CacheNote:
        found = await self.series(place, series.id, outage)
        if found is None or found.copy is None:
            raise UserError(f"{outage}, and the bot has no copy of the patches.")
        return found.copy
