"""All loops of a bot in virtual time, which passes from one moment for which somebody sleeps to the next."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from bot.app import HOUSEKEEPING_SECONDS, MAINTAINERS_SECONDS, Bot
from bot.clock import VirtualClock
from bot.ops.schedule import end
from bot.store.retention import delete_outdated
from support.rig import Rig


@dataclass
class Watched:
    """A bot whose loops run, and the statements that they made since `forget`."""

    bot: Bot
    clock: VirtualClock
    poll_seconds: float
    statements: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)

    @property
    def write_transactions(self) -> int:
        """How many took the write lock."""
        return self.begun.count("BEGIN IMMEDIATE")

    def count(self, _: object, __: object, statement: str, *___: object) -> None:
        """See a statement."""
        (self.begun if statement.startswith("BEGIN") else self.statements).append(statement)

    def forget(self) -> None:
        """Count from here on."""
        self.statements.clear()
        self.begun.clear()

    async def rest(self) -> None:
        """Return when each loop sleeps, or waits to be woken."""
        quiet = 0
        async with asyncio.timeout(240):
            while quiet < 3:
                async with self.bot.store.reading():  # behind whoever is in a transaction
                    self.begun.pop()
                quiet = quiet + 1 if self._is_at_rest() else 0

    async def pass_time(self, seconds: float) -> None:
        """Let time pass; what sleeps until a moment in it is at rest again before the next."""
        until = self.clock.monotonic() + seconds
        await self.rest()
        while (moment := self._next_moment()) <= until:
            self.clock.advance(moment - self.clock.monotonic())
            await self.rest()
        self.clock.advance(until - self.clock.monotonic())
        await self.rest()

    async def pass_polls(self, times: int) -> None:
        """Let so many polls pass, with all else that the schedule does meanwhile."""
        for number in range(times):
            elapsed = number * self.poll_seconds
            if elapsed % HOUSEKEEPING_SECONDS == 0:
                await delete_outdated(self.bot.store)
            if elapsed % MAINTAINERS_SECONDS == 0:
                await self.bot._read_maintainers()
            await self.poll()
            await self.pass_time(self.poll_seconds)

    async def poll(self) -> None:
        """Poll, and let all loops do what that brings them to do now."""
        for watch, _ in self.bot.watches:
            await self.bot._poll(watch)
        await self.rest()

    def _sleeping(self) -> list[float]:
        return [moment for moment, _, future in self.clock._sleepers if not future.done()]

    def _next_moment(self) -> float:
        return min(self._sleeping())

    def _is_at_rest(self) -> bool:
        sender, duties, answerer = self.bot.sender, self.bot.duties, self.bot.answerer
        is_busy = bool(sender._busy or answerer._busy) or any(each.task is not None for each in duties._runs)
        is_woken = any(loop._wake.is_set() for loop in (sender, duties, answerer))
        return not is_busy and not is_woken and len(self._sleeping()) == 2  # the sender and the duties


@asynccontextmanager
async def watched(rig: Rig) -> AsyncIterator[Watched]:
    """The bot of *rig* with its loops; the schedule's jobs are done by `pass_polls`, for that goes by real time."""
    async with rig.running() as bot:
        seen = Watched(bot, rig.clock, rig.poll_seconds)
        sa.event.listen(bot.store._engine.sync_engine, "before_cursor_execute", seen.count)
        loops = [asyncio.create_task(loop()) for loop in (bot.sender.run, bot.answerer.run, bot.duties.run)]
        try:
            await seen.rest()
            yield seen
        finally:
            await end(loops)
            await bot.duties.close()
