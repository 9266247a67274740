"""How quiet the bot is: one day of a large list, through the whole bot in virtual time, into a chat in memory.

Nothing here is a matter of the machine's speed: what is counted are room events, and the waits are those of the
clock that the day goes by.
"""

import asyncio
import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from bench.day import MINUTES, PROJECTS, Day, a_day
from bench.patterns import a_tree
from bench.table import Row, progress
from bot.app import Bot, RunConditions, assembled, known_rooms
from bot.clock import VirtualClock
from bot.config import MatrixSettings, PatchworkSettings, ProjectSettings, RoomSettings, Settings, StoreSettings
from bot.delivery.chat import MemoryChat, PostedMessage
from bot.ids import SeriesId
from bot.notices.notice import Lane, NoticeKind
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.server import SampleTransport

SEED = 25
ROOMS = 20
PER_SECOND, BURST = 0.2, 8  # what a homeserver allows that nobody asked to lift its limit
STEP_SECONDS = 5  # while something waits to be sent
_URL = "https://patchwork.example.org"


@dataclass(frozen=True, slots=True)
class Told:
    """What the rooms were told in a day, and what happened on the server meanwhile."""

    chat: MemoryChat
    waits_seconds: Sequence[float]  # of the cards, from the poll that found them
    happened: int  # events of the server about series that a room has a card of, once for each of these rooms


def rows() -> Iterator[Row]:
    """The figures of the day."""
    told = asyncio.run(_lived())
    posted = told.chat.posted
    cards = [each for each in posted if each.message.tag.kind is NoticeKind.CARD and each.message.edits is None]
    series = {(each.room, each.message.tag.series or each.message.tag.patch) for each in cards}
    edits = Counter((each.room, each.message.edits) for each in posted if each.message.edits is not None)
    per_card = [edits[each.room, each.event] for each in cards]
    replies = [each for each in posted if each.message.tag.kind is NoticeKind.REPLY]
    what = f"a day, {ROOMS} rooms"
    yield Row(what, "cards", len(cards), "")
    yield Row(what, "cards a series version and room", len(cards) / len(series), "", at_most=1)
    yield Row(what, "edits a card, the median", median(per_card), "", at_most=5)
    yield Row(what, "edits a card, the most", max(per_card), "")
    yield Row(what, "replies in threads", len(replies), "")
    yield Row(what, "messages that mention or ring", sum(each.message.rings for each in posted), "", at_most=0)
    yield Row(what, "one message an event would be", told.happened / len(posted), "× the room events")
    yield Row(what, "a new card waits, the median", median(told.waits_seconds), " s")
    yield Row(what, "a new card waits, p95", quantiles(told.waits_seconds, n=20)[-1], " s")


async def _lived() -> Told:
    rng = random.Random(SEED)  # noqa: S311  # repeatable, no secret
    files = a_tree(rng)
    day = a_day(rng, files)
    clock = VirtualClock()
    server = SamplePatchwork(clock)
    for project in PROJECTS:
        server.add_project(project)
    chat = MemoryChat(clock)
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(Path(folder), _rooms(rng, files))
        transports = {"sample": SampleTransport(server)}
        async with assembled(settings, chat, clock, known_rooms(settings), RunConditions(transports)) as bot:
            await bot.settle()
            await _live(bot, day, clock, server)
        return Told(chat, _waits(Path(folder) / "bot.db"), _happened(server, chat.posted))


async def _live(bot: Bot, day: Day, clock: VirtualClock, server: SamplePatchwork) -> None:
    """Minute by minute, a poll in each; and as long after as something is left to say."""
    for minute in range(MINUTES + 120):
        if minute % 240 == 0:
            progress(f"  {minute // 60} h of the day")
        for step in day.steps.get(minute, ()):
            step(server)
        await _poll(bot)
        for _ in range(60 // STEP_SECONDS):
            clock.advance(STEP_SECONDS)
            if await _is_something_to_say(bot):
                await bot.sender.deliver()


async def _poll(bot: Bot) -> None:
    """All that a minute brings, but the daily look at MAINTAINERS."""
    for watch, _ in bot.watches:
        while await watch.tick():
            pass
    for duty in bot.duties.all:
        await duty.run()


async def _is_something_to_say(bot: Bot) -> bool:
    async with bot.store.transaction() as tx:
        return await tx.outbox.next_at() is not None


def _rooms(rng: random.Random, files: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What the rooms ask for: parts of the tree, a list, and everything that happens to one part."""
    busiest = [files[int(len(files) * rng.random() ** 3)] for _ in range(ROOMS)]
    rooms: dict[str, tuple[str, ...]] = {
        f"!room{number}:hs": (f"path:{'/'.join(path.split('/')[:2])}/",) for number, path in enumerate(busiest)
    }
    rooms["!room0:hs"] = (*rooms["!room0:hs"], f"project:{PROJECTS[0]}")
    rooms["!room1:hs"] = (f"{rooms['!room1:hs'][0]} on:new,revision,state,check,comment",)
    rooms["!room2:hs"] = (f"project:{PROJECTS[1]} as:compact",)
    return rooms


def _settings(folder: Path, rooms: dict[str, tuple[str, ...]]) -> Settings:
    return Settings(
        matrix=MatrixSettings(
            homeserver="https://hs.example.org",
            user_id="@bot:hs.example.org",
            messages_per_second=PER_SECOND,
            message_burst=BURST,
        ),
        store=StoreSettings(url=f"sqlite:///{folder / 'bot.db'}", data_dir=folder),
        patchwork=(
            PatchworkSettings(name="sample", url=_URL, projects=tuple(ProjectSettings(name=name) for name in PROJECTS)),
        ),
        room=tuple(RoomSettings(room=room, subscribe=queries) for room, queries in rooms.items()),
    )


def _waits(database: Path) -> list[float]:
    """How many seconds each card lay in the outbox."""
    query = f"SELECT unixepoch(settled_at) - unixepoch(created_at) FROM notice WHERE lane = {Lane.CARD.value}"  # noqa: S608  # a number
    with closing(sqlite3.connect(database)) as connection:
        return [float(seconds) for (seconds,) in connection.execute(query)]


def _happened(server: SamplePatchwork, posted: Sequence[PostedMessage]) -> int:
    """The events of the server about series that a room has a card of, once for each of these rooms."""
    rooms = Counter(each.message.tag.series for each in posted if each.message.edits is None)
    rows = server.rows
    numbers = [
        rows.patches[event.patch].series if event.patch in rows.patches else event.series for event in rows.events
    ]
    return sum(rooms[SeriesId(number)] for number in numbers if number is not None)
