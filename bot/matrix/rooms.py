"""Rooms as known from their state. Pure.

Power levels: Matrix specification, "m.room.power_levels"; in room version 12 the creators are above all levels and are
not listed in them ("Room version 12").
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from bot.ids import RoomId, UserId
from bot.matrix.crypto.devices import MEGOLM
from bot.matrix.invite_rules import is_user_id
from bot.matrix.model import Content, Event, JoinedRoom
from bot.text import storable

ABOVE_ALL = 1 << 60  # greater than any level in JSON
_BEFORE_CREATORS = frozenset(str(version) for version in range(1, 12))
_WITH_CREATORS = frozenset({"12"})  # in unknown versions, creators get no special power


@dataclass(frozen=True, slots=True)
class Levels:
    """The power levels of a room; the defaults are those of a room without the event."""

    users: Mapping[str, int] = field(default_factory=dict)
    events: Mapping[str, int] = field(default_factory=dict)
    users_default: int = 0
    events_default: int = 0
    state_default: int = 50

    @classmethod
    def of(cls, content: Content) -> Self:
        """Return the levels in an event's content, with defaults for malformed ones."""
        return cls(
            users=_levels(content.get("users")),
            events=_levels(content.get("events")),
            users_default=_level(content.get("users_default"), 0),
            events_default=_level(content.get("events_default"), 0),
            state_default=_level(content.get("state_default"), 50),
        )


@dataclass(frozen=True, slots=True)
class Room:
    """A joined room; *levels* is None if it has no such event, member counts are None if unknown."""

    id: RoomId
    version: str = "1"
    creator: UserId | None = None
    more_creators: frozenset[str] = frozenset()
    predecessor: RoomId | None = None
    levels: Levels | None = None
    is_direct: bool = False
    is_encrypted: bool = False
    algorithm: str = ""  # of its encryption
    replacement: RoomId | None = None
    replaced_by: UserId | None = None  # the sender of the tombstone
    canonical_alias: str | None = None
    name: str | None = None
    topic: str | None = None
    join_rule: str = "invite"
    joined_members: int | None = None
    invited_members: int | None = None
    own_name: str = ""  # the bot's display name in the room; "" if it has none

    @property
    def is_lonely(self) -> bool:
        """True if nobody else is joined or invited."""
        return self.joined_members == 1 and not self.invited_members

    @property
    def is_crowded(self) -> bool:
        """True if more than two users are joined or invited."""
        return (self.joined_members or 0) + (self.invited_members or 0) > 2

    def is_creator(self, user: UserId) -> bool:
        """Return whether *user* is above all levels, as creators are in room version 12."""
        return self.version in _WITH_CREATORS and (user == self.creator or user in self.more_creators)

    def level(self, user: UserId) -> int:
        """Return the power level of *user*."""
        if self.is_creator(user):
            return ABOVE_ALL
        if self.levels is None:
            return 100 if user == self.creator and self.version in _BEFORE_CREATORS else 0
        return self.levels.users.get(user, self.levels.users_default)

    def level_to_set(self, state_type: str, default: int | None = None) -> int:
        """Return the level needed for a state event; *default* applies if the room has none for this very type."""
        levels = self.levels or Levels(state_default=0)
        return levels.events.get(state_type, levels.state_default if default is None else default)

    def may_set(self, user: UserId, state_type: str, default: int | None = None) -> bool:
        """Return whether *user* has the power for a state event of this type."""
        return self.level(user) >= self.level_to_set(state_type, default)

    def after(self, events: Iterable[Event]) -> "Room":
        """Return the room after *events* (oldest first)."""
        room = self
        for event in events:
            change = _CHANGES.get(event.type)
            if change is not None and event.state_key == "":
                room = change(room, event)
        return room

    def after_sync(self, joined: JoinedRoom) -> "Room":
        """Return the room after its part of a sync."""
        room = self.after(joined.state).after(joined.timeline)
        return replace(
            room,
            joined_members=_updated(room.joined_members, joined.joined_members),
            invited_members=_updated(room.invited_members, joined.invited_members),
        )


def _created(room: Room, event: Event) -> Room:
    """Set the creator, which is the sender; the `creator` of old versions may name another user."""
    return replace(
        room,
        version=_word(event.content, "room_version") or "1",
        creator=event.sender,
        more_creators=_more_creators(event.content),
        predecessor=predecessor(event.content),
    )


def _empowered(room: Room, event: Event) -> Room:
    return replace(room, levels=Levels.of(event.content))


def _encrypted(room: Room, event: Event) -> Room:
    """Mark the room as encrypted for good: clients ignore a removal, and a change to an unknown algorithm."""
    algorithm = _word(event.content, "algorithm") or ""
    return replace(room, is_encrypted=True, algorithm=room.algorithm if room.algorithm == MEGOLM else algorithm)


def _replaced(room: Room, event: Event) -> Room:
    replacement = _word(event.content, "replacement_room")
    return replace(room, replacement=RoomId(replacement) if replacement else None, replaced_by=event.sender)


def _named(room: Room, event: Event) -> Room:
    return replace(room, canonical_alias=_word(event.content, "alias"))


def _titled(room: Room, event: Event) -> Room:
    return replace(room, name=_word(event.content, "name"))


def _described(room: Room, event: Event) -> Room:
    return replace(room, topic=_word(event.content, "topic"))


def _opened(room: Room, event: Event) -> Room:
    return replace(room, join_rule=_word(event.content, "join_rule") or "invite")


_CHANGES: Mapping[str, Callable[[Room, Event], Room]] = {
    "m.room.create": _created,
    "m.room.power_levels": _empowered,
    "m.room.encryption": _encrypted,
    "m.room.tombstone": _replaced,
    "m.room.canonical_alias": _named,
    "m.room.name": _titled,
    "m.room.topic": _described,
    "m.room.join_rules": _opened,
}
STATE_TYPES = (*_CHANGES, "m.room.member", "m.room.history_visibility")


def predecessor(create: Content) -> RoomId | None:
    """Return the room that a create event claims to replace; None if there is none."""
    before = create.get("predecessor")
    named = _word(before, "room_id") if isinstance(before, Mapping) else None
    return RoomId(named) if named else None


def _more_creators(create: Content) -> frozenset[str]:
    """Return the additional creators in a create event; empty if they are malformed."""
    named = create.get("additional_creators")
    if not isinstance(named, list) or not all(isinstance(user, str) and is_user_id(user) for user in named):
        return frozenset()
    return frozenset(named)


def _levels(value: object) -> Mapping[str, int]:
    if not isinstance(value, Mapping):
        return {}
    known = ((name, _number(level)) for name, level in value.items())
    return {name: level for name, level in known if level is not None}


def _level(value: object, default: int) -> int:
    number = _number(value)
    return default if number is None else number


def _number(value: object) -> int | None:
    """Return a level as a number; before room version 10 a text was valid, too."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value, re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _word(content: Content, key: str) -> str | None:
    """Return a text; None if there is none, or one with NUL or lone surrogates, which no database could store."""
    word = content.get(key)
    return word if isinstance(word, str) and word and storable(word) == word else None


def _updated(known: int | None, update: int | None) -> int | None:
    return known if update is None else update
