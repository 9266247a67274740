"""What is kept of an answer that others have made large."""

import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from bot.errors import Permanent
from bot.ids import RoomId, UserId
from bot.matrix import answer_limits as readings
from bot.matrix import answer_reader, wire
from bot.matrix.answer_reader import MatrixResponseReader, MatrixResponseTooLarge, ReadPlan
from bot.matrix.model import NOBODY, Invitation, MatrixResponse, SyncAnswer

ME, ANN = UserId("@bot:hs"), UserId("@ann:hs")
MIB = 1024 * 1024
STEP = 65_536


def an_event(body: str = "hello", **more: object) -> dict[str, object]:
    said = {"msgtype": "m.text", "body": body}
    event = {"event_id": "$1", "sender": ANN, "type": "m.room.message", "content": said, "origin_server_ts": 1}
    return event | more


def an_invitation(user: str = ME, size: int = 0) -> dict[str, object]:
    content = {"membership": "invite", "reason": "x" * size}
    return {"type": "m.room.member", "state_key": user, "sender": ANN, "content": content}


def joined(*events: Mapping[str, object]) -> dict[str, object]:
    return {"timeline": {"events": list(events), "prev_batch": "p"}, "state": {"events": []}}


def invited(*events: Mapping[str, object]) -> dict[str, object]:
    return {"invite_state": {"events": list(events)}}


def read(document: object, reading: ReadPlan | None = None) -> MatrixResponse:
    reader = MatrixResponseReader(reading or readings.sync(ME))
    body = json.dumps(document).encode()
    for start in range(0, len(body), STEP):
        reader.feed(body[start : start + STEP])
    return reader.answer()


def synced(document: object) -> SyncAnswer:
    answer = read(document)
    return wire.sync_answer(answer.content, ME, answer.left_out)


def test_an_invitation_is_read_past_eleven_megabytes_of_the_rooms_state() -> None:
    junk = [
        {"type": "m.room.topic", "state_key": str(key), "sender": ANN, "content": {"topic": "x" * 50_000}}
        for key in range(40)
    ]

    answer = synced({"next_batch": "s1", "rooms": {"invite": {"!a:evil": invited(*junk, an_invitation())}}})

    assert answer.invited == (Invitation(RoomId("!a:evil"), ANN, direct=False),)


def test_an_invitation_that_cannot_be_read_comes_from_nobody_so_that_it_is_declined() -> None:
    large, without = invited(an_invitation(size=MIB)), invited(an_invitation("@other:hs"))

    answer = synced({"next_batch": "s1", "rooms": {"invite": {"!a:evil": large, "!b:evil": without, "!c:evil": {}}}})

    assert [(each.room, each.inviter) for each in answer.invited] == [
        (RoomId(room), NOBODY) for room in ("!a:evil", "!b:evil", "!c:evil")
    ]


def test_of_a_rooms_state_only_what_is_about_the_room_itself_is_kept() -> None:
    name: dict[str, object] = {"type": "m.room.name", "content": {"name": "x"}}
    state = [an_event() | name | {"state_key": key} for key in ("", "one", "two")]
    room = joined() | {"state": {"events": [*state, an_event(type="m.room.member", state_key=ANN)]}}

    (only,) = synced({"next_batch": "s1", "rooms": {"join": {"!a:hs": room}}}).joined

    assert [(event.type, event.state_key) for event in only.state] == [("m.room.name", ""), ("m.room.member", ANN)]


def test_where_all_is_too_much_the_largest_room_loses_its_part_and_the_others_are_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answer_reader, "MAX_KEPT_BYTES", MIB)
    large = joined(*[an_event("x" * 50_000) for _ in range(30)])
    rooms = {"!a:hs": joined(an_event("one")), "!b:hs": large, "!c:hs": joined(an_event("two"))}

    answer = synced({"rooms": {"join": rooms}, "next_batch": "s2"})

    told = {each.room: each for each in answer.joined}
    assert [[event.content["body"] for event in told[RoomId(room)].timeline] for room in ("!a:hs", "!c:hs")] == [
        ["one"],
        ["two"],
    ]
    gap = told[RoomId("!b:hs")]
    assert (gap.timeline, gap.limited, gap.prev_batch, gap.is_partial) == ((), True, "s2", True)


def test_device_lists_that_are_too_long_let_all_devices_be_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_reader, "MAX_KEPT_BYTES", MIB)
    users = [f"@user{number}:evil" for number in range(20_000)]

    answer = synced({"device_lists": {"changed": users}, "next_batch": "s1", "rooms": {"join": {"!a:hs": joined()}}})

    assert answer.keys.is_partial
    assert [each.room for each in answer.joined] == ["!a:hs"]


def test_a_user_with_too_many_devices_costs_that_user_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_reader, "MAX_KEPT_BYTES", MIB)
    keys = {"keys": {"ed25519:A": "x" * 500}}
    many = {f"D{number}": keys for number in range(5_000)}

    answer = read({"device_keys": {"@evil:hs": many, ANN: {"A": keys}}}, readings.DEVICES)

    assert answer.content == {"device_keys": {ANN: {"A": keys}}}
    assert [each.path for each in answer.left_out] == [("device_keys", "@evil:hs")]


def test_a_list_of_members_is_read_as_a_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_reader, "MAX_KEPT_BYTES", MIB)
    events = [an_event(type="m.room.member", state_key=f"@{number}:hs") for number in range(9_000)]

    with pytest.raises(Permanent, match="too large"):
        read({"chunk": events}, readings.MEMBERS)


def test_an_answer_without_end_names_the_room_that_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_reader, "MAX_STREAMED_BYTES", 4 * MIB)
    rooms = {"!a:hs": joined(an_event()), "!b:hs": joined(*[an_event("x" * 50_000) for _ in range(90)])}

    with pytest.raises(MatrixResponseTooLarge) as raised:
        read({"next_batch": "s1", "rooms": {"join": rooms}})

    assert raised.value.largest == (("rooms", "join", "!b:hs"),)


def test_an_answer_with_many_large_rooms_names_all_but_a_quarter_of_what_was_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each costs a sync that fails; with one room at a time, a hundred would deafen the bot for hours."""
    monkeypatch.setattr(answer_reader, "MAX_STREAMED_BYTES", 16 * MIB)
    large = joined(*[an_event("x" * 50_000) for _ in range(30)])
    rooms = {"!small:hs": joined(an_event()), **{f"!{number}:evil": large for number in range(40)}}

    with pytest.raises(MatrixResponseTooLarge) as raised:
        read({"next_batch": "s1", "rooms": {"join": rooms}})

    assert len(raised.value.largest) in {8, 9}  # of eleven that were read
    assert all(str(path[-1]).endswith(":evil") for path in raised.value.largest)


def a_large_topic() -> bytes:
    return json.dumps(
        {"type": "m.room.topic", "state_key": "", "sender": ANN, "content": {"topic": "x" * 50_000}}
    ).encode()


def many_invitations_of_ours() -> bytes:
    return json.dumps(an_invitation(size=50_000)).encode()


@pytest.mark.parametrize("event", [a_large_topic, many_invitations_of_ours])
def test_four_invitations_of_eleven_megabytes_are_read_in_bounded_memory(
    monkeypatch: pytest.MonkeyPatch, event: Callable[[], bytes]
) -> None:
    monkeypatch.setattr(answer_reader, "MAX_KEPT_BYTES", 4 * MIB)
    reader = MatrixResponseReader(readings.sync(ME))
    tracemalloc.start()
    try:
        for step in four_invitations(event()):
            reader.feed(step)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    answer = reader.answer()

    assert peak < 6 * MIB
    assert len(wire.sync_answer(answer.content, ME, answer.left_out).invited) == 4
    assert answer.content["next_batch"] == "s1"


def four_invitations(event: bytes) -> Iterator[bytes]:
    """A sync, in steps: the room of each invitation has 11 MB of state."""
    yield b'{"rooms":{"invite":{'
    for number in range(4):
        yield b'%s"!%d:evil":{"invite_state":{"events":[' % (b"," * (number > 0), number)
        for _ in range(11 * MIB // len(event)):
            yield event + b","
        yield json.dumps(an_invitation()).encode() + b"]}}"
    yield b'}},"next_batch":"s1"}'


HOSTILE: Any = [
    *(None, True, -1, 10**400, 1.5, "", "x" * MIB, "\ud800", "\x00", [], {}, [[]], {"a": None}),
    json.loads("[" * 500 + "]" * 500),
]


@pytest.mark.parametrize(
    "field", ["event_id", "sender", "type", "content", "origin_server_ts", "state_key", "unsigned"]
)
def test_no_field_of_one_event_costs_another_event(field: str) -> None:
    for value in HOSTILE:
        bad = an_event(event_id="$bad", unsigned={}) | {field: value}
        room = joined(bad, an_event("behind it"))
        document = {"next_batch": "s1", "rooms": {"join": {"!a:hs": room}}, "to_device": {"events": [bad, an_event()]}}

        answer = synced(document)

        (only,) = answer.joined
        assert only.timeline[-1].content["body"] == "behind it", value
        assert answer.keys.to_device[-1].sender == ANN
        for event in only.timeline:
            for word in (event.id, event.sender, event.type, event.state_key or ""):
                assert len(word.encode()) <= 255
                assert word.isprintable()


def test_rooms_with_ids_that_are_none_are_left_out() -> None:
    rooms = {room: joined() for room in ("", "a", "!\ud800:hs", "!\x00:hs", "!" + "a" * 2_000, "!a:hs")}

    assert [each.room for each in synced({"next_batch": "s1", "rooms": {"join": rooms}}).joined] == ["!a:hs"]
