"""Composes the answers to searches among past patches. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.ids import ProjectName, ServerName
from bot.notices import fact_lines as facts
from bot.notices.card import MAX_NAME, ServerLinks, patch_name
from bot.notices.markup import Bullets, Code, Document, Line, Link, Strong, lines, words
from bot.patchwork.model import Patch, Series
from bot.patchwork.states import States
from bot.text import cut

MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class SearchMatch:
    """A series with the number of its patches in each state, or a patch without a series.

    *is_pull* is true for pull requests, and for series that contain one.
    """

    site: ServerLinks
    patch: Patch
    series: Series | None = None
    states: Mapping[str, int] = field(default_factory=dict)
    is_pull: bool = False


@dataclass(frozen=True, slots=True)
class SearchedRange:
    """The extent of a search: how many patches of which projects, known since when (UTC).

    *back_to* is where the search ended early (UTC), or None.
    """

    patches: int
    known_since: Sequence[tuple[ServerName, ProjectName, datetime]]
    back_to: datetime | None = None


def found_shown(query: str, found: Sequence[SearchMatch], looked_at: SearchedRange, *remarks: str) -> Document:
    """Return the newest matches of a query, at most MOST_SHOWN, and the range that was searched."""
    many = len(looked_at.known_since) > 1
    told = [*map(words, remarks), *(words(sentence) for sentence in _past(looked_at))]
    return (
        lines([words(f"{_count(len(found))} ", Code(cut(query, 300)))]),
        Bullets(tuple(_match(match, f"#{row} ", with_project=many) for row, match in enumerate(found, 1))),
        lines(told),
    )


def rehearsed_shown(
    query: str, period: str, per_day: Sequence[tuple[str, int]], newest: Sequence[SearchMatch], *told: str
) -> Document:
    """Return how many series a query would have matched each day of a *period*, and the newest of them."""
    count = sum(number for _, number in per_day)
    head = words(Strong(f"{count} series" if count else "Nothing"), f" in {period} for ", Code(cut(query, 300)))
    days = words("By day: ", facts.joined(f"{day}: {number}" for day, number in per_day)) if per_day else ()
    bullets = Bullets(tuple(_match(match, "", with_project=True) for match in newest))
    return (lines([head, days]), bullets, lines([words(sentence) for sentence in told]))


def known_since(known: Sequence[tuple[ServerName, ProjectName, datetime]]) -> str:
    """Return a sentence that lists since when each project is known."""
    listed = (f"{project} ({server}) since {facts.moment(since)}" for server, project, since in known)
    return f"Watched: {', '.join(listed)}."


def _count(found: int) -> str:
    if not found:
        return "Nothing matches"
    if found < MOST_SHOWN:
        return f"{found} {'match' if found == 1 else 'matches'} for"
    return f"The newest {found} matches for"


def _match(match: SearchMatch, row: str, *, with_project: bool) -> Line:
    patch, series = match.patch, match.series
    if series is None:
        link = Link(patch_name(patch), match.site.patch(patch))
        submitter, date, states = patch.submitter, patch.date, Counter([patch.state] if patch.state else [])
    else:
        link = Link(cut(facts.named(series.name, f"series {series.id}"), MAX_NAME), match.site.series(series))
        submitter, date, states = series.submitter, series.date, Counter(match.states)
    version = f"v{series.version}" if series and series.version > 1 else ""
    project = patch.project if with_project else ""
    pull = facts.PULL_REQUEST if match.is_pull else ""
    told = [version, facts.submitter_name(submitter), pull, date[:10], project, *_states(states, match.site.states)]
    return words(row, link, f" · {facts.joined(told)}")


def _states(counts: Mapping[str, int], states: States) -> list[str]:
    """Return the state that all patches have, or how many are in each."""
    names = {facts.state_name(slug, states) for slug in counts}
    return list(names) if len(names) == 1 else facts.counted_states(counts, states)


def _past(looked_at: SearchedRange) -> list[str]:
    if not looked_at.known_since:
        return ["No watched project matches this query, or none has been read yet."]
    sentences: list[str] = []
    if looked_at.back_to is not None:
        back_to = facts.moment(looked_at.back_to)
        searched = f"Searched the newest {looked_at.patches:,} patches, back to {back_to}"
        sentences.append(f"{searched}; older ones may match, too.")
    return [*sentences, known_since(looked_at.known_since)]
