"""The subscriptions that are known, the index of those that are active now, and how rooms want to be told.

A subscription is known but inactive while it or its room is muted, and while the bot is out of the room.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId
from bot.query.index.index import Index, Subscription
from bot.query.maintainers.maintainers import Maintainers
from bot.query.options import CardForm
from bot.subscriptions.subscription import latest


def _unknown(_: ServerName, __: ProjectName) -> None:
    """No file is known of any project."""


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """What the operator says of the projects of a server: their archives, by name, and their MAINTAINERS."""

    archives: Mapping[str, str] = field(default_factory=dict)
    maintainers: Callable[[ServerName, ProjectName], Maintainers | None] = _unknown


@dataclass(frozen=True, slots=True)
class Audience:
    """Who listens: all subscriptions, and which rooms are direct chats, quiet, or shown compact cards; all may change.

    *awaken* makes the index tell again what was muted until then (UTC).
    """

    index: Index
    direct: AbstractSet[RoomId] = frozenset()
    quiet: AbstractSet[RoomId] = frozenset()
    compact: AbstractSet[RoomId] = frozenset()
    awaken: Callable[[datetime], None] = lambda _: None

    def rings(self, room: RoomId) -> bool:
        """Whether a card rings in *room*."""
        return room in self.direct and room not in self.quiet

    def form(self, room: RoomId) -> CardForm:
        """What a new series looks like in *room* where a query does not say."""
        return CardForm.COMPACT if room in self.compact else CardForm.CARD


@dataclass(frozen=True, slots=True)
class RoomChoices:
    """What was set in rooms: the direct chats where nothing rings, and where a new series is shown in a line or two."""

    quiet: frozenset[RoomId] = frozenset()
    compact: frozenset[RoomId] = frozenset()


class SubscriptionRegistry:
    """Changes the index as subscriptions and rooms change; each change touches only what it is about."""

    def __init__(self) -> None:
        self.index = Index()
        self.quiet: set[RoomId] = set()  # the direct chats where nothing rings
        self.compact: set[RoomId] = set()  # where a new series is shown in a line or two
        self.are_stale = False
        self.changing = asyncio.Lock()  # held from before a change is written until the listeners have followed it
        self._known: dict[SubscriptionId, Subscription] = {}
        self._in_room: defaultdict[RoomId, set[SubscriptionId]] = defaultdict(set)
        self._left: set[RoomId] = set()
        self._muted_rooms: dict[RoomId, datetime] = {}
        self._muted: dict[SubscriptionId, datetime] = {}  # those that would be told otherwise

    def hear(self, subscription: Subscription) -> None:
        """Know *subscription*; it replaces one of the same id, and the index has the one or the other at any time."""
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

    def forget(self, id_: SubscriptionId) -> None:
        """Know a subscription no more; one that is not known is left alone."""
        known = self._known.pop(id_, None)
        if known is not None:
            self._in_room[known.room].discard(id_)
            self._muted.pop(id_, None)
            self.index.remove(id_)

    def awaken(self, now: datetime) -> None:
        """Tell again what was muted until *now* (UTC) or before."""
        for id_ in [id_ for id_, until in self._muted.items() if until <= now]:
            del self._muted[id_]
            self.index.add(self._known[id_])

    def mute_room(self, room: RoomId, until: datetime | None) -> None:
        """Tell nothing in *room* until then (UTC); None: tell again."""
        if until is None:
            self._muted_rooms.pop(room, None)
        else:
            self._muted_rooms[room] = until
        self._again(room)

    def ring(self, room: RoomId, *, rings: bool) -> None:
        """Cards ring in a direct chat, or they do not."""
        if rings:
            self.quiet.discard(room)
        else:
            self.quiet.add(room)

    def show(self, room: RoomId, form: CardForm) -> None:
        """New series are shown in *form* in *room* from now on."""
        if form is CardForm.COMPACT:
            self.compact.add(room)
        else:
            self.compact.discard(room)

    def leave(self, room: RoomId) -> None:
        """We left *room*: nothing is told there until we are back."""
        self._left.add(room)
        self._again(room)

    def come_back(self, room: RoomId) -> None:
        """We are in *room* again."""
        if room in self._left:
            self._left.discard(room)
            self._again(room)

    def move(self, old: RoomId, new: RoomId) -> None:
        """*new* stands in the place of *old*."""
        self._left.discard(new)
        if (until := self._muted_rooms.pop(old, None)) is not None:
            self._muted_rooms.setdefault(new, until)
        for chosen in (self.quiet, self.compact):
            if old in chosen:
                chosen.add(new)
        for id_ in sorted(self._in_room.pop(old, ())):
            known = self._known.pop(id_)
            self._muted.pop(id_, None)
            self.index.remove(id_)
            self.hear(replace(known, room=new))

    def doubt(self) -> None:
        """The store may know of a change that does not come here."""
        self.are_stale = True

    def stand(
        self,
        left: Collection[RoomId],
        muted: Mapping[RoomId, datetime],
        chosen: RoomChoices,
        ids: Collection[SubscriptionId],
    ) -> None:
        """How all rooms stand from now on, and which subscriptions there are at all."""
        for id_ in [id_ for id_ in self._known if id_ not in ids]:
            self.forget(id_)
        self._left, self._muted_rooms, self.are_stale = set(left), dict(muted), False
        for kept, now in ((self.quiet, chosen.quiet), (self.compact, chosen.compact)):
            kept.clear()
            kept.update(now)
        for room in list(self._in_room):
            self._again(room)

    def _again(self, room: RoomId) -> None:
        for id_ in sorted(self._in_room[room]):
            self.hear(self._known[id_])
