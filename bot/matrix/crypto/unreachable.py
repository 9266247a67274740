"""Users and devices that keys cannot be given to now: left out, told so once, and retried later and later."""

from collections.abc import Callable, Iterable

from bot.ids import DeviceId, UserId
from bot.matrix.crypto.devices import DeviceKeys
from bot.matrix.crypto.errors import DEVICE_LEFT_OUT, REQUEST_REFUSED, Faults
from bot.matrix.crypto.key_sharing import AT_ONCE, WITHHELD, ToDeviceMessages, WithheldKeys, no_olm
from bot.matrix.model import Content

FIRST_SECONDS = 300.0
LONGEST_SECONDS = 3_600.0
MOST = 100_000


class RetryTimes:
    """Waits that double while something does not work, by the monotonic clock *now*; kept in memory."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waits: dict[str, tuple[float, float]] = {}  # what: until when, and how long that was

    def put_off(self, name: str) -> None:
        """It did not work: wait twice as long as the last time."""
        _, last = self._waits.pop(name, (0.0, FIRST_SECONDS / 2))
        seconds = min(last * 2, LONGEST_SECONDS)
        self._waits[name] = self._now() + seconds, seconds
        if len(self._waits) > MOST:
            del self._waits[next(iter(self._waits))]

    def is_put_off(self, name: str) -> bool:
        """Whether it is too early to try again."""
        return name in self._waits and self._now() < self._waits[name][0]

    def works(self, name: str) -> None:
        """It worked."""
        self._waits.pop(name, None)

    def next_try(self, latest: float) -> float:
        """When the first of all waits is over, *latest* at the latest; by the monotonic clock."""
        return min((until for until, _ in self._waits.values() if until > self._now()), default=latest)


class UnreachableDevices:
    """Whom we do without for a while; *now* is the monotonic clock."""

    def __init__(self, now: Callable[[], float], withheld: WithheldKeys, faults: Faults) -> None:
        self._patience = RetryTimes(now)  # with users, and with devices by their names
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
