"""A bot that is told to accept a series, and dies at a given moment of that; run as a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.app import Bot, assembled, known_rooms
from bot.clock import SystemClock
from bot.commands.act_commands import ActCommands
from bot.commands.act_runner import ActRunner
from bot.config import MatrixSettings, PatchworkSettings, ProjectSettings, Settings, StoreSettings
from bot.demo.room import FileRoom
from bot.ids import EventId, PatchId, RoomId, ServerName, UserId
from bot.patchwork.model import Patch
from bot.patchwork.personal import PersonalApi
from bot.patchwork.tokens import ApiToken
from bot.store.act_book import Act
from bot.store.inbox_book import InboxMessage
from bot.store.token_book import StoredToken

ROOM = RoomId("!room:hs")
BOB = UserId("@bob:hs")
SERVER = ServerName("sample")


@dataclass(frozen=True)
class ActLife:
    """Where the bot lives, what is typed to it, and when it dies: *moment* is a word, and *number* of which change."""

    folder: Path
    patchwork: str
    typed: str
    moment: str = "never"
    number: int = 0


def settings(life: ActLife) -> Settings:
    """One server, and nothing that limits how fast messages are sent."""
    return Settings(
        matrix=MatrixSettings(
            homeserver="https://hs.example.org",
            user_id="@bot:hs.example.org",
            messages_per_second=1000,
            message_burst=1000,
        ),
        store=StoreSettings(url=f"sqlite:///{life.folder}/bot.db", data_dir=life.folder),
        patchwork=(PatchworkSettings(name=SERVER, url=life.patchwork, projects=(ProjectSettings(name="qemu-devel"),)),),
    )


def die() -> None:
    """End now, without a last word."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_around_changes(life: ActLife) -> None:
    """Die before or after a change is sent."""
    change, count = PersonalApi.change, 0

    async def dying(self: PersonalApi, patch: PatchId, fields: Mapping[str, str | int | bool | None]) -> Patch:
        nonlocal count
        count += 1
        if (life.moment, life.number) == ("marked", count):
            die()
        changed = await change(self, patch, fields)
        if (life.moment, life.number) == ("changed", count):
            die()
        return changed

    PersonalApi.change = dying  # type: ignore[method-assign] # the process exists to be broken


def kill_around_the_act(life: ActLife) -> None:
    """Die when the act is written down, or when all of it is done and not answered."""
    begin, run = ActCommands._begin, ActRunner.run

    async def dying_begin(*arguments: object) -> list[Act]:
        acts = await begin(*arguments)  # type: ignore[arg-type] # what it is called with
        if life.moment == "planned":
            die()
        return acts

    async def dying_run(*arguments: object, resumed: bool) -> Act:
        act = await run(*arguments, resumed=resumed)  # type: ignore[arg-type] # the same
        if life.moment == "finished":
            die()
        return act

    ActCommands._begin = dying_begin  # type: ignore[assignment, method-assign] # to break it
    ActRunner.run = dying_run  # type: ignore[assignment, method-assign] # the same


async def main(life: ActLife, token: str = "") -> None:
    """Take the token, if one is given; then hear the command, and go on until nothing is left."""
    room = FileRoom(life.folder / "room.jsonl", SystemClock())
    told = settings(life)
    async with assembled(told, room, SystemClock(), known_rooms(told, {ROOM})) as bot:
        await bot.settle()
        if token:
            await keep(bot, ApiToken(token))
        if life.typed:
            sent_at = datetime(2026, 1, 1, tzinfo=UTC)
            await bot.receive(InboxMessage(ROOM, EventId("$typed"), BOB, life.typed, sent_at, encrypted=True))
            await bot.settle()


async def keep(bot: Bot, token: ApiToken) -> None:
    """Have Bob's token, as if he had given it."""
    sealed = bot.store.vault.seal(token, f"token {SERVER} {BOB}")
    async with bot.store.transaction() as tx:
        await tx.tokens.put(StoredToken(BOB, SERVER, sealed, ROOM, tx.now, "bob", 1))


if __name__ == "__main__":
    _, _folder, _url, _typed, _moment, _number = sys.argv
    _life = ActLife(Path(_folder), _url, _typed, _moment, int(_number))
    kill_around_changes(_life)
    kill_around_the_act(_life)
    asyncio.run(main(_life))
