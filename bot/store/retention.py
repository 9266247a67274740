"""Retention: deletes outdated rows, a batch per transaction, so that other transactions can run in between."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bot.errors import StoreError
from bot.store.outbox_book import KEEP_SAID
from bot.store.store import Store, Transaction

# By the names of the steps in incidents
_STEPS: Final[Mapping[str, Callable[[Transaction], Awaitable[bool]]]] = {
    "early updates": lambda tx: tx.watch.tidy_early_updates(),
    "checks": lambda tx: tx.watch.tidy_checks(),
    "comments": lambda tx: tx.watch.tidy_comments(),
    "authors of comments": lambda tx: tx.comments.tidy(),
    "queues": lambda tx: tx.queues.tidy(),
    "unreadable objects": lambda tx: tx.watch.tidy_pending(),
    "patches": lambda tx: tx.watch.tidy_patches(),
    "series": lambda tx: tx.watch.tidy_series(),
    "events": lambda tx: tx.watch.tidy_events(),
    "sent messages": lambda tx: tx.outbox.tidy(),
    "answered messages": lambda tx: tx.inbox.tidy(tx.now - KEEP_SAID),
    "cards": lambda tx: tx.cards.tidy(),
    "digests": lambda tx: tx.digests.tidy(),
    "lists": lambda tx: tx.floods.tidy(),
    "retries": lambda tx: tx.retries.tidy(),
    "what people follow": lambda tx: tx.follows.tidy(),
    "what rooms snooze": lambda tx: tx.snoozes.tidy(),
    "answered links": lambda tx: tx.unfurls.tidy(),
    "dependencies": lambda tx: tx.dependencies.tidy(),
    "reminders": lambda tx: tx.nudges.tidy(),
    "rechecks": lambda tx: tx.rechecks.tidy(),
    "tokens of people who left": lambda tx: tx.tokens.tidy(),
    "instances that stood by": lambda tx: tx.leases.tidy(),
    "changes on Patchwork": lambda tx: tx.acts.tidy(),
}


async def delete_outdated(store: Store) -> None:
    """Delete the outdated rows of all kinds; if those of one kind cannot be deleted, the others still are.

    Raises:
        StoreError: the database cannot be used; raised after all kinds were tried.
    """
    broken: StoreError | None = None
    for name, step in _STEPS.items():
        try:
            while await _delete_batch(store, step):
                pass
        except StoreError as error:
            broken = error
        except Exception as error:  # noqa: BLE001  # the one broad catch of a kind: it is recorded and tried again
            store.incidents.record("housekeeping.failed", name, error)
        else:
            store.incidents.resolve("housekeeping.failed", name)
    if broken is not None:
        raise broken


async def _delete_batch(store: Store, step: Callable[[Transaction], Awaitable[bool]]) -> bool:
    async with store.transaction() as tx:
        return await step(tx)
