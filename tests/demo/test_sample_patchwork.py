"""The sample Patchwork behaves as real servers were measured to."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.clock import VirtualClock
from bot.sample_patchwork.diffs import rename_diff, sample_diff
from bot.sample_patchwork.mail import Mail, NewPatch
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from support.sample_rig import a_clock, a_full_server, a_series, a_server, get, happened


@pytest.fixture
def clock() -> VirtualClock:
    return a_clock()


@pytest.fixture
def server(clock: VirtualClock) -> SamplePatchwork:
    return a_server(clock)


@pytest.fixture
def full(clock: VirtualClock) -> SamplePatchwork:
    return a_full_server(clock)


@pytest.mark.parametrize(
    "query", ["since=garbage", "since=1700000000", "project=nosuch", "category=nosuch", "series=99", "actor=bruno"]
)
def test_a_bad_filter_value_empties_the_answer(full: SamplePatchwork, query: str) -> None:
    response = full.answer("GET", "/api/1.3/events/", query)

    assert (response.status, response.body) == (200, b"[]")


def test_one_unknown_project_empties_the_joint_answer_and_two_known_ones_are_joined(server: SamplePatchwork) -> None:
    server.add_project("linux")
    server.post_series("qemu-devel", a_series())
    server.post_series("linux", a_series())

    assert get(server, "/events/", project=["qemu-devel", "nosuch"]) == []
    assert len(get(server, "/series/", project=["QEMU-devel", "2"])) == 2


def test_an_unknown_parameter_is_ignored_and_api_1_1_knows_no_msgid(full: SamplePatchwork) -> None:
    assert len(get(full, "/patches/", nosuch="1")) == 2
    assert get(full, "/patches/", msgid="none") == []
    assert len(json.loads(full.answer("GET", "/api/1.1/patches/", "msgid=none").body)) == 2


def test_event_dates_are_local_to_the_server_and_mail_dates_are_utc(full: SamplePatchwork) -> None:
    first, second = get(full, "/events/", order="date")[:2]

    assert first["date"] == "2026-11-23T12:42:47"  # a whole second has no fraction
    assert second["date"] == "2026-11-23T12:42:47.000001"
    assert first["payload"]["series"]["date"] == "2026-11-23T01:42:47"
    assert get(full, "/patches/1/checks/")[0]["date"].startswith("2026-11-23T12:42:47")


def test_an_aware_since_is_moved_into_the_servers_zone_even_for_mail_dates(full: SamplePatchwork) -> None:
    assert len(get(full, "/events/", since="2026-11-23T01:42:47Z", category="series-created")) == 1
    assert get(full, "/patches/", since="2026-11-23T01:00:00Z") == []
    assert len(get(full, "/patches/", since="2026-11-23T01:00:00")) == 2
    raw_plus = full.answer("GET", "/api/1.3/events/", "since=2026-11-23T12:42:47+11:00")
    assert raw_plus.body == b"[]"


def test_since_is_inclusive_and_before_is_exclusive(full: SamplePatchwork) -> None:
    dates = [event["date"] for event in get(full, "/events/", order="date")]

    assert [event["date"] for event in get(full, "/events/", since=dates[-2])] == [dates[-1], dates[-2]]
    assert [event["date"] for event in get(full, "/events/", before=dates[1])] == [dates[0]]


def test_a_late_commit_appears_behind_the_newest_event_with_smaller_id_and_date(
    server: SamplePatchwork, clock: VirtualClock
) -> None:
    late = server.begin()
    with late:
        slow = server.post_series("qemu-devel", a_series(name="slow"))
    clock.advance(5)
    server.post_series("qemu-devel", a_series(name="quick"))
    before = get(server, "/events/", per_page=250)
    assert server.answer("GET", f"/api/1.3/series/{slow.series}/").status == 404
    assert [patch["submitter"]["id"] for patch in get(server, "/patches/")] == [1, 1]

    late.commit()

    after = get(server, "/events/", per_page=250)
    assert after[: len(before)] == before
    assert {event["id"] for event in after[len(before) :]} == set(range(1, 8))
    assert [series["id"] for series in get(server, "/series/")] == [1, 2]


def test_a_patch_waits_for_the_transaction_that_opened_its_series(server: SamplePatchwork) -> None:
    cover, first, second = server.mails_of(a_series())
    late = server.begin()
    with late:
        server.receive("qemu-devel", cover)
    for mail in (first, second):
        server.receive("qemu-devel", mail)

    assert get(server, "/patches/") == get(server, "/events/") == []
    late.commit()
    assert happened(server)[-1] == "series-completed"
    assert len(get(server, "/patches/")) == 2


def test_a_transaction_shows_all_it_wrote_at_its_end(server: SamplePatchwork) -> None:
    with server.transaction():
        server.post_series("qemu-devel", a_series())
        assert get(server, "/events/") == []

    assert len(get(server, "/events/")) == 7


def test_a_failed_transaction_leaves_a_hole_in_the_ids(server: SamplePatchwork) -> None:
    doomed = server.begin()
    with doomed:
        server.post_series("qemu-devel", a_series())

    doomed.rollback()
    server.post_series("qemu-devel", a_series())

    assert [series["id"] for series in get(server, "/series/")] == [2]


def test_an_event_can_be_read_before_the_change_it_tells_of(full: SamplePatchwork) -> None:
    patching = full.begin(events_at_once=True)
    with patching:
        full.set_state(2, "rejected", "bruno")

    assert get(full, "/events/")[0]["payload"]["current_state"] == "rejected"
    assert get(full, "/patches/2/")["state"] == "new"
    patching.commit()
    assert get(full, "/patches/2/")["state"] == "rejected"


def test_only_the_last_category_counts_and_order_by_id_is_ignored(full: SamplePatchwork) -> None:
    categories = get(full, "/events/", category=["cover-created", "series-created"])
    assert {event["category"] for event in categories} == {"series-created"}
    assert get(full, "/events/", order="id") == get(full, "/events/")


def test_what_raises_no_event_can_be_seen_in_the_lists_alone(full: SamplePatchwork) -> None:
    before = get(full, "/events/", per_page=250)

    full.edit_patch(1, archived=True, commit_ref="c0ffee", pull_url="https://git.example.org/x")
    full.rename_series(1, "a better name")
    full.change_silently(2, "rfc")

    assert get(full, "/patches/", archived="true")[0]["commit_ref"] == "c0ffee"
    assert get(full, "/patches/", state="rfc")[0]["id"] == 2
    assert [event["id"] for event in get(full, "/events/", per_page=250)] == [event["id"] for event in before]


def test_a_comment_marked_addressed_raises_its_event_again(full: SamplePatchwork) -> None:
    full.mark_addressed(1)

    events = get(full, "/events/", category="patch-comment-created")
    assert [event["payload"]["comment"]["id"] for event in events] == [1, 1]
    assert get(full, "/patches/1/comments/")[0]["addressed"] is True


def test_a_pull_request_is_a_patch_without_diff_hash_and_series(server: SamplePatchwork) -> None:
    patch = server.post_pull_request("qemu-devel", "block patches", "https://git.example.org/x tags/y")

    detail = get(server, f"/patches/{patch}/")
    assert [detail[key] for key in ("diff", "hash", "series")] == [None, None, []]
    assert detail["name"] == "[PULL,0/1] block patches"
    assert happened(server) == ["patch-created s", "series-created"]


def test_the_events_of_a_lone_patch(server: SamplePatchwork) -> None:
    server.post_series("qemu-devel", a_series(patches=1, cover=False))

    assert happened(server) == ["patch-created 1", "series-created", "patch-completed 1", "series-completed"]


def test_the_events_of_a_series(server: SamplePatchwork) -> None:
    server.post_series("qemu-devel", a_series())

    patches = ["patch-created 1", "patch-completed 1", "patch-created 2", "patch-completed 2"]
    assert happened(server) == ["series-created", "cover-created", *patches, "series-completed"]


def test_a_series_that_arrives_backwards_gets_its_name_last(server: SamplePatchwork) -> None:
    cover, first, second = server.mails_of(a_series())

    server.receive("qemu-devel", second)
    server.receive("qemu-devel", first)
    before = get(server, "/series/1/")
    server.receive("qemu-devel", cover)

    assert (before["name"], before["cover_letter"]) == ("[1/2] part 1", None)
    assert get(server, "/series/1/")["name"] == "the series"
    created = ["patch-created 2", "series-created", "patch-created 1"]
    completed = ["patch-completed 1", "patch-completed 2", "series-completed"]
    assert happened(server) == [*created, *completed, "cover-created"]


def test_a_lost_patch_stops_the_completion(server: SamplePatchwork) -> None:
    mails = server.mails_of(a_series(patches=5))
    for mail in (*mails[:3], *mails[4:]):
        server.receive("qemu-devel", mail)

    completed = [line for line in happened(server) if "completed" in line]
    assert completed == ["patch-completed 1", "patch-completed 2"]
    series = get(server, "/series/1/")
    assert (series["received_total"], series["total"], series["received_all"]) == (4, 5, False)


def test_a_patch_sent_again_opens_a_new_series_and_a_surplus_one_completes_twice(server: SamplePatchwork) -> None:
    cover, first, second = server.mails_of(a_series())
    for mail in (cover, first, second, first):
        server.receive("qemu-devel", mail)
    thread = (cover.msgid,)

    for number, msgid in ((3, "surplus@example.org"), (1, "again@example.org")):
        subject = f"[PATCH {number}/2] more"
        mail = Mail(subject=subject, msgid=msgid, date=first.date, diff=sample_diff("x"), references=thread)
        server.receive("qemu-devel", mail)

    assert [series["received_total"] for series in get(server, "/series/")] == [3, 1]
    assert len(get(server, "/events/", category="series-completed", series=1)) == 2


def test_an_old_server_ignores_the_order_of_events_and_links_no_single_page(full: SamplePatchwork) -> None:
    full.old_events = True
    full.api_versions = ("1.0", "1.1")

    response = full.answer("GET", "/api/1.1/events/", "order=date")

    dates = [event["date"] for event in json.loads(response.body)]
    assert dates == sorted(dates, reverse=True)
    assert "link" not in response.headers


def test_series_filters_only_the_events_of_the_series_itself(full: SamplePatchwork) -> None:
    categories = {event["category"] for event in get(full, "/events/", series=1)}

    assert categories == {"series-created", "patch-completed", "series-completed"}


def test_a_deleted_patch_takes_its_events_with_it(full: SamplePatchwork) -> None:
    gone = full.rows.patches[1]

    full.delete_patch(1)

    assert all("part 1" not in str(event["payload"]) for event in get(full, "/events/"))
    assert get(full, "/series/1/")["received_total"] == 1
    reply = Mail(subject="Re: x", msgid="late@example.org", date=gone.date, references=(gone.msgid,))
    assert full.receive("qemu-devel", reply) is None
    missing = full.answer("GET", "/api/1.3/patches/1/")
    assert (missing.status, missing.body) == (404, b'{"detail":"No Patch matches the given query."}')


def test_another_time_zone_prints_all_past_events_anew(full: SamplePatchwork) -> None:
    before = get(full, "/events/", order="date")

    full.set_time_zone("UTC")

    after = get(full, "/events/", order="date")
    assert [event["id"] for event in after] == [event["id"] for event in before]
    assert after[0]["date"] == "2026-11-23T01:42:47"
    assert get(full, "/events/", since=before[0]["date"]) == []


def test_dates_jump_back_an_hour_when_daylight_saving_ends(server: SamplePatchwork, clock: VirtualClock) -> None:
    clock.advance((datetime(2027, 4, 3, 15, 50, tzinfo=UTC) - clock.now()).total_seconds())
    server.post_series("qemu-devel", a_series(name="before"))
    clock.advance(20 * 60)
    server.post_series("qemu-devel", a_series(name="after"))

    created = get(server, "/events/", category="series-created", order="date")

    named = [(event["date"], event["payload"]["series"]["name"]) for event in created]
    assert named == [("2027-04-04T02:10:00", "after"), ("2027-04-04T02:50:00", "before")]


def test_events_of_one_moment_can_share_a_date(server: SamplePatchwork) -> None:
    server.set_event_step(timedelta(0))
    server.post_series("qemu-devel", a_series())

    assert len({event["date"] for event in get(server, "/events/")}) == 1


def test_diffs_without_hunks_share_one_hash_and_versions_with_the_same_diff_another(server: SamplePatchwork) -> None:
    moves = [NewPatch("move", rename_diff("a", "b")), NewPatch("move", rename_diff("c", "d"))]
    server.post_series("qemu-devel", replace(a_series(), patches=moves))
    server.post_series("qemu-devel", a_series(patches=1))
    server.post_series("qemu-devel", a_series(patches=1, version=2))

    hashes = [patch["hash"] for patch in get(server, "/patches/")]

    assert hashes[0] == hashes[1] == "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    assert hashes[2] == hashes[3] != hashes[0]
    assert len(get(server, "/patches/", hash=hashes[2])) == 2


def test_patches_are_found_by_all_their_filters(full: SamplePatchwork) -> None:
    def ids(**query: str) -> list[int]:
        return [patch["id"] for patch in get(full, "/patches/", **query)]

    assert ids(order="-id") == [2, 1]
    assert ids(q="PART [2") == [2]
    assert ids(submitter="ADA@example.org") == [1, 2]
    assert ids(submitter="nobody@example.org") == []
    assert ids(state="accepted") == ids(state="3") == ids(delegate="bruno") == [1]
    assert ids(archived="maybe") == ids(series="1") == [1, 2]


def test_the_worst_of_the_latest_checks_counts(full: SamplePatchwork) -> None:
    full.add_check(1, NewCheck("fail", "boot"))
    full.add_check(1, NewCheck("warning", "boot"))

    assert get(full, "/patches/1/")["check"] == "warning"
    assert get(full, "/patches/2/")["check"] == "pending"
