"""Searches the stored patches for matches of a query, newest first, within bounds.

The database leaves out what cannot match, as far as a condition in SQL can say so (`query/prefilter.py`); the query is
evaluated on the rest. That goes window by window from the newest patch on, so that what is frequent is found at once,
and no statement holds the connection for long.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, TypeAlias

from bot.clock import Clock
from bot.errors import UserError
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.model import Patch, Series
from bot.query.evaluate import Evaluator
from bot.query.facts import ExtraFacts, FactName, Facts, PatchView
from bot.query.index.path_trie import PathTrie
from bot.query.keys import Key
from bot.query.maintainers.maintainers import Maintainers
from bot.query.prefilter import prefilter_of
from bot.query.query import And, Node, Query, Term, facts_in, patterns_of, terms_of
from bot.store.book import batched
from bot.store.patch_book import StoredPatch
from bot.store.patch_scan import FactsReader, PatchScan, ScanRow, ScanScope, ScanWindow, paths_of
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef

MOST_PATCHES: Final = 500_000  # that one question covers, on each server; more than half a year of a large one
MOST_EVALUATED: Final = 40_000  # that the query is evaluated on: a second; half as many if it has two costly parts
MOST_IDLE: Final = 5_000  # series that one digest names because nothing happened to them
SEARCH_SECONDS: Final = 20.0  # after which a search ends with what it found so far
WINDOW: Final = 200  # patches that the database looks through in one statement; each time four times as many,
LARGEST_WINDOW: Final = 10_000  # but no more than these: so long the connection is held
CHUNK: Final = 2_000  # rows that are read and evaluated at once: so long, a little, the event loop is held
_RECALLED: Final = 500  # patches that matched, read whole at once
_NOTHING_MORE: Final = ExtraFacts()
_Files: TypeAlias = Mapping[str, Maintainers]
_BESIDE_COLUMNS: Final = frozenset({FactName.IDLE, FactName.SECTIONS})


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A matching series, or a matching patch without a series; *patch* is its newest match, read at *read_at* (UTC).

    *changed_at* is the time (UTC) of the latest change to that patch, or None if there was none since it was read.
    """

    server: ServerName
    patch: Patch
    series: Series | None
    read_at: datetime
    changed_at: datetime | None = None

    @property
    def about(self) -> SubmissionRef:
        """The submission that it is, or is in."""
        if self.series is not None:
            return SubmissionRef(self.server, SubmissionKind.SERIES, self.series.id)
        return SubmissionRef(self.server, SubmissionKind.PATCH, self.patch.id)

    @property
    def idle_since(self) -> datetime:
        """The time (UTC) of the latest change."""
        return self.changed_at or self.read_at


@dataclass(frozen=True, slots=True)
class KnownSince:
    """The time (UTC) since when the patches of a project are known; earlier ones are not."""

    server: ServerName
    project: ProjectName
    since: datetime


@dataclass(frozen=True, slots=True)
class SearchHits:
    """The matches, newest first, each series once.

    *looked_at* counts patches. *known_since* has the projects that the query applies to. *back_to* (UTC) is where the
    search ended before it had seen all known patches; None if it saw them all, or found enough.
    """

    found: tuple[SearchHit, ...]
    looked_at: int
    known_since: tuple[KnownSince, ...]
    back_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Reach:
    """The bounds of a search: the earliest time of reading (UTC), and the number of matches.

    No further window is searched after the *deadline*, in monotonic seconds.
    """

    since: datetime | None
    at_most: int
    deadline: float


@dataclass(frozen=True, slots=True)
class MatchingSubmissions:
    """The series and lone patches that match, newest first by server; *is_cut* if there may be more."""

    refs: tuple[SubmissionRef, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class _Matches:
    """The newest matching patch of each series of a server, and each lone patch; the rest is as in `SearchHits`."""

    newest: Mapping[SeriesId | tuple[PatchId], PatchId]
    looked_at: int
    back_to: datetime | None


class PatchSearch:
    """Searches the stored patches of the watched *projects*, which are given by server.

    *file_of* returns the MAINTAINERS of a project.
    """

    def __init__(
        self,
        store: Store,
        projects: Mapping[ServerName, Collection[str]],
        file_of: Callable[[ServerName, ProjectName], Maintainers | None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._projects = projects
        self._file_of = file_of
        self._clock = clock
        self._turn = asyncio.Lock()

    async def matches(self, query: Query, since: datetime | None, at_most: int) -> SearchHits:
        """Return the newest *at_most* series and lone patches that match *query*, of those read after *since* (UTC).

        `is:mine` must be resolved beforehand.

        Raises:
            UserError: the store cannot answer this query; the text gives the reason and an alternative.
        """
        reach = _Reach(since, at_most, self._clock.monotonic() + SEARCH_SECONDS)
        return await self._matches(query.tree, reach, only_idle=False)

    async def submissions(self, query: Query, at_most: int) -> MatchingSubmissions:
        """Return which submissions match *query*, the newest *at_most* of each server, without reading them.

        Raises:
            UserError: as `matches`.
        """
        reach = _Reach(None, at_most, self._clock.monotonic() + SEARCH_SECONDS)
        _, found = await self._found(query.tree, reach, only_idle=False)
        refs = tuple(_ref(server, each) for server, matches in found.items() for each in matches.newest)
        is_cut = any(each.back_to is not None or len(each.newest) >= at_most for each in found.values())
        return MatchingSubmissions(refs, is_cut)

    async def idle(self, query: Query, at_most: int) -> SearchHits:
        """Find the newest *at_most* that *query* matches only because nothing has happened to them for long.

        Raises:
            UserError: the store does not have what the query asks for.
        """
        reach = _Reach(None, at_most, self._clock.monotonic() + SEARCH_SECONDS)
        return await self._matches(query.tree, reach, only_idle=True)

    async def _matches(self, tree: Node, reach: _Reach, *, only_idle: bool) -> SearchHits:
        known, searches = await self._found(tree, reach, only_idle=only_idle)
        hits = [await self._recalled(server, list(each.newest.values())) for server, each in searches.items()]
        found = sorted((match for some in hits for match in some), key=_age, reverse=True)
        ends = [each.back_to for each in searches.values() if each.back_to is not None]
        looked_at = sum(each.looked_at for each in searches.values())
        return SearchHits(tuple(found[: reach.at_most]), looked_at, tuple(known), max(ends, default=None))

    async def _found(
        self, tree: Node, reach: _Reach, *, only_idle: bool
    ) -> tuple[list[KnownSince], dict[ServerName, _Matches]]:
        """Return the projects that *tree* may apply to, and the matches by server."""
        if refusal := unanswerable(tree):
            raise UserError(refusal)
        known = await self._known(tree)
        aim = _Aim(tree, self._clock.now(), only_idle=only_idle)
        by_server = _by_server(known)
        files = self._maintainers(by_server, tree)
        found: dict[ServerName, _Matches] = {}
        for server, names in by_server.items():
            judge = _PastJudge(ScanScope(server, names, reach.since), aim, files.get(server, {}))
            found[server] = await self._search(judge, reach)
        return known, found

    async def _known(self, tree: Node) -> list[KnownSince]:
        """Return the projects that *tree* may apply to."""
        servers, projects = asked_for(tree, Key.SERVER), asked_for(tree, Key.PROJECT)
        found: list[KnownSince] = []
        for server, names in self._projects.items():
            watched = {name.lower() for name in names}
            async with self._store.reading() as tx:
                known = await tx.watch.stored_since(server)
            found += [
                KnownSince(server, project, since)
                for project, since in known
                if project.lower() in watched
                and (servers is None or server.casefold() in servers)
                and (projects is None or project.casefold() in projects)
            ]
        return found

    async def _search(self, judge: "_PastJudge", reach: _Reach) -> _Matches:
        found: dict[SeriesId | tuple[PatchId], PatchId] = {}
        looked_at, evaluated, size, before, back_to = 0, 0, WINDOW, None, None
        while back_to is None:
            size = min(size, MOST_PATCHES - looked_at)
            window = await self._window(judge, before, size)
            if window is None or not window.recent:
                break
            looked_at += window.recent
            evaluated += await self._search_window(judge, window, found, reach.at_most)
            if len(found) >= reach.at_most or window.patches < size:
                break
            size, before = min(4 * size, LARGEST_WINDOW), window.lowest
            is_enough = looked_at >= MOST_PATCHES or evaluated * judge.costly_parts >= MOST_EVALUATED
            if is_enough or self._clock.monotonic() >= reach.deadline:
                async with self._store.reading() as tx:
                    back_to = await tx.watch.read_at(judge.server, before)
        return _Matches(dict(islice(found.items(), reach.at_most)), looked_at, back_to)

    async def _window(self, judge: "_PastJudge", before: PatchId | None, patches: int) -> ScanWindow | None:
        async with self._turn, self._store.reading() as tx:
            return await tx.watch.scan_window(judge.scan, before, patches)

    async def _search_window(
        self,
        judge: "_PastJudge",
        window: ScanWindow,
        found: dict[SeriesId | tuple[PatchId], PatchId],
        at_most: int,
    ) -> int:
        """Add the matches in a window to *found* until these are *at_most*; return how many patches were evaluated."""
        evaluated, before = 0, window.before
        while len(found) < at_most:
            chunk = await self._evaluated(judge, window, before)
            evaluated += chunk.read
            for row in chunk.matching:
                found.setdefault((row.id,) if row.series is None else row.series, row.id)
            if chunk.read < CHUNK:
                break
            before = chunk.last
        return evaluated

    async def _evaluated(self, judge: "_PastJudge", window: ScanWindow, before: PatchId | None) -> "_Chunk":
        """Evaluate the next patches, one chunk of all searches at a time; more threads would delay the event loop."""
        async with self._turn:
            async with self._store.reading() as tx:
                rows = await tx.watch.scan(judge.scan, window, before, CHUNK)
            return await asyncio.to_thread(judge.chunk, rows)

    async def _recalled(self, server: ServerName, patches: Sequence[PatchId]) -> tuple[SearchHit, ...]:
        """Return the *patches* as stored now, in order, without those that were dropped in the meantime."""
        known: dict[PatchId, StoredPatch] = {}
        for some in batched(patches, _RECALLED):
            async with self._store.reading() as tx:
                known |= {each.patch.id: each for each in await tx.watch.stored_patches(server, some)}
        found = [known[patch] for patch in patches if patch in known]
        return tuple(SearchHit(server, each.patch, each.series, each.read_at, each.changed_at) for each in found)

    def _maintainers(self, names: Mapping[ServerName, Collection[str]], tree: Node) -> dict[ServerName, _Files]:
        """Return the MAINTAINERS of the projects by server and lower-case name, if *tree* needs any.

        Raises:
            UserError: none of them has one.
        """
        if FactName.SECTIONS not in facts_in(tree):
            return {}
        found: dict[ServerName, _Files] = {}
        for server, projects in names.items():
            files = {name.lower(): self._file_of(server, ProjectName(name)) for name in projects}
            found[server] = {name: file for name, file in files.items() if file is not None}
        if names and not any(found.values()):
            listed = ", ".join(sorted({name for projects in names.values() for name in projects}))
            raise UserError(
                f"maint: needs a MAINTAINERS file, and the bot has none for {listed}; "
                "its operator names one as maintainers of the project in the configuration."
            )
        return found


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The result for a chunk of patches: how many were *read*, those that match, and the id of the last one."""

    read: int
    matching: tuple[ScanRow, ...]
    last: PatchId | None


@dataclass(frozen=True, slots=True)
class _Aim:
    """The goal of a search: matches of *tree* at the time *now* (UTC).

    With *only_idle*, patches that would also match right after a change do not count.
    """

    tree: Node
    now: datetime
    only_idle: bool


class _PastJudge:
    """Evaluates one query on many patches of a server."""

    def __init__(self, scope: ScanScope, aim: _Aim, files: _Files) -> None:
        self.server = scope.server
        condition = prefilter_of(aim.tree, tuple(files.values()))
        self.scan = PatchScan(scope, facts_in(aim.tree), condition, aim.now)
        parts = aim.tree.parts if isinstance(aim.tree, And) else (aim.tree,)
        readers = [(part, FactsReader(self.server, facts_in(part))) for part in parts]
        self._parts = sorted(
            readers, key=lambda each: each[1].effort
        )  # what is excluded cheaply is not looked at further
        self.costly_parts = max(sum(reader.effort > 0 for _, reader in readers), 1)
        self._aim = aim
        self._files = {project: (_of_interest(file, aim.tree), file.folded_names) for project, file in files.items()}
        self._patterns: PathTrie[str] = PathTrie()
        for pattern in patterns_of(aim.tree):
            self._patterns.add(pattern, pattern)

    def chunk(self, rows: Sequence[ScanRow]) -> _Chunk:
        """Evaluate the query on the patches of *rows*."""
        matching = tuple(row for row in rows if self._accepts(row))
        return _Chunk(len(rows), matching, rows[-1].id if rows else None)

    def _accepts(self, row: ScanRow) -> bool:
        return self._holds(row, knows_idle=True) and not (self._aim.only_idle and self._holds(row, knows_idle=False))

    def _holds(self, row: ScanRow, *, knows_idle: bool) -> bool:
        for part, reader in self._parts:
            more = self._more(row, reader.facts, knows_idle=knows_idle)
            if not self._part_holds(part, reader.read(row, more)):
                return False
        return True

    def _more(self, row: ScanRow, facts: AbstractSet[FactName], *, knows_idle: bool) -> ExtraFacts:
        """Return how long nothing happened, and which sections cover the patch, where that is among the *facts*."""
        if _BESIDE_COLUMNS.isdisjoint(facts):
            return _NOTHING_MORE
        idle = self._aim.now - (row.changed_at or row.read_at) if knows_idle and FactName.IDLE in facts else None
        known = self._files.get(row.project.lower()) if FactName.SECTIONS in facts else None
        if known is None:
            return ExtraFacts(idle=idle)
        file, names = known
        return ExtraFacts(idle=idle, sections=file.covering(paths_of(row)), known_sections=names)

    def _part_holds(self, part: Node, facts: Facts) -> bool:
        return Evaluator(PatchView(facts, self._patterns)).accepts(part)


def _of_interest(file: Maintainers, tree: Node) -> Maintainers:
    """Return a *file* with only those sections that *tree* asks for: to find all of a patch takes longer."""
    values = (str(value) for term in terms_of(tree) if term.key is Key.MAINT for value in term.values)
    return file.only(section for value in values for section in file.find(value))


def unanswerable(tree: Node, *, even_turns: bool = True) -> str | None:
    """Return the reason why stored patches cannot answer *tree*, or None; excluded terms count as well.

    Whose turn it is counts only if *even_turns*: a search of what is open knows it.
    """
    terms = (term for term in terms_of(tree) if even_turns or term.key is not Key.TURN)
    refusals = (term.key.spec.past_refusal(str(term), value) for term in terms for value in term.values)
    return next((refusal for refusal in refusals if refusal is not None), None)


def asked_for(tree: Node, key: Key) -> set[str] | None:
    """Return the servers or projects that all matches must belong to, or None if there is no such restriction."""
    parts = tree.parts if isinstance(tree, And) else (tree,)
    asked = [{str(value).casefold() for value in part.values} for part in _terms(parts) if part.key is key]
    return set.intersection(*asked) if asked else None


def _terms(parts: Sequence[Node]) -> Iterator[Term]:
    return (part for part in parts if isinstance(part, Term))


def _by_server(known: Sequence[KnownSince]) -> dict[ServerName, list[str]]:
    found: dict[ServerName, list[str]] = {}
    for each in known:
        found.setdefault(each.server, []).append(each.project)
    return found


def _ref(server: ServerName, which: SeriesId | tuple[PatchId]) -> SubmissionRef:
    if isinstance(which, tuple):
        return SubmissionRef(server, SubmissionKind.PATCH, which[0])
    return SubmissionRef(server, SubmissionKind.SERIES, which)


def _age(match: SearchHit) -> datetime:
    return match.read_at
