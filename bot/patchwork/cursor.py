"""The cursor: how far a server's events were read, and how far back each poll reads again.

Theory of operation. Patchwork's events carry a date and an id, and neither is the order in which they become
visible: a transaction that commits late appears behind events already seen, with a smaller id and an older date.
The date is naive and in the server's own time zone, jumps back an hour once a year, and may be re-printed wholesale
when an administrator changes that zone. So:

* The cursor is the greatest date seen, the server's own string; only arithmetic on it is done, never a comparison
  with our clock, and what is sent as `since` is naive again.
* Every poll reads again from *behind* the cursor and drops the events it knows by id. `since` is inclusive, so each
  walk must bring at least one known event: the one at the cursor. A walk that does not is a wrong filter, a deleted
  event, another database or a jump of the clock, never "nothing new"; the poller then re-anchors.
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
        """The window of the poll at *now*; counts it."""
        self.polls += 1
        if now - (self.started if self.last_daily is None else self.last_daily) >= _DAILY_EVERY:
            self.last_daily = self.last_deep = now
            return DAILY
        if self.last_deep is None or now - self.last_deep >= _DEEP_EVERY:
            self.last_deep = now
            return DEEP
        return TENTH if self.polls % 10 == 0 else WINDOW


def since(cursor: str, quiet_seconds: float, window: timedelta) -> str:
    """Where a poll starts to read: naive, in the server's time zone, never later than the cursor."""
    moment = parse(cursor)
    return spell(min(moment, moment + timedelta(seconds=quiet_seconds) - window))


def parse(date: str) -> datetime:
    """A date as Patchwork prints it, naive; the beginning of time where it is none."""
    try:
        return datetime.fromisoformat(date).replace(tzinfo=None)
    except ValueError:
        return datetime.min  # noqa: DTZ901  # a naive date is what the server speaks


def spell(moment: datetime) -> str:
    """A naive date as Patchwork reads it."""
    return moment.isoformat()


def newest(dates: Iterable[str]) -> str | None:
    """The greatest of some dates by time, not by spelling; None for none."""
    return max(dates, key=parse, default=None)


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events by date, then id: the nearest to the order in which they happened. Each id once."""
    once = {event.id: event for event in events}
    return sorted(once.values(), key=lambda event: (parse(event.date), event.id))
