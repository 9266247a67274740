"""Decides when many series become one message instead of a card each, and composes that message. Pure.

Theory of operation. The first series beyond the limit opens a flood in its room; series of the last minute whose cards
were not tried yet join it. It continues while more arrive, so that an import that is read over many polls is one flood;
it ends after a minute without a new series in which the server was polled, or after a quarter of an hour. Then its line
is posted, with the series in its thread. If that takes longer, the line is posted after two minutes and edited at the
end.

A series that is in such a list and matches again because of a change (`on:state`, a `state:` that becomes true) counts
as one that has no card yet: a few of them get a card each, more than the limit are another flood, with its own list.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from itertools import pairwise

from bot.ids import NoticeKey, ProjectName, RoomId, ServerName
from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks
from bot.notices.markup import Allowed, Bullets, Document, Line, Lines, Link, Title, is_whole, lines, words, written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag, edit_key
from bot.patchwork.model import Patch, Series, patch_subject, series_subject
from bot.patchwork.references import list_url
from bot.text import cut

DEFAULT_LIMIT = 10  # series at once that still get a card each
QUIET = timedelta(seconds=60)
LONG_QUIET = timedelta(minutes=2)  # where the server is asked so seldom
LONGEST = timedelta(minutes=15)
LINE_AFTER = timedelta(minutes=2)
MAX_LISTED = 400
MAX_IN_A_REPLY = 25
_MAX_NAMED = 3  # submitters
_MAX_PROJECTS = 5
_MAX_TITLE = 150


class Cause(StrEnum):
    """The reason why several series share one message."""

    AT_ONCE = "at once"
    CHANGED = "changed"  # they were known, and changed in a way that was asked for
    KEPT = "kept"  # while the room did not let us speak


@dataclass(frozen=True, slots=True)
class Flood:
    """An open flood in a room; times are UTC.

    *key* is that of its line, *is_posted* is true once that is; *server* is that of the *last* series. *before* is
    the number of cards sent just before it.
    """

    room: RoomId
    key: NoticeKey
    server: ServerName
    opened: datetime
    last: datetime
    before: int = 0
    is_posted: bool = False
    cause: Cause = Cause.AT_ONCE

    def is_over(self, now: datetime, polled_at: datetime | None) -> bool:
        """Return whether the flood has ended; *polled_at* is the server's last successful poll.

        Times are compared as distances, so a clock that was set back cannot make a flood endless.
        """
        quiet = abs(now - self.last)
        asked_since = polled_at is not None and polled_at > self.last
        return quiet >= LONG_QUIET or (quiet >= QUIET and asked_since) or abs(now - self.opened) >= LONGEST

    def is_line_due(self, now: datetime) -> bool:
        """Return whether the line of the flood should be posted before its end."""
        return not self.is_posted and abs(now - self.opened) >= LINE_AFTER

    def next_due(self, now: datetime, polled_at: datetime | None) -> datetime:
        """Return when its line or its list is due, if no other series joins it; *now* if it is due already."""
        if self.is_over(now, polled_at) or self.is_line_due(now):
            return now
        moments = [self.last + LONG_QUIET, self.opened + LONGEST]
        if polled_at is not None and polled_at > self.last:
            moments.append(self.last + QUIET)
        if not self.is_posted:
            moments.append(self.opened + LINE_AFTER)
        return min(moments)


class FloodDecision(Enum):
    """The form in which the series of a room are posted."""

    CARDS = "a card each"
    FLOOD = "together one message"


def flood_decision(limit: int, wanted: int, recent: int, flood: Flood | None) -> FloodDecision:
    """Return the form in which *wanted* series of one poll are posted, after *recent* cards of the last minute.

    *limit* is how many at once get a card each, 0 for any number. *flood* is the open flood in the room; None if there
    is none.
    """
    if limit == 0 or (flood is None and wanted + recent <= limit):
        return FloodDecision.CARDS
    return FloodDecision.FLOOD


@dataclass(frozen=True, slots=True)
class FloodEntry:
    """A series or patch of a list; *what* is None if it is no longer known.

    *is_pull* is true for a pull request, or a series with one.
    """

    server: ServerName
    number: int
    what: Series | Patch | None
    is_pull: bool = False


@dataclass(frozen=True, slots=True)
class ListContext:
    """The room of a list, and the form of its links: *sites* by server."""

    room: RoomId
    rings: bool
    sites: "AllServerLinks"


class AllServerLinks:
    """The forms of links to all servers."""

    def __init__(self, sites: Mapping[ServerName, ServerLinks]) -> None:
        self._sites = sites

    def of(self, server: ServerName) -> ServerLinks | None:
        """Return the form of links to *server*; None if it is no longer watched."""
        return self._sites.get(server)

    @property
    def allowed(self) -> Allowed:
        """The prefixes of links to all servers."""
        return Allowed(tuple(prefix for site in self._sites.values() for prefix in site.allowed.prefixes))


def flood_key(room: RoomId, opened: datetime) -> NoticeKey:
    """Return the key of the line of the flood that was *opened* (UTC) in *room*."""
    return NoticeKey(f"flood/{opened:%Y-%m-%dT%H:%M:%S.%f}/{room}")


def list_key(line: NoticeKey, number: int) -> NoticeKey:
    """Return the key of a reply in the thread of a *line*; the first is number 1."""
    return NoticeKey(f"list/{number}/{line}")


def flood_so_far(flood: Flood, gathered: Sequence[FloodEntry], room: ListContext) -> list[Notice]:
    """Return the line of an open flood, without a thread."""
    title = _title(f"{_how_many(flood, gathered)} so far", gathered, room.sites)
    told = lines([_projects(gathered), words("More may come; all of them will be listed in the thread.")])
    return [_line(flood.key, NoticeKind.FLOOD, (title, told), gathered, room)]


def flood_notices(flood: Flood, gathered: Sequence[FloodEntry], room: ListContext) -> list[Notice]:
    """Return the line of a flood that has ended, as an edit if it was posted before, and its thread."""
    title = _title(_how_many(flood, gathered), gathered, room.sites)
    told = lines([*summary(gathered, room.sites), words(_listed(gathered))])
    line = _line(flood.key, NoticeKind.FLOOD, (title, told), gathered, room)
    if flood.is_posted:
        tag = replace(line.message.tag, key=edit_key(flood.key, 1))
        line = Notice(room.room, Lane.EDIT, replace(line.message, tag=tag), of=flood.key)
    return [line, *thread(flood.key, gathered, room)]


def line_notices(
    key: NoticeKey, kind: NoticeKind, first: Line, gathered: Sequence[FloodEntry], room: ListContext
) -> list[Notice]:
    """Return the *first* line about many series with a summary, and the thread that lists them."""
    said = lines([first, *summary(gathered, room.sites), words(_listed(gathered))])
    return [_line(key, kind, (said,), gathered, room), *thread(key, gathered, room)]


def summary(gathered: Sequence[FloodEntry], sites: AllServerLinks) -> list[Line]:
    """Return a summary of many series: their projects, their submitters, the first and the last."""
    if not gathered:
        return []
    ends = [words("first: ", _link(gathered[0], sites)), words("last: ", _link(gathered[-1], sites))]
    return [_projects(gathered), _submitters(gathered), *(ends if len(gathered) > 1 else [])]


def thread(key: NoticeKey, gathered: Sequence[FloodEntry], room: ListContext) -> list[Notice]:
    """Return the replies that list the series in the thread of the line with *key*."""
    shown = gathered[:MAX_LISTED]
    items = [_item(each, room.sites) for each in shown]
    allowed = room.sites.allowed
    starts = [0]
    while starts[-1] < len(items):
        starts.append(starts[-1] + _fitting(items[starts[-1] : starts[-1] + MAX_IN_A_REPLY], allowed))
    more = len(gathered) - len(shown)
    notices: list[Notice] = []
    for number, (start, end) in enumerate(pairwise(starts), start=1):
        rest = (words(f"and {more} more"),) if more and end == len(items) else ()
        document: Document = (_heading(start, end, len(gathered)), Bullets(tuple(items[start:end])), Lines(rest))
        tag = replace(_tag(key, NoticeKind.REPLY, gathered[start:end]), key=list_key(key, number))
        message = Message(*written(tuple(piece for piece in document if piece != Lines(())), allowed), tag)
        notices.append(Notice(room.room, Lane.REPLY, message, of=key))
    return notices


def _fitting(items: Sequence[Line], allowed: Allowed) -> int:
    """Return how many of *items* fit into one message uncut, at least 1."""
    sizes = range(1, len(items) + 1)
    tail = Lines((words("and 1000000 more"),))

    def too_many(count: int) -> bool:
        return not is_whole((_heading(0, 10_000, 100_000), Bullets(tuple(items[:count])), tail), allowed)

    return max(1, bisect_left(sizes, 1, key=too_many))


def _heading(start: int, end: int, total: int) -> Lines:
    return Lines((words(f"{start + 1} to {end} of {total}" if end - start > 1 else f"{end} of {total}"),))


def _how_many(flood: Flood, gathered: Sequence[FloodEntry]) -> str:
    count = len(gathered)
    if flood.cause is Cause.KEPT:
        return f"{count} series that came while the bot could not speak here"
    what = "series changed at once" if flood.cause is Cause.CHANGED else "series at once"
    if flood.before:
        return f"{count} more {what}, after {facts.counted(flood.before, 'card')}"
    return f"{count} {what}"


def _listed(gathered: Sequence[FloodEntry]) -> str:
    if len(gathered) > MAX_LISTED:
        return f"The first {MAX_LISTED} are listed in the thread; none has a card."
    return "They are listed in the thread; none has a card." if len(gathered) > 1 else "It is listed in the thread."


def _line(
    key: NoticeKey, kind: NoticeKind, document: Document, gathered: Sequence[FloodEntry], room: ListContext
) -> Notice:
    message = Message(*written(document, room.sites.allowed), _tag(key, kind, gathered), rings=room.rings)
    return Notice(room.room, Lane.CARD, message)


def _tag(key: NoticeKey, kind: NoticeKind, gathered: Sequence[FloodEntry]) -> Tag:
    """Return the tag of a list, with the server and the project if there is only one."""
    servers = {each.server for each in gathered}
    projects = {each.what.project for each in gathered if each.what}
    server = servers.pop() if len(servers) == 1 else None
    return Tag(kind, key, server=server, project=projects.pop() if server and len(projects) == 1 else None)


def _title(text: str, gathered: Sequence[FloodEntry], sites: AllServerLinks) -> Title:
    """Return *text* as a title, linked to the list of the project if there is only one."""
    tag = _tag(NoticeKey(""), NoticeKind.FLOOD, gathered)
    site = sites.of(tag.server) if tag.server else None
    return Title(text, list_url(site.url, tag.project) if site and tag.project else "")


def _projects(gathered: Sequence[FloodEntry]) -> Line:
    counts = Counter((each.server, each.what.project) for each in gathered if each.what)
    if len(counts) == 1:
        return words(next(f"{cut(project, 100)} on {server}" for server, project in counts))
    several = len({server for server, _ in counts}) > 1

    def named(server: ServerName, project: ProjectName) -> str:
        return f"{cut(project, 100)} on {server}" if several else cut(project, 100)

    most = counts.most_common(_MAX_PROJECTS)
    rest = len(counts) - len(most)
    told = ", ".join(f"{named(*where)} {count}" for where, count in most)
    return words(f"{told} and {rest} more projects" if rest else told) if told else ()


def _submitters(gathered: Sequence[FloodEntry]) -> Line:
    counts = Counter(facts.submitter_name(each.what.submitter) for each in gathered if each.what)
    most = counts.most_common(_MAX_NAMED)
    rest = len(counts) - len(most)
    told = ", ".join(f"{name} {count}" if len(counts) > 1 else name for name, count in most)
    return words(f"from {told}" + (f" and {facts.counted(rest, 'other')}" if rest else "")) if told else ()


def _item(gathered: FloodEntry, sites: AllServerLinks) -> Line:
    what = gathered.what
    if what is None:
        return words(f"series {gathered.number}")
    total = max(what.total, what.received_total) if isinstance(what, Series) else 1
    size = facts.PULL_REQUEST if gathered.is_pull else facts.counted(total, "patch")
    return words(_link(gathered, sites), f" · {facts.joined([facts.submitter_name(what.submitter), size])}")


def _subject(what: Series | Patch) -> str:
    return patch_subject(what) if isinstance(what, Patch) else series_subject(what)


def _link(gathered: FloodEntry, sites: AllServerLinks) -> Link:
    what, site = gathered.what, sites.of(gathered.server)
    kind = "patch" if isinstance(what, Patch) else "series"
    name = cut(facts.named(_subject(what) if what else "", f"{kind} {gathered.number}"), _MAX_TITLE)
    if what is None or site is None:
        return Link(name, "", spelled=False)
    return Link(name, site.patch(what) if isinstance(what, Patch) else site.series(what), spelled=False)
