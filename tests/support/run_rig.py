"""The bot as a process of its own, between a real homeserver and a sample Patchwork."""

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bot.clock import SystemClock
from bot.ids import RoomId, UserId
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import PostedSeries, SamplePatchwork
from bot.sample_patchwork.server import serve
from support import postgres_server, preloaded
from support.homeserver import NO_TLS
from support.hurried import HurriedClock
from support.matrix_rig import PASSWORD, Account
from support.new_database import put_new_database
from support.person import WAIT_SECONDS, Person
from support.rig import PROJECT
from support.titles import title_of

ROOT = Path(__file__).parents[2]
CONFIG = """
[matrix]
homeserver = "{homeserver}"
user_id = "{user}"
messages_per_second = {per_second}
message_burst = 1000
admins = {admins}

[store]
url = "{database}"
data_dir = "{folder}"

[web]
listen = "{listen}"

[[patchwork]]
name = "sample"
url = "{patchwork}"
projects = ["{project}"]
poll_interval_seconds = 1
"""


@dataclass
class Process:
    """A bot that was started."""

    process: preloaded.Process
    log: Path

    async def ended(self) -> int:
        """Wait for its end; its exit status, negative for a signal."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.process.wait()

    async def kill(self) -> None:
        """End it without a last word."""
        self.process.kill()
        await self.ended()

    async def end(self) -> None:
        """Kill it if it is still there."""
        if self.process.returncode is None:
            await self.kill()

    async def stop(self) -> int:
        """Ask it to end; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    def said(self) -> str:
        """What it wrote to its log."""
        return self.log.read_text()


@dataclass
class Stage:
    """Where a bot runs: its account, its folder, the Patchwork that it watches."""

    account: Account
    folder: Path
    patchwork: SamplePatchwork
    patchwork_url: str
    rooms: dict[str, tuple[str, ...]] = field(default_factory=dict)
    listen: str = ""
    per_second: float = 1000
    admins: tuple[str, ...] = ()
    hurry: HurriedClock | None = None  # the bot's clock where it is not the machine's
    database: str = ""  # its address; a file in *folder* where it says nothing
    watched_database: str = ""  # its address for us, where it is another one
    homeserver_url: str = ""  # where the bot finds its homeserver; that of the account where it says nothing
    log_format: str = "text"
    flood: int | None = None  # in each room
    floods: dict[str, int] = field(default_factory=dict)  # by room, where it is another than in each
    invite_from: tuple[str, ...] | None = None
    fresh: bool = field(
        default_factory=lambda: not preloaded.is_prepared()
    )  # an interpreter and a database of its own making
    _starts: int = 0

    async def start(self, *, password: str | None = PASSWORD) -> Process:
        """Start `patchbot run`."""
        self._starts += 1
        log = self.folder / f"log{self._starts}.txt"
        if not (self.fresh or self.database):
            put_new_database(self.folder / "bot.db")
        config = self._write_config()
        secret = {} if password is None else {"PATCHBOT_MATRIX__PASSWORD": password}
        environment = {**_foreign_environment(), "PYTHONPATH": str(ROOT), **secret}
        process = await preloaded.started(
            *self._command(config), folder=self.folder, environment=environment, output=log, fresh=self.fresh
        )
        return Process(process, log)

    async def patchbot(self, *arguments: str, stdin: bytes = b"", password: str | None = None) -> tuple[int, str]:
        """Run another verb with the bot's own settings; its exit status, and what it said on either stream."""
        secret = {} if password is None else {"PATCHBOT_MATRIX__PASSWORD": password}
        self._write_config()
        done = await asyncio.to_thread(
            preloaded.run,
            *("-m", "bot.cli", *arguments, "--config", str(self.folder / "config.toml")),
            folder=self.folder,
            environment={**_foreign_environment(), "PYTHONPATH": str(ROOT), **secret},
            stdin=stdin,
            seconds=WAIT_SECONDS,
            fresh=self.fresh,
        )
        return done.returncode, (done.stdout + done.stderr).decode()

    async def page(self, path: str) -> tuple[int, str]:
        """What the bot serves at a path: the status and the text."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://{self.listen}{path}")
        return answer.status_code, answer.text

    @property
    def me(self) -> UserId:
        """Who the bot is."""
        return self.account.user

    @asynccontextmanager
    async def running(self, rooms: int | None = None) -> AsyncIterator[Process]:
        """A bot that has begun to watch and knows so many *rooms*, or all; killed at the end if it is still there."""
        bot = await self.start()
        try:
            await self.until(lambda: self.has("server"))
            await self.until(lambda: self.knows_rooms(rooms))
            yield bot
        except TimeoutError as error:
            raise AssertionError(bot.said()) from error
        finally:
            await bot.end()

    def knows_rooms(self, count: int | None = None) -> bool:
        """Whether the bot knows the ids of so many configured rooms, or of all."""
        return self.has("room WHERE name IS NOT NULL", len(self.rooms) if count is None else count)

    def has(self, rows: str, count: int = 1) -> bool:
        """Whether the bot's database has *count* such rows or more."""
        return self._count(rows) >= count

    async def cards(self, person: Person, room: RoomId, count: int = 0) -> list[dict[str, Any]]:
        """The cards in a room, waiting until there are *count*."""
        return await self.said(person, room, "card", count)

    async def said(self, person: Person, room: RoomId, kind: str, count: int = 0) -> list[dict[str, Any]]:
        """The contents of the bot's messages of a *kind* in a room, waiting until there are *count*."""

        async def found() -> list[dict[str, Any]]:
            messages = await person.messages(room, self.me)
            return [content for content in messages if content and content["org.patchbot"]["kind"] == kind]

        async def enough() -> bool:
            return len(await found()) >= count

        await person.until(enough)
        return await found()

    async def titles(self, person: Person, room: RoomId) -> list[str]:
        """The first lines of the cards in a room, in order."""
        return [title_of(card["body"]) for card in await self.cards(person, room)]

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait until *claim* holds, looking again and again."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not claim():  # noqa: ASYNC110  # another process changes what is looked at
                await asyncio.sleep(0.02)  # between two looks

    def _count(self, rows: str) -> int:
        """How many such rows there are; none before there is a database."""
        found = self.rows(f"SELECT count(*) FROM {rows}")  # noqa: S608  # our own
        return int(found[0][0]) if found else 0

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What the bot's database answers; nothing while there is none."""
        if self.database.startswith("postgresql:"):
            try:
                return postgres_server.rows(self.watched_database or self.database, statement)
            except psycopg.Error:
                return []
        uri = f"file:{self.database.removeprefix('sqlite:///') or self.folder / 'bot.db'}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=10)) as connection:
                return connection.execute(statement).fetchall()
        except sqlite3.OperationalError:
            return []

    async def log_out(self) -> None:
        """End the session of the bot's device, as somebody with its password can."""
        device = json.loads((self.folder / "device.json").read_bytes())
        url = f"{self.account.homeserver.url}/_matrix/client/v3/logout"
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
            answer = await client.post(url, headers={"Authorization": f"Bearer {device['token']}"})
        answer.raise_for_status()

    def _write_config(self) -> Path:
        file = self.folder / "config.toml"
        file.write_text(self._config())
        return file

    def _command(self, config: Path) -> tuple[str, ...]:
        if self.hurry is None:
            return ("-m", "bot.cli", "run", "--config", str(config))
        script = Path(__file__).with_name("hurried.py")
        return (str(script), str(self.hurry.origin), str(self.hurry.speed), str(config))

    def _config(self) -> str:
        text = CONFIG.format(
            homeserver=self.homeserver_url or self.account.url,
            user=self.account.user,
            folder=self.folder,
            database=self.database or f"sqlite:///{self.folder}/bot.db",
            patchwork=self.patchwork_url,
            project=PROJECT,
            listen=self.listen,
            per_second=self.per_second,
            admins=json.dumps(self.admins),
        )
        if self.log_format != "text":
            text += f'\n[log]\nformat = "{self.log_format}"\n'
        if self.invite_from is not None:
            text = text.replace("[matrix]\n", f"[matrix]\ninvite_from = {json.dumps(self.invite_from)}\n")
        for room, queries in self.rooms.items():
            flood = self.floods.get(room, self.flood)
            text += f"\n[[room]]\nroom = {json.dumps(room)}\nsubscribe = {json.dumps(queries)}\n"
            text += "" if flood is None else f"flood = {flood}\n"
        return text


def _foreign_environment() -> dict[str, str]:
    """This process's environment without settings of the bot."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PATCHBOT_", "CREDENTIALS_"))}


@asynccontextmanager
async def a_stage(account: Account, *, speed: float = 1) -> AsyncIterator[Stage]:
    """A stage with an empty Patchwork; time there passes *speed* times as fast as the machine's."""
    hurry = HurriedClock(time.time(), speed) if speed != 1 else None
    patchwork = SamplePatchwork(hurry or SystemClock())
    patchwork.add_project(PROJECT)
    account.folder.mkdir(parents=True, exist_ok=True)
    async with serve(patchwork) as url:
        yield Stage(account, account.folder, patchwork, url, hurry=hurry)


SEED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "samples" / "patch-2194095.json").read_bytes())
SEED_SERIES: str = SEED["series"][0]["name"]


def post_seed_series(stage: Stage) -> PostedSeries:
    """The series that the recorded patch is the eleventh of: a cover, the seventeen others, and the patch itself."""
    thread, _, tail = SEED["msgid"].strip("<>").rpartition("-11-")
    arrived = []
    for number, mail in enumerate(stage.patchwork.mails_of(seed_series())):
        msgids = (f"{thread}-{number}-{tail}", f"{thread}-0-{tail}")
        threaded = replace(mail, msgid=msgids[0], references=msgids[1:] if number else ())
        arrived.append(stage.patchwork.receive(PROJECT, threaded))
    cover, *patches = [each.id for each in arrived if each is not None]
    return PostedSeries(1, cover, tuple(patches))


def seed_series(version: int = 6) -> NewSeries:
    """What that series brings."""
    patches = [NewPatch(f"colo: Part {number}", sample_diff("tests/colo.c")) for number in range(1, 19)]
    patches[10] = NewPatch(SEED["name"].partition("] ")[2], SEED["diff"], SEED["content"])
    submitter = f"{SEED['submitter']['name']} <{SEED['submitter']['email']}>"
    return NewSeries(name=SEED_SERIES, patches=tuple(patches), submitter=submitter, version=version, cover=True)
