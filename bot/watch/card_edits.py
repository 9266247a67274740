"""Keeps the cards true: each that is due is composed anew from the store, and edited where it says something else."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.ids import ProjectName, ServerName
from bot.notices.card import ServerLinks, Shown
from bot.notices.changes import ChangedSubmission, ChangeKind, urgent
from bot.notices.notice import Lane, Message, Notice, edit_key
from bot.store.card_book import DueCard
from bot.store.retry_book import RetryKind
from bot.store.store import Store, Transaction
from bot.submission import Submission, SubmissionRef
from bot.watch.announce import CardComposer, card_tag, matched_paths
from bot.watch.item_isolation import isolated
from bot.watch.version_links import VersionLinker, versions_of

BATCH = 100  # cards of one transaction


@dataclass(frozen=True, slots=True)
class _Look:
    """A card to edit, and what it is to show; None where nothing is known of it any more, or it was never sent."""

    card: DueCard
    shown: Shown | None


class CardEditor:
    """Edits the cards of all servers; *sites* say how links to each are written."""

    def __init__(self, store: Store, sites: Mapping[ServerName, Callable[[ProjectName], ServerLinks]]) -> None:
        self._store = store
        self._sites = sites

    async def tick(self) -> None:
        """Write the edits that are due, a batch a transaction, so that others get their turn in between."""
        while await self._edit_a_batch():
            pass

    async def _edit_a_batch(self) -> bool:
        """Edit some cards; whether more may be due. One that cannot be edited waits for its next try."""
        async with self._store.transaction() as tx:
            due = await tx.cards.due(BATCH)
            edited = await isolated(tx, due, partial(self._edit_all, tx), partial(_put_off, tx))
            await tx.retries.settle(RetryKind.EDIT, [card.key for card in edited])
        for card in edited:
            self._store.incidents.resolve(RetryKind.EDIT.incident, card.key)
        return len(due) == BATCH

    async def _edit_all(self, tx: Transaction, due: Sequence[DueCard]) -> Sequence[DueCard]:
        looks = await self._looks(tx, due)
        for each, edit in zip(due, await asyncio.to_thread(self._edits, looks), strict=True):
            if edit is None or edit.message.digest == each.shown:
                await tx.cards.mark_up_to_date(each)
            else:
                await tx.cards.edited(each, edit.message.digest, anew=await tx.outbox.edit(edit))
        return due

    async def _looks(self, tx: Transaction, due: Sequence[DueCard]) -> list[_Look]:
        """What each of the cards is to show; read once for all rooms that have one."""
        known: dict[SubmissionRef, Submission | None] = {}
        versions: dict[SubmissionRef, VersionLinker] = {}
        for each in due:
            if each.is_there and each.about.server in self._sites and each.about not in known:
                known[each.about] = found = await tx.watch.load_submission(each.about)
                versions[each.about] = await versions_of(tx, each.about, found) if found else VersionLinker()
        looks: list[_Look] = []
        for each in due:
            submission = known.get(each.about) if each.is_there else None
            shown = versions[each.about].seen_from(each.room, Shown(submission)) if submission else None
            looks.append(_Look(each, shown))
        return looks

    def _edits(self, looks: Sequence[_Look]) -> list[Notice | None]:
        """The cards as they should be, off the event loop."""
        composer = CardComposer()
        return [None if look.shown is None else self._edit(look.card, look.shown, composer) for look in looks]

    def _edit(self, due: DueCard, shown: Shown, composer: CardComposer) -> Notice:
        """The edit of one card."""
        tag = card_tag(edit_key(due.key, due.edits + 1), due.about, shown.submission)
        asked = replace(shown, matched=matched_paths(due.why), form=due.form)
        body, html = composer.both(due.about, asked, self._sites[due.about.server](shown.submission.project))
        return Notice(due.room, Lane.EDIT, Message(body, html, tag, rings=due.rings), of=due.key)


async def _put_off(tx: Transaction, card: DueCard, error: Exception) -> None:
    await tx.retries.put_off(RetryKind.EDIT, card.key, error)


async def touch_cards(tx: Transaction, changed: ChangedSubmission) -> None:
    """Let the cards of what *changed* show it when that is due."""
    if changed.changes:
        await tx.cards.touch(changed.about, urgent=any(map(urgent, changed.changes)) or _became_whole(changed))


def _became_whole(changed: ChangedSubmission) -> bool:
    """Whether the last patches of a series came; fewer only count."""
    more = any(change.kind is ChangeKind.PATCHES and not change.context for change in changed.changes)
    return more and changed.series is not None and changed.series.received_all
