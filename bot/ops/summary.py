"""Parses the subscriptions in the settings, and describes the effect of a configuration in sentences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot.config import (
    NetworkSettings,
    PatchworkSettings,
    RoomSettings,
    Settings,
    StoreSettings,
    subscription_key,
)
from bot.errors import ConfigError, ConfigErrors, QueryError
from bot.patchwork.states import StateClass
from bot.query.parser import parse_subscription
from bot.query.query import Query
from bot.text import printable

_SHOWN = 60  # characters of a mistake
_SQLITE = "sqlite:///"
_LOG_FORMS = {"text": "lines of text", "json": "lines of JSON"}


@dataclass(frozen=True, slots=True)
class RoomQuery:
    """A subscription in the settings; *room* is an alias or an id, *key* its path in the file."""

    key: str
    room: str
    query: Query


def room_queries(settings: Settings) -> tuple[RoomQuery, ...]:
    """Return the subscriptions of all rooms, in the order of the file.

    Raises:
        ConfigError: a query is invalid; the error names its key. Several invalid queries come as ConfigErrors.
    """
    queries: list[RoomQuery] = []
    mistakes: list[ConfigError] = []
    for key, room, text in _written(settings):
        try:
            queries.append(RoomQuery(key, room, parse_subscription(text, has_addresses=False)))
        except QueryError as error:
            mistakes.append(ConfigError(key, f"{_one_line(str(error))} (at “{_place(error)}”)"))
    if mistakes:
        raise mistakes[0] if len(mistakes) == 1 else ConfigErrors(mistakes)
    return tuple(queries)


def _written(settings: Settings) -> Iterator[tuple[str, str, str]]:
    for place, room in enumerate(settings.room):
        for number, text in enumerate(room.subscribe):
            yield subscription_key(place, number), room.room, text


def _place(error: QueryError) -> str:
    text = _one_line(error.text[error.start : error.end] or error.text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _one_line(text: str) -> str:
    """Return *text* on one line, without characters that a terminal would interpret."""
    return printable(" ".join(text.split()))


def sentences(settings: Settings, subscriptions: Sequence[RoomQuery], agent: str) -> Iterator[str]:
    """Yield what the bot would do with *settings* and User-Agent *agent*; no server is contacted, no secret shown."""
    yield f"Signs in to {settings.matrix.homeserver} as {settings.matrix.user_id}."
    yield from _store(settings.store)
    for server in settings.patchwork:
        yield _server(server)
        yield from _classes(server)
        for project in server.projects:
            if project.maintainers:
                places = ", ".join(place.partition("?")[0] for place in project.maintainers)
                yield f"Reads MAINTAINERS of {project.name} from {places} every day."
    yield f"Gives Patchwork servers {settings.contact} as the contact, in the User-Agent {agent}."
    yield from _network(settings.network)
    for room in settings.room:
        yield from _room(room, [each.query for each in subscriptions if each.room == room.room])
    yield f"Answers commands that begin with {settings.commands.prefix}."
    invited_by = ", ".join(settings.matrix.invite_from)
    yield f"Accepts invitations from {invited_by}." if invited_by else "Accepts no invitations."
    yield f"Admins: {', '.join(settings.matrix.admins) or 'none'}."
    yield (
        f"Serves its status on {settings.web.listen}: / for people, /livez, /readyz and /metrics for programs."
        if settings.web.listen
        else 'Serves no status pages (web.listen is "").'
    )
    yield f"Logs at level {settings.log.level} and above, as {_LOG_FORMS[settings.log.format]}."


def _store(store: StoreSettings) -> Iterator[str]:
    url = store.url.get_secret_value()
    where = str(Path(url.removeprefix(_SQLITE)).absolute()) if url.startswith(_SQLITE) else _without_login(url)
    yield f"Keeps its database in {where}, and its device and keys in {store.data_dir.absolute()}."
    if not url.startswith(_SQLITE):
        yield "Stands by while another instance acts that uses the same database."


def _server(server: PatchworkSettings) -> str:
    projects = ", ".join(project.name for project in server.projects)
    minutes = server.incomplete_after_minutes
    when = f"{minutes:g} minutes after its first mail" if minutes else "at once"
    return (
        f"Polls {server.name} ({server.url}) every {server.poll_interval_seconds:g} s for {projects}; "
        f"posts a series that stays incomplete {when}."
    )


def _classes(server: PatchworkSettings) -> Iterator[str]:
    """Yield what the check lanes and state classes of a server are, as far as they are set."""
    for lane, globs in server.check_lanes.items():
        yield f"Checks of {server.name} like {', '.join(globs)} are in the lane {_one_line(lane)}."
    for kind in StateClass:
        if states := [slug for slug, of in server.states.classes.configured.items() if of is kind]:
            yield f"States of {server.name} that are {kind}: {', '.join(states)}."


def _network(network: NetworkSettings) -> Iterator[str]:
    if proxy := network.proxy.get_secret_value():
        yield f"Connects through the proxy {_without_login(proxy)}."
    if network.ca_file:
        yield f"Trusts the certificates in {network.ca_file} instead of the system's."


def _room(room: RoomSettings, queries: Sequence[Query]) -> Iterator[str]:
    if not queries:
        yield f"Joins {room.room}; the settings have no subscription for it."
    for query in queries:
        yield f"Tells {room.room} about: {query}"


def _without_login(url: str) -> str:
    """Return the scheme, host and path of *url*; its user name, password and parameters may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
