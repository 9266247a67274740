"""Device lists of the users in our rooms, kept up to date (Matrix specification, "Tracking the device list").

An update from the homeserver during a query overrides the response to that query: each list has a mark that changes
with each update, and a response is only up to date if the mark is unchanged.
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
    """The devices of a user; if *stale*, they must be queried from the homeserver."""

    devices: Devices = field(default_factory=dict)
    stale: bool = True
    mark: int = 0


class DeviceLists:
    """The device lists of all tracked users; each is read from the crypto store once."""

    def __init__(self, vault: CryptoStore) -> None:
        self.changes = 0  # increases with each change of a list
        self._vault = vault
        self._read: dict[UserId, DeviceList] = {}

    def clear_cache(self) -> None:
        """Clear the cache, because the last write may have been rolled back."""
        self._read.clear()
        self.changes += 1

    def changed(self, users: Iterable[UserId]) -> None:
        """Mark the lists of *users* as stale, because the homeserver reports that their devices changed."""
        for user in users:
            if known := self._list(user):
                self._put(user, replace(known, stale=True, mark=known.mark + 1))

    def left(self, users: Iterable[UserId]) -> None:
        """Drop the lists of *users*, for whom the homeserver sends no more updates."""
        for user in users:
            if self._list(user) is not None:
                self._vault.drop(_KIND, user)
                self._read.pop(user, None)
                self.changes += 1

    def doubt_all(self) -> None:
        """Mark all lists as stale, because updates were lost."""
        self.changed([UserId(user) for user in self._vault.keys(_KIND)])

    def to_query(self, users: Iterable[UserId]) -> dict[UserId, int]:
        """Return those of *users* whose devices must be queried, with their marks."""
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
        """Store the response to a query for the users in *marks*, and return the users that it does not contain."""
        users = answer.get("device_keys")
        listed = users if isinstance(users, Mapping) else {}
        for user, mark in marks.items():
            known = self._list(user)
            if user in listed and known is not None:
                devices = devices_of(user, listed[user], known.devices)
                self._put(user, DeviceList(devices, stale=known.mark != mark, mark=known.mark))
        return {user for user in marks if user not in listed}

    def of(self, user: UserId) -> Devices:
        """Return the known devices of *user*."""
        known = self._list(user)
        return known.devices if known is not None else {}

    def has(self, user: UserId, device: DeviceId) -> bool:
        """Return whether *user* is known to have this device."""
        return device in self.of(user)

    def by_curve(self, user: UserId, curve25519: str) -> DeviceKeys | None:
        """Return the device of *user* with this identity key; None if there is none."""
        return next((device for device in self.of(user).values() if device.curve25519 == curve25519), None)

    def _list(self, user: UserId) -> DeviceList | None:
        """Return the device list of *user*; None if it was never queried."""
        if (known := self._read.get(user)) is None and (stored := loaded(self._vault.get(_KIND, user))):
            known = self._read[user] = _unpacked(user, stored)
        return known

    def _put(self, user: UserId, known: DeviceList) -> None:
        devices = {device.id: [device.curve25519, device.ed25519] for device in known.devices.values()}
        content = {"devices": devices, "stale": known.stale, "mark": known.mark}
        self._vault.put(_KIND, user, json.dumps(content))
        self._read[user] = known
        self.changes += 1


def _unpacked(user: UserId, stored: Content) -> DeviceList:
    devices, mark = stored.get("devices"), stored.get("mark")
    known = devices.items() if isinstance(devices, dict) else ()
    return DeviceList(
        {DeviceId(name): DeviceKeys(user, DeviceId(name), curve, ed) for name, (curve, ed) in known},
        stale=stored.get("stale") is not False,
        mark=mark if isinstance(mark, int) else 0,
    )
