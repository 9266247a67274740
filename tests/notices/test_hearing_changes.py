"""Which rooms hear of a change, and of what in it."""

from dataclasses import replace
from typing import Any

import pytest

from bot.ids import PatchId, RoomId, ServerName, SubscriptionId
from bot.notices.changes import Change, ChangedSubmission, ChangeKind, RoomChanges, changes_by_room, detect
from bot.patchwork.model import CheckState, Comment, Person, Trailer, TrailerKind
from bot.query.index.index import Index, Subscription
from bot.query.options import OnKind
from bot.query.parser import parse
from bot.submission import Submission, SubmissionKind, SubmissionRef
from support.card_rig import numbered, of_series

ROOM, OTHER = RoomId("!room:hs"), RoomId("!other:hs")
SERVER = ServerName("ozlabs")
REVIEW = Trailer(TrailerKind.REVIEWED, "rey@example.com")
COMMENT = Change(ChangeKind.COMMENT, PatchId(101), "", "1", comment=Comment(1, Person("Rey", "rey@example.com")))


def an_index(*queries: str, room: RoomId = ROOM) -> Index:
    index = Index()
    for number, query in enumerate(queries, 1):
        index.add(Subscription(SubscriptionId(number), room, parse(query)))
    return index


def standing(state: str = "new", check: CheckState | None = None, **first: Any) -> Submission:
    """A series of two patches, of which the first has this state, this check of "build/x", and whatever else."""
    one, two = numbered(2)
    one = replace(one, state=state, check=check, **first)
    checks = {one.id: (("build/x", check),)} if check else {}
    return Submission(of_series(one, two), (one, two), checks)


def changed(before: Submission, now: Submission, *more: Change) -> ChangedSubmission:
    return ChangedSubmission(
        about=SubmissionRef(SERVER, SubmissionKind.SERIES, 42),
        series=now.series,
        before=before.patches,
        after=now.patches,
        changes=(*detect(before, now), *more),
        checks=now.checks,
        former_checks=before.checks,
        former=before.series,
    )


def told(found: list[RoomChanges]) -> list[tuple[ChangeKind, PatchId | None]]:
    return [(change.kind, change.patch) for each in found for change in each.posted]


def asked(found: list[RoomChanges]) -> list[tuple[ChangeKind, PatchId | None]]:
    return [(change.kind, change.patch) for each in found for change in each.named]


FIRST = PatchId(101)
NEW, ACCEPTED, REJECTED = standing(), standing("accepted"), standing("rejected")
FAILED, PASSED = standing(check=CheckState.FAIL), standing(check=CheckState.SUCCESS)


@pytest.mark.parametrize(
    ("query", "before", "now", "is_heard"),
    [
        ("path:migration/ on:state", NEW, ACCEPTED, True),
        ("path:hw/ on:state", NEW, ACCEPTED, False),
        ("path:migration/", NEW, ACCEPTED, False),
        ("path:migration/ on:check", NEW, ACCEPTED, False),
        ("state:accepted", NEW, ACCEPTED, True),
        ("state:accepted", ACCEPTED, standing("accepted", delegate="ada"), False),
        ("state:accepted on:state", ACCEPTED, standing("accepted", delegate="ada"), True),
        ("state:accepted on:state", ACCEPTED, NEW, False),
        ("state:accepted", NEW, REJECTED, False),
        ("-state:accepted path:migration/", ACCEPTED, NEW, False),
        ("state:new->accepted", NEW, ACCEPTED, True),
        ("state:new->accepted", REJECTED, ACCEPTED, False),
        ("state:*->rejected", ACCEPTED, REJECTED, True),
        ("state:new->accepted path:hw/", NEW, ACCEPTED, False),
        ("delegate:ada", NEW, standing(delegate="ada"), True),
        ("delegate:ada", standing(delegate="ada"), standing("accepted", delegate="ada"), False),
        ("is:archived", NEW, standing(archived=True), True),
        ("is:reviewed", NEW, standing(trailers=frozenset({REVIEW})), True),
        ("is:reviewed", standing(trailers=frozenset({REVIEW})), standing("new", trailers=frozenset()), False),
        ("path:migration/ on:state", NEW, standing(trailers=frozenset({REVIEW})), True),
        ("path:migration/ on:state", NEW, standing(trailers=frozenset({Trailer(TrailerKind.ACKED, "rey")})), False),
        ("check:fail", NEW, FAILED, True),
        ("check:fail", PASSED, FAILED, True),
        ("check:fail", FAILED, PASSED, False),
        ("check:fail/build*", PASSED, FAILED, True),
        ("check:fail/boot*", PASSED, FAILED, False),
        ("path:migration/ on:check", FAILED, PASSED, True),
        ("path:migration/ on:check,state", NEW, FAILED, True),
        ("path:migration/ on:state,check,comment", NEW, standing(name="[1/2] Another name"), False),
    ],
)
def test_who_hears_of_what(query: str, before: Submission, now: Submission, *, is_heard: bool) -> None:
    assert bool(told(changes_by_room(an_index(query), changed(before, now)))) is is_heard


def test_what_on_names_is_told_beside_a_new_card_and_what_came_true_shows_on_it() -> None:
    [named] = changes_by_room(an_index("path:migration/ on:state"), changed(NEW, ACCEPTED))
    [came_true] = changes_by_room(an_index("state:accepted"), changed(NEW, ACCEPTED))

    assert told([named]) == asked([named]) == told([came_true]) == [(ChangeKind.STATE, FIRST)]
    assert asked([came_true]) == []


def test_the_reason_is_the_term_that_came_true() -> None:
    [each] = changes_by_room(an_index("path:migration/ state:new->accepted"), changed(NEW, ACCEPTED))

    assert [str(why.reason) for why in each.match.why] == [
        "path:migration/ matches migration/ram.c",
        "state:new->accepted matches new->accepted",
    ]


def test_a_room_hears_the_union_of_what_its_subscriptions_do() -> None:
    index = an_index("path:migration/ on:check", "state:accepted", "path:hw/ on:state")

    found = changes_by_room(index, changed(NEW, standing("accepted", CheckState.FAIL)))

    assert told(found) == [(ChangeKind.CHECK, FIRST), (ChangeKind.STATE, FIRST)]
    assert asked(found) == [(ChangeKind.CHECK, FIRST)]


def test_of_the_patches_of_a_series_those_are_told_of_that_match() -> None:
    one, two = numbered(2)
    before = Submission(of_series(one, two), (one, two))
    now = Submission(before.series, (replace(one, state="accepted"), replace(two, state="rejected")))

    found = changes_by_room(an_index("state:rejected,superseded"), changed(before, now))

    assert told(found) == [(ChangeKind.STATE, two.id)]


def test_a_comment_is_for_who_named_comments() -> None:
    index = an_index("path:migration/ on:comment")

    assert told(changes_by_room(index, changed(NEW, NEW, COMMENT))) == [(ChangeKind.COMMENT, FIRST)]
    assert changes_by_room(an_index("path:migration/", "from:ada on:state"), changed(NEW, NEW, COMMENT)) == []


def test_a_comment_on_the_cover_is_for_who_asked_for_one_of_the_patches() -> None:
    on_cover = replace(COMMENT, patch=None)
    second = numbered(2)[1].name

    found = changes_by_room(an_index(f'subject:"{second.partition("] ")[2]}" on:comment'), changed(NEW, NEW, on_cover))

    assert told(found) == [(ChangeKind.COMMENT, None)]


def test_a_review_of_the_cover_is_one_of_all_patches() -> None:
    assert NEW.series is not None
    reviewed = replace(NEW, series=replace(NEW.series, trailers=frozenset({REVIEW})))
    index = an_index("is:reviewed")

    assert told(changes_by_room(index, changed(NEW, reviewed))) == [(ChangeKind.TRAILERS, None)]
    assert changes_by_room(index, changed(reviewed, replace(reviewed, patches=ACCEPTED.patches))) == []


def test_a_review_tells_who_gave_it() -> None:
    kim = Trailer(TrailerKind.REVIEWED, "kim@example.com")
    before, now = standing(trailers=frozenset({kim})), standing(trailers=frozenset({kim, REVIEW}))

    [each] = changes_by_room(an_index("path:migration/ on:state"), changed(before, now))

    assert [(change.before, change.after) for change in each.posted] == [
        ("kim@example.com", "kim@example.com\nrey@example.com")
    ]


@pytest.mark.parametrize(
    ("queries", "kinds"),
    [
        (["path:migration/ on:state"], [ChangeKind.TRAILERS]),
        (["path:migration/ on:state,comment"], []),
        (["path:migration/ on:state", "path:migration/ on:comment"], []),
        (["path:migration/ on:state", 'path:migration/ on:comment digest:"daily 09:00"'], [ChangeKind.TRAILERS]),
    ],
)
def test_a_review_is_not_told_again_where_its_comment_is(queries: list[str], kinds: list[ChangeKind]) -> None:
    found = changes_by_room(an_index(*queries), changed(NEW, standing(trailers=frozenset({REVIEW}))))

    assert [change.kind for each in found for change in each.posted] == kinds


def test_a_worst_check_whose_contexts_nobody_told_is_a_check_that_changed() -> None:
    before = replace(PASSED, checks={})
    now = replace(FAILED, checks={})

    [each] = changes_by_room(an_index("check:fail"), changed(before, now))

    assert [(change.context, change.before, change.after) for change in each.posted] == [("", "success", "fail")]


def test_a_patch_that_was_not_known_has_not_changed() -> None:
    before = Submission(NEW.series, NEW.patches[1:])

    assert (
        changes_by_room(an_index("path:migration/ on:state,check", "state:accepted"), changed(before, ACCEPTED)) == []
    )


def test_what_waits_for_a_digest_is_told_by_no_reply() -> None:
    [each] = changes_by_room(an_index('path:migration/ on:state digest:"daily 09:00"'), changed(NEW, ACCEPTED))

    assert (each.posted, each.named) == ((), ())
    assert [options.digest is not None for options in each.match.options] == [True]


@pytest.mark.parametrize(
    ("queries", "listened"),
    [
        (["path:migration/"], []),
        (["path:migration/ on:comment,state"], ["state", "comment"]),
        (["check:fail", "is:reviewed"], ["state", "check"]),
    ],
)
def test_the_index_knows_whether_anybody_listens_for_a_change(queries: list[str], listened: list[str]) -> None:
    index = an_index(*queries)

    assert [on for on in (OnKind.STATE, OnKind.CHECK, OnKind.COMMENT) if index.has_subscriptions_to([on])] == listened


def test_the_index_forgets_who_listened() -> None:
    index = an_index("path:migration/ on:state", "check:fail")

    index.add(Subscription(SubscriptionId(1), OTHER, parse("path:migration/")))
    index.remove(SubscriptionId(2))

    assert changes_by_room(index, changed(NEW, standing("accepted", CheckState.FAIL))) == []
