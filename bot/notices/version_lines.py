"""What a card says of the versions before and after its series."""

from dataclasses import dataclass

from bot.ids import EventId, RoomId
from bot.notices.event_link import EventLink
from bot.notices.markup import Inline, Line, Link, words
from bot.patchwork.model import Series, is_partial_reroll, version_of
from bot.patchwork.range_diff import Comparison
from bot.patchwork.versions import days_between
from bot.text import cut

_MAX_PLACES = 60  # characters of a list of patches


@dataclass(frozen=True, slots=True)
class CardPlace:
    """The event of a card, and its room."""

    room: RoomId
    event: EventId


@dataclass(frozen=True, slots=True)
class FormerVersion:
    """The former version and the changes since; *card* is its card in the same room, if it has one."""

    series: Series
    compared: Comparison
    card: CardPlace | None = None


@dataclass(frozen=True, slots=True)
class NextVersion:
    """The next version; *card* is its card in the same room, if it has one."""

    series: Series
    card: CardPlace | None = None


def since_former(series: Series, former: FormerVersion, page: str) -> Line:
    """Return the line on the former version: "since v2 (4 days): 2 of 3 changed, 1 new"; *page* is its URL."""
    link = version_link(former.series, former.card, page)
    if is_partial_reroll(series):
        places = [f"{ref.number[0]}/{ref.number[1]}" for ref in series.patches if ref.number]
        return words("partial reroll of ", link, f": {cut(', '.join(places), _MAX_PLACES)}" if places else "")
    passed = passed_days(former.series, series)
    told = changes(former.compared)
    return words("since ", link, f"{passed}: {told}" if told else passed)


def version_link(series: Series, card: CardPlace | None, page: str) -> Inline:
    """Return a link to the card of a version, or to its *page*; plain text has the version alone."""
    name = str(version_of(series))
    return EventLink(name, card.room, card.event, spelled=False) if card else Link(name, page, spelled=False)


def passed_days(before: Series, after: Series) -> str:
    """Return the time between two versions: " (4 days)"; "" if it is unknown."""
    days = days_between(before, after)
    return "" if days is None else " (less than a day)" if days == 0 else f" ({_days(days)})"


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def changes(found: Comparison) -> str:
    """Return the changes between two versions in numbers of patches; "" if none could be compared."""
    total = found.unchanged + found.changed + found.new + found.unclear
    if not total + found.gone:
        return ""
    parts = [
        _changed(found.changed, total) if found.changed else "",
        f"{found.new} new" if found.new else "",
        f"{found.gone} dropped" if found.gone else "",
        f"{found.moved} moved" if found.moved else "",
        f"{found.reworded} reworded" if found.reworded else "",
        f"{found.unclear} not compared" if found.unclear else "",
    ]
    said = ", ".join(part for part in parts if part) or "no patch changed"
    return said if found.whole else f"{said} so far"


def _changed(count: int, total: int) -> str:
    if count == total:
        return "changed" if total == 1 else f"all {total} changed"
    return f"{count} of {total} changed"
