"""When a card is edited.

Theory of operation. A change that a card does not show yet marks it, in the transaction that found the change; an edit
shows everything that is known by then, and so clears all marks. An urgent change (a state, a delegate, the worst check)
is shown `GATHERING` after it was seen, so that a burst spread over two polls is one edit, though no sooner than `APART`
after the edit before. Whatever else changed (trailers, comments, names) is shown when nothing more of it came for
`QUIET`, and `LONGEST` after the first at the latest. A card that nothing happened to for `FREEZES_AFTER` is left as it
is. All times are UTC, by our own clock, which may be set back: a card whose last
change is still to come is edited at once.
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
    """What happened to a card: when it was *posted*, last *touched* by a change, and last *edited*.

    The other moments are those of changes that it does not show yet; None where there is none.
    """

    posted: datetime
    touched: datetime | None = None
    edited: datetime | None = None
    urgent_since: datetime | None = None
    counts_since: datetime | None = None
    counts_last: datetime | None = None

    def is_frozen(self, now: datetime) -> bool:
        """Whether nothing happened to it for so long that it is edited no more."""
        return now - (self.touched or self.posted) > FREEZES_AFTER

    def changed(self, now: datetime, *, urgent: bool) -> "EditSchedule":
        """The same with a change seen *now*; what is marked already keeps its time, unless that is still to come."""
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
        """When to edit it, at once where the last change is still to come; None where it shows everything."""
        moments = []
        if self.urgent_since is not None:
            moments.append(self.urgent_since + GATHERING)
        if self.counts_since is not None and self.counts_last is not None:
            moments.append(min(self.counts_last + QUIET, self.counts_since + LONGEST))
        if not moments:
            return None
        return min(moments) if self.edited is None else max(min(moments), self.edited + APART)


def _first(before: datetime | None, now: datetime, *, is_marked: bool) -> datetime | None:
    """Since when there is a mark: *before*, or *now* where it is made now."""
    if before is None:
        return now if is_marked else None
    return min(before, now)
