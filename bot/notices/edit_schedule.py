"""The schedule of card edits.

Theory of operation. A change that a card does not show yet marks the card, in the transaction that found the change; an
edit shows everything known by then, and clears all marks. An urgent change (a state, a delegate, the worst check) is
shown `GATHERING` after it was seen, so that a burst spread over two polls becomes one edit, but not within `APART` of
the edit before. Other changes (trailers, comments, names) are shown after `QUIET` without another one, and at most
`LONGEST` after the first. A card without changes for `FREEZES_AFTER` is no longer edited. All times are UTC, by our own
clock, which may be set back: a card whose last change is in the future is edited at once.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

GATHERING = timedelta(seconds=3)
APART = timedelta(minutes=1)
QUIET = timedelta(minutes=10)
LONGEST = timedelta(minutes=60)
FREEZES_AFTER = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class EditSchedule:
    """The history of a card: when it was *posted*, last *touched* by a change, and last *edited*.

    The other times are those of changes that it does not show yet; None if there are none.
    """

    posted: datetime
    touched: datetime | None = None
    edited: datetime | None = None
    urgent_since: datetime | None = None
    counts_since: datetime | None = None
    counts_last: datetime | None = None

    def is_frozen(self, now: datetime) -> bool:
        """Return whether the card is no longer edited, because nothing changed for `FREEZES_AFTER`."""
        return now - (self.touched or self.posted) > FREEZES_AFTER

    def changed(self, now: datetime, *, urgent: bool) -> "EditSchedule":
        """Return the schedule with a change seen *now*; existing marks keep their times, unless these are to come."""
        return replace(
            self,
            touched=now,
            edited=None if self.edited is None or self.edited > now else self.edited,
            urgent_since=_first(self.urgent_since, now, is_marked=urgent),
            counts_since=_first(self.counts_since, now, is_marked=not urgent),
            counts_last=_first(self.counts_last, now, is_marked=False) if urgent else now,
        )

    @property
    def due(self) -> datetime | None:
        """The time of the next edit (UTC); None if the card shows everything."""
        moments = []
        if self.urgent_since is not None:
            moments.append(self.urgent_since + GATHERING)
        if self.counts_since is not None and self.counts_last is not None:
            moments.append(min(self.counts_last + QUIET, self.counts_since + LONGEST))
        if not moments:
            return None
        return min(moments) if self.edited is None else max(min(moments), self.edited + APART)


def _first(before: datetime | None, now: datetime, *, is_marked: bool) -> datetime | None:
    """Return the time of the first mark: *before*, or *now* if the mark is new."""
    if before is None:
        return now if is_marked else None
    return min(before, now)
