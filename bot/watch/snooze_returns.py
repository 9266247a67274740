"""Brings snoozed submissions back: when their time is over, when a new version comes, and when somebody comments."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from bot.ids import NoticeKey, ProjectName, RoomId, ServerName
from bot.notices.card import ServerLinks
from bot.notices.changes import ChangeKind
from bot.notices.fact_lines import submitter_name
from bot.notices.markup import written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag
from bot.notices.snoozes import NEW_VERSION, Returned, commented, returned, version_came
from bot.patchwork.model import is_partial_reroll
from bot.store.retry_book import RetryKind
from bot.store.snooze_book import Snooze
from bot.store.store import Store, Transaction
from bot.submission import SubmissionKind, SubmissionRef
from bot.subscriptions.registry import Audience
from bot.subscriptions.turns import is_tool
from bot.watch.announce import card_tag
from bot.watch.change_replies import PendingChange
from bot.watch.item_isolation import isolated
from bot.watch.version_links import LinkedSeries

ROOMS = 50  # of one transaction


async def wake_commented(tx: Transaction, changes: Sequence[PendingChange]) -> Sequence[PendingChange]:
    """Make the snoozes of what somebody, and no tool, commented on due; return *changes*."""
    for each in changes:
        comments = [change.comment for change in each.changed.changes if change.kind is ChangeKind.COMMENT]
        first = next((each for each in comments if each is not None and not is_tool(each.submitter)), None)
        if first is not None:
            await tx.snoozes.wake(each.changed.about, commented(submitter_name(first.submitter)))
    return changes


async def wake_replaced(tx: Transaction, server: ServerName, linked: Sequence[LinkedSeries]) -> Sequence[LinkedSeries]:
    """Make the snoozes of what has a new version due, unless they wait for a later one; return *linked*."""
    for each in linked:
        if not is_partial_reroll(each.series):
            old, new = (SubmissionRef(server, SubmissionKind.SERIES, of.id) for of in (each.former, each.series))
            await tx.snoozes.replaced(old, new, each.series.version, NEW_VERSION)
    return linked


class SnoozeReturns:
    """Ends the due snoozes of all rooms, and tells these; *sites* say how links to each server are written."""

    def __init__(
        self, store: Store, audience: Audience, sites: Mapping[ServerName, Callable[[ProjectName], ServerLinks]]
    ) -> None:
        self._store = store
        self._audience = audience
        self._sites = sites

    async def tick(self) -> None:
        """End what is due, a batch of rooms a transaction, so that others get their turn in between."""
        while await self._end_a_batch():
            pass

    async def _end_a_batch(self) -> bool:
        """End the due snoozes of some rooms; whether more may be due. A room that fails waits for its next try."""
        async with self._store.transaction() as tx:
            due = await tx.snoozes.due(ROOMS)
            rooms = [list(some) for _, some in groupby(due, key=lambda each: each.room)]
            told = await isolated(tx, rooms, partial(self._end, tx), partial(_put_off, tx))
            await tx.retries.settle(RetryKind.SNOOZE, [some[0].room for some in told])
        for some in told:
            self._store.incidents.resolve(RetryKind.SNOOZE.incident, some[0].room)
        return len(rooms) == ROOMS

    async def _end(self, tx: Transaction, rooms: Sequence[Sequence[Snooze]]) -> Sequence[Sequence[Snooze]]:
        for due in rooms:
            back = [(each, found) for each in due if (found := await self._returned(tx, each)) is not None]
            if back and self._audience.is_active(due[0].room, tx.now):
                await tx.outbox.add([await asyncio.to_thread(self._notice, due[0].room, back)])
            await tx.snoozes.ended(due)
        return rooms

    async def _returned(self, tx: Transaction, due: Snooze) -> Returned | None:
        """Return what is back; None if nothing is to be done about it any more, or it is not known any more."""
        site_of = self._sites.get(due.about.server)
        submission = await tx.watch.load_submission(due.about) if site_of is not None else None
        if site_of is None or submission is None:
            return None
        site = site_of(submission.project)
        if not site.classes.is_open(submission.patches):
            return None
        reason = due.reason
        if reason == NEW_VERSION and due.version is not None and submission.series is not None:
            reason = version_came(submission.series.version)
        return Returned(submission, site, reason)

    def _notice(self, room: RoomId, back: Sequence[tuple[Snooze, Returned]]) -> Notice:
        first, only = back[0]
        key = NoticeKey(f"back/{first.id}/{room}")
        tag = Tag(NoticeKind.QUEUE, key)
        if len(back) == 1:
            tag = card_tag(key, first.about, only.submission, NoticeKind.QUEUE)
        sites = tuple({each.site.url for _, each in back})
        whole = [replace(each, site=replace(each.site, others=sites)) for _, each in back]
        body, html = written(returned(whole), whole[0].site.allowed)
        return Notice(room, Lane.REPLY, Message(body, html, tag, rings=self._audience.rings(room)))


async def _put_off(tx: Transaction, due: Sequence[Snooze], error: Exception) -> None:
    await tx.retries.put_off(RetryKind.SNOOZE, due[0].room, error)
