"""Answers what stands in the inbox; the answer and its acknowledgement are one transaction.

Theory of operation. Commands of different people are answered side by side, those of one person one after the other. Of
all who wait, the oldest message of each is begun before the second one of any. A command is begun when its sender has
none under way; the rate limits count it then. `grammar.QUICK` names the commands that the bot answers by itself: four
at a time. All others may wait for a Patchwork server, the homeserver or a long search, so they take none of these
places, and are limited where they wait: by the requests that a server is asked at once (`patchwork/turns.py`), by the
one search at a time (`past.py`). So whoever asks a server that does not answer waits for it alone.

What is not meant for the bot, or over the limit, is acknowledged without an answer, all of it at once. A message that
the database kept from being answered puts its sender off and holds nobody else up. What was under way when the process
ended stands in the inbox still, and is begun again.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from bot import metrics
from bot.clock import Clock
from bot.commands import grammar
from bot.commands.answers.patch import said
from bot.commands.limits import RateLimits
from bot.commands.request import Answer, CommandRequest, Handler
from bot.errors import StoreError
from bot.ids import RoomId, UserId
from bot.notices.markup import Allowed, written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag, answer_key
from bot.store.inbox_book import InboxMessage
from bot.store.store import Store

ANSWER_SECONDS = 60
QUICK_AT_ONCE = 4
MOST_WAITING = 100  # commands that wait for something else than the bot at the same time; what comes on top is refused
MOST_BEGUN = 200  # commands under way
PUT_OFF_SECONDS = 5.0  # after the database failed a command
BUSY = "Too many people are asking at the moment. Please try again in a minute."
TOO_MANY = "⏳"
_SHOWN = 100  # characters of a command, in the log
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """How the bot is spoken to: the prefix, in which rooms it may be left out (these may change), and how often.

    *user* is the bot's id, which does as well as the prefix.
    """

    prefix: str
    user: UserId
    direct: AbstractSet[RoomId]
    per_user_per_minute: int
    per_room_per_minute: int


class Answerer:
    """Answers the messages of different people side by side, each sender's in the order in which they came."""

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        manners: AnswerSettings,
        clock: Clock,
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._manners = manners
        self._clock = clock
        self._limits = RateLimits(manners.per_user_per_minute, manners.per_room_per_minute)
        self._full_rooms: AbstractSet[RoomId] = frozenset()
        self._wake = asyncio.Event()
        self._quick = asyncio.Semaphore(QUICK_AT_ONCE)
        self._waiting = 0  # commands that wait for something else than the bot
        self._busy: set[UserId] = set()  # whose command is under way
        self._put_off: dict[UserId, float] = {}  # until when (monotonic), since the database failed their command
        self._failure: Exception | None = None  # the last one that put somebody off
        store.on_write({"inbox"}, self._wake.set)

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            await self.answer_all()
            await self._wake.wait()

    async def answer_all(self) -> None:
        """Answer everything that waits, and what comes in meanwhile.

        Raises:
            StoreError: the database failed; what it kept from being answered is answered when this is called again.
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
        """Begin what may be begun now; whether anything is under way. Each command wakes us when it ends."""
        self._wake.clear()
        while len(self._busy) < MOST_BEGUN and (waiting := await self._unanswered()):
            await self._turn(waiting, group)
        return bool(self._busy)

    async def _unanswered(self) -> list[InboxMessage]:
        """The messages that wait, of those who have none under way.

        Those for whom too many answers are still to be sent are over the limit.
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
        """Begin the first of each sender's messages, and pass over all that get no answer."""
        now = self._clock.monotonic()
        first: dict[UserId, InboxMessage] = {}
        for_others: list[InboxMessage] = []
        over: list[InboxMessage] = []
        for message in waiting:
            if self._text(message) is None:
                for_others.append(message)
            elif self._limits.allow(message.sender, message.room, now):
                first.setdefault(message.sender, message)
            else:
                over.append(message)
        if for_others or over:
            await self._pass_over(for_others, over, now)
        for message in first.values():
            self._begin_if_allowed(message, group)

    def _text(self, message: InboxMessage) -> str | None:
        """The command in a message; None in one that is not meant for the bot."""
        manners = self._manners
        return grammar.addressed(message.body, manners.prefix, manners.user, direct=self._is_direct(message))

    def _is_direct(self, message: InboxMessage) -> bool:
        return message.room in self._manners.direct

    async def _pass_over(self, for_others: Sequence[InboxMessage], over: Sequence[InboxMessage], now: float) -> None:
        """See off what gets no answer; of what is *over* a limit, the first in its window gets a reaction.

        In a room where too much is still to be sent, a reaction would be one more. None of it is kept: what is said
        *for_others* is none of the bot's business, and of what is over a limit there may be any amount.
        """
        metrics.COMMANDS.labels("", "limited").inc(len(over))
        shown = [message for message in over if message.room not in self._full_rooms]
        first = [message for message in shown if self._limits.is_first_over(message.sender, message.room, now)]
        async with self._store.transaction() as tx:
            await tx.outbox.add([_reaction(message) for message in first])
            for message in (*for_others, *over):
                await tx.inbox.drop(message)

    def _begin_if_allowed(self, message: InboxMessage, group: asyncio.TaskGroup) -> None:
        """Begin, unless others used up the room's share in this turn; then the next one passes it over."""
        now = self._clock.monotonic()
        if self._limits.allow(message.sender, message.room, now):
            self._limits.count(message.sender, message.room, now)
            self._busy.add(message.sender)
            group.create_task(self._answered(message))

    async def _answered(self, message: InboxMessage) -> None:
        """Answer one message, whose fault must not end the answers beside it."""
        try:
            await self._write(message, await self._written(message))
        except Exception as error:  # noqa: BLE001  # one person's command; it is logged, counted and tried again
            trace = not isinstance(error, StoreError)
            _log.error(
                "command.deferred", room=message.room, command=message.body[:_SHOWN], reason=str(error), exc_info=trace
            )
            metrics.COMMANDS.labels("", "deferred").inc()
            self._put_off[message.sender] = self._clock.monotonic() + PUT_OFF_SECONDS
            self._failure = error
        finally:
            self._busy.discard(message.sender)
            self._wake.set()

    async def _write(self, message: InboxMessage, answer: Notice) -> None:
        """Write an answer down; where it is the answer that cannot be written, that it is a fault of the bot.

        Raises:
            StoreError: the database cannot be used.
        """
        try:
            await self._acknowledge(message, answer)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # an answer that the database does not take; it is logged
            await self._acknowledge(message, self._fault(message))

    async def _acknowledge(self, message: InboxMessage, answer: Notice) -> None:
        async with self._store.transaction() as tx:
            await tx.outbox.add([answer])
            await tx.inbox.answered(message)

    async def _written(self, message: InboxMessage) -> Notice:
        """The answer as it is sent; whatever a message does to us, the others are answered, and it is not read again.

        Raises:
            StoreError: which is not this message's fault; it is answered when the database is back.
        """
        try:
            return notice(message, await self._answer(message))
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # the one broad catch of a command; it is logged
            return self._fault(message)

    def _fault(self, message: InboxMessage) -> Notice:
        """What is said where a command fails by a fault of ours, which is being handled."""
        _log.exception("command.failed", room=message.room, command=message.body[:_SHOWN])
        metrics.COMMANDS.labels("", "fault").inc()
        return notice(message, Answer(said("That did not work, by a fault of the bot. Its log says more.")))

    async def _answer(self, message: InboxMessage) -> Answer:
        prefix = "" if self._is_direct(message) else self._manners.prefix
        call = grammar.parse(self._text(message) or "", prefix, self._handlers.keys())
        if isinstance(call, grammar.InvalidCommand):
            metrics.COMMANDS.labels("", "mistake").inc()
            return Answer(said(call.text))
        answer, result = await self._done(CommandRequest(call, message, prefix, self._is_direct(message)))
        metrics.COMMANDS.labels(call.command.verb, result).inc()
        return answer

    async def _done(self, request: CommandRequest) -> tuple[Answer, str]:
        """The answer to a command, and how that went, in a word for the metrics."""
        verb = request.call.command.verb
        if verb not in grammar.QUICK and self._waiting >= MOST_WAITING:
            return Answer(said(BUSY), is_refusal=True), "limited"
        try:
            async with self._place(verb), asyncio.timeout(ANSWER_SECONDS):
                answer = await self._handlers[verb](request)
        except TimeoutError:
            _log.warning("command.timed_out", verb=verb)
            late = f"There was no answer within {ANSWER_SECONDS} seconds. Please try again later."
            return Answer(said(late)), "timeout"
        return answer, "mistake" if answer.is_refusal else "ok"

    @asynccontextmanager
    async def _place(self, verb: str) -> AsyncIterator[None]:
        """One of the places for quick commands; the others take none of these, and are only counted."""
        if verb in grammar.QUICK:
            async with self._quick:
                yield
            return
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


def notice(message: InboxMessage, answer: Answer) -> Notice:
    """The answer, as a reply; in a thread where it was asked in one."""
    allowed = answer.site.allowed if answer.site else Allowed(())
    body, html = written(answer.document, allowed)
    tag = _tag(message)
    if about := answer.about:
        tag = replace(
            tag,
            server=about.server,
            project=about.project,
            series=about.series,
            patch=about.patch,
            version=about.version,
        )
    spoken = Message(body, html, tag, thread=message.thread, replies_to=message.event)
    return Notice(message.room, Lane.ANSWER, spoken, asked_by=message.sender)


def _reaction(message: InboxMessage) -> Notice:
    """That it was too much, where a text would be one more."""
    reaction = Message(TOO_MANY, TOO_MANY, _tag(message), reaction=message.event)
    return Notice(message.room, Lane.ANSWER, reaction, asked_by=message.sender)


def _tag(message: InboxMessage) -> Tag:
    return Tag(kind=NoticeKind.ANSWER, key=answer_key(message.room, message.event))
