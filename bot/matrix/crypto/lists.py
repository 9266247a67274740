"""The devices of the users we share rooms with, kept up to date (Matrix specification, "Tracking the device list").

What a homeserver says while it is being asked counts more than its answer: each list has a mark that changes with every
such word, and an answer is up to date only where the mark is still what it was.
"""

import json
from collections.abc import Iterable, Mapping

from bot.ids import DeviceId, UserId
from bot.matrix.crypto.devices import Device, devices_of
from bot.matrix.crypto.vault import Vault, loaded
from bot.matrix.model import Content

Marks = Mapping[UserId, int]
_KIND = "user"


class DeviceLists:
    """Whose devices are known."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def changed(self, users: Iterable[UserId]) -> None:
        """The homeserver says that these have other devices now."""
        for user in users:
            if told := loaded(self._vault.get(_KIND, user)):
                self._put(user, {**told, "stale": True, "mark": _mark(told) + 1})

    def left(self, users: Iterable[UserId]) -> None:
        """The homeserver tells of these no more."""
        for user in users:
            self._vault.drop(_KIND, user)

    def doubt_all(self) -> None:
        """What was said meanwhile is lost."""
        self.changed([UserId(user) for user in self._vault.all(_KIND)])

    def to_query(self, users: Iterable[UserId]) -> dict[UserId, int]:
        """Those of *users* whose devices must be asked for, with their marks."""
        marks: dict[UserId, int] = {}
        for user in users:
            told = loaded(self._vault.get(_KIND, user))
            if not told:
                told = {"devices": {}, "stale": True, "mark": 0}
                self._put(user, told)
            if told.get("stale") is not False:
                marks[user] = _mark(told)
        return marks

    def learn(self, answer: Content, marks: Marks) -> set[UserId]:
        """Take in the answer to a query for the users with these *marks*; those it tells nothing of."""
        users = answer.get("device_keys")
        listed = users if isinstance(users, Mapping) else {}
        for user, mark in marks.items():
            told = loaded(self._vault.get(_KIND, user))
            if user in listed and told:
                devices = devices_of(user, listed[user], self.of(user))
                is_fresh = _mark(told) == mark
                self._put(user, {"devices": _packed(devices), "stale": not is_fresh, "mark": _mark(told)})
        return {user for user in marks if user not in listed}

    def of(self, user: UserId) -> dict[DeviceId, Device]:
        """The devices of *user* as far as they are known."""
        devices = loaded(self._vault.get(_KIND, user)).get("devices")
        known = devices if isinstance(devices, dict) else {}
        return {DeviceId(name): Device(user, DeviceId(name), curve, ed) for name, (curve, ed) in known.items()}

    def by_curve(self, user: UserId, curve25519: str) -> Device | None:
        """The device of *user* with this key."""
        return next((device for device in self.of(user).values() if device.curve25519 == curve25519), None)

    def _put(self, user: UserId, told: Content) -> None:
        self._vault.put(_KIND, user, json.dumps(told))


def _packed(devices: Mapping[DeviceId, Device]) -> dict[str, list[str]]:
    return {device.id: [device.curve25519, device.ed25519] for device in devices.values()}


def _mark(told: Content) -> int:
    mark = told.get("mark")
    return mark if isinstance(mark, int) else 0
