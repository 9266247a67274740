"""After an absence: what was missed is told behind one honest line. Pure; times are UTC."""

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
HOLD = timedelta(minutes=10)  # how long what was missed is gathered before it is told


class AbsenceCause(StrEnum):
    """Who was away."""

    BOT = "bot"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Absence:
    """A time in which *server* was not polled, and what was missed: *came* counts all, *old* those too old to be told.

    *ended* is when that was told.
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
        """What was sent before is not told; None: all is."""
        return self.until - BOUND if self.until - self.since > BOUND else None

    def is_over(self, now: datetime) -> bool:
        """Whether what was missed is to be told now, though there may be more of it."""
        return abs(now - self.until) >= HOLD


def is_absence(polled_at: datetime | None, now: datetime, interval: timedelta) -> bool:
    """Whether the time since the last poll is an absence; *polled_at* None: there was none, and so no absence."""
    return polled_at is not None and now - polled_at > max(LEAST, LEAST_POLLS * interval)


def who_was_away(polled_at: datetime, now: datetime, failing_since: datetime | None) -> AbsenceCause:
    """Whoever was, for the greater part: the server fails since then, before that nobody asked it."""
    server_was = failing_since is not None and failing_since - polled_at < now - failing_since
    return AbsenceCause.SERVER if server_was else AbsenceCause.BOT


def gap_keys(absence: Absence) -> str:
    """What the keys of the lines after an *absence* begin with."""
    return f"gap/{absence.server}/{absence.since:%Y-%m-%dT%H:%M:%S.%f}/"


def gap_key(absence: Absence, room: RoomId) -> NoticeKey:
    """The key of the line after an *absence* in *room*."""
    return NoticeKey(gap_keys(absence) + room)


def gap_notice(absence: Absence, key: NoticeKey, count: int, room: ListContext) -> Notice:
    """The line before *count* cards."""
    body = written((lines([_gap_line(absence, count)]),), room.sites.allowed)
    return Notice(room.room, Lane.CARD, Message(*body, Tag(NoticeKind.GAP, key, absence.server), rings=room.rings))


def gap_notices(absence: Absence, key: NoticeKey, gathered: Sequence[FloodEntry], room: ListContext) -> list[Notice]:
    """The line with a thread, where there would be too many cards."""
    return line_notices(key, NoticeKind.GAP, _gap_line(absence, len(gathered)), gathered, room)


def _gap_line(absence: Absence, count: int) -> Line:
    away = "the bot did not run" if absence.whose is AbsenceCause.BOT else f"{absence.server} could not be reached"
    when = f"Away for {_length(absence.until - absence.since)}, until {moment(absence.until)} ({away})"
    came = max(absence.came, count)
    of_them = "" if came == 1 else "all of them " if count == came else f"{count} of them "
    told = f"{when}: {came} series came to {absence.server}, {of_them}for this room."
    if absence.old and absence.bound:
        told += f" {absence.old} sent before {moment(absence.bound)} were not looked at."
    return words(told)


def _length(time: timedelta) -> str:
    """A time to two figures of days, hours or minutes."""
    minutes = round(time.total_seconds() / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest and hours < 10 else f"{round(minutes / 60)} h"
    return counted(round(minutes / 1440), "day")
