"""The queue of pending objects: announced by the server, not evaluated yet, and read by `Fetch` when they are due.

Events only hint at objects. A hint becomes a *pending* row, which is saved with the cursor and therefore survives a
crash, an outage or a wait for the rest of a series. Objects are read two at a time; an error with one of them delays
neither the others nor the cursor. Times are UTC, by our own clock.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Generic, TypeVar

import structlog

from bot.backoff import USUAL
from bot.clock import Clock
from bot.errors import Temporary, TransportError
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.incidents import Incidents
from bot.patchwork.client import AT_ONCE
from bot.patchwork.model import PatchRef, number_of
from bot.patchwork.request_turns import OverBudget
from bot.patchwork.responses import NotFound
from bot.patchwork.updates import CommentHint, CommentTarget, MailKind
from bot.patchwork.wire import EventHint
from bot.poll import Baseline, KnownSeries, Pending, PendingKind
from bot.submission import SubmissionKind, SubmissionRef

GRACE = timedelta(minutes=2)  # how long a patch waits for its series before it counts as a single patch
TRAILERS_AFTER = timedelta(seconds=60)  # after the first comment, so that a burst of comments causes one read
_NEW = (PendingKind.SERIES, PendingKind.PATCH)
MAX_OBJECTS = 50
MAX_FAILED_OBJECTS = 8  # in one poll, each of which may take a whole request timeout; the rest wait for another poll
MAX_FAILED_RETRIES = 5  # in one poll, of objects that were unreadable before
UNREADABLE = "fetch.object_unreadable"
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KnownObjects:
    """The baselines and stored objects with which hints are compared."""

    baselines: Mapping[ProjectName, Baseline]
    series: Mapping[SeriesId, KnownSeries]
    patches: frozenset[PatchId]

    def concerns(self, event: EventHint) -> bool:
        """Return whether an *event* is about a patch above the baseline, or about no patch."""
        return event.patch is None or not self.old_patch(event.project, event.patch.id)

    def old_series(self, project: ProjectName, series: int) -> bool:
        """Return whether a series is at or below the baseline, or in no watched project."""
        baseline = self.baselines.get(project)
        return baseline is None or series <= baseline.series

    def old_patch(self, project: ProjectName, patch: int) -> bool:
        """Return whether a patch is at or below the baseline, or in no watched project."""
        baseline = self.baselines.get(project)
        return baseline is None or patch <= baseline.patch


class PendingQueue:
    """The pending objects of one server during one poll, which began at *now*."""

    def __init__(self, pending: Iterable[Pending], known: KnownObjects, now: datetime, wait: timedelta) -> None:
        self._all = {item.key: item for item in pending}
        self._before = dict(self._all)
        self._ready: list[Pending] | None = None  # the due items in order, while the queue is unchanged
        self.now = now
        self._known = known
        self._wait = wait  # how long a series may stay incomplete

    def hint(self, event: EventHint) -> None:
        """Queue the object that *event* announces; events about known objects announce none."""
        match event.category:
            case "series-created" if event.series is not None:
                self.series(event.project, event.series)
            case "series-completed" if event.series is not None:
                self.series(event.project, event.series, complete=True)
            case "patch-completed" if event.series is not None and event.patch is not None:
                self.series(event.project, event.series, patch=event.patch.id)
                self.settle(PendingKind.PATCH, event.patch.id)
            case "patch-created" if event.patch is not None:
                self.patch(event.project, event.patch)
            case "cover-created" if event.cover is not None:
                self.cover(event.project, event.cover)

    def series(
        self, project: ProjectName, series: SeriesId, *, complete: bool = False, patch: PatchId | None = None
    ) -> None:
        """Queue a series that is *complete*, has one known *patch*, or is known only by its id."""
        if self._known.old_series(project, series):
            return
        evaluated = self._known.series.get(series)
        if evaluated is not None and patch is not None and self._is_unreadable(PendingKind.PATCH, patch):
            return  # the patch is requested individually
        if evaluated is None:
            self._add(self._item(PendingKind.SERIES, project, series, self._wait), at_once=complete)
        elif (complete and not evaluated.received_all) or (patch is not None and patch not in evaluated.patches):
            self._add(self._item(PendingKind.SERIES, project, series, timedelta()), at_once=True)

    def patch(self, project: ProjectName, ref: PatchRef) -> None:
        """Queue a patch whose series is unknown."""
        if not self._known.old_patch(project, ref.id) and ref.id not in self._known.patches:
            wait = min(GRACE, self._wait)
            self._add(replace(self._item(PendingKind.PATCH, project, ref.id, wait), name=ref.name), at_once=False)

    def cover(self, project: ProjectName, ref: PatchRef) -> None:
        """Queue a cover letter, due after a delay in which its series most likely becomes known."""
        self._add(replace(self._item(PendingKind.COVER, project, ref.id, GRACE), name=ref.msgid), at_once=False)

    def unread_patch(self, project: ProjectName, ref: PatchRef) -> Pending:
        """Return the item of a patch that must be read individually, because it cannot be read with its series."""
        item = replace(self._item(PendingKind.PATCH, project, ref.id, timedelta()), name=ref.name)
        return self._all.setdefault(item.key, item)

    def retry_unreadable(self) -> None:
        """Make all unreadable objects due at once, because the cause may be gone."""
        for item in list(self._all.values()):
            if item.unreadable_since is not None and item.missing_since is None and item.due > self.now:
                self.keep(replace(item, due=self.now))

    def has_unreadable(self, project: ProjectName) -> bool:
        """Return whether a series or a patch of *project* is unreadable now, or was before this poll."""
        items = (item for item in chain(self._all.values(), self._before.values()) if item.project == project)
        return any(item.kind in _NEW and item.unreadable_since is not None for item in items)

    def comment(self, hint: CommentHint) -> None:
        """Queue the comments on the target of a new comment, which may itself be unread."""
        if hint.on.kind is MailKind.COVER or not self._known.old_patch(hint.project, hint.on.id):
            self.comments(hint.project, hint.on, hint.ref.msgid)

    def comments(self, project: ProjectName, on: CommentTarget, msgid: str) -> None:
        """Queue the comments on a patch or a cover letter, whose message-id is *msgid*."""
        kind = PendingKind.PATCH_COMMENTS if on.kind is MailKind.PATCH else PendingKind.COVER_COMMENTS
        item = self._item(kind, project, on.id, self._wait + GRACE)
        self._add(replace(item, name=msgid if on.kind is MailKind.COVER else ""), at_once=True)

    def checks(self, project: ProjectName, patch: PatchId) -> None:
        """Queue the checks of a patch."""
        self._add(self._item(PendingKind.CHECKS, project, patch, timedelta()), at_once=True)

    def trailers(self, project: ProjectName, ref: SubmissionRef, since: datetime) -> None:
        """Queue the trailers of a submission, due a while after *since*."""
        kind = PendingKind.SERIES_TRAILERS if ref.kind is SubmissionKind.SERIES else PendingKind.PATCH_TRAILERS
        item = self._item(kind, project, ref.id, timedelta())
        self._add(replace(item, due=since + TRAILERS_AFTER), at_once=False)

    def counts(self) -> Counter[PendingKind]:
        """Return the number of pending objects of each kind, including those not due."""
        return Counter(item.kind for item in self._all.values())

    def due(self, limit: int) -> list[Pending]:
        """Return at most *limit* objects to read now, in the order of arrival, new submissions before known ones.

        Unreadable objects come last, so that they delay nothing else. A patch with a number in a series waits while a
        series of its project that appeared at about the same time is awaited, because it is most likely part of that
        series.
        """
        if self._ready is None:
            self._ready = self._all_due()
        return self._ready[:limit]

    def _all_due(self) -> list[Pending]:
        awaited: dict[ProjectName, datetime] = {}
        for item in self._all.values():
            if item.kind is PendingKind.SERIES and self.now < item.deadline:
                awaited[item.project] = min(item.first_seen, awaited.get(item.project, item.first_seen))
        ready = [
            item
            for item in self._all.values()
            if item.is_due(self.now) and not _comes_with_a_series(item, awaited.get(item.project))
        ]
        return sorted(ready, key=_order)

    def has_read(self, series: SeriesId, patch: PatchId) -> bool:
        """Return whether a patch of a series was read by an earlier poll."""
        evaluated = self._known.series.get(series)
        return evaluated is not None and patch in evaluated.patches

    def learn(self, series: Mapping[SeriesId, KnownSeries]) -> None:
        """Add the stored state of further series."""
        self._known = replace(self._known, series={**self._known.series, **series})

    def keep(self, item: Pending) -> None:
        """Keep *item* in the queue."""
        self._all[item.key] = item
        self._ready = None

    def is_as_before(self, item: Pending) -> bool:
        """Return whether *item* is unchanged in the queue."""
        return self._all.get(item.key) == item

    def settle(self, kind: PendingKind, number: int) -> None:
        """Remove an object that was read, or does not exist any more."""
        if self._all.pop((kind, number), None) is not None:
            self._ready = None

    @property
    def changed(self) -> tuple[Pending, ...]:
        """The items that are new, or changed in this poll."""
        before = ((self._before.get(key), item) for key, item in self._all.items())
        return tuple(item for known, item in before if known is not item and known != item)

    @property
    def settled(self) -> tuple[Pending, ...]:
        """The items from before this poll that are no longer pending."""
        return tuple(item for key, item in self._before.items() if key not in self._all)

    def _is_unreadable(self, kind: PendingKind, number: int) -> bool:
        item = self._all.get((kind, number))
        return item is not None and item.unreadable_since is not None

    def _item(self, kind: PendingKind, project: ProjectName, number: int, wait: timedelta) -> Pending:
        deadline = self.now + wait
        return Pending(kind, number, project, name="", first_seen=self.now, due=deadline, deadline=deadline)

    def _add(self, item: Pending, *, at_once: bool) -> None:
        """Queue *item*; if it is queued already and readable, it becomes due at the earlier of both times."""
        if self._is_unreadable(item.kind, item.id):
            return
        due = self.now if at_once else item.due
        present = self._all.get(item.key, item)
        self._all[item.key] = replace(present, due=min(present.due, due))
        self._ready = None


def _order(item: Pending) -> tuple[bool, int, datetime, int]:
    if item.unreadable_since is not None:
        return True, 0, item.due, item.id
    return False, _rank(item.kind), item.first_seen, item.id


def _rank(kind: PendingKind) -> int:
    return _NEW.index(kind) if kind in _NEW else len(_NEW)


def _comes_with_a_series(item: Pending, awaited_since: datetime | None) -> bool:
    """Return whether *item* may be part of a series that is awaited since *awaited_since*."""
    if item.kind is not PendingKind.PATCH or awaited_since is None:
        return False
    return awaited_since <= item.first_seen + GRACE and has_place(item.name)


def has_place(name: str) -> bool:
    """Return whether a patch's name has a number in a series, 1 or more."""
    number = number_of(name)
    return number is not None and number[0] >= 1


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
