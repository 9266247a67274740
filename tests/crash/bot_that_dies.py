"""A bot over a room in a file that dies at a given moment, or waits there; run as a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.app import Bot, assembled, known_rooms
from bot.clock import SystemClock
from bot.config import MatrixSettings, PatchworkSettings, ProjectSettings, RoomSettings, Settings, StoreSettings
from bot.delivery.sender import Sender
from bot.demo.room import FileRoom
from bot.ids import EventId, RoomId, TxnId, UserId
from bot.matrix.messages import EYES
from bot.notices.notice import ClaimedNotice, Message
from bot.store.inbox_book import InboxMessage
from bot.store.store import Store, Transaction

ROOM = RoomId("!room:hs")


def die() -> None:
    """End now, without a last word; or say that the moment is there, once, and go on when told."""
    if not Stroke.somebody_else_dies:
        os.kill(os.getpid(), signal.SIGKILL)
    if not Stroke.fell:
        Stroke.fell = True
        sys.stdout.write("now\n")
        sys.stdout.flush()
        sys.stdin.readline()


class Stroke:
    """Whom the blow is for, and whether it fell."""

    somebody_else_dies = False
    fell = False


class DyingRoom(FileRoom):
    """Dies before or after a message has arrived."""

    moment = ""

    async def send(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        """Send, unless it is time to die."""
        if self.moment == "claimed":
            die()
        event = await super().send(room, txn, message)
        if self.moment == "sent":
            die()
        return event


def kill_in_transactions(moment: str) -> None:
    """Die in a transaction that writes, just before its commit, or just after it."""
    transaction = Store.transaction

    @asynccontextmanager
    async def dying(self: Store) -> AsyncIterator[Transaction]:
        wrote = False
        async with transaction(self) as tx:
            yield tx
            open_ = set(await tx.outbox.count()) - {"done"}
            wrote = moment in {"written", "committed"} and open_ == {"waiting"}
            if wrote and moment == "written":
                die()
        if wrote:
            die()

    Store.transaction = dying  # type: ignore[method-assign] # the process exists to be broken


def kill_around_settling(moment: str) -> None:
    """Die when the homeserver has said so, and before or after that was written down."""
    attempt = Sender._attempt
    send = Sender._send

    async def dying_attempt(self: Sender, notice: ClaimedNotice) -> object:
        outcome = await attempt(self, notice)
        die()
        return outcome

    async def dying_send(self: Sender, notice: ClaimedNotice) -> None:
        await send(self, notice)
        die()

    if moment == "acknowledged":
        Sender._attempt = dying_attempt  # type: ignore[assignment, method-assign] # the same
    if moment == "settled":
        Sender._send = dying_send  # type: ignore[method-assign] # the same


def settings(folder: Path, url: str, database: str) -> Settings:
    """One server, one room."""
    return Settings(
        matrix=MatrixSettings(
            homeserver="https://hs.example.org",
            user_id="@bot:hs.example.org",
            messages_per_second=1000,
            message_burst=1000,
        ),
        store=StoreSettings(url=database, data_dir=folder),
        patchwork=(PatchworkSettings(name="sample", url=url, projects=(ProjectSettings(name="qemu-devel"),)),),
        room=(RoomSettings(room=ROOM, subscribe=("path:migration/",), flood=0),),
    )


@dataclass(frozen=True)
class Life:
    """Where the bot lives, when it dies, and what is typed to it."""

    folder: Path
    patchwork: str
    database: str
    moment: str = "never"
    typed: str = ""
    later: float = 0.0


class LaterClock(SystemClock):
    """The machine's clock some seconds ahead, as if so long had been waited."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        """The time then."""
        return super().now() + self._ahead


async def main(life: Life) -> None:
    """Poll, answer and deliver until nothing is left, or until the moment has come."""
    clock = LaterClock(life.later)
    room = DyingRoom(life.folder / "room.jsonl", clock)
    room.moment = life.moment
    told = settings(life.folder, life.patchwork, life.database)
    async with assembled(told, room, clock, known_rooms(told, {ROOM})) as bot:
        await bot.settle()
        if life.typed:
            await hear(bot, life.typed)
            if life.moment == "heard":
                die()
            await bot.settle()


async def hear(bot: Bot, typed: str) -> None:
    """Take in what was typed, always as the same event; 👀 is a reaction to the first message."""
    body, reaction, target = ("", EYES, EventId("$1")) if typed == EYES else (typed, "", None)
    said_at = datetime(2026, 1, 1, tzinfo=UTC)
    message = InboxMessage(ROOM, EventId("$typed"), UserId("@you:hs"), body, said_at, None, target, reaction=reaction)
    await bot.receive(message)


if __name__ == "__main__":
    _, _folder, _url, _database, _moment, _typed, _later, _whom = sys.argv
    _life = Life(Path(_folder), _url, _database, _moment, _typed, float(_later))
    Stroke.somebody_else_dies = _whom == "somebody else"
    kill_in_transactions(_life.moment)
    kill_around_settling(_life.moment)
    asyncio.run(main(_life))
