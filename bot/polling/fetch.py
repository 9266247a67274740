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

MAX_OBJECTS = 50
MAX_FAILED_OBJECTS = 8  # in one poll, each of which may take a whole request timeout; the rest wait for another poll
MAX_FAILED_RETRIES = 5  # in one poll, of objects that were unreadable before
UNREADABLE = "fetch.object_unreadable"
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class PartialResult(Exception, Generic[_T]):
    """A partial read of an object: *result* is the part that was read, *cause* the error that prevented the rest."""

    def __init__(self, result: _T, cause: TransportError) -> None:
        super().__init__(str(cause))
        self.result = result
        self.cause = cause


class Fetch:
    """The reads of one poll at a server; *delay* is the delay that the server requested, None if it requested none."""

    def __init__(self, server: ServerName, queue: PendingQueue, clock: Clock, incidents: Incidents) -> None:
        self.queue = queue
        self.delay: timedelta | None = None
        self._server = server
        self._clock = clock
        self._incidents = incidents
        self._failed_objects = 0
        self._failed_retries = 0

    async def read_due(
        self, read: Callable[[PendingQueue, Pending], Awaitable[_T | None]], *kinds: PendingKind
    ) -> list[tuple[Pending, _T]]:
        """Return the due objects of *kinds* with the results of *read*, in the order of arrival.

        An object for which *read* returns None stays pending.
        """
        due = await asyncio.to_thread(self.queue.due, MAX_OBJECTS)  # an import queues tens of thousands
        items = [item for item in due if item.kind in kinds]
        slots = asyncio.Semaphore(AT_ONCE)  # limits the responses in memory, which the request slots do not

        async def read_one(item: Pending) -> _T | None:
            async with slots:
                return await self._try(item, read)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read_one(item)) for item in items]
        results = zip(items, (task.result() for task in tasks), strict=True)
        complete = [(item, result) for item, result in results if result is not None]
        return sorted(complete, key=lambda pair: (pair[0].first_seen, pair[0].id))

    async def read_and_settle(
        self, read: Callable[[PendingQueue, Pending], Awaitable[_T | None]], *kinds: PendingKind
    ) -> tuple[_T, ...]:
        """Return the results of *read* for the due objects of *kinds*, and settle those that are unchanged since."""
        results = await self.read_due(read, *kinds)
        for item, _ in results:
            if self.queue.is_as_before(item):
                self.queue.settle(*item.key)
        return tuple(result for _, result in results)

    def failed(self, item: Pending, error: TransportError) -> None:
        """Retry *item* later, and record an incident; drop it if the server said twice that it does not exist."""
        now, requested = self._clock.now(), error.retry_after if isinstance(error, Temporary) else None
        later = item.not_found(now) if isinstance(error, NotFound) else item.failed(now, requested)
        if later is None:
            _log.warning("fetch.object_gone", server=self._server, what=item.kind, id=item.id, since=item.missing_since)
            self._incidents.resolve(UNREADABLE, self._name(item))
            self.queue.settle(*item.key)
            return
        if item.unreadable_since is None:  # an object delays the others only once
            self.delay = min(requested, USUAL.longest) if requested is not None else self.delay
        else:
            self._failed_retries += 1 if requested is None else MAX_FAILED_RETRIES
        self._failed_objects += 1
        self._incidents.record(UNREADABLE, self._name(item), str(error))
        self.queue.keep(later)

    def resolve_settled(self) -> None:
        """Resolve the incidents of objects that are no longer pending."""
        for item in self.queue.settled:
            if item.unreadable_since is not None:
                self._incidents.resolve(UNREADABLE, self._name(item))

    async def _try(self, item: Pending, read: Callable[[PendingQueue, Pending], Awaitable[_T | None]]) -> _T | None:
        """Return the result of *read*; None if it failed or there is no result yet."""
        now = self._clock.now()
        if self.delay is not None:
            self.queue.keep(item.put_off(now + self.delay))
            return None
        retries_over = item.unreadable_since is not None and self._failed_retries >= MAX_FAILED_RETRIES
        if retries_over or self._failed_objects >= MAX_FAILED_OBJECTS:
            return None  # left to another poll
        try:
            result = await read(self.queue, item)
        except (TransportError, OverBudget) as error:
            self._unread(item, error)
            return None
        except PartialResult as partial:
            self.failed(item, partial.cause)
            part: _T = partial.result
            return part
        except Exception as error:  # noqa: BLE001  # a fault of ours with one object is recorded, and the object read again later
            self._incidents.record(UNREADABLE, self._name(item), error)
            self.queue.keep(item.failed(self._clock.now()))
            return None
        self._read(item, is_complete=result is not None)
        return result

    def _unread(self, item: Pending, error: TransportError | OverBudget) -> None:
        """Postpone an object that could not be read, or whose request would exceed the budget."""
        if isinstance(error, OverBudget):
            self.queue.keep(item.put_off(error.until))
        else:
            self.failed(item, error)

    def _read(self, item: Pending, *, is_complete: bool) -> None:
        """Resolve the incident of a readable object, and retry other unreadable ones, which may be readable, too."""
        if item.unreadable_since is not None:
            self._incidents.resolve(UNREADABLE, self._name(item))
            self.queue.retry_unreadable()
        if not is_complete:
            self.queue.keep(item.again(self._clock.now()))

    def _name(self, item: Pending) -> str:
        return f"{item.title} of {self._server}"
