"""What submissions need: read for their cards, whose text follows when that arrives or changes."""

from collections.abc import Collection, Iterable, Sequence

from bot.ids import ServerName
from bot.notices.changes import ChangedSubmission, ChangeKind
from bot.notices.needs import Needs
from bot.patchwork.references import host_of
from bot.store.store import Transaction
from bot.submission import SubmissionRef

_SHOWN = frozenset({ChangeKind.STATE, ChangeKind.DETAILS, ChangeKind.PATCHES})  # by what needs the changed submission


async def needs_of(
    tx: Transaction, server: ServerName, url: str, abouts: Iterable[SubmissionRef]
) -> dict[SubmissionRef, Needs]:
    """Return what those of some submissions of a *server*, whose address is *url*, need that need something."""
    return await tx.dependencies.of(server, host_of(url), dict.fromkeys(abouts, ()))


def is_shown(changed: ChangedSubmission) -> bool:
    """Return whether cards of what needs a *changed* submission show the change."""
    return any(change.kind in _SHOWN for change in changed.changes)


async def touch_dependents(
    tx: Transaction, server: ServerName, abouts: Collection[SubmissionRef]
) -> Sequence[SubmissionRef]:
    """Mark the cards of what needs some submissions for an edit, and return those submissions.

    The edit can wait as that of mere counts does; a change of what is needed causes no further change.
    """
    for dependent in await tx.dependencies.dependents(server, abouts):
        await tx.cards.touch(dependent, urgent=False)
    return tuple(abouts)
