"""Where the projects' MAINTAINERS are read from, by the settings: a path of this machine, or an address."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bot.config import Settings
from bot.ids import ProjectName, ServerName
from bot.patchwork.client import Limits, Network, PatchworkClient
from bot.rulebook import FileSource, Shelf
from bot.subscriptions.maintainers_file import MAX_FILE_BYTES


def shelf_of(settings: Settings) -> Shelf:
    """All projects, and a source for each with a `maintainers` setting."""
    sources: list[FileSource] = []
    projects: list[tuple[ServerName, ProjectName]] = []
    for server in settings.patchwork:
        for project in server.projects:
            projects.append((ServerName(server.name), ProjectName(project.name)))
            if (place := project.maintainers) is not None:
                sources.append(FileSource(*projects[-1], place, _reading(settings, place)))
    return Shelf(tuple(projects), tuple(sources))


def _reading(settings: Settings, place: str) -> Callable[[], Awaitable[bytes]]:
    return partial(_fetched, settings, place) if "://" in place else partial(asyncio.to_thread, _content, Path(place))


def _content(path: Path) -> bytes:
    """A file, one byte more than is read of it at most, so that it is seen to be too long."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no file")  # a pipe would be waited for
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


async def _fetched(settings: Settings, url: str) -> bytes:
    """What is at *url*, by a connection of its own: it is asked for once a day."""
    parts = urlsplit(url)
    network = Network(settings.network.proxy.get_secret_value(), settings.network.ca_file)
    limits = Limits(max_bytes=MAX_FILE_BYTES)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    async with PatchworkClient(f"{parts.scheme}://{parts.netloc}", settings.contact, network, limits=limits) as client:
        return await client.file(path)
