"""Plays the demo: events on the sample server, commands from the terminal, and the room's messages."""

import asyncio
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console
from rich.text import Text

from bot.clock import VirtualClock
from bot.config import (
    CommandSettings,
    MatrixSettings,
    PatchworkSettings,
    ProjectSettings,
    RoomSettings,
    Settings,
    StoreSettings,
)
from bot.demo import terminal
from bot.demo.room import FileRoom
from bot.errors import UserError
from bot.ids import EventId, RoomId, UserId
from bot.notices.edit_schedule import QUIET
from bot.notices.notice import Message
from bot.sample_patchwork.data import PROJECT
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.store.inbox_book import InboxMessage
from bot.text import storable

ROOM = RoomId("!demo:terminal")
QUERY = "path:migration/"
_YOU = UserId("@you:terminal")
_SECONDS_BETWEEN_ARRIVALS = 4.0
_MINUTE = timedelta(minutes=1)
_QUIT = frozenset({"quit", "exit", "q"})
Step = Callable[[SamplePatchwork], object]


class Player(Protocol):
    """The interface of the bot that the demo uses."""

    async def settle(self) -> None:
        """Poll, answer and deliver until nothing is due."""

    async def receive(self, message: InboxMessage) -> None:
        """Add a message to the inbox."""

    async def run(self, stop: asyncio.Event) -> None:
        """Poll, answer and deliver on schedule until *stop* is set."""


class LineSource(Protocol):
    """A source of typed commands."""

    def readline(self) -> str:
        """Return the next line with its end, or "" at the end of the input."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The parts of the demo besides the bot: the sample server, the room, and the steps of the play."""

    sample: SamplePatchwork
    room: FileRoom
    steps: Sequence[Step]


def settings(url: str, folder: Path, projects: Sequence[str]) -> Settings:
    """Return the settings of the demo: one room, one subscription, no delays."""
    return Settings(
        matrix=MatrixSettings(
            homeserver="https://demo.invalid",
            user_id="@patchbot:terminal",
            messages_per_second=1000,
            message_burst=1000,
        ),
        commands=CommandSettings(per_user_per_minute=100_000, per_room_per_minute=100_000),
        store=StoreSettings(url=f"sqlite:///{folder / 'demo.db'}", data_dir=folder),
        patchwork=(
            PatchworkSettings(
                name="sample",
                url=url,
                projects=tuple(ProjectSettings(name=project) for project in projects),
                poll_interval_seconds=1,
                incomplete_after_minutes=0,
            ),
        ),
        room=(RoomSettings(room=ROOM, subscribe=(QUERY,)),),
    )


def invitation(url: str) -> str:
    """Return instructions for watching the sample server at *url* with another bot."""
    return f"""A sample Patchwork server listens at {url} until it is interrupted. To watch it, add to config.toml

    [[patchwork]]
    name = "sample"
    url = "{url}"
    projects = ["{PROJECT}"]
    poll_interval_seconds = 5

and start `patchbot run`, or restart it. Once it has polled the server, a week of a mailing list passes in ten minutes:
something that touches migration/ arrives every minute. After that, something happens every ten minutes. Restart this
server to see the week again.
"""


def recorded_patch(path: Path) -> dict[str, object]:
    """Read a recorded API response from a file.

    Raises:
        UserError: the file cannot be read or is not a JSON object.
    """
    try:
        answer = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON; expected a patch, as /api/patches/N/ returns it") from error
    if not isinstance(answer, dict):
        raise UserError(f"{path} is not a patch; expected one as /api/patches/N/ returns it")
    return answer


def project_of(answer: dict[str, object]) -> str:
    """Return the project that a recorded response belongs to."""
    match answer:
        case {"project": {"link_name": str(name)}}:
            return name
        case _:
            return PROJECT


def minutes_of(steps: Sequence[Step]) -> timedelta:
    """Return the duration of the plain play in virtual time: a minute per step, then until all cards are updated."""
    return len(steps) * _MINUTE + QUIET + _MINUTE


async def play_plain(player: Player, stage: Stage, clock: VirtualClock, typed: LineSource, out: TextIO) -> None:
    """Run all steps at once, then each line of *typed* as a command, and print the room as plain text.

    The virtual *clock* advances in steps of a minute, because cards change some time after their series.
    """
    shown: list[Message] = []
    stage.room.show = shown.append

    async def settle() -> None:
        await player.settle()
        for message in shown:
            print(terminal.plain(message), end="\n\n", file=out, flush=True)
        shown.clear()

    async def settle_a_minute() -> None:
        await settle()
        clock.advance(_MINUTE.total_seconds())
        await settle()

    await settle()
    for step in stage.steps:
        step(stage.sample)
        await settle_a_minute()
    for _ in range(QUIET // _MINUTE + 1):
        await settle_a_minute()
    for number in itertools.count():
        await asyncio.sleep(0)  # an interrupt that came while the room was printed ends the play here
        line = typed.readline()
        text = storable(line).strip()
        if not line or text.lower() in _QUIT:
            break
        if text:
            print(f"> {text}", file=out, flush=True)
            await player.receive(_said(text, number, clock.now()))
            await settle()


async def play_live(player: Player, stage: Stage) -> None:
    """Run the steps one by one, and print cards above the prompt for commands."""
    stop = asyncio.Event()
    with patch_stdout(raw=True):
        console = Console(force_terminal=True)
        stage.room.show = lambda message: terminal.show(console, message)
        _welcome(console)
        await player.settle()
        async with asyncio.TaskGroup() as group:
            group.create_task(player.run(stop))
            arrivals = group.create_task(_let_arrive(stage, console))
            await _read_commands(player, console)
            arrivals.cancel()
            stop.set()


def _welcome(console: Console) -> None:
    console.print(
        Text("A sample Patchwork server runs on this machine, and this is a room subscribed to ", "bold"), end=""
    )
    console.print(Text(QUERY, "bold cyan"))
    console.print(
        Text("Series arrive by and by; cards of those that touch migration/ appear here, and change with them.")
    )
    console.print(Text("Type help, show with the message-id at the end of a card, status, or quit."))
    console.print()


async def _let_arrive(stage: Stage, console: Console) -> None:
    for step in stage.steps:
        step(stage.sample)
        await asyncio.sleep(_SECONDS_BETWEEN_ARRIVALS)
    console.print(Text("That was all; type quit to end.", "dim"))


async def _read_commands(player: Player, console: Console) -> None:
    session: PromptSession[str] = PromptSession()
    for number in itertools.count():
        try:
            text = storable(await session.prompt_async("> ")).strip()
        except (EOFError, KeyboardInterrupt):
            break
        if text.lower() in _QUIT:
            break
        if text:
            await player.receive(_said(text, number, datetime.now(UTC)))
    console.print(Text("Bye.", "dim"))


def _said(text: str, number: int, now: datetime) -> InboxMessage:
    return InboxMessage(ROOM, EventId(f"$typed{number}"), _YOU, text, now)
