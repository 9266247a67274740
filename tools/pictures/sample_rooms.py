"""Runs the bot through the sample server's week, in virtual time, and returns what its rooms show in the end."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.app import Bot
from bot.clock import VirtualClock
from bot.commands.rights import MemoryRoomRights
from bot.delivery.chat import PostedMessage
from bot.health.status_page import page
from bot.ids import EventId, RoomId, UserId
from bot.incidents import Incidents
from bot.notices.notice import NoticeKind
from bot.sample_patchwork.data import history
from bot.sample_patchwork.week import week
from bot.store.inbox_book import InboxMessage
from support.rig import PROJECT, Rig

MIGRATION, DIGEST, CHAT = RoomId("!migration:hs"), RoomId("!docs:hs"), RoomId("!ada:hs")
ADA = UserId("@ada:example.org")
MONDAY = datetime(2026, 1, 5, 4, 58, tzinfo=UTC)
BETWEEN_EVENTS = timedelta(hours=4)  # with four polls of a minute; one event is at 9:00
BETWEEN_LINES = timedelta(seconds=40)
SUBSCRIPTIONS: dict[RoomId, tuple[str, ...]] = {
    MIGRATION: ("path:migration/ on:new,revision,state,check,comment",),
    DIGEST: (f'project:{PROJECT} digest:"daily 09:00"',),
}
TYPED = (
    "me ada@example.org",
    "sub maint:migration -rfc",
    "show series 15",
    "subs",
    "how do I get one message a day?",
)


@dataclass
class Entry:
    """A message in a room after all edits; *sender* is "" for the bot, *replies* are those of its thread."""

    event: EventId
    sender: str
    at: datetime
    body: str
    html: str = ""
    kind: NoticeKind | None = None
    is_edited: bool = False
    is_loud: bool = True
    reactions: list[str] = field(default_factory=list)
    replies: list["Entry"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scene:
    """What the pictures show: the rooms, each message as it was sent, and the status page."""

    rooms: dict[RoomId, list[Entry]]
    sent: list[PostedMessage]
    status: str


async def play(folder: Path) -> Scene:
    """Return the rooms after the week, in which a person types in a direct chat."""
    rig = Rig(
        folder,
        subscribe=SUBSCRIPTIONS,
        direct=frozenset({CHAT}),
        room_rights=MemoryRoomRights(joined={MIGRATION: "#migration:example.org", DIGEST: "#qemu:example.org"}),
        maintainers=str(folder / "MAINTAINERS"),
        clock=VirtualClock(MONDAY),
    )
    (folder / "MAINTAINERS").write_text("Migration\nM: Ada Sample <ada@example.org>\nF: migration/\n")
    async with _started(rig) as bot:
        for event in week():
            event.step(rig.patchwork)
            await rig.poll(bot, 3)
            await rig.pass_quietly(bot, (BETWEEN_EVENTS - timedelta(minutes=4)).total_seconds())
            await rig.poll(bot)
        status = page(await bot.overview.condition(), await bot.overview.particulars())
        said = [await _say(rig, bot, number, text) for number, text in enumerate(TYPED)]
    rooms = {room: _shown(rig.chat.posted, room) for room in (MIGRATION, DIGEST, CHAT)}
    rooms[CHAT] = sorted([*rooms[CHAT], *said], key=lambda entry: entry.at)
    return Scene(rooms, rig.chat.posted, status)


class _Presence:
    """A session at a homeserver where nothing is wrong."""

    incidents = Incidents(VirtualClock())

    def outages(self) -> tuple[str, ...]:
        return ()

    def remarks(self) -> tuple[str, ...]:
        return ()

    def room_names(self) -> Mapping[RoomId, tuple[str, ...]]:
        return {MIGRATION: ("QEMU migration", "#migration:example.org"), DIGEST: ("QEMU every day", "")}


@asynccontextmanager
async def _started(rig: Rig) -> AsyncIterator[Bot]:
    _, *before = history()  # the rig has the project already
    for step in before:
        step(rig.patchwork)
    async with rig.running() as bot:
        bot.overview.presence = _Presence()
        await bot.settle()
        await rig.poll(bot, 2)
        yield bot


async def _say(rig: Rig, bot: Bot, number: int, text: str) -> Entry:
    rig.clock.advance(BETWEEN_LINES.total_seconds())
    entry = Entry(EventId(f"$said{number}"), str(ADA), rig.clock.now(), text)
    await bot.receive(InboxMessage(CHAT, entry.event, ADA, text, rig.clock.now()))
    rig.clock.advance(1)
    await bot.settle()
    return entry


def _shown(posted: Sequence[PostedMessage], room: RoomId) -> list[Entry]:
    """Return the messages of a room in order, each as it is after its edits, with the replies in its thread."""
    entries: dict[EventId, Entry] = {}
    top: list[Entry] = []
    for post in posted:
        message = post.message
        if post.room != room:
            continue
        if message.reaction is not None:
            if message.reaction in entries:
                entries[message.reaction].reactions.append(message.body)
        elif message.edits is not None:
            edited = entries[message.edits]
            edited.body, edited.html, edited.is_edited = message.body, message.html, True
        else:
            entry = entries[post.event] = Entry(
                post.event, "", post.at, message.body, message.html, message.tag.kind, is_loud=message.rings
            )
            (top if message.thread is None else entries[message.thread].replies).append(entry)
    return top


def titled(entries: Sequence[Entry], text: str) -> Entry:
    """Return the newest card whose first line has *text* in it."""
    return next(entry for entry in reversed(entries) if text in entry.body.split("\n")[0])
