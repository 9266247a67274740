"""Which rooms hear of what arrives, and in which form."""

import pytest

from bot.ids import Msgid, PatchId, ProjectName, RoomId, SeriesId, ServerName, SubscriptionId
from bot.patchwork.model import FileChange, Patch, Person, Series
from bot.query.index.index import Index, Subscription
from bot.query.options import CardForm, DigestTimes, SubscriptionOptions, richest
from bot.query.parser import parse
from bot.submission import Submission
from bot.subscriptions.matching import LONGEST_FOUND, MOST_FOUND, Arrival, match_rooms

ROOM, OTHER = RoomId("!room:hs"), RoomId("!other:hs")
ADA = Person("Ada", "ada@example.org")
DAILY, MONDAYS = DigestTimes(frozenset(range(7)), 9, 0), DigestTimes(frozenset({0}), 9, 0)


def an_index(**queries: str) -> Index:
    index = Index()
    for number, (name, query) in enumerate(queries.items(), 1):
        room = {"room": ROOM, "other": OTHER}[name.rstrip("_")]
        index.add(Subscription(SubscriptionId(number), room, parse(query)))
    return index


def arriving(*, revision: bool = False, known_in: frozenset[RoomId] = frozenset()) -> Arrival:
    """A series of one patch to migration/ram.c."""
    patch = Patch(
        PatchId(1), ProjectName("qemu-devel"), Msgid("m"), "Fix it", ADA, files=(FileChange("migration/ram.c"),)
    )
    series = Series(SeriesId(1), ProjectName("qemu-devel"), "Fix it", 2 if revision else 1, ADA)
    return Arrival(ServerName("ozlabs"), Submission(series, (patch,)), frozenset({PatchId(1)}), revision, known_in)


def arriving_large(paths: list[str], news: frozenset[int]) -> Arrival:
    """A series of a patch to each of *paths*, numbered from 1, of which some are news."""
    patches = tuple(
        Patch(PatchId(number), ProjectName("qemu-devel"), Msgid(f"m{number}"), "Fix", ADA, files=(FileChange(path),))
        for number, path in enumerate(paths, 1)
    )
    series = Series(SeriesId(1), ProjectName("qemu-devel"), "Fix", 1, ADA, total=len(patches))
    return Arrival(ServerName("ozlabs"), Submission(series, patches), frozenset(map(PatchId, news)))


@pytest.mark.parametrize(
    ("query", "new", "again", "unseen_revision"),
    [
        ("path:migration/", True, True, True),
        ("path:migration/ on:new", True, False, True),
        ("path:migration/ on:revision", False, True, True),
        ("path:migration/ on:state", False, False, False),
        ("path:migration/ on:comment,revision", False, True, True),
    ],
)
def test_what_on_says_decides_about_new_work_and_revisions(
    query: str, *, new: bool, again: bool, unseen_revision: bool
) -> None:
    """What a room sees first of a work is new to it, whatever its version."""
    index = an_index(room=query)

    heard = [
        bool(match_rooms(index, arrival))
        for arrival in (
            arriving(),
            arriving(revision=True, known_in=frozenset({ROOM})),
            arriving(revision=True, known_in=frozenset({OTHER})),
        )
    ]

    assert heard == [new, again, unseen_revision]


def test_the_reasons_are_of_those_that_hear_of_it_alone() -> None:
    index = an_index(room="path:migration/ on:state", room_="subject:fix")

    [match] = match_rooms(index, arriving())

    assert [why.subscription for why in match.why] == [2]


def test_each_room_has_the_options_of_all_that_matched() -> None:
    index = an_index(room="path:migration/ as:compact", room_='subject:fix digest:"daily 09:00"', other="from:ada")

    found = {match.room: match.options for match in match_rooms(index, arriving())}

    assert found == {
        ROOM: (SubscriptionOptions(form=CardForm.COMPACT), SubscriptionOptions(digest=DAILY)),
        OTHER: (SubscriptionOptions(),),
    }


@pytest.mark.parametrize(
    ("options", "mode", "form"),
    [
        ([SubscriptionOptions()], CardForm.CARD, CardForm.CARD),
        ([SubscriptionOptions()], CardForm.COMPACT, CardForm.COMPACT),
        ([SubscriptionOptions(form=CardForm.CARD)], CardForm.COMPACT, CardForm.CARD),
        ([SubscriptionOptions(form=CardForm.COMPACT), SubscriptionOptions()], CardForm.CARD, CardForm.CARD),
        (
            [SubscriptionOptions(form=CardForm.COMPACT), SubscriptionOptions(digest=DAILY)],
            CardForm.CARD,
            CardForm.COMPACT,
        ),
        ([SubscriptionOptions(digest=DAILY, form=CardForm.CARD)], CardForm.CARD, None),
    ],
)
def test_the_richest_form_wins(options: list[SubscriptionOptions], mode: CardForm, form: CardForm | None) -> None:
    assert richest(options, mode)[0] == form


def test_digests_are_named_only_where_nobody_wants_it_at_once() -> None:
    waiting = [
        SubscriptionOptions(digest=DAILY),
        SubscriptionOptions(digest=MONDAYS),
        SubscriptionOptions(digest=DAILY),
    ]

    assert richest(waiting, CardForm.CARD) == (None, (DAILY, MONDAYS))
    assert richest([*waiting, SubscriptionOptions()], CardForm.CARD) == (CardForm.CARD, ())


def test_a_series_of_thousands_of_patches_gives_each_subscription_a_hundred_reasons_at_most() -> None:
    index = an_index(room="path:drivers/", room_="path:drivers/ OR project:qemu-devel", other="project:qemu-devel")
    paths = [f"drivers/{number}.c" for number in range(3_000)]

    found = match_rooms(index, arriving_large(paths, news=frozenset({3_000})))

    assert [match.room for match in found] == [OTHER, ROOM]
    assert [len(match.why) for match in found] == [1, 100 + 51]  # of the second one two reasons a patch, one in common
    assert found[1].paths == tuple(paths[:MOST_FOUND])


def test_only_a_last_patch_that_is_news_still_brings_a_card_though_all_before_it_matched() -> None:
    index = an_index(room="path:drivers/", other="path:net/")
    paths = [*(f"drivers/{number}.c" for number in range(300)), "net/x.c"]

    found = match_rooms(index, arriving_large(paths, news=frozenset({301})))

    assert [match.room for match in found] == [OTHER]


def test_a_file_name_of_many_kilobytes_is_not_kept_whole_with_each_card() -> None:
    index = an_index(room="path:drivers/", room_="path:**")

    [found] = match_rooms(index, arriving_large(["drivers/" + "x" * 64_000], news=frozenset({1})))

    assert [len(each.reason.seen[0]) for each in found.why] == [LONGEST_FOUND] * 2
    assert found.paths == ("drivers/" + "x" * (LONGEST_FOUND - 8),)
