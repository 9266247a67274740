"""Element's SDK talks to itself: what the tests with the bot build on."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import nio
import pytest

from bot.ids import RoomId, UserId
from element import Elements
from homeserver import Homeserver

UNSIGNED = "UNSIGNED_SENDER_DEVICE"
_names = itertools.count(1)


class Unsigned:
    """Somebody whose client encrypts and signs nothing: nio as it comes."""

    def __init__(self, homeserver: Homeserver, folder: Path) -> None:
        self.name = f"unsigned{next(_names)}"
        self.user = UserId(homeserver.register(self.name, self.name))
        config = nio.AsyncClientConfig(encryption_enabled=True)
        self.client = nio.AsyncClient(homeserver.url, self.user, store_path=str(folder), config=config)

    async def log_in(self) -> None:
        """Log in, and let the others know the device."""
        await self.client.login(self.name)
        await self.client.sync()
        await self.client.keys_upload()

    async def join(self, room: RoomId) -> None:
        """Come in."""
        await self.client.join(room)
        while room not in self.client.rooms:
            await self.client.sync(1000)

    async def say(self, room: RoomId, body: str) -> None:
        """A text, for all devices that are in the room."""
        content = {"msgtype": "m.text", "body": body}
        answer = await self.client.room_send(room, "m.room.message", content, ignore_unverified_devices=True)
        assert isinstance(answer, nio.RoomSendResponse)

    async def hears(self, room: RoomId, sender: UserId) -> str | None:
        """What *sender* says next in a room; `None` where its key is refused us, which its client says."""
        refused, said = False, None
        while said is None:
            answer = await self.client.sync(1000)
            told = [event for event in answer.to_device_events if isinstance(event, nio.UnknownToDeviceEvent)]
            refused |= any(event.type == "m.room_key.withheld" for event in told)
            for event in answer.rooms.join[room].timeline.events if room in answer.rooms.join else ():
                if event.sender == sender and isinstance(event, nio.RoomMessageText | nio.MegolmEvent):
                    said = event
        assert refused == isinstance(said, nio.MegolmEvent)
        return None if refused else said.body


@pytest.fixture
async def unsigned(homeserver: Homeserver, tmp_path: Path) -> AsyncIterator[Unsigned]:
    somebody = Unsigned(homeserver, tmp_path)
    await somebody.log_in()
    yield somebody
    await somebody.client.close()


async def test_two_people_read_each_other_without_a_warning(elements: Elements) -> None:
    ann, bob = [await elements.newcomer(only_signed=True) for _ in range(2)]
    chat = await ann.create_direct(bob.user)
    await bob.join(chat)

    question = await ann.say(chat, "Who is there?")
    await bob.hears(chat, ann.user)
    await bob.say(chat, "Me.")
    await ann.edit(chat, question, "Who's there?")

    (answer,) = await ann.hears(chat, bob.user)
    (asked,) = await bob.shows(chat, ann.user, lambda drawn: [message.body for message in drawn] == ["Who's there?"])
    assert answer.body == "Me."
    assert asked.original["body"] == "Who is there?"
    assert answer.is_trusted
    assert asked.is_trusted


async def test_another_device_reads_and_is_read(elements: Elements) -> None:
    ann, bob = [await elements.newcomer(only_signed=True) for _ in range(2)]
    phone = await elements.another(ann, only_signed=True)
    chat = await ann.create_direct(bob.user)
    await bob.join(chat)

    await bob.say(chat, "Hello")
    (heard,) = await phone.hears(chat, bob.user)
    await phone.say(chat, "Hello yourself")
    (answer,) = await bob.hears(chat, ann.user)

    assert heard.is_trusted
    assert answer.is_trusted
    assert (await bob.trust(ann.user)).devices == {ann.device: True, phone.device: True}


async def test_who_is_not_signed_by_an_owner_is_neither_read_nor_written_to(
    elements: Elements, unsigned: Unsigned
) -> None:
    """What would become of a bot that did not sign its device."""
    ann = await elements.newcomer(only_signed=True)
    chat = await ann.create_direct(unsigned.user)
    await unsigned.join(chat)

    await unsigned.say(chat, "Let me in")
    await ann.say(chat, "Who is there?")

    (lost,) = await ann.shows(chat, unsigned.user, lambda drawn: any(message.failure == UNSIGNED for message in drawn))
    assert "Let me in" not in lost.body
    assert await unsigned.hears(chat, ann.user) is None


async def test_who_is_not_signed_by_an_owner_is_read_with_a_warning_where_that_is_allowed(
    elements: Elements, unsigned: Unsigned
) -> None:
    ann = await elements.newcomer()
    chat = await ann.create_direct(unsigned.user)
    await unsigned.join(chat)

    await unsigned.say(chat, "Let me in")
    await ann.say(chat, "Who is there?")

    (heard,) = await ann.hears(chat, unsigned.user)
    assert (heard.body, heard.shield, heard.reason) == ("Let me in", "RED", "UNSIGNED_DEVICE")
    assert await unsigned.hears(chat, ann.user) == "Who is there?"
