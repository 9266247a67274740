"""The known subscriptions, the index of the active ones, and the settings of rooms for messages.

A subscription is known but inactive while it or its room is muted, and while the bot is not in the room.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId
from bot.query.check_lanes import NO_LANES, CheckLanes
from bot.query.index.index import Index, Subscription
from bot.query.maintainers.maintainers import Maintainers
from bot.query.options import CardForm
from bot.subscriptions.subscription import latest


def _unknown(_: ServerName, __: ProjectName) -> None:
    """Return None, because no file is known."""


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """The settings for the projects of a server: their archives, by name, their MAINTAINERS, and its check lanes."""

    archives: Mapping[str, str] = field(default_factory=dict)
    maintainers: Callable[[ServerName, ProjectName], Maintainers | None] = _unknown
    lanes: CheckLanes = NO_LANES


@dataclass(frozen=True, slots=True)
class Audience:
    """All subscriptions, and which rooms are direct chats, quiet, or show compact cards; all of it may change.

    *awaken* reactivates subscriptions in the index whose mutes end by a time (UTC); *is_active* returns whether a room
    is neither muted at a time (UTC) nor left.
    """

    index: Index
    direct: AbstractSet[RoomId] = frozenset()
    quiet: AbstractSet[RoomId] = frozenset()
    compact: AbstractSet[RoomId] = frozenset()
    awaken: Callable[[datetime], None] = lambda _: None
    is_active: Callable[[RoomId, datetime], bool] = lambda _room, _now: True

    def rings(self, room: RoomId) -> bool:
        """Return whether a card rings in *room*."""
        return room in self.direct and room not in self.quiet

    def form(self, room: RoomId) -> CardForm:
        """Return the form of a new series in *room*, unless a query sets it."""
        return CardForm.COMPACT if room in self.compact else CardForm.CARD


@dataclass(frozen=True, slots=True)
class RoomChoices:
    """The settings made in rooms: direct chats without ringing, and rooms with compact cards.

    *queues* are those where somebody asks for the queue, with the last time (UTC).
    """

    quiet: frozenset[RoomId] = frozenset()
    compact: frozenset[RoomId] = frozenset()
    queues: Mapping[RoomId, datetime] = field(default_factory=dict)


class SubscriptionRegistry:
    """The index and the state that decides which subscriptions are in it; each change updates only what it affects."""

    def __init__(self) -> None:
        self.index = Index()
        self.quiet: set[RoomId] = set()  # direct chats without ringing
        self.compact: set[RoomId] = set()  # rooms with compact cards
        self.queues: dict[RoomId, datetime] = {}  # rooms where somebody asks for the queue, with the last time (UTC)
        self.are_stale = False
        self.changing = asyncio.Lock()  # held from before a change is written until the index has followed it
        self._known: dict[SubscriptionId, Subscription] = {}
        self._in_room: defaultdict[RoomId, set[SubscriptionId]] = defaultdict(set)
        self._left: set[RoomId] = set()
        self._muted_rooms: dict[RoomId, datetime] = {}
        self._muted: dict[SubscriptionId, datetime] = {}  # active otherwise, with the ends of their mutes

    def add(self, subscription: Subscription) -> None:
        """Add or replace *subscription*, so that the index always has either the old or the new one."""
        if (before := self._known.get(subscription.id)) is not None:
            self._in_room[before.room].discard(subscription.id)
            self._muted.pop(subscription.id, None)
        self._known[subscription.id] = subscription
        self._in_room[subscription.room].add(subscription.id)
        until = latest((subscription.muted_until, self._muted_rooms.get(subscription.room)))
        if subscription.room not in self._left and until is None:
            self.index.add(subscription)
            return
        self.index.remove(subscription.id)
        if until is not None and subscription.room not in self._left:
            self._muted[subscription.id] = until

    def in_room(self, room: RoomId) -> list[Subscription]:
        """Return the subscriptions of *room*, also those that are muted; by id."""
        return [self._known[id_] for id_ in sorted(self._in_room.get(room, ()))]

    def forget(self, id_: SubscriptionId) -> None:
        """Remove a subscription, if it is known."""
        known = self._known.pop(id_, None)
        if known is not None:
            self._in_room[known.room].discard(id_)
            self._muted.pop(id_, None)
            self.index.remove(id_)

    def awaken(self, now: datetime) -> None:
        """Reactivate the subscriptions whose mutes ended by *now* (UTC)."""
        for id_ in [id_ for id_, until in self._muted.items() if until <= now]:
            del self._muted[id_]
            self.index.add(self._known[id_])

    def is_active(self, room: RoomId, now: datetime) -> bool:
        """Return whether *room* is neither muted at the time *now* (UTC) nor left."""
        until = self._muted_rooms.get(room)
        return room not in self._left and (until is None or until <= now)

    def mute_room(self, room: RoomId, until: datetime | None) -> None:
        """Mute *room* until a time (UTC), or unmute it if that is None."""
        if until is None:
            self._muted_rooms.pop(room, None)
        else:
            self._muted_rooms[room] = until
        self._again(room)

    def ring(self, room: RoomId, *, rings: bool) -> None:
        """Set whether cards notify in a direct chat."""
        if rings:
            self.quiet.discard(room)
        else:
            self.quiet.add(room)

    def show(self, room: RoomId, form: CardForm) -> None:
        """Set the form of new series in *room*."""
        if form is CardForm.COMPACT:
            self.compact.add(room)
        else:
            self.compact.discard(room)

    def leave(self, room: RoomId) -> None:
        """Deactivate the subscriptions of *room*, because the bot left it."""
        self._left.add(room)
        self._again(room)

    def come_back(self, room: RoomId) -> None:
        """Reactivate the subscriptions of *room*, because the bot is back."""
        if room in self._left:
            self._left.discard(room)
            self._again(room)

    def move(self, old: RoomId, new: RoomId) -> None:
        """Move the subscriptions and settings of *old* to *new*, which replaces it."""
        self._left.discard(new)
        if (until := self._muted_rooms.pop(old, None)) is not None:
            self._muted_rooms.setdefault(new, until)
        for chosen in (self.quiet, self.compact):
            if old in chosen:
                chosen.add(new)
        if old in self.queues:
            self.queues[new] = self.queues.pop(old)
        for id_ in sorted(self._in_room.pop(old, ())):
            known = self._known.pop(id_)
            self._muted.pop(id_, None)
            self.index.remove(id_)
            self.add(replace(known, room=new))

    def doubt(self) -> None:
        """Mark the registry as stale, because the store may have changes that it lacks."""
        self.are_stale = True

    def stand(
        self,
        left: Collection[RoomId],
        muted: Mapping[RoomId, datetime],
        chosen: RoomChoices,
        ids: Collection[SubscriptionId],
    ) -> None:
        """Replace the state of all rooms, and remove subscriptions that are not in *ids*."""
        for id_ in [id_ for id_ in self._known if id_ not in ids]:
            self.forget(id_)
        self._left, self._muted_rooms, self.are_stale = set(left), dict(muted), False
        for kept, now in ((self.quiet, chosen.quiet), (self.compact, chosen.compact)):
            kept.clear()
            kept.update(now)
        self.queues.clear()
        self.queues.update(chosen.queues)
        for room in list(self._in_room):
            self._again(room)

    def _again(self, room: RoomId) -> None:
        for id_ in sorted(self._in_room[room]):
            self.add(self._known[id_])
