"""Reads due objects, two at a time; an error with one object delays neither the others nor the cursor."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

import structlog

from bot.backoff import USUAL
from bot.clock import Clock
from bot.errors import Temporary, TransportError
from bot.ids import ServerName
from bot.incidents import Incidents
from bot.patchwork.client import AT_ONCE, NotFound
from bot.patchwork.request_turns import OverBudget
from bot.poll import Pending, PendingKind
from bot.polling.pending import PendingQueue

MAX_LOOKS = 50
MAX_FAILED_LOOKS = 8  # of a poll, each of which may take as long as a request may; the rest waits for another poll
MAX_FAILED_RETRIES = 5  # the same of what could not be read before
UNREADABLE = "fetch.object_unreadable"
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class PartialResult(Exception, Generic[_T]):
    """An object that was read except for a part: *result* is what was read, *cause* the error of the rest."""

    def __init__(self, result: _T, cause: TransportError) -> None:
        super().__init__(str(cause))
        self.result = result
        self.cause = cause


class Fetch:
    """The reads of one poll at a server; *asked_to_wait* is the delay that it asked for, None if it did not."""

    def __init__(self, server: ServerName, board: PendingQueue, clock: Clock, incidents: Incidents) -> None:
        self.board = board
        self.asked_to_wait: timedelta | None = None
        self._server = server
        self._clock = clock
        self._incidents = incidents
        self._failed_looks = 0
        self._failed_retries = 0

    async def at(
        self, read: Callable[[PendingQueue, Pending], Awaitable[_T | None]], *kinds: PendingKind
    ) -> list[tuple[Pending, _T]]:
        """Return the due objects of *kinds* with the results of *read*, in the order of arrival.

        An object for which *read* returns None stays pending.
        """
        due = await asyncio.to_thread(self.board.due, MAX_LOOKS)  # of tens of thousands, after an import
        items = [item for item in due if item.kind in kinds]
        slots = asyncio.Semaphore(AT_ONCE)  # each holds its answers in memory, so requests alone are not the bound

        async def read_one(item: Pending) -> _T | None:
            async with slots:
                return await self._try(item, read)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read_one(item)) for item in items]
        found = zip(items, (task.result() for task in tasks), strict=True)
        read_ones = [(item, result) for item, result in found if result is not None]
        return sorted(read_ones, key=lambda pair: (pair[0].first_seen, pair[0].id))

    async def settled(
        self, read: Callable[[PendingQueue, Pending], Awaitable[_T | None]], *kinds: PendingKind
    ) -> tuple[_T, ...]:
        """Return the results of *read* for the due objects of *kinds*, and settle those that are unchanged since."""
        found = await self.at(read, *kinds)
        for item, _ in found:
            if self.board.is_as_before(item):
                self.board.settle(*item.key)
        return tuple(result for _, result in found)

    def failed(self, item: Pending, error: TransportError) -> None:
        """Retry *item* later, and record an incident; drop it if the server said twice that it does not exist."""
        now, asked = self._clock.now(), error.retry_after if isinstance(error, Temporary) else None
        later = item.not_found(now) if isinstance(error, NotFound) else item.failed(now, asked)
        if later is None:
            _log.warning("fetch.object_gone", server=self._server, what=item.kind, id=item.id, since=item.missing_since)
            self._incidents.resolve(UNREADABLE, self._name(item))
            self.board.settle(*item.key)
            return
        if item.unreadable_since is None:  # an object holds up the others once
            self.asked_to_wait = min(asked, USUAL.longest) if asked is not None else self.asked_to_wait
        else:
            self._failed_retries += 1 if asked is None else MAX_FAILED_RETRIES
        self._failed_looks += 1
        self._incidents.record(UNREADABLE, self._name(item), str(error))
        self.board.keep(later)

    def resolve_settled(self) -> None:
        """Resolve the incidents of objects that are no longer pending."""
        for item in self.board.settled:
            if item.unreadable_since is not None:
                self._incidents.resolve(UNREADABLE, self._name(item))

    async def _try(self, item: Pending, read: Callable[[PendingQueue, Pending], Awaitable[_T | None]]) -> _T | None:
        """Return the result of *read*; None if it failed or returned None, and the item stays pending or is dropped."""
        now = self._clock.now()
        if self.asked_to_wait is not None:
            self.board.keep(item.put_off(now + self.asked_to_wait))
            return None
        retries_over = item.unreadable_since is not None and self._failed_retries >= MAX_FAILED_RETRIES
        if retries_over or self._failed_looks >= MAX_FAILED_LOOKS:
            return None  # its turn comes with another poll
        try:
            result = await read(self.board, item)
        except (TransportError, OverBudget) as error:
            self._unread(item, error)
            return None
        except PartialResult as partly:
            self.failed(item, partly.cause)
            part: _T = partly.result
            return part
        except Exception as error:  # noqa: BLE001  # a fault of ours in one object; it is recorded and tried again
            self._incidents.record(UNREADABLE, self._name(item), error)
            self.board.keep(item.failed(self._clock.now()))
            return None
        self._read(item, is_complete=result is not None)
        return result

    def _unread(self, item: Pending, error: TransportError | OverBudget) -> None:
        """Postpone an object that could not be read, or for which the budget had no request."""
        if isinstance(error, OverBudget):
            self.board.keep(item.put_off(error.until))
        else:
            self.failed(item, error)

    def _read(self, item: Pending, *, is_complete: bool) -> None:
        """Resolve the incident of a readable object, and retry other unreadable ones, which may be readable, too."""
        if item.unreadable_since is not None:
            self._incidents.resolve(UNREADABLE, self._name(item))
            self.board.retry_unreadable()
        if not is_complete:
            self.board.keep(item.again(self._clock.now()))

    def _name(self, item: Pending) -> str:
        return f"{item.title} of {self._server}"
