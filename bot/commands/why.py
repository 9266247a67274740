"""`why`: which subscriptions brought a card."""

from collections.abc import Sequence

from bot.commands.answer import Answer
from bot.commands.answers.subscriptions import Reason, reasons
from bot.commands.context import Means
from bot.commands.request import Asked
from bot.errors import UserError
from bot.ids import SubscriptionId
from bot.store.store import Transaction
from bot.subscriptions.subscription import is_configured


class Reasons:
    """Answers why a card came."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def why(self, asked: Asked) -> Answer:
        """The subscriptions that brought the card that is replied to, or in whose thread this is."""
        said = asked.message
        async with self._means.store.transaction() as tx:
            for event in (said.replies_to, said.thread):
                found = await tx.cards.why(said.room, event) if event is not None else None
                if found:
                    return Answer(reasons("This card came because of:", await self._reasons(tx, found)))
        raise UserError(
            "Type that as a reply to a card, or in its thread: then I can tell which subscription brought it."
        )

    async def _reasons(self, tx: Transaction, why: Sequence[Sequence[str | int]]) -> list[Reason]:
        """By subscription, those of chat first."""
        by_id: dict[int, list[tuple[str, Sequence[str]]]] = {}
        for number, term, *seen in why:
            by_id.setdefault(int(number), []).append((str(term), [str(each) for each in seen]))
        found: list[Reason] = []
        for number in sorted(by_id):
            id_ = SubscriptionId(number)
            if (query := self._means.from_file.query(id_)) is not None:
                found.append(Reason("config", str(query), None, by_id[number]))
            elif is_configured(id_):
                found.append(Reason("a subscription of the configuration file", "", None, by_id[number]))
            else:
                chat = await tx.subscriptions.get(id_)
                name = str(number) if chat else f"subscription {number}"
                found.append(Reason(name, chat.query if chat else "", chat, by_id[number]))
        return found
