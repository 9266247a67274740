"""Looks at what is due, two at a time; what goes wrong with one object holds up neither the others nor the cursor."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from bot.clock import Clock
from bot.errors import Permanent, Temporary
from bot.ids import ServerName
from bot.patchwork.client import AT_ONCE
from bot.patchwork.pending import GIVE_UP, Board, Pending, PendingKind

MAX_LOOKS = 50
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Look:
    """The looks of one poll at a server; *asked_to_wait* is how long it wants not to be asked again, None so far."""

    def __init__(self, server: ServerName, board: Board, clock: Clock) -> None:
        self.board = board
        self.asked_to_wait: timedelta | None = None
        self._server = server
        self._clock = clock

    async def at(
        self, read: Callable[[Board, Pending], Awaitable[_T | None]], *kinds: PendingKind
    ) -> list[tuple[Pending, _T]]:
        """The due objects of *kinds* that *read* could read; what it gives None for is looked at again later."""
        due = await asyncio.to_thread(self.board.due, MAX_LOOKS)  # of tens of thousands, after an import
        items = [item for item in due if item.kind in kinds]
        slots = asyncio.Semaphore(AT_ONCE)  # each holds its answers in memory, so requests alone are not the bound

        async def read_one(item: Pending) -> _T | None:
            async with slots:
                return await self._try(item, read)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read_one(item)) for item in items]
        found = zip(items, (task.result() for task in tasks), strict=True)
        return [(item, result) for item, result in found if result is not None]

    async def settled(
        self, read: Callable[[Board, Pending], Awaitable[_T | None]], *kinds: PendingKind
    ) -> tuple[_T, ...]:
        """The same, and what could be read is settled by that."""
        found = await self.at(read, *kinds)
        for item, _ in found:
            self.board.settle(*item.key)
        return tuple(result for _, result in found)

    async def _try(self, item: Pending, read: Callable[[Board, Pending], Awaitable[_T | None]]) -> _T | None:
        """What *read* gives; None, and the item kept for later or given up, when it gives nothing."""
        if self.asked_to_wait is not None:
            self.board.keep(item.again(self._clock.now(), self.asked_to_wait))
            return None
        try:
            result = await read(self.board, item)
        except Temporary as error:
            self.asked_to_wait = error.retry_after
            self._later(item, str(error), error.retry_after)
            return None
        except Permanent as error:
            _log.warning("not to be read", server=self._server, what=item.kind, id=item.id, reason=str(error))
            self.board.settle(*item.key)
            return None
        except Exception:  # noqa: BLE001  # a fault of ours in one object; it is logged and tried again
            _log.exception("cannot be read", server=self._server, what=item.kind, id=item.id)
            self._later(item, "a fault of the bot", None)
            return None
        if result is None:
            self.board.keep(item.again(self._clock.now()))
        return result

    def _later(self, item: Pending, reason: str, asked: timedelta | None) -> None:
        now = self._clock.now()
        if now - item.first_seen > GIVE_UP:
            _log.error("given up", server=self._server, what=item.kind, id=item.id, reason=reason)
            self.board.settle(*item.key)
            return
        _log.info("to be looked at again", server=self._server, what=item.kind, id=item.id, reason=reason)
        self.board.keep(item.again(now, asked))
