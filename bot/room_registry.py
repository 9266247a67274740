"""Keeps the rooms of a running bot and their subscriptions."""

from collections.abc import Iterator, Sequence

import structlog

from bot.commands.context import FileSubscriptions
from bot.commands.rights import MemoryRoomRights, RoomRights
from bot.ids import RoomId, SubscriptionId
from bot.matrix.session_update import (
    ConfiguredRoomJoined,
    RoomBecameDirect,
    RoomLeft,
    RoomMoved,
    RoomNoLongerDirect,
    RoomResumed,
    SessionUpdate,
)
from bot.ops.summary import RoomQuery
from bot.query.index.index import Index, Subscription
from bot.query.query import Query
from bot.store.session_book import SessionState
from bot.store.subscription_book import AllSubscriptions
from bot.subscriptions.registry import SubscriptionRegistry
from bot.subscriptions.subscription import configured_id, listening

_log = structlog.get_logger(__name__)


class Rooms:
    """The configured rooms, the direct chats and the subscriptions, which become known while the bot runs.

    A configured subscription is active once the id of its room is known. *room_rights* checks permissions.
    """

    def __init__(self, queries: Sequence[RoomQuery], room_rights: RoomRights | None = None) -> None:
        self.room_rights: RoomRights = room_rights or MemoryRoomRights()
        self.listeners = SubscriptionRegistry()
        self.direct: set[RoomId] = set()
        self.queries = tuple(queries)
        self._numbered = {configured_id(each.room, each.query): each for each in queries}
        self._named: dict[str, RoomId] = {}

    @property
    def index(self) -> Index:
        """The subscriptions that are active now."""
        return self.listeners.index

    def set_room(self, name: str, room: RoomId) -> None:
        """Set the room that the configuration calls *name*, and activate its subscriptions from there."""
        self._named[name] = room
        for id_, each in self._numbered.items():
            if each.room == name:
                self.listeners.add(Subscription(id_, room, each.query))

    @property
    def from_file(self) -> FileSubscriptions:
        """The configured rooms and subscriptions, as commands need them."""
        return FileSubscriptions(self.names, self.queries_in, self.query)

    def names(self, room: RoomId) -> bool:
        """Return whether *room* is a configured room."""
        return room in self._named.values()

    def queries_in(self, room: RoomId) -> list[Query]:
        """Return the configured queries of *room*."""
        return [each.query for each in self._numbered.values() if self._named.get(each.room) == room]

    def query(self, id_: SubscriptionId) -> Query | None:
        """Return the query of a configured subscription, or None if *id_* is not one."""
        return self._numbered[id_].query if id_ in self._numbered else None

    def apply(self, update: SessionUpdate) -> None:
        """Apply a stored update of the session."""
        for event in update.events:
            match event:
                case RoomMoved(old, new):
                    if old in self.direct:
                        self.direct.add(new)
                    self.listeners.move(old, new)
                    self.listeners.doubt()  # the new room may have subscriptions and settings of its own
                case RoomBecameDirect(room):
                    self.direct.add(room)
                case RoomNoLongerDirect(room):
                    self.direct.discard(room)
                case RoomLeft(room):
                    self.listeners.leave(room)
                case RoomResumed(room):
                    self.listeners.come_back(room)
                case ConfiguredRoomJoined(name, room):
                    _log.info("room.joined", name=name, room=room)
                    self.set_room(name, room)
                case _:
                    pass  # does not affect the rooms

    def load(self, stored: SessionState, everything: AllSubscriptions) -> None:
        """Replace the rooms and subscriptions with those in the store."""
        if stored.since is not None:  # otherwise there was no sync yet, which is the source of direct chats
            self.direct.clear()
        self.direct.update(stored.direct)
        subscriptions = {each.id: each for each in _readable(everything)}
        self.listeners.stand(everything.left, everything.muted, everything.chosen, {*subscriptions, *self._numbered})
        for name, room in stored.named.items():
            self.set_room(name, room)
        for subscription in subscriptions.values():
            self.listeners.add(subscription)


def _readable(everything: AllSubscriptions) -> Iterator[Subscription]:
    for subscribed, standing in everything.subscriptions:
        subscription = listening(subscribed, standing)
        if subscription is not None:
            yield subscription
        else:
            _log.error("subscription.unreadable", id=subscribed.id, query=subscribed.query)
