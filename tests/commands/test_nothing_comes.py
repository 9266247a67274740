"""What the page for rooms in which nothing comes says that the bot answers is what it answers."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from bot.ids import UserId
from bot.sample_patchwork.request import Response
from support.conversation import MEMBER, MODERATOR, Conversation, conversation
from support.rig import ROOM

PAGE = Path(__file__).parents[2] / "docs" / "nothing-comes.md"
_BLOCK = re.compile(r"^    > (.*)\n((?:    .*\n)+)", re.MULTILINE)


def _dialogues() -> Iterator[tuple[str, list[str]]]:
    for block in _BLOCK.finditer(PAGE.read_text()):
        yield block[1], [line.strip() for line in block[2].splitlines()]


def _is_in(line: str, answer: str) -> bool:
    """Whether a line of the answer is as the page says, which leaves out some of it with "…"."""
    pattern = ".*".join(re.escape(part) for part in line.split("…"))
    return any(re.fullmatch(pattern, each) for each in answer.split("\n"))


async def _prepare(talk: Conversation) -> None:
    for query in ("path:migration/", "path:hw/virtio/ digest:daily", "path:docs/ on:state"):
        await talk.ask(f"!pw sub {query}", MODERATOR, ROOM)
    await talk.rig.pass_quietly(talk.bot, timedelta(hours=1).total_seconds())
    await talk.arrives("hw/virtio/net.c", name="In the digest")


async def _person(talk: Conversation, typed: str) -> UserId:
    """Whoever types that, after what leads to it has happened."""
    if typed == "!pw status":
        talk.rig.patchwork.fault = lambda _: Response(502, {}, b"")
        await talk.rig.poll(talk.bot, 3)
    return MEMBER if typed.startswith("!pw sub ") else MODERATOR


async def test_the_bot_answers_as_the_page_says(tmp_path: Path) -> None:
    wrong: list[tuple[str, str, str]] = []
    async with conversation(tmp_path) as talk:
        await _prepare(talk)
        for typed, lines in _dialogues():
            answer = await talk.ask(typed, await _person(talk, typed), ROOM)
            wrong += [(typed, line, answer) for line in lines if not _is_in(line, answer)]

    assert wrong == []


def test_the_page_has_what_to_type() -> None:
    assert len(list(_dialogues())) >= 10
