"""When comments are looked for again on a server that raises no comment events (API below 1.3).

Comments come soon after a submission or a change of it, or late: a recheck is due 1, 2, 4, 8 and 16 hours after the
last change, then daily, for 30 days. Any change begins the schedule anew. Pure; times are UTC.
"""

from datetime import datetime, timedelta
from typing import Final

FIRST: Final = tuple(timedelta(hours=hours) for hours in (1, 2, 4, 8, 16))
LATER: Final = timedelta(days=1)
LASTS: Final = timedelta(days=30)


def raises_comment_events(version: str) -> bool:
    """Whether a server that speaks a *version* of the API tells of comments by events."""
    return version >= "1.3"


def next_recheck(changed_at: datetime, checked_at: datetime) -> datetime | None:
    """Return the first recheck after *checked_at* of a submission that last changed at *changed_at*; None: no more.

    Rechecks that were missed are made up for by one.
    """
    since = checked_at - changed_at
    for after in FIRST:
        if after > since:
            return changed_at + after
    days = (since - FIRST[-1]) // LATER + 1
    after = FIRST[-1] + days * LATER
    return changed_at + after if after <= LASTS else None


def is_over(changed_at: datetime, now: datetime) -> bool:
    """Whether a submission that last changed at *changed_at* is looked at no more."""
    return now - changed_at > LASTS
