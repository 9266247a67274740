"""What a room's state tells."""

from collections.abc import Mapping

import pytest

from bot.ids import RoomId, UserId
from bot.matrix.model import Event, JoinedRoom
from bot.matrix.rooms import Room
from support.matrix_rig import an_event

ANN, BOB, CY = UserId("@ann:hs"), UserId("@bob:hs"), UserId("@cy:hs")
SUBSCRIPTION = "org.patchbot.subscription"


def created(version: str | None = "10", **content: object) -> Event:
    more = {} if version is None else {"room_version": version}
    return an_event("m.room.create", content={**more, **content}, state_key="", sender=ANN)


def levels(**content: object) -> Event:
    return an_event("m.room.power_levels", content=content, state_key="")


def a_room(*events: Event) -> Room:
    return Room(RoomId("!room:hs")).after(events)


@pytest.mark.parametrize(
    ("events", "who_may"),
    [
        pytest.param([created(), levels(users={ANN: 100}, state_default=50)], {ANN}, id="listed"),
        pytest.param([created(), levels(users={ANN: 100, BOB: 50})], {ANN, BOB}, id="just enough"),
        pytest.param([created(), levels(users={ANN: 49})], set(), id="one too few"),
        pytest.param([created(), levels(users_default=50)], {ANN, BOB, CY}, id="everybody"),
        pytest.param([created(), levels(users_default=50, users={BOB: 0})], {ANN, CY}, id="all but one"),
        pytest.param([created(), levels(events={SUBSCRIPTION: 0})], {ANN, BOB, CY}, id="the room's own wish"),
        pytest.param([created(), levels(events={SUBSCRIPTION: 75}, users={BOB: 60, CY: 75})], {CY}, id="a higher wish"),
        pytest.param([created(), levels(state_default=0)], set(), id="our own default wins over the room's"),
        pytest.param([created("12")], {ANN}, id="creator of version 12"),
        pytest.param([created("12"), levels(users={BOB: 50})], {ANN, BOB}, id="creator of version 12, not listed"),
        pytest.param([created("12", additional_creators=[BOB])], {ANN, BOB}, id="additional creator"),
        pytest.param([created("12", additional_creators=[BOB, 7])], {ANN}, id="additional creators that are not users"),
        pytest.param(
            [created("12", additional_creators=[BOB, "cy"])], {ANN}, id="an additional creator that is no user"
        ),
        pytest.param([created("12", additional_creators={BOB: 1})], {ANN}, id="additional creators that are no list"),
        pytest.param([created("13", additional_creators=[BOB])], set(), id="a version that is not known"),
        pytest.param([created("org.example.12"), levels(users={CY: 50})], {CY}, id="a version that nobody knows"),
        pytest.param([created("12.0")], set(), id="a version that is nearly known"),
        pytest.param([levels(users={BOB: 50})], {BOB}, id="no create event"),
        pytest.param([created("11", additional_creators=[BOB]), levels(users={})], set(), id="too old a version"),
        pytest.param([created("10"), levels(users={BOB: "50"})], {BOB}, id="a level as text"),
        pytest.param([created("10"), levels(users={BOB: "many", CY: True, ANN: 1.5})], set(), id="no levels at all"),
        pytest.param([created("10"), levels(users=[BOB], users_default=None)], set(), id="malformed"),
        pytest.param([created("10")], {ANN}, id="no levels: the creator"),
    ],
)
def test_who_may_subscribe(events: list[Event], who_may: set[UserId]) -> None:
    room = a_room(*events)

    assert {user for user in (ANN, BOB, CY) if room.may_set(user, SUBSCRIPTION, 50)} == who_may


def test_a_state_event_without_a_default_of_ours_has_the_room_s() -> None:
    assert a_room(created(), levels(state_default=30)).level_to_set("m.room.topic") == 30
    assert a_room(created(), levels()).level_to_set("m.room.topic") == 50
    assert a_room(created()).level_to_set("m.room.topic") == 0


@pytest.mark.parametrize(
    ("kind", "content", "attribute", "value"),
    [
        ("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}, "is_encrypted", True),
        ("m.room.tombstone", {"replacement_room": "!new:hs"}, "replacement", "!new:hs"),
        ("m.room.tombstone", {"replacement_room": 7}, "replacement", None),
        ("m.room.canonical_alias", {"alias": "#a:hs"}, "canonical_alias", "#a:hs"),
        ("m.room.canonical_alias", {}, "canonical_alias", None),
        ("m.room.join_rules", {"join_rule": "public"}, "join_rule", "public"),
        ("m.room.join_rules", {"join_rule": []}, "join_rule", "invite"),
        ("m.room.create", {"predecessor": {"room_id": "!old:hs"}}, "predecessor", "!old:hs"),
        ("m.room.create", {"predecessor": "!old:hs"}, "predecessor", None),
        ("m.room.create", {}, "version", "1"),
    ],
)
def test_a_state_event_changes_the_room(
    kind: str, content: Mapping[str, object], attribute: str, value: object
) -> None:
    room = a_room(an_event(kind, content=content, state_key=""))

    assert getattr(room, attribute) == value


@pytest.mark.parametrize("state_key", [None, "other"])
def test_an_event_under_another_key_changes_nothing(state_key: str | None) -> None:
    room = a_room(an_event("m.room.encryption", state_key=state_key))

    assert not room.is_encrypted


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
@pytest.mark.parametrize(
    ("kind", "key", "field"),
    [
        ("m.room.encryption", "algorithm", "algorithm"),
        ("m.room.tombstone", "replacement_room", "replacement"),
        ("m.room.canonical_alias", "alias", "canonical_alias"),
        ("m.room.name", "name", "name"),
        ("m.room.create", "room_version", "version"),
        ("m.room.join_rules", "join_rule", "join_rule"),
    ],
)
def test_what_no_database_could_store_counts_as_absent(kind: str, key: str, field: str, text: str) -> None:
    told, absent = (an_event(kind, content=content, state_key="") for content in ({key: text}, {}))

    assert getattr(a_room(told), field) == getattr(a_room(absent), field)


@pytest.mark.parametrize(
    ("joined", "invited", "is_lonely"),
    [(1, 0, True), (1, None, True), (1, 1, False), (2, 0, False), (None, None, False)],
)
def test_a_room_is_lonely_when_nobody_is_there_nor_about_to_come(
    joined: int | None, invited: int | None, is_lonely: bool
) -> None:
    room = Room(RoomId("!room:hs")).after_sync(a_joined(joined, invited))

    assert room.is_lonely is is_lonely


def test_counts_that_a_sync_does_not_tell_stay() -> None:
    room = Room(RoomId("!room:hs")).after_sync(a_joined(1, 1)).after_sync(a_joined(None, 0))

    assert (room.joined_members, room.invited_members) == (1, 0)


def a_joined(joined: int | None, invited: int | None) -> JoinedRoom:
    return JoinedRoom(RoomId("!room:hs"), (), (), False, None, joined, invited)
