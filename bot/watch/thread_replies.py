"""Tells what rooms asked to hear of: queued when seen, told in the thread of the card a minute after the first."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from bot.ids import ProjectName, ServerName
from bot.notices.card import ServerLinks
from bot.notices.markup import written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, reply_key
from bot.notices.thread_reply import Thread, told
from bot.store.queued_change_book import ChangeBatch
from bot.store.retry_book import RetryKind
from bot.store.store import Store, Transaction
from bot.subscriptions.registry import Audience
from bot.watch.announce import card_tag
from bot.watch.item_isolation import isolated

GATHERING = timedelta(seconds=60)
TOGETHER = timedelta(minutes=5)  # for which patches of a series that change alike are counted together
BATCH = 50  # threads of one transaction
_ENDED = frozenset({"redacted", "moved"})  # below which nothing is said any more; a frozen card is only not edited


class ThreadReplies:
    """Replies in the threads of all cards; *sites* say how links to each server are written."""

    def __init__(
        self, store: Store, audience: Audience, sites: Mapping[ServerName, Callable[[ProjectName], ServerLinks]]
    ) -> None:
        self._store = store
        self._audience = audience
        self._sites = sites

    async def tick(self) -> None:
        """Tell what is due, a batch a transaction, so that others get their turn in between."""
        while await self._tell_a_batch():
            pass

    async def _tell_a_batch(self) -> bool:
        """Reply in some threads; whether more may be due. What is told is queued no more, in the same transaction.

        What cannot be told waits for its next try.
        """
        async with self._store.transaction() as tx:
            due = await tx.queued.due(GATHERING, BATCH)
            told = await isolated(tx, due, partial(self._tell, tx), partial(_put_off, tx))
            await tx.retries.settle(RetryKind.REPLY, [burst.card for burst in told])
        for burst in told:
            self._store.incidents.resolve(RetryKind.REPLY.incident, burst.card)
        return len(due) == BATCH

    async def _tell(self, tx: Transaction, due: Sequence[ChangeBatch]) -> Sequence[ChangeBatch]:
        threads = [(burst, thread) for burst in due if (thread := await self._thread(tx, burst)) is not None]
        await tx.outbox.add(await asyncio.to_thread(self._replies, threads))
        for burst in due:
            await tx.queued.remove(burst)
        return due

    async def _thread(self, tx: Transaction, burst: ChangeBatch) -> Thread | None:
        """What is to be told of; None where nothing can be, or its card is not there to hang it on."""
        if burst.ended in _ENDED or not burst.is_there or burst.about.server not in self._sites:
            return None
        submission = (await tx.watch.load_submissions([burst.about], with_checks=True)).get(burst.about)
        if submission is None or not submission.patches:
            return None
        ids = [patch.id for patch in submission.patches]
        since = burst.since - TOGETHER
        told_at = await tx.outbox.last_reply(burst.card, since)  # what changed before it was told by it
        recent = await tx.watch.changed_since(burst.about.server, ids, told_at or since)
        return Thread(submission, burst.changes, recent)

    def _replies(self, threads: Sequence[tuple[ChangeBatch, Thread]]) -> list[Notice]:
        """The replies that say anything, off the event loop."""
        replies: list[Notice] = []
        for burst, thread in threads:
            site = self._sites[burst.about.server](thread.submission.project)
            if document := told(thread, site):
                key = reply_key(burst.card, burst.first)
                tag = card_tag(key, burst.about, thread.submission, NoticeKind.REPLY)
                message = Message(*written(document, site.allowed), tag, rings=self._audience.rings(burst.room))
                replies.append(Notice(burst.room, Lane.REPLY, message, of=burst.card))
        return replies


async def _put_off(tx: Transaction, burst: ChangeBatch, error: Exception) -> None:
    await tx.retries.put_off(RetryKind.REPLY, burst.card, error)
