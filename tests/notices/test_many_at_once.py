"""When many series are one message, and how that is cut."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import NoticeKey, ProjectName, RoomId, SeriesId, ServerName
from bot.notices.card import ServerLinks
from bot.notices.catch_up import AbsenceCause, is_absence, who_was_away
from bot.notices.floods import (
    MAX_LISTED,
    AllServerLinks,
    Flood,
    FloodDecision,
    FloodEntry,
    ListContext,
    flood_decision,
    flood_notices,
    thread,
)
from bot.notices.markup import MAX_BODY_BYTES, MAX_HTML_BYTES
from bot.patchwork.model import Person, Series

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SERVER = ServerName("ozlabs")
HERE = ListContext(
    RoomId("!room:hs"), rings=False, sites=AllServerLinks({SERVER: ServerLinks("https://patchwork.example.org")})
)
LINE = NoticeKey("flood/1")


def a_flood(opened: datetime = NOW, last: datetime = NOW) -> Flood:
    return Flood(HERE.room, LINE, SERVER, opened, last)


def gathered(names: list[str], submitter: str = "Jane Doe") -> list[FloodEntry]:
    person = Person(submitter, "jane@example.org")
    return [
        FloodEntry(SERVER, number, Series(SeriesId(number), ProjectName("qemu-devel"), name, 1, person))
        for number, name in enumerate(names, start=1)
    ]


@pytest.mark.parametrize(
    ("limit", "wanted", "recent", "goes_on", "expected"),
    [
        (10, 10, 0, False, FloodDecision.CARDS),
        (10, 11, 0, False, FloodDecision.FLOOD),
        (10, 1, 10, False, FloodDecision.FLOOD),
        (10, 5, 5, False, FloodDecision.CARDS),
        (10, 1, 0, True, FloodDecision.FLOOD),
        (0, 5000, 5000, True, FloodDecision.CARDS),
    ],
)
def test_more_than_the_limit_is_a_flood(
    limit: int, wanted: int, recent: int, goes_on: bool, expected: FloodDecision
) -> None:
    assert flood_decision(limit, wanted, recent, a_flood() if goes_on else None) is expected


@pytest.mark.parametrize(
    ("quiet", "asked_since", "is_over"),
    [(59, True, False), (60, True, True), (60, False, False), (119, False, False), (120, False, True)],
)
def test_a_flood_is_over_after_a_minute_in_which_its_server_was_asked_else_after_two(
    quiet: int, asked_since: bool, is_over: bool
) -> None:
    polled_at = NOW + timedelta(seconds=quiet if asked_since else 0)

    assert a_flood().is_over(NOW + timedelta(seconds=quiet), polled_at) is is_over


def test_a_flood_that_does_not_end_is_cut_after_a_quarter_of_an_hour() -> None:
    late = NOW + timedelta(minutes=15)

    assert a_flood(last=late).is_over(late, late)
    assert not a_flood(last=late).is_over(late - timedelta(seconds=1), late)


def test_a_clock_that_was_set_back_makes_no_flood_endless() -> None:
    assert a_flood().is_over(NOW - timedelta(hours=1), None)


@given(names=st.lists(st.text(), min_size=1, max_size=60), submitter=st.text(max_size=300))
def test_a_thread_lists_everything_in_messages_that_fit(names: list[str], submitter: str) -> None:
    long = [(name * 200)[:255] for name in names]

    replies = [notice.message for notice in thread(LINE, gathered(long, submitter), HERE)]

    assert sum(reply.html.count("<li>") for reply in replies) == len(names)
    assert all(
        "more" not in reply.body.split("\n")[-1] for reply in replies if "more" not in "".join(names) + submitter
    )
    assert max(len(reply.body.encode()) for reply in replies) <= MAX_BODY_BYTES
    assert max(len(reply.html.encode()) for reply in replies) <= MAX_HTML_BYTES


def test_of_very_many_the_thread_lists_the_first_and_says_how_many_more() -> None:
    line, *replies = flood_notices(a_flood(), gathered([f"series {number}" for number in range(1_000)]), HERE)

    assert sum(reply.message.html.count("<li>") for reply in replies) == MAX_LISTED
    assert replies[-1].message.body.endswith("and 600 more")
    assert {reply.of for reply in replies} == {line.key}
    assert "The first 400 are listed in the thread" in line.message.body


def test_a_line_names_the_projects_and_the_busiest_submitters() -> None:
    several = [
        FloodEntry(SERVER, number, Series(SeriesId(number), ProjectName(project), "x", 1, Person(name, "a@b")))
        for number, (project, name) in enumerate(
            [("qemu", "A"), ("qemu", "A"), ("kvm", "B"), ("kvm", "C"), ("qemu", "D")]
        )
    ]

    line = flood_notices(a_flood(), several, HERE)[0].message

    assert line.body.split("\n")[:3] == ["5 series at once", "qemu 3, kvm 2", "from A 2, B 1, C 1 and 1 other"]
    assert (line.tag.server, line.tag.project) == (SERVER, None)


@pytest.mark.parametrize(
    ("minutes", "interval", "expected"),
    [(10, 60, False), (10.1, 60, True), (5, 1, False), (11, 120, False), (21, 120, True)],
)
def test_an_absence_is_longer_than_ten_minutes_and_ten_polls(minutes: float, interval: int, expected: bool) -> None:
    assert is_absence(NOW, NOW + timedelta(minutes=minutes), timedelta(seconds=interval)) is expected


def test_whoever_was_away_for_the_greater_part_is_named() -> None:
    hours = [NOW + timedelta(hours=number) for number in range(11)]

    assert who_was_away(hours[0], hours[10], None) is AbsenceCause.BOT
    assert who_was_away(hours[0], hours[10], hours[1]) is AbsenceCause.SERVER
    assert who_was_away(hours[0], hours[10], hours[9]) is AbsenceCause.BOT
