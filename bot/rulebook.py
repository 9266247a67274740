"""The MAINTAINERS files of the projects: read daily, the last good copy kept, changes told where they concern."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import ProjectName, ServerName
from bot.notices.condition import moment
from bot.notices.outbox import Notice
from bot.notices.sections import section_notices
from bot.patchwork.text import valid
from bot.store.store import Store
from bot.subscriptions.following import followed_changes, looks_at
from bot.subscriptions.guards import Trees, doubts
from bot.subscriptions.maintainers import Maintainers, read
from bot.subscriptions.query import Query
from bot.watch import Audience

READ_EVERY = timedelta(days=1)
AGAIN_AFTER = timedelta(hours=1)  # where it could not be read
MAX_BYTES = 4 * 1024 * 1024
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FileSource:
    """Where a project's MAINTAINERS is: a path or an address, and how to read it.

    *content* raises TransportError or OSError.
    """

    server: ServerName
    project: ProjectName
    place: str
    content: Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Shelf:
    """All projects that are watched, and the files that some of them have."""

    projects: tuple[tuple[ServerName, ProjectName], ...]
    sources: tuple[FileSource, ...] = ()


@dataclass(slots=True)
class _Kept:
    """A project's file as last read: *read_at* (UTC) None until then; *problem* is why it was not read again."""

    maintainers: Maintainers | None = None
    read_at: datetime | None = None
    due: float = 0.0  # monotonic seconds
    problem: str = ""


class Rulebook:
    """All files that the settings name."""

    def __init__(self, shelf: Shelf, store: Store, audience: Audience, clock: Clock) -> None:
        self._projects = shelf.projects
        self._sources = shelf.sources
        self._store = store
        self._audience = audience
        self._clock = clock
        self._kept = {_key(source.server, source.project): _Kept() for source in shelf.sources}

    def of(self, server: ServerName, project: ProjectName) -> Maintainers | None:
        """The file of a project; None where the settings name none, or none was read yet."""
        kept = self._kept.get(_key(server, project))
        return kept.maintainers if kept else None

    async def doubts(self, query: Query) -> tuple[str, ...]:
        """What in *query* names a section or a path that nobody knows, a sentence each."""
        files: list[Maintainers] = []
        seen: set[str] = set()
        for server, project in self._projects:
            if looks_at(query, project):
                async with self._store.transaction() as tx:
                    seen |= await tx.watch.seen_paths(server, project)
                if (maintainers := self.of(server, project)) is not None:
                    files.append(maintainers)
        return await asyncio.to_thread(doubts, query, Trees(tuple(files), seen))

    def problems(self, server: ServerName) -> tuple[str, ...]:
        """A sentence for each file of *server*'s projects that cannot be read, and what is used instead."""
        ours = [source for source in self._sources if source.server == server]
        return tuple(self._problem(source) for source in ours if self._of(source).problem)

    async def restore(self) -> None:
        """Begin with the copies of the last run."""
        for server in {source.server for source in self._sources}:
            async with self._store.transaction() as tx:
                copies = await tx.watch.maintainers(server)
            for copy in copies:
                if (kept := self._kept.get(_key(server, copy.project))) is not None:
                    kept.maintainers = await asyncio.to_thread(read, copy.text)
                    kept.read_at = copy.read_at

    async def tick(self) -> None:
        """Read what is due."""
        for source in self._sources:
            if self._of(source).due <= self._clock.monotonic():
                await self._read(source)

    async def _read(self, source: FileSource) -> None:
        try:
            content = await source.content()
        except TransportError as error:
            self._failed(source, str(error))
            return
        except OSError as error:
            self._failed(source, error.strerror or str(error))
            return
        text = valid(content[:MAX_BYTES].decode("utf-8", "replace"))
        maintainers = await asyncio.to_thread(read, text)
        if not maintainers.has_files:
            self._failed(source, "it has no F: line")
            return
        notices = await asyncio.to_thread(self._news, source, maintainers)
        async with self._store.transaction() as tx:
            await tx.watch.keep_maintainers(source.server, source.project, text)
            await tx.outbox.add(notices)
        self._succeeded(source, maintainers)

    def _news(self, source: FileSource, after: Maintainers) -> list[Notice]:
        """What is said of the sections that changed, in the rooms that follow them."""
        before = self._of(source).maintainers
        if before is None:
            return []
        changes = followed_changes(self._audience.index.subscriptions, source.project, before, after)
        return section_notices(source.project, self._clock.now(), changes, self._audience.direct)

    def _of(self, source: FileSource) -> _Kept:
        return self._kept[_key(source.server, source.project)]

    def _succeeded(self, source: FileSource, maintainers: Maintainers) -> None:
        kept = self._of(source)
        first = kept.maintainers is None
        kept.maintainers, kept.read_at, kept.problem = maintainers, self._clock.now(), ""
        kept.due = self._clock.monotonic() + READ_EVERY.total_seconds()
        if first:
            _log.info("read MAINTAINERS", project=source.project, sections=len(maintainers.sections))
            for remark in maintainers.remarks:
                _log.warning("a rule of MAINTAINERS is left out", project=source.project, remark=str(remark))

    def _failed(self, source: FileSource, reason: str) -> None:
        kept = self._of(source)
        if kept.problem != reason:
            _log.warning("MAINTAINERS cannot be read", project=source.project, place=source.place, reason=reason)
        kept.problem = reason
        kept.due = self._clock.monotonic() + AGAIN_AFTER.total_seconds()

    def _problem(self, source: FileSource) -> str:
        kept = self._of(source)
        instead = f"the copy of {moment(kept.read_at)} is used" if kept.read_at else "there is no copy of it"
        return f"MAINTAINERS of {source.project} cannot be read from {source.place} ({kept.problem}); {instead}."


def _key(server: ServerName, project: ProjectName) -> tuple[ServerName, str]:
    return server, project.lower()
