"""Conversations with a bot that has watched a project for some days, in rooms and in direct chats."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.app import Bot
from bot.commands.rights import MemoryRoomRights
from bot.config import CommandSettings
from bot.delivery.chat import PostedMessage
from bot.ids import EventId, RoomId, UserId
from bot.sample_patchwork.patchwork import PostedSeries
from bot.store.inbox_book import InboxMessage
from support.rig import PROJECT, ROOM, Rig, a_series

MODERATOR, MEMBER, OPERATOR = UserId("@ann:hs"), UserId("@bob:hs"), UserId("@ops:hs")
CHAT = RoomId("!chat:hs")  # the member's direct chat
MAINTAINERS = """\
Migration
M: Peter Sample <peter@example.org>
F: migration/
F: include/migration/
X: migration/rdma*

VirtIO
M: Mike Sample <mike@example.org>
F: hw/virtio/
"""


@dataclass
class Conversation:
    """What people say to the bot, and what it says; *card* is the event that replies hang on."""

    rig: Rig
    bot: Bot
    card: EventId | None = None
    msgid: str = ""
    _number: int = 0

    async def ask(self, text: str, who: UserId, room: RoomId) -> str:
        """Return the answer to *text*, which may begin with ↩ for a reply to the card; "" if there was none.

        `{msgid}` stands for the message-id of the newest patch.
        """
        self._number += 1
        is_reply = text.startswith("↩")
        body = text.removeprefix("↩").replace("{msgid}", self.msgid)
        before = len(self.rig.chat.posted)
        self.rig.clock.advance(5.0)  # nobody types faster
        await self.bot.receive(
            InboxMessage(
                room,
                EventId(f"$said{self._number}"),
                who,
                body,
                self.rig.clock.now(),
                None,
                self.card if is_reply else None,
            )
        )
        await self.bot.settle()
        return "\n---\n".join(_shown(post) for post in self.rig.chat.posted[before:])

    async def arrives(self, *paths: str, name: str, patches: int = 1) -> PostedSeries:
        """Post a series, and let the bot read it."""
        posted = self.rig.patchwork.post_series(PROJECT, a_series(*paths, name=name, patches=patches))
        await self.rig.poll(self.bot)
        self.msgid = self.rig.patchwork.rows.patches[posted.patches[0]].msgid
        return posted


def _shown(post: PostedMessage) -> str:
    message = post.message
    if message.reaction is not None:
        return f"(reaction) {message.body}"
    return f"(in a thread) {message.body}" if message.thread is not None else message.body


@asynccontextmanager
async def conversation(folder: Path) -> AsyncIterator[Conversation]:
    """A bot that has watched for twelve days, in a room with a card and in a direct chat."""
    (folder / "MAINTAINERS").write_text(MAINTAINERS)
    rig = Rig(
        folder,
        subscribe={},
        direct=frozenset({CHAT}),
        room_rights=MemoryRoomRights(
            admins=(OPERATOR,), levels={(ROOM, MODERATOR): 50}, joined={ROOM: "#qemu-migration:hs"}
        ),
        commands=CommandSettings(per_user_per_minute=1_000, per_room_per_minute=1_000),
        maintainers=str(folder / "MAINTAINERS"),
    )
    async with rig.running() as bot:
        await bot.settle()
        talk = Conversation(rig, bot)
        for day in range(12):
            await rig.pass_quietly(bot, timedelta(days=1).total_seconds() - 60)
            paths = (("migration/ram.c",), ("hw/virtio/net.c", "migration/vmstate.c"), ("docs/devel/index.rst",))[
                day % 3
            ]
            await talk.arrives(*paths, name=f"Change number {day + 1}", patches=1 + day % 2)
        rig.chat.posted.clear()
        yield talk
