"""Encrypted rooms, over a real homeserver, with somebody whose client is another implementation."""

import asyncio
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.ids import EventId, NoticeKey, RoomId, TxnId, UserId
from bot.matrix.client import Deadlines, MatrixClient
from bot.matrix.session_memory import InMemorySession
from bot.notices.markup import MAX_BODY_BYTES, MAX_HTML_BYTES
from bot.notices.notice import Message, NoticeKind, Tag
from support.chat_contract import ChatContract, a_message, a_reaction, an_edit
from support.friend import Friend, befriended
from support.homeserver import Homeserver
from support.matrix_rig import Account, LateClient, Listener, listening
from support.person import Person


@dataclass
class SecretPlace:
    """Two encrypted rooms of a friend, with the bot in them."""

    account: Account
    friend: Friend
    chat: MatrixClient
    room: RoomId
    other: RoomId
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def now(self) -> datetime:
        """The bot's own time."""
        return SystemClock().now()

    async def bodies(self, room: RoomId) -> list[str]:
        """What the friend reads."""
        await self.friend.look()
        return self.friend.read(room, self.account.user)

    async def shown(self, room: RoomId) -> list[str]:
        """What the friend's client shows."""
        await self.friend.look()
        return self.friend.shown(room, self.account.user)

    async def thread(self, room: RoomId, root: EventId) -> list[str]:
        """What the friend reads of a thread, which the homeserver knows from what is outside."""
        await self.friend.look()
        return [self.friend.decrypted(room, event) for event in await self.friend.person.thread(room, root)]

    async def change_device(self) -> None:
        """Lose the device and log in anew."""
        (self.account.folder / "device.json").unlink()
        self.chat = await self.stack.enter_async_context(self.account.logged_in())


@pytest.fixture
async def place(account: Account, ann: Person, friend: Friend) -> AsyncIterator[SecretPlace]:
    async with account.logged_in() as client:
        room = await account.room_of(ann, client, encrypted=True)
        other = await account.room_of(ann, client, encrypted=True)
        place = SecretPlace(account, friend, client, room, other)
        async with place.stack:
            yield place


class TestEncryptedChat(ChatContract):
    """The chat in encrypted rooms."""


async def sealed_in(place: SecretPlace, room: RoomId) -> list[dict[str, Any]]:
    """The contents of the bot's encrypted messages, as the homeserver has them."""
    events = await place.friend.person.timeline(room)
    return [each["content"] for each in events if each["type"] == "m.room.encrypted"]


async def test_only_a_tag_that_tells_nothing_stands_outside(place: SecretPlace) -> None:
    root = await place.friend.person.send(place.room, {"msgtype": "m.text", "body": "in the clear"})
    tag = Tag(NoticeKind.ANSWER, NoticeKey("answer/1"))
    await place.chat.send(place.room, TxnId("t1"), Message("secret", "<p>secret</p>", tag, thread=root))

    [sealed] = await sealed_in(place, place.room)
    assert set(sealed) == {
        *("algorithm", "ciphertext", "session_id", "sender_key", "device_id"),
        *("m.relates_to", "org.patchbot.tag"),
    }
    assert sealed["m.relates_to"]["event_id"] == root
    assert len(sealed["org.patchbot.tag"]) == 16
    assert "answer/1" not in str(sealed)
    assert await place.bodies(place.room) == ["secret"]
    [read] = place.friend.contents(place.room, place.account.user)
    assert read["org.patchbot"] == {"kind": "answer", "key": "answer/1"}


async def test_of_an_edit_only_what_it_replaces_stands_outside(place: SecretPlace) -> None:
    card = await place.chat.send(place.room, TxnId("t1"), a_message())
    await place.chat.send(place.room, TxnId("t2"), an_edit(card))

    [_, sealed] = await sealed_in(place, place.room)
    assert sealed["m.relates_to"] == {"rel_type": "m.replace", "event_id": card}
    assert sealed.keys() & {"body", "m.new_content", "org.patchbot"} == set()
    assert await place.shown(place.room) == ["body of edit/1/card/1"]
    [_, read] = place.friend.contents(place.room, place.account.user)
    assert read["m.new_content"]["org.patchbot"] == {"kind": "card", "key": "edit/1/card/1"}


async def test_a_reaction_is_in_the_clear_but_does_not_say_what_it_is_about(place: SecretPlace) -> None:
    """Hole 12: Matrix has no encrypted reactions."""
    event = await place.chat.send(place.room, TxnId("t1"), a_message())

    await place.chat.send(place.room, TxnId("t2"), a_reaction(event, "answer/secret"))

    assert await place.friend.person.reactions(place.room) == [(event, "⏳")]
    [reaction] = [each for each in await place.friend.person.timeline(place.room) if each["type"] == "m.reaction"]
    assert reaction["content"].keys() == {"m.relates_to", "org.patchbot.tag"}


async def test_a_large_message_fits_also_when_it_is_encrypted(place: SecretPlace) -> None:
    tag = Tag(NoticeKind.ANSWER, NoticeKey("answer/1"))
    text = "€" * 10_000  # fits a room without encryption, with its HTML

    await place.chat.send(place.room, TxnId("t1"), Message(text, f"<p>{text[:8_000]}</p>", tag))

    [read] = await place.bodies(place.room)
    assert len(read) == 4_000
    assert read.startswith("€€")


async def test_an_edit_of_the_largest_size_fits_also_when_it_is_encrypted(place: SecretPlace) -> None:
    """It says everything twice; JSON makes two of each quotation mark."""
    body, html = '"' * MAX_BODY_BYTES, '"' * MAX_HTML_BYTES
    card = await place.chat.send(place.room, TxnId("t1"), a_message())

    await place.chat.send(place.room, TxnId("t2"), replace(an_edit(card), body=body, html=html))

    assert await place.shown(place.room) == [body]


async def test_a_tag_is_found_again_by_another_device_with_the_kept_secret(place: SecretPlace) -> None:
    before = place.now()
    event = await place.chat.send(place.room, TxnId("t1"), a_message())
    shutil.rmtree(place.account.folder / "crypto")

    async with place.account.logged_in() as other:
        assert other.device != place.chat.device
        assert await other.find(place.room, NoticeKey("card/1"), before) == event
        assert await other.find(place.room, NoticeKey("card/2"), before) is None


async def test_a_room_that_becomes_encrypted_stays_so(place: SecretPlace) -> None:
    """A homeserver that takes the encryption back later makes nobody send in the clear."""
    person, memory = place.friend.person, InMemorySession()
    async with listening(place.account, memory) as bot:
        room = await person.create_room(place.account.user)
        await bot.until(lambda: room in bot.session.rooms)
        await bot.client.send(room, TxnId("t1"), a_message("card/clear"))
        await person.set_state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
        await bot.until(lambda: bot.session.rooms[room].is_encrypted)
        await bot.client.send(room, TxnId("t2"), a_message("card/sealed"))
        await person.set_state(room, "m.room.encryption", {})
        await place.friend.say(room, "!pw help")
        await bot.until(lambda: bool(memory.messages))

        await bot.client.send(room, TxnId("t3"), a_message("card/3"))

    assert await person.bodies(room, place.account.user) == ["body of card/clear"]
    assert len(await sealed_in(place, room)) == 3  # with what the friend said


async def test_101_messages_at_once_are_all_sent_and_all_read(place: SecretPlace) -> None:
    """Hole 4: the session is replaced in between, after 100 messages."""
    async with asyncio.TaskGroup() as group:
        for number in range(101):
            group.create_task(place.chat.send(place.room, TxnId(f"t{number}"), a_message(f"card/{number}")))

    await place.friend.look()
    events = [each for each in await place.friend.person.timeline(place.room) if each["type"] == "m.room.encrypted"]
    read = [place.friend.decrypted(place.room, each) for each in events]
    assert read == [f"body of card/{number}" for number in range(101)]
    assert len({each["content"]["session_id"] for each in events}) == 2


async def test_a_new_device_reads_the_next_message(place: SecretPlace, tmp_path: Path) -> None:
    """Hole 8."""
    person = place.friend.person
    async with listening(place.account, InMemorySession()) as bot:
        await bot.client.send(place.room, TxnId("t1"), a_message("card/1"))
        async with befriended(person, tmp_path / "second", place.account.url, "SECOND") as second:
            await _knows_devices(bot, second, 2)
            await bot.client.send(place.room, TxnId("t2"), a_message("card/2"))

            first, then = await second.reads(place.room, place.account.user, 2)

    assert first.startswith("cannot be read")
    assert then == "body of card/2"


async def _knows_devices(bot: Listener, friend: Friend, count: int) -> None:
    """Wait until the bot was told that the devices of somebody are others now."""
    machine = bot.client.encryption._machine

    async def is_told() -> bool:
        marks = await bot.client.encryption._step(machine.to_query, [friend.user])
        return friend.user in marks or len(machine._lists.of(friend.user)) == count

    await friend.person.until(is_told)


async def test_who_left_cannot_read_on_and_who_came_cannot_read_back(
    place: SecretPlace, bob: Person, tmp_path: Path
) -> None:
    """Hole 8: a new session when somebody goes; who comes gets the key from there on."""
    person = place.friend.person
    async with (
        listening(place.account, InMemorySession()) as bot,
        befriended(bob, tmp_path / "bob", place.account.url) as other,
    ):
        await bot.client.send(place.room, TxnId("t1"), a_message("card/1"))
        await person.invite(place.room, bob.user)
        await bob.join(place.room)
        await bot.until(lambda: bot.session.rooms[place.room].joined_members == 3)
        await bot.client.send(place.room, TxnId("t2"), a_message("card/2"))
        first, second = await other.reads(place.room, place.account.user, 2)
        await bob.leave(place.room)
        await bot.until(lambda: bot.session.rooms[place.room].joined_members == 2)
        await bot.client.send(place.room, TxnId("t3"), a_message("card/3"))

    assert (first[:14], second) == ("cannot be read", "body of card/2")
    sessions = [each["session_id"] for each in await sealed_in(place, place.room)]
    assert sessions[0] == sessions[1] != sessions[2]
    assert await place.bodies(place.room) == ["body of card/1", "body of card/2", "body of card/3"]


async def test_somebody_invited_reads_what_was_said_before_they_came(
    place: SecretPlace, bob: Person, tmp_path: Path
) -> None:
    await place.friend.person.invite(place.room, bob.user)
    async with befriended(bob, tmp_path / "bob", place.account.url) as other:
        await place.chat.send(place.room, TxnId("t1"), a_message())
        await bob.join(place.room)

        assert await other.reads(place.room, place.account.user) == ["body of card/1"]


async def test_a_session_outlasts_a_restart_and_is_given_to_nobody_twice(place: SecretPlace) -> None:
    """Hole 13."""
    await place.chat.send(place.room, TxnId("t1"), a_message("card/1"))

    async with place.account.logged_in() as restarted:
        before = restarted.requests
        await restarted.send(place.room, TxnId("t2"), a_message("card/2"))
        requests = restarted.requests - before

    first, second = await sealed_in(place, place.room)
    assert first["session_id"] == second["session_id"]
    assert requests == 5  # how far we are, whether we are signed, who reads what was before, who is there, the message
    assert await place.bodies(place.room) == ["body of card/1", "body of card/2"]


async def test_a_room_says_after_how_many_messages_a_session_is_replaced(place: SecretPlace) -> None:
    """Hole 13."""
    rules = {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": 2}
    await place.friend.person.set_state(place.room, "m.room.encryption", rules)

    for number in range(5):
        await place.chat.send(place.room, TxnId(f"t{number}"), a_message(f"card/{number}"))

    a, b, c, d, e = [each["session_id"] for each in await sealed_in(place, place.room)]
    assert a == b != c == d != e
    assert len(await place.bodies(place.room)) == 5


# Hearing


async def test_a_card_that_is_taken_back_is_heard_of(account: Account, ann: Person) -> None:
    """Also while we were away, and further back than one answer reaches."""
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, encrypted=True)
        await bot.until(lambda: room in bot.session.rooms)
        cards = [await bot.client.send(room, TxnId(key), a_message(key)) for key in ("card/1", "card/2")]
        await ann.redact(room, cards[0])
        await bot.until(lambda: (room, cards[0]) in memory.redactions)
    await ann.redact(room, cards[1])
    for number in range(52):  # more than a sync tells of
        await ann.say(room, f"missed {number}")

    async with listening(account, memory, client=LateClient):
        pass

    assert memory.redactions == {(room, card) for card in cards}


async def test_what_is_said_in_an_encrypted_direct_chat_is_heard(account: Account, ann: Person, friend: Friend) -> None:
    """Hole 15: that a chat is direct is known although an invitation does not tell of encryption."""
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, encrypted=True, direct=True)
        await bot.until(lambda: room in bot.session.rooms)

        await friend.say(room, "help")
        await bot.until(lambda: bool(memory.messages))

        assert [each.body for each in memory.messages] == ["help"]
        assert bot.session.rooms[room].is_direct
        assert bot.session.rooms[room].is_encrypted


async def test_a_thread_is_known_although_it_is_told_outside(account: Account, ann: Person, friend: Friend) -> None:
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, encrypted=True)
        await bot.until(lambda: room in bot.session.rooms)
        root = await friend.say(room, "root")

        relation = {"rel_type": "m.thread", "event_id": root}
        await friend.say(room, "!pw help", **{"m.relates_to": relation})
        await bot.until(lambda: len(memory.messages) == 2)

        assert memory.messages[1].thread == root


async def test_a_long_gap_is_read_although_it_is_encrypted(account: Account, ann: Person, friend: Friend) -> None:
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, encrypted=True)
        await bot.until(lambda: room in bot.session.rooms)
        await friend.say(room, "first")
        await bot.until(lambda: bool(memory.messages))
    for number in range(52):  # more than a sync tells of
        await friend.client.room_send(
            room, "m.room.message", {"msgtype": "m.text", "body": f"{number}"}, ignore_unverified_devices=True
        )

    async with listening(account, memory):
        pass

    assert [each.body for each in memory.messages[1:]] == [str(number) for number in range(52)]


async def test_devices_reach_a_bot_that_was_away_while_all_its_keys_were_used(
    account: Account, ann: Person, friend: Friend
) -> None:
    """Hole 5: then the fallback key serves, and afterwards the homeserver is given new ones."""
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, encrypted=True)
        await bot.until(lambda: room in bot.session.rooms)
        device = bot.client.device
        await ann.until(lambda: _is_signed(bot))
    for _ in range(50):
        await _claimed(ann, account, device)
    await friend.say(room, "with the fallback key")

    async with listening(account, memory) as bot:
        await bot.until(lambda: [each.body for each in memory.messages] == ["with the fallback key"])

        async def has_new_keys() -> bool:
            return "fallback" not in str(await _claimed(ann, account, device))

        await ann.until(has_new_keys)


async def _is_signed(bot: Listener) -> bool:
    return bot.client.encryption._is_ready


async def _claimed(person: Person, account: Account, device: str) -> dict[str, Any]:
    wanted = {account.user: {device: "signed_curve25519"}}
    answer = await person.ask("POST", "/keys/claim", {"one_time_keys": wanted})
    found: dict[str, Any] = answer["one_time_keys"]
    return found


async def test_who_cannot_be_read_is_asked_once_an_hour_to_send_it_again(
    account: Account, ann: Person, friend: Friend
) -> None:
    """Hole 7: here somebody's client does not give the bot its key."""
    account.deadlines = Deadlines(listen_seconds=1, key_seconds=0)
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room, open_room = await _two_rooms(bot, ann, account.user)
        await friend.withholds(room)
        events = [await friend.say(room, f"secret {number}") for number in range(3)]
        await bot.until(lambda: bool(memory.notices))
        last = await ann.say(open_room, "after them")
        await bot.until(lambda: bool(memory.messages))

    [asked] = memory.notices.values()
    assert asked.message.replies_to == events[0]
    assert not asked.message.rings
    assert [each.event for each in memory.messages] == [last]


async def test_a_key_that_comes_later_than_the_message_still_opens_it(
    account: Account, ann: Person, friend: Friend
) -> None:
    """Hole 7: also across a restart of the bot."""
    account.deadlines = Deadlines(listen_seconds=1, key_seconds=300)
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room, open_room = await _two_rooms(bot, ann, account.user)
        key = await friend.withholds(room)
        event = await friend.say(room, "early")
        seen = memory.saves
        await ann.say(open_room, "after it")
        await bot.until(lambda: bool(memory.messages) and memory.saves > seen)

    async with listening(account, memory) as bot:
        await friend.gives(key, account.user)
        await bot.until(lambda: len(memory.messages) == 2)

    assert memory.messages[1].event == event
    assert memory.messages[1].body == "early"
    assert not memory.notices


async def _two_rooms(bot: Listener, ann: Person, user: UserId) -> tuple[RoomId, RoomId]:
    """An encrypted room in which the bot introduced itself, and one in which the outbox is empty in the clear."""
    open_room = await ann.create_room(user)
    await bot.until(lambda: open_room in bot.session.rooms)
    room = await ann.create_room(user, encrypted=True)
    await bot.until(lambda: room in bot.session.rooms and bool(bot.memory.welcomes))
    return room, open_room


async def test_a_request_to_compare_emoji_disturbs_nobody(account: Account, ann: Person, friend: Friend) -> None:
    """Hole 14: it is not answered; that the owner signed the device is enough."""
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, encrypted=True)
        await bot.until(lambda: room in bot.session.rooms)
        request = {"from_device": "FRIEND", "methods": ["m.sas.v1"], "transaction_id": "v", "timestamp": 1}
        messages = {account.user: {bot.client.device: request}}
        await ann.ask("PUT", "/sendToDevice/m.key.verification.request/1", {"messages": messages})

        await friend.say(room, "!pw help")
        await bot.until(lambda: [each.body for each in memory.messages] == ["!pw help"])


# What is kept


async def test_everything_that_is_kept_is_for_the_bot_alone(place: SecretPlace, homeserver: Homeserver) -> None:
    """Hole 11: the key that it is kept under is no common one, either."""
    await place.chat.send(place.room, TxnId("t1"), a_message())

    folder = place.account.folder / "crypto"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == dict.fromkeys(["store.db", "store.db-wal", "store.db-shm", "pickle.key"], 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((place.account.folder / "keys.json").stat().st_mode) == 0o600
    async with Account(homeserver, place.account.folder.parent / "other").logged_in() as other:
        assert other.device
    keys = [(each / "crypto" / "pickle.key").read_bytes() for each in (folder.parent, folder.parent.parent / "other")]
    assert len({*keys}) == 2
    assert len(keys[0]) == 32
