"""Answers `stats` and `chart`: figures about the stored submissions that match a query, from the store alone.

Both count the same way, once, by week; what `stats` shows is the sum of the weeks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Final

from bot.commands.answers.figures import OldestOpen, SubmissionFigures, chart_shown, figures_shown
from bot.commands.answers.patch import said
from bot.commands.context import CommandContext
from bot.commands.request import Answer, CommandRequest
from bot.commands.subscribing import standing_of
from bot.errors import UserError
from bot.notices.chart import Chart, Week
from bot.patchwork.states import StateClasses, is_accepted
from bot.pictures.drawing import EXTRA
from bot.query.durations import read_duration
from bot.query.parser import parse
from bot.query.query import And, Query
from bot.review_queue import known_comments
from bot.store.book import batched
from bot.store.patch_book import KEEP_PATCHES
from bot.store.store import Transaction
from bot.submission import Submission, SubmissionRef
from bot.subscriptions.subscription import meant
from bot.subscriptions.turns import TurnFacts, is_same_person, is_tool
from bot.text import cut

MOST_COUNTED: Final = 10_000  # submissions of a server, the newest
_BATCH: Final = 100
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)


async def figures_of(context: CommandContext, request: CommandRequest) -> Answer:
    """Return the answer with the figures of what matches the query that was typed, of everything here without one.

    Raises:
        UserError: the query cannot be searched, or the time is too long.
    """
    query, days, figures = await _counted(context, request)
    return Answer(figures_shown(query, days, figures), figures.oldest.site if figures.oldest else None)


async def chart_of_figures(context: CommandContext, request: CommandRequest) -> Answer:
    """Return the answer with the figures of each week, as a picture and as its description.

    Raises:
        UserError: as `figures_of`; or what draws pictures is not installed.
    """
    if not context.can_draw:
        arguments = (request.call.arguments.get(name) for name in ("query", "duration"))
        typed = " ".join(filter(None, [request.prefix, "stats", *arguments]))
        raise UserError(
            f"I cannot draw: whoever runs this bot has to install {EXTRA} (it brings Matplotlib), and restart it. "
            f"The figures in words: {typed}"
        )
    query, days, figures = await _counted(context, request)
    if not any(week.came or week.open for week in figures.weeks):
        what = f"that matches {query}" if query else "here"
        return Answer(said(f"Nothing {what} came in {days} days, and nothing is open."))
    heading = f"{days} days" if days > 1 else "1 day"
    chart = Chart(
        f"{heading}, the newest {MOST_COUNTED:,} only" if figures.is_cut else heading, cut(query, 200), figures.weeks
    )
    return Answer(chart_shown(query, days, figures), chart=chart)


async def _counted(context: CommandContext, request: CommandRequest) -> tuple[str, int, SubmissionFigures]:
    """Return the query, the number of days, and the figures."""
    arguments = request.call.arguments
    period = read_duration(arguments.get("duration", "90d"))
    if period is None or not _DAY <= period <= KEEP_PATCHES:
        verb = request.call.command.verb
        raise UserError(f"{verb} looks back between 1 and {KEEP_PATCHES.days} days; try 90d, 12w or 30d.")
    query = parse(arguments["query"]) if "query" in arguments else Query(And(()))
    query = meant(query, await standing_of(context.store, request))
    found = await context.past.submissions(query, MOST_COUNTED)
    now = context.clock.now()
    count = _Count(now, period)
    for some in batched(found.refs, _BATCH):
        async with context.store.reading() as tx:
            known = await tx.watch.load_submissions(some, with_files=False)
            times = await _times_of(tx, known)
        for ref in times:
            count.add(ref, known[ref], times[ref], _classes(context, ref))
    places = {place.name: place for place in context.places}
    oldest = None
    if count.oldest is not None:
        since, ref, submission = count.oldest
        oldest = OldestOpen(submission, (now - since) // _DAY, places[ref.server].site(submission.project))
    figures = SubmissionFigures(
        count.weeks(), tuple(count.to_reply), tuple(count.to_acceptance), oldest, is_cut=found.is_cut
    )
    return str(query.tree), period // _DAY, figures


@dataclass(frozen=True, slots=True)
class _Times:
    """When a submission came, was answered, changed its state last, and got a later version (UTC), if that happened."""

    came: datetime
    replied: datetime | None
    decided: datetime | None
    replaced: datetime | None


class _Count:
    """The figures of the submissions so far; of those that came before the *period*, only what was open counts."""

    def __init__(self, now: datetime, period: timedelta) -> None:
        self.to_reply: list[float] = []  # days
        self.to_acceptance: list[float] = []  # days
        self.oldest: tuple[datetime, SubmissionRef, Submission] | None = None
        self._now, self._since = now, now - period
        self._last = -(-period // _WEEK) - 1
        self._came = [0] * (self._last + 1)
        self._accepted = [0] * (self._last + 1)
        self._opened = [0] * (self._last + 1)  # minus those that closed

    def add(self, ref: SubmissionRef, submission: Submission, times: _Times, classes: StateClasses) -> None:
        """Count a submission."""
        is_open = times.replaced is None and classes.is_open(submission.patches)
        ended = min(filter(None, (times.decided, times.replaced)), default=times.came)  # if it is not open
        if is_open:
            self._opened[self._week(times.came)] += 1
            if self.oldest is None or times.came < self.oldest[0]:
                self.oldest = times.came, ref, submission
        elif ended >= self._since:
            self._opened[self._week(times.came)] += 1
            self._opened[self._week(ended)] -= 1
        if times.came < self._since:
            return
        self._came[self._week(times.came)] += 1
        if times.replied is not None:
            self.to_reply.append((times.replied - times.came) / _DAY)
        if all(is_accepted(patch.state) for patch in submission.patches):
            self._accepted[self._week(times.decided or times.came)] += 1
            if times.decided is not None:
                self.to_acceptance.append((times.decided - times.came) / _DAY)

    def weeks(self) -> tuple[Week, ...]:
        """Return the figures of each week, oldest first."""
        starts = [max(self._since, self._now - (self._last + 1 - place) * _WEEK) for place in range(self._last + 1)]
        lengths = [max((end - start) // _DAY, 1) for start, end in pairwise([*starts, self._now])]
        days = (start.astimezone(UTC).date().isoformat() for start in starts)
        rows = zip(days, lengths, self._came, self._accepted, accumulate(self._opened), strict=True)
        return tuple(Week(*row) for row in rows)

    def _week(self, time: datetime) -> int:
        """Return the week of a time; the first one for all that is earlier."""
        return min(max(self._last - (self._now - time) // _WEEK, 0), self._last)


async def _times_of(tx: Transaction, known: Mapping[SubmissionRef, Submission]) -> dict[SubmissionRef, _Times]:
    """Return the times of submissions; those without a stored patch are missing."""
    times: dict[SubmissionRef, _Times] = {}
    for server in {ref.server for ref in known}:
        some = {ref: each for ref, each in known.items() if ref.server == server}
        patches = await tx.figures.times_of(server, [patch.id for each in some.values() for patch in each.patches])
        replaced = await tx.figures.replaced(server, [each.series.id for each in some.values() if each.series])
        comments = await known_comments(tx, server, some.values())
        for ref, each in some.items():
            stored = [patches[patch.id] for patch in each.patches if patch.id in patches]
            if not stored:
                continue
            came = min(time.read_at for time in stored)
            replied = _first_reply(comments.facts_of(each), came)
            decided = max((time.state_changed_at for time in stored if time.state_changed_at is not None), default=None)
            times[ref] = _Times(came, replied, decided, replaced.get(each.series.id) if each.series else None)
    return times


def _first_reply(facts: TurnFacts, came: datetime) -> datetime | None:
    """Return when somebody else answered first, not before it *came*; None if nobody did.

    A comment that nobody needed to read has no known author, and counts.
    """
    submitter = facts.submission.patches[0].submitter
    others = (
        comment.at
        for comment in facts.comments
        if comment.person is None or not (is_tool(comment.person) or is_same_person(comment.person, submitter))
    )
    return max(came, first) if (first := min(others, default=None)) is not None else None


def _classes(context: CommandContext, ref: SubmissionRef) -> StateClasses:
    return next(place.api.classes for place in context.places if place.name == ref.server)
