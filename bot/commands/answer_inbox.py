"""Answers the commands in the inbox; each answer and its acknowledgement are one transaction.

Theory of operation. Commands of different people run concurrently, those of one person one after the other. Of all
waiting commands, the oldest of each sender starts before the second one of any sender. A command starts when its sender
has no other running, and counts against the rate limits at that moment. The bot answers the commands in `QUICK`
from its own data, four at a time. All others may wait for a Patchwork server, the homeserver or a long search, so they
take none of these four places. They are limited by what they wait for: the number of concurrent requests to a server
(`patchwork/request_turns.py`), and a single search at a time (`search.py`). A server that does not respond therefore
delays only the people who ask about it.

Messages that are not meant for the bot, or exceed a limit, are acknowledged without an answer, all of them at once.
Those with a link to a patch take their turn like commands (`unfurling.py`), but nothing is said if they exceed a limit.
If the database fails while a message is being answered, only its sender has to wait. Commands that were running when
the process ended are still in the inbox, and start again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from bot import metrics
from bot.clock import Clock
from bot.commands import grammar
from bot.commands.answer_notices import is_long, notice, reaction
from bot.commands.answers.patch import said
from bot.commands.command_table import FOR_ADMINS, QUICK, find
from bot.commands.limits import RateLimits
from bot.commands.phrases import Courtesy
from bot.commands.request import Answer, CommandRequest, Handler, WelcomeHandler
from bot.commands.room_traffic import RoomTraffic
from bot.commands.unfurling import Unfurler
from bot.errors import StoreError
from bot.ids import NoticeKey, RoomId, UserId
from bot.notices.markup import Allowed, written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag
from bot.store.inbox_book import ARRIVAL, InboxMessage
from bot.store.store import Store
from bot.submission import SubmissionRef

ANSWER_SECONDS = 60
QUICK_AT_ONCE = 4
MOST_WAITING = 100  # commands that wait for something else than the bot at the same time; what comes on top is refused
MOST_BEGUN = 200  # commands under way
PUT_OFF_SECONDS = 5.0  # after the database failed a command
BUSY = "The bot is busy. Please try again in a minute."
TOO_MANY = "⏳"
FOLLOW = "follow"  # the command that a reaction means
LEAKED = (
    "A word of that looks like an API token, so I did nothing with it, and did not keep it. If it is one, make a new "
    "one on your profile page there. To look for a commit, name a key before it, for example: find subject:1a2b3c"
)
_SHOWN = 100  # characters of a command, in the log
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """The settings of commands: their prefix, the direct chats in which it may be omitted, and the rate limits.

    *user* is the bot's id, which is accepted instead of the prefix. The set *direct* changes while the bot runs.
    Commands for admins are suggested only to those whom *is_admin* accepts.
    """

    prefix: str
    user: UserId
    direct: AbstractSet[RoomId]
    per_user_per_minute: int
    per_room_per_minute: int
    is_admin: Callable[[UserId], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class UnaskedAnswers:
    """What is said without a command: the welcome, and lines about pasted links; None for what never is."""

    welcome: WelcomeHandler | None = None
    unfurler: Unfurler | None = None


class Answerer:
    """Answers messages of different people concurrently, and each person's messages in order."""

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        settings: AnswerSettings,
        clock: Clock,
        unasked: UnaskedAnswers | None = None,
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._settings = settings
        self._clock = clock
        self._welcome = unasked.welcome if unasked else None
        self._unfurler = unasked.unfurler if unasked else None
        self._traffic = RoomTraffic()
        self._limits = RateLimits(settings.per_user_per_minute, settings.per_room_per_minute)
        self._full_rooms: AbstractSet[RoomId] = frozenset()
        self._wake = asyncio.Event()
        self._quick = asyncio.Semaphore(QUICK_AT_ONCE)
        self._waiting = 0  # commands that wait for something else than the bot
        self._busy: set[UserId] = set()  # whose command is under way
        self._put_off: dict[UserId, float] = {}  # until when (monotonic), since the database failed their command
        self._failure: Exception | None = None  # the last one that put somebody off
        store.on_write({"inbox"}, self._wake.set)

    async def run(self) -> None:
        """Answer messages until cancelled."""
        while True:
            await self.answer_all()
            await self._wake.wait()

    async def answer_all(self) -> None:
        """Answer all messages in the inbox, including those that arrive in the meantime.

        Raises:
            StoreError: the database failed; the next call answers the messages that are left.
        """
        self._busy.clear()
        self._put_off.clear()
        self._failure = None
        try:
            async with asyncio.TaskGroup() as group:
                while await self._begin(group):
                    await self._wake.wait()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        if self._failure is not None:
            raise self._failure

    async def _begin(self, group: asyncio.TaskGroup) -> bool:
        """Start the commands that may start now, and return whether any are running; each wakes the loop at its end."""
        self._wake.clear()
        while len(self._busy) < MOST_BEGUN and (waiting := await self._unanswered()):
            await self._turn(waiting, group)
        return bool(self._busy)

    async def _unanswered(self) -> list[InboxMessage]:
        """Return the waiting messages of senders who have no command running.

        This also applies the rate limits to people and rooms with too many unsent answers.
        """
        now = self._clock.monotonic()
        others = {sender for sender, until in self._put_off.items() if until > now}
        async with self._store.reading() as tx:
            waiting = await tx.inbox.unanswered(without=self._busy | others)
            if waiting:
                unsent = await tx.outbox.unsent_answers()
                self._full_rooms = self._limits.hold_back(unsent.people, unsent.rooms, now)
        return waiting

    async def _turn(self, waiting: Sequence[InboxMessage], group: asyncio.TaskGroup) -> None:
        """Start the first message of each sender, and acknowledge all that get no answer."""
        now = self._clock.monotonic()
        first: dict[UserId, InboxMessage] = {}
        for_others: list[InboxMessage] = []
        over: list[InboxMessage] = []
        for message in waiting:
            if self._is_allowed(message, now) and (self._text(message) is not None or self._has_links(message)):
                first.setdefault(message.sender, message)
            elif self._text(message) is None:
                for_others.append(message)
            else:
                over.append(message)
        for message in (*for_others, *over):
            self._count(message, now)
        if for_others or over:
            await self._pass_over(for_others, over, now)
        for message in first.values():
            self._begin_if_allowed(message, group)

    def _text(self, message: InboxMessage) -> str | None:
        """Return the command in a message, or None if the message is not meant for the bot."""
        settings = self._settings
        if message.event == ARRIVAL:
            return "" if self._welcome is not None else None
        if message.reaction:
            return FOLLOW
        return grammar.addressed(message.body, settings.prefix, settings.user, direct=self._is_direct(message))

    def _has_links(self, message: InboxMessage) -> bool:
        """Return whether a message that is not meant for the bot has links that may be answered."""
        return self._unfurler is not None and self._unfurler.has_links(message)

    def _count(self, message: InboxMessage, now: float) -> None:
        """Count a message that is dropped, or whose turn it is, among those of its room."""
        if message.event == ARRIVAL or message.reaction:
            return
        if self._text(message) is None:
            self._traffic.count(message.room, message.sender, now)
        if self._unfurler is not None:
            self._unfurler.count(message)

    def _is_allowed(self, message: InboxMessage, now: float) -> bool:
        """Return whether a message may be answered; the welcome always may, and counts for nobody."""
        return message.event == ARRIVAL or self._limits.allow(message.sender, message.room, now)

    def _is_direct(self, message: InboxMessage) -> bool:
        return message.room in self._settings.direct

    async def _pass_over(self, for_others: Sequence[InboxMessage], over: Sequence[InboxMessage], now: float) -> None:
        """Remove messages that get no answer; the first one over a limit in each window gets a reaction.

        A room with too many unsent answers gets no reaction, which would only add to them. None of these messages are
        stored: those *for_others* do not concern the bot, and there may be any number over a limit.
        """
        metrics.COMMANDS.labels("", "limited").inc(len(over))
        shown = [message for message in over if message.room not in self._full_rooms and not message.reaction]
        first = [message for message in shown if self._limits.is_first_over(message.sender, message.room, now)]
        async with self._store.transaction() as tx:
            await tx.outbox.add([reaction(message, TOO_MANY) for message in first])
            for message in (*for_others, *over):
                await tx.inbox.drop(message)

    def _begin_if_allowed(self, message: InboxMessage, group: asyncio.TaskGroup) -> None:
        """Start a command unless others in this turn used up the room's limit; the next turn then rejects it."""
        now = self._clock.monotonic()
        if self._is_allowed(message, now):
            if message.event != ARRIVAL:
                self._limits.count(message.sender, message.room, now)
            self._busy.add(message.sender)
            group.create_task(self._answered(message))

    async def _answered(self, message: InboxMessage) -> None:
        """Answer one message, and keep an error in it from ending the answers that run beside it."""
        is_command = self._text(message) is not None
        try:
            if is_command:
                await self._write(message, await self._written(message))
            else:
                await self._unfurled(message)
            self._count(message, self._clock.monotonic())
        except Exception as error:  # noqa: BLE001  # one person's command; it is logged, counted and tried again
            trace = not isinstance(error, StoreError)
            command = message.body[:_SHOWN] if is_command else ""  # what people say to each other is not logged
            _log.error("command.deferred", room=message.room, command=command, reason=str(error), exc_info=trace)
            metrics.COMMANDS.labels("", "deferred").inc()
            self._put_off[message.sender] = self._clock.monotonic() + PUT_OFF_SECONDS
            self._failure = error
        finally:
            self._busy.discard(message.sender)
            self._wake.set()

    async def _unfurled(self, message: InboxMessage) -> None:
        """Answer the links in a message, which needs nothing but the bot's own data."""
        assert self._unfurler is not None  # noqa: S101  # otherwise the message is not for the bot
        async with self._quick:
            await self._unfurler.answer(message)

    async def _write(self, message: InboxMessage, answer: "_Written") -> None:
        """Store an answer, or the answer that reports a fault of the bot if that answer cannot be stored.

        Raises:
            StoreError: the database cannot be used.
        """
        try:
            await self._acknowledge(message, answer)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # an answer that the database does not take; it is logged
            await self._acknowledge(message, _Written(self._fault(message)))

    async def _acknowledge(self, message: InboxMessage, answer: "_Written") -> None:
        async with self._store.transaction() as tx:
            await tx.outbox.add([] if answer.notice is None else [answer.notice])
            await tx.inbox.answered(message)
            if answer.listed is not None:
                await tx.queues.number(message.room, answer.listed)

    async def _written(self, message: InboxMessage) -> "_Written":
        """Return the answer as a notice; if a message causes an error, the notice reports it, and the message is done.

        Raises:
            StoreError: the database failed, which is not the message's fault; it is answered once the database is back.
        """
        try:
            if message.event == ARRIVAL:
                return _Written(await self._greeting(message))
            answer = await self._answer(message)
            if answer.is_silent:
                return _Written(None)
            is_busy = not self._is_direct(message) and self._traffic.is_busy(
                message.room, message.sender, self._clock.monotonic()
            )
            return _Written(notice(message, answer, in_thread=is_busy and is_long(answer)), answer.listed)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # the one broad catch of a command; it is logged
            return _Written(self._fault(message))

    async def _greeting(self, message: InboxMessage) -> Notice:
        """Return the welcome in a room that the bot has joined."""
        assert self._welcome is not None  # noqa: S101  # otherwise the message is not for the bot
        direct = self._is_direct(message)
        answer = await self._welcome(message, "" if direct else self._settings.prefix, direct)
        body, html = written(answer.document, answer.site.allowed if answer.site else Allowed(()))
        tag = Tag(NoticeKind.WELCOME, NoticeKey(f"welcome/{message.room}"))
        inviter = message.sender if message.sender != self._settings.user else None
        return Notice(message.room, Lane.ANSWER, Message(body, html, tag, rings=direct), asked_by=inviter)

    def _fault(self, message: InboxMessage) -> Notice | None:
        """Log the exception being handled, and return the answer that reports it; None to a reaction."""
        _log.exception("command.failed", room=message.room, command=message.body[:_SHOWN])
        metrics.COMMANDS.labels("", "fault").inc()
        if message.reaction:
            return None
        return notice(
            message, Answer(said("That failed because of a bug in the bot. The operator can find details in the log."))
        )

    async def _answer(self, message: InboxMessage) -> Answer:
        prefix = "" if self._is_direct(message) else self._settings.prefix
        unlisted = frozenset[str]() if self._settings.is_admin(message.sender) else FOR_ADMINS
        call = grammar.parse(self._text(message) or "", prefix, self._handlers.keys(), unlisted)
        if message.sealed is not None:
            call = _about_the_token(call, message)
        if isinstance(call, Courtesy):
            metrics.COMMANDS.labels("", "courtesy").inc()
            return Answer((), reaction=call.reaction)
        if isinstance(call, grammar.InvalidCommand):
            metrics.COMMANDS.labels("", "mistake").inc()
            return Answer(said(call.text))
        answer, result = await self._done(CommandRequest(call, message, prefix, self._is_direct(message)))
        metrics.COMMANDS.labels(call.command.verb, result).inc()
        return answer

    async def _done(self, request: CommandRequest) -> tuple[Answer, str]:
        """Run a command; return its answer, and the result as a metric label."""
        verb, is_quick = request.call.command.verb, _is_quick(request)
        if not is_quick and self._waiting >= MOST_WAITING:
            return Answer(said(BUSY), is_refusal=True), "limited"
        try:
            async with self._place(is_quick=is_quick), asyncio.timeout(ANSWER_SECONDS):
                answer = await self._handlers[verb](request)
        except TimeoutError:
            _log.warning("command.timed_out", verb=verb)
            late = f"There was no answer within {ANSWER_SECONDS} seconds. Please try again later."
            return Answer(said(late)), "timeout"
        return answer, "mistake" if answer.is_refusal else "ok"

    @asynccontextmanager
    async def _place(self, *, is_quick: bool) -> AsyncIterator[None]:
        """Hold one of the places for quick commands; other commands take none, and are only counted."""
        if is_quick:
            async with self._quick:
                yield
            return
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


def _is_quick(request: CommandRequest) -> bool:
    """Return whether a command is answered from the bot's own data; what a card is about is known."""
    return request.call.command.verb in QUICK or bool(request.message.reaction)


@dataclass(frozen=True, slots=True)
class _Written:
    """An answer as a notice, None if nothing is said; with the rows that it numbers, None if it numbers none."""

    notice: Notice | None
    listed: Sequence[SubmissionRef] | None = None


def _about_the_token(
    call: grammar.ParsedCommand | grammar.InvalidCommand | Courtesy, message: InboxMessage
) -> grammar.ParsedCommand | grammar.InvalidCommand:
    """Return what is done about a message with a token in it: nothing but `token` may take it, however it is spelled.

    Other commands are refused, because a token typed there reached others, or was meant as something else.
    """
    token = find("token")
    if isinstance(call, grammar.InvalidCommand):
        return call if token is None else grammar.ParsedCommand(token, {"token": message.body})
    if isinstance(call, grammar.ParsedCommand) and call.command is token:
        return call
    return grammar.InvalidCommand(LEAKED)
