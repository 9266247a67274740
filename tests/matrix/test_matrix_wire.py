"""A homeserver's answers, and what is no answer of one."""

import contextlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import BotError, Forbidden, LoggedOut, Permanent, Temporary
from bot.ids import EventId, RoomId, UserId
from bot.matrix import wire
from bot.matrix.invite_rules import accepts
from bot.matrix.mentions import BotInRoom
from bot.matrix.messages import messages_in
from bot.matrix.model import JoinedRoom, SyncAnswer
from bot.matrix.rooms import Room
from bot.matrix.session_update import MessageReceived, RoomNoLongerDirect
from bot.matrix.sync_outcome import SyncContext, outcome
from support.matrix_rig import a_text, an_event

ME = UserId("@bot:hs")
LIMIT = {"errcode": "M_LIMIT_EXCEEDED"}
EVENT = {"event_id": "$1", "sender": "@ann:hs", "type": "m.room.message", "origin_server_ts": 1_000, "content": {}}


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (429, LIMIT, Temporary),
        (429, None, Temporary),
        (400, LIMIT, Temporary),
        (500, {"errcode": "M_UNKNOWN"}, Temporary),
        (502, None, Temporary),
        (200, None, Temporary),
        (200, [], Temporary),
        (403, None, Temporary),
        (404, {}, Temporary),
        (403, {"errcode": "M_RESOURCE_LIMIT_EXCEEDED"}, Temporary),
        (403, {"errcode": "M_FORBIDDEN"}, Forbidden),
        (404, {"errcode": "M_NOT_FOUND"}, Forbidden),
        (401, {"errcode": "M_UNKNOWN_TOKEN"}, LoggedOut),
        (413, None, Permanent),
        (400, {"errcode": "M_BAD_JSON"}, Permanent),
        (404, {"errcode": "M_UNRECOGNIZED"}, Permanent),
    ],
)
def test_an_error_says_whether_another_try_helps(status: int, answer: object, error: type[BotError]) -> None:
    body = b"<html>" if answer is None else json.dumps(answer).encode()

    with pytest.raises(error) as raised:
        wire.judge(status, "", body)

    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("answer", "header", "seconds"),
    [
        (LIMIT | {"retry_after_ms": 1_500}, "", 1.5),
        (LIMIT | {"retry_after_ms": 1_500}, "60", 1.5),
        (LIMIT, "60", 60),
        (LIMIT | {"retry_after_ms": "soon"}, "7", 7),
        (LIMIT | {"retry_after_ms": 10**30}, "", 6 * 3600),
        (LIMIT, "9" * 30, 6 * 3600),
        (LIMIT, "soon", None),
        (LIMIT, "", None),
    ],
)
def test_a_limit_says_when_to_come_back(answer: object, header: str, seconds: float | None) -> None:
    with pytest.raises(Temporary) as raised:
        wire.judge(429, header, json.dumps(answer).encode())

    assert raised.value.retry_after == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize("soft", [True, False])
def test_a_logout_says_whether_the_device_stays(soft: bool) -> None:
    answer = {"errcode": "M_UNKNOWN_TOKEN", "error": "expired", "soft_logout": soft}

    with pytest.raises(LoggedOut, match=r"^HTTP 401 M_UNKNOWN_TOKEN expired$") as raised:
        wire.judge(401, "", json.dumps(answer).encode())

    assert raised.value.soft is soft


def test_malformed_events_do_not_hide_the_others() -> None:
    malformed: list[object] = [
        None,
        "text",
        {},
        EVENT | {"content": []},
        EVENT | {"origin_server_ts": "now"},
        EVENT | {"origin_server_ts": 10**30},
        EVENT | {"sender": None},
    ]
    rooms = {"!1:hs": {"timeline": {"events": [EVENT, *malformed, EVENT | {"event_id": "$2"}]}}, "!2:hs": None}

    answer = wire.sync_answer({"next_batch": "s1", "rooms": {"join": rooms, "invite": [], "leave": 7}}, ME)

    [joined] = answer.joined
    assert [event.id for event in joined.timeline] == ["$1", "$2"]


def test_who_ended_our_membership_is_the_sender_of_its_last_event() -> None:
    kick = EVENT | {"type": "m.room.member", "state_key": ME, "sender": "@mod:hs", "content": {"membership": "leave"}}
    rooms = {"leave": {"!1:hs": {"timeline": {"events": [kick]}}, "!2:hs": {}}}

    answer = wire.sync_answer({"next_batch": "s1", "rooms": rooms}, ME)

    assert [left.by for left in answer.left] == ["@mod:hs", None]


@given(status=st.integers(100, 599), header=st.text(max_size=30), body=st.binary(max_size=60))
def test_any_bytes_are_an_answer_or_an_error_of_ours(status: int, header: str, body: bytes) -> None:
    with contextlib.suppress(Temporary, Permanent, LoggedOut):
        wire.judge(status, header, body)


def test_an_answer_nested_beyond_measure_is_garbage() -> None:
    with pytest.raises(Temporary):
        wire.judge(200, "", b"[" * 1_000_000)


KEYS = st.sampled_from(
    [
        *("rooms", "join", "invite", "leave", "timeline", "events", "state", "summary", "limited", "prev_batch"),
        *("content", "type", "state_key", "sender", "event_id", "origin_server_ts", "unsigned", "prev_content"),
        *("membership", "is_direct", "users", "users_default", "events_default", "room_version", "predecessor"),
        *(
            "additional_creators",
            "m.joined_member_count",
            "m.relates_to",
            "m.in_reply_to",
            "rel_type",
            "body",
            "msgtype",
        ),
    ]
)
WORDS = st.sampled_from(
    [
        ME,
        "@ann:hs",
        "m.text",
        "m.room.member",
        "m.room.create",
        "m.room.power_levels",
        "m.room.message",
        "join",
        "",
        "!1",
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | WORDS, inner, max_size=6),
    max_leaves=40,
)
EVENTS = st.lists(
    st.builds(lambda told: EVENT | told, st.dictionaries(KEYS, ANYTHING, max_size=5)) | ANYTHING, max_size=5
)
TOLD = st.fixed_dictionaries({"timeline": st.fixed_dictionaries({"events": EVENTS}), "state": st.just({}) | ANYTHING})


@given(
    join=st.dictionaries(WORDS, TOLD | ANYTHING, max_size=3),
    leave=ANYTHING,
    begins=st.booleans(),
    whole=st.booleans(),
)
def test_any_answer_is_taken_without_a_fault(join: object, leave: object, begins: bool, whole: bool) -> None:
    answer = wire.sync_answer({"next_batch": "s1", "rooms": {"join": join, "leave": leave, "invite": leave}}, ME)
    known = SyncContext(ME, {}, frozenset(), an_event().sent_at, begins, whole)

    result = outcome(known, answer)

    assert result.update.since == "s1"
    for joined in answer.joined:
        Room(joined.room).after_sync(joined).may_set(ME, "org.patchbot.subscription", 50)
        assert all(word.body for word in messages_in(joined.room, joined.timeline, BotInRoom(ME), known.now))


def test_a_direct_chat_is_a_room_like_any_other_once_a_third_person_is_there() -> None:
    """Whoever invites us says that it is direct; in a room of many, one person's word must not count for all."""
    counts = {"m.joined_member_count": 2, "m.invited_member_count": 1}
    answer = wire.sync_answer({"next_batch": "s2", "rooms": {"join": {"!room:hs": {"summary": counts}}}}, ME)
    known = SyncContext(ME, {}, frozenset({RoomId("!room:hs")}), an_event().sent_at, begins=False, whole=False)

    result = outcome(known, answer)

    assert result.update.events == (RoomNoLongerDirect(RoomId("!room:hs")),)
    assert not result.rooms[RoomId("!room:hs")].is_direct


def test_a_mention_by_name_is_read_with_the_name_of_its_moment() -> None:
    """A new name comes into effect where it stands among the messages, also within one sync."""
    room = RoomId("!room:hs")
    member, former = {"membership": "join", "displayname": "New"}, {"membership": "join", "displayname": "Old"}
    renamed = an_event("m.room.member", content=member, previous=former, state_key=ME, sender=ME)
    timeline = (a_text("Old: help"), replace(renamed, id=EventId("$2")), a_text("New: help", id=EventId("$3")))
    joined = JoinedRoom(room, timeline, (), limited=False, prev_batch=None, joined_members=None, invited_members=None)
    rooms = {room: Room(room, own_name="Old")}
    known = SyncContext(ME, rooms, frozenset(), an_event().sent_at, begins=False, whole=False)

    result = outcome(known, SyncAnswer("s2", joined=(joined,)))

    assert [message.body for message in result.update.of(MessageReceived)] == [f"{ME}: help"] * 2


@pytest.mark.parametrize(
    ("beside", "content", "redacted"),
    [
        ({"redacts": "$card"}, {}, "$card"),  # before room version 11
        ({}, {"redacts": "$card"}, "$card"),  # since then
        ({"redacts": "$forged"}, {"redacts": "$card"}, "$card"),
        ({}, {"reason": "spam"}, None),
        ({"redacts": 7}, {"redacts": ["$card"]}, None),
        ({"redacts": "$card", "type": "m.room.message"}, {}, None),
    ],
)
def test_a_redaction_names_its_event_in_every_room_version(
    beside: dict[str, object], content: dict[str, object], redacted: str | None
) -> None:
    told = EVENT | {"type": "m.room.redaction", "content": content} | beside

    (event,) = wire.page({"chunk": [told]}).events

    assert event.redacts == redacted


@pytest.mark.parametrize("token", ["\ud800", "a\x00b", 3, [], None])
def test_a_token_that_cannot_be_sent_back_is_none(token: object) -> None:
    """A place in a timeline that no request could name ended what was reading it."""
    timeline = {"events": [], "limited": True, "prev_batch": token}

    answer = wire.sync_answer({"next_batch": "s1", "rooms": {"join": {"!r:hs": {"timeline": timeline}}}}, ME)

    assert answer.joined[0].prev_batch is None
    assert wire.page({"chunk": [EVENT], "end": token}).end is None


@pytest.mark.parametrize("redacted", ["$" + "x" * 300, "$\ud800", "$a\x00", "1", 7])
def test_a_redaction_of_no_event_redacts_none(redacted: object) -> None:
    in_content = wire.event({**EVENT, "type": "m.room.redaction", "content": {"redacts": redacted}})
    beside = wire.event({**EVENT, "type": "m.room.redaction", "redacts": redacted})

    assert in_content is not None
    assert beside is not None
    assert (in_content.redacts, beside.redacts) == (None, None)


def test_what_is_told_of_keys_is_read_without_what_is_malformed() -> None:
    told = {"sender": "@ann:hs", "type": "m.room.encrypted", "content": {"a": 1}}
    answer = {
        "next_batch": "s1",
        "to_device": {"events": [told, None, {**told, "content": []}, {**told, "sender": 7}]},
        "device_lists": {"changed": ["@ann:hs", 7], "left": "all"},
        "device_one_time_keys_count": {"signed_curve25519": 7},
        "device_unused_fallback_key_types": [],
    }

    keys = wire.sync_answer(answer, ME).keys

    assert [(event.sender, event.content) for event in keys.to_device] == [("@ann:hs", {"a": 1})]
    assert (keys.changed, keys.left) == (("@ann:hs",), ())
    assert (keys.one_time_keys, keys.fallback_used) == (7, True)


@pytest.mark.parametrize(
    ("told", "count", "used"),
    [
        ({}, 0, False),
        ({"device_one_time_keys_count": {}}, 0, False),
        ({"device_unused_fallback_key_types": ["signed_curve25519"]}, 0, False),
        ({"device_one_time_keys_count": {"signed_curve25519": -1}, "device_unused_fallback_key_types": None}, 0, False),
    ],
)
def test_one_time_keys_that_are_not_told_of_are_none(told: dict[str, object], count: int, used: bool) -> None:
    """Hole 5: a count that is missing is zero; a homeserver without fallback keys does not speak of them."""
    keys = wire.sync_answer({"next_batch": "s1", **told}, ME).keys

    assert (keys.one_time_keys, keys.fallback_used) == (count, used)


@given(to_device=ANYTHING, lists=ANYTHING, counts=ANYTHING, unused=ANYTHING, chunk=ANYTHING)
def test_anything_told_of_keys_is_taken_without_a_fault(
    to_device: object, lists: object, counts: object, unused: object, chunk: object
) -> None:
    answer = {
        "next_batch": "s1",
        "to_device": {"events": to_device},
        "device_lists": lists,
        "device_one_time_keys_count": counts,
        "device_unused_fallback_key_types": unused,
    }

    assert wire.sync_answer(answer, ME).keys.one_time_keys >= 0
    assert all(isinstance(user, str) for user in wire.members({"chunk": chunk}))


@pytest.mark.parametrize("code", [{}, {"errcode": "M_FORBIDDEN", "error": "Invalid password"}])
def test_what_must_be_confirmed_says_by_which_single_steps(code: dict[str, str]) -> None:
    flows = [{"stages": ["m.login.password"]}, {"stages": ["m.login.email.identity", "x"]}, {"stages": 7}, None]
    answer = {"flows": flows, "session": "abc", **code}

    with pytest.raises(wire.Challenge) as raised:
        wire.judge(401, "", json.dumps(answer).encode())

    assert raised.value.ways == {"m.login.password"}
    assert raised.value.session == "abc"


@pytest.mark.parametrize(
    ("params", "page"),
    [
        ({"m.oauth": {"url": "https://account.example.org/?action=x"}}, "https://account.example.org/?action=x"),
        ({"org.matrix.cross_signing_reset": {"url": "https://a.example.org/"}}, "https://a.example.org/"),
        ({"m.oauth": {"url": "http://account.example.org/"}}, ""),
        ({"m.oauth": {"url": "javascript:alert(1)"}}, ""),
        ({"m.oauth": {"url": "https://a.example.org/\x1b[2J"}}, ""),
        ({"m.oauth": {"url": ["https://a.example.org/"]}}, ""),
        ({"m.oauth": []}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_a_demand_for_an_approval_on_a_page_names_only_a_page_that_may_be_opened(params: object, page: str) -> None:
    answer = {"flows": [{"stages": ["m.oauth"]}], "session": "dummy", "params": params}

    with pytest.raises(wire.Challenge) as raised:
        wire.judge(401, "", json.dumps(answer).encode())

    assert raised.value.ways == {"m.oauth"}
    assert raised.value.page == page


def a_claim(sender: object = "@ann:hs", membership: str = "invite", **more: object) -> dict[str, object]:
    content = {"membership": membership, **more}
    return {"type": "m.room.member", "state_key": ME, "sender": sender, "content": content}


@pytest.mark.parametrize(
    ("claims", "inviter"),
    [
        pytest.param([a_claim()], "@ann:hs", id="one"),
        pytest.param([a_claim(), a_claim()], "@ann:hs", id="the same twice"),
        pytest.param([a_claim(), a_claim("@eve:evil")], "", id="two inviters"),
        pytest.param([a_claim("@eve:evil"), a_claim()], "", id="two inviters, the other way round"),
        pytest.param([a_claim(membership="join"), a_claim()], "", id="two memberships"),
        pytest.param([a_claim(membership="ban")], "", id="no invitation"),
        pytest.param([a_claim(sender=7)], "", id="nobody"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_an_invitation_whose_claims_contradict_each_other_names_nobody(claims: list[object], inviter: str) -> None:
    invite = {"!room:hs": {"invite_state": {"events": claims}}}

    [invitation] = wire.sync_answer({"next_batch": "s1", "rooms": {"invite": invite}}, ME).invited

    assert invitation.inviter == inviter


@pytest.mark.parametrize("inviter", ["", "ann:hs", "@ann", "@:", "@ann:\0", "@" + "a" * 255 + ":hs"])
def test_an_invitation_of_nobody_is_not_accepted_even_where_everybody_may_invite(inviter: str) -> None:
    assert accepts(["*:*"], UserId("@ann:hs"))
    assert not accepts(["*:*"], UserId(inviter))
