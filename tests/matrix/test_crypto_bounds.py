"""What others can fill is bounded, and costs as much as it is: keys, conversations, messages that wait, large rooms."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import vodozemac

from bot.ids import EventId, RoomId, UserId
from bot.matrix.crypto import megolm, olm
from bot.matrix.crypto import missing_keys as waiting
from bot.matrix.crypto.crypto_store import CryptoStore
from bot.matrix.crypto.key_sharing import WITHHELD
from bot.matrix.model import Content, Event, KeyUpdates, ToDeviceEvent
from support.crypto_rig import ROOM, Device, bodies, parcel_for
from support.hostile_device import HostileDevice, key_content, meets, one_time_key, sends

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def bot(tmp_path: Path) -> Device:
    return Device(tmp_path / "bot", UserId("@bot:hs"))


@pytest.fixture
def ann(tmp_path: Path) -> Device:
    return Device(tmp_path / "ann", UserId("@ann:hs"))


@pytest.fixture
def eve() -> HostileDevice:
    return HostileDevice(UserId("@eve:hs"))


# What others can fill


def given(bot: Device, eve: HostileDevice, *contents: Content) -> None:
    """Eve gives the bot room keys, each in a conversation of its own."""
    for content in contents:
        opened = olm.DecryptedMessage(eve.user, eve.curve25519, eve.own.ed25519, "m.room_key", content)
        with bot.machine._transaction():
            bot.machine._rooms.learn(opened)


def test_room_keys_of_one_sender_do_not_displace_those_of_others(
    bot: Device, ann: Device, eve: HostileDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(megolm, "MAX_KEYS_OF_SENDER", 3)
    monkeypatch.setattr(megolm, "MAX_KEYS_OF_USER", 5)
    ann.meets(bot)
    ann.gives_key(bot)
    bot.clock.advance(10)

    given(bot, eve, *(key_content() for _ in range(10)))
    assert len(bot.vault.keys("in")) == 1 + 3
    given(bot, eve, *(key_content(f"!room{number}:hs") for number in range(10)))

    assert len(bot.vault.keys("in")) == 1 + 5
    assert bodies(bot.reads(ann.says("still read"))) == ["still read"]


def test_of_too_many_room_keys_those_go_that_were_not_used_for_longest(
    bot: Device, eve: HostileDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(megolm, "MAX_KEYS_OF_SENDER", 2)
    used, unused = vodozemac.GroupSession(), vodozemac.GroupSession()
    given(bot, eve, key_content(session=used))
    bot.clock.advance(10)
    given(bot, eve, key_content(session=unused))
    bot.clock.advance(7_200)
    assert bodies(bot.reads(said(eve.user, used, "used"))) == ["used"]

    given(bot, eve, key_content())

    assert bodies(bot.reads(said(eve.user, used, "again", "$2"))) == ["again"]
    assert bot.vault.get("in", f"{ROOM}|{unused.session_id}") is None


def said(sender: UserId, session: vodozemac.GroupSession, body: str, number: str = "$1", room: RoomId = ROOM) -> Event:
    """A message in a room."""
    text = json.dumps({"room_id": room, "type": "m.room.message", "content": {"body": body}}).encode()
    content = {
        "algorithm": "m.megolm.v1.aes-sha2",
        "session_id": session.session_id,
        "ciphertext": session.encrypt(text).to_base64(),
    }
    return Event(EventId(number), sender, "m.room.encrypted", content, NOW)


def test_conversations_of_strangers_are_bounded_and_tidied(
    bot: Device, ann: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(olm, "MAX_UNKNOWN_OF_USER", 3)
    monkeypatch.setattr(olm, "MAX_UNKNOWN", 5)
    bot.meets(ann)
    for user in ("@eve:hs", "@mallory:hs"):
        for _ in range(6):
            stranger = HostileDevice(UserId(user))
            sends(bot, stranger, stranger.first_message(bot.machine.own, one_time_key(bot)))
            bot.clock.advance(1)

    assert len(bot.vault.keys("unknown")) == 5
    assert len([each for each in bot.vault.keys("unknown") if "mallory" in each]) == 3
    bot.clock.advance(31 * 86_400)
    bot.machine.tidy()
    assert bot.vault.keys("unknown") == set()
    assert len(bot.gives_key(ann)) == 1


def test_conversations_with_devices_that_are_gone_are_tidied(bot: Device, ann: Device, eve: HostileDevice) -> None:
    bot.meets(ann)
    meets(bot, eve)
    bot.machine.feed(KeyUpdates(left=(eve.user,)), is_new=False)

    bot.clock.advance(31 * 86_400)
    bot.machine.tidy()

    assert ["ann" in place for place in bot.vault.keys("conversation")] == [True]
    assert len(bot.gives_key(ann)) == 1


def test_a_conversation_that_a_stranger_began_goes_on_when_they_are_known(bot: Device, ann: Device) -> None:
    ann.meets(bot)
    ann.gives_key(bot)
    assert len(bot.vault.keys("unknown")) == 1

    bot.knows(ann)

    assert bot.machine.to_claim([ann.user]) == ()
    bot.gives_key(ann)
    assert bodies(ann.reads(bot.says("in the same conversation"))) == ["in the same conversation"]
    assert bot.vault.keys("unknown") == set()


def test_conversations_that_were_filed_before_there_were_owners_do_not_stop_the_start(tmp_path: Path) -> None:
    """A vault of an earlier version of the program."""
    CryptoStore.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "crypto" / "store.db")) as connection, connection:
        connection.executescript(
            "DROP TABLE entry; CREATE TABLE entry (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
            " at INTEGER NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;"
            "INSERT INTO entry VALUES ('own', 'user', '@bot:hs', 0);"
        )
    connection.close()

    vault = CryptoStore.open(tmp_path)

    assert vault.get("own", "user") == "@bot:hs"
    vault.close()


# Waiting for keys


def lost(number: int, session: str = "lost") -> Event:
    """A message whose key never comes."""
    content = {"algorithm": "m.megolm.v1.aes-sha2", "session_id": session, "ciphertext": "A" * 100}
    return Event(EventId(f"${number}"), UserId("@eve:hs"), "m.room.encrypted", content, NOW)


def work(bot: Device, step: Callable[[], object]) -> int:
    """How many statements *step* costs."""
    statements: list[str] = []
    bot.vault._connection.set_trace_callback(statements.append)
    step()
    bot.vault._connection.set_trace_callback(None)
    return len(statements)


def test_each_sync_costs_the_same_however_many_messages_wait(bot: Device) -> None:
    """A thousand of them held the cryptography for minutes."""
    bot.reads()
    alone = work(bot, bot.reads)
    for room in range(5):
        bot.reads(*(lost(room * 100 + number) for number in range(100)), room=RoomId(f"!room{room}:hs"))
    assert len(bot.vault.keys("waiting")) == 500

    assert work(bot, bot.reads) == alone


def test_messages_that_wait_cost_as_much_as_they_are(bot: Device) -> None:
    few = [lost(number, session=f"s{number}") for number in range(10)]
    many = [lost(number, session=f"s{number}") for number in range(100, 200)]
    bot.reads()

    of_few, of_many = work(bot, lambda: bot.reads(*few)), work(bot, lambda: bot.reads(*many))

    assert of_many < 11 * of_few


def test_a_key_that_arrives_is_tried_at_its_own_messages_only(bot: Device, ann: Device) -> None:
    ann.meets(bot)
    [parcel] = ann.parcels(bot.user)
    bot.reads(ann.says("early", "$early"), *(lost(number) for number in range(100)))
    tried: list[str] = []
    opened = bot.machine._rooms.decrypt
    bot.machine._rooms.decrypt = lambda room, event: (tried.append(event.id), opened(room, event))[1]  # type: ignore[method-assign, func-returns-value]

    bot.hears(*parcel_for(ann, bot, parcel))
    read = bot.reads()

    assert bodies(read) == ["early"]
    assert tried == ["$early"]


def test_one_room_does_not_take_all_the_places_to_wait_in(bot: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST_OF_ROOM", 10)
    other = RoomId("!other:hs")

    flood = bot.reads(*(lost(number) for number in range(30)))
    calm = bot.reads(lost(100), room=other)

    assert [event.unreadable for event in flood.timelines[ROOM]] == [True] * 20
    assert calm.timelines[other] == ()


def test_a_message_that_waited_over_a_restart_is_still_found(bot: Device, ann: Device, tmp_path: Path) -> None:
    ann.meets(bot)
    [parcel] = ann.parcels(bot.user)
    bot.reads(ann.says("early"))
    bot.hears(*parcel_for(ann, bot, parcel))
    bot.vault.close()

    again = Device(tmp_path / "bot", bot.user, clock=bot.clock)

    assert bodies(again.reads()) == ["early"]


def test_a_message_that_is_nested_too_deep_to_be_kept_is_unreadable_and_the_next_waits(bot: Device) -> None:
    deep: dict[str, object] = {}
    for _ in range(100_000):  # from Python 3.12 on, json takes more than a thousand
        deep = {"m.relates_to": deep}
    nested = replace(lost(1), content={**lost(1).content, **deep})

    read = bot.reads(nested, lost(2))

    assert [(event.id, event.unreadable) for event in read.timelines[ROOM]] == [("$1", True)]
    sends(bot, HostileDevice(UserId("@eve:hs")), deep)
    assert bot.vault.keys("waiting") == {"$2"}


# Keys that are withheld


def withheld(session: str = "lost") -> Content:
    told = {"algorithm": "m.megolm.v1.aes-sha2", "room_id": ROOM, "session_id": session, "code": "m.unverified"}
    return {**told, "sender_key": "A" * 43}


def test_a_message_whose_key_is_withheld_is_not_waited_for(bot: Device, eve: HostileDevice) -> None:
    sends(bot, eve, withheld(), WITHHELD)

    [event] = bot.reads(lost(1)).timelines[ROOM]

    assert event.unreadable


def test_a_message_that_waits_is_told_when_its_key_is_withheld(bot: Device, eve: HostileDevice) -> None:
    assert bodies(bot.reads(lost(1))) == []

    sends(bot, eve, withheld(), WITHHELD)

    [event] = bot.reads().timelines[ROOM]
    assert event.unreadable


def test_nobody_withholds_the_key_of_anothers_message(bot: Device) -> None:
    sends(bot, HostileDevice(UserId("@mallory:hs")), withheld(), WITHHELD)

    assert bot.reads(lost(1)).timelines[ROOM] == ()


def test_a_key_that_comes_after_all_opens_the_message(bot: Device, ann: Device) -> None:
    ann.meets(bot)
    [parcel] = ann.parcels(bot.user)
    event = ann.says("secret")
    bot.hears(ToDeviceEvent(ann.user, WITHHELD, withheld(str(event.content["session_id"]))))

    bot.hears(*parcel_for(ann, bot, parcel))

    assert bodies(bot.reads(event)) == ["secret"]


def test_who_cannot_write_to_us_is_written_to(bot: Device, ann: Device) -> None:
    """`m.no_olm`: a conversation that we begin helps."""
    bot.knows(ann)
    told = {"algorithm": "m.megolm.v1.aes-sha2", "sender_key": ann.machine.own.curve25519, "code": "m.no_olm"}

    bot.hears(ToDeviceEvent(ann.user, WITHHELD, told))

    assert [device.id for device in bot.machine.wedged()] == [ann.id]


def test_a_malformed_word_about_a_withheld_key_is_ignored(bot: Device, eve: HostileDevice) -> None:
    values: list[object] = [None, 1, [], {"deep": {}}, "\ud800", "A" * 1_000_000]
    for name in ("algorithm", "room_id", "session_id"):
        for value in values:
            sends(bot, eve, {**withheld(), name: value}, WITHHELD)

    assert bot.reads(lost(1)).timelines[ROOM] == ()


# Large rooms


def test_a_message_costs_the_same_however_many_devices_read_it(bot: Device) -> None:
    """Once they have the key: 5,000 devices cost more than a second a message."""
    costs: dict[int, int] = {}
    for count in (2, 50):
        users = tuple(UserId(f"@r{number}:{count}") for number in range(count))
        for user in users:
            meets(bot, HostileDevice(user))
        for parcel in bot.parcels(*users):
            bot.machine.arrived(ROOM, parcel)
        assert bot.parcels(*users) == ()  # they all have it
        costs[count] = work(bot, partial(message, bot, users))

    assert costs[2] == costs[50] < 10


def message(bot: Device, users: tuple[UserId, ...]) -> None:
    """The steps of a message whose readers have its key."""
    assert bot.is_settled(*users)
    bot.says("news")


def test_a_change_is_noticed_although_everybody_has_the_key(bot: Device, ann: Device, tmp_path: Path) -> None:
    other = Device(tmp_path / "other", UserId("@other:hs"))
    bot.meets(ann, other)
    bot.gives_key(ann)
    bot.parcels(ann.user)
    assert bot.is_settled(ann.user)

    assert not bot.is_settled(ann.user, other.user)
    bot.machine.feed(KeyUpdates(changed=(ann.user,)), is_new=False)
    assert not bot.is_settled(ann.user)
    bot.knows(ann)
    bot.parcels(ann.user)
    assert bot.is_settled(ann.user)
    bot.clock.advance(301)
    assert not bot.is_settled(ann.user)


def test_keys_of_a_step_that_failed_are_read_anew(bot: Device, ann: Device) -> None:
    """What is remembered of the vault is never ahead of it."""
    bot.meets(ann)

    def step() -> None:
        with bot.machine._transaction():
            bot.machine._lists.left([ann.user])
            assert bot.machine._lists.of(ann.user) == {}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        step()

    assert bot.machine._lists.of(ann.user).keys() == {ann.id}
    assert len(bot.gives_key(ann)) == 1
