"""Composes the answers about what people follow. Pure."""

from collections import Counter
from collections.abc import Sequence
from enum import Enum

from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks, submission_title
from bot.notices.markup import Bullets, Code, Document, Line, Lines, Link, Strong, lines, words
from bot.submission import Submission

_NEWS = "Its state, checks that get worse, reviews, comments and later versions"


class NewsPlace(Enum):
    """Where the news of what somebody follows comes; the value is the end of a sentence about that."""

    HERE = "come here."
    CHAT = "come to your direct chat with me."
    NOWHERE = "come to a direct chat with me. You have none: start one, and they come there from then on."


def following(title: Link, place: NewsPlace, undo: str, *, by_reaction: bool = False) -> Document:
    """Return the answer to a new follow."""
    how = words("To end it: ", Code(undo), ", or take your 👀 back.") if by_reaction else words("Undo: ", Code(undo))
    return (Lines((words("👀 You follow ", title), words(f"{_NEWS} {place.value}"), how)),)


def not_following(title: Link | str, undo: str) -> Document:
    """Return the answer to a follow that was ended."""
    return (Lines((words("You no longer follow ", title), words("Undo: ", Code(undo)))),)


def not_following_because(title: Link, reason: str) -> Document:
    """Return the answer to a reaction that could not be heeded."""
    return (Lines((words("You reacted with 👀 to ", title), words(f"You do not follow it: {reason}"))),)


def no_chat() -> Document:
    """Return how those who react to a message get the news, to be said once below it."""
    chat = "to your direct chat with me; if you have none, start one."
    return (Lines((words(f"👀 means that you follow this. {_NEWS} come {chat}"),)),)


def follows_nothing(example: str) -> Document:
    """Return the answer of a list without anything in it."""
    react = "Or react to a card with 👀. What happens to it then comes to your direct chat with me."
    return (Lines((words("You follow nothing yet. To begin, type for example: ", Code(example)), words(react))),)


def follow_line(ref: str, submission: Submission, site: ServerLinks) -> Line:
    """Return a line with the newest version of what somebody follows, how it may be typed, and its state."""
    title = submission_title(submission, site)
    counts = Counter(patch.state for patch in submission.patches if patch.state)
    one = [facts.state_name(next(iter(counts)), site.states)] if len(counts) == 1 else []
    states = facts.joined(one or facts.counted_states(counts, site.states))
    return words(Strong(ref), " · ", Link(title.text, title.url, spelled=False), f" · {states}" if states else "")


def follows(count: int, shown: Sequence[Line], more: tuple[Line, ...], place: NewsPlace, undo: str) -> Document:
    """Return the list of what somebody follows."""
    heading = words(Strong(f"You follow {facts.counted(count, 'submission')}"))
    remarks = (words(f"Changes and later versions {place.value}"), words("End one: ", Code(undo)))
    return (Lines((heading,)), Bullets(tuple(shown)), lines((*more, *remarks)))
