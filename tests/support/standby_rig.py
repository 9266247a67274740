"""Two bots as processes of their own over one PostgreSQL database, between one homeserver and one Patchwork."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from support.homeserver import a_free_port
from support.person import WAIT_SECONDS
from support.postgres_server import PostgresServer
from support.relay import Relay, postgres_relay, tcp_relay
from support.run_rig import Process, Stage

SHARED = ("keys.json", "tokens.key")
LONGEST_SECONDS = 30.0  # from the end of the active instance to the take-over


@dataclass
class Seat:
    """A place where an instance runs: its stage, and the networks between it and the database and homeserver."""

    stage: Stage
    to_database: Relay
    to_homeserver: Relay
    bot: Process | None = None

    async def start(self) -> Process:
        """Start an instance."""
        self.bot = await self.stage.start()
        return self.bot

    @property
    def running(self) -> Process:
        """The instance that was started last."""
        assert self.bot is not None
        return self.bot

    def events(self) -> list[dict[str, Any]]:
        """What it logged, oldest first."""
        return [json.loads(line) for line in self.running.said().splitlines() if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log entries of one kind."""
        return [entry for entry in self.events() if entry["event"] == event]

    async def until_logged(self, event: str, count: int = 1, *, seconds: float = WAIT_SECONDS) -> float:
        """Wait until it logged an event so often; the seconds that took."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                while len(self.logged(event)) < count:
                    assert self.running.process.returncode is None, self.running.said()
                    await asyncio.sleep(0.05)  # between two looks
        except TimeoutError as error:
            raise AssertionError(f"no {event}:\n{self.running.said()}") from error
        return time.monotonic() - began


@dataclass
class Pair:
    """Two seats; *database* is the address behind no relay."""

    seats: tuple[Seat, Seat]
    database: str

    def share_keys(self, here: Seat, there: Seat) -> None:
        """Copy what instances must share, as an operator does."""
        there.stage.folder.mkdir(parents=True, exist_ok=True)
        for name in SHARED:
            shutil.copy(here.stage.folder / name, there.stage.folder / name)

    async def start_both(self) -> None:
        """Start the first, which becomes active, then the second, which stands by."""
        first, second = self.seats
        await first.start()
        await first.until_logged("device.signed")
        await first.stage.until(first.stage.knows_rooms)
        await first.stage.until(lambda: first.stage.has("server WHERE polled_at IS NOT NULL"))
        self.share_keys(first, second)
        await second.start()
        await second.until_logged("standby.waiting")

    async def end(self) -> None:
        """Kill what still runs."""
        for seat in self.seats:
            if seat.bot is not None:
                await seat.bot.end()


@asynccontextmanager
async def a_pair(stage: Stage, postgres: PostgresServer, database: str) -> AsyncIterator[Pair]:
    """Two seats over one *database*; the first has the folder of *stage*."""
    async with (
        a_seat(stage, stage.folder, postgres, database) as first,
        a_seat(stage, stage.folder.with_name("second"), postgres, database) as second,
    ):
        pair = Pair((first, second), database)
        try:
            yield pair
        finally:
            await pair.end()


@asynccontextmanager
async def a_seat(stage: Stage, folder: Path, postgres: PostgresServer, database: str) -> AsyncIterator[Seat]:
    """A seat in *folder*."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with (
        postgres_relay(postgres.folder) as (to_database, sockets),
        tcp_relay(stage.account.homeserver.port) as (to_homeserver, port),
    ):
        seen = database.replace(str(postgres.folder), str(sockets))
        here = replace(
            stage,
            folder=folder,
            database=seen,
            watched_database=database,
            homeserver_url=f"http://127.0.0.1:{port}",
            listen=f"127.0.0.1:{a_free_port()}",
            log_format="json",
        )
        yield Seat(here, to_database, to_homeserver)
