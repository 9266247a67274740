"""Answers what stands in the inbox; the answer and its acknowledgement are one transaction.

Everybody gets a turn: of all who wait, the oldest message of each is answered before the second one of any. What is not
meant for the bot, or over the limit, is acknowledged without an answer, all of it at once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import structlog

from bot import metrics
from bot.clock import Clock
from bot.commands import grammar
from bot.commands.answers import Answer
from bot.commands.asked import Asked, Handler
from bot.commands.limits import Limits
from bot.errors import StoreError
from bot.ids import RoomId, UserId
from bot.notices.markup import Allowed, written
from bot.notices.outbox import Lane, Message, Notice, NoticeKind, Tag, answer_key
from bot.notices.replies import said
from bot.store.inbox import Said
from bot.store.store import Store

ANSWER_SECONDS = 60
TOO_MANY = "⏳"
_SHOWN = 100  # characters of a command, in the log
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Manners:
    """How the bot is spoken to: the prefix, in which rooms it may be left out (these may change), and how often."""

    prefix: str
    direct: AbstractSet[RoomId]
    per_user_per_minute: int
    per_room_per_minute: int


class Answerer:
    """Answers messages one after the other, each sender's in the order in which they came."""

    def __init__(
        self, store: Store, handlers: Mapping[str, Handler], manners: Manners, clock: Clock, wrote: Callable[[], None]
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._manners = manners
        self._clock = clock
        self._wrote = wrote
        self._limits = Limits(manners.per_user_per_minute, manners.per_room_per_minute)
        self._full_rooms: AbstractSet[RoomId] = frozenset()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something came in: look at once."""
        self._wake.set()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            self._wake.clear()
            await self.answer_all()
            await self._wake.wait()

    async def answer_all(self) -> None:
        """Answer everything that waits."""
        while waiting := await self._unanswered():
            await self._turn(waiting)
            self._wrote()

    async def _unanswered(self) -> list[Said]:
        """The messages that wait; those for whom too many answers are still to be sent are over the limit."""
        async with self._store.transaction() as tx:
            waiting = await tx.inbox.unanswered()
            if waiting:
                unsent = await tx.outbox.unsent_answers()
                self._full_rooms = self._limits.hold_back(unsent.people, unsent.rooms, self._clock.monotonic())
        return waiting

    async def _turn(self, waiting: Sequence[Said]) -> None:
        """Answer the first of each sender's messages, and pass over all that get no answer."""
        now = self._clock.monotonic()
        first: dict[UserId, Said] = {}
        for_others: list[Said] = []
        over: list[Said] = []
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
            await self._answer_if_allowed(message)

    def _text(self, message: Said) -> str | None:
        """The command in a message; None in one that is not meant for the bot."""
        return grammar.addressed(message.body, self._manners.prefix, direct=self._is_direct(message))

    def _is_direct(self, message: Said) -> bool:
        return message.room in self._manners.direct

    async def _pass_over(self, for_others: Sequence[Said], over: Sequence[Said], now: float) -> None:
        """See off what gets no answer; of what is *over* a limit, the first in its window gets a reaction.

        In a room where too much is still to be sent, a reaction would be one more. What is said *for_others* is none of
        the bot's business, and not kept.
        """
        metrics.COMMANDS.labels("", "limited").inc(len(over))
        shown = [message for message in over if message.room not in self._full_rooms]
        first = [message for message in shown if self._limits.is_first_over(message.sender, message.room, now)]
        async with self._store.transaction() as tx:
            await tx.outbox.add([_reaction(message) for message in first])
            for message in for_others:
                await tx.inbox.drop(message)
            for message in over:
                await tx.inbox.answered(message)

    async def _answer_if_allowed(self, message: Said) -> None:
        """Answer, unless others used up the room's share in this turn; then the next one passes it over."""
        now = self._clock.monotonic()
        if not self._limits.allow(message.sender, message.room, now):
            return
        self._limits.count(message.sender, message.room, now)
        written = await self._written(message)
        async with self._store.transaction() as tx:
            await tx.outbox.add([written])
            await tx.inbox.answered(message)

    async def _written(self, message: Said) -> Notice:
        """The answer as it is sent; whatever a message does to us, the others are answered, and it is not read again.

        Raises:
            StoreError: which is not this message's fault; it is answered when the database is back.
        """
        try:
            return notice(message, await self._answer(message))
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # the loop's one broad catch; it is logged
            _log.exception("a command failed", room=message.room, command=message.body[:_SHOWN])
            metrics.COMMANDS.labels("", "fault").inc()
            return notice(message, Answer(said("That did not work, by a fault of the bot. Its log says more.")))

    async def _answer(self, message: Said) -> Answer:
        prefix = "" if self._is_direct(message) else self._manners.prefix
        call = grammar.parse(self._text(message) or "", prefix, self._handlers.keys())
        if isinstance(call, grammar.Mistake):
            metrics.COMMANDS.labels("", "mistake").inc()
            return Answer(said(call.text))
        answer, result = await self._done(Asked(call, message, prefix, self._is_direct(message)))
        metrics.COMMANDS.labels(call.command.verb, result).inc()
        return answer

    async def _done(self, asked: Asked) -> tuple[Answer, str]:
        """The answer to a command, and how that went, in a word for the metrics."""
        verb = asked.call.command.verb
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._handlers[verb](asked)
        except TimeoutError:
            _log.warning("a command took too long", verb=verb)
            late = f"There was no answer within {ANSWER_SECONDS} seconds. Please try again later."
            return Answer(said(late)), "timeout"
        return answer, "mistake" if answer.is_refusal else "ok"


def notice(message: Said, answer: Answer) -> Notice:
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


def _reaction(message: Said) -> Notice:
    """That it was too much, where a text would be one more."""
    reaction = Message(TOO_MANY, TOO_MANY, _tag(message), reaction=message.event)
    return Notice(message.room, Lane.ANSWER, reaction, asked_by=message.sender)


def _tag(message: Said) -> Tag:
    return Tag(kind=NoticeKind.ANSWER, key=answer_key(message.room, message.event))
