"""Plans for reading the homeserver's large responses: the parts that are used, and their maximum sizes. Pure.

Shapes: Matrix specification v1.18, client-server API. An event has at most 65,536 bytes; what the homeserver adds, such
as the replaced state, may be about as large.
"""

from collections.abc import Mapping
from typing import Final

from bot.ids import UserId
from bot.json_splitter import ANY, Items, Path, Plan
from bot.matrix.answer_reader import ReadPlan
from bot.matrix.rooms import STATE_TYPES

EVENT_BYTES = 256 * 1024
SMALL_BYTES = 64 * 1024
ID_BYTES = 1024
_MEMBER: Final = "m.room.member"
_EVENTS: Final[Plan] = {"events": Items(EVENT_BYTES)}
_ROOM: Final[Plan] = {
    "timeline": {"events": Items(EVENT_BYTES), "limited": ID_BYTES, "prev_batch": SMALL_BYTES},
    "state": _EVENTS,
    "summary": SMALL_BYTES,
}
_SYNC: Final[Plan] = {
    "next_batch": SMALL_BYTES,
    "rooms": {"join": {ANY: _ROOM}, "invite": {ANY: {"invite_state": _EVENTS}}, "leave": {ANY: _ROOM}},
    "to_device": _EVENTS,
    "device_lists": {"changed": Items(ID_BYTES), "left": Items(ID_BYTES)},
    "device_one_time_keys_count": SMALL_BYTES,
    "device_unused_fallback_key_types": SMALL_BYTES,
}
_BY_USER: Final[Plan] = {ANY: SMALL_BYTES}
_BY_DEVICE: Final[Plan] = {ANY: {ANY: SMALL_BYTES}}

PAGE = ReadPlan({"chunk": Items(EVENT_BYTES), "end": SMALL_BYTES})
MEMBERS = ReadPlan({"chunk": Items(EVENT_BYTES)}, is_whole=True)
DEVICES = ReadPlan(
    {
        "device_keys": _BY_DEVICE,
        "master_keys": _BY_USER,
        "self_signing_keys": _BY_USER,
        "user_signing_keys": _BY_USER,
        "failures": _BY_USER,
    },
    owners={"device_keys": 2},
)
ONE_TIME_KEYS = ReadPlan({"one_time_keys": _BY_DEVICE, "failures": _BY_USER}, owners={"one_time_keys": 2})


def sync(user: UserId) -> ReadPlan:
    """Return the plan for a sync of *user*, with only the few state events that may matter."""

    def is_wanted(path: Path, value: object) -> bool:
        match path:
            case ("rooms", "join", _, "state", "events", _):
                return isinstance(value, Mapping) and (value.get("type") == _MEMBER or _is_of_the_room(value))
            case ("rooms", _, _, "state" | "invite_state", "events", _):
                return isinstance(value, Mapping) and (value.get("type"), value.get("state_key")) == (_MEMBER, user)
            case _:
                return True

    return ReadPlan(_SYNC, is_wanted, owners={"rooms": 3})


def _is_of_the_room(event: Mapping[str, object]) -> bool:
    return event.get("type") in STATE_TYPES and event.get("state_key") == ""
