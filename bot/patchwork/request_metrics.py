"""Metrics of the requests to Patchwork servers: number and duration."""

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
    """The status of a response; "none" if there was none."""

    code: str = "none"


@contextmanager
def counted(server: ServerName, path: str) -> Iterator[Answered]:
    """Count a request for *path* and its duration, however it ends; the caller sets the status."""
    began, answered, endpoint = time.perf_counter(), Answered(), endpoint_of(path)
    try:
        yield answered
    finally:
        metrics.PATCHWORK_REQUESTS.labels(server, endpoint, answered.code).inc()
        metrics.PATCHWORK_SECONDS.labels(server, endpoint).observe(time.perf_counter() - began)


def endpoint_of(path: str) -> str:
    """Return the metric label for a request *path*; "other" if it has none of its own."""
    parts = path.partition("?")[0].strip("/").split("/")
    asked = parts[2] if parts[0] == _API and len(parts) > 2 else ""  # behind the version
    if parts[-1] in _OF_AN_OBJECT and asked != "projects":
        return parts[-1]
    return asked if asked in _LISTS else "other"
