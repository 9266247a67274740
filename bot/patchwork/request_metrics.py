"""Counts the requests to Patchwork servers, and how long each took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot import metrics
from bot.ids import ServerName

_OF_AN_OBJECT = frozenset({"mbox", "comments", "checks"})
_LISTS = frozenset({"events", "series", "patches", "projects", "covers"})
_API = "api"


@dataclass(slots=True)
class Answered:
    """The status of an answer; "none" where none came."""

    code: str = "none"


@contextmanager
def counted(server: ServerName, path: str) -> Iterator[Answered]:
    """Count a request for *path*, however it ends; whoever makes it notes the status."""
    began, answered, endpoint = time.perf_counter(), Answered(), endpoint_of(path)
    try:
        yield answered
    finally:
        metrics.PATCHWORK_REQUESTS.labels(server, endpoint, answered.code).inc()
        metrics.PATCHWORK_SECONDS.labels(server, endpoint).observe(time.perf_counter() - began)


def endpoint_of(path: str) -> str:
    """What is asked for, as one of a few words; "other" for whatever they do not name."""
    parts = path.partition("?")[0].strip("/").split("/")
    asked = parts[2] if parts[0] == _API and len(parts) > 2 else ""  # behind the version
    if parts[-1] in _OF_AN_OBJECT and asked != "projects":
        return parts[-1]
    return asked if asked in _LISTS else "other"
