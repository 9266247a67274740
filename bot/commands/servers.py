"""Describes the configured servers for look-ups."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.errors import TransportError
from bot.ids import ProjectName, ServerName
from bot.notices.card import ServerLinks
from bot.notices.fact_lines import moment
from bot.patchwork.api import PatchworkApi
from bot.patchwork.references import host_of
from bot.query.check_lanes import NO_LANES, CheckLanes
from bot.query.keys import Key
from bot.query.query import Query
from bot.search import asked_for


@dataclass(frozen=True, slots=True)
class LookupServer:
    """A configured server: its API, its projects, and their archives by project.

    *failing_since* returns since when polls of it have failed (UTC), or None if they succeed.
    """

    name: ServerName
    api: PatchworkApi
    projects: tuple[str, ...]
    archives: Mapping[str, str]
    failing_since: Callable[[], datetime | None]
    lanes: CheckLanes = NO_LANES

    @property
    def host(self) -> str | None:
        """The host name in its address."""
        return host_of(self.api.url)

    @property
    def finds_msgids(self) -> bool:
        """True if its API can search by message-id; before 1.2 it ignores this filter."""
        return self.api.version >= "1.2"

    @property
    def looks_for_comments(self) -> bool:
        """True if its API is known to raise no events for comments, which the bot then has to look for."""
        return bool(self.api.version) and not self.api.raises_comment_events

    def has(self, project: str) -> bool:
        """Return whether a project of this name, in any case, is watched on the server."""
        return project.casefold() in {name.casefold() for name in self.projects}

    def site(self, project: ProjectName) -> ServerLinks:
        """The links of its server."""
        archive = self.archives.get(project.lower(), "")
        return ServerLinks(
            self.api.url,
            self.api.version != "1.1",
            archive,
            states=self.api.states,
            classes=self.api.classes,
            lanes=self.lanes,
        )

    def outage(self, error: TransportError) -> str:
        """Return a clause with the reason why the server does not respond, and since when."""
        since = self.failing_since()
        told = f", since {moment(since)}" if since else ""
        return f"{self.name} does not respond ({error}{told})"


def every_site(places: Sequence[LookupServer]) -> ServerLinks | None:
    """Return links that may lead to any of the servers."""
    urls = [place.api.url for place in places]
    return ServerLinks(urls[0], others=tuple(urls[1:])) if urls else None


def namesakes(places: Sequence[LookupServer], query: Query) -> Iterator[str]:
    """Yield a sentence for each project in *query* that several servers have, unless the query names a server, too."""
    if asked_for(query.tree, Key.SERVER) is None:
        for project in sorted(asked_for(query.tree, Key.PROJECT) or ()):
            yield from namesake(places, project)


def namesake(places: Sequence[LookupServer], project: str) -> Iterator[str]:
    """Yield a sentence on how to choose a server if several have this *project*."""
    on = [place for place in places if place.has(project)]
    if len(on) > 1:
        name = next(name for name in on[0].projects if name.casefold() == project.casefold())
        which, choice = (joined.join(each.name for each in on) for joined in (" and ", " or server:"))
        yield f"{name} is a project on {which}, and all of them count; for one alone, add server:{choice}."
