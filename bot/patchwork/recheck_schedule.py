"""Schedule of comment rechecks on a server that raises no comment events (API below 1.3).

Comments come soon after a submission or a change of it, or late: a recheck is due 1, 2, 4, 8 and 16 hours after the
last change, then daily, for 30 days. Any change restarts the schedule. Pure; times are UTC.
"""

from datetime import datetime, timedelta
from typing import Final

FIRST: Final = tuple(timedelta(hours=hours) for hours in (1, 2, 4, 8, 16))
LATER: Final = timedelta(days=1)
LASTS: Final = timedelta(days=30)


def next_recheck(changed_at: datetime, checked_at: datetime) -> datetime | None:
    """Return the time of the next recheck after *checked_at* of what changed at *changed_at*; None after the last."""
    since = checked_at - changed_at
    for after in FIRST:
        if after > since:
            return changed_at + after
    days = (since - FIRST[-1]) // LATER + 1
    after = FIRST[-1] + days * LATER
    return changed_at + after if after <= LASTS else None


def is_over(changed_at: datetime, now: datetime) -> bool:
    """Return whether a submission that last changed at *changed_at* needs no more rechecks."""
    return now - changed_at > LASTS
