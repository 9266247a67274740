"""Keeps the cards true: each that is due is composed anew from the store, and edited where it says something else."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.ids import ProjectName, ServerName
from bot.notices.card import CardContent, ServerLinks
from bot.notices.changes import ChangedSubmission, ChangeKind, urgent
from bot.notices.needs import NO_NEEDS, Needs
from bot.notices.notice import Lane, Message, Notice, edit_key
from bot.store.card_book import DueCard
from bot.store.retry_book import RetryKind
from bot.store.store import Store, Transaction
from bot.submission import Submission, SubmissionRef
from bot.watch.announce import CardComposer, card_tag, matched_paths
from bot.watch.dependents import needs_of
from bot.watch.item_isolation import isolated
from bot.watch.version_links import VersionLinker, versions_of

BATCH = 100  # cards of one transaction


@dataclass(frozen=True, slots=True)
class _CardEdit:
    """A card to edit, and its new content; None if its submission is unknown by now, or the card was never sent."""

    card: DueCard
    content: CardContent | None


class CardEditor:
    """Edits the cards of all servers; *sites* are the forms of their links."""

    def __init__(self, store: Store, sites: Mapping[ServerName, Callable[[ProjectName], ServerLinks]]) -> None:
        self._store = store
        self._sites = sites

    async def tick(self) -> None:
        """Edit all due cards, a batch per transaction, so that other transactions can run in between."""
        while await self._edit_a_batch():
            pass

    async def _edit_a_batch(self) -> bool:
        """Edit some cards, and return whether more may be due; a card that cannot be edited waits for its retry."""
        async with self._store.transaction() as tx:
            due = await tx.cards.due(BATCH)
            edited = await isolated(tx, due, partial(self._edit_all, tx), partial(_put_off, tx))
            await tx.retries.settle(RetryKind.EDIT, [card.key for card in edited])
        for card in edited:
            self._store.incidents.resolve(RetryKind.EDIT.incident, card.key)
        return len(due) == BATCH

    async def _edit_all(self, tx: Transaction, due: Sequence[DueCard]) -> Sequence[DueCard]:
        edits = await self._card_edits(tx, due)
        for each, edit in zip(due, await asyncio.to_thread(self._edits, edits), strict=True):
            if edit is None or edit.message.digest == each.digest:
                await tx.cards.mark_up_to_date(each)
            else:
                await tx.cards.edited(each, edit.message.digest, anew=await tx.outbox.edit(edit))
        return due

    async def _card_edits(self, tx: Transaction, due: Sequence[DueCard]) -> list[_CardEdit]:
        """Return the new content of each card; a submission is read once for all rooms with a card of it."""
        known: dict[SubmissionRef, Submission | None] = {}
        versions: dict[SubmissionRef, VersionLinker] = {}
        for each in due:
            if each.is_there and each.about.server in self._sites and each.about not in known:
                known[each.about] = found = await tx.watch.load_submission(each.about)
                versions[each.about] = await versions_of(tx, each.about, found) if found else VersionLinker()
        needs = await self._needs(tx, known)
        edits: list[_CardEdit] = []
        for each in due:
            submission = known.get(each.about) if each.is_there else None
            content = None
            if submission is not None:
                content = CardContent(submission, needs=needs.get(each.about, NO_NEEDS))
                content = versions[each.about].seen_from(each.room, content)
            edits.append(_CardEdit(each, content))
        return edits

    async def _needs(
        self, tx: Transaction, known: Mapping[SubmissionRef, Submission | None]
    ) -> dict[SubmissionRef, Needs]:
        """Return what those of some submissions need that need something."""
        found: dict[SubmissionRef, Needs] = {}
        for server in {about.server for about, submission in known.items() if submission is not None}:
            some = {about: each for about, each in known.items() if about.server == server and each is not None}
            url = self._sites[server](next(iter(some.values())).project).url
            found |= await needs_of(tx, server, url, some)
        return found

    def _edits(self, edits: Sequence[_CardEdit]) -> list[Notice | None]:
        """Return the edits; to be called off the event loop."""
        composer = CardComposer()
        return [None if each.content is None else self._edit(each.card, each.content, composer) for each in edits]

    def _edit(self, due: DueCard, content: CardContent, composer: CardComposer) -> Notice:
        """Return the edit of one card."""
        tag = card_tag(edit_key(due.key, due.edits + 1), due.about, content.submission)
        content = replace(content, matched=matched_paths(due.why), form=due.form)
        body, html = composer.render(due.about, content, self._sites[due.about.server](content.submission.project))
        return Notice(due.room, Lane.EDIT, Message(body, html, tag, rings=due.rings), of=due.key)


async def _put_off(tx: Transaction, card: DueCard, error: Exception) -> None:
    await tx.retries.put_off(RetryKind.EDIT, card.key, error)


async def touch_cards(tx: Transaction, changed: ChangedSubmission) -> None:
    """Mark the cards of a *changed* submission as due for an edit."""
    if changed.changes:
        await tx.cards.touch(changed.about, urgent=any(map(urgent, changed.changes)) or _became_whole(changed))


def _became_whole(changed: ChangedSubmission) -> bool:
    """Return whether the last patches of a series arrived; before that, only their number changes."""
    more = any(change.kind is ChangeKind.PATCHES and not change.context for change in changed.changes)
    return more and changed.series is not None and changed.series.received_all
