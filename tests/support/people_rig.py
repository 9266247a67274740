"""People in rooms and in direct chats with the bot, in virtual time."""

import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.app import Bot
from bot.commands.rights import MemoryRoomRights
from bot.config import CommandSettings
from bot.delivery.chat import PostedMessage
from bot.ids import EventId, RoomId, UserId
from bot.store.inbox_book import InboxMessage
from support.rig import PROJECT, ROOM, Rig, a_series
from support.titles import title_of

ANN = UserId("@ann:hs")  # a moderator of ROOM
BOB = UserId("@bob:hs")  # a member
OPS = UserId("@ops:hs")  # an admin of the bot
CHAT = RoomId("!chat:hs")  # Bob's direct chat


_numbers = itertools.count(1)  # of what is said


@dataclass
class People:
    """Who speaks to the bot, and what it says."""

    rig: Rig
    bot: Bot
    answers: list[PostedMessage] = field(default_factory=list)
    encrypted: bool = False  # what is said

    async def say(
        self,
        text: str,
        who: UserId = ANN,
        room: RoomId = ROOM,
        *,
        reply_to: EventId | None = None,
        thread: EventId | None = None,
    ) -> str:
        """The answer to *text*, said to the bot."""
        body = text if room in self.rig.direct else f"!pw {text}"
        event = EventId(f"$said{next(_numbers)}")
        before = len(self.rig.chat.posted)
        await self.bot.receive(
            InboxMessage(room, event, who, body, self.rig.clock.now(), thread, reply_to, self.encrypted)
        )
        await self.bot.settle()
        self.answers += self.rig.chat.posted[before:]
        return "\n---\n".join(post.message.body for post in self.rig.chat.posted[before:])

    async def chat(self, text: str, who: UserId = BOB) -> str:
        """The same in the direct chat."""
        return await self.say(text, who, CHAT)

    @property
    def html(self) -> str:
        """The last answer, as HTML, a line a block."""
        return re.sub("(?<=>)(?=<(?:p|ul|li|pre))", "\n", self.answers[-1].message.html)

    async def arrives(self, *paths: str, name: str = "A series", submitter: str = "", project: str = PROJECT) -> None:
        """A series is posted, and the bot reads it."""
        series = a_series(*paths, name=name)
        self.rig.patchwork.post_series(project, replace(series, submitter=submitter) if submitter else series)
        await self.rig.poll(self.bot)

    def cards(self, room: RoomId = ROOM) -> list[PostedMessage]:
        """The cards of a room."""
        return [post for post in self.rig.chat.posted if post.room == room and post.message.tag.kind == "card"]

    def titles(self, room: RoomId = ROOM) -> list[str]:
        """The first lines of its cards."""
        return [title_of(post.message.body) for post in self.cards(room)]


def a_rig(folder: Path, *configured: str, per_person: int = 25, per_room: int = 100) -> Rig:
    """A room whose moderator is Ann, and a direct chat of Bob's; *configured* are the queries of the file."""
    return Rig(
        folder,
        subscribe={ROOM: configured} if configured else {},
        direct=frozenset({CHAT}),
        room_rights=MemoryRoomRights(admins=(OPS,), levels={(ROOM, ANN): 50}, joined={ROOM: "#room:hs"}),
        commands=CommandSettings(
            per_user_per_minute=1_000,
            per_room_per_minute=1_000,
            max_per_person=per_person,
            max_per_room=per_room,
        ),
    )


@asynccontextmanager
async def people(rig: Rig) -> AsyncIterator[People]:
    """The bot between them, from start to stop."""
    async with rig.running() as bot:
        await bot.settle()
        yield People(rig, bot)
