"""Composes the answers about what a chat snoozes. Pure."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.commands.answers.times import local
from bot.notices import fact_lines as facts
from bot.notices.markup import Bullets, Code, Document, Line, Lines, Link, Strong, lines, words
from bot.notices.snoozes import SIGN
from bot.store.snooze_book import Snooze


def snoozed(title: Link, end: str, undo: str, *, is_direct: bool) -> Document:
    """Return the answer to a new snooze; *end* says until when."""
    whose = "your" if is_direct else "this room's"
    sooner = "if somebody comments on it" + ("" if end.startswith("until v") else " or a new version comes")
    told = words(f"It is out of {whose} queues and stale lists, and comes back sooner {sooner}.")
    return (Lines((words(f"{SIGN} Snoozed {end}: ", title), told, words("Undo: ", Code(undo)))),)


def no_longer_snoozed(title: Link | str, undo: str) -> Document:
    """Return the answer to a snooze that was ended."""
    return (Lines((words("No longer snoozed: ", title), words("Undo: ", Code(undo)))),)


def nothing_snoozed(example: str) -> Document:
    """Return the answer of a list without anything in it."""
    how = words("Nothing is snoozed here. To take something out of the queue for a while: ", Code(example))
    return (Lines((how,)),)


def spelled_end(snooze: Snooze, now: datetime, zone: ZoneInfo) -> str:
    """Return until when something is snoozed."""
    if snooze.until is None:
        return f"until v{snooze.version} comes"
    return f"until {local(snooze.until, now, zone)}"


def snooze_line(ref: str, title: Link, snooze: Snooze, now: datetime, zone: ZoneInfo) -> Line:
    """Return a line with what is snoozed, how it may be typed, until when and by whom."""
    end = f"until v{snooze.version}" if snooze.until is None else local(snooze.until, now, zone, with_zone=False)
    end = end if snooze.until is None else f"until {end}"
    return words(Strong(ref), " · ", title, f" — {end}, by {snooze.person}")


def snoozes(count: int, shown: Sequence[Line], more: tuple[Line, ...], undo: str) -> Document:
    """Return the list of what a chat snoozes."""
    heading = words(Strong(f"{SIGN} {facts.counted(count, 'submission')} snoozed here"))
    return (Lines((heading,)), Bullets(tuple(shown)), lines((*more, words("End one: ", Code(undo)))))
