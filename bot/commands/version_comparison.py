"""Answers `diff v5..v6`: what changed between two versions of a series, read from their mails."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.commands.answers.version_diff import ComparedVersions, versions_shown
from bot.commands.context import typed
from bot.commands.request import Answer, CommandRequest
from bot.commands.resolve_ref import RefResolver, ResolvedPatch, ResolvedSeries
from bot.commands.servers import LookupServer
from bot.commands.version_range import BrokenRange, SeriesRange, VersionRange, read_range
from bot.errors import Permanent, Temporary, UserError
from bot.ids import PatchId
from bot.patchwork.model import Patch, Series, Version, is_partial_reroll, version_of
from bot.patchwork.references import RefKind
from bot.patchwork.version_diff import PatchMail, VersionDiff, compare_mails
from bot.store.store import Store


@dataclass(frozen=True, slots=True)
class _Mails:
    """The patches of a version with what is known of their mails; *remark* says what is not, and why."""

    mails: tuple[PatchMail, ...]
    remark: str = ""


class VersionComparison:
    """Compares versions of series: one request for each, and what is stored where the server does not respond."""

    def __init__(self, finder: RefResolver, store: Store) -> None:
        self._finder = finder
        self._store = store

    async def compare(self, text: str, request: CommandRequest) -> Answer:
        """Return the answer on the two versions that *text* names.

        Raises:
            UserError: one of them is not known, or cannot be read.
        """
        before, after = await self._named(text, request)
        if before.series.id == after.series.id and before.place is after.place:
            raise UserError(f"Both are the same series, {_version(before.series)}.")
        old, new = [await self._mails_of(each) for each in (before, after)]
        diff: VersionDiff = await asyncio.to_thread(compare_mails, old.mails, new.mails)
        remarks = tuple(dict.fromkeys(filter(None, (old.remark, new.remark))))
        shown = ComparedVersions(before.series, after.series, diff, remarks)
        return Answer(await asyncio.to_thread(versions_shown, shown, after.site), after.site, after.about)

    async def _named(self, text: str, request: CommandRequest) -> tuple[ResolvedSeries, ResolvedSeries]:
        match read_range(text):
            case SeriesRange(before, after):
                return await self._series(before, request), await self._series(after, request)
            case VersionRange() as versions:
                return await self._of_one_work(versions, request)
            case BrokenRange() | None:
                ways = " · ".join(typed(request, "diff", example) for example in ("v5..v6", "2194095 v5..v6", "12..34"))
                raise UserError(
                    f"Name both versions, in reply to a card or with the series, or two series by ids or links: {ways}"
                )

    async def _series(self, text: str, request: CommandRequest) -> ResolvedSeries:
        resolved = await self._finder.find_named(text, request, RefKind.SERIES)
        return await self._finder.series_of(resolved) if isinstance(resolved, ResolvedPatch) else resolved

    async def _of_one_work(
        self, versions: VersionRange, request: CommandRequest
    ) -> tuple[ResolvedSeries, ResolvedSeries]:
        """Return two versions of the series that is named, or replied to."""
        if versions.ref:
            named = await self._series(versions.ref, request)
        else:
            found = await self._finder.find(request, RefKind.SERIES)
            named = await self._finder.series_of(found) if isinstance(found, ResolvedPatch) else found
        known = await self._finder.stored_versions(named)
        after = _with_version(known, versions.after, request)
        if versions.before is not None:
            return _resolved(named, _with_version(known, versions.before, request)), _resolved(named, after)
        earlier = [each for each in known if version_of(each) < versions.after and not is_partial_reroll(each)]
        if not earlier:
            raise UserError(f"I know of no version before {versions.after}. {_other_way(request)}")
        former = max(earlier, key=lambda each: (version_of(each), each.id))
        return _resolved(named, former), _resolved(named, after)

    async def _mails_of(self, version: ResolvedSeries) -> _Mails:
        """Return the mails of a version, from its server, or what is stored of them if that does not respond."""
        place, series = version.place, version.series
        outage = version.copy.outage if version.copy else ""
        bodies: Mapping[PatchId, str] = {}
        if not outage:
            try:
                bodies = await place.api.bodies(series)
            except (Temporary, Permanent) as error:
                outage = place.outage(error)
        stored = await self._stored(place, series) if len(bodies) < len(series.patches) else {}
        mails = tuple(
            PatchMail(ref, bodies[ref.id]) if ref.id in bodies else stored.get(ref.id, PatchMail(ref))
            for ref in series.patches
        )
        if outage and not stored:
            raise UserError(f"{outage}, and the bot has no copy of {_version(series)}.")
        return _Mails(
            mails, f"{outage}; compared by what the bot has stored, without the changed lines." if outage else ""
        )

    async def _stored(self, place: LookupServer, series: Series) -> dict[PatchId, PatchMail]:
        async with self._store.reading() as tx:
            patches: Sequence[Patch] = await tx.watch.patches_of(place.name, series.id)
            marks = await tx.watch.fingerprints(place.name, [series.id])
        known = {patch.id: patch for patch in patches}
        return {
            ref.id: PatchMail(ref, None, known[ref.id].hash, marks.get(ref.id, b""))
            for ref in series.patches
            if ref.id in known
        }


def _resolved(named: ResolvedSeries, series: Series) -> ResolvedSeries:
    return ResolvedSeries(named.place, series, named.copy)


def _with_version(known: Sequence[Series], version: Version, request: CommandRequest) -> Series:
    """Return the latest series with a *version*.

    Raises:
        UserError: there is none.
    """
    found = [each for each in known if version_of(each) == version]
    if not found:
        listed = ", ".join(dict.fromkeys(map(_version, sorted(known, key=lambda each: (version_of(each), each.id)))))
        raise UserError(f"Of this series I know {listed}, but not {version}. {_other_way(request)}")
    return found[-1]


def _other_way(request: CommandRequest) -> str:
    return f"Name both by id or link instead: {typed(request, 'diff', 'SERIES..SERIES')}"


def _version(series: Series) -> str:
    return str(version_of(series))
