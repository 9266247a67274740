"""Starts the rechecks of a server that raises no comment events: due ones are queued, newest change first.

From the queue they are read as after a comment event, and retried like anything else. Each request counts against the
server's budget, including retries; requests beyond it wait in the queue until the budget allows them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from bot.clock import Clock
from bot.ids import PatchId, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.model import Comment, is_open
from bot.patchwork.recheck_schedule import is_over, next_recheck
from bot.patchwork.request_turns import RecheckBudget
from bot.patchwork.updates import CommentTarget, MailKind
from bot.poll import DueRecheck, PendingKind, Recheck, Rechecks
from bot.polling.pending import TRAILERS_AFTER, PendingQueue
from bot.store.store import Store
from bot.submission import Submission, SubmissionKind, SubmissionRef

AT_ONCE = 20  # submissions that a poll looks at, seen or not
OF_A_SERIES = 2  # requests for its trailers: its mbox, and the comments on its cover letter
_COSTS = {
    PendingKind.PATCH_COMMENTS: 1,
    PendingKind.COVER_COMMENTS: 1,
    PendingKind.SERIES_TRAILERS: OF_A_SERIES,
    PendingKind.PATCH_TRAILERS: 1,
}


class Watching(Protocol):
    """A port to the subscriptions and cards that would show the result of a recheck."""

    async def watches_comments(self, ref: SubmissionRef) -> bool:
        """Whether anybody sees comments on *ref*: on a card, by `on:comment`, or by `is:reviewed`."""

    async def hears_comments(self, ref: SubmissionRef) -> bool:
        """Whether anybody has comments on *ref* posted (`on:comment`)."""


class Rechecker:
    """The rechecks of one server; *api* is limited by their budget."""

    def __init__(self, server: ServerName, api: PatchworkApi, store: Store, watching: Watching, clock: Clock) -> None:
        self._budget = RecheckBudget(clock)
        self.api = api.within(self._budget)
        self._server = server
        self._store = store
        self._watching = watching
        self._is_restored = False

    @property
    def is_on(self) -> bool:
        """True if the server raises no comment events."""
        return not self.api.raises_comment_events

    async def begin(self, board: PendingQueue) -> list[Recheck]:
        """Queue due submissions on the *board*, as far as the budget may allow reading them now."""
        async with self._store.reading() as tx:
            if not self._is_restored:
                self._budget.restore(await tx.rechecks.requests(self._server))
                self._is_restored = True
            waiting = board.counts()
            room = self._budget.left - sum(cost * waiting[kind] for kind, cost in _COSTS.items())
            all_due = await tx.rechecks.due(self._server, AT_ONCE) if room > 0 else ()
        begun: list[Recheck] = []
        for due in all_due:
            recheck, cost = await self._begin(board, due)
            begun.append(recheck)
            room -= cost
            if room <= 0:
                break
        return begun

    def end(self, begun: Sequence[Recheck]) -> Rechecks:
        """Return the results of a poll's rechecks to be stored."""
        return Rechecks(tuple(begun), self._budget.take_unsaved())

    def see_to(self, requests: int) -> None:
        """Check that so many *requests* may be made now.

        Raises:
            OverBudget: they may not.
        """
        if self.is_on:
            self._budget.see_to(requests)

    async def unannounced(self, on: CommentTarget, ref: SubmissionRef, comments: Sequence[Comment]) -> tuple[int, ...]:
        """Return the ids of the *comments* that are news: not seen before, and sent since *ref* was first read."""
        async with self._store.reading() as tx:
            since = await tx.rechecks.comments_since(ref)
            recent = [comment.id for comment in comments if since is not None and _is_since(comment, since)]
            known = await tx.watch.known_comments(self._server, on.kind, recent) if recent else set()
        return tuple(number for number in recent if number not in known)

    async def _begin(self, board: PendingQueue, due: DueRecheck) -> tuple[Recheck, int]:
        """Queue a submission on the *board* if its comments matter, and return how many requests it takes."""
        ref, now = due.ref, board.now
        async with self._store.reading() as tx:
            submission = (await tx.watch.load_submissions([ref])).get(ref)
        if is_over(due.changed_at, now) or submission is None or not is_open(submission.patches):
            return Recheck(ref, None, is_seen=False), 0
        next_at = next_recheck(min(due.changed_at, now), now)  # a clock that was set back makes it due no more often
        if not await self._watching.watches_comments(ref):
            return Recheck(ref, next_at, is_seen=False), 0
        is_heard = await self._watching.hears_comments(ref)
        requests = _put_comments(board, submission) if is_heard else 0
        if due.is_first or not is_heard:  # else the comments say whether there are new trailers
            board.trailers(submission.patches[0].project, ref, now - TRAILERS_AFTER)
            requests += OF_A_SERIES if ref.kind is SubmissionKind.SERIES else 1
        return Recheck(ref, next_at, is_seen=True), requests


def _put_comments(board: PendingQueue, submission: Submission) -> int:
    """Queue the comments on all mails on the *board*, and return how many requests they take."""
    series, requests = submission.series, len(submission.patches)
    if series is not None and series.cover is not None and series.cover_id is not None:
        board.comments(series.project, CommentTarget(MailKind.COVER, series.cover_id), series.cover)
        requests += 1
    for patch in submission.patches:
        board.comments(patch.project, CommentTarget(MailKind.PATCH, PatchId(patch.id)), patch.msgid)
    return requests


def _is_since(comment: Comment, since: datetime) -> bool:
    """Return whether a comment, dated in naive UTC, was sent since *since*; True without a readable date."""
    try:
        return datetime.fromisoformat(comment.date).replace(tzinfo=UTC) >= since
    except ValueError:
        return True
