"""Whatever a device publishes or sends costs that device only."""

from dataclasses import replace
from pathlib import Path

import pytest
import vodozemac

from bot.ids import DeviceId, UserId
from bot.matrix.crypto.devices import MAX_DEVICES, device_of, devices_of
from bot.matrix.crypto.errors import CryptoRefused, refusing
from support.crypto_rig import ROOM, Device, bodies, parcel_for
from support.hostile_device import (
    LOW_ORDER,
    LOW_ORDER_KEYS,
    HostileDevice,
    key_content,
    learns,
    meets,
    one_time_key,
    recorded,
    sends,
)

PANICS = "A" * 44  # as an ed25519 key: 33 bytes


@pytest.fixture
def bot(tmp_path: Path) -> Device:
    return Device(tmp_path / "bot", UserId("@bot:hs"))


@pytest.fixture
def ann(tmp_path: Path) -> Device:
    return Device(tmp_path / "ann", UserId("@ann:hs"))


@pytest.fixture
def eve() -> HostileDevice:
    return HostileDevice(UserId("@eve:hs"))


# Keys that nobody can encrypt to


@pytest.mark.parametrize("key", LOW_ORDER_KEYS)
def test_a_low_order_one_time_key_leaves_its_device_out_and_no_other(
    bot: Device, ann: Device, eve: HostileDevice, key: str
) -> None:
    meets(bot, eve, key)
    bot.meets(ann)

    [parcel] = bot.parcels(ann.user, eve.user)
    ann.hears(*parcel_for(bot, ann, parcel))

    assert bodies(ann.reads(bot.says("news"))) == ["news"]
    assert parcel.messages.keys() == {ann.user}
    [fault] = recorded(bot)
    assert (fault.kind, fault.name) == ("encryption.device_left_out", "devices of @eve:hs")
    assert "device EVIL: its keys cannot be used" in str(fault.reason)


@pytest.mark.parametrize("key", LOW_ORDER_KEYS)
def test_a_low_order_identity_key_leaves_its_device_out_and_no_other(
    bot: Device, ann: Device, eve: HostileDevice, key: str
) -> None:
    learns(bot, eve.queried(curve25519=key), eve.user)
    bot.machine.begin(eve.claimed(), bot.machine.to_claim([eve.user]))
    bot.meets(ann)

    [parcel] = bot.parcels(ann.user, eve.user)

    assert parcel.messages.keys() == {ann.user}
    assert [fault.kind for fault in recorded(bot)] == ["encryption.device_left_out"]


def test_a_low_order_ratchet_key_silences_no_room(bot: Device, ann: Device, eve: HostileDevice) -> None:
    """A first message that is good, and that nobody can answer."""
    bot.meets(ann)
    learns(bot, eve.queried(), eve.user)
    sends(bot, eve, eve.first_message(bot.machine.own, one_time_key(bot)))
    assert bot.machine.to_claim([eve.user]) == ()  # there is a conversation

    [parcel] = bot.parcels(ann.user, eve.user)
    ann.hears(*parcel_for(bot, ann, parcel))

    assert bodies(ann.reads(bot.says("news"))) == ["news"]
    assert [fault.kind for fault in recorded(bot)] == ["encryption.device_left_out"]


def test_a_conversation_that_cannot_be_used_gives_way_to_an_older_one(bot: Device) -> None:
    """The device itself can be reached; only the message that it began the newer one with is bad."""
    ann = HostileDevice(UserId("@ann:hs"))
    meets(bot, ann)
    sends(bot, ann, ann.first_message(bot.machine.own, one_time_key(bot)))

    [parcel] = bot.parcels(ann.user)

    assert parcel.messages[ann.user].keys() == {ann.id}
    assert recorded(bot) == []


def test_a_conversation_that_cannot_be_used_is_replaced(bot: Device, eve: HostileDevice) -> None:
    """With patience: not before five minutes have passed, and then ten."""
    learns(bot, eve.queried(), eve.user)
    sends(bot, eve, eve.first_message(bot.machine.own, one_time_key(bot)))
    assert [parcel.messages for parcel in bot.parcels(eve.user)] == [{}]

    assert bot.machine.to_claim([eve.user]) == ()
    bot.clock.advance(301)
    [device] = bot.machine.to_claim([eve.user])
    bot.machine.begin(eve.claimed(LOW_ORDER), [device])
    bot.clock.advance(301)
    assert bot.machine.to_claim([eve.user]) == ()
    bot.clock.advance(301)
    bot.machine.begin(eve.claimed(), bot.machine.to_claim([eve.user]))

    [parcel] = bot.parcels(eve.user)
    assert parcel.messages[eve.user].keys() == {eve.id}


def test_an_unreadable_message_after_a_low_order_ratchet_key_ends_nothing(bot: Device, eve: HostileDevice) -> None:
    """A new conversation is to be greeted then, which cannot be done either."""
    learns(bot, eve.queried(), eve.user)
    sends(bot, eve, eve.first_message(bot.machine.own, one_time_key(bot)))
    sends(bot, eve, eve.garbage(bot.machine.own))
    [device] = bot.machine.wedged()
    bot.machine.begin(eve.claimed(LOW_ORDER), [device])

    parcel = bot.machine.greeting([device])

    assert parcel.messages == {}
    assert bot.machine.wedged() == ()


def test_who_is_left_out_is_told_so_once(bot: Device, eve: HostileDevice) -> None:
    meets(bot, eve, LOW_ORDER)

    told = bot.machine.notices()
    assert (told.type, told.messages) == (
        "m.room_key.withheld",
        {
            eve.user: {
                eve.id: {
                    "algorithm": "m.megolm.v1.aes-sha2",
                    "sender_key": bot.machine.own.curve25519,
                    "code": "m.no_olm",
                }
            }
        },
    )
    bot.machine.noticed(told.devices)
    bot.clock.advance(301)
    bot.machine.begin(eve.claimed(LOW_ORDER), bot.machine.to_claim([eve.user]))
    assert bot.machine.notices().devices == ()


def test_who_was_reached_meanwhile_is_told_again(bot: Device, eve: HostileDevice) -> None:
    meets(bot, eve, LOW_ORDER)
    bot.machine.noticed(bot.machine.notices().devices)
    bot.clock.advance(301)
    bot.machine.begin(eve.claimed(), bot.machine.to_claim([eve.user]))

    sends(bot, eve, eve.first_message(bot.machine.own, one_time_key(bot)))
    with bot.machine._transaction():
        [device] = bot.machine._lists.of(eve.user).values()
        bot.machine._conversations._keep(device, bot.machine._conversations._pickles(device)[:1])
    bot.parcels(eve.user)

    assert [device.id for device in bot.machine.notices().devices] == [eve.id]


def test_a_device_whose_homeserver_is_away_is_not_told(bot: Device, eve: HostileDevice) -> None:
    learns(bot, eve.queried(), eve.user)

    bot.machine.begin({"one_time_keys": {}, "failures": {"hs": {}}}, bot.machine.to_claim([eve.user]))

    assert bot.machine.notices().devices == ()


@pytest.mark.parametrize("keys", [{"ed25519": PANICS}, {"curve25519": PANICS}, {"ed25519": "A" * 1_000_000}])
def test_a_key_that_the_library_panics_at_hides_no_other_device(
    bot: Device, ann: Device, eve: HostileDevice, keys: dict[str, str]
) -> None:
    told = {
        "device_keys": {
            ann.user: {ann.id: ann.machine.own.device_keys()},
            eve.user: {eve.id: eve.device_keys(**keys)},
        }
    }

    learns(bot, told, ann.user, eve.user)

    assert bot.machine._lists.of(ann.user).keys() == {ann.id}
    assert bot.machine._lists.of(eve.user) == {}


def test_a_panic_of_the_library_is_an_error_like_any_other() -> None:
    with pytest.raises(CryptoRefused, match="panicked"), refusing():
        vodozemac.Ed25519PublicKey.from_base64(PANICS)


def test_a_stop_is_no_refusal() -> None:
    with pytest.raises(KeyboardInterrupt), refusing():
        raise KeyboardInterrupt


def test_a_crowd_of_devices_displaces_none_that_is_known(eve: HostileDevice) -> None:
    """A session would be replaced whenever another of them is left out."""
    known = devices_of(eve.user, {eve.id: eve.device_keys()}, {})
    crowd: dict[str, object] = {f"D{number}": eve.device_keys() for number in range(1_000)}

    found = devices_of(eve.user, {**crowd, eve.id: eve.device_keys()}, known)

    assert len(crowd) > MAX_DEVICES
    assert found == known


@pytest.mark.parametrize("name", ["", "\x00", "A\ud800", "A" * 1_000])
def test_a_device_id_that_a_homeserver_cannot_take_is_not_used(eve: HostileDevice, name: str) -> None:
    odd = replace(eve, id=DeviceId(name))

    assert devices_of(eve.user, {name: odd.device_keys() if name.isprintable() else {}}, {}) == {}


# Keys that are others'


def test_who_publishes_anothers_key_does_not_displace_conversations(
    bot: Device, ann: Device, eve: HostileDevice
) -> None:
    """Eve says that her device has Ann's identity key, and gives a one-time key of her own for it."""
    bot.meets(ann)
    learns(bot, eve.queried(curve25519=ann.machine.own.curve25519), eve.user)
    bot.machine.begin(eve.claimed(), bot.machine.to_claim([eve.user]))

    for parcel in bot.parcels(ann.user, eve.user):
        ann.hears(*parcel_for(bot, ann, parcel))

    assert bodies(ann.reads(bot.says("news"))) == ["news"]


def test_who_publishes_anothers_key_does_not_put_them_off(bot: Device, ann: Device, eve: HostileDevice) -> None:
    learns(bot, eve.queried(curve25519=ann.machine.own.curve25519), eve.user)
    bot.machine.begin({"one_time_keys": {}}, bot.machine.to_claim([eve.user]))

    bot.meets(ann)

    assert len(bot.gives_key(ann)) == 1


def test_two_devices_with_one_key_have_conversations_of_their_own(bot: Device, eve: HostileDevice) -> None:
    twin = replace(eve, id=DeviceId("TWIN"))
    answer = {"device_keys": {eve.user: {each.id: each.device_keys() for each in (eve, twin)}}}
    learns(bot, answer, eve.user)
    keys = {each.id: each.one_time_keys(HostileDevice(eve.user).curve25519) for each in (eve, twin)}
    bot.machine.begin({"one_time_keys": {eve.user: keys}}, bot.machine.to_claim([eve.user]))

    [parcel] = bot.parcels(eve.user)

    first, second = parcel.messages[eve.user].values()
    assert first["ciphertext"] != second["ciphertext"]


def test_a_device_that_claims_our_own_key_is_left_out(bot: Device, eve: HostileDevice) -> None:
    learns(bot, eve.queried(curve25519=bot.machine.own.curve25519), eve.user)

    assert bot.machine.to_claim([eve.user]) == ()
    assert bot.parcels(eve.user) == ()
    sends(bot, eve, {**eve.garbage(bot.machine.own), "sender_key": bot.machine.own.curve25519})


# Whose word a message is


def test_each_message_tells_whose_device_it_is_from(bot: Device, eve: HostileDevice) -> None:
    """With the signatures that the homeserver has of it, and no others."""
    own = bot.machine.own
    signed = {"ed25519:SELF": "A" * 86, f"ed25519:{own.device}": "forged", "ed25519:\ud800": "A" * 86, "x": 1}
    bot.machine.learn_our_signatures({**own.device_keys(), "signatures": {own.user: signed}})
    [device] = devices_of(eve.user, {eve.id: eve.device_keys()}, {}).values()

    payload = bot.machine._conversations._payload(device, "m.room_key", {})

    told = payload["sender_device_keys"]
    assert device_of(own.user, own.device, told) is not None
    assert isinstance(told, dict)
    assert told["signatures"][own.user].keys() == {f"ed25519:{own.device}", "ed25519:SELF"}


@pytest.mark.parametrize("whose", ["own", "none", "forged", "other", "nonsense"])
def test_a_message_whose_device_keys_are_anothers_is_ignored(bot: Device, eve: HostileDevice, whose: str) -> None:
    other = HostileDevice(eve.user, DeviceId("OTHER"))
    device_keys: dict[str, object] = {
        "own": eve.device_keys(),
        "none": None,
        "forged": {**eve.device_keys(), "device_id": "OTHER"},
        "other": other.device_keys(),
        "nonsense": ["keys"],
    }
    session = vodozemac.GroupSession()
    content, keys = key_content(session=session), device_keys[whose]
    message = eve.first_message(
        bot.machine.own, one_time_key(bot), kind="m.room_key", content=content, sender_device_keys=keys
    )

    sends(bot, eve, message)

    is_taken = whose in {"own", "none"}
    assert bool(bot.vault.get("in", f"{ROOM}|{session.session_id}")) == is_taken
    assert [(fault.kind, fault.name) for fault in recorded(bot)] == (
        [] if is_taken else [("encryption.message_refused", "devices of @eve:hs")]
    )
    assert bot.machine.wedged() == ()
