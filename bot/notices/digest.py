"""A digest: the submissions for a room since the last one, a line each, in a few messages at most."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.ids import ProjectName
from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks, patch_title, series_title
from bot.notices.fact_lines import SUPERSEDED, counted_words, sign_of
from bot.notices.markup import Allowed, Bullets, Document, Inline, Line, Lines, Link, Text, Title, fitting, words
from bot.patchwork.model import Patch, Series
from bot.patchwork.references import list_url
from bot.submission import SubmissionRef

MOST_MESSAGES = 3
MOST_LINES = 30  # of a message


@dataclass(frozen=True, slots=True)
class DigestLine:
    """A line of a digest: a series with the number of patches in each state, or a patch without a series.

    *is_pull* is true for a pull request, or a series with one. *earlier* are older versions that this one stands for.
    *idle_since* (UTC) is set if the line is about a stale submission. *successor* is the number of the next version, or
    0. *is_gone* is true if the server no longer has it; *is_moved*, if it was moved to another project. *ref* is what
    its number stands for.
    """

    site: ServerLinks
    what: Series | Patch
    states: Mapping[str, int] = field(default_factory=dict)
    earlier: tuple[int, ...] = ()
    idle_since: datetime | None = None
    is_pull: bool = False
    successor: int = 0
    is_gone: bool = False
    is_moved: bool = False
    ref: SubmissionRef | None = None


@dataclass(frozen=True, slots=True)
class DigestContent:
    """The content of a digest: its lines in order, the number of *unlisted* ones, and the time that it covers (UTC)."""

    listed: Sequence[DigestLine]
    unlisted: int
    since: datetime
    until: datetime
    zone: ZoneInfo


def digest(told: DigestContent) -> list[Document]:
    """Return the messages of a digest; the last one has the number of submissions that did not fit."""
    allowed = allowed_in(told.listed)
    several = len({(each.site.url, each.what.project) for each in told.listed}) > 1
    items = [_item(row, each, told.zone, with_project=several) for row, each in enumerate(told.listed, 1)]
    messages: list[Document] = []
    while items and len(messages) < MOST_MESSAGES:
        page = _Page(told, items, number=len(messages) + 1)
        count = max(1, fitting(page.with_, min(len(items), MOST_LINES), allowed))
        messages.append(page.with_(count))
        items = items[count:]
    return messages


def allowed_in(listed: Sequence[DigestLine]) -> Allowed:
    """Return the prefixes of a digest's links."""
    return Allowed(tuple(dict.fromkeys(prefix for each in listed for prefix in each.site.allowed.prefixes)))


def when(moment: datetime, zone: ZoneInfo, *, with_zone: bool = True) -> str:
    """Return a moment in a time zone: "Mon 2026-11-30 09:00 Europe/Berlin"."""
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M}" + (f" {zone}" if with_zone else "")


@dataclass(frozen=True, slots=True)
class _Page:
    """A message of a digest, with the items that are left."""

    told: DigestContent
    items: Sequence[Line]
    number: int

    def with_(self, count: int) -> Document:
        """Return the message with *count* items."""
        left = len(self.items) - count
        more = left + self.told.unlisted if left == 0 or self.number == MOST_MESSAGES else 0
        end = (Lines((_more(more, self.told.listed),)),) if more else ()
        return (self._title(), Bullets(tuple(self.items[:count])), *end)

    def _title(self) -> Title:
        if self.number > 1:
            return Title(f"Digest, part {self.number}", "")
        since, until = when(self.told.since, self.told.zone, with_zone=False), when(self.told.until, self.told.zone)
        return Title(f"Digest: {_counted(self.told)}, {since} to {until}", "")


def _counted(told: DigestContent) -> str:
    """Return the numbers of series, patches, pull requests and stale submissions."""
    kinds = Counter(_kind(each) for each in told.listed)
    kinds["series"] += told.unlisted
    counts = [
        f"{kinds['series']} series" if kinds["series"] else "",
        *(facts.counted(kinds[kind], kind) if kinds[kind] else "" for kind in ("patch", "pull request")),
        f"{kinds['stale']} stale" if kinds["stale"] else "",
    ]
    return ", ".join(count for count in counts if count)


def _kind(listed: DigestLine) -> str:
    if listed.idle_since is not None:
        return "stale"
    if listed.is_pull:
        return "pull request"
    return "series" if isinstance(listed.what, Series) else "patch"


def _item(row: int, listed: DigestLine, zone: ZoneInfo, *, with_project: bool) -> Line:
    what = listed.what
    title = series_title(what, listed.site) if isinstance(what, Series) else patch_title(what, listed.site)
    told = [
        *_earlier(listed),
        facts.submitter_name(what.submitter),
        *(["pull request"] if listed.is_pull else _patches(what)),
        f"moved to {what.project}" if listed.is_moved else what.project if with_project else "",
        "" if listed.is_gone else _states(listed),
        f"→ v{listed.successor}" if listed.successor and not listed.is_gone else "",
        "no longer on the server" if listed.is_gone else "",
        f"nothing since {when(listed.idle_since, zone, with_zone=False)}" if listed.idle_since else "",
    ]
    link = Link(title.text, "", spelled=False) if listed.is_gone else Link(title.text, title.url)
    return words(f"#{row} ", f"{_sign(listed)} " if _sign(listed) else "", link, f" · {facts.joined(told)}")


def _sign(listed: DigestLine) -> str:
    """Return the sign for the state; "" if it is not known, or of no interest any more."""
    if listed.is_gone:
        return ""
    if listed.successor:
        return SUPERSEDED
    states = list(Counter(listed.states).elements())
    return sign_of(states, listed.site.classes, is_pull=listed.is_pull) if states else ""


def _earlier(listed: DigestLine) -> Iterator[str]:
    """Yield the versions that came before the one listed."""
    if listed.earlier:
        yield f"after {', '.join(f'v{number}' for number in listed.earlier)}"


def _patches(what: Series | Patch) -> Iterator[str]:
    if isinstance(what, Patch):
        yield "1 patch"
        return
    total = max(what.total, len(what.patches))
    arrived = total if what.received_all else max(what.received_total, len(what.patches))
    counted = "1 patch" if total == 1 else f"{total} patches"
    yield counted if arrived >= total else f"{arrived} of {counted}"


def _states(listed: DigestLine) -> str:
    """Return the state in words, as on a card."""
    return "".join(each.text for each in counted_words(Counter(listed.states), listed.site.states))


def _more(count: int, listed: Sequence[DigestLine]) -> Line:
    """Return a line with the number of unlisted submissions, and links to them."""
    places: dict[tuple[str, ProjectName], None] = {(each.site.url, each.what.project): None for each in listed}
    links: list[Inline] = []
    for url, project in list(places)[:MOST_MESSAGES]:
        links += [Text(", ")] if links else []
        links.append(Link(project, list_url(url, project)))
    return words(f"… and {count} more, in ", *links)
