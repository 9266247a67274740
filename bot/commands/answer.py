"""Answers what stands in the inbox; the answer and its acknowledgement are one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import structlog

from bot import metrics
from bot.commands import grammar
from bot.commands.answers import Answer
from bot.commands.asked import Asked, Handler
from bot.errors import StoreError
from bot.ids import RoomId, UserId
from bot.notices.condition import Condition, status
from bot.notices.markup import Allowed, written
from bot.notices.outbox import Lane, Message, Notice, NoticeKind, Tag, answer_key
from bot.notices.replies import said, usage
from bot.store.inbox import Said
from bot.store.store import Store

ANSWER_SECONDS = 60
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Manners:
    """How the bot is spoken to: the prefix, and in which rooms it may be left out; these may change meanwhile.

    *admins* are told of other rooms, too.
    """

    prefix: str
    direct: AbstractSet[RoomId]
    admins: Collection[UserId] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """Where answers come from."""

    handlers: Mapping[str, Handler]
    condition: Callable[[], Awaitable[Condition]]


class Answerer:
    """Answers messages one after the other, in the order in which they came."""

    def __init__(self, store: Store, sources: Sources, manners: Manners, wrote: Callable[[], None]) -> None:
        self._store = store
        self._sources = sources
        self._manners = manners
        self._wrote = wrote
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

    async def answer_all(self) -> int:
        """Answer everything that waits; how many there were."""
        count = 0
        while waiting := await self._unanswered():
            for message in waiting:
                await self._settle(message, await self._answer(message))
            count += len(waiting)
            self._wrote()
        return count

    async def _unanswered(self) -> list[Said]:
        async with self._store.transaction() as tx:
            return await tx.inbox.unanswered()

    async def _settle(self, message: Said, answer: Answer | None) -> None:
        async with self._store.transaction() as tx:
            if answer is not None:
                await tx.outbox.add([_notice(message, answer)])
            await tx.inbox.answered(message)

    async def _answer(self, message: Said) -> Answer | None:
        """The answer; None to what was not meant for the bot."""
        direct = message.room in self._manners.direct
        text = grammar.addressed(message.body, self._manners.prefix, direct=direct)
        if text is None:
            return None
        prefix = "" if direct else self._manners.prefix
        call = grammar.parse(text, prefix)
        if isinstance(call, grammar.Mistake):
            metrics.COMMANDS.labels("", "mistake").inc()
            return Answer(said(call.text))
        answer, result = await self._done(Asked(call, message, prefix, direct))
        metrics.COMMANDS.labels(call.command.verb, result).inc()
        return answer

    async def _done(self, asked: Asked) -> tuple[Answer, str]:
        """The answer to a command, and how that went, in a word for the metrics."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._do(asked), "ok"
        except TimeoutError:
            _log.warning("a command took too long", verb=asked.call.command.verb)
            late = f"There was no answer within {ANSWER_SECONDS} seconds. Please try again later."
            return Answer(said(late)), "timeout"
        except StoreError:
            raise  # not this message's fault: it is answered when the database is back
        except Exception:  # noqa: BLE001  # one message must not keep the others from being answered
            _log.exception("a command failed", verb=asked.call.command.verb)
            return Answer(said("That did not work, by a fault of the bot. Its log says more.")), "fault"

    async def _do(self, asked: Asked) -> Answer:
        call, prefix = asked.call, asked.prefix
        if call.command is grammar.STATUS:
            condition = await self._sources.condition()
            return Answer(status(condition, for_operator=asked.message.sender in self._manners.admins))
        if (handler := self._sources.handlers.get(call.command.verb)) is not None:
            return await handler(asked)
        if call.arguments and (command := grammar.find(call.arguments["verb"])) is not None:
            return Answer(usage([command.usage], prefix))
        return Answer(usage([command.usage for command in grammar.COMMANDS], prefix))


def _notice(message: Said, answer: Answer) -> Notice:
    allowed = answer.site.allowed if answer.site else Allowed(())
    body, html = written(answer.document, allowed)
    tag = Tag(kind=NoticeKind.ANSWER, key=answer_key(message.room, message.event))
    if about := answer.about:
        tag = replace(
            tag,
            server=about.server,
            project=about.project,
            series=about.series,
            patch=about.patch,
            version=about.version,
        )
    return Notice(message.room, Lane.ANSWER, Message(body, html, tag))
