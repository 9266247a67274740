"""Routes requests to the sample Patchwork, and returns status, headers and body without a socket."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import format_datetime
from typing import TypeVar
from urllib.parse import unquote

from bot.sample_patchwork.list_queries import BadValueError, ListParameters, Lists, NoSuchPageError, page_of
from bot.sample_patchwork.records import (
    CheckRecord,
    CommentRecord,
    CoverRecord,
    PatchRecord,
    ProjectRecord,
    UserRecord,
)
from bot.sample_patchwork.request import Request, Response, page, slash_added
from bot.sample_patchwork.site import Site
from bot.sample_patchwork.views import Json, ViewRequest, Views
from bot.sample_patchwork.web import web_answer
from bot.sample_patchwork.writes import people_like, users_like, write

T = TypeVar("T")
C = TypeVar("C", CheckRecord, CommentRecord)

_API = re.compile(r"/api(?:/(?P<version>\d{1,3}\.\d{1,3}))?(?P<rest>/.*)?\Z")
_ROUTES = (
    r"/",
    r"/(?:projects|events|patches|series|covers|bundles|people|users)/",
    r"/(?:projects|people|users)/[^/]+/",
    r"/(?:patches|series|covers)/\d{1,18}/",
    r"/patches/\d{1,18}/(?:checks|comments)/",
    r"/covers/\d{1,18}/comments/",
    r"/patches/\d{1,18}/(?:checks|comments)/\d{1,18}/",
    r"/covers/\d{1,18}/comments/\d{1,18}/",
)
_ROUTE = re.compile(f"(?:{'|'.join(_ROUTES)})\\Z")
_PATCH = re.compile(r"/patches/\d{1,18}/\Z")
_NO_CREDENTIALS = "Authentication credentials were not provided."
_NO_PERMISSION = "You do not have permission to perform this action."


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The options of the server; with *origin* None, scheme and host come from the request, as in Django."""

    api_versions: tuple[str, ...]
    origin: str | None
    old_events: bool  # as 2.1: events always newest first


class _NotFound(Exception):
    """A missing object; the text is its kind, or "" if the path itself is unknown."""


def answer(request: Request, site: Site, settings: ServerOptions) -> Response:
    """Return the site's response to a request, dated in GMT by the server's clock."""
    response = _answer(request, site, settings)
    date = format_datetime(site.now().replace(tzinfo=UTC), usegmt=True)
    return replace(response, headers={**response.headers, "date": date})


def _answer(request: Request, site: Site, settings: ServerOptions) -> Response:
    path = unquote(request.path)
    api = _API.match(path)
    if api is None:
        return web_answer(request, site.tables.snapshot(), path, site.states)
    version = api["version"]
    newest = max(settings.api_versions)
    is_spoken = version is None or version in settings.api_versions
    if not is_spoken or not _routed(api["rest"], version or newest):
        return page(404, "Page not found")
    if not path.endswith("/"):
        return slash_added(request)
    user = site.accounts.identify(request.headers.get("authorization"))
    if isinstance(user, str):
        return _json(403, {"detail": user})
    refused = _refused(request, api["rest"] or "/", user)
    if refused is not None:
        return refused
    origin = settings.origin or f"http://{request.headers.get('host', 'localhost')}"
    prefix = "/api" if version is None else f"/api/{version}"
    asked = ViewRequest(version or newest, prefix, origin, from_2_2=newest >= "1.2")
    return _Api(site, settings, asked, request, user).answer(api["rest"] or "/")


def _routed(rest: str | None, version: str) -> bool:
    """Return whether this path exists in API *version* (the newest one if the request names none)."""
    slashed = (rest or "/").rstrip("/") + "/"
    if "/comments/" in slashed:
        needs = "1.1" if slashed.endswith("/comments/") else "1.3"
        if version < needs:
            return False
    return _ROUTE.match(slashed) is not None


def _refused(request: Request, rest: str, user: int | None) -> Response | None:
    if _PATCH.match(rest) and request.method in {"POST", "DELETE"}:
        return _json(405, {"detail": f'Method "{request.method}" not allowed.'})
    is_write = request.method == "PATCH" and _PATCH.match(rest)
    if request.method not in {"GET", "HEAD", "OPTIONS"} and not is_write:
        return _json(403, {"detail": _NO_PERMISSION if user is not None else _NO_CREDENTIALS})
    formats = ListParameters(request.query).all("format")
    if formats and formats[-1] not in {"json", "api"}:
        return _json(404, {"detail": "Not found."}, {"vary": "Accept"})
    accepts = [part.partition(";")[0].strip() for part in request.headers.get("accept", "*/*").split(",")]
    wants = (
        {"*/*", "text/html"} if formats[-1:] == ["api"] else {"*/*", "application/*", "application/json", "text/html"}
    )
    if not wants & set(accepts) and formats[-1:] != ["json"]:
        return _json(406, {"detail": "Could not satisfy the request Accept header."}, {"vary": "Accept"})
    if formats[-1:] == ["api"] or (not formats and accepts[0] == "text/html"):
        return page(200, "Django REST framework")
    return None


def _json(status: int, data: object, more: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    headers = {"content-type": "application/json", "vary": "Accept, Cookie", "allow": "GET, HEAD, OPTIONS"}
    return Response(status, headers | dict(more or {}), body)


class _Api:
    """The handler of one request below /api/."""

    def __init__(
        self, site: Site, settings: ServerOptions, asked: ViewRequest, request: Request, user: int | None
    ) -> None:
        self._site = site
        self._request = request
        self._asked = asked
        self._user = user
        self._rows = site.tables.snapshot()
        self._settings = settings
        self._views = Views(site, self._rows, asked)
        self._query = ListParameters(request.query)
        self._lists = Lists(site, self._rows, self._query, asked.version)
        self._url = f"{asked.origin}{request.path}"

    def answer(self, rest: str) -> Response:
        """Return the response for the path behind the version."""
        try:
            return self._answer([part for part in rest.split("/") if part])
        except _NotFound as error:
            return _json(404, {"detail": f"No {error} matches the given query."})
        except NoSuchPageError:
            return _json(404, {"detail": "Invalid page."})

    def _answer(self, parts: Sequence[str]) -> Response:
        match parts:
            case ["people" | "users", *_] if self._user is None:
                return _json(403, {"detail": _NO_CREDENTIALS})
            case [*_] if self._request.method in {"OPTIONS", "PATCH"}:
                return self._options(parts) if self._request.method == "OPTIONS" else self._write(int(parts[1]))
            case [name]:
                return self._list(name)
            case [kind, key]:
                return _json(200, self._detail(kind, key))
            case [kind, key, below, *child]:
                return self._below(kind, int(key), below, child)
            case _:
                return _json(200, self._views.index())

    def _list(self, name: str) -> Response:
        views, lists, words = self._views, self._lists, self._query.last("q") or ""
        ordered = not self._settings.old_events
        answers: dict[str, Callable[[], Response]] = {
            "projects": lambda: self._page(lambda: list(self._rows.projects.values()), views.project),
            "users": lambda: self._page(lambda: users_like(self._rows, words), views.user),
            "people": lambda: self._page(lambda: people_like(self._rows, words), views.person),
            "events": lambda: self._page(lambda: lists.events(ordered=ordered), views.event),
            "patches": lambda: self._page(lists.patches, views.patch),
            "series": lambda: self._page(lists.series, views.series),
            "covers": lambda: self._page(lists.covers, views.cover),
            "bundles": lambda: self._page(list[PatchRecord], views.patch),  # of which there are none
        }
        return answers[name]()

    def _options(self, parts: Sequence[str]) -> Response:
        """Return what a view can do; "actions" has PUT where the reader may write the object."""
        told: Json = {"name": "User Detail", "description": "", "renders": ["application/json", "text/html"]}
        match parts:
            case ["users", key]:
                told |= {"actions": {"PUT": {}}} if self._account(key).id == self._user else {}
            case ["patches", key]:
                may_write = self._site.accounts.may_write(self._user, self._patch(int(key)), self._rows)
                told |= {"actions": {"PUT": {}}} if may_write else {}
            case _:
                pass
        return _json(200, told)

    def _write(self, number: int) -> Response:
        """Change a patch as a REST PATCH does: the object first, then the rights, then the values."""
        patch = self._patch(number)
        if not self._site.accounts.may_write(self._user, patch, self._rows):
            return _json(403, {"detail": _NO_CREDENTIALS if self._user is None else _NO_PERMISSION})
        refusal = write(self._site, patch, self._request, self._user)
        if refusal is not None:
            return _json(refusal.status, refusal.told)
        self._rows = self._site.tables.snapshot()
        self._views = Views(self._site, self._rows, self._asked)
        return _json(200, self._views.patch_detail(self._patch(patch.id)), {"allow": "GET, PUT, PATCH, HEAD, OPTIONS"})

    def _account(self, key: str) -> UserRecord:
        user = self._rows.users.get(int(key)) if key.isdecimal() else None
        if user is None:
            raise _NotFound("User")
        return user

    def _detail(self, kind: str, key: str) -> Json:
        if kind == "users":
            return self._views.user(self._account(key), of=self._user)
        if kind == "people":
            if not key.isdecimal() or int(key) not in self._rows.people:
                raise _NotFound("Person")
            return self._views.person(self._rows.people[int(key)])
        if kind == "projects":
            return self._views.project(self._project(key))
        if kind == "patches":
            return self._views.patch_detail(self._patch(int(key)))
        if kind == "covers":
            return self._views.cover_detail(self._cover(int(key)))
        if int(key) not in self._rows.series:
            raise _NotFound("Series")
        return self._views.series(self._rows.series[int(key)])

    def _below(self, kind: str, number: int, below: str, child: Sequence[str]) -> Response:
        if below == "checks":
            checks = self._rows.checks_of(self._patch(number).id)
            return self._children(checks, self._views.check, child, "Check")
        comments = self._comments(kind, number)
        name = "PatchComment" if kind == "patches" else "CoverComment"
        return self._children(comments, lambda comment: self._views.comment(comment, kind), child, name)

    def _children(self, rows: Sequence[C], view: Callable[[C], Json], child: Sequence[str], name: str) -> Response:
        """Return all rows below an object, or the one with the requested id."""
        if not child:
            return self._page(lambda: rows, view)
        for row in rows:
            if str(row.id) == child[0]:
                return _json(200, view(row))
        raise _NotFound(name)

    def _comments(self, kind: str, number: int) -> Sequence[CommentRecord]:
        if kind == "patches":
            return self._rows.comments_of(self._patch(number).id)
        cover = self._cover(number)
        return [comment for comment in self._rows.cover_comments.values() if comment.parent == cover.id]

    def _page(self, rows: Callable[[], Sequence[T]], view: Callable[[T], Json]) -> Response:
        try:
            found = rows()
        except BadValueError:
            found = []
        page = page_of(self._query, len(found))
        shown = [view(row) for row in found[page.first_row : page.end_row]]
        links = [("next", page.number + 1)] if page.number < page.last else []
        links += [("prev", page.number - 1)] if page.number > 1 else []
        links += [("first", 1), ("last", page.last)] if max(self._settings.api_versions) >= "1.3" else []
        if not links:
            return _json(200, shown)
        link = ", ".join(f'<{self._url}?{self._query.with_page(number)}>; rel="{rel}"' for rel, number in links)
        return _json(200, shown, {"link": link})

    def _project(self, name: str) -> ProjectRecord:
        for project in self._rows.projects.values():
            if name in {str(project.id), project.link_name}:
                return project
        raise _NotFound("Project")

    def _patch(self, number: int) -> PatchRecord:
        if number not in self._rows.patches:
            raise _NotFound("Patch")
        return self._rows.patches[number]

    def _cover(self, number: int) -> CoverRecord:
        if number not in self._rows.covers:
            raise _NotFound("Cover")
        return self._rows.covers[number]
