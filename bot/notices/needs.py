"""What a submission needs, in one line: "needs: TITLE v3 (Accepted), TITLE (New) and 2 more". Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.notices.fact_lines import counted_words, named
from bot.notices.markup import Code, Inline, Line, Link, words
from bot.patchwork.model import Dependency, DependencyKind, Patch, Series, Version, bare_subject, version_of
from bot.patchwork.references import patch_url, series_url
from bot.patchwork.states import States
from bot.text import columns, cut, cut_to_columns

MAX_SHOWN: Final = 3
_MAX_REFERENCE: Final = 60  # characters


@dataclass(frozen=True, slots=True)
class Need:
    """A series or a patch that is needed, with the numbers of its patches by state; just the *reference* if unknown."""

    reference: Dependency
    series: Series | None = None
    patch: Patch | None = None
    states: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """The first `MAX_SHOWN` submissions that one needs, and how many more it names; None: too many to count."""

    first: tuple[Need, ...] = ()
    more: int | None = 0


NO_NEEDS: Final = Needs()


@dataclass(frozen=True, slots=True)
class NeedLinks:
    """The form of links to what is needed: the *url* of its server, and whether patches are named by message-id."""

    url: str
    by_msgid: bool
    states: States


@dataclass(frozen=True, slots=True)
class _Room:
    """How much a line has room for: *letters* of a title, and whether each state is counted, or only the first."""

    letters: int
    with_counts: bool


_ROOMS: Final = (
    *(_Room(letters, with_counts=True) for letters in (60, 45, 30)),
    *(_Room(letters, with_counts=False) for letters in (30, 20, 10)),
)


def needs_line(needs: Needs, links: NeedLinks, most_columns: int) -> Line:
    """Return the line on what is needed, empty if nothing is; as long titles as fit into *most_columns*."""
    if not needs.first:
        return ()
    line: Line = ()
    for count in range(len(needs.first), 0, -1):
        for room in _ROOMS:
            line = _line(needs.first[:count], _rest(needs, count), links, room)
            if columns("".join(each.text for each in line)) <= most_columns:
                return line
    return line


def _rest(needs: Needs, count: int) -> str:
    """Return how many are not shown if the first *count* are; "" if none."""
    if needs.more is None:
        return " and many more"
    rest = len(needs.first) - count + needs.more
    return f" and {rest} more" if rest else ""


def _line(needs: Sequence[Need], rest: str, links: NeedLinks, room: _Room) -> Line:
    pieces: list[str | Inline] = ["needs: "]
    for place, need in enumerate(needs):
        pieces += [", "] if place else []
        pieces += _named(need, links, room)
    return words(*pieces, *([rest] if rest else []))


def _named(need: Need, links: NeedLinks, room: _Room) -> list[str | Inline]:
    state = _state(need, links.states, room)
    if need.series is not None:
        series, version = need.series, version_of(need.series)
        title = named(bare_subject(series.cover_name or series.name), f"series {series.id}")
        suffix = f" {version}" if version > Version(1) else ""
        url = series_url(links.url, series.project, series.id)
    elif need.patch is not None:
        title, suffix = named(bare_subject(need.patch.name), f"patch {need.patch.id}"), ""
        url = patch_url(links.url, need.patch, by_msgid=links.by_msgid)
    else:
        return _unknown(need.reference)
    return [Link(f"{cut_to_columns(title, room.letters)}{suffix}", url, spelled=False), f" ({state})" if state else ""]


def _state(need: Need, states: States, room: _Room) -> str:
    counts = Counter(dict(need.states))
    if not room.with_counts and len(counts) > 1:
        first, count = counts.most_common(1)[0]
        return cut(f"{states.name(first)} {count} of {counts.total()}", 40)
    return "".join(piece.text for piece in counted_words(counts, states))


def _unknown(reference: Dependency) -> list[str | Inline]:
    """Return a reference to what is not known, of which nobody can say more; as code, so that no client links it."""
    where: list[str | Inline] = [" of ", Code(cut(reference.host, _MAX_REFERENCE))] if reference.host else []
    if reference.kind is DependencyKind.MAIL:
        return [Code(cut(reference.id, _MAX_REFERENCE))]
    return [f"{reference.kind} {reference.id}", *where]
