"""Answers the commands on subscriptions: `sub`, `unsub`, `edit`, `subs`, `test`, `why` and `export`."""

import html
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from bot.commands import dry_run
from bot.commands.answers import subscriptions as answers
from bot.commands.answers.subscriptions import CardReason, exported, page, reasons
from bot.commands.context import (
    ChangeResult,
    CommandContext,
    SubscriptionOwner,
    changed,
    hearing,
    may_change,
    owned,
    typed,
)
from bot.commands.parameters import read_duration
from bot.commands.request import Answer, CommandRequest
from bot.commands.servers import LookupServer, namesakes
from bot.errors import UserError
from bot.ids import RoomId, SubscriptionId
from bot.notices.digest import when
from bot.notices.floods import DEFAULT_LIMIT
from bot.notices.markup import Document, Line, words
from bot.patchwork.states import States
from bot.query.keys import Key
from bot.query.options import ARRIVALS, OnKind
from bot.query.parser import parse_subscription
from bot.query.query import Query
from bot.search import asked_for
from bot.store.store import Store, Transaction
from bot.store.subscription_book import PROJECT
from bot.subscriptions.digest_schedule import zone_named
from bot.subscriptions.lint import hints, state_doubts
from bot.subscriptions.registry import SubscriptionRegistry
from bot.subscriptions.subscription import (
    ChatSubscription,
    QueryContext,
    is_configured,
    listening,
    meant,
    names_project,
)

NO_CARD = "a new series gets no card from this; a matching change brings one."
_MOST_BYTES = 1_200  # of a query, so that an answer holds the new one and, for its undo, the old one
_LONGEST_TEST = timedelta(days=180)  # patches are kept no longer


class SubscriptionCommands:
    """The commands that make, end, change, list and test subscriptions."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def sub(self, request: CommandRequest) -> Answer:
        """Subscribe the room or person to a query."""
        await may_change(self._context, request)
        query, standing = await self._read(request)
        self._see_that_it_brings_something(meant(query, standing))
        remarks = await self._remarks(query, standing)

        async def change(tx: Transaction) -> ChangeResult:
            new = await subscribe(tx, request, self._context, query)
            known = [*await _next_digest(tx, new.room, query), *remarks]
            undo = typed(request, "unsub", new.id)
            return ChangeResult(
                answers.changed(f"Subscribed, as {new.id}:", new.query, known, undo), await hearing(tx, [new])
            )

        return await changed(self._context, request, change)

    async def unsub(self, request: CommandRequest) -> Answer:
        """End a subscription."""
        await may_change(self._context, request)

        async def change(tx: Transaction) -> ChangeResult:
            old = await owned(tx, request)
            await tx.subscriptions.remove(old.id)
            sentences = [f"Subscription {old.id} has ended."]
            return ChangeResult(
                answers.done(sentences, typed(request, "sub", old.query)), lambda all_: all_.forget(old.id)
            )

        return await changed(self._context, request, change)

    async def edit(self, request: CommandRequest) -> Answer:
        """Change the query of a subscription."""
        await may_change(self._context, request)
        query, standing = await self._read(request)
        self._see_that_it_brings_something(meant(query, standing))
        remarks = await self._remarks(query, standing)

        async def change(tx: Transaction) -> ChangeResult:
            old = await owned(tx, request)
            await _see_that_it_is_new(tx, request, query)
            await tx.subscriptions.edit(old.id, query)
            known = [*await _next_digest(tx, old.room, query), *remarks]
            document = answers.changed(
                f"Subscription {old.id} is now:", str(query), known, typed(request, "edit", old.id, old.query)
            )
            return ChangeResult(document, await _hearing_again(tx, old.id))

        return await changed(self._context, request, change)

    async def subs(self, request: CommandRequest) -> Answer:
        """Answer `subs` with the subscriptions of the room or person."""
        owner = SubscriptionOwner.of(request)
        async with self._context.store.transaction() as tx:
            chat = await tx.subscriptions.of_owner(owner.room, owner.person)
            muted_until = await tx.subscriptions.muted_until(owner.room)
            project = (await tx.subscriptions.settings(owner.room)).get(PROJECT)
        configured = [str(query) for query in self._context.from_file.queries_in(owner.room)]
        whose = "You have" if request.direct else "This room has"
        if not chat and not configured:
            example = typed(request, "sub", "path:drivers/net/")
            return Answer(answers.nothing_yet(f"{whose} no subscriptions. To begin, type for example:", example))
        count = len(chat) + len(configured)
        heading = f"{whose} {count} subscription{'' if count == 1 else 's'}:"
        remarks = [f"Those that name no project apply to {project}."] if project else []
        if muted_until is not None and muted_until > self._context.clock.now():
            remarks.append(f"All of them are muted here {answers.until(muted_until)}.")
        if configured:
            remarks.append("Those marked config: come from the bot's configuration file and are changed there.")
        items = answers.lines_of([each.as_of(self._context.clock.now()) for each in chat], configured)
        return Answer(
            page(
                items,
                int(request.call.arguments.get("from", 1)),
                lambda shown, more: answers.listed(heading, shown, more, remarks),
                lambda following: typed(request, "subs", following),
            )
        )

    async def test(self, request: CommandRequest) -> Answer:
        """Answer `test` with what a query would have matched; nothing is changed."""
        query, standing = await self._read(request)
        days = read_duration(request.call.arguments.get("duration", "7d"))
        if days is None or days > _LONGEST_TEST:
            raise UserError("That is not a duration of at most 180 days; try 7d, 2w or 12h.")
        since = self._context.clock.now() - days
        return await dry_run.rehearsed(self._context.past, self._context.places, meant(query, standing), since)

    async def _read(self, request: CommandRequest) -> tuple[Query, QueryContext]:
        """Parse the query that was typed; return it with the context in which it is read here.

        Raises:
            QueryError: it cannot be parsed, or would never match anything.
            UserError: it is too long.
        """
        standing = await standing_of(self._context.store, request)
        query = parse_subscription(request.call.arguments["query"], has_addresses=bool(standing.addresses))
        if len(html.escape(str(query)).encode()) > _MOST_BYTES:
            raise UserError(f"That query is too long for a chat: {_MOST_BYTES:,} bytes at most. Nothing was changed.")
        return query, standing

    def _see_that_it_brings_something(self, query: Query) -> None:
        """Check that the MAINTAINERS files that a *query* needs are configured.

        Raises:
            UserError: there is none; the text says how to add one.
        """
        if projects := self._context.without_file(query):
            named = ", ".join(projects)
            raise UserError(
                f"maint: needs a MAINTAINERS file, and the bot's configuration names none for {named}.\n"
                f'Its operator can add one: projects = [{{name = "{projects[0]}", maintainers = "path or address"}}]\n'
                "Nothing was changed."
            )

    async def _remarks(self, query: Query, standing: QueryContext) -> list[str]:
        """Return notes on a new query."""
        remarks = [await dry_run.expected(self._context.past, meant(query, standing), self._context.clock.now())]
        if standing.project and not names_project(query):
            remarks.insert(0, f"In {standing.project}, the project that is set here.")
        [doubts] = await self._context.doubts([meant(query, standing)])
        elsewhere = _watched_elsewhere(self._context.places, meant(query, standing))
        late = _late_comments(self._context.places, meant(query, standing))
        servers: dict[str, States] = {
            place.name: place.api.states for place in _asked(self._context.places, meant(query, standing))
        }
        told_of = (*state_doubts(query, servers), *hints(query))
        notes = [
            *elsewhere,
            *namesakes(self._context.places, meant(query, standing)),
            *late,
            *doubts,
            *(f"{hint}." for hint in told_of),
        ]
        notes += [NO_CARD] if ARRIVALS.isdisjoint(query.hears) else []
        return [*remarks, *(f"Note: {note}" for note in notes)]


def _asked(places: Sequence[LookupServer], query: Query) -> list[LookupServer]:
    """Return the servers that *query* applies to, as far as they have a project that it applies to."""
    servers, projects = asked_for(query.tree, Key.SERVER), asked_for(query.tree, Key.PROJECT)
    return [
        place
        for place in places
        if (servers is None or place.name.casefold() in servers) and (projects is None or any(map(place.has, projects)))
    ]


def _watched_elsewhere(places: Sequence[LookupServer], query: Query) -> Iterator[str]:
    """Yield a note if *query* applies to no watched project, with the projects that are watched."""
    if not _asked(places, query):
        watched = "; ".join(f"{place.name}: {', '.join(place.projects)}" for place in places)
        yield f"no watched project matches this query, so it will match nothing. The bot watches {watched}."


def _late_comments(places: Sequence[LookupServer], query: Query) -> Iterator[str]:
    """Yield a note if comments arrive late because servers of *query* raise no events for them."""
    late = [place for place in _asked(places, query) if place.looks_for_comments]
    if late and OnKind.COMMENT in query.options.on:
        spoken = " and ".join(f"{place.name} (API {place.api.version})" for place in late)
        yield (
            f"{spoken} {'does' if len(late) == 1 else 'do'} not announce comments. "
            "The bot looks for them 1, 2, 4, 8 and 16 hours after a change, then "
            "daily for 30 days, so they arrive late."
        )


async def standing_of(store: Store, request: CommandRequest) -> QueryContext:
    """Return the context for a query typed here: the room's project, and the person's addresses."""
    owner = SubscriptionOwner.of(request)
    async with store.transaction() as tx:
        addresses = await tx.subscriptions.addresses(owner.person) if owner.person else ()
        return QueryContext((await tx.subscriptions.settings(owner.room)).get(PROJECT, ""), addresses)


async def subscribe(
    tx: Transaction, request: CommandRequest, context: CommandContext, query: Query
) -> ChatSubscription:
    """Add a subscription for the owner that the request is about.

    Raises:
        UserError: the owner already has it, or has reached the limit.
    """
    owner = SubscriptionOwner.of(request)
    await _see_that_it_is_new(tx, request, query)
    most = context.most.per_room if owner.person is None else context.most.per_person
    if len(await tx.subscriptions.of_owner(owner.room, owner.person)) >= most:
        whose = "you have" if request.direct else "this room has"
        raise UserError(f"The limit is {most}, and {whose} that many. To see them, type: {typed(request, 'subs')}")
    return await tx.subscriptions.add(owner.room, owner.person, query, request.message.sender)


async def _see_that_it_is_new(tx: Transaction, request: CommandRequest, query: Query) -> None:
    owner = SubscriptionOwner.of(request)
    for each in await tx.subscriptions.of_owner(owner.room, owner.person):
        if each.query == str(query):
            raise UserError(f"That is already subscription {each.id}; nothing was changed.")


async def _next_digest(tx: Transaction, room: RoomId, query: Query) -> list[str]:
    """Return a sentence on when the digest of a query is due next, if it has one."""
    if query.options.digest is None:
        return []
    at = await tx.digests.next_at(room, query.options.digest)
    return [f"Next digest: {when(at, zone_named(await tx.subscriptions.timezone(room)))}."]


async def _hearing_again(tx: Transaction, id_: SubscriptionId) -> Callable[[SubscriptionRegistry], None]:
    found = await tx.subscriptions.get(id_)
    return await hearing(tx, [found] if found else [])


class WhyCommand:
    """The command `why`."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def why(self, request: CommandRequest) -> Answer:
        """Answer `why` with the subscriptions that brought the card that is replied to, or whose thread this is."""
        said = request.message
        async with self._context.store.transaction() as tx:
            for event in (said.replies_to, said.thread):
                found = await tx.cards.why(said.room, event) if event is not None else None
                if found:
                    return Answer(reasons("This card came because of:", await self._reasons(tx, found)))
        raise UserError(
            "Type that as a reply to a card, or in its thread: then I can tell which subscription brought it."
        )

    async def _reasons(self, tx: Transaction, why: Sequence[Sequence[str | int]]) -> list[CardReason]:
        """Return the reasons by subscription, those made in chat first."""
        by_id: dict[int, list[tuple[str, Sequence[str]]]] = {}
        for number, term, *seen in why:
            by_id.setdefault(int(number), []).append((str(term), [str(each) for each in seen]))
        found: list[CardReason] = []
        for number in sorted(by_id):
            id_ = SubscriptionId(number)
            if (query := self._context.from_file.query(id_)) is not None:
                found.append(CardReason("config", str(query), None, by_id[number]))
            elif is_configured(id_):
                found.append(CardReason("a subscription of the configuration file", "", None, by_id[number]))
            else:
                chat = await tx.subscriptions.get(id_)
                name = str(number) if chat else f"subscription {number}"
                found.append(CardReason(name, chat.query if chat else "", chat, by_id[number]))
        return found


class ExportCommand:
    """The command `export`."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def export(self, request: CommandRequest) -> Answer:
        """Answer `export` with the subscriptions as TOML, with the room's project and the addresses of `is:mine`."""
        owner = SubscriptionOwner.of(request)
        async with self._context.store.transaction() as tx:
            chat = await tx.subscriptions.of_owner(owner.room, owner.person)
            limit = await tx.floods.limit(owner.room)
            heard = [listening(each, await tx.subscriptions.context_of(each)) for each in chat]
        queries = [*self._context.from_file.queries_in(owner.room), *(each.query for each in heard if each is not None)]
        lines = [f"    {_quoted(str(query))}," for query in dict.fromkeys(queries)]
        start = int(request.call.arguments.get("from", 1))
        flood = [f"flood = {limit}"] if limit != DEFAULT_LIMIT else []
        head = ["[[room]]", f"room = {_quoted(owner.room)}", "subscribe = ["]

        def document(shown: Sequence[Line], more: tuple[Line, ...]) -> Document:
            texts = ["".join(inline.text for inline in each) for each in shown]
            ends = [] if more else ["]", *flood]
            return exported("\n".join([*(head if start == 1 else []), *texts, *ends]), more)

        return Answer(
            page([words(line) for line in lines], start, document, lambda next_: typed(request, "export", next_))
        )


def _quoted(text: str) -> str:
    """Return *text* as a basic TOML string, which differs from a JSON string in one character only."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
