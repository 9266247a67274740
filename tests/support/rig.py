"""The whole bot in virtual time: a sample Patchwork, a chat in memory, a real database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from bot.app import Bot, RunConditions, assembled, known_rooms
from bot.clock import VirtualClock
from bot.commands.rights import MemoryRoomRights
from bot.config import (
    ActingSettings,
    CommandSettings,
    MatrixSettings,
    PatchworkSettings,
    ProjectSettings,
    RoomSettings,
    Settings,
    StoreSettings,
)
from bot.delivery.chat import MemoryChat
from bot.delivery.pacing import Pace
from bot.ids import RoomId
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import PostedSeries, SamplePatchwork
from bot.sample_patchwork.server import SampleTransport
from bot.store import schema
from support.new_database import put_new_database
from support.titles import title_of

PROJECT = "qemu-devel"
ROOM = RoomId("!room:hs")
_THE_TWIN = PatchworkSettings(name="twin", url="https://twin.example.org", projects=(ProjectSettings(name=PROJECT),))


@dataclass
class Rig:
    """A bot that can be stopped and started again over the same database, chat and Patchwork."""

    folder: Path
    subscribe: dict[RoomId, tuple[str, ...]] = field(default_factory=lambda: {ROOM: ("path:migration/",)})
    projects: tuple[str, ...] = (PROJECT,)
    poll_seconds: float = 60.0
    incomplete_after_minutes: float = 30.0
    direct: frozenset[RoomId] = frozenset()
    flood: int = 10
    room_rights: MemoryRoomRights = field(default_factory=MemoryRoomRights)
    commands: CommandSettings = field(default_factory=CommandSettings)
    acting: ActingSettings = field(default_factory=ActingSettings)
    url: str = ""  # of the database; a file in *folder* where it says nothing
    maintainers: str | list[str] | None = None  # the path or the address of every project's
    clock: VirtualClock = field(default_factory=VirtualClock)
    has_twin: bool = False  # a second server with the same project, without MAINTAINERS

    def __post_init__(self) -> None:
        """Make the other sides."""
        self.patchwork = SamplePatchwork(self.clock)
        self.patchwork.add_project(PROJECT)
        self.transport = SampleTransport(self.patchwork)
        self.twin = SamplePatchwork(self.clock)
        self.twin.add_project(PROJECT)
        self.chat = MemoryChat(self.clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Bot]:
        """The bot, from start to stop."""
        if not self.url:
            put_new_database(self.folder / "bot.db")
        rooms = known_rooms(self.settings(), self.direct, self.room_rights)
        transports = {"sample": self.transport, "twin": SampleTransport(self.twin)}
        async with assembled(self.settings(), self.chat, self.clock, rooms, RunConditions(transports)) as bot:
            yield bot

    def burst(self, bot: Bot, messages: int) -> None:
        """Let the bot send so many messages and then no more."""
        bot.sender._pace = Pace.full(0.000001, messages, self.clock.monotonic())

    async def poll(self, bot: Bot, times: int = 1) -> None:
        """Let *times* poll intervals pass, each with its poll and all that follows from it."""
        for _ in range(times):
            self.clock.advance(self.poll_seconds)
            await bot.settle()

    async def pass_quietly(self, bot: Bot, seconds: float) -> None:
        """Time passes in which the server was polled as always, and nothing happened there."""
        self.clock.advance(seconds)
        async with bot.store.transaction() as tx:
            now = sa.update(schema.server).values(polled_at=self.clock.now())
            await tx.watch._connection.execute(now)

    def rebuild_patchwork(self) -> None:
        """The server loses all it had, and numbers what comes from one on."""
        self.patchwork = SamplePatchwork(self.clock)
        self.patchwork.add_project(PROJECT)
        self.transport.patchwork = self.patchwork
        self.post("docs/index.rst", name="imported again")

    def post(self, *paths: str, name: str = "A series", patches: int = 1, version: int = 1) -> PostedSeries:
        """A series of *patches* patches, each touching *paths*, arrives whole."""
        return self.patchwork.post_series(PROJECT, a_series(*paths, name=name, patches=patches, version=version))

    def titles(self, room: RoomId = ROOM) -> list[str]:
        """The first lines of what the room shows."""
        return [title_of(body) for body in self.chat.bodies(room)]

    def settings(self) -> Settings:
        """One server, the configured rooms, no waiting for the homeserver."""
        return Settings(
            matrix=MatrixSettings(
                homeserver="https://hs.example.org",
                user_id="@bot:hs.example.org",
                messages_per_second=1000,
                message_burst=1000,
            ),
            commands=self.commands,
            acting=self.acting,
            store=StoreSettings(url=self.url or f"sqlite:///{self.folder / 'bot.db'}", data_dir=self.folder),
            patchwork=(
                PatchworkSettings(
                    name="sample",
                    url="https://patchwork.example.org",
                    projects=tuple(
                        ProjectSettings(name=project, maintainers=self.maintainers or ()) for project in self.projects
                    ),
                    poll_interval_seconds=self.poll_seconds,
                    incomplete_after_minutes=self.incomplete_after_minutes,
                ),
                *([_THE_TWIN] if self.has_twin else []),
            ),
            room=tuple(
                RoomSettings(room=room, subscribe=queries, flood=self.flood) for room, queries in self.subscribe.items()
            ),
        )


def a_series(*paths: str, name: str = "A series", patches: int = 1, version: int = 1) -> NewSeries:
    """A series that touches *paths* in each patch; with a cover where it has several patches."""
    numbers: Sequence[int] = range(1, patches + 1)
    return NewSeries(
        name=name,
        patches=tuple(NewPatch(name if patches == 1 else f"{name}, part {n}", sample_diff(*paths)) for n in numbers),
        version=version,
        cover=patches > 1,
    )
