"""What a query matches in the past, as far as the store has it: newest first, a bounded way back."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bot.errors import UserError
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.model import Patch, Series
from bot.store.past import Remembered
from bot.store.store import Store
from bot.subscriptions.facts import More, facts_of
from bot.subscriptions.finding import PathHits
from bot.subscriptions.maintainers import Maintainers
from bot.subscriptions.paths import PathTrie
from bot.subscriptions.query import And, Key, Node, Query, Term, patterns_of, terms_of
from bot.subscriptions.values import CheckIs, Is, Transition, Value
from bot.subscriptions.verdict import Judge

MOST_PATCHES: Final = 20_000  # that one question looks at, on each server
CHUNK: Final = 200  # patches that are read and decided at once, off the event loop


@dataclass(frozen=True, slots=True)
class PastMatch:
    """A series, or a patch without one, that matches; *patch* is the newest that does, read at *read_at* (UTC)."""

    server: ServerName
    patch: Patch
    series: Series | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """Since when (UTC) the patches of a project are known; of what came before, nothing is."""

    server: ServerName
    project: ProjectName
    since: datetime


@dataclass(frozen=True, slots=True)
class PastMatches:
    """What was found, newest first, a series once.

    *looked_at* counts patches. *known_since* are the projects that the query is about. *back_to* (UTC) is where the
    search ended before all that is known had been looked at; None where it had been, or enough was found.
    """

    found: tuple[PastMatch, ...]
    looked_at: int
    known_since: tuple[Known, ...]
    back_to: datetime | None = None


class Past:
    """Looks for matches among the patches that the store keeps of the watched *projects*, by server.

    *file_of* knows the MAINTAINERS of a project.
    """

    def __init__(
        self,
        store: Store,
        projects: Mapping[ServerName, Collection[str]],
        file_of: Callable[[ServerName, ProjectName], Maintainers | None],
    ) -> None:
        self._store = store
        self._projects = projects
        self._file_of = file_of

    async def matches(self, query: Query, since: datetime | None, at_most: int) -> PastMatches:
        """The newest *at_most* series and lone patches that *query* matches, of what was read after *since* (UTC).

        `is:mine` is to be resolved before.

        Raises:
            UserError: the store does not have what the query asks for; the text says what, and what to ask instead.
        """
        if refusal := _unanswerable(query.tree):
            raise UserError(refusal)
        known = await self._known(query.tree)
        searches = [
            await self._search(server, names, query.tree, since, at_most) for server, names in _by_server(known).items()
        ]
        found = sorted((match for each in searches for match in each.found), key=_age, reverse=True)
        ends = [each.back_to for each in searches if each.back_to is not None]
        looked_at = sum(each.looked_at for each in searches)
        return PastMatches(tuple(found[:at_most]), looked_at, tuple(known), max(ends, default=None))

    async def _known(self, tree: Node) -> list[Known]:
        """The projects that *tree* may be about."""
        servers, projects = asked_for(tree, Key.SERVER), asked_for(tree, Key.PROJECT)
        found: list[Known] = []
        for server, names in self._projects.items():
            watched = {name.lower() for name in names}
            async with self._store.transaction() as tx:
                known = await tx.watch.remembers_since(server)
            found += [
                Known(server, project, since)
                for project, since in known
                if project.lower() in watched
                and (servers is None or server.casefold() in servers)
                and (projects is None or project.casefold() in projects)
            ]
        return found

    async def _search(
        self, server: ServerName, projects: Collection[str], tree: Node, since: datetime | None, at_most: int
    ) -> PastMatches:
        judge = _PastJudge(server, tree, self._maintainers(server, projects, tree))
        found: dict[SeriesId | tuple[PatchId], PastMatch] = {}
        looked_at, before, oldest = 0, None, None
        while looked_at < MOST_PATCHES:
            async with self._store.transaction() as tx:
                chunk = await tx.watch.past(server, projects, before, CHUNK)
            recent = [each for each in chunk if since is None or each.read_at >= since]
            looked_at += len(recent)
            for each in await asyncio.to_thread(judge.matching, recent):
                patch = each.patch
                key = (patch.id,) if patch.series is None else patch.series
                found.setdefault(key, PastMatch(server, patch, each.series, each.read_at))
            if len(found) >= at_most or len(chunk) < CHUNK or not recent:
                return PastMatches(tuple(found.values())[:at_most], looked_at, ())
            before, oldest = chunk[-1].patch.id, chunk[-1].read_at
        return PastMatches(tuple(found.values()), looked_at, (), oldest)

    def _maintainers(self, server: ServerName, projects: Collection[str], tree: Node) -> Mapping[str, Maintainers]:
        """The MAINTAINERS of the projects, by their names in lower case, where *tree* asks for any.

        Raises:
            UserError: none of them has one.
        """
        if all(term.key is not Key.MAINT for term in terms_of(tree)):
            return {}
        files = {name.lower(): self._file_of(server, ProjectName(name)) for name in projects}
        found = {name: file for name, file in files.items() if file is not None}
        if not found:
            raise UserError(f"maint: finds nothing: no MAINTAINERS file is known for {', '.join(sorted(projects))}.")
        return found


class _PastJudge:
    """Decides one query on many patches of a server."""

    def __init__(self, server: ServerName, tree: Node, files: Mapping[str, Maintainers]) -> None:
        self._server = server
        self._tree = tree
        self._files = {project: (file, file.folded_names) for project, file in files.items()}
        self._patterns: PathTrie[str] = PathTrie()
        for pattern in patterns_of(tree):
            self._patterns.add(pattern, pattern)

    def matching(self, remembered: Sequence[Remembered]) -> list[Remembered]:
        """Those that match."""
        return [each for each in remembered if self._accepts(each)]

    def _accepts(self, each: Remembered) -> bool:
        facts = facts_of(self._server, each.patch, each.series)
        if (known := self._files.get(facts.project.lower())) is not None:
            file, names = known
            facts = replace(facts, more=More(sections=file.covering(facts.paths), known_sections=names))
        return Judge(facts, PathHits(self._patterns, facts.paths)).accepts(self._tree)


def _unanswerable(tree: Node) -> str | None:
    """Why the past cannot be asked for what *tree* looks at; excluded terms would be answered as wrongly."""
    refusals = (_refusal(term, value) for term in terms_of(tree) for value in term.values)
    return next((refusal for refusal in refusals if refusal is not None), None)


def _refusal(term: Term, value: Value) -> str | None:
    if term.key is Key.TEXT:
        return "text: cannot look back: the text of past patches is not kept. Try subject: or path:."
    if term.key is Key.STALE:
        return "stale: cannot look back yet: the bot does not keep when something last happened to a patch."
    if isinstance(value, Transition):
        return f"{term} cannot look back: former states are not kept. Ask for the present one."
    if isinstance(value, CheckIs) and value.context is not None:
        return f"{term} cannot look back: only the worst check of a patch is kept. Try check:{value.state}."
    if value is Is.MINE:
        return "is:mine needs your addresses, which are not known here. Name them, e.g. from:jane@example.org"
    return None


def asked_for(tree: Node, key: Key) -> set[str] | None:
    """The servers or projects outside of which nothing can match; None where it may be any."""
    parts = tree.parts if isinstance(tree, And) else (tree,)
    asked = [{str(value).casefold() for value in part.values} for part in _terms(parts) if part.key is key]
    return set.intersection(*asked) if asked else None


def _terms(parts: Sequence[Node]) -> Iterator[Term]:
    return (part for part in parts if isinstance(part, Term))


def _by_server(known: Sequence[Known]) -> dict[ServerName, list[str]]:
    found: dict[ServerName, list[str]] = {}
    for each in known:
        found.setdefault(each.server, []).append(each.project)
    return found


def _age(match: PastMatch) -> datetime:
    return match.read_at
