"""Composes the answers with the figures of a query. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks, submission_title
from bot.notices.chart import Week
from bot.notices.markup import Block, Code, Details, Document, Line, Link, Strong, lines, words
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
    """The figures of each of the *weeks* of a time, oldest first, and durations in days; *is_cut*: some are missing."""

    weeks: tuple[Week, ...]
    to_reply: Sequence[float]
    to_acceptance: Sequence[float]
    oldest: OldestOpen | None
    is_cut: bool = False

    @property
    def came(self) -> int:
        """How many submissions came."""
        return sum(week.came for week in self.weeks)

    @property
    def accepted(self) -> int:
        """How many of those that came are accepted."""
        return sum(week.accepted for week in self.weeks)

    @property
    def open(self) -> int:
        """How many are open now, whenever they came."""
        return self.weeks[-1].open


def figures_shown(query: str, days: int, figures: SubmissionFigures) -> Document:
    """Return five lines of figures below the *query*, and a remark if not all submissions were counted."""
    told = [
        *_sums(query, days, figures),
        words(f"Median to first reply: {_median(figures.to_reply)} · to acceptance: {_median(figures.to_acceptance)}"),
        _oldest(figures.oldest),
        _remark(figures),
    ]
    return (lines(told),)


def chart_shown(query: str, days: int, figures: SubmissionFigures) -> Document:
    """Return the description of a chart: its sums, as in `figures_shown`, and the figures of each week."""
    told = [*_sums(query, days, figures), _remark(figures)]
    rows = [f"{'Week from':<10}  {'open':>6}  {'new':>6}  {'accepted':>8}"]
    for week in figures.weeks:
        short = f"  ({facts.counted(week.days, 'day')})" if week.days < 7 else ""
        rows.append(f"{week.start}  {week.open:>6,}  {week.came:>6,}  {week.accepted:>8,}{short}")
    return lines(told), Details("Week by week", (Block("\n".join(rows)),))


def _sums(query: str, days: int, figures: SubmissionFigures) -> list[Line]:
    head = words(Strong(f"{facts.counted(days, 'day')}"), *((" for ", Code(cut(query, 300))) if query else ()))
    share = f" ({figures.accepted * 100 // figures.came} %)" if figures.came else ""
    return [
        head,
        words(f"Came: {figures.came:,}"),
        words(f"Accepted of these: {figures.accepted:,}{share}"),
        words(f"Open now: {figures.open:,}"),
    ]


def _remark(figures: SubmissionFigures) -> Line:
    return words("Only the newest were counted; narrow the query for exact figures.") if figures.is_cut else ()


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
