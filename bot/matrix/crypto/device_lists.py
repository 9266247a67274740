"""The devices of the users we share rooms with, kept up to date (Matrix specification, "Tracking the device list").

What a homeserver says while it is being asked counts more than its answer: each list has a mark that changes with every
such word, and an answer is up to date only where the mark is still what it was.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bot.ids import DeviceId, UserId
from bot.matrix.crypto.crypto_store import CryptoStore, loaded
from bot.matrix.crypto.devices import DeviceKeys, Devices, devices_of
from bot.matrix.model import Content

Marks = Mapping[UserId, int]
_KIND = "user"


@dataclass(frozen=True, slots=True)
class DeviceList:
    """The devices of a user; *stale*: the homeserver must be asked for them."""

    devices: Devices = field(default_factory=dict)
    stale: bool = True
    mark: int = 0


class DeviceLists:
    """Whose devices are known; each list is read from the vault once."""

    def __init__(self, vault: CryptoStore) -> None:
        self.changes = 0  # grows whenever a list changes
        self._vault = vault
        self._read: dict[UserId, DeviceList] = {}

    def forget_what_was_read(self) -> None:
        """Read all lists anew: what was written last may not have been kept."""
        self._read.clear()
        self.changes += 1

    def changed(self, users: Iterable[UserId]) -> None:
        """The homeserver says that these have other devices now."""
        for user in users:
            if known := self._list(user):
                self._put(user, replace(known, stale=True, mark=known.mark + 1))

    def left(self, users: Iterable[UserId]) -> None:
        """The homeserver tells of these no more."""
        for user in users:
            if self._list(user) is not None:
                self._vault.drop(_KIND, user)
                self._read.pop(user, None)
                self.changes += 1

    def doubt_all(self) -> None:
        """What was said meanwhile is lost."""
        self.changed([UserId(user) for user in self._vault.keys(_KIND)])

    def to_query(self, users: Iterable[UserId]) -> dict[UserId, int]:
        """Those of *users* whose devices must be asked for, with their marks."""
        marks: dict[UserId, int] = {}
        for user in users:
            known = self._list(user)
            if known is None:
                known = DeviceList()
                self._put(user, known)
            if known.stale:
                marks[user] = known.mark
        return marks

    def learn(self, answer: Content, marks: Marks) -> set[UserId]:
        """Take in the answer to a query for the users with these *marks*; those it tells nothing of."""
        users = answer.get("device_keys")
        listed = users if isinstance(users, Mapping) else {}
        for user, mark in marks.items():
            known = self._list(user)
            if user in listed and known is not None:
                devices = devices_of(user, listed[user], known.devices)
                self._put(user, DeviceList(devices, stale=known.mark != mark, mark=known.mark))
        return {user for user in marks if user not in listed}

    def of(self, user: UserId) -> Devices:
        """The devices of *user* as far as they are known."""
        known = self._list(user)
        return known.devices if known is not None else {}

    def has(self, user: UserId, device: DeviceId) -> bool:
        """Whether *user* has this device, as far as is known."""
        return device in self.of(user)

    def by_curve(self, user: UserId, curve25519: str) -> DeviceKeys | None:
        """The device of *user* with this key."""
        return next((device for device in self.of(user).values() if device.curve25519 == curve25519), None)

    def _list(self, user: UserId) -> DeviceList | None:
        """None where the user's devices were never asked for."""
        if (known := self._read.get(user)) is None and (told := loaded(self._vault.get(_KIND, user))):
            known = self._read[user] = _unpacked(user, told)
        return known

    def _put(self, user: UserId, known: DeviceList) -> None:
        devices = {device.id: [device.curve25519, device.ed25519] for device in known.devices.values()}
        told = {"devices": devices, "stale": known.stale, "mark": known.mark}
        self._vault.put(_KIND, user, json.dumps(told))
        self._read[user] = known
        self.changes += 1


def _unpacked(user: UserId, told: Content) -> DeviceList:
    devices, mark = told.get("devices"), told.get("mark")
    known = devices.items() if isinstance(devices, dict) else ()
    return DeviceList(
        {DeviceId(name): DeviceKeys(user, DeviceId(name), curve, ed) for name, (curve, ed) in known},
        stale=told.get("stale") is not False,
        mark=mark if isinstance(mark, int) else 0,
    )
