"""Shared parts of the commands on subscriptions: owners, permissions, and changes that happen exactly once.

Theory of operation. A change, its answer and the acknowledgement of the command are one transaction. If the bot crashes
before the commit, nothing has changed, and the command runs again after the restart. If it crashes after the commit,
the command has been answered and does not run again, and the undo command in the answer reflects the state at that
moment. The index exists only in memory, and is updated after the commit; after a crash it is rebuilt from the store.
Changes are made one at a time, which keeps the index in the order of the commits.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.clock import Clock
from bot.commands.answer_notices import notice
from bot.commands.answers.subscriptions import refused
from bot.commands.grammar import FOR_ADMINS_ONLY
from bot.commands.request import Answer, AnswerSubject, CommandRequest, Handler
from bot.commands.rights import RightsDecision, RoomRights
from bot.commands.servers import LookupServer
from bot.errors import QueryError, UserError
from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId, UserId
from bot.notices.card import ServerLinks
from bot.notices.markup import Document
from bot.query.maintainers.maintainers import Maintainers
from bot.query.parser import parse
from bot.query.query import Query
from bot.review_queue import ReviewQueue
from bot.search import PatchSearch
from bot.store.store import Store, Transaction
from bot.subscriptions.registry import SubscriptionRegistry
from bot.subscriptions.subscription import ChatSubscription, listening
from bot.text import one_line

_SEVERAL = re.compile(r"all(?: of (?:them|it))?|everything|#?\d+(?:[\s,]+(?:and\s+)?#?\d+)+", re.IGNORECASE)
_MOST_LISTED = 10  # subscriptions that may have been meant


@dataclass(frozen=True, slots=True)
class SubscriptionOwner:
    """The owner of subscriptions: a person who gets them in *room*, or the room itself if *person* is None."""

    room: RoomId
    person: UserId | None

    @classmethod
    def of(cls, request: CommandRequest) -> "SubscriptionOwner":
        """Return the owner that a command is about: the sender in a direct chat, and otherwise the room."""
        return cls(request.message.room, request.message.sender if request.direct else None)

    def owns(self, subscribed: ChatSubscription) -> bool:
        """Return whether a subscription belongs to this owner."""
        if self.person is None:
            return subscribed.person is None and subscribed.room == self.room
        return subscribed.person == self.person


@dataclass(frozen=True, slots=True)
class SubscriptionLimits:
    """The maximum number of subscriptions made in chat."""

    per_person: int
    per_room: int


@dataclass(frozen=True, slots=True)
class FileSubscriptions:
    """Read access to the configuration file's rooms and subscriptions, by room and by id."""

    names: Callable[[RoomId], bool]
    queries_in: Callable[[RoomId], Sequence[Query]]
    query: Callable[[SubscriptionId], Query | None]


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The dependencies of the commands on subscriptions; *places* are the watched servers.

    *doubts* returns, for each query, sentences about unknown sections and paths in it. *without_file* returns the
    projects that a `maint:` query applies to, if none of them has a MAINTAINERS file. *files* returns the file of a
    project. *can_draw* is false if charts should be pictures, but what draws them is not installed.
    """

    store: Store
    listeners: SubscriptionRegistry
    room_rights: RoomRights
    past: PatchSearch
    queue: ReviewQueue
    clock: Clock
    most: SubscriptionLimits
    from_file: FileSubscriptions
    places: Sequence[LookupServer]
    doubts: Callable[[Sequence[Query]], Awaitable[list[tuple[str, ...]]]]
    without_file: Callable[[Query], Sequence[ProjectName]]
    files: Callable[[ServerName, ProjectName], Maintainers | None] = lambda _server, _project: None
    can_draw: bool = True

    async def seen_paths(self) -> dict[tuple[ServerName, ProjectName], set[str]]:
        """Return the paths that patches of each watched project touched, as far as they are stored."""
        found: dict[tuple[ServerName, ProjectName], set[str]] = {}
        for place in self.places:
            for project in map(ProjectName, place.projects):
                async with self.store.reading() as tx:
                    found[place.name, project] = await tx.watch.seen_paths(place.name, project)
        return found

    async def top_directories(self) -> set[str]:
        """Return the directories at the top of the watched projects' trees, as far as patches touched them."""
        seen = await self.seen_paths()
        return {path.partition("/")[0] for paths in seen.values() for path in paths if "/" in path}


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """The answer to a change, and how the index of subscriptions follows it."""

    document: Document
    follow: Callable[[SubscriptionRegistry], None] = lambda _: None


async def changed(
    context: CommandContext,
    request: CommandRequest,
    change: Callable[[Transaction], Awaitable[ChangeResult]],
    site: ServerLinks | None = None,
    about: AnswerSubject | None = None,
) -> Answer:
    """Make a *change* exactly once, even if the command is read more than once.

    *site* has the servers that the answer may link to, *about* is its subject.

    Raises:
        UserError: the change was refused; nothing was changed.
    """
    async with context.listeners.changing:
        try:
            async with context.store.transaction() as tx:
                made = await change(tx)
                answer = Answer(made.document, site, about)
                await tx.outbox.add([notice(request.message, answer)])
                await tx.inbox.answered(request.message)
        except UserError:
            raise
        except BaseException:
            context.listeners.doubt()  # the commit may have succeeded even though it raised
            raise
        made.follow(context.listeners)
    return answer


async def may_change(context: CommandContext, request: CommandRequest) -> None:
    """Check that the sender may change the subscriptions here: their own in a direct chat, a room's by power level.

    Raises:
        UserError: the sender may not.
    """
    if request.direct:
        return
    verdict = await context.room_rights.may_change(request.message.room, request.message.sender)
    if not verdict.allowed:
        raise UserError(_refusal(verdict))


def only_admins(context: CommandContext, request: CommandRequest) -> None:
    """Check that the sender is an admin of the bot.

    Raises:
        UserError: the sender is not.
    """
    if not context.room_rights.is_admin(request.message.sender):
        raise UserError(FOR_ADMINS_ONLY)


async def owned(tx: Transaction, request: CommandRequest) -> ChatSubscription:
    """Return the subscription whose id or query was typed.

    Raises:
        UserError: the owner has no such subscription, or none was named; the text lists those that there are.
    """
    owner, arguments = SubscriptionOwner.of(request), request.call.arguments
    own = await tx.subscriptions.of_owner(owner.room, owner.person)
    whose = "You have" if request.direct else "This room has"
    if (number := arguments.get("id")) is not None:
        found = [each for each in own if each.id == int(number)]
        missing = f"{whose} no subscription {int(number)}."
    elif (query := arguments.get("query")) is not None and request.call.command.verb != "edit":
        if _SEVERAL.fullmatch(query):
            first = f", for example: {typed(request, 'unsub', str(own[0].id))}" if own else ""
            pause = f"To pause all of them instead: {typed(request, 'mute')}"
            raise UserError(f"Subscriptions end one at a time{first}\n{pause}")
        canonical = _canonical(query)
        found = [each for each in own if each.query == canonical or query.strip() == each.query]
        missing = f"{whose} no subscription to “{one_line(query, 100)}”."
    else:
        found, missing = [], "Which one?" if own else f"{whose} no subscriptions."
    if found:
        return found[0]
    listed = [f"{each.id}: {one_line(each.query, 100)}" for each in own[:_MOST_LISTED]]
    rest = len(own) - len(listed)
    more = [f"… and {rest} more: {typed(request, 'subs')}"] if rest else []
    instead = [f"Type for example: {typed(request, request.call.command.verb, own[0].id)}"] if own else []
    raise UserError("\n".join([missing, *listed, *more, *instead]))


def _canonical(text: str) -> str:
    try:
        return str(parse(text))
    except QueryError:
        return text


async def hearing(tx: Transaction, which: Sequence[ChatSubscription]) -> Callable[[SubscriptionRegistry], None]:
    """Return a function that updates the index with the current state of these subscriptions."""
    heard = [listening(each, await tx.subscriptions.context_of(each)) for each in which]

    def follow(listeners: SubscriptionRegistry) -> None:
        for each in heard:
            if each is not None:
                listeners.add(each)

    return follow


def typed(request: CommandRequest, *parts: object) -> str:
    """Return a command as it must be typed in the chat of this request."""
    return " ".join(filter(None, [request.prefix, *map(str, parts)]))


def in_words(handler: Handler) -> Handler:
    """Return a *handler* that answers with the text of each UserError instead of raising it."""

    async def answered(request: CommandRequest) -> Answer:
        try:
            return await handler(request)
        except UserError as error:
            return Answer(refused(error), is_refusal=True)

    return answered


def _refusal(verdict: RightsDecision) -> str:
    return (
        f"Only moderators may change what is posted here (power level {verdict.needed}; yours is {verdict.has}).\n"
        "Ask one of them, or subscribe for yourself: write to me in a direct chat."
    )
