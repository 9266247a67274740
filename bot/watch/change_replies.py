"""Changes of known submissions: replies below the cards of the rooms, or new cards in rooms that have none."""

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from bot.ids import NoticeKey, ProjectName, RoomId, ServerName
from bot.notices.changes import ChangedSubmission, RoomChanges, changes_by_room
from bot.query.maintainers.maintainers import Maintainers
from bot.store.store import Transaction
from bot.submission import SubmissionRef
from bot.subscriptions.matching import only_followed
from bot.subscriptions.registry import Audience
from bot.watch.announce import CardRequest, card_request, chats_following


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A change to be posted, in one *room* only if it is set; *failures* counts how often it could not be handled."""

    changed: ChangedSubmission
    room: RoomId | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class RoomChange:
    """A change, and the *result* for one room."""

    change: PendingChange
    result: RoomChanges


class ChangeReplies:
    """Decides which rooms a change is posted in, and queues the replies; *maintainers* returns a project's file."""

    def __init__(
        self, audience: Audience, maintainers: Callable[[ServerName, ProjectName], Maintainers | None]
    ) -> None:
        self._audience = audience
        self._maintainers = maintainers

    async def by_room(self, tx: Transaction, changes: Sequence[PendingChange]) -> list[RoomChange]:
        """Return the *changes* for each room that they are posted in, or for the one room that a change names."""
        followed = [(each, await chats_following(tx, self._audience, each.changed.about)) for each in changes]
        found = await asyncio.to_thread(
            lambda: [(each, self._by_room(each.changed, followers)) for each, followers in followed]
        )
        return [
            RoomChange(change, each)
            for change, all_rooms in found
            for each in all_rooms
            if change.room in {None, each.match.room}
        ]

    async def card_requests(self, tx: Transaction, matches: Sequence[RoomChange]) -> list[CardRequest]:
        """Return the cards to post in rooms that have none, and queue replies below those that rooms have.

        A card that a moderator redacted is not replaced, and replies queued for it are never posted. A card in a room
        that was replaced cannot be seen, so the change brings a new card. So does a change of a series that a room
        knows only from a list: a few get a card each, many become another list.
        """
        requests: list[CardRequest] = []
        cards: dict[SubmissionRef, dict[RoomId, tuple[NoticeKey, str | None]]] = {}
        for change, room_changes in ((each.change, each.result) for each in matches):
            about = change.changed.about
            if about not in cards:
                cards[about] = await tx.cards.keys_by_room(about)
            key, ended = cards[about].get(room_changes.match.room, (None, None))
            if key is None or ended == "moved":
                requests += await self._first(tx, about, room_changes)
            else:
                await tx.queued.add(key, room_changes.posted)
        return requests

    def _by_room(self, changed: ChangedSubmission, followers: AbstractSet[RoomId]) -> list[RoomChanges]:
        """Return the changes for each room; to be called off the event loop."""
        project = changed.series.project if changed.series else changed.after[0].project
        maintainers = self._maintainers(changed.about.server, project)
        return changes_by_room(self._audience.index, changed, maintainers, followers)

    async def _first(self, tx: Transaction, about: SubmissionRef, each: RoomChanges) -> list[CardRequest]:
        """Return the card, which already shows the change; the kinds that an `on:` names are posted below it, too.

        Who merely follows a work gets none of a version that a later one superseded: its card is the later one's.
        """
        series = each.submission.series
        if only_followed(each.match) and series and await tx.versions.following(about.server, series.id):
            return []
        card = replace(card_request(self._audience, about, each.submission, each.match), by_change=True)
        if card.form is not None:
            await tx.queued.add(card.key, each.named)
        return [card]
