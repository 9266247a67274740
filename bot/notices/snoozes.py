"""Composes the notices on snoozed submissions that are back. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.notices.card import ServerLinks, submission_title
from bot.notices.markup import Bullets, Document, Line, Lines, Link, fitting, words
from bot.submission import Submission

SIGN: Final = "💤"
MOST_LINES: Final = 30
NEW_VERSION: Final = "a new version came"
_TIME_IS_OVER: Final = "its time is over"


@dataclass(frozen=True, slots=True)
class Returned:
    """A snoozed submission that is back; *reason* is "" if that is because its time is over."""

    submission: Submission
    site: ServerLinks
    reason: str = ""


def commented(person: str) -> str:
    """Return the reason of a submission that is back because somebody commented on it."""
    return f"{person} commented"


def version_came(version: int) -> str:
    """Return the reason of a submission that is back because the version came that it waited for."""
    return f"v{version} came"


def returned(back: Sequence[Returned]) -> Document:
    """Return the notice on what is *back*, at least one: a line, or a list if it is several."""
    if len(back) == 1:
        return (Lines((words(f"{SIGN} Back: ", *_line(back[0])),)),)

    def first(count: int) -> Document:
        rest = len(back) - count
        more = (words(f"… and {rest} more"),) if rest else ()
        heading = words(f"{SIGN} Back: {len(back)} submissions")
        return (Lines((heading,)), Bullets(tuple(map(_line, back[:count]))), *([Lines(more)] if more else []))

    return first(max(fitting(first, min(len(back), MOST_LINES), back[0].site.allowed), 1))


def _line(each: Returned) -> Line:
    title = submission_title(each.submission, each.site)
    return words(Link(title.text, title.url, spelled=False), f" — {each.reason or _TIME_IS_OVER}")
