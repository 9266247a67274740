"""Who wants to know what costs a request: the trailers of what cards show, and what comments say."""

import asyncio
from collections.abc import Callable

from bot.ids import ProjectName, ServerName
from bot.query.index.index import Index
from bot.query.maintainers.maintainers import Maintainers
from bot.query.options import OnKind
from bot.store.store import Store
from bot.submission import Submission, SubmissionRef
from bot.subscriptions.matching import Judged, awaits_review, matches_of


class FollowedSubmissions:
    """The subscriptions and the cards that there are."""

    def __init__(
        self, store: Store, index: Index, maintainers: Callable[[ServerName, ProjectName], Maintainers | None]
    ) -> None:
        self._store = store
        self._index = index
        self._maintainers = maintainers

    async def sees_trailers(self, ref: SubmissionRef) -> bool:
        """Whether a card of *ref* is still edited or may come of it, or somebody waits for what is reviewed."""
        if self._index.waits_for_reviews:
            return True
        async with self._store.reading() as tx:
            if await tx.cards.is_living(ref):
                return True
        return await self._hears(ref, frozenset({OnKind.STATE, OnKind.COMMENT}))

    async def hears_comments(self, ref: SubmissionRef) -> bool:
        """Whether a subscription that *ref* matches is `on:comment`."""
        return await self._hears(ref, frozenset({OnKind.COMMENT}))

    async def watches_comments(self, ref: SubmissionRef) -> bool:
        """Whether a card of *ref* is still edited, or a subscription waits for comments on it or for its review."""
        async with self._store.reading() as tx:
            if await tx.cards.is_living(ref):
                return True
            is_waited_for = self._index.waits_for_reviews or self._index.anybody_hears({OnKind.COMMENT})
            standing = (await tx.watch.standings(ref.server, [ref])).get(ref) if is_waited_for else None
        if standing is None or not standing.patches:
            return False
        return await asyncio.to_thread(self._waits, ref.server, standing)

    def _waits(self, server: ServerName, standing: Submission) -> bool:
        if self._match(server, standing, frozenset({OnKind.COMMENT})):
            return True
        judged = Judged(server, standing.series, standing.patches)
        maintainers = self._maintainers(server, judged.project)
        return any(awaits_review(self._index, judged, patch, maintainers) for patch in judged.patches)

    async def _hears(self, ref: SubmissionRef, on: frozenset[OnKind]) -> bool:
        """Whether a subscription that *ref* matches names such changes."""
        if not self._index.anybody_hears(on):
            return False
        async with self._store.reading() as tx:
            standing = (await tx.watch.standings(ref.server, [ref])).get(ref)
        if standing is None or not standing.patches:
            return False
        return await asyncio.to_thread(self._match, ref.server, standing, on)

    def _match(self, server: ServerName, standing: Submission, on: frozenset[OnKind]) -> bool:
        judged = Judged(server, standing.series, standing.patches)
        maintainers = self._maintainers(server, judged.project)
        found = (match for patch in judged.patches for match in matches_of(self._index, judged, patch, maintainers))
        return any(not on.isdisjoint(match.subscription.query.options.on) for match in found)
