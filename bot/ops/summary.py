"""Parses the subscriptions in the settings, and describes the effect of a configuration in sentences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot.config import (
    MatrixSettings,
    NetworkSettings,
    PatchworkSettings,
    RoomSettings,
    Settings,
    StoreSettings,
    subscription_key,
)
from bot.errors import ConfigError, ConfigErrors, QueryError
from bot.patchwork.state_classes import StateClass
from bot.query.parser import parse_subscription
from bot.query.query import Query
from bot.subscriptions.lint import hints
from bot.subscriptions.section_changes import sections_named
from bot.text import printable

_SHOWN = 60  # characters of a mistake
_SQLITE = "sqlite:///"
_EXAMPLE = "example.org"
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
    found: list[RoomQuery] = []
    mistakes: list[ConfigError] = []
    for key, room, text in _written(settings):
        try:
            found.append(RoomQuery(key, room, parse_subscription(text, has_addresses=False)))
        except QueryError as error:
            mistakes.append(ConfigError(key, f"{_one_line(str(error))} (at “{_place(error)}”)"))
    if mistakes:
        raise mistakes[0] if len(mistakes) == 1 else ConfigErrors(mistakes)
    return tuple(found)


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
    yield from _examples(settings.matrix)
    if not settings.matrix.has_secret:
        yield (
            "Note: neither matrix.password nor matrix.access_token is set here; `patchbot run` needs one of them, "
            "from the environment (PATCHBOT_MATRIX__PASSWORD) or the secrets directory."
        )
    yield from _store(settings.store)
    for server in settings.patchwork:
        yield _server(server)
        yield from _classes(server)
        for project in server.projects:
            if project.maintainers:
                places = ", ".join(place.partition("?")[0] for place in project.maintainers)
                yield f"Reads MAINTAINERS of {project.name} from {places} every day."
    yield f"Names {settings.contact} as its contact in every request to them."
    yield f"Sends them this User-Agent: {agent}."
    yield from _network(settings.network)
    if not any(project.maintainers for server in settings.patchwork for project in server.projects):
        for each in subscriptions:
            if sections_named(each.query):
                yield f"Note: {each.key} asks for maint:, and no project has a maintainers file: it matches nothing."
    for room in settings.room:
        yield from _room(room, [each.query for each in subscriptions if each.room == room.room])
    yield f"Answers to commands that begin with {settings.commands.prefix}."
    invited_by = ", ".join(settings.matrix.invite_from)
    yield f"Accepts invitations of {invited_by}." if invited_by else "Accepts no invitations."
    yield f"Admins: {', '.join(settings.matrix.admins) or 'none'}."
    yield (
        f"Shows how it is on {settings.web.listen}: to people at /, to machines at /livez, /readyz and /metrics."
        if settings.web.listen
        else "Shows nobody how it is."
    )
    yield f"Logs from the level {settings.log.level} on, as {_LOG_FORMS[settings.log.format]}."


def _examples(matrix: MatrixSettings) -> Iterator[str]:
    """Yield a note on the settings that still contain the example's host names, which nothing is behind."""
    host, server = urlsplit(matrix.homeserver).hostname or "", matrix.user_id.partition(":")[2]
    admins = [("matrix.admins", admin.partition(":")[2]) for admin in matrix.admins]
    left = [("matrix.homeserver", host), ("matrix.user_id", server), *admins]
    keys = list(dict.fromkeys(key for key, name in left if name == _EXAMPLE or name.endswith(f".{_EXAMPLE}")))
    if keys:
        yield f"Note: still at {_EXAMPLE}, as in the example: {', '.join(keys)}."


def _store(store: StoreSettings) -> Iterator[str]:
    url = store.url.get_secret_value()
    where = str(Path(url.removeprefix(_SQLITE)).absolute()) if url.startswith(_SQLITE) else _without_login(url)
    yield f"Keeps its database in {where}, and its device and keys in {store.data_dir.absolute()}."


def _server(server: PatchworkSettings) -> str:
    projects = ", ".join(project.name for project in server.projects)
    minutes = server.incomplete_after_minutes
    patience = f"after {minutes:g} minutes" if minutes else "at once"
    return (
        f"Watches {server.name} ({server.url}) every {server.poll_interval_seconds:g} s for {projects}; "
        f"a series that stays incomplete is judged {patience}."
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
        yield f"Goes through the proxy {_without_login(proxy)}."
    if network.ca_file:
        yield f"Trusts the certificates in {network.ca_file} instead of the system's."


def _room(room: RoomSettings, queries: Sequence[Query]) -> Iterator[str]:
    if not queries:
        yield f"Joins {room.room}, without a subscription from here."
    for query in queries:
        yield f"Tells {room.room} about: {query}"
        yield from (f"Note: {hint}." for hint in hints(query))


def _without_login(url: str) -> str:
    """Return the scheme, host and path of *url*; its user name, password and parameters may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
