"""What follows from a change: the cards of what changed are to show it."""

from bot.notices.changes import Changed, ChangeKind, urgent
from bot.store.store import Transaction


async def touch_cards(tx: Transaction, changed: Changed) -> None:
    """Let the cards of what *changed* show it when that is due."""
    if changed.changes:
        await tx.cards.touch(changed.about, urgent=any(map(urgent, changed.changes)) or _became_whole(changed))


def _became_whole(changed: Changed) -> bool:
    """Whether the last patches of a series came; fewer only count."""
    more = any(change.kind is ChangeKind.PATCHES and not change.context for change in changed.changes)
    return more and changed.series is not None and changed.series.received_all
