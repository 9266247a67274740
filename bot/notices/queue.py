"""A queue: the open submissions by whose turn it is, a numbered row each, with the reason. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks, patch_title, series_title
from bot.notices.digest import MOST_LINES, MOST_MESSAGES
from bot.notices.markup import (
    Allowed,
    Bullets,
    Code,
    Document,
    Line,
    Lines,
    Link,
    Piece,
    Strong,
    Title,
    fitting,
    words,
)
from bot.notices.turn_reasons import reason_words, time_words
from bot.query.values import Turn
from bot.submission import Submission, SubmissionRef
from bot.subscriptions.turns import TurnVerdict
from bot.text import cut

SECTIONS: Final[Mapping[Turn, str]] = {
    Turn.FAILING: "Failing",
    Turn.AUTHOR: "Waiting for the author",
    Turn.READY: "Ready",
    Turn.REVIEW: "Needs review",
}
_COUNTED: Final[Mapping[Turn, str]] = {
    Turn.FAILING: "failing",
    Turn.AUTHOR: "waiting for the author",
    Turn.READY: "ready",
    Turn.REVIEW: "to be reviewed",
}
_MAX_REASON: Final = 200  # characters


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A row of a queue."""

    site: ServerLinks
    ref: SubmissionRef
    submission: Submission
    verdict: TurnVerdict


@dataclass(frozen=True, slots=True)
class QueueContent:
    """The first *entries* of a queue, numbered from *first* on, and how many rows each section has at *now* (UTC).

    *more* returns the command for a page; None if none can be typed. *title* is what it is called.
    """

    entries: Sequence[QueueEntry]
    counts: Mapping[Turn, int]
    now: datetime
    first: int = 1
    more: Callable[[int], str] | None = None
    title: str = "Queue"

    @property
    def total(self) -> int:
        """The number of all rows."""
        return sum(self.counts.values())


def queue_pages(content: QueueContent, most: int = MOST_MESSAGES) -> list[Document]:
    """Return at most *most* pages of a queue; each says what is left if the next one is not a part of it."""
    pages: list[Document] = []
    shown, allowed = 0, allowed_in(content.entries)
    while shown < len(content.entries) and len(pages) < most:
        page = _Page(content, shown, len(pages) + 1, is_last=len(pages) + 1 == most or content.more is not None)
        count = max(1, fitting(page.with_, min(len(content.entries) - shown, MOST_LINES), allowed))
        pages.append(page.with_(count))
        shown += count
    return pages


def allowed_in(entries: Sequence[QueueEntry]) -> Allowed:
    """Return the prefixes of a queue's links."""
    return Allowed(tuple(dict.fromkeys(prefix for each in entries for prefix in each.site.allowed.prefixes)))


def counts_words(counts: Mapping[Turn, int]) -> str:
    """Return the numbers of rows by section: "2 failing, 5 to be reviewed"."""
    return ", ".join(f"{counts[turn]:,} {word}" for turn, word in _COUNTED.items() if counts.get(turn))


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of a queue, which begins behind the entries that were *shown* before."""

    content: QueueContent
    shown: int
    number: int
    is_last: bool

    def with_(self, count: int) -> Document:
        """Return the page with *count* entries."""
        content = self.content
        several = len({(each.site.url, each.submission.project) for each in content.entries}) > 1
        pieces: list[Piece] = []
        section: list[Line] = []
        entries = content.entries[self.shown : self.shown + count]
        for place, entry in enumerate(entries):
            section.append(_row(content.first + self.shown + place, entry, content.now, with_project=several))
            if place + 1 == count or entries[place + 1].verdict.turn is not entry.verdict.turn:
                pieces += [Lines((words(Strong(SECTIONS[entry.verdict.turn])),)), Bullets(tuple(section))]
                section = []
        return (self._title(), *pieces, *self._end(content.total - self.shown - count))

    def _title(self) -> Title:
        page = f", page {self.number}" if self.number > 1 else ""
        return Title(f"{self.content.title}{page}: {counts_words(self.content.counts)}", "")

    def _end(self, left: int) -> tuple[Lines, ...]:
        if left <= 0 or not self.is_last:
            return ()
        more = (": ", Code(self.content.more(self.number + 1))) if self.content.more else (".",)
        return (Lines((words(f"… and {left:,} more", *more),)),)


def _row(number: int, entry: QueueEntry, now: datetime, *, with_project: bool) -> Line:
    submission, site = entry.submission, entry.site
    series = submission.series
    title = patch_title(submission.patches[0], site) if series is None else series_title(series, site)
    age = time_words(now - entry.verdict.sent) if entry.verdict.sent else ""
    told = [
        facts.submitter_name((series or submission.patches[0]).submitter),
        submission.project if with_project else "",
        f"{age} old" if age else "new",
    ]
    reason = reason_words(entry.verdict, now, site.states, site.lanes)
    row = (f"#{number} ", Link(title.text, title.url), f" · {facts.joined(told)} · ")
    return words(*row, Strong(cut(reason, _MAX_REASON)))
