"""Only the object itself, or its server's own "not found" said twice, ends the wait for it."""

import json
from datetime import timedelta

import pytest

from bot.clock import VirtualClock
from bot.patchwork.api import MAX_FAILED_PAGES
from bot.patchwork.client import AT_ONCE
from bot.poll import PendingKind
from bot.polling.pending import MAX_FAILED_OBJECTS, MAX_FAILED_RETRIES
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from bot.sample_patchwork.request import Response
from support.poll_rig import SERVER, Polling, Somebody, a_patchwork, an_error, not_found, polling
from support.rig import PROJECT
from support.store_rig import ask

pytestmark = pytest.mark.slow

REVIEWED = "Reviewed-by: Rey Viewer <rey@example.com>\n"
_JSON = {"content-type": "application/json"}
_HTML = {"content-type": "text/html"}
ANOTHER = json.dumps({"id": 999, "project": {"id": 1, "link_name": PROJECT}}).encode()

NOT_ITS_WORD: dict[str, Response] = {
    "a redirect": Response(302, {**_HTML, "location": "https://elsewhere.example.org/"}, b""),
    "a redirect to a login": Response(302, {"location": "/accounts/login/"}, b""),
    "a login page": Response(200, _HTML, b"<html>Log in</html>"),
    "a challenge": Response(503, _HTML, b"<html>Checking your browser</html>"),
    "401": Response(401, _JSON, b'{"detail":"Authentication credentials were not provided."}'),
    "403": Response(403, _JSON, b'{"detail":"Invalid token."}'),
    "404 of a proxy": Response(404, _HTML, b"<html>Not found</html>"),
    "404 of a gateway": Response(404, _JSON, b'{"message":"no Route matched"}'),
    "410": Response(410, _JSON, b'{"detail":"Gone"}'),
    "418": Response(418, {}, b""),
    "500": Response(500, _HTML, b"<html>Server error</html>"),
    "502": Response(502, {}, b""),
    "no content": Response(204, {}, b""),
    "an empty body": Response(200, _JSON, b""),
    "truncated": Response(200, _JSON, b'{"id": 1, "project": {"id"'),
    "garbage": Response(200, _JSON, b"\xff\x00[}"),
    "another type": Response(200, {"content-type": "application/octet-stream"}, b"{}"),
    "another shape": Response(200, _JSON, b'"maintenance"'),
    "another object": Response(200, _JSON, ANOTHER),
    "too deep": Response(200, _JSON, b"[" * 100_000),
}


async def arrived(watched: Polling, patches: int = 2) -> None:
    """Post a series, and let all that follows from it be read."""
    watched.post(patches=patches)
    await watched.poll(times=8)
    watched.take_requests()


def fail(patchwork: SamplePatchwork, ending: str, answer: Response) -> None:
    """Give *answer* to whatever ends so."""
    patchwork.fault = lambda path: answer if path.endswith(ending) else None


@pytest.mark.parametrize("answer", NOT_ITS_WORD.values(), ids=NOT_ITS_WORD)
async def test_no_answer_but_the_servers_own_word_ends_the_wait_for_an_object(answer: Response) -> None:
    """A new series, a mail without one, edited checks, and comments on a patch and on a cover letter."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody()) as watched:
        await arrived(watched)
        check = patchwork.add_check(1, NewCheck("success", "build"))
        await watched.poll()
        before = len(watched.changes)
        patchwork.edit_check(check, "fail")  # which raises no event: the sweep of the newest patches sees it
        on_patch = patchwork.add_comment(1, "Fine.\n")
        on_cover = patchwork.add_cover_comment(1, "Fine, too.\n")
        posted = watched.post().series
        pull = patchwork.post_pull_request(PROJECT, "Pull", "https://git.example.org/x.git")
        objects = (
            f"/series/{posted}/",
            f"/patches/{pull}/",
            "/1/checks/",
            "/patches/1/comments/",
            "/covers/1/comments/",
        )
        patchwork.fault = lambda path: answer if path.endswith(objects) and "/mbox" not in path else None
        await watched.poll(times=4)
        await watched.poll(times=4, seconds=6 * 3600.0)
        early = (watched.series, watched.patches, watched.changes[before:])
        named, waiting = watched.open_incidents, {item.title for item in await watched.pending()}
        patchwork.fault = lambda _: None
        await watched.poll(times=2, seconds=24 * 3600.0)

        titles = {
            f"series {posted}",
            f"patch {pull}",
            "checks of patch 1",
            "comments on patch 1",
            "comments on cover letter 1",
        }
        assert early == ([1], [], [])
        assert titles <= waiting
        assert {f"{title} of sample" for title in titles} <= set(named)
        assert (watched.series, watched.patches) == ([1, posted], [pull])
        changes = [(kind, after) for kind, _, _, after in watched.changes[before:]]
        assert {("check", "fail"), ("comment", str(on_patch)), ("comment", str(on_cover))} <= set(changes)
        assert (watched.open_incidents, await watched.pending()) == ([], ())


async def test_a_series_behind_a_redirect_is_read_when_the_redirect_goes() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = watched.post(patches=2)
        fail(patchwork, "/series/1/", NOT_ITS_WORD["a redirect"])
        await watched.poll(times=10)
        early, named = list(watched.series), watched.open_incidents
        patchwork.fault = lambda _: None
        await watched.poll(times=15)

        assert (early, named) == ([], ["series 1 of sample"])
        assert (watched.series, watched.open_incidents) == ([posted.series], [])


async def test_a_series_is_let_go_only_when_a_second_look_ten_minutes_later_says_404() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        watched.post(patches=2)
        fail(patchwork, "/series/1/", not_found())
        await watched.poll(times=5)
        watched.restart()
        await watched.poll(times=5)
        early, asked = await watched.pending(), watched.take_requests().count("/series/1/")
        await watched.poll(times=2)

        assert ([item.kind for item in early], asked) == ([PendingKind.SERIES], 1)
        assert watched.take_requests().count("/series/1/") == 1
        assert (await watched.pending(), watched.open_incidents, watched.series) == ((), [], [])


async def test_a_series_that_is_there_again_at_the_second_look_is_read() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = watched.post(patches=2)
        fail(patchwork, "/series/1/", not_found())
        await watched.poll(times=5)
        patchwork.fault = lambda _: None
        await watched.poll(times=10)

    assert watched.series == [posted.series]


# What one unreadable object costs the others


async def test_sixty_unreadable_series_hold_up_no_new_one_and_cost_few_requests() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        stuck = [watched.post().series for _ in range(60)]
        blocked = {f"/api/1.3/series/{number}/" for number in stuck}
        patchwork.fault = lambda path: an_error(403) if path in blocked else None
        await watched.poll(times=10)
        watched.take_requests()
        posted = watched.post()
        [poll, *_] = await watched.poll()
        asked = [path for path in watched.take_requests() if path.startswith("/series/")]
        patchwork.fault = lambda _: None
        await watched.poll(times=16)

        assert [read.series.id for read in poll.series] == [posted.series]
        assert len(asked) <= MAX_FAILED_RETRIES + 2
        assert sorted(watched.series) == [*stuck, posted.series]
        assert watched.open_incidents == []


async def test_a_series_that_is_unreadable_for_days_is_asked_for_once_a_day_and_then_forgotten() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        watched.post()
        fail(patchwork, "/series/1/", an_error(403))
        await watched.poll(times=4, seconds=6 * 3600.0)
        watched.take_requests()
        await watched.poll(times=4 * 5, seconds=6 * 3600.0)
        asked = watched.take_requests().count("/series/1/")
        named = watched.open_incidents
        clock.advance(26 * 24 * 3600.0)
        async with watched.store.transaction() as tx:
            await tx.watch.tidy_pending()

        assert asked in {5, 6}
        assert named == ["series 1 of sample"]
        assert await watched.pending() == ()


async def test_one_that_can_be_read_again_makes_the_others_be_asked_for_at_once() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        patchwork.fault = lambda path: an_error(403) if path.startswith("/api/1.3/series/") else None
        posted = []
        for _ in range(4):
            posted.append(watched.post().series)
            await watched.poll(seconds=5 * 3600.0)
        await watched.poll(times=8, seconds=6 * 3600.0)
        patchwork.fault = lambda _: None
        while not watched.series:
            await watched.poll(seconds=3600.0)
        await watched.poll()

    assert sorted(watched.series) == posted


async def test_an_object_that_asks_for_six_hours_holds_up_the_others_once_for_a_quarter_of_an_hour() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        watched.post()
        fail(patchwork, "/series/1/", an_error(429, "21600"))
        [poll] = await watched.poll()
        posted = watched.post()
        await watched.poll(times=3)
        watched.take_requests()
        await watched.poll(times=8, seconds=2400)

        assert poll.wait == timedelta(minutes=15)
        assert [poll.wait for poll in watched.polls if poll.wait is not None] == [timedelta(minutes=15)]
        assert watched.series == [posted.series]
        assert watched.take_requests().count("/series/1/") == 0


async def test_a_patch_that_cannot_be_read_comes_after_the_others_of_its_series() -> None:
    """Those are judged when the series' time is over, and it is a straggler."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    bad = ("/patches/2/", "/mbox/")

    async with polling(patchwork, clock) as watched:
        posted = watched.post(patches=3)
        patchwork.fault = lambda path: an_error(403) if path.endswith(bad) else None
        await watched.poll(times=29)
        early = list(watched.series)
        await watched.poll(times=16)
        some = [patch.id for poll in watched.polls for read in poll.series for patch in read.news]
        named = watched.open_incidents
        patchwork.fault = lambda _: None
        await watched.poll(times=16)
        news = [patch.id for poll in watched.polls for read in poll.series for patch in read.news]

        assert (early, sorted(named)) == ([], ["patch 2 of sample", "the mboxes of sample"])
        assert (some, news) == ([posted.patches[0], posted.patches[2]], [*some, posted.patches[1]])
        assert (await watched.pending(), watched.open_incidents) == (
            (),
            ["the mboxes of sample"],
        )  # none was read since


async def test_a_late_series_whose_patches_cannot_be_read_does_not_hold_up_a_poll_with_each_of_them() -> None:
    """Each may take as long as a request may."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = watched.post(patches=40)
        first = f"/patches/{posted.patches[0]}/"
        patchwork.fault = lambda path: an_error() if "/patches/" in path or "/mbox/" in path else None
        at_most = await most_asked_for(watched, "/patches/", intervals=32)
        patchwork.fault = lambda path: (
            an_error() if "/mbox/" in path or ("/patches/" in path and not path.endswith(first)) else None
        )
        await watched.poll(times=16)
        some = [patch.id for poll in watched.polls for read in poll.series for patch in read.news]
        patchwork.fault = lambda _: None
        await watched.poll(times=60)
        news = [patch.id for poll in watched.polls for read in poll.series for patch in read.news]

        assert at_most == MAX_FAILED_PAGES
        assert some == [posted.patches[0]]
        assert sorted(news) == sorted(posted.patches)
        assert (await watched.pending(), watched.open_incidents) == ((), [])


async def test_comments_that_cannot_be_read_do_not_hold_up_a_poll_with_each_patch_of_their_series() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody(to_comments=False)) as watched:
        await arrived(watched, patches=40)
        patchwork.fault = lambda path: an_error() if "/patches/" in path or "/mbox/" in path else None
        patchwork.add_comment(40, REVIEWED)
        at_most = await most_asked_for(watched, "/patches/", intervals=6)
        patchwork.fault = lambda path: an_error() if "/mbox/" in path else None
        await watched.poll(times=60)

        assert at_most <= MAX_FAILED_OBJECTS + AT_ONCE - 1  # of those that fail at the same time
        assert watched.changes == [("trailers", 40, "", "A0 R1 T0")]
        assert (await watched.pending(), watched.open_incidents) == ((), [])


async def most_asked_for(watched: Polling, place: str, *, intervals: int) -> int:
    """Let *intervals* pass; how many requests for something in *place* one poll made at most."""
    counts: list[int] = []
    for _ in range(intervals):
        watched.clock.advance(60.0)
        more = True
        while more:
            watched.take_requests()
            poll = await watched.poller.poll(await watched.position())
            async with watched.store.transaction() as tx:
                watched.changed += await tx.watch.save(poll)
            watched.polls.append(poll)
            counts.append(sum(path.startswith(place) for path in watched.take_requests()))
            more = poll.more
    return max(counts)


async def test_a_patch_that_the_server_does_not_have_holds_up_its_series_for_no_moment() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        watched.post(patches=3)
        patchwork.fault = lambda path: not_found("Patch") if path.endswith(("/patches/2/", "/mbox/")) else None
        await watched.poll()
        at_once = [patch.id for poll in watched.polls for read in poll.series for patch in read.news]
        await watched.poll(times=12)

        assert at_once == [1, 3]
        assert (await watched.pending(), watched.open_incidents) == ((), [])


async def test_a_cover_letter_that_cannot_be_read_hides_no_trailers_of_the_patches() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody(to_comments=False)) as watched:
        await arrived(watched)
        fail(patchwork, "/covers/1/comments/", an_error(403))
        patchwork.add_comment(1, REVIEWED)
        patchwork.add_cover_comment(1, REVIEWED)
        await watched.poll(times=6)
        early, named = list(watched.changes), watched.open_incidents
        patchwork.fault = lambda _: None
        await watched.poll(times=16)
        series = await ask(watched.store, lambda tx: tx.watch.series(SERVER, 1))

        assert (early, named) == ([("trailers", 1, "", "A0 R1 T0")], ["trailers of series 1 of sample"])
        assert series is not None
        assert len(series.trailers) == 1
        assert (await watched.pending(), watched.open_incidents) == ((), [])


async def test_comments_of_one_patch_that_cannot_be_read_hide_no_trailers_of_the_others() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody(to_comments=False)) as watched:
        await arrived(watched)
        bad = ("/patches/1/comments/", "/mbox/")
        patchwork.fault = lambda path: an_error(403) if path.endswith(bad) else None
        for patch in (1, 2):
            patchwork.add_comment(patch, REVIEWED)
        await watched.poll(times=6)
        early = list(watched.changes)
        patchwork.fault = lambda _: None
        await watched.poll(times=16)

        assert early == [("trailers", 2, "", "A0 R1 T0")]
        assert watched.changes == [*early, ("trailers", 1, "", "A0 R1 T0")]
        assert await watched.pending() == ()


async def test_comments_on_a_series_that_cannot_be_read_yet_are_told_when_it_can() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody()) as watched:
        posted = watched.post(patches=2)
        patchwork.fault = lambda path: an_error(403) if path.startswith(("/api/1.3/series/1/", "/series/1/")) else None
        comment = patchwork.add_comment(posted.patches[0], "Fine.\n")
        await watched.poll(times=12, seconds=600)
        patchwork.fault = lambda _: None
        await watched.poll(times=40)

    assert ("comment", posted.patches[0], "", str(comment)) in watched.changes
