"""Which rooms hear of what arrives, and in which form."""

import pytest

from bot.ids import Msgid, PatchId, ProjectName, RoomId, SeriesId, ServerName, SubscriptionId
from bot.patchwork.model import FileChange, Patch, Person, Series
from bot.subscriptions.index import Index, Subscription
from bot.subscriptions.matching import Arrival, Judged, match_rooms
from bot.subscriptions.parser import parse
from bot.subscriptions.wishes import Digest, Form, Wishes, richest

ROOM, OTHER = RoomId("!room:hs"), RoomId("!other:hs")
ADA = Person("Ada", "ada@example.org")
DAILY, MONDAYS = Digest(frozenset(range(7)), 9, 0), Digest(frozenset({0}), 9, 0)


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
    return Arrival(Judged(ServerName("ozlabs"), series, (patch,)), frozenset({PatchId(1)}), revision, known_in)


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


def test_each_room_has_the_wishes_of_all_that_matched() -> None:
    index = an_index(room="path:migration/ as:compact", room_='subject:fix digest:"daily 09:00"', other="from:ada")

    found = {match.room: match.wishes for match in match_rooms(index, arriving())}

    assert found == {ROOM: (Wishes(form=Form.COMPACT), Wishes(digest=DAILY)), OTHER: (Wishes(),)}


@pytest.mark.parametrize(
    ("wishes", "mode", "form"),
    [
        ([Wishes()], Form.CARD, Form.CARD),
        ([Wishes()], Form.COMPACT, Form.COMPACT),
        ([Wishes(form=Form.CARD)], Form.COMPACT, Form.CARD),
        ([Wishes(form=Form.COMPACT), Wishes()], Form.CARD, Form.CARD),
        ([Wishes(form=Form.COMPACT), Wishes(digest=DAILY)], Form.CARD, Form.COMPACT),
        ([Wishes(digest=DAILY, form=Form.CARD)], Form.CARD, None),
    ],
)
def test_the_richest_form_wins(wishes: list[Wishes], mode: Form, form: Form | None) -> None:
    assert richest(wishes, mode)[0] == form


def test_digests_are_named_only_where_nobody_wants_it_at_once() -> None:
    waiting = [Wishes(digest=DAILY), Wishes(digest=MONDAYS), Wishes(digest=DAILY)]

    assert richest(waiting, Form.CARD) == (None, (DAILY, MONDAYS))
    assert richest([*waiting, Wishes()], Form.CARD) == (Form.CARD, ())
