"""The cryptography of devices among themselves."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.ids import DeviceId, RoomId, UserId
from bot.matrix.crypto.crypto_store import CryptoStore
from bot.matrix.crypto.devices import MAX_DEVICES, devices_of, one_time_key
from bot.matrix.crypto.devices import DeviceKeys as KnownDevice
from bot.matrix.crypto.key_sharing import KeyLost, RoomReaders
from bot.matrix.crypto.megolm import Rotation
from bot.matrix.model import KeyUpdates, ToDeviceEvent
from support.crypto_rig import ROOM, Device, bodies, copied, parcel_for
from support.matrix_rig import an_event


@pytest.fixture
def bot(tmp_path: Path) -> Device:
    return Device(tmp_path / "bot", UserId("@bot:hs"))


@pytest.fixture
def ann(tmp_path: Path) -> Device:
    return Device(tmp_path / "ann", UserId("@ann:hs"))


@pytest.fixture
def eve(tmp_path: Path) -> Device:
    return Device(tmp_path / "eve", UserId("@eve:hs"))


def test_a_message_is_read_by_whom_the_key_was_given_to(bot: Device, ann: Device, eve: Device) -> None:
    bot.meets(ann, eve)
    bot.gives_key(ann)
    event = bot.says("secret")

    assert bodies(ann.reads(event)) == ["secret"]
    assert bodies(eve.reads(event)) == []


def test_a_key_is_given_to_a_device_once(bot: Device, ann: Device) -> None:
    bot.meets(ann)

    assert len(bot.gives_key(ann)) == 1
    assert bot.gives_key(ann) == ()


def test_a_key_that_did_not_arrive_is_given_again(bot: Device, ann: Device) -> None:
    """Hole 2: only what the homeserver took counts as given."""
    bot.meets(ann)
    lost = bot.parcels(ann.user)

    assert len(lost) == 1
    assert len(bot.gives_key(ann)) == 1
    assert bodies(ann.reads(bot.says("read"))) == ["read"]


def test_a_key_given_away_of_a_session_that_was_replaced_is_no_key_of_the_new_one(bot: Device, ann: Device) -> None:
    bot.meets(ann)
    [parcel] = bot.parcels(ann.user)
    bot.machine.left_room(ROOM)
    bot.parcels(ann.user)

    with pytest.raises(KeyLost):
        bot.machine.arrived(ROOM, parcel)


def test_a_session_is_replaced_when_somebody_who_has_its_key_is_gone(bot: Device, ann: Device, eve: Device) -> None:
    bot.meets(ann, eve)
    bot.gives_key(ann, eve)

    bot.gives_key(ann)
    event = bot.says("without eve")

    assert bodies(ann.reads(event)) == ["without eve"]
    assert bodies(eve.reads(event)) == []


def test_a_session_is_replaced_when_a_device_is_gone(bot: Device, ann: Device, tmp_path: Path) -> None:
    second = Device(tmp_path / "second", ann.user, DeviceId("TWO"))
    bot.meets(ann)
    bot.gives_key(ann)
    first = bot.says("one").content["session_id"]
    bot.machine.feed(KeyUpdates(changed=(ann.user,)), is_new=False)
    bot.meets(second)  # the first is listed no more

    bot.gives_key(second)

    assert bot.says("two").content["session_id"] != first


@pytest.mark.parametrize(("rotation", "days"), [(Rotation(messages=1), 0), (Rotation(), 7)])
def test_a_session_is_replaced_after_so_many_messages_or_days(
    bot: Device, ann: Device, rotation: Rotation, days: int
) -> None:
    bot.meets(ann)
    bot.gives_key(ann)
    first = bot.says("one").content["session_id"]
    bot.clock.advance(days * 86_400)

    bot.gives_key(ann, rotation=rotation)

    assert bot.says("two").content["session_id"] != first


@pytest.mark.parametrize(
    ("told", "messages", "hours"),
    [
        ({}, 100, 168),
        ({"rotation_period_msgs": 3, "rotation_period_ms": 7_200_000}, 3, 2),
        ({"rotation_period_msgs": 0, "rotation_period_ms": 1}, 1, 1),
        ({"rotation_period_msgs": "3", "rotation_period_ms": None}, 100, 168),
    ],
)
def test_a_rooms_rules_are_read_and_bounded(told: dict[str, object], messages: int, hours: int) -> None:
    rotation = Rotation.of(told)

    assert (rotation.messages, rotation.period.total_seconds() / 3600) == (messages, hours)


def test_a_key_says_whether_people_who_come_later_may_have_it(bot: Device) -> None:
    names = ("shared_history", "org.matrix.msc3061.shared_history")
    for may in (True, False):
        bot.machine.lacking(ROOM, RoomReaders((), Rotation(shared_history=may)))
        out = bot.machine._rooms.outbound(ROOM)
        assert out is not None

        assert [bot.machine._rooms.key_of(ROOM, out)[name] for name in names] == [may, may]


def test_a_session_is_replaced_when_the_visibility_of_the_history_changes(bot: Device, ann: Device) -> None:
    bot.meets(ann)
    sessions = []
    for may in (True, True, False, False, True):
        bot.gives_key(ann, rotation=Rotation(shared_history=may))
        sessions.append(bot.says("one").content["session_id"])

    one, same, two, also, three = sessions
    assert (one, two) == (same, also)
    assert len({one, two, three}) == 3


def test_what_was_used_up_stays_so_after_a_restart(bot: Device, ann: Device, tmp_path: Path) -> None:
    bot.meets(ann)
    bot.gives_key(ann)
    first = bot.says("one", "$1")
    bot.vault.close()

    again = Device(tmp_path / "bot", bot.user)
    second = again.says("two", "$2")

    assert again.machine.own.ed25519 == bot.machine.own.ed25519
    assert first.content["session_id"] == second.content["session_id"]
    assert bodies(ann.reads(first, second)) == ["one", "two"]


def test_what_is_told_of_keys_twice_is_taken_once(bot: Device, ann: Device) -> None:
    """A crash before the sync's token was kept: the homeserver tells the same again, and more."""
    bot.meets(ann)
    [parcel] = bot.gives_key(ann)
    again = parcel_for(bot, ann, parcel)
    ann.knows(bot)

    ann.hears(*again)

    assert ann.machine.wedged() == ()


def test_a_broken_conversation_is_begun_anew_once_an_hour(bot: Device, ann: Device) -> None:
    ann.meets(bot)
    bot.meets(ann)
    key = bot.machine.own.curve25519
    broken = {"type": 1, "body": "AwogAAAA"}
    sealed = {"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": ann.machine.own.curve25519}
    bot.hears(ToDeviceEvent(ann.user, "m.room.encrypted", {**sealed, "ciphertext": {key: broken}}))
    [device] = bot.machine.wedged()
    bot.machine.begin(ann.claimed(), [device])
    parcel = bot.machine.greeting([device])
    ann.hears(*parcel_for(bot, ann, parcel))

    bot.hears(ToDeviceEvent(ann.user, "m.room.encrypted", {**sealed, "ciphertext": {key: {**broken, "more": 1}}}))

    assert bot.machine.wedged() == ()
    bot.gives_key(ann)
    assert bodies(ann.reads(bot.says("mended"))) == ["mended"]


# Who says so


def test_a_message_that_a_homeserver_shows_again_is_not_read_again(bot: Device, ann: Device) -> None:
    ann.meets(bot)
    ann.gives_key(bot)
    event = ann.says("unsub 1", "$1")

    assert bodies(bot.reads(event)) == ["unsub 1"]
    assert bodies(bot.reads(event)) == ["unsub 1"]  # heard twice, which is harmless
    [copy] = bot.reads(copied(event, "$2")).timelines[ROOM]
    assert (copy.type, copy.unreadable) == ("m.room.encrypted", False)


def test_a_message_moved_into_another_room_is_not_read(bot: Device, ann: Device) -> None:
    """Even where its sender gave the key for both rooms."""
    other = RoomId("!other:hs")
    ann.meets(bot)
    ann.gives_key(bot)
    gives(ann, bot, room_id=other)

    [event] = bot.reads(ann.says("help"), room=other).timelines[other]

    assert (event.type, event.unreadable) == ("m.room.encrypted", False)


def test_a_session_is_its_senders_although_others_have_its_key(bot: Device, ann: Device, eve: Device) -> None:
    """Eve, who is in the room, says that Ann's session is hers, and sends as if she were Ann."""
    ann.meets(bot, eve)
    ann.gives_key(bot, eve)
    event = ann.says("help")
    as_eve = replace(event, sender=eve.user)

    [read] = bot.reads(as_eve).timelines[ROOM]

    assert (read.type, read.unreadable) == ("m.room.encrypted", False)
    assert bodies(bot.reads(event)) == ["help"]


@pytest.mark.parametrize(("as_user", "with_key_of"), [("eve", "bot"), ("bot", "eve")])
def test_what_was_meant_for_somebody_else_is_not_taken(
    bot: Device, ann: Device, eve: Device, as_user: str, with_key_of: str
) -> None:
    """Eve says that the bot's key is hers, and hands on to the bot what Ann encrypts for her."""
    people = {"bot": bot, "eve": eve}
    keys = people[with_key_of].machine.own
    false = KnownDevice(people[as_user].user, DeviceId("X"), bot.machine.own.curve25519, keys.ed25519)
    [(_, key)] = list(bot.uploaded.items())[:1]
    assert isinstance(key, dict)
    with ann.machine._transaction():
        ann.machine._conversations.begin(false, str(key["key"]))
    ann.parcels()

    gives(ann, bot, false)

    assert bodies(bot.reads(ann.says("help"))) == []


def gives(sender: Device, device: Device, known: KnownDevice | None = None, **fields: object) -> None:
    """Give the key of the room to *device*, known as another perhaps, with other *fields*."""
    machine = sender.machine
    out = machine._rooms.outbound(ROOM)
    found = known or machine._lists.by_curve(device.user, device.machine.own.curve25519)
    assert out is not None
    assert found is not None
    with machine._transaction():
        sealed = machine._conversations.encrypt(found, "m.room_key", {**machine._rooms.key_of(ROOM, out), **fields})
    device.hears(ToDeviceEvent(sender.user, "m.room.encrypted", sealed))


def test_a_sender_is_who_encrypted(bot: Device, ann: Device, eve: Device) -> None:
    """A homeserver says that what Eve sent is of Ann."""
    eve.meets(bot)
    [parcel] = eve.parcels(bot.user)
    content = parcel.messages[bot.user][bot.id]
    bot.hears(ToDeviceEvent(ann.user, "m.room.encrypted", content))
    event = eve.says("help")
    as_ann = replace(event, sender=ann.user)

    assert bodies(bot.reads(as_ann)) == []


def test_the_keys_of_a_known_device_never_change(bot: Device, ann: Device, tmp_path: Path) -> None:
    other = Device(tmp_path / "other", ann.user, ann.id)
    bot.knows(ann)
    bot.machine.feed(KeyUpdates(changed=(ann.user,)), is_new=False)

    bot.knows(other)

    assert bot.machine._lists.of(ann.user)[ann.id].ed25519 == ann.machine.own.ed25519


def test_only_what_a_device_signed_is_its_word(ann: Device, eve: Device) -> None:
    told = ann.machine.own.device_keys()
    keys = eve.machine.own.device_keys()["keys"]

    assert set(devices_of(ann.user, {ann.id: told}, {})) == {ann.id}
    assert devices_of(ann.user, {ann.id: {**told, "keys": keys}}, {}) == {}
    assert devices_of(eve.user, {ann.id: told}, {}) == {}
    assert devices_of(ann.user, {"TWO": told}, {}) == {}
    device = devices_of(ann.user, {ann.id: told}, {})[ann.id]
    [(name, key)] = list(ann.uploaded.items())[:1]
    assert one_time_key({name: key}, device) is not None
    assert one_time_key({name: eve.uploaded[next(iter(eve.uploaded))]}, device) is None
    many = {f"D{number}": told for number in range(MAX_DEVICES)}
    assert devices_of(ann.user, {**many, ann.id: told}, {}) == {}


# What is known of devices


def test_a_list_that_changed_while_it_was_asked_for_is_asked_for_again(bot: Device, ann: Device) -> None:
    marks = bot.machine.to_query([ann.user])
    bot.machine.feed(KeyUpdates(changed=(ann.user,)), is_new=False)
    bot.machine.learn_devices(ann.queried(), marks)

    assert bot.machine.to_query([ann.user]).keys() == {ann.user}
    bot.knows(ann)
    assert bot.machine.to_query([ann.user]) == {}


def test_a_user_whose_homeserver_is_away_is_asked_for_later(bot: Device, ann: Device) -> None:
    bot.machine.learn_devices({"device_keys": {}, "failures": {"hs": {}}}, bot.machine.to_query([ann.user]))

    assert bot.machine.to_query([ann.user]) == {}
    bot.clock.advance(301)
    assert bot.machine.to_query([ann.user]).keys() == {ann.user}


def test_a_device_without_one_time_keys_is_asked_for_later(bot: Device, ann: Device) -> None:
    bot.knows(ann)
    wanted = bot.machine.to_claim([ann.user])
    bot.machine.begin({"one_time_keys": {}}, wanted)

    assert bot.machine.to_claim([ann.user]) == ()
    bot.clock.advance(301)
    assert bot.machine.to_claim([ann.user]) == wanted


def test_after_a_gap_every_list_is_asked_for_again(bot: Device, ann: Device) -> None:
    bot.knows(ann)

    bot.machine.feed(KeyUpdates(), is_new=True)

    assert bot.machine.to_query([ann.user]).keys() == {ann.user}


# Our own keys


def test_keys_are_made_when_half_of_them_are_used(bot: Device) -> None:
    """Hole 5: also when none is left, and the fallback key when it was used."""
    assert bot.machine.keys_to_upload(50, fallback_used=False) == {}
    assert bot.machine.keys_to_upload(25, fallback_used=False) == {}
    assert len(bot.upload(24)["one_time_keys"]) == 26  # type: ignore[arg-type]  # a mapping
    assert len(bot.upload(0)["one_time_keys"]) == 50  # type: ignore[arg-type]  # a mapping
    assert bot.upload(50, fallback_used=True).keys() == {"fallback_keys"}


def test_keys_that_did_not_arrive_are_uploaded_again_and_no_others(bot: Device) -> None:
    first = bot.machine.keys_to_upload(0, fallback_used=True)

    assert bot.machine.keys_to_upload(0, fallback_used=True) == first
    bot.machine.keys_uploaded()
    assert bot.machine.keys_to_upload(50, fallback_used=False) == {}


# Waiting for keys


def test_a_message_waits_for_its_key_and_then_no_more(bot: Device, ann: Device) -> None:
    ann.meets(bot)
    parcels = ann.parcels(bot.user)
    event = ann.says("early")

    assert bodies(bot.reads(event)) == []
    bot.hears(*parcel_for(ann, bot, parcels[0]))
    read = bot.reads()
    assert bodies(read) == ["early"]
    assert bodies(bot.reads()) == ["early"]  # until it is kept elsewhere
    bot.machine.forget(read.done)
    assert bodies(bot.reads()) == []


def test_a_message_whose_key_never_comes_is_told_so_in_the_end(bot: Device, ann: Device) -> None:
    ann.parcels()
    assert bodies(bot.reads(ann.says("lost"))) == []

    bot.clock.advance(20)
    [event] = bot.reads().timelines[ROOM]

    assert event.unreadable


def test_what_is_no_news_does_not_wait(bot: Device, ann: Device) -> None:
    ann.parcels()

    [event] = bot.reads(ann.says("old"), patience=None).timelines[ROOM]

    assert event.unreadable
    assert bot.reads().timelines == {}


def test_a_redacted_message_and_our_own_are_not_for_reading(bot: Device, ann: Device) -> None:
    ann.parcels()
    bot.parcels()
    redacted = replace(ann.says("gone"), content={})

    read = bot.reads(redacted, bot.says("mine"))

    assert read.timelines[ROOM] == (redacted,)


# Hostile input

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_SEALED = st.fixed_dictionaries(
    {
        "algorithm": st.sampled_from(["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2", "x"]),
        "sender_key": _JSON | st.just("A" * 43),
        "session_id": _JSON,
        "ciphertext": _JSON | st.text("AwogBC+/=", max_size=40),
    }
)


@given(sealed=_SEALED, body=_JSON | st.text("AwogBC+/=", max_size=40), kind=st.integers(-1, 1 << 70))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_whatever_is_sent_to_a_device_or_a_room_is_taken(
    bot: Device, sealed: dict[str, object], body: object, kind: int
) -> None:
    eve = UserId("@eve:hs")
    ours = {bot.machine.own.curve25519: {"type": kind, "body": body}}

    bot.hears(
        ToDeviceEvent(eve, "m.room.encrypted", sealed),
        ToDeviceEvent(eve, "m.room.encrypted", {**sealed, "ciphertext": ours}),
    )
    bot.machine.learn_devices({"device_keys": {eve: sealed}}, bot.machine.to_query([eve]))
    read = bot.reads(an_event("m.room.encrypted", sender=eve, content=sealed), patience=None)

    assert len(read.timelines[ROOM]) == 1


# The vault


def test_a_step_that_fails_is_not_kept(tmp_path: Path) -> None:
    vault = CryptoStore.open(tmp_path)

    def step() -> None:
        with vault.transaction(0):
            vault.put("kind", "key", "value")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        step()

    assert vault.get("kind", "key") is None
    vault.close()


def test_what_is_kept_is_not_in_the_clear(bot: Device, ann: Device) -> None:
    bot.meets(ann)
    bot.gives_key(ann)
    connection = sqlite3.connect(ann.folder / "crypto" / "store.db")

    [(value,)] = connection.execute("SELECT value FROM entry WHERE kind = 'in'")

    connection.close()
    out = bot.machine._rooms.outbound(ROOM)
    assert out is not None
    assert str(bot.machine._rooms.key_of(ROOM, out)["session_key"]) not in value
