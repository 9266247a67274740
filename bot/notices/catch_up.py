"""Catch-up after downtime: missed series are posted below one line that explains it. Pure; times are UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.ids import NoticeKey, RoomId, ServerName
from bot.notices.fact_lines import counted, moment
from bot.notices.floods import FloodEntry, ListContext, line_notices
from bot.notices.markup import Line, lines, words, written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag

LEAST = timedelta(minutes=10)
LEAST_POLLS = 10
BOUND = timedelta(hours=72)
HOLD = timedelta(minutes=10)  # how long missed series are gathered before they are posted


class AbsenceCause(StrEnum):
    """The side that was down."""

    BOT = "bot"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Absence:
    """A time in which *server* was not polled; *came* counts all missed series, *old* those too old to be posted.

    *ended* is when the missed series were posted.
    """

    server: ServerName
    since: datetime
    until: datetime
    whose: AbsenceCause
    came: int = 0
    old: int = 0
    ended: datetime | None = None

    @property
    def bound(self) -> datetime | None:
        """The time before which missed series are not posted; None if all of them are."""
        return self.until - BOUND if self.until - self.since > BOUND else None

    def is_over(self, now: datetime) -> bool:
        """Return whether the missed series should be posted now, even if there may be more."""
        return abs(now - self.until) >= HOLD


def is_absence(polled_at: datetime | None, now: datetime, interval: timedelta) -> bool:
    """Return whether the time since the last poll is an absence; False without one, with *polled_at* None."""
    return polled_at is not None and now - polled_at > max(LEAST, LEAST_POLLS * interval)


def who_was_away(polled_at: datetime, now: datetime, failing_since: datetime | None) -> AbsenceCause:
    """Return the cause of the greater part of an absence: the failing server, or the bot that did not poll it."""
    server_was = failing_since is not None and failing_since - polled_at < now - failing_since
    return AbsenceCause.SERVER if server_was else AbsenceCause.BOT


def catch_up_keys(absence: Absence) -> str:
    """Return the common prefix of the keys of the lines after an *absence*."""
    return f"catch_up/{absence.server}/{absence.since:%Y-%m-%dT%H:%M:%S.%f}/"


def catch_up_key(absence: Absence, room: RoomId) -> NoticeKey:
    """Return the key of the line after an *absence* in *room*."""
    return NoticeKey(catch_up_keys(absence) + room)


def catch_up_notice(absence: Absence, key: NoticeKey, count: int, room: ListContext) -> Notice:
    """Return the line that is posted before *count* cards."""
    body = written((lines([_catch_up_line(absence, count)]),), room.sites.allowed)
    return Notice(room.room, Lane.CARD, Message(*body, Tag(NoticeKind.CATCH_UP, key, absence.server), rings=room.rings))


def catch_up_notices(
    absence: Absence, key: NoticeKey, gathered: Sequence[FloodEntry], room: ListContext
) -> list[Notice]:
    """Return the line with a thread, which replaces the cards if there are too many of them."""
    return line_notices(key, NoticeKind.CATCH_UP, _catch_up_line(absence, len(gathered)), gathered, room)


def _catch_up_line(absence: Absence, count: int) -> Line:
    away = "the bot did not run" if absence.whose is AbsenceCause.BOT else f"{absence.server} could not be reached"
    when = f"Away for {_length(absence.until - absence.since)}, until {moment(absence.until)} ({away})"
    came = max(absence.came, count)
    of_them = "" if came == 1 else "all of them " if count == came else f"{count} of them "
    told = f"{when}: {came} series came to {absence.server}, {of_them}for this room."
    if absence.old and absence.bound:
        told += f" {absence.old} sent before {moment(absence.bound)} were not looked at."
    return words(told)


def _length(time: timedelta) -> str:
    """Return a duration in days, hours or minutes, rounded to two digits."""
    minutes = round(time.total_seconds() / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest and hours < 10 else f"{round(minutes / 60)} h"
    return counted(round(minutes / 1440), "day")
