"""No loop runs hot, and none tells the same again and again: what each does in ten seconds of its fault."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
import structlog

from bot.app import Bot
from bot.clock import SystemClock
from bot.delivery.chat import MemoryChat
from bot.errors import Forbidden, Temporary, TransportError
from bot.health.endpoints import served
from bot.ids import RoomId
from bot.notices.status import BotStatus, StatusDetails
from bot.ops.duties import Duties, Duty
from bot.store.retry_book import RetryKind
from support.rig import Rig

pytestmark = pytest.mark.slow

SECONDS = 10.0
FEWER_THAN = 20


class Count:
    """Counts how often it is called, and fails as a fault of the program does: in other words each time."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self) -> None:
        """One call."""
        self.calls += 1
        raise ValueError(f"no luck in call {self.calls}")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, poll_seconds=1)


async def run_for_ten_seconds(bot: Bot, *others: Callable[[], Awaitable[None]]) -> list[str]:
    """Let all loops of a bot run; what the log says at the level of errors."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(SECONDS, stop.set)  # ten seconds of the fault are what is looked at
    with structlog.testing.capture_logs() as logs:
        await bot.run(stop, *others)
    return [
        f"{entry['event']}: {entry.get('loop', entry.get('job'))}" for entry in logs if entry["log_level"] == "error"
    ]


async def test_a_duty_and_a_session_that_always_fail_are_tried_now_and_then_and_logged_once(rig: Rig) -> None:
    duty, session = Count(), Count()
    async with rig.running() as bot:
        errors = await run_for_ten_seconds(replace(bot, duties=only(bot, duty)), session)

    assert 2 <= duty.calls < FEWER_THAN
    assert 2 <= session.calls < FEWER_THAN
    assert sorted(errors) == [
        "job.failed: a duty",
        "loop.restarted: session",
    ]


async def test_a_loop_and_a_duty_that_take_their_end_for_a_failure_end_all_the_same(rig: Rig) -> None:
    begun, stop = asyncio.Semaphore(0), asyncio.Event()

    async def deaf() -> None:
        begun.release()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise RuntimeError("the connection is lost") from error

    async def hard_of_hearing() -> None:
        begun.release()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async with rig.running() as bot:
        running = asyncio.create_task(replace(bot, duties=only(bot, hard_of_hearing)).run(stop, deaf))
        for _ in range(2):
            await begun.acquire()
        stop.set()
        async with asyncio.timeout(120):
            await running


async def test_a_broken_database_is_asked_now_and_then_by_each_loop_and_logged_once_by_each(
    rig: Rig, tmp_path: Path
) -> None:
    async with rig.running() as bot:
        begun = transactions_of(bot)
        with closing(sqlite3.connect(tmp_path / "bot.db")) as other:
            for table in ("notice", "inbox", "card", "queued_change", "digest", "flood", "server"):
                other.execute(f"ALTER TABLE {table} RENAME TO mislaid_{table}")
        errors = await run_for_ten_seconds(bot)

    loops = 2 + len(bot.duties.all) + len(bot.watches) + 2  # delivery and commands; housekeeping and the files
    assert len(begun) < FEWER_THAN * loops / 2
    assert len(errors) == len(set(errors))
    assert "loop.restarted: delivery" in errors
    assert "loop.restarted: commands" in errors


@pytest.mark.parametrize(
    "error", [Temporary("HTTP 502"), Temporary("HTTP 429"), Forbidden("HTTP 403"), RuntimeError("ours")], ids=str
)
async def test_a_homeserver_that_takes_nothing_is_asked_now_and_then(rig: Rig, error: Exception) -> None:
    rig.subscribe = {RoomId(f"!{number}:hs"): ("path:migration/",) for number in range(3)}
    chat = rig.chat = FailingChat(rig.clock, error)
    async with rig.running() as bot:
        await rig.poll(bot)
        for number in range(5):
            rig.post("migration/ram.c", name=f"number {number}")
        [(watch, _)] = bot.watches
        rig.clock.advance(1)
        while await watch.tick():
            pass
        async with sending(bot):
            for _ in range(int(SECONDS * 10)):
                rig.clock.advance(0.1)
                async with bot.store.transaction():  # what the sender does with that second is done behind this
                    pass

    assert 3 <= chat.sends < FEWER_THAN


async def test_a_maintainers_file_that_cannot_be_read_is_asked_for_once_an_hour(rig: Rig, tmp_path: Path) -> None:
    rig.maintainers = str(tmp_path / "nowhere")
    with structlog.testing.capture_logs() as logs:
        async with rig.running() as bot:
            for _ in range(int(SECONDS)):
                await rig.poll(bot)

    assert [entry["event"] for entry in logs].count("maintainers.unreadable") == 1


class Hanging:
    """A bot whose database never answers; *asked* counts how often."""

    asked = 0

    async def condition(self) -> BotStatus:
        """Hang."""
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    async def particulars(self) -> StatusDetails:
        """The same."""
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_database_that_hangs_is_asked_once_however_many_look() -> None:
    bot = Hanging()
    async with served(("127.0.0.1", 0), bot, SystemClock()) as address:
        assert address is not None
        async with httpx.AsyncClient(
            base_url=f"http://{address[0]}:{address[1]}", timeout=60, trust_env=False
        ) as client:
            pages = await asyncio.gather(*(client.get("/readyz") for _ in range(50)))

    assert {page.status_code for page in pages} == {503}
    assert bot.asked == 1


class FailingChat(MemoryChat):
    """A homeserver that refuses everything in one way."""

    def __init__(self, clock: object, error: Exception) -> None:
        super().__init__(clock)  # type: ignore[arg-type]  # the rig's own
        self.error = error
        self.before_send = self._refuse

    def _refuse(self, _: RoomId) -> TransportError | None:
        raise self.error


def only(bot: Bot, run: Callable[[], Awaitable[None]]) -> Duties:
    """Have one duty, to *run* all the time, by the machine's clock."""

    async def duty() -> None:
        await run()

    duty.__qualname__ = "a duty"
    return Duties(bot.store, SystemClock(), [Duty(RetryKind.EDIT, duty, is_wanted=lambda: True)])


def transactions_of(bot: Bot) -> list[object]:
    """Each transaction that is begun from now on."""
    begun: list[object] = []
    sa.event.listen(bot.store._engine.sync_engine, "begin", begun.append)
    return begun


@asynccontextmanager
async def sending(bot: Bot) -> AsyncIterator[None]:
    """Let the sender run meanwhile."""
    task = asyncio.ensure_future(bot.sender.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
