"""Who is answered when many ask, in virtual time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.app import Bot
from bot.commands.answer_inbox import Answerer, AnswerSettings
from bot.commands.answers.patch import said
from bot.commands.request import Answer, CommandRequest
from bot.config import CommandSettings
from bot.ids import EventId, RoomId, UserId
from bot.store import schema
from bot.store.inbox_book import MAX_WAITING, InboxMessage
from support.rig import ROOM, Rig

pytestmark = pytest.mark.slow

ADA, BOB = UserId("@ada:hs"), UserId("@bob:hs")
OTHER = RoomId("!other:hs")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.fixture
async def bot(rig: Rig) -> AsyncIterator[Bot]:
    async with rig.running() as bot:
        await bot.settle()
        yield bot


def a_message(
    rig: Rig, number: int, sender: UserId = ADA, text: str = "!pw version", room: RoomId = ROOM
) -> InboxMessage:
    return InboxMessage(room, EventId(f"${sender}-{number}"), sender, text, rig.clock.now())


async def hear(bot: Bot, *messages: InboxMessage) -> None:
    async with bot.store.transaction() as tx:
        for message in messages:
            await tx.inbox.add(message)


async def say(rig: Rig, bot: Bot, numbers: range, sender: UserId = ADA, room: RoomId = ROOM) -> None:
    """A person says the commands of these numbers, and the bot does what it does about them."""
    await hear(bot, *(a_message(rig, number, sender, room=room) for number in numbers))
    await bot.settle()


def an_answerer(
    bot: Bot, rig: Rig, answer: Callable[[CommandRequest], Awaitable[Answer]], *, per_minute: int
) -> Answerer:
    settings = AnswerSettings("!pw", UserId("@bot:hs"), frozenset(), per_minute, per_minute)
    return Answerer(bot.store, {"version": answer}, settings, rig.clock)


async def test_over_the_limit_there_is_one_reaction_a_window_and_then_silence(rig: Rig, bot: Bot) -> None:
    await say(rig, bot, range(30))
    assert len(rig.chat.bodies(ROOM)) == 20
    assert rig.chat.reactions(ROOM) == [("$@ada:hs-20", "⏳")]

    await say(rig, bot, range(30, 35))
    assert len(rig.chat.bodies(ROOM)) == 20
    assert len(rig.chat.reactions(ROOM)) == 1

    rig.clock.advance(60)
    await say(rig, bot, range(40, 62))
    assert len(rig.chat.bodies(ROOM)) == 40
    assert [event for event, _ in rig.chat.reactions(ROOM)] == ["$@ada:hs-20", "$@ada:hs-60"]


async def test_commands_over_the_limit_do_not_fill_the_database(rig: Rig, bot: Bot) -> None:
    """Another homeserver may send any number of them, of 16 kB each; answered ones are kept for a week."""
    texts = ["!pw version", *["!pw find " + "x" * 16_000] * 120]
    await hear(bot, *(a_message(rig, number, text=text) for number, text in enumerate(texts)))
    await bot.settle()

    async with bot.store.transaction() as tx:
        kept = (await tx.inbox._connection.execute(sa.select(schema.inbox.c.body))).scalars().all()
    assert len(kept) == 20
    assert {*kept} == {""}


async def test_a_room_gets_its_share_whoever_asks(rig: Rig, bot: Bot) -> None:
    for number in range(8):
        await say(rig, bot, range(10), UserId(f"@{number}:hs"))

    assert len(rig.chat.bodies(ROOM)) == 60
    assert len(rig.chat.reactions(ROOM)) == 1
    await say(rig, bot, range(1), BOB, OTHER)
    assert len(rig.chat.bodies(OTHER)) == 1


async def test_of_many_who_ask_at_once_no_more_are_answered_than_the_room_may_have(rig: Rig, bot: Bot) -> None:
    await hear(bot, *(a_message(rig, 1, UserId(f"@{number}:hs")) for number in range(80)))

    await bot.settle()

    assert len(rig.chat.bodies(ROOM)) == 60
    assert len(rig.chat.reactions(ROOM)) == 1


async def test_the_settings_say_how_much_is_answered(rig: Rig) -> None:
    rig.commands = CommandSettings(per_user_per_minute=2, per_room_per_minute=3)
    async with rig.running() as bot:
        await say(rig, bot, range(5))
        assert len(rig.chat.bodies(ROOM)) == 2

        await say(rig, bot, range(5), BOB)
        assert len(rig.chat.bodies(ROOM)) == 3

    assert len(rig.chat.reactions(ROOM)) == 2


async def test_talk_that_is_not_for_the_bot_uses_up_nothing(rig: Rig, bot: Bot) -> None:
    await hear(bot, *(a_message(rig, number, text="good morning") for number in range(100)))
    await bot.settle()

    await say(rig, bot, range(100, 120))

    assert len(rig.chat.bodies(ROOM)) == 20
    assert rig.chat.reactions(ROOM) == []


async def test_a_flood_that_came_first_does_not_keep_another_person_waiting(rig: Rig, bot: Bot) -> None:
    await hear(bot, *(a_message(rig, number) for number in range(100)), a_message(rig, 1, BOB))

    await bot.settle()

    asked_by = [post.message.replies_to for post in rig.chat.posted if post.message.reaction is None]
    assert asked_by.index(EventId("$@bob:hs-1")) == 1


async def test_who_comes_while_a_flood_is_answered_is_the_next_but_one(rig: Rig, bot: Bot) -> None:
    order: list[UserId] = []

    async def answer(asked: CommandRequest) -> Answer:
        order.append(asked.message.sender)
        if len(order) == 3:
            await hear(bot, a_message(rig, 1, BOB))
        return Answer(said("Here."))

    await hear(bot, *(a_message(rig, number) for number in range(100)))
    await an_answerer(bot, rig, answer, per_minute=1_000).answer_all()

    assert order.index(BOB) <= 4
    assert len(order) == 101


async def test_what_one_person_says_is_answered_in_order(rig: Rig, bot: Bot) -> None:
    order: list[EventId] = []

    async def answer(asked: CommandRequest) -> Answer:
        order.append(asked.message.event)
        return Answer(said("Here."))

    messages = [a_message(rig, number) for number in range(100)]
    await hear(bot, *messages)
    await an_answerer(bot, rig, answer, per_minute=1_000).answer_all()

    assert order == [message.event for message in messages]


async def test_no_more_is_taken_in_of_a_person_than_anybody_waits_for(rig: Rig, bot: Bot) -> None:
    await hear(bot, *(a_message(rig, number) for number in range(MAX_WAITING + 5)), a_message(rig, 1, BOB))

    async with bot.store.transaction() as tx:
        waiting = await tx.inbox.unanswered(limit=1_000)

    assert sum(message.sender == ADA for message in waiting) == MAX_WAITING
    assert waiting[1].sender == BOB


async def test_a_command_that_was_heard_in_time_is_answered_however_long_the_bot_was_down(rig: Rig) -> None:
    async with rig.running() as bot:
        await hear(bot, a_message(rig, 1))
    rig.clock.advance(timedelta(hours=3).total_seconds())

    async with rig.running() as bot:
        await bot.settle()

    assert len(rig.chat.bodies(ROOM)) == 1


async def test_an_answer_is_a_reply_and_stays_in_the_thread_of_the_question(rig: Rig, bot: Bot) -> None:
    in_thread = replace(a_message(rig, 1), thread=EventId("$root"))
    await hear(bot, in_thread, a_message(rig, 2))

    await bot.settle()

    related = [(post.message.thread, post.message.replies_to) for post in rig.chat.posted]
    assert related == [("$root", in_thread.event), (None, "$@ada:hs-2")]


async def test_what_people_say_to_each_other_is_not_kept(rig: Rig, bot: Bot) -> None:
    await hear(bot, a_message(rig, 1, text="my private words to Ann"), a_message(rig, 2))

    await bot.answerer.answer_all()

    async with bot.store.transaction() as tx:
        kept = (await tx.inbox._connection.exec_driver_sql("SELECT event, body FROM inbox")).all()
    assert [tuple(row) for row in kept] == [("$@ada:hs-2", "")]


async def test_an_answer_that_cannot_be_written_is_a_fault_and_holds_nobody_up(rig: Rig, bot: Bot) -> None:
    async def unwritable(asked: CommandRequest) -> Answer:
        return Answer(said("well") if asked.message.sender == BOB else (7,))  # type: ignore[arg-type]  # the fault

    await hear(bot, a_message(rig, 1), a_message(rig, 2, BOB))
    answerer = an_answerer(bot, rig, unwritable, per_minute=20)

    await answerer.answer_all()
    await bot.settle()

    assert rig.chat.bodies(ROOM) == [
        "That failed because of a bug in the bot. The operator can find details in the log.",
        "well",
    ]
