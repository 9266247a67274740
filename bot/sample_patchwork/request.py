"""Defines requests and responses without a socket, for all parts of the sample Patchwork."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; *path* is percent-encoded, header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def page(status: int, title: str, content: str = "") -> Response:
    """Return a page for people; *content* is HTML, *title* is plain text."""
    title = escape(title)
    html = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1>{content}</body></html>\n"
    headers = {"content-type": "text/html; charset=utf-8", "vary": "Cookie"}
    return Response(status, headers, html.encode("utf-8", "replace"))


def moved(status: int, target: str) -> Response:
    """Return a redirect: permanent with status 301, temporary with 302."""
    return Response(status, {"content-type": "text/html; charset=utf-8", "location": target}, b"")


def slash_added(request: Request) -> Response:
    """Return the redirect to a path with its missing slash; the query is kept."""
    return moved(301, f"{request.path}/?{request.query}" if request.query else f"{request.path}/")
