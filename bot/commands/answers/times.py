"""Writes times as the people of a room read them: in its time zone, near days by name. Pure.

An answer is read when it is written, so it may say "today"; what is posted by itself, and edited later, may not.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_NEAR = {-1: "yesterday ", 0: "today ", 1: "tomorrow "}


def local(time: datetime, now: datetime, zone: ZoneInfo, *, with_zone: bool = True) -> str:
    """Return a moment in *zone*: "today 19:02 (Europe/Berlin)", "Wed 2026-12-02 09:00 (UTC)"."""
    there = time.astimezone(zone)
    days = (there.date() - now.astimezone(zone).date()) // _DAY
    day = _NEAR.get(days, f"{there:%a %Y-%m-%d} ")
    return f"{day}{there:%H:%M}" + (f" ({zone})" if with_zone else "")
