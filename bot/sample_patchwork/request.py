"""Requests and answers without a socket, as all parts of the sample Patchwork speak of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: *path* still percent-encoded, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answers; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def page(status: int, title: str, content: str = "") -> Response:
    """A page for people; *content* is HTML, *title* is text."""
    title = escape(title)
    html = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1>{content}</body></html>\n"
    headers = {"content-type": "text/html; charset=utf-8", "vary": "Cookie"}
    return Response(status, headers, html.encode("utf-8", "replace"))


def moved(status: int, target: str) -> Response:
    """A redirect: 301 for good, 302 for now."""
    return Response(status, {"content-type": "text/html; charset=utf-8", "location": target}, b"")


def slash_added(request: Request) -> Response:
    """The redirect of a path that lacks its slash; the query is kept."""
    return moved(301, f"{request.path}/?{request.query}" if request.query else f"{request.path}/")
