"""Estimates how much a query would bring, from past patches."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.commands.answers.search import SearchMatch, known_since, rehearsed_shown
from bot.commands.request import Answer
from bot.commands.servers import LookupServer
from bot.errors import UserError
from bot.notices.card import ServerLinks
from bot.query.durations import in_words
from bot.query.facts import FactName
from bot.query.query import Query, facts_in
from bot.search import PatchSearch, SearchHits, unanswerable

LOOK_BACK = timedelta(weeks=4)
MOST_COUNTED = 1_000  # series
NEWEST_SHOWN = 3
_TOO_SHORT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WeeklyRate:
    """How many series a week a query would have matched since *begin* (UTC)."""

    a_week: float
    begin: datetime


async def weekly_rate(past: PatchSearch, query: Query, now: datetime) -> WeeklyRate | None:
    """Return how many series a week *query* would have matched lately; None if less than a day is known.

    Raises:
        UserError: the stored patches cannot answer this query.
    """
    matches = await past.matches(query, now - LOOK_BACK, MOST_COUNTED)
    begin = _begin(matches, now)
    if begin is None or now - begin < _TOO_SHORT:
        return None
    return WeeklyRate(len(matches.found) * (timedelta(weeks=1) / (now - begin)), begin)


async def expected(past: PatchSearch, query: Query, now: datetime) -> str:
    """Return a sentence with the number of series per week that *query* would have matched lately."""
    if _is_about_now(query) and unanswerable(query.tree) is None:
        return "Each digest lists what is stale at that time."
    try:
        rate = await weekly_rate(past, query, now)
    except UserError as error:
        return f"I cannot say how much this brings. {error}"
    if rate is None:
        return "I have not watched long enough to say how much this brings."
    if not rate.a_week:
        return f"Nothing has matched since {rate.begin:%Y-%m-%d}."
    often = f"About {rate.a_week:,.0f} series a week" if rate.a_week >= 1 else "Less than one series a week"
    return f"{often}, counted since {rate.begin:%Y-%m-%d}."


@dataclass(frozen=True, slots=True)
class TestedPeriod:
    """The time that `test` looks back on: its beginning (UTC), and its length as it was asked for."""

    since: datetime
    length: timedelta


async def rehearsed(past: PatchSearch, places: Sequence[LookupServer], query: Query, period: TestedPeriod) -> Answer:
    """Return what *query* would have matched in a period.

    Raises:
        UserError: the stored patches cannot answer this query.
    """
    if _is_about_now(query):
        raise UserError("test looks at what arrived; for what is stale now, use find with the same query.")
    matches = await past.matches(query, period.since, MOST_COUNTED)
    known = [(each.server, each.project, each.since) for each in matches.known_since]
    lines = [known_since(known) if known else "No project that this query covers has been read yet."]
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
    return Answer(rehearsed_shown(str(query.tree), in_words(period.length), _by_day(matches), newest, *lines), site)


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
