"""The cursor: how far a server's events were read, and how far back each poll reads again.

Theory of operation. Patchwork's events carry a date and an id, and neither is the order in which they become
visible: a transaction that commits late appears behind events already seen, with a smaller id and an older date.
The date is naive and in the server's own time zone, jumps back an hour once a year, and may be re-printed wholesale
when an administrator changes that zone. So:

* The cursor is the greatest date seen, the server's own string; only arithmetic on it is done, never a comparison
  with our clock, and what is sent as `since` is naive again.
* Every poll reads again from *behind* the cursor and drops the events it knows by id. `since` is inclusive, so each
  walk must bring at least one known event, the one at the cursor, and no known one with a later date. A walk that
  does otherwise is a wrong filter, a deleted event, another database or a jump of the clock, never "nothing new"; the
  poller then re-anchors: it reads back, newest first and without a date, until it knows the events again.
* How far behind: a window back from the server's *now*, for which cursor + quiet (the time since the cursor last
  moved) is the best guess that needs no clock of ours. A quiet server therefore answers with the one event at the
  cursor. Each poll reads again ten seconds, enough for commits of the usual length. Two minutes once a minute, 15
  minutes each ten minutes, 3 hours and 26 hours, more and more rarely, are for slow commits and loaded servers, for the
  hour that comes twice, and for whoever changed a time zone. These go by time, not by polls: a busy server that is
  polled every few seconds shows an event about as often as one that is polled every minute.
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
# How many seconds after the last such window, or a larger one, each is due again, the smallest first. The first two are
# a little less than a minute and ten, so that a poll that comes early does not put them off by another one.
_EVERY = {WINDOW: 55.0, QUARTER: 590.0, DEEP: DEEP.total_seconds(), DAILY: 24 * 3600.0}


@dataclass(slots=True)
class ReadWindows:
    """Which window the next poll reads, by the monotonic clock (seconds)."""

    started: float
    last: dict[timedelta, float] = field(default_factory=dict)

    def window(self, now: float) -> timedelta:
        """The window of the poll at *now*: the largest that is due; the first poll goes deep."""
        if not self.last:
            return DEEP
        due = (window for window, every in _EVERY.items() if now - self.last.get(window, self.started) >= every)
        return max(due, default=SHORT)

    def done(self, now: float, window: timedelta) -> None:
        """Note a poll that was read whole; one that failed leaves its window to the next."""
        self.last |= dict.fromkeys((smaller for smaller in _EVERY if smaller <= window), now)


def since(cursor: str, quiet_seconds: float, window: timedelta) -> str:
    """Where a poll starts to read: naive, in the server's time zone, never later than the cursor."""
    back = max(window - timedelta(seconds=quiet_seconds), timedelta())
    return (parse(cursor) - back).isoformat()


def parse(date: str) -> datetime:
    """A date as Patchwork prints it, naive.

    Raises:
        ValueError: when it is none; `wire.EventRow` lets none such in.
    """
    return datetime.fromisoformat(date).replace(tzinfo=None)


def newest(dates: Iterable[str]) -> str | None:
    """The greatest of some dates by time, not by spelling; None for none."""
    return max(dates, key=parse, default=None)


def in_order(events: Iterable[EventHint]) -> list[EventHint]:
    """Events by date, then id: the nearest to the order in which they happened. Each id once."""
    once = {event.id: event for event in events}
    return sorted(once.values(), key=lambda event: (parse(event.date), event.id))
