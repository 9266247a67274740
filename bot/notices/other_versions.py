"""Lines of a card about the versions before and after it."""

from dataclasses import dataclass

from bot.ids import EventId, RoomId
from bot.notices.event_link import EventLink
from bot.notices.markup import Inline, Line, Link, cut, words
from bot.patchwork.model import Series
from bot.patchwork.versions import Comparison, days_between, is_partial_reroll, version_of


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


def follows(series: Series, former: FormerVersion, page: str) -> Line:
    """Return the line about the former version: "v6, 6 days after v5: 3 patches changed, 1 new"; *page* is its URL."""
    link = _link(former.series, former.card, page)
    if is_partial_reroll(series):
        places = [f"{ref.number[0]}/{ref.number[1]}" for ref in series.patches if ref.number]
        return words("partial reroll of ", link, f": {cut(', '.join(places), 200)}")
    days = days_between(former.series, series)
    passed = "" if days is None else ", less than a day" if days == 0 else f", {_days(days)}"
    changes = _changes(former.compared)
    return words(f"{version_of(series)}{passed} after ", link, f": {changes}" if changes else "")


def superseded_by(series: Series, successor: NextVersion, page: str) -> Line:
    """Return the line about the version after *series*; *page* is its URL."""
    days = days_between(series, successor.series)
    passed = f", {_days(days)} later" if days else ""
    return words("Superseded by ", _link(successor.series, successor.card, page), passed)


def superseded_remark(successor: NextVersion) -> str:
    """Return the remark about the next version for a title."""
    return f"superseded by {version_of(successor.series)}"


def _link(series: Series, card: CardPlace | None, page: str) -> Inline:
    name = str(version_of(series))
    return EventLink(name, card.room, card.event) if card else Link(name, page)


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _changes(found: Comparison) -> str:
    """Return the changes between two versions in numbers, with a noun in the first."""
    counts = ((found.changed, "changed"), (found.new, "new"), (found.gone, "gone"), (found.unclear, "not compared"))
    said = [(count, word) for count, word in counts if count]
    if not said:
        return _so_far("no patch changed", found) if found.unchanged else ""
    (count, word), *rest = said
    noun = "patch" if count == 1 else "patches"
    first = f"{count} {word} {noun}" if word == "new" else f"{count} {noun} {word}"
    return _so_far(", ".join([first, *(f"{count} {word}" for count, word in rest)]), found)


def _so_far(said: str, found: Comparison) -> str:
    return said if found.whole else f"{said} so far"
