"""What a configuration would do, in sentences."""

from collections.abc import Iterator, Sequence

from bot.config import PatchworkSettings, RoomSettings, Settings
from bot.subscriptions.query import Query


def sentences(settings: Settings, subscriptions: Sequence[tuple[str, str, Query]]) -> Iterator[str]:
    """What the bot would do with *settings*; nobody is contacted."""
    yield f"Signs in to {settings.matrix.homeserver} as {settings.matrix.user_id}."
    if not settings.matrix.has_secret:
        yield (
            "Note: neither matrix.password nor matrix.access_token is set here; `run` needs one, "
            "from the environment or the secrets directory."
        )
    for server in settings.patchwork:
        yield _server(server)
    yield f"Asks as {settings.contact}."
    for room in settings.room:
        yield from _room(room, [query for _, name, query in subscriptions if name == room.room])
    yield f"Accepts invitations of {', '.join(settings.matrix.invite_from)}."
    yield f"Admins: {', '.join(settings.matrix.admins) or 'none'}."
    yield (
        f"Serves /livez, /readyz and /metrics on {settings.web.listen}."
        if settings.web.listen
        else "Serves no metrics."
    )


def _server(server: PatchworkSettings) -> str:
    projects = ", ".join(project.name for project in server.projects)
    return (
        f"Watches {server.name} ({server.url}) every {server.poll_interval_seconds:g} s for {projects}; "
        f"an incomplete series is judged after {server.incomplete_after_minutes:g} minutes."
    )


def _room(room: RoomSettings, queries: Sequence[Query]) -> Iterator[str]:
    if not queries:
        yield f"Joins {room.room}, without a subscription from here."
    for query in queries:
        yield f"Tells {room.room} about: {query}"
