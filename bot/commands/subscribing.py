"""Answers the commands that change subscriptions or try one: `sub`, `unsub`, `edit` and `test`."""

import html
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from bot.commands import dry_run
from bot.commands.answers import subscriptions as answers
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
from bot.commands.dry_run import TestedPeriod
from bot.commands.query_notes import late_comments, overlaps, query_notes, servers_of
from bot.commands.request import Answer, CommandRequest
from bot.errors import UserError
from bot.ids import RoomId, SubscriptionId
from bot.notices.digest import when
from bot.notices.markup import Code, Lines, words
from bot.query.durations import read_duration
from bot.query.options import ARRIVALS
from bot.query.parser import parse, parse_subscription
from bot.query.query import Query
from bot.store.store import Store, Transaction
from bot.store.subscription_book import PROJECT
from bot.subscriptions.digest_schedule import zone_named
from bot.subscriptions.registry import SubscriptionRegistry
from bot.subscriptions.subscription import (
    ChatSubscription,
    QueryContext,
    meant,
    names_project,
)

NO_CARD = "this posts no new series, only such changes, with a card where there is none yet."
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
        remarks = await self._remarks(request, query, standing)

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
        if "query" not in request.call.arguments:
            raise UserError(await self._current(request))
        query, standing = await self._read(request)
        self._see_that_it_brings_something(meant(query, standing))
        remarks = await self._remarks(request, query, standing)

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

    async def _current(self, request: CommandRequest) -> str:
        """Return the answer to an `edit` without a query: the present one, and what to type."""
        async with self._context.store.reading() as tx:
            old = await owned(tx, request)
        again = typed(request, "edit", old.id, old.query)
        return f"Subscription {old.id} is: {old.query}\nType the whole new query, for example: {again}"

    async def test(self, request: CommandRequest) -> Answer:
        """Answer `test` with what a query would have matched; nothing is changed."""
        standing = await standing_of(self._context.store, request)
        query = parse(request.call.arguments["query"])
        days = read_duration(request.call.arguments.get("duration", "7d"))
        if days is None or days > _LONGEST_TEST:
            raise UserError("test looks back 180 days at most; try 7d, 2w or 12h.")
        self._see_that_it_brings_something(meant(query, standing))
        notes = await query_notes(self._context, query, standing)
        period = TestedPeriod(self._context.clock.now() - days, days)
        answer = await dry_run.rehearsed(self._context.past, self._context.places, meant(query, standing), period)
        lines = [*(words(f"Note: {note}") for note in notes), words("Subscribe: ", Code(typed(request, "sub", query)))]
        return replace(answer, document=(*answer.document, Lines(tuple(lines))))

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
                f"maint: needs a MAINTAINERS file, and the bot's configuration has none for {named}.\n"
                f'Its operator can add one: projects = [{{name = "{projects[0]}", maintainers = "path or URL"}}]\n'
                "Until then, name directories: path:drivers/net/"
            )

    async def _remarks(self, request: CommandRequest, query: Query, standing: QueryContext) -> list[str]:
        """Return how much a new query brings, and notes on it."""
        within, now = meant(query, standing), self._context.clock.now()
        brings_series = not ARRIVALS.isdisjoint(query.news_kinds) and servers_of(self._context.places, within)
        remarks = [await dry_run.expected(self._context.past, within, now)] if brings_series else []
        if standing.project and not names_project(query):
            remarks.insert(0, f"In {standing.project}, the project that is set here.")
        notes = [
            *await query_notes(self._context, query, standing),
            *late_comments(self._context.places, within),
            *overlaps(query, standing, await self._others(request), typed(request, "unsub")),
        ]
        notes += [NO_CARD] if ARRIVALS.isdisjoint(query.news_kinds) and not query.is_queue else []
        return [*remarks, *(f"Note: {note}" for note in notes)]

    async def _others(self, request: CommandRequest) -> list[tuple[ChatSubscription, QueryContext]]:
        """Return the other subscriptions that post in the same place, without the one that is edited."""
        owner, edited = SubscriptionOwner.of(request), request.call.arguments.get("id")
        async with self._context.store.reading() as tx:
            own = await tx.subscriptions.of_owner(owner.room, owner.person)
            return [(each, await tx.subscriptions.context_of(each)) for each in own if str(each.id) != edited]


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
