"""What rooms see of digests, in virtual time."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.app import Bot
from bot.clock import VirtualClock
from bot.commands.rights import MemoryHouse
from bot.delivery.chat import Posted
from bot.ids import EventId, RoomId, ServerName, UserId
from bot.store.inbox import Said
from bot.store.store import Store
from rig import ROOM, Rig

WORKDAYS = 'path:migration/ digest:"Mon-Fri 09:00"'
SERVER = ServerName("sample")
ANN = UserId("@ann:hs")  # a moderator
CHAT = RoomId("!chat:hs")  # her direct chat


def rig_at(folder: Path, start: str, *configured: str) -> Rig:
    return Rig(
        folder,
        subscribe={ROOM: configured} if configured else {},
        house=MemoryHouse(levels={(ROOM, ANN): 50}),
        clock=VirtualClock(datetime.fromisoformat(f"{start}+00:00")),
        direct=frozenset({CHAT}),
    )


@dataclass
class Days:
    """A bot whose days pass."""

    rig: Rig
    bot: Bot
    said: int = 0

    async def say(self, text: str, room: RoomId = ROOM) -> str:
        """The answer to *text*."""
        self.said += 1
        now = self.rig.clock.now()
        before = len(self.rig.chat.posted)
        await self.bot.hear(Said(room, EventId(f"${now:%s}-{self.said}"), ANN, f"!pw {text}", now))
        await self.bot.settle()
        return "\n---\n".join(post.message.body for post in self.rig.chat.posted[before:])

    async def at(self, *moments: str) -> None:
        """Let time pass to each of these (UTC) in turn, with all that is to be done then."""
        for moment in moments:
            self.rig.clock.advance((datetime.fromisoformat(f"{moment}+00:00") - self.rig.clock.now()).total_seconds())
            await self.bot.settle()

    async def post(self, name: str, *paths: str, patches: int = 1) -> None:
        """A series arrives and is read."""
        self.rig.post(*(paths or ("migration/ram.c",)), name=name, patches=patches)
        await self.bot.settle()


@asynccontextmanager
async def days(rig: Rig) -> AsyncIterator[Days]:
    async with rig.running() as bot:
        await bot.settle()
        yield Days(rig, bot)


def told(rig: Rig, room: RoomId = ROOM) -> list[tuple[str, list[str]]]:
    """When each digest came (UTC), and the series in it."""
    return [
        (f"{post.at:%a %H:%M}", re.findall("(?m)^• (.*?) <", post.message.body))
        for post in rig.chat.posted
        if post.room == room and post.message.tag.kind == "digest"
    ]


def digests(rig: Rig) -> list[Posted]:
    return [post for post in rig.chat.posted if post.message.tag.kind == "digest"]


async def set_zone(store: Store, zone: str, room: RoomId = ROOM) -> None:
    async with store.transaction() as tx:
        await tx.subscriptions.set(room, "timezone", zone)


async def test_a_working_week_across_the_end_of_summer_time(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-10-22T12:00")  # a Thursday; the clocks are put back on Sunday
    async with days(rig) as bot:
        await bot.say("set timezone Europe/Berlin")
        await bot.say(f"sub {WORKDAYS}")
        await bot.post("on Thursday")
        await bot.at("2026-10-23T06:59:59", "2026-10-23T07:00", "2026-10-23T07:01")
        await bot.post("on Friday", patches=2)
        await bot.at("2026-10-24T07:00", "2026-10-24T12:00")
        await bot.post("on Saturday")
        await bot.post("elsewhere", "hw/a.c")
        await bot.at("2026-10-25T08:00", "2026-10-26T07:59:59", "2026-10-26T08:00", "2026-10-27T08:00")
        await bot.at("2026-10-28T12:00")
        await bot.post("on Wednesday")
        await bot.at("2026-10-29T07:59:59", "2026-10-29T08:00", "2026-10-30T08:00", "2026-10-31T08:00")

    assert told(rig) == [
        ("Fri 07:00", ["on Thursday"]),
        ("Mon 08:00", ["on Friday", "on Saturday"]),
        ("Thu 08:00", ["on Wednesday"]),
    ]
    assert [post for post in rig.chat.posted if post.message.tag.kind == "card"] == []
