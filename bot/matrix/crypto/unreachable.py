"""Users and devices that cannot be given keys now: left out, notified once, and retried at growing intervals."""

from collections.abc import Callable, Iterable

from bot.backoff import DEVICES, RetryTimes
from bot.ids import DeviceId, UserId
from bot.matrix.crypto.devices import DeviceKeys
from bot.matrix.crypto.errors import DEVICE_LEFT_OUT, REQUEST_REFUSED, Faults
from bot.matrix.crypto.key_sharing import AT_ONCE, WITHHELD, ToDeviceMessages, WithheldKeys, no_olm
from bot.matrix.model import Content

MOST = 100_000


class UnreachableDevices:
    """The users and devices left out for a while; *now* is the monotonic clock."""

    def __init__(self, now: Callable[[], float], withheld: WithheldKeys, faults: Faults) -> None:
        self._patience = RetryTimes(now, DEVICES, MOST)  # with users, and with devices by their names
        self._withheld = withheld
        self._faults = faults
        self._untold: dict[str, DeviceKeys] = {}

    def is_put_off(self, whom: UserId | DeviceKeys) -> bool:
        """Return whether it is too early for a retry."""
        return self._patience.is_put_off(whom.name if isinstance(whom, DeviceKeys) else whom)

    def next_try(self, latest: float) -> float:
        """Return when the first retry is due, at most *latest*; by the monotonic clock."""
        return self._patience.next_try(latest)

    def answered(self, users: Iterable[UserId], missing: Iterable[UserId]) -> None:
        """Count a response about *users* as a success, except for those *missing* in it."""
        for user in users:
            self._patience.works(user)
        for user in missing:
            self._patience.put_off(user)

    def put_off(self, whom: UserId | DeviceKeys, reason: str) -> None:
        """Leave out a user or a device, because the homeserver refuses requests that contain it."""
        if isinstance(whom, DeviceKeys):
            name, user, reason = whom.name, whom.user, f"device {whom.id}: {reason}"
        else:
            name = user = whom
        self._patience.put_off(name)
        self._faults.add(REQUEST_REFUSED, f"devices of {user}", reason)

    def without_key(self, device: DeviceKeys, *, is_away: bool) -> None:
        """Leave out a device without a one-time key; notify it, unless its homeserver did not respond (*is_away*)."""
        self._patience.put_off(device.name)
        if not is_away and not self._withheld.is_notified(device):
            self._untold[device.name] = device

    def left_out(self, device: DeviceKeys, reason: str) -> None:
        """Leave out a device for which messages cannot be encrypted."""
        self.without_key(device, is_away=False)
        self._faults.add(DEVICE_LEFT_OUT, f"devices of {device.user}", f"device {device.id}: {reason}")

    def note_contact(self, device: DeviceKeys) -> None:
        """Use a device again, because there is a new Olm session with it."""
        self._patience.works(device.name)
        self._untold.pop(device.name, None)
        self._withheld.note_contact(device)

    def notices(self, sender_key: str) -> ToDeviceMessages:
        """Return the messages to devices that were not notified yet."""
        devices = tuple(self._untold.values())[:AT_ONCE]
        messages: dict[UserId, dict[DeviceId, Content]] = {}
        for device in devices:
            messages.setdefault(device.user, {})[device.id] = no_olm(sender_key)
        return ToDeviceMessages(messages, WITHHELD, devices=devices)

    def noticed(self, devices: Iterable[DeviceKeys]) -> None:
        """Mark *devices* as notified, or as refused by the homeserver."""
        for device in devices:
            self._untold.pop(device.name, None)
            self._withheld.mark_notified(device)
