"""Records what the bot could not handle, to explain why it is missing.

A module that skips something (a series, an event, a room, a device, a message) records it here. An incident is logged
the first time, counted each time, and shown in `status` until it is resolved or has not happened again for a day.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from bot import metrics
from bot.clock import Clock

MAX_INCIDENTS: Final = 100  # above this the oldest is dropped, which keeps a hostile sender from filling the memory
FORGET_AFTER: Final = timedelta(days=1)
MAX_TEXT: Final = 200  # characters of a name or a reason, which may come from outside
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that could not be handled, how often, and when first and last (UTC).

    *kind* is the log event and the metric's label (`poll.submission_failed`), *name* the affected object ("series 12 of
    ozlabs"), *reason* the cause of the latest failure.
    """

    kind: str
    name: str
    reason: str
    first_at: datetime
    last_at: datetime
    count: int = 1


class Incidents:
    """The incidents of a running bot, in memory only, because the log has all of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[tuple[str, str], Incident] = {}

    def __iter__(self) -> Iterator[Incident]:
        """Iterate over the unresolved incidents of the last day, the latest last."""
        oldest = self._clock.now() - FORGET_AFTER
        return (each for each in tuple(self._open.values()) if each.last_at > oldest)

    def record(self, kind: str, name: str, reason: str | Exception) -> None:
        """Count an incident, and log it the first time; exceptions are logged with their traceback."""
        metrics.INCIDENTS.labels(kind).inc()
        now, text = self._clock.now(), _text(reason)
        key = (kind, name[:MAX_TEXT])
        before = self._open.pop(key, None)
        if before is None or before.last_at <= now - FORGET_AFTER:
            before = None
            _log.error(kind, name=key[1], reason=text, exc_info=reason if isinstance(reason, Exception) else None)
        new = Incident(*key, text, now, now)
        self._open[key] = replace(new, first_at=before.first_at, count=before.count + 1) if before else new
        if len(self._open) > MAX_INCIDENTS:
            del self._open[next(iter(self._open))]

    def resolve(self, kind: str, name: str) -> None:
        """Close an incident: *name* works again, or is no longer needed."""
        self._open.pop((kind, name[:MAX_TEXT]), None)


def _text(reason: str | Exception) -> str:
    if isinstance(reason, str):
        return reason[:MAX_TEXT]
    return f"{type(reason).__name__}: {reason}"[:MAX_TEXT]
