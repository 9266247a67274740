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
class Life:
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

    def changed(self, now: datetime, *, urgent: bool) -> "Life":
        """The same with a change seen *now*; what is marked already keeps its time."""
        edited = self.edited if self.edited is not None and self.edited <= now else None
        life = replace(self, touched=now, edited=edited)
        if urgent:
            return replace(life, urgent_since=_sooner(self.urgent_since, now))
        return replace(life, counts_since=_sooner(self.counts_since, now), counts_last=now)

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


def _sooner(marked: datetime | None, now: datetime) -> datetime:
    return now if marked is None else min(marked, now)
