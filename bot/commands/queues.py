"""Answers `queue`: the open submissions of a room or person, by whose turn it is, with the reason."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.commands.answers.patch import said
from bot.commands.context import CommandContext, typed
from bot.commands.request import Answer, CommandRequest
from bot.commands.servers import every_site
from bot.commands.submission_refs import newest_version
from bot.commands.subscribing import standing_of
from bot.errors import UserError
from bot.ids import RoomId
from bot.notices.digest import MOST_LINES
from bot.notices.queue import QueueContent, QueueEntry, queue_pages
from bot.query.keys import Key
from bot.query.parser import parse
from bot.query.query import Node, Term, all_of, terms_of
from bot.query.values import IsFlag, Turn, ValueMistake
from bot.review_queue import QueueRow, QueueScope
from bot.submission import SubmissionRef
from bot.subscriptions.subscription import QueryContext, meant

MOST_PAGES: Final = 100
MOST_NUMBERED: Final = 500  # rows of a queue, of which the others have no number
_PAGE = re.compile(r"(?:^|(?<=\s))(?:page\s*|p)?([1-9][0-9]{0,2})\Z", re.IGNORECASE)
_MINE = frozenset({"mine", "me", "my", "my own", "my patches", "my series"})
_USE_IS_OLD = timedelta(days=1)  # after which it is written again that a queue is in use


@dataclass(frozen=True, slots=True)
class QueuePage:
    """A page of a queue with its *title*; *more* returns the command for another page, None if there is none."""

    title: str
    number: int = 1
    more: Callable[[int], str] | None = None


async def queue_answer(context: CommandContext, rows: Sequence[QueueRow], page: QueuePage) -> Answer | None:
    """Return a page of *rows*; None if they have fewer pages."""
    places = {place.name: place for place in context.places}
    needed = rows[: page.number * MOST_LINES]
    items = await context.queue.contents([row.ref for row in needed])
    entries = [
        QueueEntry(places[row.ref.server].site(item.submission.project), row.ref, item.submission, item.verdict)
        for row in needed
        if (item := items.get(row.ref)) is not None
    ]
    counts = Counter(row.turn for row in rows)
    content = QueueContent(entries, counts, context.clock.now(), more=page.more, title=page.title)
    pages = await asyncio.to_thread(queue_pages, content, page.number)
    if len(pages) < page.number:
        return None
    return Answer(pages[-1], every_site(context.places), listed=tuple(row.ref for row in rows[:MOST_NUMBERED]))


class QueueCommand:
    """The command `queue`."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._queue = context.queue
        self._servers = [place.name for place in context.places]

    async def queue(self, request: CommandRequest) -> Answer:
        """Answer `queue` with a page of what is open here."""
        text, page = _split(request.call.arguments.get("query", ""))
        if page > MOST_PAGES:
            narrower = typed(request, "queue", text or "path:drivers/net/")
            raise UserError(f"Pages go up to {MOST_PAGES}. Ask for a part of the queue, for example: {narrower}")
        standing = await standing_of(self._context.store, request)
        query = _query(request, text, standing)
        scope = await self._scope(request, standing, query)
        await self._note_use(request)
        rows = await self._queue.rows(scope)
        if not rows:
            return Answer(said(*self._nothing(request, scope, query)))
        asked = QueuePage("Queue", page, lambda following: typed(request, "queue", text, following))
        answer = await queue_answer(self._context, rows, asked)
        if answer is None:
            raise UserError(
                f"That is page {page} of a shorter queue. From its beginning: {typed(request, 'queue', text)}"
            )
        return answer

    async def _scope(self, request: CommandRequest, standing: QueryContext, query: Node | None) -> QueueScope:
        """Return what the queue of this chat lists; a *query* decides alone where nothing else does."""
        followed, snoozed = await self._followed(request), await self._snoozed(request)
        if not request.direct:
            subscriptions = self._context.listeners.in_room(request.message.room)
            trees = tuple(dict.fromkeys(each.query.tree for each in subscriptions))
        else:
            configured = self._context.from_file.queries_in(request.message.room)  # as in the demo's room
            trees = (*await self._own(request, standing), *(each.tree for each in configured))
        if not trees and not followed and query is not None:
            return QueueScope((query,), snoozed=snoozed)
        return QueueScope(trees, query, followed, snoozed)

    async def _followed(self, request: CommandRequest) -> frozenset[SubmissionRef]:
        """Return the newest versions of what a person follows; in a room, nothing is followed."""
        if not request.direct:
            return frozenset()
        async with self._context.store.reading() as tx:
            follows = [each.about for each in await tx.follows.of(request.message.sender)]
            return frozenset([await newest_version(tx, about) for about in follows])

    async def _snoozed(self, request: CommandRequest) -> frozenset[SubmissionRef]:
        async with self._context.store.reading() as tx:
            return frozenset(await tx.snoozes.refs(request.message.room))

    async def _own(self, request: CommandRequest, standing: QueryContext) -> tuple[Node, ...]:
        """Return what a person sent, and what is delegated to the person's account or addresses."""
        person, addresses = request.message.sender, standing.addresses
        trees: list[Node] = [Term(Key.FROM, addresses)] if addresses else []
        async with self._context.store.reading() as tx:
            tokens = {server: await tx.tokens.get(person, server) for server in self._servers}
        for server, token in tokens.items():
            names = (*([token.account] if token and token.account else []), *addresses)
            if names:
                trees.append(all_of([Term(Key.SERVER, (server,)), Term(Key.DELEGATE, names)]))
        return tuple(trees)

    async def _note_use(self, request: CommandRequest) -> None:
        """Note that the queue of a room is in use, so that comments on what it lists are read."""
        room: RoomId = request.message.room
        queues, now = self._context.listeners.queues, self._context.clock.now()
        if request.direct or (room in queues and now - queues[room] < _USE_IS_OLD):
            return
        async with self._context.store.transaction() as tx:
            await tx.queues.use(room)
        queues[room] = now

    def _nothing(self, request: CommandRequest, scope: QueueScope, query: Node | None) -> list[str]:
        """Return why a queue is empty, and what to type."""
        if scope.trees or scope.followed:
            elsewhere = f"In all projects: {typed(request, 'find', query, _any_turn(query))}" if query else ""
            return [
                "Nothing is open here that matches that." if query else "Nothing is open here.",
                *filter(None, [elsewhere]),
                *([f"What is snoozed here: {typed(request, 'snooze')}"] if scope.snoozed else []),
            ]
        if request.direct:
            return [
                "I do not know which patches are yours.",
                f"Tell me your addresses: {typed(request, 'me', 'ada@example.org')}",
                "What is delegated to you is in your queue once you gave me a token of yours: help token",
            ]
        return [
            "This room has no subscriptions, so its queue is empty.",
            f"To begin: {typed(request, 'sub', 'path:drivers/net/')}",
            f"To look once: {typed(request, 'queue', 'path:drivers/net/')}",
        ]


def _split(text: str) -> tuple[str, int]:
    """Return what was typed without the number of the page at its end, and that number; 1 without any."""
    bare = text.strip()
    page = _PAGE.search(bare)
    return (bare[: page.start()].strip(), int(page[1])) if page else (bare, 1)


def _query(request: CommandRequest, text: str, standing: QueryContext) -> Node | None:
    """Return what was asked for, which may be the name of a section; None if it was nothing.

    Raises:
        QueryError: it cannot be parsed.
        UserError: it is about a person's own patches, and not in a direct chat.
    """
    if not text or (text.lower() in _MINE and request.direct):
        return None
    try:
        return Term(Key.TURN, (Key.TURN.spec.read(text),))
    except ValueMistake:
        query = parse("is:mine" if text.lower() in _MINE else text)
    if not standing.addresses and any(IsFlag.MINE in term.values for term in terms_of(query.tree)):
        way = "name your addresses with “me”" if request.direct else "ask me in a direct chat"
        raise UserError(f"For your own patches, {way}.")
    return meant(query, standing).tree


def _any_turn(query: Node | None) -> str:
    """Return the term that makes a search look at all that is open, unless *query* has it."""
    has_turn = query is not None and any(term.key is Key.TURN for term in terms_of(query))
    return "" if has_turn else f"{Key.TURN}:{','.join(Turn)}"
