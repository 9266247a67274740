"""Answers `status` and `version`, the commands about the bot itself."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from bot import __version__
from bot.commands.answers.patch import said
from bot.commands.context import CommandContext, SubscriptionOwner
from bot.commands.request import Answer, CommandRequest
from bot.errors import StoreError
from bot.notices.status import BotStatus, ChatSummary, status

_LATELY = timedelta(days=7)


class AboutCommands:
    """The commands about the bot itself; the bot's admins also see the status details that are meant for operators."""

    def __init__(self, condition: Callable[[], Awaitable[BotStatus]], context: CommandContext) -> None:
        self._condition = condition
        self._context = context

    async def status(self, request: CommandRequest) -> Answer:
        """Answer `status` with the health of the bot, and with what the chat gets."""
        condition, is_operator = await self._condition(), self._context.room_rights.is_admin(request.message.sender)
        try:
            chat = await self._chat(request)
        except StoreError:
            chat = None
        return Answer(status(condition, chat, for_operator=is_operator))

    async def _chat(self, request: CommandRequest) -> ChatSummary:
        owner, now = SubscriptionOwner.of(request), self._context.clock.now()
        async with self._context.store.reading() as tx:
            chat = [each.as_of(now) for each in await tx.subscriptions.of_owner(owner.room, owner.person)]
            until = await tx.subscriptions.muted_until(owner.room)
            cards = (await tx.cards.count_since(now - _LATELY)).get(owner.room, 0)
            waiting = await tx.outbox.count_waiting(owner.room)
        count = len(chat) + len(self._context.from_file.queries_in(owner.room))
        muted = count if until is not None and until > now else sum(each.muted_until is not None for each in chat)
        return ChatSummary(count, muted, cards, waiting, is_direct=request.direct)

    async def version(self, _: CommandRequest) -> Answer:
        """Answer `version` with the name and version of the program."""
        return Answer(said(f"patchwork-matrix-bot {__version__}"))
