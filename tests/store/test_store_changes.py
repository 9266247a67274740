"""What a poll changes of what the store knows."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.ids import Msgid, PatchId, SeriesId
from bot.notices.changes import Change, ChangedSubmission, ChangeKind
from bot.patchwork.model import Check, CheckState, Comment, PatchRef, Trailer, TrailerKind
from bot.patchwork.updates import (
    ChecksRead,
    CheckUpdate,
    CommentHint,
    CommentTarget,
    FieldUpdate,
    MailKind,
    PatchField,
    PatchUpdate,
    TrailersRead,
)
from bot.poll import CommentsRead, FollowUpResult, Poll, SeriesRead
from bot.store.retention import delete_outdated
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import OTHER_SERVER, PROJECT, SERVER, SUBMITTER, StoreRig, a_patch, a_series, ask

CURSOR = "2026-01-01T00:00:00"
ONE, TWO, LONE = PatchId(1), PatchId(2), PatchId(9)
SERIES = SubmissionRef(SERVER, SubmissionKind.SERIES, 5)
ON_ONE = CommentTarget(MailKind.PATCH, ONE)
ACKED = Trailer(TrailerKind.ACKED, "ann@example.org")


async def save(store: Store, poll: Poll) -> tuple[ChangedSubmission, ...]:
    async with store.transaction() as tx:
        return await tx.watch.save(poll)


async def told(store: Store, *told: PatchUpdate) -> list[Change]:
    """What changes by what is *told*."""
    return [change for each in await save(store, Poll(SERVER, CURSOR, updates=told)) for change in each.changes]


async def followed(store: Store, found: FollowUpResult) -> list[Change]:
    """What changes by what is read."""
    return [change for each in await save(store, Poll(SERVER, CURSOR, followed=found)) for change in each.changes]


def state(patch: int, slug: str) -> FieldUpdate:
    return FieldUpdate(PatchId(patch), PatchField.STATE, slug)


def a_check(number: int, slug: CheckState, context: str = "build", *, user: str = "ci") -> Check:
    return Check(number, slug, context, user)


def a_comment(number: int) -> CommentHint:
    return CommentHint(ON_ONE, number, PROJECT, PatchRef(ONE, Msgid("1@hs"), "Patch 1"))


@pytest.fixture
async def known(store: Store) -> Store:
    """A store that knows a series of two patches, and a lone one."""
    read = SeriesRead(a_series(5, patches=(1, 2)), (a_patch(1, series=5), a_patch(2, series=5)))
    assert await save(store, Poll(SERVER, CURSOR, series=(read,), patches=(a_patch(9),))) == ()
    return store


async def test_what_changed_comes_with_all_patches_before_and_after(known: Store) -> None:
    changed = await save(known, Poll(SERVER, CURSOR, updates=(state(2, "accepted"), state(9, "rejected"))))

    series, lone = changed
    assert (series.about, lone.about) == (
        SubmissionRef(SERVER, SubmissionKind.SERIES, 5),
        SubmissionRef(SERVER, SubmissionKind.PATCH, 9),
    )
    assert series.series == a_series(5, patches=(1, 2))
    assert series.before == (a_patch(1, series=5), a_patch(2, series=5))
    assert series.after == (a_patch(1, series=5), a_patch(2, series=5, state="accepted"))
    assert (lone.series, lone.before, lone.after) == (None, (a_patch(9),), (a_patch(9, state="rejected"),))
    assert lone.changes == (Change(ChangeKind.STATE, LONE, "new", "rejected"),)


async def test_the_same_told_twice_changes_once(known: Store) -> None:
    first, second = await told(known, state(1, "accepted")), await told(known, state(1, "accepted"))

    assert (len(first), second) == (1, [])


async def test_there_and_back_in_one_poll_is_no_change(known: Store) -> None:
    assert await told(known, state(1, "accepted"), state(1, "new")) == []


async def test_every_field_that_is_told_is_kept(known: Store) -> None:
    fields = {
        PatchField.DELEGATE: "mia",
        PatchField.ARCHIVED: "yes",
        PatchField.NAME: "Other",
        PatchField.COMMIT_REF: "deadbeef",
    }
    fields |= {PatchField.PULL_URL: "https://git.example.org/x.git"}
    await told(known, *(FieldUpdate(ONE, field, value) for field, value in fields.items()))
    patch = await ask(known, lambda tx: tx.watch.patch(SERVER, 1))
    await told(known, FieldUpdate(ONE, PatchField.DELEGATE, None), FieldUpdate(ONE, PatchField.ARCHIVED, None))
    later = await ask(known, lambda tx: tx.watch.patch(SERVER, 1))

    named = replace(a_patch(1, series=5), name="Other", commit_ref="deadbeef", pull_url="https://git.example.org/x.git")
    expected = replace(named, delegate="mia", archived=True)
    assert patch == expected
    assert later == replace(expected, delegate=None, archived=False)


async def test_what_is_told_of_another_server_is_left_alone(known: Store) -> None:
    poll = Poll(OTHER_SERVER, CURSOR, updates=(state(1, "accepted"), CheckUpdate(ONE, a_check(1, CheckState.FAIL))))

    assert await save(known, poll) == ()
    assert await ask(known, lambda tx: tx.watch.patch(SERVER, 1)) == a_patch(1, series=5)


async def test_what_was_told_too_early_is_there_when_its_patch_is_read(store: Store, rig: StoreRig) -> None:
    early = (
        FieldUpdate(ONE, PatchField.DELEGATE, "mia"),
        CheckUpdate(ONE, a_check(1, CheckState.FAIL)),
        state(1, "accepted"),
    )
    await save(store, Poll(SERVER, CURSOR, updates=early))

    changed = await save(store, Poll(SERVER, CURSOR, patches=(a_patch(1),), updates=(state(1, "rejected"),)))

    expected = replace(a_patch(1, state="rejected"), delegate="mia", check=CheckState.FAIL)
    assert (changed, await ask(store, lambda tx: tx.watch.patch(SERVER, 1))) == ((), expected)
    assert rig.count("early_update") == 0


@pytest.mark.parametrize(
    ("checks", "worst"),
    [
        ([a_check(1, CheckState.FAIL), a_check(2, CheckState.SUCCESS)], CheckState.SUCCESS),
        ([a_check(2, CheckState.SUCCESS), a_check(1, CheckState.FAIL)], CheckState.SUCCESS),
        ([a_check(1, CheckState.WARNING), a_check(2, CheckState.SUCCESS, "boot")], CheckState.WARNING),
        ([a_check(1, CheckState.WARNING), a_check(2, CheckState.SUCCESS, user="other")], CheckState.WARNING),
        ([a_check(1, CheckState.WARNING, user=""), a_check(2, CheckState.SUCCESS, user="")], CheckState.SUCCESS),
        ([a_check(1, CheckState.PENDING)], CheckState.PENDING),
    ],
)
async def test_the_worst_of_the_last_words_counts(known: Store, checks: Sequence[Check], worst: CheckState) -> None:
    for check in checks:
        await told(known, CheckUpdate(ONE, check))

    assert await ask(known, lambda tx: tx.watch.worst_checks(SERVER, [1, 2, 3])) == {ONE: worst, TWO: None}


async def test_checks_that_were_read_replace_those_that_were_told(known: Store) -> None:
    await told(
        known, CheckUpdate(ONE, a_check(1, CheckState.FAIL)), CheckUpdate(ONE, a_check(2, CheckState.FAIL, "boot"))
    )

    read = ChecksRead(ONE, (a_check(1, CheckState.WARNING), a_check(3, CheckState.SUCCESS, "boot")))
    changes = await followed(known, FollowUpResult(checks=(read,)))
    gone = await followed(known, FollowUpResult(checks=(ChecksRead(ONE, ()),)))

    assert [change.reason for change in changes] == [
        "check boot: fail -> success",
        "check build: fail -> warning",
        "check: fail -> warning",
    ]
    assert [change.reason for change in gone][-1] == "check: warning -> none"
    assert await ask(known, lambda tx: tx.watch.worst_checks(SERVER, [1])) == {ONE: None}


async def test_checks_are_kept_for_thirty_days(known: Store, rig: StoreRig) -> None:
    await told(known, CheckUpdate(ONE, a_check(1, CheckState.FAIL)))
    rig.advance(days=20)
    await told(known, CheckUpdate(TWO, a_check(2, CheckState.FAIL)))
    rig.advance(days=11)

    await delete_outdated(known)

    assert rig.execute("SELECT patch FROM patch_check") == [(2,)]
    assert await ask(known, lambda tx: tx.watch.worst_checks(SERVER, [1])) == {ONE: CheckState.FAIL}


async def test_a_series_that_the_lists_show_otherwise_is_named_anew_but_not_complete(known: Store) -> None:
    series = replace(a_series(5, patches=(1, 2), received_all=False), received_total=2)
    await save(known, Poll(SERVER, CURSOR, series=(SeriesRead(series, ()),)))
    shown = replace(series, name="Other", cover=Msgid("0@hs"), cover_id=3, received_all=True, patches=())

    [changed] = await save(known, Poll(SERVER, CURSOR, listed=(shown,)))
    again = await save(known, Poll(SERVER, CURSOR, listed=(shown,)))

    assert [change.reason for change in changed.changes] == [
        "patches name: Series 5 -> Other",
        "patches cover: none -> 0@hs",
    ]
    assert (changed.series, again) == (replace(series, name="Other", cover=Msgid("0@hs"), cover_id=3), ())


async def test_trailers_are_kept_with_the_patches_and_those_of_the_cover_with_the_series(known: Store) -> None:
    read = TrailersRead(((ONE, frozenset([ACKED])), (TWO, frozenset())), SeriesId(5), frozenset([ACKED]))

    changes = await followed(known, FollowUpResult(trailers=(read,)))
    await save(known, Poll(SERVER, CURSOR, series=(SeriesRead(a_series(5, patches=(1, 2)), ()),)))

    assert [(change.patch, change.after) for change in changes] == [(ONE, "A1 R0 T0"), (None, "A1 R0 T0")]
    series = await ask(known, lambda tx: tx.watch.series(SERVER, 5))
    assert series is not None
    assert series.trailers == {ACKED}


async def test_of_the_comments_read_the_new_ones_are_told_once(known: Store) -> None:
    said = tuple(Comment(number, SUBMITTER, "", f"Comment {number}.") for number in (1, 2, 3))
    read = CommentsRead(ON_ONE, SERIES, said)

    first = await followed(known, FollowUpResult(new_comments=(a_comment(1), a_comment(2)), comments=(read,)))
    again = await followed(known, FollowUpResult(comments=(read,)))
    third = await followed(known, FollowUpResult(new_comments=(a_comment(3),), comments=(read,)))

    assert [(change.patch, change.comment) for change in first] == [(ONE, said[0]), (ONE, said[1])]
    assert (again, [change.comment for change in third]) == ([], [said[2]])
    assert await ask(known, lambda tx: tx.watch.known_comments(SERVER, MailKind.PATCH, range(9))) == {1, 2, 3}
    assert await ask(known, lambda tx: tx.watch.known_comments(SERVER, MailKind.COVER, range(9))) == set()


async def test_comments_that_nobody_wanted_to_hear_are_never_told(known: Store) -> None:
    await followed(known, FollowUpResult(new_comments=(a_comment(1),), comments=(CommentsRead(ON_ONE, SERIES),)))

    said = CommentsRead(ON_ONE, SERIES, (Comment(1, SUBMITTER),))

    assert await followed(known, FollowUpResult(comments=(said,))) == []


async def test_comments_are_forgotten_with_the_patches(known: Store, rig: StoreRig) -> None:
    await followed(known, FollowUpResult(new_comments=(a_comment(1),)))
    rig.advance(days=179)
    await delete_outdated(known)
    kept = rig.count("comment")
    rig.advance(days=2)
    await delete_outdated(known)

    assert (kept, rig.count("comment")) == (1, 0)


async def test_what_is_asked_for_a_follow_up(known: Store) -> None:
    covered = replace(a_series(6), cover=Msgid("6@hs"))
    await save(known, Poll(SERVER, CURSOR, series=(SeriesRead(covered, ()),)))

    assert await ask(known, lambda tx: tx.watch.refs_of(SERVER, [1, 9, 10])) == {
        ONE: SERIES,
        LONE: SubmissionRef(SERVER, SubmissionKind.PATCH, 9),
    }
    assert await ask(known, lambda tx: tx.watch.ref_of_cover(SERVER, PROJECT, Msgid("6@hs"))) == SubmissionRef(
        SERVER, SubmissionKind.SERIES, 6
    )
    assert await ask(known, lambda tx: tx.watch.ref_of_cover(OTHER_SERVER, PROJECT, Msgid("6@hs"))) is None
    async with known.transaction() as tx:
        unknown = SubmissionRef(SERVER, SubmissionKind.SERIES, 7)
        assert await tx.watch.load_submissions([unknown, SubmissionRef(SERVER, SubmissionKind.PATCH, 1)]) == {}


async def test_a_rebuilt_server_is_known_nothing_of_and_nothing_changes(known: Store, rig: StoreRig) -> None:
    await told(known, CheckUpdate(ONE, a_check(1, CheckState.FAIL)), state(30, "new"))
    await followed(known, FollowUpResult(new_comments=(a_comment(1),)))

    changed = await save(known, Poll(SERVER, CURSOR, rebuilt=True))

    assert changed == ()
    assert [rig.count(table) for table in ("early_update", "patch_check", "comment")] == [0, 0, 0]


async def test_a_burst_over_many_series_is_one_change_each(store: Store) -> None:
    reads = tuple(
        SeriesRead(a_series(number, patches=(number,)), (a_patch(number, series=number),)) for number in range(1, 701)
    )
    await save(store, Poll(SERVER, CURSOR, series=reads))

    changed = await save(
        store, Poll(SERVER, CURSOR, updates=tuple(state(number, "accepted") for number in range(1, 701)))
    )

    assert [each.about.id for each in changed] == list(range(1, 701))
