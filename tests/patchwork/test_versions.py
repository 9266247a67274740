"""Which series is a new version of which."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import Msgid
from bot.patchwork.diff import OF_NOTHING
from bot.patchwork.model import Person, Version, is_partial_reroll, may_follow, version_of
from bot.patchwork.versions import Evidence, Newcomer, PredecessorCandidate, days_between, follow, newcomer, plain_name
from support.versions_rig import ADA, NAME, a_version, many, new, old, patches

V5 = a_version(5, 5)
BOB = Person("Bob", "bob@example.org")


@pytest.mark.parametrize(
    ("case", "newer", "candidates", "former"),
    [
        ("the same name", new(a_version(9, 6)), [old(V5)], 5),
        ("the highest lower version", new(a_version(9, 6)), [old(a_version(3, 3)), old(V5), old(a_version(4, 4))], 5),
        ("the newest of several", new(a_version(9, 6)), [old(a_version(7, 5)), old(V5)], 7),
        ("a version was never seen", new(a_version(9, 6)), [old(a_version(2, 2))], 2),
        ("other brackets, case, spaces", new(a_version(9, 6, "[v6,1/2]  MIGRATION: fix  it all")), [old(V5)], 5),
        ("another case of the address", new(a_version(9, 6, submitter=Person("", "ADA@Example.org"))), [old(V5)], 5),
        ("another case of the project", new(a_version(9, 6, project="QEMU-devel")), [old(V5)], 5),
        ("most have arrived", new(a_version(9, 6, subjects=many(17), total=18)), [old(V5)], 5),
        ("the cover and few patches have arrived", new(a_version(9, 6, subjects=many(3), total=18)), [old(V5)], 5),
        ("a short name within a year", new(a_version(9, 2, "fix")), [old(a_version(1, 1, "fix"))], 1),
        ("a long name after years", new(a_version(9, 6, date="2029-01-01T00:00:00")), [old(V5)], 5),
        ("another name, the same diffs", new(a_version(9, 6, "Renamed"), "a", "b"), [old(V5, "a", "b")], 5),
        ("another name, half of the diffs", new(a_version(9, 6, "Renamed"), "a", "c"), [old(V5, "a", "b")], 5),
        ("a reply to the cover", new(a_version(9, 6, "Renamed"), parent="5-0@hs"), [old(V5)], 5),
        ("a reply to a patch", new(a_version(9, 6, "Renamed"), parent="5-2@hs"), [old(V5)], 5),
        (
            "a reply to the first of all versions",
            new(a_version(9, 6), parent="1-0@hs"),
            [old(V5, former=1), old(a_version(1, 1, "Of old"))],
            5,
        ),
        (
            "grown from one patch",
            new(a_version(9, 2, subjects=many(5)), parent="1-1@hs"),
            [old(a_version(1, 1, "One", subjects=("One",)))],
            1,
        ),
        ("a whole v5.1", new(a_version(9, 1, subjects=("[v5.1,1/2] One", "[v5.1,2/2] Two"))), [old(V5)], 5),
        ("a v6 after a v5.1", new(a_version(9, 6)), [old(V5), old(a_version(7, 1, subjects=("[v5.1,1/1] One",)))], 7),
    ],
)
def test_a_version_follows(case: str, newer: Newcomer, candidates: Sequence[PredecessorCandidate], former: int) -> None:
    link = follow(newer, candidates)

    assert link is not None, case
    assert link.former.id == former, case


@pytest.mark.parametrize(
    ("case", "newer", "candidates"),
    [
        ("nothing is known", new(a_version(9, 6)), []),
        ("another name", new(a_version(9, 6, "migration: Fix something else")), [old(V5)]),
        ("another submitter", new(a_version(9, 6, submitter=BOB), "a", "b", parent="5-0@hs"), [old(V5, "a", "b")]),
        (
            "no address",
            new(a_version(9, 6, submitter=Person("Ada", ""))),
            [old(a_version(5, 5, submitter=Person("Ada", "")))],
        ),
        ("another project", new(a_version(9, 6, project="netdev"), "a", "b"), [old(V5, "a", "b")]),
        ("the same version: sent again", new(a_version(9, 5), "a", "b", parent="5-0@hs"), [old(V5, "a", "b")]),
        ("sent again, and one before", new(a_version(9, 5)), [old(V5), old(a_version(4, 4))]),
        ("a higher version", new(a_version(9, 4)), [old(V5)]),
        ("a first version", new(a_version(9, 1)), [old(V5), old(a_version(1, 1))]),
        ("it came later", new(a_version(4, 6)), [old(V5)]),
        (
            "a short name after more than a year",
            new(a_version(9, 2, "fix", date="2028-01-01T00:00:00")),
            [old(a_version(1, 1, "fix"))],
        ),
        ("a short name at no time", new(a_version(9, 2, "fix", date="")), [old(a_version(1, 1, "fix"))]),
        ("no name", new(a_version(9, 6, "[v6]")), [old(a_version(5, 5, "[v5]"))]),
        (
            "diffs of which too few are alike",
            new(a_version(9, 6, "Renamed", subjects=many(5)), "a", "b"),
            [old(a_version(5, 5, subjects=many(5)), "a", "b")],
        ),
        (
            "a patch of many that is sent alone",
            new(a_version(9, 2, "Step 3", subjects=("Step 3",)), "c", parent="1-3@hs"),
            [old(a_version(1, 1, subjects=many(9)), *"abcdefghi")],
        ),
        (
            "a patch that is part of another work",
            new(a_version(9, 2, "Other", subjects=many(9)), *"abcdefghi"),
            [old(a_version(1, 1, "One", subjects=("One",)), "a")],
        ),
        (
            "the first patch was sent anew, alone",
            new(a_version(9, 6, "[v6,1/9] Step 1", subjects=("[v6,1/9] Step 1",), total=9, cover=False)),
            [old(a_version(5, 5, "[v5,1/9] Step 1", subjects=many(9), cover=False))],
        ),
        (
            "single patches that were sent anew",
            new(a_version(9, 6, "[v6,3/9] Step 3", subjects=("[v6,3/9] Step 3",), total=9), "c", parent="5-3@hs"),
            [old(a_version(5, 5, subjects=many(9)), "c")],
        ),
        (
            "the name says one, the thread another",
            new(a_version(9, 6), parent="4-0@hs"),
            [old(V5), old(a_version(4, 4, "Another work"))],
        ),
        (
            "the name says one, the diffs another",
            new(a_version(9, 6), "a", "b"),
            [old(V5), old(a_version(4, 4, "Another work"), "a", "b")],
        ),
        (
            "the diffs say one, the thread another",
            new(a_version(9, 6, "New"), "a", "b", parent="4-0@hs"),
            [old(V5, "a", "b"), old(a_version(4, 4, "Other"))],
        ),
        (
            "two works of other names have its diffs",
            new(a_version(9, 6, "New"), "a", "b"),
            [old(V5, "a", "b"), old(a_version(4, 5, "Other"), "a", "b")],
        ),
        (
            "only part of a version was sent anew",
            new(a_version(9, 6)),
            [old(a_version(7, 1, subjects=("[v5.1,1/2] One",), total=2))],
        ),
        ("a reply to a review", new(a_version(9, 6, "Renamed"), parent="somebody@hs"), [old(V5)]),
    ],
)
def test_nothing_is_claimed(case: str, newer: Newcomer, candidates: Sequence[PredecessorCandidate]) -> None:
    assert follow(newer, candidates) is None, case


def test_what_told_is_said() -> None:
    newer = new(a_version(9, 6), "a", "b", parent="5-0@hs")

    link = follow(newer, [old(V5, "a", "b")])

    assert link is not None
    assert link.evidence == (Evidence.NAME, Evidence.DIFFS, Evidence.THREAD)


# Some patches of a version, sent anew

BASE = a_version(5, 5, subjects=many(12))
TENTH = "[v5.1,10/12] Step 10"


def partial(*subjects: str, total: int = 12, number: int = 9) -> Newcomer:
    return new(a_version(number, 1, subjects[0], subjects=subjects, total=total))


@pytest.mark.parametrize("subjects", [(TENTH,), ("[PATCH v5.1 10/12]  step 10",), (TENTH, "[v5.1,11/12] Step 11")])
def test_a_partial_reroll_is_of_the_version_whose_patches_it_has(subjects: tuple[str, ...]) -> None:
    link = follow(partial(*subjects), [old(a_version(4, 4, subjects=many(12))), old(BASE), old(a_version(6, 6))])

    assert link is not None
    assert (link.former, link.evidence) == (BASE, (Evidence.REROLL,))


@pytest.mark.parametrize(
    ("case", "newer", "candidates"),
    [
        ("another number", partial("[v5.1,9/12] Step 10"), [old(BASE)]),
        ("another subject", partial("[v5.1,10/12] Step ten"), [old(BASE)]),
        ("of another count", partial("[v5.1,10/13] Step 10", total=13), [old(BASE)]),
        ("one fits, one does not", partial(TENTH, "[v5.1,11/12] Another"), [old(BASE)]),
        ("another version", partial("[v4.1,10/12] Step 10"), [old(BASE)]),
        ("another submitter", partial(TENTH), [old(replace(BASE, submitter=BOB))]),
        ("two works", partial(TENTH), [old(BASE), old(a_version(6, 5, "Another", subjects=many(12)))]),
        ("no number", partial("[v5.1] Step 10"), [old(BASE)]),
    ],
)
def test_a_partial_reroll_of_what_is_not_known_claims_nothing(
    case: str, newer: Newcomer, candidates: Sequence[PredecessorCandidate]
) -> None:
    assert follow(newer, candidates) is None, case


def test_a_second_partial_reroll_is_of_the_whole_version() -> None:
    first = a_version(7, 1, TENTH, subjects=(TENTH,), total=12)

    link = follow(partial("[v5.2,10/12] Step 10"), [old(BASE), old(first, former=5)])

    assert link is not None
    assert link.former == BASE


@pytest.mark.parametrize(
    ("name", "subjects", "total", "version", "is_partial"),
    [
        (NAME, many(2), 2, Version(1), False),
        (TENTH, (TENTH,), 12, Version(5, 1), True),
        ("[V5.1] One", ("[V5.1] One",), 1, Version(5, 1), False),
        (NAME, (TENTH, "[v5.1,11/12] Step 11"), 12, Version(5, 1), True),
        (NAME, (TENTH, "[v6,11/12] Step 11"), 12, Version(1), False),
        ("[v5.1,v5.2] One", ("[v5.1,v5.2] One",), 9, Version(1), False),
        ("[v10.1-rc] One", ("[v10.1-rc] One",), 9, Version(1), False),
    ],
)
def test_a_dotted_version_is_what_all_patches_say(
    name: str, subjects: tuple[str, ...], total: int, version: Version, *, is_partial: bool
) -> None:
    series = a_version(9, 1, name, subjects=subjects, total=total)

    assert (version_of(series), is_partial_reroll(series)) == (version, is_partial)


def test_versions_are_written_as_people_do() -> None:
    assert [str(Version(6)), str(Version(5, 1))] == ["v6", "v5.1"]


# What is read of a newcomer


def test_a_series_replies_to_the_first_mail_above_it_that_is_not_its_own() -> None:
    one, two = patches(a_version(9, 6), ["a", OF_NOTHING])
    one = replace(one, replies_to=(Msgid("1-0@hs"), Msgid("5-0@hs"), Msgid("9-0@hs")))
    two = replace(two, replies_to=(Msgid("5-0@hs"), Msgid("9-0@hs"), Msgid("9-1@hs")))

    assert newcomer(a_version(9, 6), [one, two], [one, two]) == new(a_version(9, 6), "a", parent="5-0@hs")


def test_patches_that_reply_to_different_mails_say_nothing_of_the_series() -> None:
    one, two = patches(a_version(9, 6), [None, None])

    both = [replace(one, replies_to=(Msgid("5-1@hs"),)), replace(two, replies_to=(Msgid("5-2@hs"),))]

    assert newcomer(a_version(9, 6), both, both).parent is None


@pytest.mark.parametrize(
    ("before", "after", "days"),
    [
        ("2026-11-01T12:00:00", "2026-11-07T12:00:00", 6),
        ("2026-11-01T12:00:00", "2026-11-02T11:59:59", 0),
        ("2026-11-01T12:00:00Z", "2026-11-02T12:00:00.5", 1),
        ("2026-11-02T12:00:00", "2026-11-01T12:00:00", None),
        ("", "2026-11-01T12:00:00", None),
        ("2026-11-01T12:00:00", "tomorrow", None),
    ],
)
def test_the_days_between_two_versions_are_counted_by_their_mails(before: str, after: str, days: int | None) -> None:
    assert days_between(a_version(5, 5, date=before), a_version(9, 6, date=after)) == days


# Whatever comes

names = st.sampled_from([NAME, "fix", "Other", "", "[v5.1,1/2] One"]) | st.text(max_size=20)
hashes = st.lists(st.sampled_from("abcd"), max_size=4)
serieses = st.builds(
    a_version,
    st.integers(1, 30),
    st.integers(0, 4),
    names,
    subjects=st.lists(names, max_size=4).map(tuple),
    date=st.sampled_from(["", "2026-11-01T12:00:00", "2024-01-01T00:00:00"]) | st.text(max_size=5),
    submitter=st.sampled_from([ADA, BOB, Person("", "")]),
    project=st.sampled_from(["qemu-devel", "netdev"]),
    total=st.integers(0, 6),
)
mails = st.sampled_from([f"{number}-{patch}@hs" for number in range(30) for patch in range(2)])
newcomers = st.builds(lambda series, own, parent: new(series, *own, parent=parent), serieses, hashes, st.none() | mails)
candidates_of = st.builds(
    lambda series, own, former: old(series, *own, former=former), serieses, hashes, st.none() | st.integers(1, 30)
)


@given(
    newcomers,
    st.lists(candidates_of, max_size=6, unique_by=lambda each: each.series.id),
    st.randoms(use_true_random=False),
)
def test_a_former_version_is_by_the_same_hand_and_lower_whatever_order_is_asked_in(
    newer: Newcomer, candidates: list[PredecessorCandidate], order: random.Random
) -> None:
    link = follow(newer, candidates)

    shuffled = sorted(candidates, key=lambda _: order.random())
    assert follow(newer, shuffled) == link
    if link is not None:
        assert link.former in [each.series for each in candidates]
        assert link.former.id < newer.series.id
        assert link.former.project == newer.series.project
        assert link.former.submitter.email == newer.series.submitter.email != ""
        assert version_of(link.former) < version_of(newer.series)
        assert link.evidence


def test_only_a_later_version_may_follow_another() -> None:
    reroll = a_version(3, version=1, subjects=("[v1.1,1/2] One",), total=2)

    assert not may_follow(a_version(1, version=1))
    assert may_follow(a_version(2, version=2))
    assert may_follow(reroll)


@given(st.text())
def test_brackets_say_nothing_of_a_name(name: str) -> None:
    assert plain_name(f"[v2,1/2] {name}") == plain_name(name)
