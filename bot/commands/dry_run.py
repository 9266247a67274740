"""Estimates how much a query would bring, from past patches."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.commands.answers.search import SearchMatch, known_since, rehearsed_shown
from bot.commands.request import Answer
from bot.commands.servers import LookupServer, namesakes
from bot.errors import UserError
from bot.notices.card import ServerLinks
from bot.notices.fact_lines import moment
from bot.query.facts import FactName
from bot.query.query import Query, facts_in
from bot.search import PatchSearch, SearchHits, unanswerable

LOOK_BACK = timedelta(weeks=4)
MOST_COUNTED = 1_000  # series
NEWEST_SHOWN = 3
_TOO_SHORT = timedelta(days=1)


async def expected(past: PatchSearch, query: Query, now: datetime) -> str:
    """Return a sentence with the number of series per week that *query* would have matched lately."""
    if _is_about_now(query) and unanswerable(query.tree) is None:
        return "Each digest lists what is stale at that time."
    try:
        matches = await past.matches(query, now - LOOK_BACK, MOST_COUNTED)
    except UserError as error:
        return f"How much that brings, the past does not tell: {error}"
    begin = _begin(matches, now)
    if begin is None or now - begin < _TOO_SHORT:
        known = ", ".join(f"{each.project} is known since {moment(each.since)}" for each in matches.known_since)
        return f"How much that brings is not known yet{known and f': {known}'}."
    if not matches.found:
        return f"Nothing like it came since {moment(begin)}."
    a_week = len(matches.found) * (timedelta(weeks=1) / (now - begin))
    often = f"About {a_week:,.0f} a week" if a_week >= 1 else "Less than one a week"
    return f"{often}, by what came since {moment(begin)}."


async def rehearsed(past: PatchSearch, places: Sequence[LookupServer], query: Query, since: datetime) -> Answer:
    """Return what *query* would have matched since the given time (UTC).

    Raises:
        UserError: the stored patches cannot answer this query.
    """
    if _is_about_now(query):
        raise UserError("stale: is about how things stand now, and not about what came: ask find for it.")
    matches = await past.matches(query, since, MOST_COUNTED)
    known = [(each.server, each.project, each.since) for each in matches.known_since]
    lines = [known_since(known) if known else "No project that this query covers has been read yet."]
    lines += namesakes(places, query)
    if matches.back_to is not None or len(matches.found) >= MOST_COUNTED:
        lines.insert(0, "There were more matches than counted here.")
    by_name = {place.name: place for place in places}
    newest = [
        SearchMatch(
            by_name[match.server].site(match.patch.project),
            match.patch,
            match.series,
            is_pull=bool(match.patch.pull_url),
        )
        for match in matches.found[:NEWEST_SHOWN]
    ]
    urls = [place.api.url for place in places]
    site = ServerLinks(urls[0], others=tuple(urls[1:])) if urls else None
    return Answer(rehearsed_shown(str(query.tree), _by_day(matches), newest, *lines), site)


def _is_about_now(query: Query) -> bool:
    return FactName.IDLE in facts_in(query.tree)


def _by_day(matches: SearchHits) -> list[tuple[str, int]]:
    """Return the number of series on each day (UTC), the newest day first."""
    days = Counter(f"{match.read_at:%Y-%m-%d}" for match in matches.found)
    return sorted(days.items(), reverse=True)


def _begin(matches: SearchHits, now: datetime) -> datetime | None:
    """Return the beginning of the searched period (UTC), or None if nothing is known."""
    if not matches.known_since:
        return None
    if len(matches.found) >= MOST_COUNTED:
        return matches.found[-1].read_at
    known = min(each.since for each in matches.known_since)
    return max(known, now - LOOK_BACK, *([matches.back_to] if matches.back_to else []))
