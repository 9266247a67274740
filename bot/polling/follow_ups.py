"""Reads updates of known objects: comments, the trailers in them, and checks.

States, delegates and new checks are in the events themselves and need no request. A comment's event has neither its
author nor its text: comments are read if a subscription needs them, and trailers, once per burst of comments, if a card
shows them. An edited check raises no event; the sweep detects a different worst check.

If no event announces comments, they are rechecked on a schedule (`recheck_schedule.py`), newest change first, but none
is starved. Rechecks are read and retried as after a comment event. Each request counts against the server's budget,
including retries; requests beyond it wait in the queue.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import Msgid, PatchId, ServerName
from bot.patchwork.api import PatchworkApi, trailers_in
from bot.patchwork.applying import could_not_apply
from bot.patchwork.model import Check, CheckState, Comment, Series
from bot.patchwork.recheck_schedule import is_over, next_recheck
from bot.patchwork.request_turns import RecheckBudget
from bot.patchwork.updates import (
    ChecksRead,
    CommentHint,
    CommentTarget,
    MailComments,
    MailKind,
    TrailersRead,
    comments_in,
)
from bot.patchwork.wire import EventHint
from bot.poll import CommentsRead, DueRecheck, FollowUpResult, Pending, PendingKind, Recheck, Rechecks
from bot.polling.pending import TRAILERS_AFTER, Fetch, KnownObjects, PartialResult, PendingQueue
from bot.polling.sweep import SweepResult
from bot.store.store import Store, Transaction
from bot.submission import Submission, SubmissionKind, SubmissionRef

AT_ONCE = 20  # submissions that a poll rechecks, whether or not anybody sees the result
OF_A_SERIES = 2  # requests for a series' trailers: its mbox, and the comments on its cover letter
_COSTS = {
    PendingKind.PATCH_COMMENTS: 1,
    PendingKind.COVER_COMMENTS: 1,
    PendingKind.SERIES_TRAILERS: OF_A_SERIES,
    PendingKind.PATCH_TRAILERS: 1,
}


class Watching(Protocol):
    """The port to the subscriptions and cards that would show the result of a recheck."""

    async def watches_comments(self, ref: SubmissionRef) -> bool:
        """Return whether anybody sees comments on *ref*: on a card, by `on:comment`, or by `is:reviewed`."""

    async def posts_comments(self, ref: SubmissionRef) -> bool:
        """Return whether a subscription posts comments on *ref* (`on:comment`)."""


class Rechecker:
    """The rechecks of one server; *api* is limited by their budget."""

    def __init__(self, server: ServerName, api: PatchworkApi, store: Store, followers: Watching, clock: Clock) -> None:
        self._budget = RecheckBudget(clock)
        self.api = api.within(self._budget)
        self._server = server
        self._store = store
        self._followers = followers
        self._is_restored = False

    @property
    def is_on(self) -> bool:
        """True if the server raises no comment events."""
        return not self.api.raises_comment_events

    async def begin(self, queue: PendingQueue) -> list[Recheck]:
        """Queue due submissions, as far as the budget may allow reading them now."""
        async with self._store.reading() as tx:
            if not self._is_restored:
                self._budget.restore(await tx.rechecks.requests(self._server))
                self._is_restored = True
            pending = queue.counts()
            room = self._budget.left - sum(cost * pending[kind] for kind, cost in _COSTS.items())
            all_due = await tx.rechecks.due(self._server, AT_ONCE) if room > 0 else ()
        begun: list[Recheck] = []
        for due in all_due:
            recheck, cost = await self._begin(queue, due)
            begun.append(recheck)
            room -= cost
            if room <= 0:
                break
        return begun

    def end(self, begun: Sequence[Recheck]) -> Rechecks:
        """Return the results of a poll's rechecks to be stored."""
        return Rechecks(tuple(begun), self._budget.take_unsaved())

    def check_budget(self, requests: int) -> None:
        """Check that the budget allows the given number of *requests* now.

        Raises:
            OverBudget: it does not.
        """
        if self.is_on:
            self._budget.check(requests)

    async def unannounced(self, on: CommentTarget, ref: SubmissionRef, comments: Sequence[Comment]) -> tuple[int, ...]:
        """Return the ids of new *comments*: not seen before, and sent since *ref* was first read."""
        async with self._store.reading() as tx:
            since = await tx.rechecks.comments_since(ref)
            recent = [comment.id for comment in comments if since is not None and _is_since(comment, since)]
            known = await tx.watch.known_comments(self._server, on.kind, recent) if recent else set()
        return tuple(number for number in recent if number not in known)

    async def _begin(self, queue: PendingQueue, due: DueRecheck) -> tuple[Recheck, int]:
        """Queue a submission if its comments matter, and return the number of requests that it needs."""
        ref, now = due.ref, queue.now
        async with self._store.reading() as tx:
            submission = (await tx.watch.load_submissions([ref])).get(ref)
        if is_over(due.changed_at, now) or submission is None or not self.api.classes.is_open(submission.patches):
            return Recheck(ref, None, is_seen=False), 0
        next_at = next_recheck(min(due.changed_at, now), now)  # if the clock was set back, no extra rechecks
        if not await self._followers.watches_comments(ref):
            return Recheck(ref, next_at, is_seen=False), 0
        is_heard = await self._followers.posts_comments(ref)
        requests = _put_comments(queue, submission) if is_heard else 0
        if due.is_first or not is_heard:  # otherwise the comments show whether there are new trailers
            queue.trailers(submission.patches[0].project, ref, now - TRAILERS_AFTER)
            requests += OF_A_SERIES if ref.kind is SubmissionKind.SERIES else 1
        return Recheck(ref, next_at, is_seen=True), requests


def _put_comments(queue: PendingQueue, submission: Submission) -> int:
    """Queue the comments on all mails, and return the number of requests that they need."""
    series, requests = submission.series, len(submission.patches)
    if series is not None and series.cover is not None and series.cover_id is not None:
        queue.comments(series.project, CommentTarget(MailKind.COVER, series.cover_id), series.cover)
        requests += 1
    for patch in submission.patches:
        queue.comments(patch.project, CommentTarget(MailKind.PATCH, PatchId(patch.id)), patch.msgid)
    return requests


def _is_since(comment: Comment, since: datetime) -> bool:
    """Return whether a comment, dated in naive UTC, was sent since *since*; True without a readable date."""
    try:
        return datetime.fromisoformat(comment.date).replace(tzinfo=UTC) >= since
    except ValueError:
        return True


class Followers(Watching, Protocol):
    """The port to the subscriptions and cards that justify additional requests."""

    async def sees_trailers(self, ref: SubmissionRef) -> bool:
        """Return whether a card shows the trailers of *ref*, or a subscription waits for them."""


class NoFollowers:
    """No subscriptions and cards, so that no additional request is justified."""

    async def sees_trailers(self, ref: SubmissionRef) -> bool:  # noqa: ARG002  # the port's
        """Return False."""
        return False

    async def posts_comments(self, ref: SubmissionRef) -> bool:  # noqa: ARG002  # the port's
        """Return False."""
        return False

    async def watches_comments(self, ref: SubmissionRef) -> bool:  # noqa: ARG002  # the port's
        """Return False."""
        return False


class FollowUps:
    """The follow-ups of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, store: Store, followers: Followers, clock: Clock) -> None:
        self._server = server
        self._api = api
        self._rechecker = Rechecker(server, api, store, followers, clock)
        self._store = store
        self._followers = followers

    async def hint(
        self, queue: PendingQueue, known: KnownObjects, events: Iterable[EventHint], swept: SweepResult
    ) -> tuple[CommentHint, ...]:
        """Queue the objects that *events* and the sweep result hint at, and return the new comments."""
        concerning = [event for event in events if known.concerns(event)]
        comments = comments_in(concerning)
        with_events = {event.patch.id for event in concerning if event.patch is not None and event.check is not None}
        listed = {patch.id: patch for patch in swept.patches if patch.id not in with_events}
        failing = {
            event.patch.id: event.project for event in concerning if event.patch and _is_unexplained(event.check)
        }
        if not comments and not listed and not failing:
            return ()
        async with self._store.reading() as tx:
            new_comments = await self._new_comments(tx, comments)
            stored = await tx.watch.worst_checks(self._server, listed)
            refs = await tx.watch.refs_of(self._server, failing)
        for comment in new_comments:
            queue.comment(comment)
        for number, worst in stored.items():
            if _differ(listed[number].check, worst):
                queue.checks(listed[number].project, number)
        for number, ref in refs.items():
            if await self._followers.sees_trailers(ref):  # it has a card, which says whether the patch applied
                queue.checks(failing[number], number)
        return new_comments

    async def read(self, fetch: Fetch, new_comments: tuple[CommentHint, ...]) -> FollowUpResult:
        """Read the due comments, trailers and checks."""
        begun = await self._rechecker.begin(fetch.queue) if self._rechecker.is_on else None
        comments = await fetch.read_and_settle(self._comments, PendingKind.PATCH_COMMENTS, PendingKind.COVER_COMMENTS)
        trailers = await fetch.read_and_settle(self._trailers, PendingKind.SERIES_TRAILERS, PendingKind.PATCH_TRAILERS)
        checks = await fetch.read_and_settle(self._checks, PendingKind.CHECKS)
        rechecks = None if begun is None else self._rechecker.end(begun)
        return FollowUpResult(new_comments, comments, trailers, checks, rechecks)

    @property
    def _source(self) -> PatchworkApi:
        """The API for comments and trailers, limited by the recheck budget if no event announces comments."""
        return self._rechecker.api if self._rechecker.is_on else self._api

    async def _new_comments(self, tx: Transaction, hints: tuple[CommentHint, ...]) -> tuple[CommentHint, ...]:
        known: dict[MailKind, set[int]] = {}
        for kind in MailKind:
            ids = [each.id for each in hints if each.on.kind is kind]
            known[kind] = await tx.watch.known_comments(self._server, kind, ids)
        return tuple(each for each in hints if each.id not in known[each.on.kind])

    async def _comments(self, queue: PendingQueue, item: Pending) -> CommentsRead | None:
        """Return the comments if a subscription needs them; None while their submission may still become known."""
        kind = MailKind.PATCH if item.kind is PendingKind.PATCH_COMMENTS else MailKind.COVER
        on = CommentTarget(kind, item.id)
        ref = await self._ref(on, item)
        if ref is None:
            is_unknown = queue.now >= item.deadline and not queue.has_unreadable(item.project)
            return CommentsRead(on) if is_unknown else None
        read = CommentsRead(on, ref)
        if await self._followers.posts_comments(ref):
            self._rechecker.check_budget(1)
            read = await self._with_comments(read, ref)
        may_have_trailers = not self._rechecker.is_on or bool(read.unannounced)
        if may_have_trailers and await self._followers.sees_trailers(ref):
            queue.trailers(item.project, ref, item.first_seen)
        return read

    async def _with_comments(self, read: CommentsRead, ref: SubmissionRef) -> CommentsRead:
        comments = await self._source.comments(read.on)
        if not self._rechecker.is_on:
            return replace(read, comments=comments)
        news = await self._rechecker.unannounced(read.on, ref, comments)
        return replace(read, comments=comments, unannounced=news)

    async def _ref(self, on: CommentTarget, item: Pending) -> SubmissionRef | None:
        async with self._store.reading() as tx:
            if on.kind is MailKind.COVER:
                return await tx.watch.ref_of_cover(self._server, item.project, Msgid(item.name))
            return (await tx.watch.refs_of(self._server, [on.id])).get(PatchId(on.id))

    async def _trailers(self, queue: PendingQueue, item: Pending) -> TrailersRead:
        """Return the current trailers; none if the submission is no longer known."""
        if item.kind is PendingKind.PATCH_TRAILERS:
            self._rechecker.check_budget(1)
            async with self._store.reading() as tx:
                patch = await tx.watch.patch(self._server, item.id)
            return await self._source.patch_trailers(patch) if patch else TrailersRead(())
        async with self._store.reading() as tx:
            series = await tx.watch.series(self._server, item.id)
            patches = await tx.watch.patches_of(self._server, series.id) if series else []
        if series is None:
            return TrailersRead(())
        self._rechecker.check_budget(OF_A_SERIES)
        cover = await self._cover_comments(series)
        read = await self._source.trailers(series, patches)
        for number in read.unread:  # each is requested individually from now on
            queue.trailers(item.project, SubmissionRef(self._server, SubmissionKind.PATCH, number), queue.now)
        if isinstance(cover, TransportError):
            raise PartialResult(read, cover)
        on_cover = _on_cover(series, cover)
        return replace(read, cover=trailers_in(cover), comments=(*read.comments, *on_cover))

    async def _cover_comments(self, series: Series) -> tuple[Comment, ...] | TransportError:
        """Return the comments on the cover letter, or the error if they cannot be read."""
        try:
            return await self._source.comments_on_cover(series)
        except TransportError as error:
            return error

    async def _checks(self, _: PendingQueue, item: Pending) -> ChecksRead:
        patch = PatchId(item.id)
        return ChecksRead(patch, await self._api.checks(patch))


def _on_cover(series: Series, comments: tuple[Comment, ...]) -> tuple[MailComments, ...]:
    """Return the *comments* on a series' cover letter with its id; empty if that is unknown."""
    return () if series.cover_id is None else ((CommentTarget(MailKind.COVER, series.cover_id), comments),)


def _is_unexplained(check: Check | None) -> bool:
    """Return whether a failing *check* may have failed only because its patch did not apply.

    The description says so, which events lack.
    """
    return check is not None and check.state in {CheckState.FAIL, CheckState.WARNING} and not could_not_apply(check)


def _differ(listed: CheckState | None, known: CheckState | None) -> bool:
    """Return whether the worst checks differ; a server shows "pending" for a patch without checks, too."""
    return (listed or CheckState.PENDING) is not (known or CheckState.PENDING)
