"""Several projects of a server: unknown ones, later ones, ones that fail, and a server that is rebuilt."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.app import Bot
from bot.clock import VirtualClock
from bot.errors import Temporary
from bot.patchwork.responses import InvalidResponse
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.request import Response
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import Polling, Somebody, a_patchwork, an_error, not_found, polling
from support.rig import Rig, a_series

pytestmark = pytest.mark.slow

HOUR_OF_POLLS = 61


async def test_an_unknown_project_is_named_and_the_others_are_watched() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one", "two")

    async with polling(patchwork, clock, projects=("one", "nosuch", "two")) as watched:
        posted = [watched.post(project=project).series for project in ("one", "two")]
        await watched.poll(times=5)

    assert watched.series == posted
    assert watched.problems == {"nosuch": "https://patchwork.example.org has no project nosuch"}
    assert watched.take_requests().count("/projects/nosuch/") == 2


async def test_a_project_that_appears_later_is_found_within_the_hour_with_a_baseline_of_its_own() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one")

    async with polling(patchwork, clock, projects=("one", "late")) as watched:
        patchwork.add_project("late")
        watched.post(project="late")
        await watched.poll(times=HOUR_OF_POLLS)
        posted = watched.post(project="late")
        await watched.poll(times=2)

    assert watched.series == [posted.series]
    assert watched.poller.problems == {}


async def test_a_project_that_vanishes_while_it_is_watched_does_not_silence_the_others() -> None:
    """An unknown project empties the answer about all of them."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one", "two")

    async with polling(patchwork, clock, projects=("one", "two")) as watched:
        watched.post(project="two")
        await watched.poll(times=5)
        gone = patchwork._tables.projects.rows[2]
        patchwork._tables.projects.remove(2)
        posted = watched.post(project="one")
        await watched.poll(times=3)
        problems = dict(watched.poller.problems)
        patchwork._tables.projects.put(gone)
        back = watched.post(project="two")
        await watched.poll(times=HOUR_OF_POLLS)

    assert watched.series == [1, posted.series, back.series]
    assert list(problems) == ["two"]
    assert watched.poller.problems == {}


async def test_a_project_without_any_event_that_vanishes_is_missed_within_minutes() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one")

    async with polling(patchwork, clock, projects=("one",)) as watched:
        await watched.poll(times=3)
        patchwork._tables.projects.remove(1)
        polls = await watched.poll(times=11)

    assert list(watched.problems) == ["one"]
    assert not polls[-1].polled


@pytest.mark.parametrize("restarts", [False, True])
async def test_what_came_while_a_project_was_not_there_is_found_when_it_comes_back(restarts: bool) -> None:
    """Also what only events tell, though other projects moved the cursor on."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one", "two")

    async with polling(patchwork, clock, projects=("one", "two"), listening=Somebody()) as watched:
        known = watched.post(project="two")
        await watched.poll(times=5)
        gone = patchwork._tables.projects.rows[2]
        patchwork._tables.projects.remove(2)
        await watched.poll(times=2)
        patchwork._tables.projects.put(gone)
        comment = patchwork.add_comment(known.patches[0], "Fine.\n")
        patchwork.set_state(known.patches[0], "accepted")
        patchwork._tables.projects.remove(2)
        for _ in range(12):
            watched.post(project="one")
            await watched.poll(seconds=3 * 3600.0)
        if restarts:
            watched.restart()
        patchwork._tables.projects.put(gone)
        await watched.poll(times=20)
        told = {(kind, after) for kind, _, _, after in watched.changes}
        events = set(watched.events)

    assert {("comment", str(comment)), ("state", "accepted")} <= told
    assert events == {event.id for event in patchwork.rows.events}
    assert watched.problems == {}


async def test_a_project_that_is_not_there_is_asked_for_again_within_minutes() -> None:
    clock = VirtualClock()

    async with polling(a_patchwork(clock, "one"), clock, projects=("one", "late")) as watched:
        asked: list[int] = []
        for minute in range(1, 50):
            await watched.poll()
            asked += [minute] * watched.take_requests().count("/projects/late/")

    assert asked == [1, 3, 7, 15, 30, 45]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (an_error(403), "does not show the project two: HTTP 403"),
        (
            Response(302, {"location": "https://elsewhere/"}, b""),
            "does not show the project two: redirects to https://els",
        ),
        (
            Response(200, {"content-type": "text/html"}, b"<html>"),
            "does not show the project two: HTTP 200 with a login p",
        ),
        (an_error(404), "does not show the project two: HTTP 404 (text/html), not from Patchwork itself"),
        (an_error(502), "does not show the project two: HTTP 502"),
        (Response(200, {"content-type": "application/json"}, b"{}"), "does not show the project two: not ProjectRow"),
        (not_found("Project"), "has no project two"),
    ],
)
async def test_a_project_behind_a_wall_is_not_said_to_be_none_and_holds_up_no_other(
    answer: Response, said: str
) -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one", "two")
    patchwork.fault = lambda path: answer if path.endswith("/projects/two/") else None

    async with polling(patchwork, clock, projects=("one", "two")) as watched:
        posted = watched.post(project="one")
        await watched.poll()
        problems = watched.problems
        patchwork.fault = lambda _: None
        await watched.poll(times=3)
        back = watched.post(project="two")
        await watched.poll()

    assert problems["two"].startswith(f"https://patchwork.example.org {said}")
    assert watched.series == [posted.series, back.series]
    assert watched.problems == {}


@pytest.mark.parametrize("ending", ["/patches/", "/series/"])
async def test_a_project_whose_past_cannot_be_read_holds_up_no_other(ending: str) -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one", "two")
    patchwork.fault = lambda path: (
        an_error(403) if path.endswith(ending) and "project=two" in patchwork.requests[-1][2] else None
    )

    async with polling(patchwork, clock, projects=("one", "two")) as watched:
        posted = watched.post(project="one")
        await watched.poll()

    assert watched.series == [posted.series]
    assert list(watched.problems) == ["two"]


async def test_a_project_added_to_the_configuration_gets_a_baseline_of_its_own() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one", "two")

    async with polling(patchwork, clock, projects=("one",)) as watched:
        watched.post(project="one")
        watched.post(project="two")
        await watched.poll(times=3)
        watched.restart(projects=("one", "two"))
        await watched.poll_now()
        posted = [watched.post(project=project).series for project in ("two", "one")]
        await watched.poll(times=40)

    assert watched.series == [1, *posted]


async def test_a_project_named_by_its_number_is_told_its_name() -> None:
    clock = VirtualClock()

    async with polling(a_patchwork(clock, "one"), clock, projects=("1",)) as watched:
        await watched.poll(times=3)

        assert watched.problems == {"1": "https://patchwork.example.org calls the project 1 one; configure that name"}
        assert set(watched.take_requests()) == {"/projects/1/"}


async def test_a_project_whose_case_changes_is_still_watched() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one")

    async with polling(patchwork, clock, projects=("one",)) as watched:
        patchwork._tables.projects.put(replace(patchwork._tables.projects.rows[1], link_name="One"))
        posted = watched.post(project="One")
        await watched.poll(times=2)

    assert watched.series == [posted.series]


# Failing


def fail_joint_questions(patchwork: SamplePatchwork) -> None:
    """Answer 502 to events of more than one project; the request at hand is the last one noted."""
    patchwork.fault = lambda _: an_error() if patchwork.requests[-1][2].count("project=") > 1 else None


async def _poll_through(watched: Polling, times: int) -> None:
    for _ in range(times):
        try:
            await watched.poll()
        except Temporary:
            continue


async def test_after_three_failures_each_project_is_asked_for_by_itself_until_it_works_again() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one", "two")

    async with polling(patchwork, clock, projects=("one", "two")) as watched:
        fail_joint_questions(patchwork)
        posted = [watched.post(project=project).series for project in ("one", "two")]
        await _poll_through(watched, 2)
        early = list(watched.series)
        await _poll_through(watched, 1)
        split = list(watched.series)
        patchwork.fault = lambda _: None
        await watched.poll(times=2)
        watched.take_requests()
        await watched.poll(times=5)

        assert (early, split) == ([], posted)
        assert watched.take_requests() == ["/events/"] * 5


async def test_while_the_joint_question_keeps_failing_the_polls_succeed() -> None:
    """It is tried again more and more rarely."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one", "two")

    async with polling(patchwork, clock, projects=("one", "two")) as watched:
        fail_joint_questions(patchwork)
        await _poll_through(watched, 3)
        patchwork.requests.clear()
        await watched.poll(times=25)
        joint = sum(query.count("project=") > 1 for _, path, query in patchwork.requests if path.endswith("/events/"))
        posted = watched.post(project="two")
        await watched.poll(times=1)

    assert joint == 4
    assert watched.series == [posted.series]


async def test_a_project_that_fails_stops_no_other_and_loses_nothing() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one", "two")

    async with polling(patchwork, clock, projects=("one", "two")) as watched:
        patchwork.fault = lambda _: an_error() if "project=two" in patchwork.requests[-1][2] else None
        lost = watched.post(project="two")
        kept = watched.post(project="one")
        await _poll_through(watched, 20)
        meanwhile = list(watched.series)
        patchwork.fault = lambda _: None
        await watched.poll(times=20)
        rebuilt = any(poll.rebuilt for poll in watched.polls)

    assert meanwhile == [kept.series]
    assert watched.series == [kept.series, lost.series]
    assert not rebuilt


async def test_a_cut_reading_of_one_project_does_not_move_the_cursor_past_what_it_left() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, "one", "two")

    async with polling(patchwork, clock, projects=("one", "two")) as watched:
        fail_joint_questions(patchwork)
        await _poll_through(watched, 3)
        past = {event.id for event in patchwork.rows.events}
        for _ in range(26):
            watched.post(project="one", patches=99)
            clock.advance(600)
        watched.post(project="two")
        await watched.poll(times=2)
        events = {event.id for event in patchwork.rows.events} - past

    assert set(watched.events) == events


# A rebuilt server


@pytest.mark.parametrize("seen_before", [0, 9])
async def test_ids_that_fall_back_while_the_bot_runs_make_a_new_baseline(seen_before: int) -> None:
    """Whether the old ids were seen or lie below the baseline."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    for _ in range(10 - seen_before):
        patchwork.post_series("qemu-devel", a_series("a.c"))

    async with polling(patchwork, clock) as watched:
        for _ in range(seen_before):
            watched.post()
        await watched.poll(times=3)
        fresh = a_patchwork(clock)
        watched.transport = SampleTransport(fresh)
        watched.patchwork = fresh
        watched.restart()
        fresh.post_series("qemu-devel", a_series("old.c"))
        await watched.poll(times=2)
        before = len(watched.series)
        posted = watched.post("new.c")
        await watched.poll(times=2)

    assert sum(poll.rebuilt for poll in watched.polls) == 1
    assert watched.series[before:] == [posted.series]


async def test_an_empty_rebuilt_server_is_known_by_its_first_events() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        for _ in range(5):
            watched.post()
        await watched.poll(times=3)
        fresh = a_patchwork(clock)
        watched.transport, watched.patchwork = SampleTransport(fresh), fresh
        watched.restart()
        await watched.poll(times=3)
        watched.post()
        await watched.poll(times=2)
        posted = watched.post()
        await watched.poll(times=2)

    assert sum(poll.rebuilt for poll in watched.polls) == 1
    assert watched.series == [1, 2, 3, 4, 5, posted.series]


# Backing off


async def _tick(rig: Rig, bot: Bot, times: int) -> None:
    for _ in range(times):
        rig.clock.advance(rig.poll_seconds)
        await bot.watches[0][0].tick()


async def test_a_failing_server_is_left_alone_longer_and_longer(tmp_path: Path) -> None:
    rig = Rig(tmp_path, poll_seconds=1)
    async with rig.running() as bot:
        await bot.settle()
        rig.patchwork.fault = lambda _: an_error()
        rig.patchwork.requests.clear()

        await _tick(rig, bot, times=600)

    assert 6 <= len(rig.patchwork.requests) <= 13


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("120", 120), ("Thu, 01 Jan 2026 00:10:00 GMT", 600), ("a while", 2), ("-5", 2)],
)
async def test_a_server_that_says_when_is_asked_then(tmp_path: Path, retry_after: str, seconds: int) -> None:
    """A date is reckoned from the answer's own Date."""
    rig = Rig(tmp_path, poll_seconds=1)
    async with rig.running() as bot:
        await bot.settle()
        rig.patchwork.fault = lambda _: an_error(503, retry_after)
        await rig.poll(bot)
        rig.patchwork.fault = lambda _: None
        rig.patchwork.requests.clear()

        await _tick(rig, bot, times=seconds - 1)
        early = len(rig.patchwork.requests)
        await _tick(rig, bot, times=2)

    assert early <= (seconds == 2)
    assert rig.patchwork.requests


async def test_a_server_that_refuses_is_no_end_of_the_watch() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        patchwork.fault = lambda _: an_error(403)
        with pytest.raises(InvalidResponse):
            await watched.poll()
        patchwork.fault = lambda _: None
        posted = watched.post()
        await watched.poll()

    assert watched.series == [posted.series]
