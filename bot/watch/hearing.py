"""Lets rooms hear of changes: a reply below the card that a room has, or a card where it has none."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.ids import ProjectName, ServerName
from bot.notices.changes import Changed
from bot.notices.hearing import Heard, heard
from bot.notices.outbox import CardRef
from bot.store.store import Transaction
from bot.subscriptions.maintainers import Maintainers
from bot.watch.announce import Wanted, asked
from bot.watch.audience import Audience


class Hearing:
    """Says who hears of what changed, and queues the replies; *maintainers* says whose the files are."""

    def __init__(
        self, audience: Audience, maintainers: Callable[[ServerName, ProjectName], Maintainers | None]
    ) -> None:
        self._audience = audience
        self._maintainers = maintainers

    async def wanted(self, tx: Transaction, all_changed: Sequence[Changed]) -> list[Wanted]:
        """The cards that changes ask for, where there are none; where there is one, what is said below it is queued.

        A card that a moderator took away is not replaced, and what is queued for it will not be said. One that was
        left behind in a room that another replaced is nowhere to be seen, so its change brings a new one. So
        does that of a series which a room knows from a list only: a few get a card each, many are one more list.
        """
        found = await asyncio.to_thread(lambda: [(each.about, self._heard(each)) for each in all_changed])
        wanted: list[Wanted] = []
        for about, all_heard in found:
            cards = await tx.cards.standing(about) if all_heard else {}
            for each in all_heard:
                key, ended = cards.get(each.match.room, (None, None))
                if key is None or ended == "moved":
                    wanted += await self._first(tx, about, each)
                else:
                    await tx.queued.add(key, each.told)
        return wanted

    def _heard(self, changed: Changed) -> list[Heard]:
        """What each room hears of a change; off the event loop."""
        project = changed.series.project if changed.series else changed.after[0].project
        return heard(self._audience.index, changed, self._maintainers(changed.about.server, project))

    async def _first(self, tx: Transaction, about: CardRef, each: Heard) -> list[Wanted]:
        """The card, which shows what changed already; what was asked for by name is said below it, too."""
        card = replace(asked(self._audience, about, each.judged, each.match), by_change=True)
        if card.form is not None:
            await tx.queued.add(card.key, each.asked)
        return [card]
