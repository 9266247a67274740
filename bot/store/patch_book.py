"""Storage of series and patches, of data of their projects, and of the links between versions."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import Msgid, PatchId, ProjectName, SeriesId, ServerName
from bot.notices.changes import latest_of
from bot.patchwork.applying import could_not_apply
from bot.patchwork.model import Check, Patch, Series, is_partial_reroll, version_of
from bot.patchwork.versions import Newcomer, PredecessorCandidate
from bot.store import rows, schema
from bot.store.book import Book
from bot.store.patch_scan import PatchScan, ScanRow, ScanWindow
from bot.submission import Contexts, Submission, SubmissionKind, SubmissionRef

KEEP_PATCHES = timedelta(days=180)
_NEWEST = 5_000  # patches whose paths are returned
MAX_CANDIDATES: Final = 50  # newest series; one submitter sends fewer to a project between two versions
_LARGE_COLUMNS: Final = {"files": "null", "to": "[]", "cc": "[]"}  # with what stands for an unread value
_MAX_HASHES = 500  # below the parameter limit of every SQLite version, and sufficient for longer series


@dataclass(frozen=True, slots=True)
class MaintainersCopy:
    """A copy of a project's MAINTAINERS; *place* is its source, *read_at* when it was read (UTC)."""

    project: ProjectName
    place: str
    text: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class StoredPatch:
    """A stored patch, with its series if that was evaluated; times are UTC.

    *changed_at* is the last change; None if there was none since it was read.
    """

    patch: Patch
    series: Series | None
    read_at: datetime
    changed_at: datetime | None = None


class PatchBook(Book):
    """The stored series and patches in one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        super().__init__(connection, now)
        self._rebuilds: dict[ServerName, int] = {}  # read or written by this transaction

    async def patches_of(self, server: ServerName, series: SeriesId) -> list[Patch]:
        """Return the stored patches of a series, by id."""
        table = schema.patch
        query = (
            sa.select(*rows.columns_of(table))
            .where(table.c.server == server, table.c.series == series)
            .order_by(table.c.id)
        )
        return [rows.to_patch(row) for row in await self._all(query)]

    async def fingerprints(self, server: ServerName, series: Iterable[int]) -> dict[PatchId, bytes]:
        """Return the fingerprints of the diffs of the patches of some *series*, as far as they are known."""
        table = schema.patch
        query = sa.select(table.c.id, table.c.fingerprint)
        query = query.where(table.c.server == server, table.c.fingerprint.is_not(None))
        return {PatchId(row["id"]): row["fingerprint"] for row in await self._among(query, table.c.series, series)}

    async def series(self, server: ServerName, number: int) -> Series | None:
        """Return a stored series; None if it is unknown."""
        table = schema.series
        row = await self._one(sa.select(table).where(table.c.server == server, table.c.id == number))
        return rows.to_series(row) if row else None

    async def patch(self, server: ServerName, number: int) -> Patch | None:
        """Return a known patch; None if it is unknown."""
        table = schema.patch
        row = await self._one(sa.select(*rows.columns_of(table)).where(table.c.server == server, table.c.id == number))
        return rows.to_patch(row) if row else None

    async def by_msgid(self, server: ServerName, msgid: Msgid, project: str | None = None) -> Patch | None:
        """Return the first patch with a message-id, which is unique only within a *project*."""
        table = schema.patch
        query = (
            sa.select(*rows.columns_of(table))
            .where(table.c.server == server, table.c.msgid == msgid)
            .order_by(table.c.id)
        )
        if project is not None:
            query = query.where(sa.func.lower(table.c.project) == project.lower())
        row = await self._one(query.limit(1))
        return rows.to_patch(row) if row else None

    async def stored_patch(self, server: ServerName, number: int) -> StoredPatch | None:
        """Return a stored patch, with its series if that was evaluated; None if it is unknown."""
        table = schema.patch
        row = await self._one(sa.select(*rows.columns_of(table)).where(table.c.server == server, table.c.id == number))
        if row is None:
            return None
        patch = rows.to_patch(row)
        series = None if patch.series is None else await self.series(server, patch.series)
        return StoredPatch(patch, series, row["read_at"], row["changed_at"])

    async def evaluated_at(self, server: ServerName, series: int) -> datetime | None:
        """Return when a series was last evaluated (UTC); None if it is unknown."""
        table = schema.series
        row = await self._one(sa.select(table.c.evaluated_at).where(table.c.server == server, table.c.id == series))
        return row["evaluated_at"] if row else None

    async def series_of_cover(self, server: ServerName, cover: Msgid, project: str | None = None) -> Series | None:
        """Return the series, of one *project* or any, whose cover letter has the message-id *cover*, if it is known."""
        table = schema.series
        query = sa.select(table).where(table.c.server == server, table.c.cover == cover).order_by(table.c.id)
        if project is not None:
            query = query.where(sa.func.lower(table.c.project) == project.lower())
        row = await self._one(query.limit(1))
        return rows.to_series(row) if row else None

    async def scan_window(self, scan: PatchScan, before: PatchId | None, patches: int) -> ScanWindow | None:
        """Return the window of the newest *patches* with ids below *before*; None if there are none."""
        row = (await self._connection.execute(scan.window(before, patches))).one()
        return None if row.lowest is None else ScanWindow(before, PatchId(row.lowest), row.patches, row.recent)

    async def read_at(self, server: ServerName, patch: PatchId) -> datetime | None:
        """Return when a patch was read (UTC); None if it is unknown."""
        table = schema.patch
        row = await self._one(sa.select(table.c.read_at).where(table.c.server == server, table.c.id == patch))
        return row["read_at"] if row else None

    async def scan(self, scan: PatchScan, window: ScanWindow, before: PatchId | None, limit: int) -> Sequence[ScanRow]:
        """Return at most *limit* rows of a *scan* within a *window*, with patch ids below *before*, newest first."""
        result = await self._connection.execute(scan.candidates(window, before, limit))
        scan_rows: Sequence[ScanRow] = result.all()
        return scan_rows

    async def scan_open(
        self, scan: PatchScan, window: ScanWindow, closed: Collection[str], before: PatchId | None, limit: int
    ) -> Sequence[ScanRow]:
        """Return *limit* rows of open patches at most within a *window*, with ids below *before*, newest first."""
        result = await self._connection.execute(scan.open(window, closed, before, limit))
        scan_rows: Sequence[ScanRow] = result.all()
        return scan_rows

    async def stored_patches(self, server: ServerName, patches: Iterable[int]) -> list[StoredPatch]:
        """Return those of *patches* that are stored, in any order; large rows are decoded off the event loop."""
        of_server = rows.packed(schema.patch).where(schema.patch.c.server == server)
        patch_rows = await self._among(of_server, schema.patch.c.id, patches)
        of_a_series = rows.packed(schema.series).where(schema.series.c.server == server)
        ids = {row["series"] for row in patch_rows if row["series"] is not None}
        series = await self._among(of_a_series, schema.series.c.id, ids)
        return await asyncio.to_thread(_remembered, patch_rows, series)

    async def states_of(self, server: ServerName, series: Iterable[int]) -> dict[SeriesId, Counter[str]]:
        """Return the number of known patches in each state, by series."""
        table = schema.patch
        query = sa.select(table.c.series, table.c.state, sa.func.count().label("count"))
        query = query.where(table.c.server == server, table.c.state.is_not(None))
        counts: dict[SeriesId, Counter[str]] = {}
        for row in await self._among(query.group_by(table.c.series, table.c.state), table.c.series, series):
            counts.setdefault(SeriesId(row["series"]), Counter())[row["state"]] = row["count"]
        return counts

    async def pull_requests(self, server: ServerName, series: Iterable[int]) -> set[SeriesId]:
        """Return those of *series* that have a pull request among their patches."""
        table = schema.patch
        query = sa.select(table.c.series).where(table.c.server == server, table.c.pull_url.is_not(None)).distinct()
        return {SeriesId(row["series"]) for row in await self._among(query, table.c.series, series)}

    async def changed_since(self, server: ServerName, patches: Iterable[int], since: datetime) -> frozenset[PatchId]:
        """Return those of *patches* that changed since *since* (UTC)."""
        table = schema.patch
        query = sa.select(table.c.id).where(table.c.server == server, table.c.changed_at >= since)
        return frozenset(PatchId(row["id"]) for row in await self._among(query, table.c.id, patches))

    async def refs_of(self, server: ServerName, patches: Iterable[int]) -> dict[PatchId, SubmissionRef]:
        """Return the submission of each known patch: its series, or the patch itself if it has none."""
        table = schema.patch
        query = sa.select(table.c.server, table.c.id, table.c.series).where(table.c.server == server)
        patch_rows = await self._among(query, table.c.id, patches)
        return {PatchId(row["id"]): rows.to_ref(row) for row in patch_rows}

    async def load_submission(self, ref: SubmissionRef) -> Submission | None:
        """Return a submission with its known patches and checks; None if no patch of it is known.

        A patch that was stored without a series and joined one later is also returned, because it may have a card.
        """
        submission = (await self.load_submissions([ref], with_checks=True, even_joined=True)).get(ref)
        return submission if submission is not None and submission.patches else None

    async def load_submissions(
        self,
        refs: Iterable[SubmissionRef],
        *,
        with_checks: bool = False,
        even_joined: bool = False,
        with_files: bool = True,
    ) -> dict[SubmissionRef, Submission]:
        """Return the known ones of some submissions; large rows are decoded off the event loop.

        They include series without known patches; single patches that joined a series only if *even_joined*. Unless
        *with_files*, their patches have neither files nor recipients, which are most of what is stored of them.
        """
        columns = rows.packed(schema.patch) if with_files else rows.packed(schema.patch, without=_LARGE_COLUMNS)
        by_server: dict[ServerName, list[SubmissionRef]] = {}
        for ref in dict.fromkeys(refs):
            by_server.setdefault(ref.server, []).append(ref)
        submissions: dict[SubmissionRef, Submission] = {}
        for server, some in by_server.items():
            patches = columns.where(schema.patch.c.server == server)
            submissions |= await self._submissions(
                server, some, patches, with_checks=with_checks, even_joined=even_joined
            )
        return submissions

    async def _submissions(
        self,
        server: ServerName,
        refs: Sequence[SubmissionRef],
        patches: sa.Select[Any],
        *,
        with_checks: bool,
        even_joined: bool,
    ) -> dict[SubmissionRef, Submission]:
        series, patch, check = schema.series, schema.patch, schema.patch_check
        numbers = {ref.id for ref in refs if ref.kind is SubmissionKind.SERIES}
        lone = {ref.id for ref in refs if ref.kind is SubmissionKind.PATCH}
        read = await self._among(rows.packed(series).where(series.c.server == server), series.c.id, numbers)
        members = await self._among(patches, patch.c.series, [row["id"] for row in read])
        are_alone = patches if even_joined else patches.where(patch.c.series.is_(None))
        alone = await self._among(are_alone, patch.c.id, lone)
        # A patch without any check has none as its worst one.
        ids = [row["id"] for row in (*members, *alone) if row["check"] is not None] if with_checks else []
        checks = await self._among(sa.select(check).where(check.c.server == server), check.c.patch, ids)
        known = await asyncio.to_thread(_submissions, read, members, alone, checks)
        return {ref: known[ref.kind, ref.id] for ref in refs if (ref.kind, ref.id) in known}

    async def link(self, server: ServerName, series: SeriesId, former: SeriesId) -> None:
        """Store that a series is a new version of a *former* one."""
        table = schema.series
        where = (table.c.server == server, table.c.id == series)
        await self._connection.execute(sa.update(table).where(*where).values(former=former))

    async def earlier(self, server: ServerName, series: SeriesId) -> list[SeriesId]:
        """Return the earlier versions of a series, the newest first."""
        versions: list[SeriesId] = []
        at = await self._former(server, series)
        while at is not None and at not in versions:
            versions.append(at)
            at = await self._former(server, at)
        return versions

    async def _former(self, server: ServerName, series: SeriesId) -> SeriesId | None:
        table = schema.series
        row = await self._one(sa.select(table.c.former).where(table.c.server == server, table.c.id == series))
        return SeriesId(row["former"]) if row and row["former"] is not None else None

    async def rebuilds(self, server: ServerName) -> int:
        """Return how often the server's ids started over; an id is unique only within this number."""
        if server not in self._rebuilds:
            row = await self._one(sa.select(schema.server.c.rebuilds).where(schema.server.c.name == server))
            self._rebuilds[server] = row["rebuilds"] if row else 0
        return self._rebuilds[server]

    async def known_since(self, server: ServerName) -> list[tuple[ProjectName, datetime]]:
        """Return the projects of a server with the times of their baselines (UTC), from which on patches are known."""
        table = schema.project
        query = sa.select(table.c.name, table.c.known_since).where(table.c.server == server).order_by(table.c.name)
        return [(ProjectName(row["name"]), row["known_since"]) for row in await self._all(query)]

    async def seen_paths(self, server: ServerName, project: ProjectName) -> set[str]:
        """Return the old and new paths that the newest patches of a project touch."""
        table = schema.patch
        where = (table.c.server == server, sa.func.lower(table.c.project) == project.lower())
        packed = sa.select(sa.cast(table.c.files, sa.Text))
        newest = packed.where(*where).order_by(table.c.id.desc()).limit(_NEWEST)
        texts = (await self._connection.execute(newest)).scalars().all()
        return await asyncio.to_thread(_paths_in, texts)

    async def stored_since(self, server: ServerName) -> list[tuple[ProjectName, datetime]]:
        """Return the projects of a server with the times (UTC) since which their patches are stored."""
        oldest = self._now - KEEP_PATCHES
        return [(project, max(since, oldest)) for project, since in await self.known_since(server)]

    async def maintainers(self, server: ServerName, project: ProjectName) -> MaintainersCopy | None:
        """Return the last valid copy of a project's MAINTAINERS; None if there is none."""
        table = schema.maintainers
        row = await self._one(sa.select(table).where(table.c.server == server, table.c.project == project))
        return MaintainersCopy(project, row["place"], row["text"], row["read_at"]) if row else None

    async def keep_maintainers(self, server: ServerName, copy: MaintainersCopy) -> None:
        """Store a valid copy of a project's MAINTAINERS."""
        key = {"server": server, "project": copy.project}
        values = {"place": copy.place, "text": copy.text, "read_at": copy.read_at}
        await self._replace(schema.maintainers, key, values)


def _remembered(patches: Sequence[sa.RowMapping], series: Sequence[sa.RowMapping]) -> list[StoredPatch]:
    known = {row["id"]: _series(row) for row in series}
    return [
        StoredPatch(
            rows.to_patch(rows.unpacked(row, schema.patch)), known.get(row["series"]), row["read_at"], row["changed_at"]
        )
        for row in patches
    ]


def _paths_in(files: Iterable[str]) -> set[str]:
    """Return the paths in values of the column `files`, which are JSON text."""
    decoded = (json.loads(each) or () for each in files)
    return {path for each in decoded for row in each for path in row[:2] if path is not None}


def _submissions(
    series: Sequence[sa.RowMapping],
    members: Sequence[sa.RowMapping],
    alone: Sequence[sa.RowMapping],
    checks: Sequence[sa.RowMapping],
) -> dict[tuple[SubmissionKind, int], Submission]:
    """Return the submissions in the rows, by kind and id."""
    checks_of: dict[PatchId, list[Check]] = {}
    for row in checks:
        checks_of.setdefault(row["patch"], []).append(rows.to_check(row))
    known = _KnownChecks(
        {patch: latest_of(each) for patch, each in checks_of.items()},
        frozenset((patch, each.context) for patch, some in checks_of.items() for each in some if could_not_apply(each)),
    )
    patches: dict[int, list[Patch]] = {row["id"]: [] for row in series}
    for row in sorted(members, key=lambda row: row["id"]):
        patches[row["series"]].append(_patch(row))
    submissions = {
        (SubmissionKind.SERIES, row["id"]): _submission(_series(row), patches[row["id"]], known) for row in series
    }
    return submissions | {(SubmissionKind.PATCH, row["id"]): _submission(None, [_patch(row)], known) for row in alone}


@dataclass(frozen=True, slots=True)
class _KnownChecks:
    """The checks of some patches, and those of them that say that their patch did not apply."""

    contexts: Mapping[PatchId, Contexts]
    unapplied: AbstractSet[tuple[PatchId, str]]


def _submission(series: Series | None, patches: Sequence[Patch], checks: _KnownChecks) -> Submission:
    ids = {patch.id for patch in patches}
    contexts = {patch: found for patch, found in checks.contexts.items() if patch in ids}
    unapplied = frozenset(each for each in checks.unapplied if each[0] in ids)
    return Submission(series, tuple(patches), contexts, unapplied)


def _patch(row: sa.RowMapping) -> Patch:
    return rows.to_patch(rows.unpacked(row, schema.patch))


def _series(row: sa.RowMapping) -> Series:
    return rows.to_series(rows.unpacked(row, schema.series))


class VersionBook:
    """The links between versions in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def candidates(self, server: ServerName, new: Newcomer) -> list[PredecessorCandidate]:
        """Return the series that *new* may follow, newest first: same submitter and project, and no higher version.

        Each has only those hashes that *new* has, too.
        """
        table, series = schema.series, new.series
        query = sa.select(table).where(
            table.c.server == server,
            table.c.submitter == rows.folded_address(series.submitter.email),
            table.c.id < series.id,
            sa.func.lower(table.c.project) == series.project.lower(),
            table.c.version <= version_of(series).number,
        )
        result = await self._connection.execute(query.order_by(table.c.id.desc()).limit(MAX_CANDIDATES))
        earlier = result.mappings().all()
        shared = await self._shared(server, [row["id"] for row in earlier], new)
        return [
            PredecessorCandidate(rows.to_series(row), row["former"], frozenset(shared[row["id"]])) for row in earlier
        ]

    async def around(self, server: ServerName, series: SeriesId) -> tuple[SeriesId | None, list[Series]]:
        """Return the former version of a series, if any, and the series that are new versions of it, by id."""
        table = schema.series
        is_near = sa.or_(table.c.id == series, table.c.former == series)
        query = sa.select(table).where(table.c.server == server, is_near).order_by(table.c.id)
        versions = (await self._connection.execute(query)).mappings().all()
        former = next((row["former"] for row in versions if row["id"] == series), None)
        following = [rows.to_series(row) for row in versions if row["former"] == series]
        return None if former is None else SeriesId(former), following

    async def following(self, server: ServerName, series: SeriesId) -> list[Series]:
        """Return the series that are new versions of one, by id."""
        table = schema.series
        query = sa.select(table).where(table.c.server == server, table.c.former == series).order_by(table.c.id)
        return [rows.to_series(row) for row in (await self._connection.execute(query)).mappings()]

    async def newest(self, server: ServerName, series: int) -> SeriesId:
        """Return the newest version of a series: it itself, if there is none after it.

        A series that replaces only some patches of another is no version of the whole.
        """
        seen = {series}
        while following := [each for each in await self.following(server, SeriesId(series)) if each.id not in seen]:
            whole = [each for each in following if not is_partial_reroll(each)]
            if not whole:
                break
            series = max(whole, key=lambda each: (version_of(each), each.id)).id
            seen.add(series)
        return SeriesId(series)

    async def _shared(self, server: ServerName, series: Sequence[int], new: Newcomer) -> dict[int, set[str]]:
        table = schema.patch
        hashes: defaultdict[int, set[str]] = defaultdict(set)
        if new.hashes:
            candidates = sorted(new.hashes)[:_MAX_HASHES]
            query = sa.select(table.c.series, table.c.hash).where(table.c.server == server, table.c.series.in_(series))
            for row in await self._connection.execute(query.where(table.c.hash.in_(candidates))):
                hashes[row.series].add(row.hash)
        return hashes
