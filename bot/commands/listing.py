"""Answers `subs` and `export`, the lists of a room's or person's subscriptions."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.commands.answers import subscriptions as answers
from bot.commands.answers.subscriptions import Arrivals, ListedSubscription, exported, page
from bot.commands.context import CommandContext, SubscriptionOwner, typed
from bot.commands.proposal import propose
from bot.commands.request import Answer, CommandRequest
from bot.commands.welcome import proposal_line
from bot.errors import QueryError
from bot.ids import SubscriptionId
from bot.notices.floods import DEFAULT_LIMIT
from bot.notices.markup import Code, Document, Line, Lines, words
from bot.query.options import ARRIVALS
from bot.query.parser import parse
from bot.query.query import Query, terms_of
from bot.query.values import IsFlag
from bot.store.store import Transaction
from bot.store.subscription_book import PROJECT
from bot.subscriptions.digest_schedule import zone_named
from bot.subscriptions.subscription import ChatSubscription, listening

LOOK_BACK = timedelta(weeks=4)
MOST_COUNTED = 2_000  # cards, and entries of digests
_Tally = dict[SubscriptionId, Arrivals]


class ListCommands:
    """The commands that list subscriptions."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def subs(self, request: CommandRequest) -> Answer:
        """Answer `subs` with the subscriptions of the room or person, what each brings, and how to change one."""
        owner, now = SubscriptionOwner.of(request), self._context.clock.now()
        async with self._context.store.reading() as tx:
            chat = [each.as_of(now) for each in await tx.subscriptions.of_owner(owner.room, owner.person)]
            muted_until = await tx.subscriptions.muted_until(owner.room)
            settings = await tx.subscriptions.settings(owner.room)
            zone = zone_named(await tx.subscriptions.timezone(owner.room))
            listed = await _with_arrivals(tx, chat, now)
        configured = [str(query) for query in self._context.from_file.queries_in(owner.room)]
        whose = "You have" if request.direct else "This room has"
        if not listed and not configured:
            return await self._none(request, whose)
        count = len(listed) + len(configured)
        muted = {answers.subscription_line(each, now, zone) for each in listed if each.subscribed.muted_until}
        items = [answers.subscription_line(each, now, zone) for each in listed]
        items = [each for each in items if each not in muted] + [*map(answers.configured_line, configured), *muted]
        is_muted = muted_until is not None and muted_until > now
        all_muted = answers.until(muted_until, now, zone) if muted_until is not None and is_muted else ""
        remarks = _remarks(request, chat, settings.get(PROJECT), all_muted)
        remarks += [words("Those marked config are in the bot's configuration file, and are changed there.")] * bool(
            configured
        )

        def document(shown: Sequence[Line], more: tuple[Line, ...]) -> Document:
            heading = f"{whose} {count} subscription{'' if count == 1 else 's'}"
            active = [each for each in shown if each not in muted]
            return answers.listed(heading, active, [each for each in shown if each in muted], more, remarks)

        start = int(request.call.arguments.get("from", 1))
        return Answer(page(items, start, document, lambda following: typed(request, "subs", following)))

    async def _none(self, request: CommandRequest, whose: str) -> Answer:
        """Return the answer of a chat without subscriptions, with a proposal if one is at hand."""
        if not request.direct and (proposal := await propose(self._context, request.message.room)) is not None:
            head = words(f"{whose} no subscriptions. A proposal:")
            return Answer((Lines((head, proposal_line(proposal, request.prefix))),))
        example = typed(request, "sub", "path:drivers/net/")
        return Answer(answers.nothing_yet(f"{whose} no subscriptions. To begin, type for example:", example))

    async def export(self, request: CommandRequest) -> Answer:
        """Answer `export` with the subscriptions as TOML, with the room's project and the addresses of `is:mine`."""
        owner = SubscriptionOwner.of(request)
        async with self._context.store.reading() as tx:
            chat = await tx.subscriptions.of_owner(owner.room, owner.person)
            limit = await tx.floods.limit(owner.room)
            heard = [listening(each, await tx.subscriptions.context_of(each)) for each in chat]
        queries = [*self._context.from_file.queries_in(owner.room), *(each.query for each in heard if each is not None)]
        if not queries:
            example = typed(request, "sub", "path:drivers/net/")
            return Answer(answers.nothing_yet("There is nothing to export yet. To begin, type for example:", example))
        lines = [_exported(query) for query in dict.fromkeys(queries)]
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


async def _with_arrivals(tx: Transaction, chat: Sequence[ChatSubscription], now: datetime) -> list[ListedSubscription]:
    """Return subscriptions with what each brought lately, and when its next digest is due."""
    tally = await _tally(tx, chat, now)
    found: list[ListedSubscription] = []
    for each in chat:
        query = _parsed(each)
        digest = query.options.digest if query else None
        due = await tx.digests.next_at(each.room, digest) if digest else None
        brings = query is None or not ARRIVALS.isdisjoint(query.news_kinds)
        is_queue = query is not None and query.is_queue
        found.append(ListedSubscription(each, tally[each.id], brings, due, is_queue=is_queue))
    return found


async def _tally(tx: Transaction, chat: Sequence[ChatSubscription], now: datetime) -> _Tally:
    """Return how much each subscription brought, by the reasons of the cards and digests of its room."""
    begin, rooms = now - LOOK_BACK, {each.room for each in chat}
    cards = [(*each, False) for each in await tx.cards.reasons_since(rooms, begin, MOST_COUNTED)] if chat else []
    digests = await tx.digests.reasons_since(rooms, begin, MOST_COUNTED) if chat else []
    ends = [rows[-1][0] for rows in (cards, digests) if len(rows) == MOST_COUNTED]
    found = {each.id: Arrivals(max(begin, each.added_at, *ends)) for each in chat}
    for stored, why, is_waiting in sorted([*cards, *digests], key=lambda row: row[0]):
        for id_ in {SubscriptionId(int(number)) for number, *_ in why}.intersection(found):
            before = found[id_]
            found[id_] = Arrivals(before.since, before.count + 1, stored, before.waiting + is_waiting)
    return found


def _parsed(subscribed: ChatSubscription) -> Query | None:
    try:
        return parse(subscribed.query)
    except QueryError:
        return None


def _remarks(request: CommandRequest, chat: Sequence[ChatSubscription], project: str | None, muted: str) -> list[Line]:
    """Return the lines below the list; *muted* says until when everything is muted, "" if it is not."""
    remarks = [words(f"⏸️ Everything here is muted {muted}.")] if muted else []
    if project:
        remarks.append(words(f"Those that name no project are about {project}."))
    if chat:
        first = chat[0].id
        examples = (("edit", first, "QUERY"), ("unsub", first), ("mute", first, "2h"))
        codes = [part for each in examples for part in (" · ", Code(typed(request, *each)))][1:]
        remarks.append(words("Change: ", *codes))
    return remarks


def _exported(query: Query) -> str:
    """Return a line of the configuration with a query; one that only a person could have is a comment."""
    if any(IsFlag.MINE in term.values for term in terms_of(query.tree)):
        return f"    # {query}  (is:mine needs an address: name it with from:)"
    return f"    {_quoted(str(query))},"


def _quoted(text: str) -> str:
    """Return *text* as a basic TOML string, which differs from a JSON string in one character only."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
