"""What happens to what is known becomes a change, once, at the least cost."""

from datetime import timedelta

import pytest

from bot.clock import VirtualClock
from bot.ids import PatchId, SeriesId
from bot.notices.changes import ChangeKind
from bot.patchwork.model import CheckState, Trailer, TrailerKind
from bot.poll import PendingKind
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from bot.submission import SubmissionKind, SubmissionRef
from support.poll_rig import SERVER, Polling, Somebody, a_patchwork, an_error, not_found, polling
from support.rig import PROJECT, a_series
from support.store_rig import ask

pytestmark = pytest.mark.slow

HALF_AN_HOUR_OF_POLLS = 31
REY = Trailer(TrailerKind.REVIEWED, "rey@example.com")
REVIEWED = "Reviewed-by: Rey Viewer <rey@example.com>\n"


async def trailers_of(watched: Polling, patch: int) -> frozenset[Trailer]:
    found = await ask(watched.store, lambda tx: tx.watch.patch(SERVER, patch))
    assert found is not None
    return found.trailers


A_QUIET_SWEEP = ["/series/", "/patches/", "/patches/", "/patches/"]  # the newest two, what is archived, and one series


async def settled(watched: Polling) -> None:
    """Everything that arrived is read, and nobody looks at how."""
    await watched.poll(times=2)
    watched.take_requests()


async def test_states_checks_and_delegates_are_told_by_the_events_alone() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        first, second = watched.post(patches=2).patches
        await settled(watched)
        patchwork.set_state(first, "accepted")
        patchwork.set_delegate(second, "mia")
        patchwork.add_check(second, NewCheck("fail", "build"))
        await watched.poll()

        assert watched.take_requests() == ["/events/"]
        assert watched.changes == [
            ("state", first, "new", "accepted"),
            ("delegate", second, "", "mia"),
            ("check", second, "", "fail"),
            ("check", None, "", "fail"),
        ]
        [changed] = watched.changed
        assert [patch.state for patch in changed.before] == ["new", "new"]
        assert [patch.state for patch in changed.after] == ["accepted", "new"]
        assert changed.checks == {second: (("build", CheckState.FAIL),)}
        assert changed.former_checks == {}


async def test_an_event_is_believed_before_its_change_can_be_read() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        [patch] = watched.post().patches
        await watched.poll(times=29)
        late = patchwork.begin(events_at_once=True)
        with late:
            patchwork.set_state(patch, "accepted")
        await watched.poll(times=2)  # with the net, which shows the state as it was
        late.commit()
        await watched.poll()

    assert watched.changes == [("state", patch, "new", "accepted")]


async def test_what_went_and_came_back_within_one_poll_is_no_change() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        [patch] = watched.post().patches
        await settled(watched)
        for state in ("accepted", "new"):
            patchwork.set_state(patch, state)
        await watched.poll(times=2)

    assert watched.changes == []


async def test_what_happened_before_a_patch_was_read_is_no_change_but_is_known() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    mails = patchwork.mails_of(a_series("a.c", patches=2))

    async with polling(patchwork, clock, incomplete_after=timedelta(minutes=5)) as watched:
        for mail in mails[:2]:
            patchwork.receive(PROJECT, mail)
        patchwork.set_state(1, "accepted")
        patchwork.set_delegate(1, "mia")
        patchwork.add_check(1, NewCheck("warning", "style"))
        await watched.poll(times=6)
        known = await ask(watched.store, lambda tx: tx.watch.patch(SERVER, 1))

    assert watched.changes == []
    assert known is not None
    assert (known.state, known.delegate, known.check) == ("accepted", "mia", CheckState.WARNING)


async def test_a_delegate_whose_name_becomes_known_is_no_other_one() -> None:
    """A series' mbox has the address of whom a rule gave a patch to, the lists have the account."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        first, second = watched.post(patches=2).patches
        for patch in (first, second):
            patchwork.delegate_silently(patch, "mia")
        await watched.poll()
        by_address = await ask(watched.store, lambda tx: tx.watch.patch(SERVER, first))
        patchwork.set_delegate(second, "noah")
        await watched.poll(times=HALF_AN_HOUR_OF_POLLS)
        by_name = await ask(watched.store, lambda tx: tx.watch.patch(SERVER, first))

    assert [by_address and by_address.delegate, by_name and by_name.delegate] == ["mia@example.org", "mia"]
    assert watched.changes == [("delegate", second, "mia", "noah")]


async def test_only_the_last_word_of_an_account_in_a_context_counts() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        [patch] = watched.post().patches
        await settled(watched)
        for state in ("fail", "success"):
            patchwork.add_check(patch, NewCheck(state, "build", user="bot-a"))
            patchwork.add_check(patch, NewCheck("success" if state == "fail" else "warning", "build", user="bot-b"))
        await watched.poll()
        known = await ask(watched.store, lambda tx: tx.watch.patch(SERVER, patch))

    assert known is not None
    assert known.check is CheckState.WARNING
    assert watched.changed[0].checks == {patch: (("build", CheckState.WARNING),)}


async def test_a_server_that_does_not_tell_who_checked_is_believed_by_context() -> None:
    clock = VirtualClock()
    patchwork = SamplePatchwork(clock, api_versions=("1.0", "1.1"))
    patchwork.old_events = True
    patchwork.add_project(PROJECT)

    async with polling(patchwork, clock) as watched:
        [patch] = watched.post().patches
        await settled(watched)
        for state in ("fail", "success"):
            patchwork.add_check(patch, NewCheck(state, "build"))
        await watched.poll()

    assert watched.changes == [("check", patch, "", "success"), ("check", None, "", "success")]


async def test_a_failing_check_is_read_for_its_reason_where_somebody_sees_it() -> None:
    """Events lack the description, which says whether the patch was tested at all."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody()) as watched:
        first, second = watched.post(patches=2).patches
        await settled(watched)
        patchwork.add_check(first, NewCheck("fail", "ai-review", description="The patch does not apply"))
        patchwork.add_check(second, NewCheck("success", "ai-review", description="No findings"))
        patchwork.add_check(second, NewCheck("fail", "netdev/apply"))
        await watched.poll()

        ref = SubmissionRef(SERVER, SubmissionKind.SERIES, 1)
        known = await ask(watched.store, lambda tx: tx.watch.load_submission(ref))
        assert watched.take_requests() == ["/events/", f"/patches/{first}/checks/", "/covers/1/"]
    assert known is not None
    assert known.unapplied == {(first, "ai-review"), (second, "netdev/apply")}


async def test_a_check_that_was_edited_is_seen_within_half_an_hour() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        patches = watched.post(patches=3).patches
        await settled(watched)
        check = patchwork.add_check(patches[1], NewCheck("pending", "build"))
        await watched.poll()
        patchwork.edit_check(check, "fail")
        watched.take_requests()
        await watched.poll(times=HALF_AN_HOUR_OF_POLLS)
        asked = [path for path in watched.take_requests() if path != "/events/"]
        await watched.poll(times=HALF_AN_HOUR_OF_POLLS)
        again = [path for path in watched.take_requests() if path != "/events/"]

    assert watched.changes[2:] == [("check", patches[1], "pending", "fail"), ("check", None, "pending", "fail")]
    assert f"/patches/{patches[1]}/checks/" in asked
    assert again == A_QUIET_SWEEP


async def test_what_raises_no_event_is_seen_within_half_an_hour() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = watched.post(patches=2)
        [first, second] = posted.patches
        await settled(watched)
        patchwork.edit_patch(first, archived=True, commit_ref="deadbeef", name="[1/2] Another")
        patchwork.change_silently(second, "rejected")
        patchwork.rename_series(posted.series, "Renamed")
        await watched.poll(times=HALF_AN_HOUR_OF_POLLS)
        asked = [path for path in watched.take_requests() if path != "/events/"]
        await watched.poll(times=HALF_AN_HOUR_OF_POLLS)

    assert set(asked) == {*A_QUIET_SWEEP, "/series/1/"}
    assert watched.changes == [
        ("archived", first, "no", "yes"),
        ("details", first, "[1/2] A series, part 1", "[1/2] Another"),
        ("details", first, "", "deadbeef"),
        ("state", second, "new", "rejected"),
        ("patches", None, "A series", "Renamed"),
    ]
    assert [len(watched.changed), watched.changed[0].series and watched.changed[0].series.name] == [1, "Renamed"]


async def test_a_cover_that_comes_late_names_the_series_anew() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    mails = patchwork.mails_of(a_series("a.c", patches=2, name="The name"))

    async with polling(patchwork, clock) as watched:
        for mail in mails[1:]:
            patchwork.receive(PROJECT, mail)
        await settled(watched)
        patchwork.receive(PROJECT, mails[0])
        await watched.poll(times=4)
        asked = [path for path in watched.take_requests() if path != "/events/"]
        series = await ask(watched.store, lambda tx: tx.watch.series(SERVER, 1))

    assert [change[:2] for change in watched.changes] == [("patches", None), ("patches", None)]
    assert series is not None
    assert (series.name, series.cover, series.cover_id) == ("The name", mails[0].msgid, 1)
    assert asked == ["/covers/1/", "/series/1/"]


async def test_a_cover_that_comes_late_and_cannot_be_read_at_once_names_the_series_all_the_same() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    mails = patchwork.mails_of(a_series("a.c", patches=2, name="The name"))

    async with polling(patchwork, clock) as watched:
        for mail in mails[1:]:
            patchwork.receive(PROJECT, mail)
        await settled(watched)
        patchwork.receive(PROJECT, mails[0])
        patchwork.fault = lambda path: an_error() if "/covers/" in path or path.endswith("/series/1/") else None
        await watched.poll(times=10)
        patchwork.fault = lambda _: None
        await watched.poll(times=15)
        series = await ask(watched.store, lambda tx: tx.watch.series(SERVER, 1))
        waiting = await watched.pending()

    assert series is not None
    assert (series.name, waiting) == ("The name", ())


async def test_a_cover_that_comes_with_its_series_costs_no_request() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        watched.post(patches=3)
        await watched.poll(times=6)
        asked = [path for path in watched.take_requests() if path != "/events/"]
        waiting = await watched.pending()

    assert (asked, waiting) == (["/series/1/", "/series/1/mbox/"], ())


async def test_the_cover_of_a_series_that_was_not_judged_yet_is_read_with_it() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    mails = patchwork.mails_of(a_series("a.c", patches=3, name="The name"))

    async with polling(patchwork, clock, incomplete_after=timedelta(minutes=15)) as watched:
        for mail in mails[1:3]:
            patchwork.receive(PROJECT, mail)
        await watched.poll(times=2)
        patchwork.receive(PROJECT, mails[0])
        await watched.poll(times=20)
        series = await ask(watched.store, lambda tx: tx.watch.series(SERVER, 1))
        waiting = await watched.pending()

    assert series is not None
    assert (series.name, waiting, watched.series) == ("The name", (), [1])


async def test_a_series_that_becomes_complete_is_changed_and_was_known_before() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    mails = patchwork.mails_of(a_series("a.c", patches=3))

    async with polling(patchwork, clock, incomplete_after=timedelta(minutes=2)) as watched:
        for mail in mails[:3]:
            patchwork.receive(PROJECT, mail)
        await watched.poll(times=5)
        patchwork.receive(PROJECT, mails[3])
        await watched.poll(times=2)

    assert watched.changes == [("patches", None, "2 of 3", "3 of 3")]
    [changed] = watched.changed
    assert (len(changed.before), len(changed.after)) == (2, 3)


# Comments


async def test_comments_cost_nothing_where_nobody_wants_to_know() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        [patch] = watched.post().patches
        await settled(watched)
        patchwork.add_comment(patch, REVIEWED)
        await watched.poll(times=5)

        assert watched.take_requests() == ["/events/"] * 5
        assert watched.changes == []


async def test_a_burst_of_comments_is_one_refresh_of_two_requests() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody(to_comments=False)) as watched:
        posted = watched.post(patches=3)
        await settled(watched)
        for patch in posted.patches:
            patchwork.add_comment(patch, REVIEWED)
            patchwork.add_comment(patch, f"On Monday Rey wrote:\n> {REVIEWED}\nI do not think so.\n")
        await watched.poll(seconds=10)
        assert posted.cover is not None
        patchwork.add_cover_comment(posted.cover, "Acked-by: Ann <ann@example.com>\n" + REVIEWED)
        await watched.poll(times=9, seconds=10)
        asked = [path for path in watched.take_requests() if path != "/events/"]
        series = await ask(watched.store, lambda tx: tx.watch.series(SERVER, posted.series))
        found = [await trailers_of(watched, patch) for patch in posted.patches]

    assert asked == ["/covers/1/", "/covers/1/comments/", "/series/1/mbox/"]
    assert found == [{REY}] * 3
    assert series is not None
    assert series.trailers == {REY, Trailer(TrailerKind.ACKED, "ann@example.com")}
    assert watched.changes == [
        *(("trailers", patch, "", "A0 R1 T0") for patch in posted.patches),
        ("trailers", None, "", "A1 R1 T0"),
    ]


async def test_the_trailers_of_a_pull_request_come_from_its_comments() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody(to_comments=False)) as watched:
        pull = patchwork.post_pull_request(PROJECT, "Pull", "https://git.example.org/x.git")
        await watched.poll(times=4)
        watched.take_requests()
        patchwork.add_comment(pull, REVIEWED)
        await watched.poll(times=3)

        assert [path for path in watched.take_requests() if path != "/events/"] == [f"/patches/{pull}/comments/"]
        assert watched.changes == [("trailers", pull, "", "A0 R1 T0")]


async def test_where_there_is_no_mbox_the_comments_of_each_patch_are_read() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody(to_comments=False)) as watched:
        posted = watched.post(patches=2)
        await settled(watched)
        patchwork.fault = lambda path: an_error(403) if path.endswith("/mbox/") else None
        patchwork.add_comment(posted.patches[1], REVIEWED)
        await watched.poll(times=3)

        assert await trailers_of(watched, posted.patches[1]) == {REY}


async def test_what_is_said_is_told_once_however_often_its_event_comes() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody(to_trailers=False)) as watched:
        posted = watched.post(patches=2)
        await settled(watched)
        first = patchwork.add_comment(posted.patches[0], "Looks good.\n")
        await watched.poll()
        patchwork.mark_addressed(first)
        second = patchwork.add_comment(posted.patches[0], "One more thing.\n")
        assert posted.cover is not None
        on_cover = patchwork.add_cover_comment(posted.cover, "All of it.\n")
        patchwork.mark_cover_addressed(on_cover)
        await watched.poll(times=2)
        patchwork.mark_cover_addressed(on_cover, addressed=False)
        await watched.poll(times=2)
        asked = [path for path in watched.take_requests() if path != "/events/"]

    told = [change for each in watched.changed for change in each.changes]
    assert {change.kind for change in told} == {ChangeKind.COMMENT}
    assert [(change.patch, change.comment and (change.comment.id, change.comment.text)) for change in told] == [
        (posted.patches[0], (first, "Looks good.")),
        (posted.patches[0], (second, "One more thing.")),
        (None, (on_cover, "All of it.")),
    ]
    assert asked == ["/patches/1/comments/", "/patches/1/comments/", "/covers/1/comments/"]


async def test_a_comment_that_came_before_its_patch_was_read_is_told_then() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody()) as watched:
        posted = watched.post(patches=2)
        assert posted.cover is not None
        patchwork.add_cover_comment(posted.cover, REVIEWED)
        await watched.poll(times=3)
        series = await ask(watched.store, lambda tx: tx.watch.series(SERVER, posted.series))

    assert [change[:2] for change in watched.changes] == [("trailers", None), ("comment", None)]
    assert series is not None
    assert series.trailers == {REY}


async def test_comments_that_cannot_be_read_now_are_read_later() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody()) as watched:
        [patch] = watched.post().patches
        await settled(watched)
        patchwork.fault = lambda path: an_error() if "comments" in path else None
        comment = patchwork.add_comment(patch, REVIEWED)
        await watched.poll(times=3)
        watched.restart()
        failing = list(watched.changes)
        patchwork.fault = lambda _: None
        await watched.poll(times=4)

    assert failing == []
    assert watched.changes == [("trailers", patch, "", "A0 R1 T0"), ("comment", patch, "", str(comment))]


async def test_what_is_gone_settles_what_waited_for_it_at_the_second_look() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody()) as watched:
        posted = watched.post(patches=2)
        await settled(watched)
        patchwork.fault = lambda path: None if path.endswith("/events/") else not_found()
        patchwork.add_comment(posted.patches[0], REVIEWED)
        await watched.poll(times=9)
        early = {item.kind for item in await watched.pending()}
        await watched.poll(times=15)

        assert early == {PendingKind.PATCH_COMMENTS, PendingKind.COVER}
        assert (await watched.pending(), watched.changes, watched.open_incidents) == ((), [], [])


async def test_comments_on_what_nobody_knows_are_forgotten_in_the_end() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    old = patchwork.post_series(PROJECT, a_series("old.c", patches=2))

    async with polling(patchwork, clock, listening=Somebody()) as watched:
        assert old.cover is not None
        patchwork.add_cover_comment(old.cover, REVIEWED)
        patchwork.add_comment(old.patches[0], REVIEWED)
        await watched.poll(times=40)
        pending = (await ask(watched.store, lambda tx: tx.watch.watched(SERVER))).pending
        asked = set(watched.take_requests())

    assert (pending, watched.changes) == ((), [])
    assert asked == {"/events/", "/series/", "/patches/"}


async def test_a_patch_that_went_away_hinders_nothing() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody()) as watched:
        posted = watched.post(patches=3)
        await settled(watched)
        patchwork.add_comment(posted.patches[0], REVIEWED)
        patchwork.delete_patch(posted.patches[2])
        await watched.poll(times=4)

        assert await trailers_of(watched, posted.patches[0]) == {REY}
        assert watched.open_incidents == [f"trailers of patch {posted.patches[2]} of sample"]

        await watched.poll(times=10)
        assert (await watched.pending(), watched.open_incidents) == ((), [])


async def test_a_rebuilt_server_changes_nothing() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody()) as watched:
        watched.post(patches=2)
        await settled(watched)
        anew = a_patchwork(clock)
        anew.post_series(PROJECT, NewSeries(name="Another", patches=[NewPatch("Another", sample_diff("b.c"))]))
        watched.transport.patchwork = anew  # type: ignore[attr-defined]  # the sample's transport
        await watched.poll(times=3)

        assert watched.changed == []
        assert await ask(watched.store, lambda tx: tx.watch.patches_of(SERVER, SeriesId(1))) == []
        assert await ask(watched.store, lambda tx: tx.watch.patch(SERVER, PatchId(2))) is None
