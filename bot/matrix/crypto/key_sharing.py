"""Who is given the key of our session in a room, and what is sent for it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.errors import BotError
from bot.ids import DeviceId, EventId, RoomId, UserId
from bot.matrix.crypto.devices import Device
from bot.matrix.crypto.megolm import Rotation
from bot.matrix.model import Content, Event

AT_ONCE = 100  # devices in one request


class KeyLost(BotError):
    """Our session in a room was replaced while its key was being given away: begin again."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is to read our next message in a room, and how often the room wants its session replaced."""

    users: tuple[UserId, ...]
    rotation: Rotation


@dataclass(frozen=True, slots=True)
class Shares:
    """Our *session* in a room, the content of the `m.room_key` with its key, and which devices are to be given it."""

    session: str
    key: Content
    devices: tuple[Device, ...]

    def portions(self) -> Iterator[Sequence[Device]]:
        """The devices, as many as fit in one request."""
        return (self.devices[start : start + AT_ONCE] for start in range(0, len(self.devices), AT_ONCE))


@dataclass(frozen=True, slots=True)
class Parcel:
    """To-device *messages* of one type, by user and device; *session*: whose key *devices* have when it arrived."""

    messages: Mapping[UserId, Mapping[DeviceId, Content]]
    type: str = "m.room.encrypted"
    session: str = ""
    devices: tuple[Device, ...] = ()

    def for_devices(self, devices: Sequence[Device]) -> Mapping[UserId, Mapping[DeviceId, Content]]:
        """The messages for some of its devices."""
        chosen: dict[UserId, dict[DeviceId, Content]] = {}
        for device in devices:
            chosen.setdefault(device.user, {})[device.id] = self.messages[device.user][device.id]
        return chosen


@dataclass(frozen=True, slots=True)
class Settled:
    """Every device of *audience* that can has the key of *session*, as long as there are no other *changes* of lists.

    *until* is a moment of the monotonic clock: then devices that were set aside are tried again.
    """

    audience: Audience
    session: str
    changes: int
    until: float


@dataclass(frozen=True, slots=True)
class Read:
    """Timelines as they read now; *done* are messages that waited, and need not once these timelines are kept."""

    timelines: Mapping[RoomId, tuple[Event, ...]]
    done: tuple[EventId, ...]
