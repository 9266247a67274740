"""Finds what is probably a mistake in settings that can be loaded; no server is contacted."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bot.config import MatrixSettings, PatchworkSettings, Settings
from bot.ids import ServerName
from bot.ops.summary import RoomQuery
from bot.patchwork.states import NO_STATES
from bot.query.query import Query
from bot.subscriptions.lint import hints, name_doubts, state_doubts
from bot.subscriptions.section_changes import looks_at, sections_named

_SQLITE = "sqlite:///"
_EXAMPLE = "example.org"
_PAGE = re.compile(
    r"/(?:user|users|about|mail|register|help|list|login|admin|home|index)(?:/|$)|/[^/]*\.(?:html?|php|cgi)$",
    re.IGNORECASE,
)
_WEB_CLIENTS = ("app.element.io", "matrix.to", "app.cinny.in", "app.schildi.chat")
# The page of a file at a forge -> the file itself
_FORGES = (
    (re.compile(r"(https://)github\.com/([^/]+/[^/]+)/blob/(.+)"), r"\1raw.githubusercontent.com/\2/\3"),
    (re.compile(r"(https?://.+)/-/blob/(.+)"), r"\1/-/raw/\2"),
    (re.compile(r"(https?://git\..+|https?://.+/cgit/.+)/tree/(.+)"), r"\1/plain/\2"),
    (re.compile(r"(https?://.+[?;&]a=blob)(;.*)?"), r"\1_plain\2"),
)


def notes(
    settings: Settings, subscriptions: Sequence[RoomQuery], secrets: str | None = None, *, is_signed_in: bool = False
) -> Iterator[str]:
    """Yield a sentence for each doubt about *settings*; *secrets* is the secrets directory, None without one.

    *is_signed_in* is true if somebody signed in with `patchbot login`.
    """
    yield from _of_account(settings.matrix, is_signed_in=is_signed_in)
    yield from _of_instances(settings)
    yield from _of_addresses(settings)
    yield from _of_files(settings, secrets)
    for each in subscriptions:
        yield from (f"{each.key}: {hint}." for hint in hints(each.query))
        yield from (f"{each.key}: {doubt}" for doubt in _of_query(each.query, settings.patchwork))
    yield from _repeated(subscriptions)


def _of_account(matrix: MatrixSettings, *, is_signed_in: bool) -> Iterator[str]:
    """Yield notes on placeholders of the example, which no server is behind, and on what the bot logs in with."""
    host, server = urlsplit(matrix.homeserver).hostname or "", matrix.user_id.partition(":")[2]
    admins = [("matrix.admins", admin.partition(":")[2]) for admin in matrix.admins]
    left = [("matrix.homeserver", host), ("matrix.user_id", server), *admins]
    keys = list(dict.fromkeys(key for key, name in left if name == _EXAMPLE or name.endswith(f".{_EXAMPLE}")))
    if keys:
        yield f"{_EXAMPLE} is only the example's server; replace it in {', '.join(keys)}."
    if not matrix.has_secret and not is_signed_in:
        yield (
            "neither matrix.password nor matrix.access_token is set here; `patchbot run` needs one of them, from the "
            "environment (PATCHBOT_MATRIX__PASSWORD) or the secrets directory, or a sign-in: run `patchbot login`."
        )
    if matrix.has_secret and is_signed_in:
        used = "matrix.access_token" if matrix.access_token else "matrix.password"
        yield f"somebody signed in with `patchbot login`, but {used} is set, and the bot uses that."
    if matrix.password and matrix.access_token:
        yield (
            "both matrix.access_token and matrix.password are set: the bot uses the token, and the password only to "
            "log the same device in again and to sign it."
        )


def _of_instances(settings: Settings) -> Iterator[str]:
    """Yield a note if another instance on the same database could not make a device of its own."""
    is_shared = not settings.store.url.get_secret_value().startswith(_SQLITE)
    if is_shared and settings.matrix.access_token:
        yield (
            "matrix.access_token belongs to one device: another instance that stands by on the same database needs the "
            "password instead, or at least the token of another device."
        )


def _of_addresses(settings: Settings) -> Iterator[str]:
    """Yield notes on addresses of pages, and on servers that are there twice."""
    homeserver = urlsplit(settings.matrix.homeserver)
    if homeserver.hostname in _WEB_CLIENTS:
        yield f"matrix.homeserver: {homeserver.hostname} is a web client, not a homeserver."
    elif homeserver.path:
        yield (
            f"matrix.homeserver: a homeserver's address rarely has a path; if {homeserver.path} belongs to a page, "
            "leave it out."
        )
    seen: dict[str, int] = {}
    for place, server in enumerate(settings.patchwork):
        key = f"patchwork[{place}]"
        if page := _PAGE.search(urlsplit(server.url).path):
            front = server.url[: server.url.rindex(page[0])]
            yield f"{key}.url: {server.url} looks like a page of the server; its front page is probably {front}"
        before = seen.setdefault(_same(server.url), place)
        if before != place:
            yield f"{key}.url is the same server as patchwork[{before}].url; list all its projects in one table."
        for number, project in enumerate(server.projects):
            for address in project.maintainers:
                if raw := _raw(address):
                    yield f"{key}.projects[{number}].maintainers: {address} is a web page; the file is at {raw}"


def _same(url: str) -> str:
    """Return what two addresses of one server have in common."""
    parts = urlsplit(url)
    return f"{(parts.hostname or '').removeprefix('www.')}:{parts.port or ''}{parts.path}"


def _raw(address: str) -> str:
    """Return the address of the file that a page of a forge shows; "" if *address* is not known as such a page."""
    return next((page.sub(raw, address) for page, raw in _FORGES if page.fullmatch(address)), "")


def _of_files(settings: Settings, secrets: str | None) -> Iterator[str]:
    """Yield notes on files and directories that are not there, or cannot be used by who asks."""
    if secrets is not None and not Path(secrets).is_dir():
        yield f"CREDENTIALS_DIRECTORY: there is no directory {secrets}, so no secret is read."
    folder = settings.store.data_dir
    if not folder.exists():
        yield f"store.data_dir: {folder.absolute()} does not exist; it is created at the first start."
    else:
        yield from _unusable("store.data_dir", folder)
    url = settings.store.url.get_secret_value()
    if url.startswith(_SQLITE):
        above = Path(url.removeprefix(_SQLITE)).absolute().parent
        if above != folder.absolute():
            yield from _unusable("store.url", above)
    if settings.network.ca_file:
        yield from _unreadable("network.ca_file", settings.network.ca_file)
    for place, server in enumerate(settings.patchwork):
        for number, project in enumerate(server.projects):
            for path in project.maintainers:
                if "://" not in path:
                    yield from _unreadable(f"patchwork[{place}].projects[{number}].maintainers", path)


def _unusable(key: str, folder: Path) -> Iterator[str]:
    """Yield a note if *folder* is not a directory that can be written."""
    if not folder.is_dir():
        yield f"{key}: there is no directory {folder.absolute()}."
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield f"{key}: this user may not write to {folder.absolute()}."


def _unreadable(key: str, path: str) -> Iterator[str]:
    """Yield a note if there is no file at *path* that can be read."""
    if not Path(path).is_file():
        what = "is not a file" if Path(path).exists() else "does not exist"
        yield f"{key}: {Path(path).absolute()} {what}."
    elif not os.access(path, os.R_OK):
        yield f"{key}: this user may not read {Path(path).absolute()}."


def _of_query(query: Query, servers: Sequence[PatchworkSettings]) -> Iterator[str]:
    """Yield notes on names in *query* that are not in the settings, and on sections that no file defines."""
    unknown = name_doubts(query, {server.name: [each.name for each in server.projects] for server in servers})
    yield from unknown
    watched = [(ServerName(server.name), project.name) for server in servers for project in server.projects]
    if not unknown and not any(looks_at(query, *each) for each in watched):
        yield "no server has a project for which this can match."
    yield from state_doubts(query, {server.name: NO_STATES for server in servers})
    if sections_named(query) and not any(project.maintainers for server in servers for project in server.projects):
        yield "maint: matches nothing, because no project has a MAINTAINERS file (maintainers = …)."


def _repeated(subscriptions: Sequence[RoomQuery]) -> Iterator[str]:
    seen: dict[tuple[str, str], str] = {}
    for each in subscriptions:
        before = seen.setdefault((each.room, str(each.query)), each.key)
        if before != each.key:
            yield f"{each.key} is the same as {before}."
