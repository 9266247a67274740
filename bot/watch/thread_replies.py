"""Posts the queued changes of cards as replies in their threads, a minute after the first change."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from bot.ids import ProjectName, ServerName
from bot.notices.card import ServerLinks
from bot.notices.markup import written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, reply_key
from bot.notices.thread_reply import Thread, reply_document
from bot.store.queued_change_book import ChangeBatch
from bot.store.retry_book import RetryKind
from bot.store.store import Store, Transaction
from bot.subscriptions.registry import Audience
from bot.watch.announce import card_tag
from bot.watch.item_isolation import isolated

GATHERING = timedelta(seconds=60)
TOGETHER = timedelta(minutes=5)  # for which patches of a series that change alike are counted together
BATCH = 50  # threads of one transaction
_ENDED = frozenset({"redacted", "moved"})  # no replies below these; a frozen card is not edited, but may get replies


class ThreadReplies:
    """Replies in the threads of all cards; *sites* are the forms of the links to each server."""

    def __init__(
        self, store: Store, audience: Audience, sites: Mapping[ServerName, Callable[[ProjectName], ServerLinks]]
    ) -> None:
        self._store = store
        self._audience = audience
        self._sites = sites

    async def tick(self) -> None:
        """Post all due replies, a batch per transaction, so that other transactions can run in between."""
        while await self._post_batch():
            pass

    async def _post_batch(self) -> bool:
        """Reply in some threads, and return whether more may be due; the same transaction deletes the changes.

        Changes that cannot be posted wait for their retry.
        """
        async with self._store.transaction() as tx:
            due = await tx.queued.due(GATHERING, BATCH)
            posted = await isolated(tx, due, partial(self._post, tx), partial(_put_off, tx))
            await tx.retries.settle(RetryKind.REPLY, [batch.card for batch in posted])
        for batch in posted:
            self._store.incidents.resolve(RetryKind.REPLY.incident, batch.card)
        return len(due) == BATCH

    async def _post(self, tx: Transaction, due: Sequence[ChangeBatch]) -> Sequence[ChangeBatch]:
        threads = [(batch, thread) for batch in due if (thread := await self._thread(tx, batch)) is not None]
        await tx.outbox.add(await asyncio.to_thread(self._replies, threads))
        for batch in due:
            await tx.queued.remove(batch)
        return due

    async def _thread(self, tx: Transaction, batch: ChangeBatch) -> Thread | None:
        """Return the thread with its changes; None if nothing can be posted, or its card does not exist."""
        if batch.ended in _ENDED or not batch.is_there or batch.about.server not in self._sites:
            return None
        submission = (await tx.watch.load_submissions([batch.about], with_checks=True)).get(batch.about)
        if submission is None or not submission.patches:
            return None
        ids = [patch.id for patch in submission.patches]
        since = batch.since - TOGETHER
        replied_at = await tx.outbox.last_reply(batch.card, since)  # which had the changes before it
        recent = await tx.watch.changed_since(batch.about.server, ids, replied_at or since)
        return Thread(submission, batch.changes, recent)

    def _replies(self, threads: Sequence[tuple[ChangeBatch, Thread]]) -> list[Notice]:
        """Return the replies that are not empty; to be called off the event loop."""
        replies: list[Notice] = []
        for batch, thread in threads:
            site = self._sites[batch.about.server](thread.submission.project)
            if document := reply_document(thread, site):
                key = reply_key(batch.card, batch.first)
                tag = card_tag(key, batch.about, thread.submission, NoticeKind.REPLY)
                message = Message(*written(document, site.allowed), tag, rings=self._audience.rings(batch.room))
                replies.append(Notice(batch.room, Lane.REPLY, message, of=batch.card))
        return replies


async def _put_off(tx: Transaction, batch: ChangeBatch, error: Exception) -> None:
    await tx.retries.put_off(RetryKind.REPLY, batch.card, error)
