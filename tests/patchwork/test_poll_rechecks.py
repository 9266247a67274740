"""On a server that raises no comment events, comments and trailers are looked for again, within a budget."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from bot.clock import VirtualClock
from bot.patchwork.model import Trailer, TrailerKind
from bot.patchwork.request_turns import REQUESTS_AN_HOUR
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.request import Response
from support.poll_rig import SERVER, Polling, Somebody, an_error, not_found, polling
from support.rig import PROJECT, a_series
from support.store_rig import ask

pytestmark = pytest.mark.slow

REY = Trailer(TrailerKind.REVIEWED, "rey@example.com")
REVIEWED = "Reviewed-by: Rey Viewer <rey@example.com>\n"
TO_TRAILERS = Somebody(to_comments=False)


@asynccontextmanager
async def polled(newest: str = "1.2", listening: Somebody | None = None) -> AsyncIterator[Polling]:
    """A poller of a server whose newest API is that."""
    clock = VirtualClock()
    versions = tuple(version for version in ("1.0", "1.1", "1.2", "1.3") if version <= newest)
    patchwork = SamplePatchwork(clock, api_versions=versions)
    patchwork.old_events = newest < "1.2"
    patchwork.add_project(PROJECT)
    async with polling(patchwork, clock, listening=listening or Somebody()) as watched:
        yield watched


async def hours(watched: Polling, number: float, *, every: float = 1 / 6) -> list[str]:
    """Let a *number* of hours pass, with a poll *every* so many; the comments and mboxes that were asked for."""
    watched.take_requests()
    await watched.poll(times=int(number / every), seconds=3600 * every)
    return looked_for(watched)


def looked_for(watched: Polling) -> list[str]:
    """The comments and mboxes that were asked for since the last time."""
    return [path for path in watched.take_requests() if path.endswith(("/comments/", "/mbox/"))]


async def trailers_of(watched: Polling, patch: int) -> frozenset[Trailer]:
    found = await ask(watched.store, lambda tx: tx.watch.patch(SERVER, patch))
    assert found is not None
    return found.trailers


def comments_heard(watched: Polling) -> list[int]:
    changes = [change for each in watched.changed for change in each.changes]
    return [change.comment.id for change in changes if change.comment is not None]


@pytest.mark.parametrize("newest", ["1.1", "1.2"])
async def test_trailers_cost_two_requests_a_recheck_on_the_widening_schedule(newest: str) -> None:
    async with polled(newest, TO_TRAILERS) as watched:
        posted = watched.post(patches=3)
        await watched.poll()
        early = [await hours(watched, each, every=0.5) for each in (1.5, 1, 2, 4, 8)]
        daily = [await hours(watched, 24, every=6) for _ in range(29)]
        afterwards = await hours(watched, 5 * 24, every=6)

    once = [f"/covers/{posted.cover}/comments/", f"/series/{posted.series}/mbox/"]
    assert [sorted(paths) for paths in (*early, *daily)] == [once] * 34
    assert afterwards == []


@pytest.mark.parametrize("newest", ["1.1", "1.2"])
async def test_a_trailer_by_mail_is_found_and_begins_the_schedule_anew(newest: str) -> None:
    async with polled(newest, TO_TRAILERS) as watched:
        posted = watched.post(patches=2)
        await watched.poll()
        await hours(watched, 20)
        watched.patchwork.add_comment(posted.patches[1], REVIEWED)

        await hours(watched, 24)
        anew = await hours(watched, 1)

        assert await trailers_of(watched, posted.patches[1]) == {REY}
        assert await trailers_of(watched, posted.patches[0]) == frozenset()
    assert watched.changes == [("trailers", posted.patches[1], "", "A0 R1 T0")]
    assert len(anew) in {0, 2}


async def test_nothing_is_looked_for_where_events_tell_of_comments_or_nobody_sees_any() -> None:
    for newest, somebody in (("1.3", Somebody()), ("1.2", Somebody(to_trailers=False, to_comments=False))):
        async with polled(newest, somebody) as watched:
            watched.post(patches=2)
            await watched.poll()

            assert await hours(watched, 40) == []


async def test_a_new_comment_is_heard_once_and_its_trailer_counts() -> None:
    async with polled() as watched:
        posted = watched.post(patches=2)
        await watched.poll()
        assert posted.cover is not None
        first = watched.patchwork.add_comment(posted.patches[0], "Hm.\n")
        await hours(watched, 3)
        second = watched.patchwork.add_cover_comment(posted.cover, REVIEWED)
        await hours(watched, 30)
        series = await ask(watched.store, lambda tx: tx.watch.series(SERVER, posted.series))

        assert comments_heard(watched) == [first, second]
        assert series is not None
        assert series.trailers == {REY}


async def test_a_series_whose_comments_bring_nothing_new_costs_one_request_a_mail() -> None:
    async with polled() as watched:
        posted = watched.post(patches=2)
        await watched.poll()
        await hours(watched, 1.5)

        again = await hours(watched, 1)

    of_mails = [f"/covers/{posted.cover}/comments/", *(f"/patches/{each}/comments/" for each in posted.patches)]
    assert sorted(again) == of_mails


async def test_comments_older_than_the_first_reading_of_a_series_are_no_news() -> None:
    async with polled() as watched:
        [patch] = watched.post().patches
        watched.patchwork.add_comment(patch, REVIEWED)
        await watched.poll()

        await hours(watched, 3)

        assert comments_heard(watched) == []
        assert await trailers_of(watched, patch) == {REY}


async def test_who_comes_to_hear_comments_later_hears_no_old_ones() -> None:
    somebody = Somebody(to_trailers=False, to_comments=False)
    async with polled(listening=somebody) as watched:
        [patch] = watched.post().patches
        await watched.poll()
        watched.patchwork.add_comment(patch, "Old.\n")
        await hours(watched, 12)
        somebody.to_comments = True
        new = watched.patchwork.add_comment(patch, "New.\n")

        await hours(watched, 6)

        assert comments_heard(watched) == [new]


async def test_a_lone_patch_is_looked_at_too() -> None:
    async with polled() as watched:
        pull = watched.patchwork.post_pull_request(PROJECT, "Pull", "https://git.example.org/x.git")
        await watched.poll(times=40)
        comment = watched.patchwork.add_comment(pull, REVIEWED)

        await hours(watched, 3)

        assert comments_heard(watched) == [comment]
        assert await trailers_of(watched, pull) == {REY}


@pytest.mark.parametrize("closed", ["accepted", "rejected", "superseded", "archived"])
async def test_what_is_decided_is_looked_at_no_more_until_it_is_open_again(closed: str) -> None:
    async with polled(listening=TO_TRAILERS) as watched:
        [patch] = watched.post().patches
        await watched.poll()
        if closed == "archived":
            watched.patchwork.edit_patch(patch, archived=True)
        else:
            watched.patchwork.set_state(patch, closed)
        assert await hours(watched, 30) == []

        if closed == "archived":
            watched.patchwork.edit_patch(patch, archived=False)
        else:
            watched.patchwork.set_state(patch, "under-review")
        assert set(await hours(watched, 2)) == {"/series/1/mbox/"}


async def test_one_submission_that_cannot_be_read_costs_itself_only() -> None:
    async with polled() as watched:
        lost, found = (watched.post().patches[0] for _ in range(2))
        await watched.poll()
        watched.patchwork.fault = lambda path: an_error() if path.endswith(f"patches/{lost}/comments/") else None
        first = watched.patchwork.add_comment(found, REVIEWED)
        later = watched.patchwork.add_comment(lost, REVIEWED)
        await hours(watched, 4)
        assert (comments_heard(watched), watched.open_incidents) == (
            [first],
            [f"comments on patch {lost} of sample"],
        )
        watched.patchwork.fault = lambda _: None
        await hours(watched, 2)

        assert comments_heard(watched) == [first, later]
        assert watched.open_incidents == []


async def test_a_patch_that_is_gone_is_let_go() -> None:
    async with polled() as watched:
        [patch] = watched.post().patches
        await watched.poll()
        watched.patchwork.fault = lambda path: not_found("Patch") if f"patches/{patch}/" in path else None

        await hours(watched, 1.5)

        assert watched.open_incidents == []
        assert await watched.pending() == ()


async def test_a_server_that_wants_patience_is_not_asked_for_the_others() -> None:
    async with polled(listening=TO_TRAILERS) as watched:
        for _ in range(5):
            watched.post()
        await watched.poll()
        busy = an_error(429, retry_after="600")
        watched.patchwork.fault = lambda path: busy if path.endswith("/mbox/") else None
        await watched.poll(seconds=3600)

        assert len(looked_for(watched)) <= 2
        assert watched.polls[-1].wait == timedelta(seconds=600)


async def test_no_hour_sees_more_requests_than_the_budget_and_three_in_four_are_of_the_newest_series() -> None:
    async with polled(listening=TO_TRAILERS) as watched:
        posted = [watched.post(patches=2, name=f"Series {number}") for number in range(50)]
        await watched.poll()

        asked = [await hours(watched, 1 / 6) for _ in range(24)]

    counts = [len(paths) for paths in asked]
    assert max(sum(counts[start : start + 6]) for start in range(len(counts))) == REQUESTS_AN_HOUR
    mboxes = [int(path.split("/")[2]) for paths in asked for path in paths if path.endswith("/mbox/")]
    newest = [each.series for each in reversed(posted)]
    assert set(mboxes[:20]) == {*newest[:15], *newest[-5:]}


async def test_a_series_that_costs_more_than_an_hours_budget_is_read_over_several_hours() -> None:
    async with polled() as watched:
        large = watched.patchwork.post_series(PROJECT, a_series("a.c", patches=130))
        await watched.poll()
        comment = watched.patchwork.add_comment(large.patches[-1], REVIEWED)

        asked = [len(await hours(watched, 1)) for _ in range(5)]

        assert max(asked) == REQUESTS_AN_HOUR
        assert comments_heard(watched) == [comment]
        assert await trailers_of(watched, large.patches[-1]) == {REY}


async def test_where_there_is_no_mbox_the_patches_are_read_one_by_one_within_the_budget() -> None:
    async with polled(listening=TO_TRAILERS) as watched:
        large = watched.patchwork.post_series(PROJECT, a_series("a.c", patches=80))
        await watched.poll()
        wall = Response(403, {"content-type": "text/html"}, b"<html>")
        watched.patchwork.fault = lambda path: wall if path.endswith("/mbox/") else None
        watched.patchwork.add_comment(large.patches[-1], REVIEWED)

        asked = [len(await hours(watched, 1)) for _ in range(4)]

        assert max(asked) == REQUESTS_AN_HOUR
        assert await trailers_of(watched, large.patches[-1]) == {REY}


async def test_the_budget_is_held_over_a_restart() -> None:
    async with polled(listening=TO_TRAILERS) as watched:
        for number in range(50):
            watched.post(name=f"Series {number}", patches=2)
        await watched.poll()
        watched.take_requests()
        await watched.poll(seconds=3600)
        before = looked_for(watched)

        watched.restart()
        await watched.poll(times=50)
        after = looked_for(watched)

    assert len(before) >= 40
    assert len(before) + len(after) == REQUESTS_AN_HOUR


async def test_a_clock_that_was_set_back_makes_nothing_due_more_often_than_each_hour() -> None:
    async with polled(listening=TO_TRAILERS) as watched:
        watched.post()
        await watched.poll()
        watched.clock.set_back(timedelta(days=9))

        assert len(await hours(watched, 3)) in {3, 4}


async def test_a_poll_in_which_nothing_is_due_writes_nothing_of_rechecks() -> None:
    async with polled() as watched:
        watched.post()
        await watched.poll(times=3)

        await watched.poll(times=30)

    assert {poll.followed.rechecks for poll in watched.polls[-30:]} == {watched.polls[-1].followed.rechecks}
    assert watched.polls[-1].followed.rechecks is not None
    assert watched.polls[-1].followed.rechecks.begun == ()
    assert watched.polls[-1].followed.rechecks.requests == 0
