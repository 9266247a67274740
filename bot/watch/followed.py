"""Who wants to know what costs a request: the trailers of what cards show, and what comments say.

Besides cards and `on:comment`, a queue needs both: that of a room where somebody asks for it, and that of a digest.
"""

import asyncio
from collections.abc import Callable, Collection

from bot.ids import ProjectName, RoomId, ServerName
from bot.query.index.index import Index, Subscription
from bot.query.maintainers.maintainers import Maintainers
from bot.query.options import OnKind
from bot.store.store import Store, Transaction
from bot.submission import Submission, SubmissionRef
from bot.subscriptions.matching import awaits_review, matches_of

_NO_ROOMS: frozenset[RoomId] = frozenset()


class FollowedSubmissions:
    """The subscriptions and the cards that there are; *queues* are the rooms where somebody asks for the queue."""

    def __init__(
        self,
        store: Store,
        index: Index,
        maintainers: Callable[[ServerName, ProjectName], Maintainers | None],
        queues: Collection[RoomId] = _NO_ROOMS,
    ) -> None:
        self._store = store
        self._index = index
        self._maintainers = maintainers
        self._queues = queues

    async def sees_trailers(self, ref: SubmissionRef) -> bool:
        """Whether a card of *ref* is still edited or may come of it, or somebody waits for what is reviewed."""
        if self._index.waits_for_reviews:
            return True
        async with self._store.reading() as tx:
            if await tx.cards.is_living(ref) or await tx.follows.chats_following(ref):
                return True
        return await self._posts(ref, frozenset({OnKind.STATE, OnKind.COMMENT}))

    async def posts_comments(self, ref: SubmissionRef) -> bool:
        """Whether a subscription that *ref* matches is `on:comment` or in a queue, or a person waits for comments."""
        async with self._store.reading() as tx:
            if await _is_waited_for(tx, ref):
                return True
        return await self._posts(ref, frozenset({OnKind.COMMENT}))

    async def watches_comments(self, ref: SubmissionRef) -> bool:
        """Whether a card of *ref* is still edited, or a subscription waits for comments on it or for its review.

        Whoever follows or snoozes it, or is to be reminded of it, waits for comments, too.
        """
        async with self._store.reading() as tx:
            if await tx.cards.is_living(ref) or await _is_waited_for(tx, ref):
                return True
            is_waited_for = self._index.waits_for_reviews or self._may_post(frozenset({OnKind.COMMENT}))
            submission = (await tx.watch.load_submissions([ref])).get(ref) if is_waited_for else None
        if submission is None or not submission.patches:
            return False
        return await asyncio.to_thread(self._waits, ref.server, submission)

    def _waits(self, server: ServerName, submission: Submission) -> bool:
        if self._match(server, submission, frozenset({OnKind.COMMENT})):
            return True
        maintainers = self._maintainers(server, submission.project)
        judged = (server, submission)
        return any(awaits_review(self._index, judged, patch, maintainers) for patch in submission.patches)

    def _may_post(self, on: frozenset[OnKind]) -> bool:
        """Whether there is any subscription that names such changes, or is listed in a queue."""
        return self._index.has_subscriptions_to(on) or self._index.has_queues or bool(self._queues)

    async def _posts(self, ref: SubmissionRef, on: frozenset[OnKind]) -> bool:
        """Whether a subscription that *ref* matches names such changes, or is listed in a queue."""
        if not self._may_post(on):
            return False
        async with self._store.reading() as tx:
            submission = (await tx.watch.load_submissions([ref])).get(ref)
        if submission is None or not submission.patches:
            return False
        return await asyncio.to_thread(self._match, ref.server, submission, on)

    def _match(self, server: ServerName, submission: Submission, on: frozenset[OnKind]) -> bool:
        def is_wanted(each: Subscription) -> bool:
            is_queued = each.query.is_queue or each.room in self._queues
            return is_queued or not on.isdisjoint(each.query.options.on)

        maintainers = self._maintainers(server, submission.project)
        judged = (server, submission)
        return any(matches_of(self._index, judged, patch, maintainers, is_wanted) for patch in submission.patches)


async def _is_waited_for(tx: Transaction, ref: SubmissionRef) -> bool:
    """Return whether somebody follows or snoozes *ref*, or is to be reminded of it."""
    if await tx.follows.chats_following(ref) or await tx.snoozes.is_snoozed(ref):
        return True
    return await tx.nudges.reminds_of(ref)
