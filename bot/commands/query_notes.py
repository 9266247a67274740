"""Notes on a query for the person who typed it: names that do not exist, likely mistakes, and what brings it late."""

from collections.abc import Iterator, Sequence

from bot.commands.context import CommandContext
from bot.commands.servers import LookupServer, namesakes
from bot.patchwork.states import States
from bot.query.containment import covers
from bot.query.keys import Key
from bot.query.options import OnKind, OptionKind
from bot.query.query import Query, patterns_of, terms_of
from bot.search import asked_for
from bot.subscriptions.lint import hints, name_doubts, state_doubts, word_hints
from bot.subscriptions.subscription import ChatSubscription, QueryContext, listening, meant

_MOST = 5


async def query_notes(context: CommandContext, query: Query, standing: QueryContext) -> list[str]:
    """Return sentences on what a *query* names that does not exist, and on what is likely a mistake in it."""
    within = meant(query, standing)
    [doubts] = await context.doubts([within])
    asked = servers_of(context.places, within)
    states: dict[str, States] = {place.name: place.api.states for place in asked or context.places}
    notes = [
        *name_doubts(query, {place.name: place.projects for place in context.places}),
        *state_doubts(query, states),
        *doubts,
        *word_hints(query, _projects(context.places), await _directories(context, within)),
        *hints(query),
        *namesakes(context.places, within),
    ]
    return [note if note.endswith((".", "?")) else f"{note}." for note in dict.fromkeys(notes)][:_MOST]


def late_comments(places: Sequence[LookupServer], query: Query) -> Iterator[str]:
    """Yield a note if comments arrive late because servers of *query* raise no events for them."""
    late = [place for place in servers_of(places, query) if place.looks_for_comments]
    if late and OnKind.COMMENT in query.options.on:
        spoken = " and ".join(f"{place.name} (API {place.api.version})" for place in late)
        yield (
            f"{spoken} {'does' if len(late) == 1 else 'do'} not announce comments. "
            "The bot looks for them 1, 2, 4, 8 and 16 hours after a change, then "
            "daily for 30 days, so they arrive late."
        )


def overlaps(
    query: Query, standing: QueryContext, others: Sequence[tuple[ChatSubscription, QueryContext]], unsub: str
) -> list[str]:
    """Return sentences on the subscriptions of a room that contain *query*, or that it contains.

    *unsub* is the command that ends a subscription, up to its id.
    """
    within, found = meant(query, standing), list[str]()
    for subscribed, context in others:
        other = listening(subscribed, context)
        if other is None or query.options.digest != other.query.options.digest:
            continue  # one may be in a digest and the other not, so each brings something
        if query.is_queue != other.query.is_queue:
            continue
        name = f"subscription {subscribed.id} ({subscribed.query})"
        if covers(other.query, within):
            more = [str(kind) for kind in OnKind if kind in query.news_kinds - other.query.news_kinds]
            adds = f"; this adds {OptionKind.ON}:{','.join(more)}." if more else ", and each series is posted once."
            found.append(f"{name} posts all of these series already{adds}")
        elif covers(within, other.query) and other.query.news_kinds <= query.news_kinds:
            found.append(f"this includes {name}, which you may end: {unsub} {subscribed.id}")
    return found[:_MOST]


def servers_of(places: Sequence[LookupServer], query: Query) -> list[LookupServer]:
    """Return the servers that *query* applies to, as far as they have a project that it applies to."""
    servers, projects = asked_for(query.tree, Key.SERVER), asked_for(query.tree, Key.PROJECT)
    return [
        place
        for place in places
        if (servers is None or place.name.casefold() in servers) and (projects is None or any(map(place.has, projects)))
    ]


def _projects(places: Sequence[LookupServer]) -> list[str]:
    return list(dict.fromkeys(project for place in places for project in place.projects))


async def _directories(context: CommandContext, query: Query) -> set[str]:
    """Return the known top directories, if *query* has a word without a key that may be meant for one."""
    if not any(term.key is Key.SUBJECT for term in terms_of(query.tree)) or patterns_of(query.tree):
        return set()
    return await context.top_directories()
