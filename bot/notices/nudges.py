"""Composes the reminders of one's own unanswered patches. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks, submission_title
from bot.notices.fact_lines import state_words
from bot.notices.markup import Bullets, Code, Document, Line, Lines, Link, fitting, words
from bot.submission import Submission

MOST_LINES: Final = 30
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A submission to which nothing has happened for a time."""

    submission: Submission
    site: ServerLinks
    quiet: timedelta


def nudge(unanswered: Sequence[Unanswered], off: str) -> Document:
    """Return the reminder of at least one submission; *off* is the command that ends such reminders."""
    end = words("To get no such reminders: ", Code(off))

    def first(count: int) -> Document:
        rest = len(unanswered) - count
        heading = "Nobody has answered:" if len(unanswered) > 1 else "Nobody has answered this:"
        more = (words(f"… and {rest} more"),) if rest else ()
        return (
            Lines((words(f"⏳ {heading}"),)),
            Bullets(tuple(map(_line, unanswered[:count]))),
            Lines((*more, end)),
        )

    allowed = unanswered[0].site.allowed
    return first(max(fitting(first, min(len(unanswered), MOST_LINES), allowed), 1))


def _line(each: Unanswered) -> Line:
    submission = each.submission
    title = submission_title(submission, each.site)
    state = "".join(inline.text for inline in state_words(submission.patches, each.site.states))
    told = facts.joined([state, facts.reviews(submission) or "no reviews yet"])
    link = Link(title.text, title.url, spelled=False)
    return words(link, f" — nothing for {facts.counted(each.quiet // _DAY, 'day')}: {told}")
