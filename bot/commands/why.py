"""Answers `why`: which subscriptions brought a card."""

from collections.abc import Sequence

from bot.commands.answers.subscriptions import CardReason, reasons
from bot.commands.context import CommandContext
from bot.commands.request import Answer, CommandRequest
from bot.errors import UserError
from bot.ids import SubscriptionId
from bot.store.store import Transaction
from bot.subscriptions.matching import FOLLOW
from bot.subscriptions.subscription import is_configured


class WhyCommand:
    """The command `why`."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def why(self, request: CommandRequest) -> Answer:
        """Answer `why` with the subscriptions that brought the card that is replied to, or whose thread this is."""
        message = request.message
        async with self._context.store.transaction() as tx:
            for event in (message.replies_to, message.thread):
                found = await tx.cards.why(message.room, event) if event is not None else None
                if found:
                    return Answer(reasons("This card came because of:", await self._reasons(tx, found)))
        raise UserError(
            "Reply to a card with that, or type it in its thread: then I can say which subscription brought it."
        )

    async def _reasons(self, tx: Transaction, why: Sequence[Sequence[str | int]]) -> list[CardReason]:
        """Return the reasons by subscription, those made in chat first."""
        by_id: dict[int, list[tuple[str, Sequence[str]]]] = {}
        for number, term, *seen in why:
            by_id.setdefault(int(number), []).append((str(term), [str(each) for each in seen]))
        found: list[CardReason] = []
        for number in sorted(by_id):
            id_ = SubscriptionId(number)
            if id_ == FOLLOW:
                found.append(CardReason("you follow it", "", None, ()))
            elif (query := self._context.from_file.query(id_)) is not None:
                found.append(CardReason("config", str(query), None, by_id[number]))
            elif is_configured(id_):
                found.append(CardReason("a subscription of the configuration file", "", None, by_id[number]))
            else:
                chat = await tx.subscriptions.get(id_)
                name = str(number) if chat else f"subscription {number}"
                found.append(CardReason(name, chat.query if chat else "", chat, by_id[number]))
        return found
