"""Reads the projects' MAINTAINERS files daily from paths or URLs, keeps the last good copy, and reports changes."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from bot.clock import Clock
from bot.config import Settings
from bot.errors import BotError, StoreError
from bot.ids import ProjectName, ServerName
from bot.notices.notice import Notice
from bot.notices.sections import section_notices
from bot.notices.status import moment
from bot.patchwork.client import Network, PatchworkClient, RequestLimits
from bot.query.maintainers.file import MAX_FILE_BYTES
from bot.query.maintainers.maintainers import Maintainers, read
from bot.query.query import Query, patterns_of
from bot.store.patch_book import MaintainersCopy
from bot.store.store import Store
from bot.subscriptions.lint import KnownTrees, doubts
from bot.subscriptions.registry import Audience
from bot.subscriptions.section_changes import followed_changes, looks_at, sections_named
from bot.text import storable

READ_EVERY = timedelta(days=1)
AGAIN_AFTER = timedelta(hours=1)  # where it could not be read
READ_SECONDS = 60.0
_FAULT = "maintainers.not_read"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FileSource:
    """The source of a project's MAINTAINERS: its paths or URLs, and a function that reads and joins them.

    *content* raises TransportError or OSError. A URL may have a secret in its query.
    """

    server: ServerName
    project: ProjectName
    places: tuple[str, ...]
    content: Callable[[], Awaitable[bytes]]

    @property
    def place(self) -> str:
        """The places as one string, by which the store recognizes a copy."""
        return self.places[0] if len(self.places) == 1 else json.dumps(self.places)

    @property
    def shown(self) -> str:
        """The places without secrets, for messages and the log."""
        return ", ".join(place.partition("?")[0] if "://" in place else place for place in self.places)


@dataclass(frozen=True, slots=True)
class MaintainersSources:
    """All watched projects, and the sources of those that have a MAINTAINERS file."""

    projects: tuple[tuple[ServerName, ProjectName], ...]
    sources: tuple[FileSource, ...] = ()


@dataclass(slots=True)
class _CachedFile:
    """A project's file as last read; *read_at* (UTC) is None until then, *problem* is the latest error or ""."""

    maintainers: Maintainers | None = None
    text: str = ""
    read_at: datetime | None = None
    due: float = 0.0  # monotonic seconds
    problem: str = ""


class MaintainersFiles:
    """The MAINTAINERS files in the settings."""

    def __init__(self, shelf: MaintainersSources, store: Store, audience: Audience, clock: Clock) -> None:
        self._projects = shelf.projects
        self._sources = shelf.sources
        self._store = store
        self._audience = audience
        self._clock = clock
        self._kept = {_key(source.server, source.project): _CachedFile() for source in shelf.sources}

    def of(self, server: ServerName, project: ProjectName) -> Maintainers | None:
        """Return the file of a project, or of a project with the same name on another server.

        It is None if the settings have no such file, or if it was not read yet.
        """
        key = _key(server, project)
        kept = self._kept.get(key) or next((kept for (_, name), kept in self._kept.items() if name == key[1]), None)
        return kept.maintainers if kept else None

    async def doubts(self, queries: Sequence[Query]) -> list[tuple[str, ...]]:
        """Return, for each of *queries*, a sentence for each unknown section or path that it names."""
        seen: dict[tuple[ServerName, ProjectName], set[str]] = {}
        for server, project in self._projects:
            if any(patterns_of(query.tree) and looks_at(query, server, project) for query in queries):
                async with self._store.reading() as tx:
                    seen[server, project] = await tx.watch.seen_paths(server, project)
        return await asyncio.to_thread(self._doubts, queries, seen)

    def _doubts(
        self, queries: Sequence[Query], seen: Mapping[tuple[ServerName, ProjectName], set[str]]
    ) -> list[tuple[str, ...]]:
        """Return the result of `doubts`, given the *seen* paths of the projects; runs in a thread.

        Queries that apply to the same projects share their trees.
        """
        trees: dict[tuple[tuple[ServerName, ProjectName], ...], KnownTrees] = {}
        found: list[tuple[str, ...]] = []
        for query in queries:
            looked_at = tuple(project for project in self._projects if looks_at(query, *project))
            if looked_at not in trees:
                found_files = (file for project in looked_at if (file := self.of(*project)) is not None)
                files = tuple({id(file): file for file in found_files}.values())
                paths = frozenset[str]().union(*(seen.get(project, ()) for project in looked_at))
                trees[looked_at] = KnownTrees(files, paths)
            found.append(self._doubts_about(query, trees[looked_at]))
        return found

    def _doubts_about(self, query: Query, trees: KnownTrees) -> tuple[str, ...]:
        try:
            return doubts(query, trees)
        except Exception as error:  # noqa: BLE001  # a fault of ours about one query, which is recorded
            self._store.incidents.record("query.not_checked", str(query), error)
            return ()

    def without_file(self, query: Query) -> tuple[ProjectName, ...]:
        """Return the projects that a *query* for sections applies to, if the settings have a file for none of them."""
        looked_at = [project for project in self._projects if looks_at(query, *project)]
        known = {name for _, name in self._kept}
        if not sections_named(query) or any(project.lower() in known for _, project in looked_at):
            return ()
        return tuple(dict.fromkeys(project for _, project in looked_at))

    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each file that cannot be read, with what is used instead."""
        return tuple(self._problem(source) for source in self._sources if self._of(source).problem)

    async def restore(self) -> None:
        """Load the copies of the last run, except those read from other places."""
        for source in self._sources:
            async with self._store.reading() as tx:
                copy = await tx.watch.maintainers(source.server, source.project)
            if copy is not None and copy.place == source.place:
                await self._restore(source, copy)

    async def _restore(self, source: FileSource, copy: MaintainersCopy) -> None:
        kept = self._of(source)
        try:
            kept.maintainers = await asyncio.to_thread(read, copy.text)
        except Exception as error:  # noqa: BLE001  # a fault of ours in one file must not keep the bot from starting
            self._store.incidents.record(_FAULT, self._name(source), error)
        else:
            kept.text, kept.read_at = copy.text, copy.read_at

    async def tick(self) -> None:
        """Read the files that are due."""
        for source in self._sources:
            if self._of(source).due <= self._clock.monotonic():
                await self._try(source)

    async def _try(self, source: FileSource) -> None:
        """Read a file, and keep an error in it from affecting the others."""
        try:
            await self._read(source)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # the one broad catch of a file: it is recorded and read again later
            self._store.incidents.record(_FAULT, self._name(source), error)
            self._failed(source, f"a fault of the bot: {type(error).__name__}")
        else:
            self._store.incidents.resolve(_FAULT, self._name(source))

    async def _read(self, source: FileSource) -> None:
        try:
            async with asyncio.timeout(READ_SECONDS):
                content = await source.content()
        except TimeoutError:
            self._failed(source, f"no answer within {READ_SECONDS:g} s")
        except OSError as error:
            self._failed(source, error.strerror or str(error))
        except BotError as error:
            self._failed(source, str(error))
        else:
            await self._take(source, content)

    async def _take(self, source: FileSource, content: bytes) -> None:
        """Use *content* from now on if it is a MAINTAINERS file, and announce its changes."""
        kept = self._of(source)
        text, maintainers = await asyncio.to_thread(_understood, content)
        if not maintainers.has_files:
            self._failed(source, "it has no F: line")
            return
        notices = [] if text == kept.text else await asyncio.to_thread(self._news, source, maintainers)
        now = self._clock.now()
        async with self._store.transaction() as tx:
            await tx.watch.keep_maintainers(source.server, MaintainersCopy(source.project, source.place, text, now))
            await tx.outbox.add(notices)
        if text != kept.text:
            _tell_remarks(source, maintainers)
        kept.maintainers, kept.text, kept.read_at, kept.problem = maintainers, text, now, ""
        kept.due = self._clock.monotonic() + READ_EVERY.total_seconds()

    def _news(self, source: FileSource, after: Maintainers) -> list[Notice]:
        """Return the notices on changed sections, for the rooms that follow them."""
        before, where = self._of(source).maintainers, (source.server, source.project)
        if before is None:
            return []
        changes = followed_changes(self._audience.index.subscriptions, where, before, after)
        return section_notices(where, self._clock.now(), changes, self._audience.direct)

    @staticmethod
    def _name(source: FileSource) -> str:
        return f"MAINTAINERS of {source.project} on {source.server}"

    def _of(self, source: FileSource) -> _CachedFile:
        return self._kept[_key(source.server, source.project)]

    def _failed(self, source: FileSource, reason: str) -> None:
        kept = self._of(source)
        if kept.problem != reason:
            _log.warning("maintainers.unreadable", project=source.project, place=source.shown, reason=reason)
        kept.problem = reason
        kept.due = self._clock.monotonic() + AGAIN_AFTER.total_seconds()

    def _problem(self, source: FileSource) -> str:
        kept = self._of(source)
        instead = f"the copy of {moment(kept.read_at)} is used" if kept.read_at else "there is no copy of it"
        return f"MAINTAINERS of {source.project} cannot be read from {source.shown} ({kept.problem}); {instead}."


def _understood(content: bytes) -> tuple[str, Maintainers]:
    text = storable(content.decode("utf-8", "replace"))
    return text, read(text)


def _tell_remarks(source: FileSource, maintainers: Maintainers) -> None:
    _log.info("maintainers.read", project=source.project, sections=len(maintainers.sections))
    for remark in maintainers.remarks:
        _log.warning("maintainers.rule_skipped", project=source.project, remark=str(remark))


def _key(server: ServerName, project: ProjectName) -> tuple[ServerName, str]:
    return server, project.lower()


def shelf_of(settings: Settings, agent: str) -> MaintainersSources:
    """Return all projects, with a source for each that has a `maintainers` setting; *agent* is the User-Agent."""
    sources: list[FileSource] = []
    projects: list[tuple[ServerName, ProjectName]] = []
    for server in settings.patchwork:
        for project in server.projects:
            projects.append((ServerName(server.name), ProjectName(project.name)))
            if places := project.maintainers:
                sources.append(FileSource(*projects[-1], places, partial(_contents, settings, agent, places)))
    return MaintainersSources(tuple(projects), tuple(sources))


async def _contents(settings: Settings, agent: str, places: Sequence[str]) -> bytes:
    """Return all files joined, each of which begins with a heading of its own."""
    found: list[bytes] = []
    for place in places:
        content = _fetched(settings, agent, place) if "://" in place else asyncio.to_thread(_content, Path(place))
        found.append(await content)
        if sum(map(len, found)) > MAX_FILE_BYTES:
            break
    return b"\n\n".join(found)


def _content(path: Path) -> bytes:
    """Return the content of a file, up to one byte more than the limit, which reveals a file that is too long."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no file")  # a pipe would be waited for
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


async def _fetched(settings: Settings, agent: str, url: str) -> bytes:
    """Return the content at *url*, over a new connection, because it is requested only once a day."""
    parts = urlsplit(url)
    network = Network(settings.network.proxy.get_secret_value(), settings.network.ca_file)
    limits = RequestLimits(max_bytes=MAX_FILE_BYTES)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    async with PatchworkClient(f"{parts.scheme}://{parts.netloc}", agent, network, limits=limits) as client:
        return await client.file(path)
