"""Answers `stats`: figures about the stored submissions that match a query, from the store alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bot.commands.answers.figures import OldestOpen, SubmissionFigures, figures_shown
from bot.commands.context import CommandContext
from bot.commands.request import Answer, CommandRequest
from bot.commands.subscribing import standing_of
from bot.errors import UserError
from bot.patchwork.states import StateClasses, is_accepted
from bot.patchwork.updates import MailKind
from bot.query.durations import read_duration
from bot.query.parser import parse
from bot.query.query import And, Query
from bot.search import SearchHit
from bot.store.patch_book import KEEP_PATCHES
from bot.store.store import Transaction
from bot.submission import Submission, SubmissionKind, SubmissionRef
from bot.subscriptions.subscription import meant

MOST_COUNTED: Final = 10_000  # submissions, the newest
_BATCH: Final = 500
_DAY: Final = timedelta(days=1)


async def figures_of(context: CommandContext, request: CommandRequest) -> Answer:
    """Return the answer with the figures of what matches the query that was typed, of everything here without one.

    Raises:
        UserError: the query cannot be searched, or the time is too long.
    """
    arguments = request.call.arguments
    period = read_duration(arguments.get("duration", "90d"))
    if period is None or not _DAY <= period <= KEEP_PATCHES:
        raise UserError(f"stats looks back between 1 and {KEEP_PATCHES.days} days; try 90d, 12w or 30d.")
    query = parse(arguments["query"]) if "query" in arguments else Query(And(()))
    query = meant(query, await standing_of(context.store, request))
    found = await context.past.matches(query, None, MOST_COUNTED)
    now = context.clock.now()
    count = _Count(now - period)
    for start in range(0, len(found.found), _BATCH):
        hits = {_ref(hit): hit for hit in found.found[start : start + _BATCH]}
        async with context.store.reading() as tx:
            known = await tx.watch.load_submissions(hits)
            times = await _times_of(tx, known)
        for ref in times:
            count.add(ref, known[ref], times[ref], _classes(context, ref))
    places = {place.name: place for place in context.places}
    oldest = None
    if count.oldest is not None:
        since, ref, submission = count.oldest
        oldest = OldestOpen(submission, (now - since) // _DAY, places[ref.server].site(submission.project))
    is_cut = len(found.found) >= MOST_COUNTED or found.back_to is not None
    figures = SubmissionFigures(
        count.came, count.accepted, count.open, tuple(count.to_reply), tuple(count.to_acceptance), oldest
    )
    shown = figures_shown(str(query.tree), period // _DAY, figures, is_cut=is_cut)
    return Answer(shown, oldest.site if oldest else None)


@dataclass(frozen=True, slots=True)
class _Times:
    """When a submission came, was answered first, and changed last (UTC); None if that did not happen."""

    came: datetime
    replied: datetime | None
    changed: datetime | None


@dataclass(slots=True)
class _Count:
    """The figures of the submissions so far; those that came before *since* (UTC) only count while they are open."""

    since: datetime
    came: int = 0
    accepted: int = 0
    open: int = 0
    to_reply: list[float] = field(default_factory=list)  # days
    to_acceptance: list[float] = field(default_factory=list)  # days
    oldest: tuple[datetime, SubmissionRef, Submission] | None = None

    def add(self, ref: SubmissionRef, submission: Submission, times: _Times, classes: StateClasses) -> None:
        """Count a submission."""
        if classes.is_open(submission.patches):
            self.open += 1
            if self.oldest is None or times.came < self.oldest[0]:
                self.oldest = times.came, ref, submission
        if times.came < self.since:
            return
        self.came += 1
        if times.replied is not None:
            self.to_reply.append((times.replied - times.came) / _DAY)
        if all(is_accepted(patch.state) for patch in submission.patches):
            self.accepted += 1
            if times.changed is not None:
                self.to_acceptance.append((times.changed - times.came) / _DAY)


async def _times_of(tx: Transaction, known: Mapping[SubmissionRef, Submission]) -> dict[SubmissionRef, _Times]:
    """Return the times of submissions; those without a stored patch are missing."""
    times: dict[SubmissionRef, _Times] = {}
    for server in {ref.server for ref in known}:
        some = {ref: each for ref, each in known.items() if ref.server == server}
        ids = [patch.id for each in some.values() for patch in each.patches]
        covers = [each.series.cover_id for each in some.values() if each.series and each.series.cover_id is not None]
        patches = await tx.figures.times_of(server, ids)
        on_patches = await tx.figures.first_comments(server, MailKind.PATCH, ids)
        on_covers = await tx.figures.first_comments(server, MailKind.COVER, covers)
        for ref, each in some.items():
            stored = [patches[patch.id] for patch in each.patches if patch.id in patches]
            seen = [on_patches[patch.id] for patch in each.patches if patch.id in on_patches]
            cover = each.series.cover_id if each.series else None
            seen += [on_covers[cover]] if cover is not None and cover in on_covers else []
            changes = [time.changed_at for time in stored if time.changed_at is not None]
            if stored:
                came = min(time.read_at for time in stored)
                times[ref] = _Times(came, min(seen, default=None), max(changes, default=None))
    return times


def _ref(hit: SearchHit) -> SubmissionRef:
    if hit.series is None:
        return SubmissionRef(hit.server, SubmissionKind.PATCH, hit.patch.id)
    return SubmissionRef(hit.server, SubmissionKind.SERIES, hit.series.id)


def _classes(context: CommandContext, ref: SubmissionRef) -> StateClasses:
    return next(place.api.classes for place in context.places if place.name == ref.server)
