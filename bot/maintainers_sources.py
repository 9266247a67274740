"""Where the projects' MAINTAINERS are read from, by the settings: a path of this machine, or an address."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bot.config import Settings
from bot.ids import ProjectName, ServerName
from bot.maintainers_files import FileSource, Shelf
from bot.patchwork.client import Limits, Network, PatchworkClient
from bot.query.maintainers.file import MAX_FILE_BYTES


def shelf_of(settings: Settings, agent: str) -> Shelf:
    """All projects, and a source for each with a `maintainers` setting; *agent* says who asks for it."""
    sources: list[FileSource] = []
    projects: list[tuple[ServerName, ProjectName]] = []
    for server in settings.patchwork:
        for project in server.projects:
            projects.append((ServerName(server.name), ProjectName(project.name)))
            if places := project.maintainers:
                sources.append(FileSource(*projects[-1], places, partial(_contents, settings, agent, places)))
    return Shelf(tuple(projects), tuple(sources))


async def _contents(settings: Settings, agent: str, places: Sequence[str]) -> bytes:
    """All files one after the other, as one; each begins with a heading of its own."""
    found: list[bytes] = []
    for place in places:
        content = _fetched(settings, agent, place) if "://" in place else asyncio.to_thread(_content, Path(place))
        found.append(await content)
        if sum(map(len, found)) > MAX_FILE_BYTES:
            break
    return b"\n\n".join(found)


def _content(path: Path) -> bytes:
    """A file, one byte more than is read of it at most, so that it is seen to be too long."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no file")  # a pipe would be waited for
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


async def _fetched(settings: Settings, agent: str, url: str) -> bytes:
    """What is at *url*, by a connection of its own: it is asked for once a day."""
    parts = urlsplit(url)
    network = Network(settings.network.proxy.get_secret_value(), settings.network.ca_file)
    limits = Limits(max_bytes=MAX_FILE_BYTES)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    async with PatchworkClient(f"{parts.scheme}://{parts.netloc}", agent, network, limits=limits) as client:
        return await client.file(path)
