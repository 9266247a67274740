"""Sharing of our Megolm session in a room with devices, and notices to devices from which it is withheld.

Withheld keys: Matrix specification, "Reporting that decryption keys are withheld". Messages do not wait for keys that
others withhold from us. A device that cannot be given a key is notified of that once, unencrypted, until there is an
Olm session with it again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.errors import BotError
from bot.ids import DeviceId, EventId, RoomId, UserId
from bot.matrix.crypto.crypto_store import CryptoStore, name_of
from bot.matrix.crypto.devices import MEGOLM, DeviceKeys
from bot.matrix.crypto.megolm import Rotation
from bot.matrix.model import Content, Event

AT_ONCE = 100  # devices in one request
WITHHELD = "m.room_key.withheld"
NO_OLM = "m.no_olm"
_MAX_CODE = 64


class KeyLost(BotError):
    """Our session in a room was replaced while its key was being shared, so the sharing must start again."""


@dataclass(frozen=True, slots=True)
class RoomReaders:
    """The users who should be able to read our next message in a room, and the room's session rotation."""

    users: tuple[UserId, ...]
    rotation: Rotation


@dataclass(frozen=True, slots=True)
class KeyShares:
    """Our *session* in a room, the content of the `m.room_key` with its key, and the devices that lack the key."""

    session: str
    key: Content
    devices: tuple[DeviceKeys, ...]

    def portions(self) -> Iterator[Sequence[DeviceKeys]]:
        """Return the devices in batches, as many as fit in one request."""
        return (self.devices[start : start + AT_ONCE] for start in range(0, len(self.devices), AT_ONCE))


@dataclass(frozen=True, slots=True)
class ToDeviceMessages:
    """To-device *messages* of one type by user and device; they bring the key of *session* to *devices*."""

    messages: Mapping[UserId, Mapping[DeviceId, Content]]
    type: str = "m.room.encrypted"
    session: str = ""
    devices: tuple[DeviceKeys, ...] = ()

    def for_devices(self, devices: Sequence[DeviceKeys]) -> Mapping[UserId, Mapping[DeviceId, Content]]:
        """Return the messages for some of the devices."""
        chosen: dict[UserId, dict[DeviceId, Content]] = {}
        for device in devices:
            chosen.setdefault(device.user, {})[device.id] = self.messages[device.user][device.id]
        return chosen


@dataclass(frozen=True, slots=True)
class KeyShared:
    """A record that all reachable devices of *audience* have the key of *session*, valid while *changes* is the same.

    *until* is a time of the monotonic clock, at which unreachable devices are tried again.
    """

    audience: RoomReaders
    session: str
    changes: int
    until: float


@dataclass(frozen=True, slots=True)
class DecryptedTimelines:
    """Decrypted timelines; *done* are waiting messages to be dropped once these timelines are stored."""

    timelines: Mapping[RoomId, tuple[Event, ...]]
    done: tuple[EventId, ...]


MAX_OF_USER, MAX_IN_ALL = 200, 5_000
_FROM_US, _TOLD = "withheld", "no_olm"


class WithheldKeys:
    """The keys that others withhold from us, and the devices that were notified that they get none."""

    def __init__(self, vault: CryptoStore) -> None:
        self._vault = vault

    def learn(self, sender: UserId, content: Content) -> tuple[RoomId, str] | None:
        """Store that *sender* withholds the key of a session, and return the room and session id; None without them."""
        match content:
            case {"algorithm": str(algorithm), "room_id": str(room), "session_id": str(session), "code": str(code)}:
                pass
            case _:
                return None
        if algorithm != MEGOLM or code == NO_OLM:
            return None
        owner = name_of(sender)
        self._vault.put(_FROM_US, name_of(room, session, sender), code[:_MAX_CODE], owner)
        self._vault.keep_newest(_FROM_US, MAX_OF_USER, owner)
        self._vault.keep_newest(_FROM_US, MAX_IN_ALL)
        return RoomId(room), session

    def code(self, room: RoomId, session: str, sender: UserId) -> str | None:
        """Return the specification's code for why *sender* withholds the key of a session; None if they do not."""
        return self._vault.get(_FROM_US, name_of(room, session, sender))

    def is_notified(self, device: DeviceKeys) -> bool:
        """Return whether *device* was notified that it gets no keys."""
        return self._vault.get(_TOLD, device.name) is not None

    def mark_notified(self, device: DeviceKeys) -> None:
        """Store that *device* was notified that it gets no keys."""
        self._vault.put(_TOLD, device.name, "1", name_of(device.user))

    def note_contact(self, device: DeviceKeys) -> None:
        """Forget the notice to *device*, because there is an Olm session with it; if that breaks, notify it again."""
        self._vault.drop(_TOLD, device.name)

    def tidy(self, before: int) -> None:
        """Delete entries written *before*, in seconds since the epoch."""
        for kind in (_FROM_US, _TOLD):
            self._vault.drop_older(kind, before)


def no_olm(sender_key: str) -> Content:
    """Return the message to a device for which keys cannot be encrypted."""
    return {"algorithm": MEGOLM, "sender_key": sender_key, "code": NO_OLM}
