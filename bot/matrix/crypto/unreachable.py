"""Users and devices that keys cannot be given to now: left out, told so once, and retried later and later."""

from collections.abc import Callable, Iterable

from bot.backoff import DEVICES, RetryTimes
from bot.ids import DeviceId, UserId
from bot.matrix.crypto.devices import DeviceKeys
from bot.matrix.crypto.errors import DEVICE_LEFT_OUT, REQUEST_REFUSED, Faults
from bot.matrix.crypto.key_sharing import AT_ONCE, WITHHELD, ToDeviceMessages, WithheldKeys, no_olm
from bot.matrix.model import Content

MOST = 100_000


class UnreachableDevices:
    """Whom we do without for a while; *now* is the monotonic clock."""

    def __init__(self, now: Callable[[], float], withheld: WithheldKeys, faults: Faults) -> None:
        self._patience = RetryTimes(now, DEVICES, MOST)  # with users, and with devices by their names
        self._withheld = withheld
        self._faults = faults
        self._untold: dict[str, DeviceKeys] = {}

    def is_put_off(self, whom: UserId | DeviceKeys) -> bool:
        """Whether it is too early to try again."""
        return self._patience.is_put_off(whom.name if isinstance(whom, DeviceKeys) else whom)

    def next_try(self, latest: float) -> float:
        """When the first of them is tried again, *latest* at the latest; by the monotonic clock."""
        return self._patience.next_try(latest)

    def answered(self, users: Iterable[UserId], missing: Iterable[UserId]) -> None:
        """The homeserver told of *users*, but nothing of those *missing*."""
        for user in users:
            self._patience.works(user)
        for user in missing:
            self._patience.put_off(user)

    def put_off(self, whom: UserId | DeviceKeys, reason: str) -> None:
        """The homeserver refuses requests that it is in."""
        if isinstance(whom, DeviceKeys):
            name, user, reason = whom.name, whom.user, f"device {whom.id}: {reason}"
        else:
            name = user = whom
        self._patience.put_off(name)
        self._faults.add(REQUEST_REFUSED, f"devices of {user}", reason)

    def without_key(self, device: DeviceKeys, *, is_away: bool) -> None:
        """There is no key to begin a conversation with; *is_away*: its homeserver did not answer, so it is not told."""
        self._patience.put_off(device.name)
        if not is_away and not self._withheld.is_told(device):
            self._untold[device.name] = device

    def left_out(self, device: DeviceKeys, reason: str) -> None:
        """It cannot be encrypted for."""
        self.without_key(device, is_away=False)
        self._faults.add(DEVICE_LEFT_OUT, f"devices of {device.user}", f"device {device.id}: {reason}")

    def met(self, device: DeviceKeys) -> None:
        """There is a new conversation with it."""
        self._patience.works(device.name)
        self._untold.pop(device.name, None)
        self._withheld.met(device)

    def notices(self, sender_key: str) -> ToDeviceMessages:
        """What those are to be told that were not yet."""
        devices = tuple(self._untold.values())[:AT_ONCE]
        messages: dict[UserId, dict[DeviceId, Content]] = {}
        for device in devices:
            messages.setdefault(device.user, {})[device.id] = no_olm(sender_key)
        return ToDeviceMessages(messages, WITHHELD, devices=devices)

    def noticed(self, devices: Iterable[DeviceKeys]) -> None:
        """These were told, or the homeserver does not want them to be."""
        for device in devices:
            self._untold.pop(device.name, None)
            self._withheld.told(device)
