"""When digests are due: one on each day that was asked for, whatever the clocks of the zone do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.query.options import DigestTimes, read_digest
from bot.subscriptions.digest_schedule import next_due, zone_named
from support.query_trees import DIGESTS

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # put forward at midnight, until 2018
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Apia",  # had no 30 December 2011
    "Asia/Kathmandu",
    "Africa/Casablanca",  # puts its clocks back for Ramadan
    "America/Nuuk",
    "Antarctica/Troll",  # by two hours
]
DAILY = frozenset(range(7))


def due_times(digest: DigestTimes, zone: str, after: datetime, until: datetime) -> list[datetime]:
    found = [next_due(digest, ZoneInfo(zone), after)]
    while found[-1] < until:
        found.append(next_due(digest, ZoneInfo(zone), found[-1]))
    return found[:-1]


def local(text: str, zone: str, after: str) -> str:
    """When the digest is next due after a local time, on the clock of the zone, with its offset."""
    begin = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    return next_due(read_digest(text), ZoneInfo(zone), begin.astimezone(UTC)).astimezone(ZoneInfo(zone)).isoformat()


@given(
    digest=DIGESTS,
    zone=st.sampled_from(ZONES),
    after=st.datetimes(datetime(2005, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # the zone is beside it
)
def test_a_digest_is_due_once_on_each_of_its_days(digest: DigestTimes, zone: str, after: datetime) -> None:
    there = ZoneInfo(zone)
    until = after + timedelta(days=40)

    found = due_times(digest, zone, after, until)

    assert all(one < other for one, other in pairwise([after, *found]))
    days = [moment.astimezone(there).date() for moment in found]
    inside = [after.astimezone(there).date() + timedelta(days=number) for number in range(1, 39)]
    expected = [day for day in inside if day.weekday() in digest.days and exists(day, there)]
    assert [day for day in days if day in inside] == expected
    assert len(set(days)) == len(days)


@given(
    digest=DIGESTS,
    zone=st.sampled_from(ZONES),
    after=st.datetimes(datetime(2005, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # the same
)
def test_a_digest_is_due_at_its_time_or_when_the_clock_goes_on(digest: DigestTimes, zone: str, after: datetime) -> None:
    moment = next_due(digest, ZoneInfo(zone), after).astimezone(ZoneInfo(zone))

    if (moment.hour, moment.minute) == (digest.hour, digest.minute):
        assert moment.fold == 0
    else:
        before = (moment.astimezone(UTC) - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
        assert before.utcoffset() != moment.utcoffset()
        assert (before.hour, before.minute) < (digest.hour, digest.minute) < (moment.hour, moment.minute) or (
            before.date() < moment.date()
        )


def exists(day: date, zone: ZoneInfo) -> bool:
    """Whether *zone* has any of *day* (only where a zone crosses the date line, it has not)."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return noon.astimezone(UTC).astimezone(zone).date() == day


@pytest.mark.parametrize(
    ("text", "zone", "after", "due"),
    [
        ("Mon-Fri 09:00", "Europe/Berlin", "2026-11-27T08:59:59", "2026-11-27T09:00:00+01:00"),
        ("Mon-Fri 09:00", "Europe/Berlin", "2026-11-27T09:00:00", "2026-11-30T09:00:00+01:00"),
        ("daily 02:30", "Europe/Berlin", "2026-03-28T03:00:00", "2026-03-29T03:00:00+02:00"),  # there is no 02:30
        ("daily 02:30", "Europe/Berlin", "2026-10-24T03:00:00", "2026-10-25T02:30:00+02:00"),  # there are two
        ("daily 02:30", "Europe/Berlin", "2026-10-25T02:30:00", "2026-10-26T02:30:00+01:00"),
        ("daily 02:15", "Australia/Lord_Howe", "2026-10-03T12:00:00", "2026-10-04T02:30:00+11:00"),
        ("daily 01:45", "Australia/Lord_Howe", "2026-04-04T12:00:00", "2026-04-05T01:45:00+11:00"),
        ("daily 00:30", "America/Sao_Paulo", "2018-11-03T12:00:00", "2018-11-04T01:00:00-02:00"),
        ("Fri 12:00", "Pacific/Apia", "2011-12-29T12:00:00", "2012-01-06T12:00:00+14:00"),
        ("daily 12:00", "Pacific/Apia", "2011-12-29T12:00:00", "2011-12-31T12:00:00+14:00"),
        ("Mon 09:00", "Asia/Kathmandu", "2026-11-30T08:00:00", "2026-11-30T09:00:00+05:45"),
    ],
)
def test_a_digest_is_due_by_the_clock_of_its_zone(text: str, zone: str, after: str, due: str) -> None:
    assert local(text, zone, after) == due


def test_every_moment_of_the_second_hour_that_comes_twice_leads_to_the_next_day() -> None:
    digest, berlin = DigestTimes(DAILY, 2, 30), ZoneInfo("Europe/Berlin")
    second = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=berlin).astimezone(UTC)

    found = next_due(digest, berlin, second - timedelta(seconds=1)).astimezone(berlin)

    assert found.isoformat() == "2026-10-26T02:30:00+01:00"


def test_a_zone_that_nobody_knows_any_more_is_utc() -> None:
    assert [str(zone_named(name)) for name in (None, "Mars/Olympus", "../etc", "Asia/Tokyo")] == [
        "UTC",
        "UTC",
        "UTC",
        "Asia/Tokyo",
    ]
