"""Devices that encrypt for each other, without a homeserver between them."""

import weakref
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bot.clock import VirtualClock
from bot.ids import DeviceId, EventId, RoomId, UserId
from bot.matrix.crypto import account
from bot.matrix.crypto.crypto_store import CryptoStore
from bot.matrix.crypto.key_sharing import DecryptedTimelines, RoomReaders, ToDeviceMessages
from bot.matrix.crypto.machine import CryptoMachine
from bot.matrix.crypto.megolm import Rotation
from bot.matrix.model import Content, Event, KeyUpdates, ToDeviceEvent

ROOM = RoomId("!room:hs")
_ONE = DeviceId("ONE")


@dataclass
class Device:
    """A device in a folder of its own; its keys are given away once each, as a homeserver does."""

    folder: Path
    user: UserId
    id: DeviceId = _ONE
    clock: VirtualClock = field(default_factory=VirtualClock)

    def __post_init__(self) -> None:
        """Make it, or take up what is kept of it."""
        self.vault = CryptoStore.open(self.folder)
        weakref.finalize(self, self.vault.close)  # which Python 3.13 and newer insist on
        with self.vault.transaction(0):
            own = account.load(self.vault, self.user, self.id) or account.create(self.vault, self.user, self.id)
        self.machine = CryptoMachine(self.vault, own, self.clock)
        self.uploaded: dict[str, object] = {}
        self.upload()

    def upload(self, on_server: int | None = None, *, fallback_used: bool = False) -> Content:
        """Give keys away; what is given."""
        keys = self.machine.keys_to_upload(on_server, fallback_used=fallback_used)
        self.machine.keys_uploaded()
        told = keys.get("one_time_keys")
        self.uploaded |= told if isinstance(told, dict) else {}
        return keys

    def queried(self) -> Content:
        """What a homeserver tells of this device."""
        return {"device_keys": {self.user: {self.id: self.machine.own.device_keys()}}}

    def claimed(self) -> Content:
        """One of its one-time keys."""
        name = next(iter(self.uploaded))
        return {"one_time_keys": {self.user: {self.id: {name: self.uploaded.pop(name)}}}}

    def knows(self, *others: "Device") -> None:
        """Ask for the devices of others."""
        for other in others:
            self.machine.learn_devices(other.queried(), self.machine.to_query([other.user]))

    def meets(self, *others: "Device") -> None:
        """Be able to write to others."""
        self.knows(*others)
        for other in others:
            if wanted := self.machine.to_claim([other.user]):
                self.machine.begin(other.claimed(), wanted)

    def gives_key(self, *others: "Device", rotation: Rotation | None = None) -> tuple[ToDeviceMessages, ...]:
        """Give the key of the next message to *others*, and to nobody else."""
        parcels = self.parcels(*(each.user for each in others), rotation=rotation)
        for parcel in parcels:
            for other in others:
                other.hears(*parcel_for(self, other, parcel))
            self.machine.arrived(ROOM, parcel)
        return parcels

    def parcels(self, *users: UserId, rotation: Rotation | None = None) -> tuple[ToDeviceMessages, ...]:
        """What is to be sent so that *users* can read the next message."""
        shares = self.machine.lacking(ROOM, RoomReaders(users, rotation or Rotation()))
        return tuple(self.machine.parcel(ROOM, shares, devices) for devices in shares.portions())

    def is_settled(self, *users: UserId) -> bool:
        """Whether it is known that *users* can read the next message."""
        return self.machine.is_settled(ROOM, RoomReaders(users, Rotation()))

    def hears(self, *events: ToDeviceEvent) -> None:
        """Take in what was sent to the device."""
        self.machine.feed(KeyUpdates(to_device=events), is_new=False)

    def says(self, body: str, number: str = "$1", **more: object) -> Event:
        """A message in the room."""
        content = self.machine.encrypt(ROOM, "m.room.message", {"msgtype": "m.text", "body": body})
        sent_at = self.clock.now()
        return Event(EventId(number), self.user, "m.room.encrypted", {**content, **more}, sent_at)

    def reads(self, *events: Event, patience: float | None = 20, room: RoomId = ROOM) -> DecryptedTimelines:
        """What *events* in the room say."""
        return self.machine.read({room: events} if events else {}, [ROOM], patience)


def parcel_for(sender: Device, device: Device, parcel: ToDeviceMessages) -> tuple[ToDeviceEvent, ...]:
    """What *device* gets of a parcel."""
    content = parcel.messages.get(device.user, {}).get(device.id)
    return () if content is None else (ToDeviceEvent(sender.user, "m.room.encrypted", content),)


def bodies(read: DecryptedTimelines, room: RoomId = ROOM) -> list[object]:
    """What was read in a room."""
    return [event.content.get("body") for event in read.timelines.get(room, ())]


def copied(event: Event, number: str) -> Event:
    """The same once more, as another event."""
    return replace(event, id=EventId(number), sent_at=datetime(2026, 1, 2, tzinfo=UTC))
