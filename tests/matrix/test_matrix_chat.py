"""The Matrix client as a `Chat`, over a real homeserver."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from bot.clock import SystemClock
from bot.delivery.chat import Chat
from bot.errors import Forbidden, Permanent
from bot.ids import EventId, NoticeKey, RoomId, TxnId
from bot.matrix.client import MatrixClient
from bot.notices.markup import Allowed, Block, Link, Title, words, written
from bot.notices.markup import lines as lines_of
from bot.notices.notice import Message, NoticeKind, Tag
from support.chat_contract import ChatContract, a_message, a_reaction
from support.matrix_rig import Account
from support.person import Person


@dataclass
class FarPlace:
    """Two rooms of a person, with the bot in them."""

    account: Account
    person: Person
    chat: MatrixClient
    room: RoomId
    other: RoomId
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def now(self) -> datetime:
        """The bot's own time."""
        return SystemClock().now()

    async def bodies(self, room: RoomId) -> list[str]:
        """What the person sees."""
        return await self.person.bodies(room, self.account.user)

    async def shown(self, room: RoomId) -> list[str]:
        """What the person's client shows."""
        return await self.person.shown(room, self.account.user)

    async def thread(self, room: RoomId, root: EventId) -> list[str]:
        """What the person's client shows of a thread."""
        return [event["content"]["body"] for event in await self.person.thread(room, root)]

    async def change_device(self) -> None:
        """Lose the device and log in anew."""
        (self.account.folder / "device.json").unlink()
        self.chat = await self.stack.enter_async_context(self.account.logged_in())


@pytest.fixture
async def place(account: Account, ann: Person) -> AsyncIterator[FarPlace]:
    async with account.logged_in() as client:
        room, other = await account.room_of(ann, client), await account.room_of(ann, client)
        place = FarPlace(account, ann, client, room, other)
        async with place.stack:
            yield place


class TestMatrixChat(ChatContract):
    """The chat at a homeserver."""


def test_the_client_is_a_chat(account: Account) -> None:
    port: Chat = account.client()

    assert port.device == ""


async def test_a_transaction_id_makes_one_event_after_restarts_of_both_sides(place: FarPlace) -> None:
    first = await place.chat.send(place.room, TxnId("t1"), a_message())

    async with place.account.logged_in() as restarted:
        assert restarted.device == place.chat.device
        second = await restarted.send(place.room, TxnId("t1"), a_message())
        with place.account.homeserver.away():
            pass
        third = await restarted.send(place.room, TxnId("t1"), a_message())

    assert first == second == third
    assert await place.bodies(place.room) == ["body of card/1"]


async def test_many_later_events_of_others_do_not_hide_one_of_ours(place: FarPlace) -> None:
    before = place.now()
    event = await place.chat.send(place.room, TxnId("t1"), a_message())
    await asyncio.gather(*(place.person.say(place.room, f"line {number}") for number in range(120)))

    assert await place.chat.find(place.room, NoticeKey("card/1"), before) == event


async def test_what_others_pretend_to_be_is_not_found(place: FarPlace) -> None:
    before = place.now()
    tag = {"kind": "card", "key": "card/1"}
    await place.person.say(place.room, "a forged card", **{"org.patchbot": tag})

    assert await place.chat.find(place.room, NoticeKey("card/1"), before) is None


@pytest.mark.parametrize("thread", ["$unknown", "{other}"])
async def test_an_answer_in_a_thread_that_is_none_is_given_below_the_question(place: FarPlace, thread: str) -> None:
    """Another homeserver lets people say that they write in any thread; ours refuses to go on there."""
    root = EventId(thread.format(other=await place.person.say(place.other, "elsewhere")))
    question = await place.person.say(place.room, "!pw version")
    answer = replace(a_message(), thread=root, replies_to=question)

    event = await place.chat.send(place.room, TxnId("t1"), answer)

    assert await place.chat.send(place.room, TxnId("t1"), answer) == event
    [content] = await place.person.messages(place.room, place.account.user)
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": question}}


async def test_a_reply_below_a_card_that_is_none_is_not_said_elsewhere(place: FarPlace) -> None:
    with pytest.raises(Permanent):
        await place.chat.send(place.room, TxnId("t1"), replace(a_message(), thread=EventId("$unknown")))

    assert await place.bodies(place.room) == []


async def test_a_notice_says_what_it_is_and_rings_nobody(place: FarPlace) -> None:
    await place.chat.send(place.room, TxnId("t1"), a_message())

    [content] = await place.person.messages(place.room, place.account.user)
    assert content["msgtype"] == "m.notice"
    assert content["m.mentions"] == {}
    assert content["org.patchbot"] == {"kind": "card", "key": "card/1"}
    assert content["formatted_body"] == "<p>card/1</p>"


async def test_hostile_text_arrives_once_escaped_cut_and_pings_nobody(place: FarPlace) -> None:
    pill = f"https://matrix.to/#/{place.person.user}"
    hostile = f"@room {place.person.user} {place.person.name} <b>bold</b> {pill} \ud800 \x00 "
    document = (Title(hostile, pill), lines_of([words(Link("pill", pill))]), Block(hostile * 1_000))
    body, html = written(document, Allowed(("https://patchwork.example.org",)))
    message = Message(body, html, Tag(NoticeKind.CARD, NoticeKey("card/1")), rings=True)

    await place.chat.send(place.room, TxnId("t1"), message)

    assert len(hostile) * 1_000 > 70_000
    [content] = await place.person.messages(place.room, place.account.user)
    assert "@room" not in content["body"] + content["formatted_body"]
    assert "<b>" not in content["formatted_body"]
    assert "href" not in content["formatted_body"]
    assert "…" in content["body"]
    assert await place.person.unread(place.room) == {"notification_count": 1, "highlight_count": 0}


async def test_the_same_text_without_our_care_would_ping(place: FarPlace, bob: Person) -> None:
    """What the test before would not notice if highlights were not counted."""
    await place.person.invite(place.room, bob.user)
    await bob.join(place.room)

    await bob.say(place.room, f"hello {place.person.name}")

    assert (await place.person.unread(place.room))["highlight_count"] == 1


async def test_a_room_that_threw_us_out_is_forbidden(place: FarPlace) -> None:
    await place.person.kick(place.room, place.account.user)

    with pytest.raises(Forbidden):
        await place.chat.send(place.room, TxnId("t1"), a_message())


async def test_a_room_that_never_was_is_forbidden(place: FarPlace) -> None:
    with pytest.raises(Forbidden):
        await place.chat.send(RoomId("!nowhere:hs.test"), TxnId("t1"), a_message())


async def test_a_message_that_the_homeserver_finds_too_large_is_never_sent(place: FarPlace) -> None:
    with pytest.raises(Permanent, match="too large"):
        await place.chat.send(place.room, TxnId("t1"), a_message("k" * 61_000))


async def test_the_same_reaction_twice_is_as_good_as_once(place: FarPlace) -> None:
    event = await place.person.say(place.room, "too many commands")

    for number in (1, 2):
        await place.chat.send(place.room, TxnId(f"r{number}"), a_reaction(event, f"answer/{number}"))

    assert await place.person.reactions(place.room) == [(event, "⏳")]


async def test_many_messages_at_once_arrive_in_a_room_one_by_one(place: FarPlace) -> None:
    keys = [f"card/{number}" for number in range(30)]

    async with asyncio.TaskGroup() as group:
        for key in keys:
            group.create_task(place.chat.send(place.room, TxnId(key), a_message(key)))

    assert await place.bodies(place.room) == [f"body of {key}" for key in keys]
