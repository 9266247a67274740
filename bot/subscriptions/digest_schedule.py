"""Due times of digests: wall-clock times of a time zone, as moments in UTC.

A time skipped when the clock is put forward is due at the end of the gap; a time repeated when it is put back is due
the first time. A zone that crosses the date line may skip a day, which then has no digest.
"""

from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from bot.query.options import DigestTimes

_DAY = timedelta(days=1)
_UTC = "UTC"


def zone_named(name: str | None) -> ZoneInfo:
    """Return the zone of that name; UTC if it is None or unknown."""
    try:
        return ZoneInfo(name or _UTC)
    except (LookupError, ValueError):
        return ZoneInfo(_UTC)


def next_due(digest: DigestTimes, zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first moment (UTC) strictly after *after* at which *digest* is due in *zone*."""
    first = after.astimezone(zone).date() - _DAY
    days = (first + number * _DAY for number in count())
    moments = (_moment(day, digest, zone) for day in days if day.weekday() in digest.days)
    return next(moment for moment in moments if moment is not None and moment > after)


def _moment(day: date, digest: DigestTimes, zone: ZoneInfo) -> datetime | None:
    """Return the digest's time on *day* (UTC); None if the zone skips that day."""
    wanted = datetime.combine(day, time(digest.hour, digest.minute), zone)
    moment = wanted.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wanted.replace(tzinfo=None):
        return moment
    moment = _end_of_gap(wanted.replace(fold=1).astimezone(UTC), moment, zone)
    return moment if moment.astimezone(zone).date() == day else None


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the second between *before* and *after* (UTC) in which the clock of *zone* is put forward."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
