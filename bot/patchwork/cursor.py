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
  cursor. Two minutes are enough for slow commits; 15 minutes, 3 hours and 26 hours, more and more rarely, are for
  loaded servers, for the hour that comes twice, and for whoever changed a time zone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.patchwork.wire import Event

WINDOW = timedelta(minutes=2)
TENTH = timedelta(minutes=15)
DEEP = timedelta(hours=3)
DAILY = timedelta(hours=26)
_DEEP_EVERY = DEEP.total_seconds()
_DAILY_EVERY = 24 * 3600.0


@dataclass(slots=True)
class Sweeps:
    """Which window the next poll reads, by the monotonic clock (seconds)."""

    started: float
    polls: int = 0
    last_deep: float | None = None
    last_daily: float | None = None

    def window(self, now: float) -> timedelta:
        """The window of the poll at *now*."""
        if now - (self.started if self.last_daily is None else self.last_daily) >= _DAILY_EVERY:
            return DAILY
        if self.last_deep is None or now - self.last_deep >= _DEEP_EVERY:
            return DEEP
        return TENTH if (self.polls + 1) % 10 == 0 else WINDOW

    def done(self, now: float, window: timedelta) -> None:
        """Count a poll that was read whole; one that failed leaves its sweep to the next."""
        self.polls += 1
        if window >= DEEP:
            self.last_deep = now
        if window >= DAILY:
            self.last_daily = now


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


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events by date, then id: the nearest to the order in which they happened. Each id once."""
    once = {event.id: event for event in events}
    return sorted(once.values(), key=lambda event: (parse(event.date), event.id))
