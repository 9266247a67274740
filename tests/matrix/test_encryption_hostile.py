"""A member whose device has bad keys, or sends what nobody can read, in a room at a real homeserver."""

from dataclasses import dataclass
from typing import Any

import pytest

from bot.ids import DeviceId, RoomId, TxnId
from bot.matrix.session_memory import InMemorySession
from support.chat_contract import a_message
from support.friend import Friend
from support.hostile_device import LOW_ORDER, HostileDevice
from support.matrix_rig import Account, Listener, listening
from support.person import Person


@dataclass
class Culprit:
    """Somebody whose client is a device as hostile as the homeserver lets it be."""

    person: Person
    device: HostileDevice

    @classmethod
    async def of(cls, person: Person) -> "Culprit":
        """The device that they are logged in with."""
        name = (await person.ask("GET", "/account/whoami"))["device_id"]
        return cls(person, HostileDevice(person.user, DeviceId(name)))

    async def publishes(self, one_time_key: str, **keys: str) -> None:
        """Have the homeserver tell others of these keys."""
        body = {
            "device_keys": self.device.device_keys(**keys),
            "one_time_keys": self.device.one_time_keys(one_time_key),
        }
        await self.person.ask("POST", "/keys/upload", body)

    async def sends(self, bot: Listener, content: object, txn: str) -> None:
        """Send the bot's device something."""
        messages = {bot.client.user: {bot.client.device: content}}
        await self.person.ask("PUT", f"/sendToDevice/m.room.encrypted/{txn}", {"messages": messages})

    async def begins_a_conversation(self, bot: Listener) -> None:
        """Send a message that can be read, and not be answered."""
        await self.person.until(lambda: _has_keys(bot))
        own = bot.client.encryption._machine.own
        wanted = {own.user: {own.device: "signed_curve25519"}}
        answer = await self.person.ask("POST", "/keys/claim", {"one_time_keys": wanted})
        [key] = answer["one_time_keys"][own.user][own.device].values()
        await self.sends(bot, self.device.first_message(own, key["key"]), "first")

    async def hears(self) -> list[dict[str, Any]]:
        """What was sent to their device so far, in the clear."""
        events: list[dict[str, Any]] = (await self.person.ask("GET", "/sync", timeout=0))["to_device"]["events"]
        return [event for event in events if event["type"] != "m.room.encrypted"]


async def _has_keys(bot: Listener) -> bool:
    return bot.client.encryption._is_ready


async def room_of(ann: Person, culprit: Person, account: Account, bot: Listener) -> RoomId:
    """An encrypted room of Ann's, with the bot and the culprit."""
    room = await ann.create_room(account.user, culprit.user, encrypted=True)
    await culprit.join(room)
    await bot.until(lambda: room in bot.session.rooms and bot.session.rooms[room].joined_members == 3)
    return room


async def is_answered(bot: Listener, friend: Friend, room: RoomId, memory: InMemorySession) -> bool:
    """Whether a command in the room is heard, and an answer read."""
    said, read = len(memory.messages), len(friend.read(room, bot.client.user))
    await friend.say(room, "!pw help")
    await bot.until(lambda: len(memory.messages) > said)
    await bot.client.send(room, TxnId(f"answer{said}"), a_message(f"answer/{said}"))
    return (await friend.reads(room, bot.client.user, read + 1))[-1] == f"body of answer/{said}"


def left_out(bot: Listener) -> list[tuple[str, str]]:
    """What the bot recorded."""
    return [(incident.kind, incident.name) for incident in bot.client.incidents]


@pytest.mark.parametrize("keys", [{}, {"curve25519": LOW_ORDER}])
async def test_a_device_with_a_low_order_key_does_not_silence_an_encrypted_room(
    account: Account, ann: Person, friend: Friend, eve: Person, keys: dict[str, str]
) -> None:
    """As its one-time key, or as its identity key."""
    memory, culprit = InMemorySession(), await Culprit.of(eve)
    await culprit.publishes(LOW_ORDER, **keys)
    async with listening(account, memory) as bot:
        room = await room_of(ann, eve, account, bot)

        await bot.client.send(room, TxnId("card"), a_message("card/1"))

        assert await friend.reads(room, account.user) == ["body of card/1"]
        assert await is_answered(bot, friend, room, memory)
        assert left_out(bot) == [("encryption.device_left_out", f"devices of {eve.user}")]
        [told] = await _eventually(culprit)
        assert (told["type"], told["content"]["code"]) == ("m.room_key.withheld", "m.no_olm")
        assert not told["content"].keys() & {"room_id", "session_id"}


async def _eventually(culprit: Culprit) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def is_told() -> bool:
        found[:] = await culprit.hears()
        return bool(found)

    await culprit.person.until(is_told)
    return found


async def test_a_device_that_nobody_can_answer_and_then_sends_garbage_ends_nothing(
    account: Account, ann: Person, friend: Friend, eve: Person
) -> None:
    """The session's tasks ended, again and again, when a new conversation was to be greeted."""
    memory, culprit = InMemorySession(), await Culprit.of(eve)
    await culprit.publishes(HostileDevice(eve.user).curve25519)
    async with listening(account, memory) as bot:
        room = await room_of(ann, eve, account, bot)
        await culprit.begins_a_conversation(bot)
        assert await is_answered(bot, friend, room, memory)
        for number in range(3):
            garbage = {"type": 1, "body": f"Awog{number}AAA"}
            await culprit.sends(bot, culprit.device.to(bot.client.encryption._machine.own, garbage), str(number))

        assert await is_answered(bot, friend, room, memory)
        await bot.until(lambda: not bot.client.encryption._machine.wedged())
        assert await is_answered(bot, friend, room, memory)
        assert left_out(bot) == [("encryption.device_left_out", f"devices of {eve.user}")]
        assert not bot.task.done()
