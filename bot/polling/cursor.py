"""The cursor: how far a server's events were read, and how far back each poll reads again.

Theory of operation. Patchwork's events have a date and an id, and neither is the order in which they become visible: a
transaction that commits late appears behind known events, with a smaller id and an older date. The date is naive and in
the server's own time zone, jumps back an hour once a year, and may change for all events when an administrator changes
that zone. So:

* The cursor is the greatest known date, in the server's own spelling; it is only used in arithmetic, never compared
  with our clock, and the `since` that is sent is naive again.
* Every poll reads again from *behind* the cursor and drops the events whose ids are known. `since` is inclusive, so
  each walk must return at least one known event, the one at the cursor, and no known one with a later date. Any other
  result means a wrong filter, a deleted event, another database or a jump of the clock, never "nothing new"; the poller
  then re-anchors: it reads back, newest first and without a date, until the events are known again.
* The window reaches back from the server's *now*, for which cursor + quiet (the time since the cursor last moved) is
  the best estimate without our clock. A quiet server therefore returns only the event at the cursor. Each poll reads
  again ten seconds, enough for commits of the usual length. Two minutes once a minute, 15 minutes every ten minutes, 3
  hours and 26 hours, more and more rarely, cover slow commits, loaded servers, the repeated hour and changes of the
  time zone. These intervals are in time, not in polls: a busy server that is polled every few seconds returns an event
  about as often as one that is polled every minute.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.patchwork.wire import EventHint

SHORT = timedelta(seconds=10)
WINDOW = timedelta(minutes=2)
QUARTER = timedelta(minutes=15)
DEEP = timedelta(hours=3)
DAILY = timedelta(hours=26)
# Seconds after which each window is due again, counted from its last use or that of a larger one; smallest first. The
# first two are a little less than one and ten minutes, so that an early poll does not delay them by another poll.
_EVERY = {WINDOW: 55.0, QUARTER: 590.0, DEEP: DEEP.total_seconds(), DAILY: 24 * 3600.0}


@dataclass(slots=True)
class ReadWindows:
    """The schedule of a server's read windows, by the monotonic clock (seconds)."""

    started: float
    last: dict[timedelta, float] = field(default_factory=dict)

    def window(self, now: float) -> timedelta:
        """Return the window of the poll at *now*: the largest that is due; the first poll uses a deep one."""
        if not self.last:
            return DEEP
        due = (window for window, every in _EVERY.items() if now - self.last.get(window, self.started) >= every)
        return max(due, default=SHORT)

    def done(self, now: float, window: timedelta) -> None:
        """Record a complete poll; after a failed one, the window remains due."""
        self.last |= dict.fromkeys((smaller for smaller in _EVERY if smaller <= window), now)


def since(cursor: str, quiet_seconds: float, window: timedelta) -> str:
    """Return the start of a poll: naive, in the server's time zone, never later than the cursor."""
    back = max(window - timedelta(seconds=quiet_seconds), timedelta())
    return (parse(cursor) - back).isoformat()


def parse(date: str) -> datetime:
    """Return a date as printed by Patchwork, naive.

    Raises:
        ValueError: it is not a date, which `wire.EventRow` rules out.
    """
    return datetime.fromisoformat(date).replace(tzinfo=None)


def newest(dates: Iterable[str]) -> str | None:
    """Return the greatest of *dates* by time, not by spelling; None if there are none."""
    return max(dates, key=parse, default=None)


def in_order(events: Iterable[EventHint]) -> list[EventHint]:
    """Return *events* by date, then id, which is the best known order of their occurrence, each id once."""
    once = {event.id: event for event in events}
    return sorted(once.values(), key=lambda event: (parse(event.date), event.id))
