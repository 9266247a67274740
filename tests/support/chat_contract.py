"""What every `Chat` must do: inherit from `ChatContract`, and give it a `place` fixture."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.delivery.chat import Chat
from bot.ids import EventId, NoticeKey, RoomId, TxnId
from bot.notices.notice import Message, NoticeKind, Tag


class Place(Protocol):
    """A chat with two rooms that it may speak in, and somebody who reads along."""

    @property
    def chat(self) -> Chat:
        """The chat, as the device that it is now."""

    @property
    def room(self) -> RoomId:
        """A room."""

    @property
    def other(self) -> RoomId:
        """Another room."""

    def now(self) -> datetime:
        """The time where the bot is, UTC."""

    async def bodies(self, room: RoomId) -> list[str]:
        """The plain texts that the room shows."""

    async def shown(self, room: RoomId) -> list[str]:
        """The plain texts that the room shows as they stand after all edits."""

    async def thread(self, room: RoomId, root: EventId) -> list[str]:
        """The plain texts in the thread under an event."""

    async def change_device(self) -> None:
        """Go on as another device of the same user."""


def a_message(key: str = "card/1") -> Message:
    """A message with this key."""
    return Message(f"body of {key}", f"<p>{key}</p>", Tag(NoticeKind.CARD, NoticeKey(key)))


def a_reaction(event: EventId, key: str = "answer/1") -> Message:
    """A reaction to *event* with this key."""
    return Message("⏳", "", Tag(NoticeKind.ANSWER, NoticeKey(key)), reaction=event)


def an_edit(event: EventId, key: str = "edit/1/card/1") -> Message:
    """What *event* says from now on, with a key of its own."""
    return replace(a_message(key), edits=event)


def a_reply(root: EventId, key: str = "reply/1") -> Message:
    """Something in the thread under *root*."""
    return replace(a_message(key), thread=root)


class ChatContract:
    """The claims."""

    async def test_a_transaction_id_makes_one_event(self, place: Place) -> None:
        """The same transaction id of the same device is answered with the event that is there."""
        first = await place.chat.send(place.room, TxnId("t1"), a_message())

        again = await place.chat.send(place.room, TxnId("t1"), a_message())

        assert first == again
        assert await place.bodies(place.room) == ["body of card/1"]

    async def test_a_transaction_id_of_another_device_makes_another_event(self, place: Place) -> None:
        """Transaction ids belong to a device."""
        first = await place.chat.send(place.room, TxnId("t1"), a_message())
        device = place.chat.device
        await place.change_device()

        again = await place.chat.send(place.room, TxnId("t1"), a_message())

        assert place.chat.device != device
        assert first != again

    async def test_messages_stay_in_the_order_they_were_sent(self, place: Place) -> None:
        """What was sent first stands first."""
        for number in range(5):
            await place.chat.send(place.room, TxnId(f"t{number}"), a_message(f"card/{number}"))

        assert await place.bodies(place.room) == [f"body of card/{number}" for number in range(5)]

    async def test_rooms_are_apart(self, place: Place) -> None:
        """What is said in one room is neither seen nor found in another."""
        before = place.now()
        await place.chat.send(place.room, TxnId("t1"), a_message())

        assert await place.bodies(place.other) == []
        assert await place.chat.find(place.other, NoticeKey("card/1"), before) is None

    async def test_an_event_is_found_by_its_key(self, place: Place) -> None:
        """It is found where it is not older than asked for, and under no other key."""
        before = place.now()
        event = await place.chat.send(place.room, TxnId("t1"), a_message())

        assert await place.chat.find(place.room, NoticeKey("card/1"), before) == event
        assert await place.chat.find(place.room, NoticeKey("card/2"), before) is None
        later = place.now() + timedelta(minutes=1)
        assert await place.chat.find(place.room, NoticeKey("card/1"), later) is None

    async def test_a_reaction_is_found_by_its_key_and_is_no_message(self, place: Place) -> None:
        """It is put once per transaction id, as messages are."""
        before = place.now()
        event = await place.chat.send(place.room, TxnId("t1"), a_message())

        reaction = await place.chat.send(place.room, TxnId("t2"), a_reaction(event))
        again = await place.chat.send(place.room, TxnId("t2"), a_reaction(event))

        assert reaction == again != event
        assert await place.bodies(place.room) == ["body of card/1"]
        assert await place.chat.find(place.room, NoticeKey("answer/1"), before) == reaction

    async def test_an_edit_is_what_its_message_says_from_then_on(self, place: Place) -> None:
        """It is put once per transaction id, as messages are; the newest wins, and the others stay as they are."""
        card = await place.chat.send(place.room, TxnId("t1"), a_message("card/1"))
        await place.chat.send(place.room, TxnId("t2"), a_message("card/2"))

        edit = await place.chat.send(place.room, TxnId("t3"), an_edit(card, "edit/1/card/1"))
        again = await place.chat.send(place.room, TxnId("t3"), an_edit(card, "edit/1/card/1"))

        assert edit == again != card
        assert await place.shown(place.room) == ["body of edit/1/card/1", "body of card/2"]
        await place.chat.send(place.room, TxnId("t4"), an_edit(card, "edit/2/card/1"))
        assert await place.shown(place.room) == ["body of edit/2/card/1", "body of card/2"]

    async def test_an_edit_is_found_by_its_own_key_and_its_message_by_that_of_the_message(self, place: Place) -> None:
        """So that neither is taken for the other after a crash."""
        before = place.now()
        card = await place.chat.send(place.room, TxnId("t1"), a_message("card/1"))
        edit = await place.chat.send(place.room, TxnId("t2"), an_edit(card, "edit/1/card/1"))

        assert await place.chat.find(place.room, NoticeKey("edit/1/card/1"), before) == edit
        assert await place.chat.find(place.room, NoticeKey("card/1"), before) == card

    async def test_a_reply_is_in_the_thread_of_its_message(self, place: Place) -> None:
        """It is put once per transaction id, and found by its key."""
        before = place.now()
        card = await place.chat.send(place.room, TxnId("t1"), a_message("card/1"))
        other = await place.chat.send(place.room, TxnId("t2"), a_message("card/2"))

        reply = await place.chat.send(place.room, TxnId("t3"), a_reply(card))
        again = await place.chat.send(place.room, TxnId("t3"), a_reply(card))

        assert reply == again
        assert await place.thread(place.room, card) == ["body of reply/1"]
        assert await place.thread(place.room, other) == []
        assert await place.chat.find(place.room, NoticeKey("reply/1"), before) == reply
