"""What is news of something that is known."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.ids import Msgid
from bot.notices.changes import Change, ChangeKind, detect, latest_of, urgent
from bot.patchwork.model import Check, CheckState, Comment, Patch, Trailer, TrailerKind
from bot.submission import Contexts, Submission
from support.card_rig import ADA, numbered, of_series

REY = Trailer(TrailerKind.REVIEWED, "rey@example.org")
PATCHES = numbered(3)
FIRST = PATCHES[0].id


def standing(*patches: Patch, checks: Contexts = ()) -> Submission:
    """A series with *patches*, the first of which has *checks*."""
    return Submission(of_series(*patches), patches, {FIRST: checks} if checks else {})


def with_first(**fields: object) -> Submission:
    """The series with another first patch."""
    return standing(replace(PATCHES[0], **fields), *PATCHES[1:])  # type: ignore[arg-type]  # whatever the test says


BEFORE = standing(*PATCHES)


def test_each_field_of_a_patch_is_a_change_of_its_own() -> None:
    now = with_first(
        state="accepted",
        delegate="mia",
        archived=True,
        name="Another",
        commit_ref="deadbeef",
        pull_url="https://git.example.org/x.git",
        trailers=frozenset([REY]),
        check=CheckState.FAIL,
    )

    changes = detect(BEFORE, now)

    assert {change.patch for change in changes} == {FIRST, None}
    assert [(change.reason, urgent(change)) for change in changes] == snapshot(
        [
            ("state: new -> accepted", True),
            ("delegate: none -> mia", True),
            ("archived: no -> yes", False),
            ("trailers: none -> A0 R1 T0", False),
            ("details name: [1/3] migration: Step 1 -> Another", False),
            ("details commit_ref: none -> deadbeef", False),
            ("details pull_url: none -> https://git.example.org/x.git", False),
            ("check: none -> fail", True),
        ]
    )


def test_a_context_is_a_count_and_the_worst_of_all_patches_is_urgent() -> None:
    failed = standing(*PATCHES[:2], replace(PATCHES[2], check=CheckState.FAIL))
    before = replace(failed, checks={FIRST: (("boot", CheckState.FAIL), ("build", CheckState.SUCCESS))})
    now = replace(failed, checks={FIRST: (("build", CheckState.WARNING), ("style", CheckState.PENDING))})

    changes = detect(before, now)

    assert [(change.reason, urgent(change)) for change in changes] == snapshot(
        [
            ("check boot: fail -> none", False),
            ("check build: success -> warning", False),
            ("check style: none -> pending", False),
        ]
    )


def test_what_was_not_known_before_is_no_change() -> None:
    two = PATCHES[0], PATCHES[1]
    new = replace(PATCHES[2], state="accepted", check=CheckState.FAIL, trailers=frozenset([REY]))
    before = Submission(replace(of_series(*two, total=3), total=3), two)
    now = Submission(of_series(*two, new), (*two, new), {new.id: (("build", CheckState.FAIL),)})

    assert [change.reason for change in detect(before, now)] == snapshot(["patches: 2 of 3 -> 3 of 3"])


def test_a_series_gets_its_cover_a_name_more_mails_and_trailers() -> None:
    series = of_series(*PATCHES, total=5)
    covered = replace(series, cover=Msgid("0@example.org"), name="The name", trailers=frozenset([REY]))

    named = detect(Submission(series, PATCHES), Submission(covered, PATCHES))
    received = detect(Submission(series, PATCHES), Submission(replace(series, received_total=4), PATCHES))

    assert [change.reason for change in (*named, *received)] == snapshot(
        [
            "patches name: migration: Fix it all -> The name",
            "patches cover: none -> 0@example.org",
            "trailers: none -> A0 R1 T0",
            "patches received: 3 -> 4",
        ]
    )
    assert not any(urgent(change) for change in (*named, *received))


def test_a_comment_says_which_it_is() -> None:
    change = Change(ChangeKind.COMMENT, FIRST, "", "7", comment=Comment(7, ADA, "", "Fine."))

    assert (change.reason, urgent(change)) == ("comment 7", False)


states = st.sampled_from(CheckState)
checks = st.builds(
    Check,
    id=st.integers(0, 9),
    state=states,
    context=st.sampled_from(["", "build", "boot"]),
    user=st.sampled_from(["", "a", "b"]),
)
patches = st.builds(
    replace,
    st.sampled_from(PATCHES),
    state=st.none() | st.sampled_from(["new", "accepted"]),
    delegate=st.none() | st.just("mia"),
    archived=st.booleans(),
    check=st.none() | states,
    trailers=st.frozensets(st.just(REY)),
)
known = st.lists(patches, min_size=1, max_size=3, unique_by=lambda patch: patch.id)
standings = st.builds(
    lambda some, contexts: Submission(of_series(*some), tuple(some), {some[0].id: contexts}),
    known,
    st.lists(checks, max_size=4).map(latest_of),
)


@given(same=standings)
def test_the_same_told_twice_is_no_change(same: Submission) -> None:
    assert detect(same, same) == ()


@given(before=standings, now=standings)
def test_what_changes_back_is_told_the_other_way_round(before: Submission, now: Submission) -> None:
    forth, back = detect(before, now), detect(now, before)

    assert {(each.kind, each.patch, each.context, each.before, each.after) for each in forth} == {
        (each.kind, each.patch, each.context, each.after, each.before) for each in back
    }


@given(told=st.lists(checks, max_size=6))
def test_a_context_is_as_bad_as_the_worst_word_in_it(told: list[Check]) -> None:
    latest = dict(latest_of(told))

    assert latest.keys() == {check.context or "default" for check in told}
    for check in told:
        worst = latest[check.context or "default"]
        assert list(CheckState).index(worst) >= 0
        assert not (check.state is CheckState.FAIL and worst is not CheckState.FAIL)
