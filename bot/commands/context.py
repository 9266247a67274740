"""What every command about subscriptions needs: whose they are, who may change them, and changes that happen once.

Theory of operation. A change, its answer and the acknowledgement of the command are one transaction. So a crash before
it has changed nothing, and the command is carried out after the restart; after it, the command is answered and is not
carried out again, and what the answer says of the time before, the undo, was true when it was written. The index, which
is in memory only, follows once that is committed; after a crash it is made anew from the store. Changes of several
people wait for each other, so that the index follows them in the order in which they were committed.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.clock import Clock
from bot.commands.answer_inbox import notice
from bot.commands.answers.subscriptions import refused
from bot.commands.request import Answer, CommandRequest, Handler
from bot.commands.rights import RightsDecision, RoomRights
from bot.commands.servers import LookupServer
from bot.errors import UserError
from bot.ids import ProjectName, RoomId, SubscriptionId, UserId
from bot.notices.markup import Document
from bot.query.query import Query
from bot.search import PatchSearch
from bot.store.store import Store, Transaction
from bot.subscriptions.registry import SubscriptionRegistry
from bot.subscriptions.subscription import ChatSubscription, listening


@dataclass(frozen=True, slots=True)
class SubscriptionOwner:
    """Whose subscriptions a command is about: a person's, told in *room*, or the room's where *person* is None."""

    room: RoomId
    person: UserId | None

    @classmethod
    def of(cls, request: CommandRequest) -> "SubscriptionOwner":
        """Whoever asks, in a direct chat; else the room."""
        return cls(request.message.room, request.message.sender if request.direct else None)

    def owns(self, subscribed: ChatSubscription) -> bool:
        """Whether a subscription is theirs."""
        if self.person is None:
            return subscribed.person is None and subscribed.room == self.room
        return subscribed.person == self.person


@dataclass(frozen=True, slots=True)
class SubscriptionLimits:
    """How many subscriptions may be made in chat."""

    per_person: int
    per_room: int


@dataclass(frozen=True, slots=True)
class FileSubscriptions:
    """What the configuration file says: whether it names a room, and its subscriptions, by room and by id."""

    names: Callable[[RoomId], bool]
    queries_in: Callable[[RoomId], Sequence[Query]]
    query: Callable[[SubscriptionId], Query | None]


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What the commands about subscriptions work with; *places* are the watched servers.

    *doubts* says of queries what in them names a section or a path that nobody knows, *without_file* which projects a
    query for sections is about where none of them has a MAINTAINERS file.
    """

    store: Store
    listeners: SubscriptionRegistry
    house: RoomRights
    past: PatchSearch
    clock: Clock
    most: SubscriptionLimits
    from_file: FileSubscriptions
    places: Sequence[LookupServer]
    doubts: Callable[[Sequence[Query]], Awaitable[list[tuple[str, ...]]]]
    without_file: Callable[[Query], Sequence[ProjectName]]


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """What is answered to a change, and how the listeners follow it."""

    document: Document
    follow: Callable[[SubscriptionRegistry], None] = lambda _: None


async def changed(
    context: CommandContext, request: CommandRequest, change: Callable[[Transaction], Awaitable[ChangeResult]]
) -> Answer:
    """Make a *change*, once however often the command is read.

    Raises:
        UserError: it is not to be made; nothing was changed.
    """
    async with context.listeners.changing:
        try:
            async with context.store.transaction() as tx:
                made = await change(tx)
                answer = Answer(made.document)
                await tx.outbox.add([notice(request.message, answer)])
                await tx.inbox.answered(request.message)
        except UserError:
            raise
        except BaseException:
            context.listeners.doubt()  # it may be made though we do not hear so
            raise
        made.follow(context.listeners)
    return answer


async def may_change(context: CommandContext, request: CommandRequest) -> None:
    """See that whoever asks may change what is heard here: their own, in a direct chat; a room's with its power.

    Raises:
        UserError: they may not.
    """
    if request.direct:
        return
    verdict = await context.house.may_change(request.message.room, request.message.sender)
    if not verdict.allowed:
        raise UserError(_refusal(verdict))


def only_admins(context: CommandContext, request: CommandRequest) -> None:
    """See that an admin of the bot asks.

    Raises:
        UserError: somebody else does.
    """
    if not context.house.is_admin(request.message.sender):
        raise UserError("Only the bot's admins may do that.")


async def owned(tx: Transaction, request: CommandRequest) -> ChatSubscription:
    """The subscription whose id was typed.

    Raises:
        UserError: there is none of that id here.
    """
    number = int(request.call.arguments["id"])
    subscription = await tx.subscriptions.get(SubscriptionId(number))
    if subscription is None or not SubscriptionOwner.of(request).owns(subscription):
        whose = "You have" if request.direct else "This room has"
        raise UserError(f"{whose} no subscription {number}. To see them, type: {typed(request, 'subs')}")
    return subscription


async def hearing(tx: Transaction, which: Sequence[ChatSubscription]) -> Callable[[SubscriptionRegistry], None]:
    """What lets the listeners hear of subscriptions as they stand now."""
    heard = [listening(each, await tx.subscriptions.standing(each)) for each in which]

    def follow(listeners: SubscriptionRegistry) -> None:
        for each in heard:
            if each is not None:
                listeners.hear(each)

    return follow


def typed(request: CommandRequest, *parts: object) -> str:
    """A command as it is to be typed where this one was."""
    return " ".join(filter(None, [request.prefix, *map(str, parts)]))


def in_words(handler: Handler) -> Handler:
    """The *handler*, whose refusals are answers."""

    async def answered(request: CommandRequest) -> Answer:
        try:
            return await handler(request)
        except UserError as error:
            return Answer(refused(error), is_refusal=True)

    return answered


def _refusal(verdict: RightsDecision) -> str:
    return (
        f"Changing what this room hears needs power level {verdict.needed} here, and yours is {verdict.has}.\n"
        "Ask a moderator of the room, or subscribe for yourself in a direct chat with me."
    )
