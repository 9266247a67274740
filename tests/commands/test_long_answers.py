"""Where a long answer goes while people are talking."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.commands.room_traffic import BUSY_SECONDS, RoomTraffic
from bot.ids import EventId, RoomId, UserId
from bot.store.inbox_book import InboxMessage
from support.conversation import CHAT, MEMBER, MODERATOR, Conversation, conversation
from support.rig import ROOM


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Conversation]:
    async with conversation(tmp_path) as talk:
        yield talk


async def chatter(talk: Conversation, count: int) -> None:
    """Others talk in the room, and not to the bot."""
    for number in range(count):
        await talk.bot.receive(
            InboxMessage(ROOM, EventId(f"$chat{number}"), MEMBER, "so it goes", talk.rig.clock.now())
        )
    await talk.bot.settle()


async def test_a_long_answer_in_a_busy_room_opens_a_thread(talk: Conversation) -> None:
    await chatter(talk, 3)

    assert (await talk.ask("!pw help all", MODERATOR, ROOM)).startswith("(in a thread) The bot")
    assert not (await talk.ask("!pw status", MODERATOR, ROOM)).startswith("(in a thread)")
    last = talk.rig.chat.posted[-2].message
    assert last.thread == last.replies_to


async def test_a_long_answer_stays_in_a_quiet_room_and_in_a_direct_chat(talk: Conversation) -> None:
    await chatter(talk, 2)
    assert (await talk.ask("!pw help all", MODERATOR, ROOM)).startswith("The bot")
    await chatter(talk, 5)
    assert (await talk.ask("help all", MEMBER, CHAT)).startswith("The bot")
    assert (await talk.ask("!pw help all", MEMBER, ROOM)).startswith("The bot"), "only the one who asks has talked"

    talk.rig.clock.advance(BUSY_SECONDS)
    assert (await talk.ask("!pw help all", MODERATOR, ROOM)).startswith("The bot")


def test_the_traffic_of_the_quietest_rooms_is_forgotten() -> None:
    traffic, ann, bob = RoomTraffic(), UserId("@ann:hs"), UserId("@bob:hs")
    for number in range(5_000):
        for _ in range(20):
            traffic.count(RoomId(f"!{number}:hs"), ann, 0.0)

    assert traffic.is_busy(RoomId("!4999:hs"), bob, 1.0)
    assert not traffic.is_busy(RoomId("!0:hs"), bob, 1.0)
