"""Somebody who asks the bot, over a real database and a sample Patchwork."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.app import Bot
from bot.commands import grammar
from bot.commands.request import CommandRequest
from bot.ids import EventId, UserId
from bot.notices.markup import Allowed, written
from bot.sample_patchwork.patchwork import PostedSeries
from bot.sample_patchwork.request import Response
from bot.store.inbox_book import InboxMessage
from support.rig import PROJECT, ROOM, Rig


def a_message(text: str, number: int = 1) -> InboxMessage:
    return InboxMessage(ROOM, EventId(f"$said{number}"), UserId("@ada:hs"), text, datetime(2026, 11, 23, tzinfo=UTC))


def short(text: str) -> str:
    """*text* with the address of the sample project as PROJECT."""
    return text.replace(f"https://patchwork.example.org/project/{PROJECT}", "PROJECT")


def forms(answer: tuple[str, str]) -> tuple[str, str]:
    """Both forms of an answer, short, the HTML a line per tag that begins one."""
    body, html = answer
    return short(body), re.sub(r'(?<!^)(?=<(?:p|ul|li|details|summary|br)\b)|(?<=[/h]">)', "\n", short(html))


@dataclass
class Desk:
    """Somebody who asks in a room where nothing else is said."""

    rig: Rig
    bot: Bot
    asked: int = 0

    async def ask(self, text: str) -> str:
        """The answer to `!pw` *text*; "" where there was none."""
        before = len(self.rig.chat.posted)
        self.asked += 1
        await self.bot.receive(a_message(f"!pw {text}", self.asked))
        await self.bot.settle()
        return "\n---\n".join(post.message.body for post in self.rig.chat.posted[before:])

    async def known(self, patches: int = 1, name: str = "hw: Fix it") -> PostedSeries:
        """A series that the bot has read, and that no room wants."""
        posted = self.rig.post("hw/a.c", name=name, patches=patches)
        await self.rig.poll(self.bot, times=3)
        assert self.rig.chat.posted == []
        return posted

    def break_down(self, status: int = 502) -> None:
        """From now on the server answers nothing else."""
        self.rig.patchwork.fault = lambda _: Response(status, {"content-type": "text/html"}, b"<html>")

    def msgid(self, patch: int) -> str:
        """The message-id of a patch."""
        return self.rig.patchwork.rows.patches[patch].msgid

    async def reply(self, text: str, *, to: EventId | None = None, thread: EventId | None = None) -> tuple[str, str]:
        """What `!pw` *text*, said in reply to an event or in a thread, is answered, in both forms."""
        said = InboxMessage(ROOM, EventId("$reply"), UserId("@ada:hs"), text, self.rig.clock.now(), thread, to)
        call = grammar.parse(text, "!pw")
        assert isinstance(call, grammar.ParsedCommand)
        handlers = self.bot.answerer._handlers
        answer = await handlers[call.command.verb](CommandRequest(call, said, "!pw", direct=False))
        return written(answer.document, answer.site.allowed if answer.site else Allowed(()))
