"""Lets rooms hear of changes: a reply below the card that a room has, or a card where it has none."""

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from bot.ids import NoticeKey, ProjectName, RoomId, ServerName
from bot.notices.changes import ChangedSubmission, RoomChanges, heard
from bot.query.maintainers.maintainers import Maintainers
from bot.store.store import Transaction
from bot.submission import SubmissionRef
from bot.subscriptions.follows import only_followed
from bot.subscriptions.registry import Audience
from bot.watch.announce import CardRequest, asked
from bot.watch.followers import chats_following


@dataclass(frozen=True, slots=True)
class ChangeToTell:
    """A change to be told, to one room where it names that; *failures* counts how often it could not be handled."""

    changed: ChangedSubmission
    room: RoomId | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class RoomChange:
    """What one room hears of a change."""

    change: ChangeToTell
    heard: RoomChanges


class ChangeReplies:
    """Says who hears of what changed, and queues the replies; *maintainers* says whose the files are."""

    def __init__(
        self, audience: Audience, maintainers: Callable[[ServerName, ProjectName], Maintainers | None]
    ) -> None:
        self._audience = audience
        self._maintainers = maintainers

    async def heard(self, tx: Transaction, changes: Sequence[ChangeToTell]) -> list[RoomChange]:
        """What the rooms hear of *changes*, or the one room of each that names one."""
        followed = [(each, await chats_following(tx, self._audience, each.changed.about)) for each in changes]
        found = await asyncio.to_thread(
            lambda: [(each, self._heard(each.changed, followers)) for each, followers in followed]
        )
        return [
            RoomChange(change, each)
            for change, all_heard in found
            for each in all_heard
            if change.room in {None, each.match.room}
        ]

    async def wanted(self, tx: Transaction, all_heard: Sequence[RoomChange]) -> list[CardRequest]:
        """The cards that changes ask for, where there are none; where there is one, what is said below it is queued.

        A card that a moderator took away is not replaced, and what is queued for it will not be said. One that was
        left behind in a room that another replaced is nowhere to be seen, so its change brings a new one. So
        does that of a series which a room knows from a list only: a few get a card each, many are one more list.
        """
        wanted: list[CardRequest] = []
        cards: dict[SubmissionRef, dict[RoomId, tuple[NoticeKey, str | None]]] = {}
        for change, heard_there in ((each.change, each.heard) for each in all_heard):
            about = change.changed.about
            if about not in cards:
                cards[about] = await tx.cards.keys_by_room(about)
            key, ended = cards[about].get(heard_there.match.room, (None, None))
            if key is None or ended == "moved":
                wanted += await self._first(tx, about, heard_there)
            else:
                await tx.queued.add(key, heard_there.told)
        return wanted

    def _heard(self, changed: ChangedSubmission, followers: AbstractSet[RoomId]) -> list[RoomChanges]:
        """What each room hears of a change; off the event loop."""
        project = changed.series.project if changed.series else changed.after[0].project
        maintainers = self._maintainers(changed.about.server, project)
        return heard(self._audience.index, changed, maintainers, followers)

    async def _first(self, tx: Transaction, about: SubmissionRef, each: RoomChanges) -> list[CardRequest]:
        """The card, which shows what changed already; what was asked for by name is said below it, too.

        Who merely follows a work gets none of a version that a later one superseded: its card is the later one's.
        """
        series = each.submission.series
        if only_followed(each.match) and series and await tx.versions.following(about.server, series.id):
            return []
        card = replace(asked(self._audience, about, each.submission, each.match), by_change=True)
        if card.form is not None:
            await tx.queued.add(card.key, each.asked)
        return [card]
