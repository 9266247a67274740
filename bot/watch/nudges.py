"""Reminds people, in their direct chats, of their own patches that nobody answers: of each version once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from bot.ids import NoticeKey, ProjectName, ServerName
from bot.notices.card import ServerLinks
from bot.notices.markup import written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag
from bot.notices.nudges import Unanswered, nudge
from bot.query.values import Turn
from bot.review_queue import QueueItem, ReviewQueue
from bot.store.book import batched
from bot.store.nudge_book import NudgeDue, OwnSubmission
from bot.store.retry_book import RetryKind
from bot.store.store import Store, Transaction
from bot.submission import SubmissionRef
from bot.subscriptions.registry import Audience
from bot.subscriptions.turns import TurnVerdict
from bot.watch.announce import card_tag
from bot.watch.item_isolation import isolated

OFF = "set nudge off"
BATCH = 20  # chats of one transaction
SUBMISSIONS = 250  # that are read and judged at once
_TURNS_OF_OTHERS = frozenset({Turn.READY, Turn.REVIEW})
LATER = timedelta(days=1)  # when a chat that is muted now, or no direct chat any more, is looked at again


class Nudges:
    """The reminders in all direct chats; *sites* say how links to each server are written.

    *queue* knows whose turn the submissions are.
    """

    def __init__(
        self,
        store: Store,
        audience: Audience,
        sites: Mapping[ServerName, Callable[[ProjectName], ServerLinks]],
        queue: ReviewQueue,
    ) -> None:
        self._store = store
        self._audience = audience
        self._sites = sites
        self._queue = queue

    async def tick(self) -> None:
        """Look at what is due, a batch a transaction, so that others get their turn in between."""
        while await self._look_at_a_batch():
            pass

    async def _look_at_a_batch(self) -> bool:
        """Look at some chats; whether more may be due. One that fails waits for its next try."""
        async with self._store.transaction() as tx:
            due = await tx.nudges.due(BATCH)
            looked_at = await isolated(tx, due, partial(self._look, tx), partial(_put_off, tx))
            await tx.retries.settle(RetryKind.NUDGE, [each.room for each in looked_at])
        for each in looked_at:
            self._store.incidents.resolve(RetryKind.NUDGE.incident, each.room)
        return len(due) == BATCH

    async def _look(self, tx: Transaction, due: Sequence[NudgeDue]) -> Sequence[NudgeDue]:
        for each in due:
            is_heard = each.room in self._audience.direct and self._audience.is_active(each.room, tx.now)
            await tx.nudges.look_at(each.room, await self._remind(tx, each) if is_heard else tx.now + LATER)
        return due

    async def _remind(self, tx: Transaction, due: NudgeDue) -> datetime:
        """Remind one person, and return when to look again (UTC)."""
        own = [
            each
            for scope in self._queue.nudge_scopes()
            if scope.server in self._sites
            for each in await tx.nudges.unanswered_of(due.person, scope)
        ]
        late = [each for each in own if each.last + due.after <= tx.now]
        found = [each for some in batched(late, SUBMISSIONS) for each in await self._unanswered(tx, some)]
        if found:
            await tx.outbox.add([await asyncio.to_thread(self._notice, due, found)])
            await tx.nudges.add(due.person, [each.about for each, _ in found])
        return min([tx.now + due.after, *(last for each in own if (last := each.last + due.after) > tx.now)])

    async def _unanswered(
        self, tx: Transaction, late: Sequence[OwnSubmission]
    ) -> list[tuple[OwnSubmission, Unanswered]]:
        """Return those of some submissions that wait for others."""
        items: dict[SubmissionRef, QueueItem] = {}
        for server in dict.fromkeys(each.about.server for each in late):
            items |= await self._queue.items_in(tx, server, [own.about for own in late if own.about.server == server])
        return [
            (
                own,
                Unanswered(item.submission, self._sites[own.about.server](item.submission.project), tx.now - own.last),
            )
            for own in late
            if (item := items.get(own.about)) is not None and _waits_for_others(item.verdict)
        ]

    def _notice(self, due: NudgeDue, found: Sequence[tuple[OwnSubmission, Unanswered]]) -> Notice:
        first, only = found[0]
        key = NoticeKey(f"nudge/{first.about.server}/{first.about.kind}/{first.about.id}/{due.room}")
        tag = Tag(NoticeKind.QUEUE, key)
        if len(found) == 1:
            tag = card_tag(key, first.about, only.submission, NoticeKind.QUEUE)
        sites = tuple({each.site.url for _, each in found})
        whole = [replace(each, site=replace(each.site, others=sites)) for _, each in found]
        body, html = written(nudge(whole, OFF), whole[0].site.allowed)
        return Notice(due.room, Lane.REPLY, Message(body, html, tag, rings=self._audience.rings(due.room)))


def _waits_for_others(verdict: TurnVerdict) -> bool:
    """Return whether it is known that a submission waits for others: not while a comment on it has yet to be read."""
    return verdict.turn in _TURNS_OF_OTHERS and verdict.knows_comments


async def _put_off(tx: Transaction, due: NudgeDue, error: Exception) -> None:
    await tx.retries.put_off(RetryKind.NUDGE, due.room, error)
