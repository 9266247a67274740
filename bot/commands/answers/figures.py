"""Composes the answer with the figures of a query. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks, submission_title
from bot.notices.markup import Code, Document, Line, Link, Strong, lines, words
from bot.submission import Submission
from bot.text import cut


@dataclass(frozen=True, slots=True)
class OldestOpen:
    """The open submission that came first, with its age in days."""

    submission: Submission
    days: int
    site: ServerLinks


@dataclass(frozen=True, slots=True)
class SubmissionFigures:
    """How many submissions came and were accepted in a time, and how many are open; the durations are in days."""

    came: int
    accepted: int
    open: int
    to_reply: Sequence[float]
    to_acceptance: Sequence[float]
    oldest: OldestOpen | None


def figures_shown(query: str, days: int, figures: SubmissionFigures, *, is_cut: bool) -> Document:
    """Return five lines of figures below the *query*, and a remark if not all submissions were counted."""
    head = words(Strong(f"{facts.counted(days, 'day')}"), *((" for ", Code(cut(query, 300))) if query else ()))
    share = f" ({figures.accepted * 100 // figures.came} %)" if figures.came else ""
    told = [
        head,
        words(f"Came: {figures.came:,}"),
        words(f"Accepted of these: {figures.accepted:,}{share}"),
        words(f"Open now: {figures.open:,}"),
        words(f"Median to first reply: {_median(figures.to_reply)} · to acceptance: {_median(figures.to_acceptance)}"),
        _oldest(figures.oldest),
        words("Only the newest were counted; narrow the query for exact figures.") if is_cut else (),
    ]
    return (lines(told),)


def _median(days: Sequence[float]) -> str:
    """Return the median of durations, and of how many: "2.5 days (of 12)"."""
    if not days:
        return "not known"
    return f"{_time(median(days))} (of {len(days):,})"


def _time(days: float) -> str:
    """Return a duration in words: "12 days", "2.5 days", "7 hours"."""
    if days >= 1:
        return f"{days:.0f} days" if days >= 10 else f"{days:.1f} days"
    hours = int(days * 24)
    return facts.counted(hours, "hour") if hours else "less than an hour"


def _oldest(oldest: OldestOpen | None) -> Line:
    if oldest is None:
        return words("Oldest open: none")
    age = facts.counted(oldest.days, "day") if oldest.days else "less than a day"
    title = submission_title(oldest.submission, oldest.site)
    return words("Oldest open: ", Link(cut(title.text, 100), title.url), f", {age}")
