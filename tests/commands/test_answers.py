"""What people are answered, over a real database and a sample Patchwork."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot import __version__
from bot.commands import answer_inbox as answer
from bot.commands import resolve_ref as finder
from bot.commands.command_table import FOR_ADMINS
from bot.errors import StoreError
from bot.ids import UserId
from bot.store.inbox_book import InboxBook, InboxMessage
from support.desk_rig import Desk, a_message
from support.rig import ROOM, Rig


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        yield Desk(rig, bot)


async def test_help_tells_of_what_the_bot_answers(desk: Desk) -> None:
    listed = await desk.ask("help all")

    assert "• !pw show REF — a patch or a series, by id, message-id or link\n" in listed
    verbs = {line.split()[2] for line in listed.split("\n") if line.startswith("• ")}
    assert verbs == {verb.split()[0] for verb in desk.bot.answerer._handlers} - FOR_ADMINS
    assert (await desk.ask("help query")).startswith("QUERY is made of terms, such as path:migration/ ")
    assert (await desk.ask("help S")).startswith("!pw show REF — a patch or a series, by id, message-id or link\n")


async def test_version(desk: Desk) -> None:
    assert await desk.ask("version") == f"patchwork-matrix-bot {__version__}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shwo 5", snapshot("I do not know the command “shwo”. Did you mean “show”?")),
        ("@room <b>", snapshot("I do not know the command “@\u2060room”. For what I understand, type: !pw help")),
    ],
)
async def test_what_is_no_command_says_what_is(desk: Desk, text: str, said: str) -> None:
    assert await desk.ask(text) == said


async def test_a_message_without_the_prefix_is_not_answered(desk: Desk) -> None:
    for number, text in enumerate(("show 5", "!pwx show 5", "hello !pw")):
        await desk.bot.receive(a_message(text, 100 + number))
        await desk.bot.settle()

    assert desk.rig.chat.posted == []


async def test_a_message_heard_twice_is_answered_once(desk: Desk) -> None:
    for _ in range(2):
        await desk.bot.receive(a_message("!pw help"))
        await desk.bot.settle()

    assert len(desk.rig.chat.posted) == 1


async def test_an_answer_is_written_once_though_the_process_stops_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    answered = InboxBook.answered

    async def stop(self: InboxBook, said: InboxMessage) -> None:
        await answered(self, said)
        raise StoreError("the process stops here")

    async with rig.running() as bot:
        await bot.receive(a_message("!pw help"))
        with monkeypatch.context() as patched:
            patched.setattr(InboxBook, "answered", stop)
            with pytest.raises(StoreError):
                await bot.answerer.answer_all()
        async with bot.store.transaction() as tx:
            assert await tx.outbox.count() == {}

    for _ in range(2):
        async with rig.running() as bot:
            await bot.settle()
            assert len(rig.chat.posted) == 1


async def test_one_message_that_breaks_the_bot_does_not_silence_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> None:
        raise RuntimeError(text)

    with monkeypatch.context() as patched:
        patched.setattr(finder, "read_ref", broken)

        assert (
            await desk.ask("show 5")
            == "That failed because of a bug in the bot. The operator can find details in the log."
        )

    assert (await desk.ask("help")).startswith("Most wanted")


async def test_a_server_that_never_answers_does_not_keep_people_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(answer, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(finder.RefResolver, "find", never)

    assert await desk.ask("show 5") == "There was no answer within 0.01 seconds. Please try again later."


async def test_in_a_direct_chat_commands_have_no_prefix(desk: Desk) -> None:
    settings = answer.AnswerSettings(
        "!pw", UserId("@bot:hs"), frozenset({ROOM}), per_user_per_minute=20, per_room_per_minute=60
    )
    answerer = answer.Answerer(desk.bot.store, desk.bot.answerer._handlers, settings, desk.rig.clock)
    async with desk.bot.store.transaction() as tx:
        await tx.inbox.add(a_message("show something"))
        await tx.inbox.add(a_message("!pw show", 2))

    await answerer.answer_all()
    await desk.bot.settle()

    assert desk.rig.chat.bodies(ROOM) == [
        "“something” is not a patch id, a message-id or a link.\nExample: show 2194095",
        "Which one? Name it, or type this in reply to a card.\nExample: show 2194095",
    ]
