"""What homeservers tell of the devices of users: their keys, as far as they are signed by the device itself. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.ids import DeviceId, UserId
from bot.matrix.crypto.signatures import is_signed
from bot.matrix.model import Content

OLM = "m.olm.v1.curve25519-aes-sha2"
MEGOLM = "m.megolm.v1.aes-sha2"
MAX_DEVICES = 200  # of one user; more are somebody's mistake, or a way to keep us busy


@dataclass(frozen=True, slots=True)
class Device:
    """A device and its public keys, in unpadded base64."""

    user: UserId
    id: DeviceId
    curve25519: str
    ed25519: str


Devices = Mapping[DeviceId, Device]


def devices_of(user: UserId, told: object, known: Devices) -> dict[DeviceId, Device]:
    """The devices of *user* that an answer lists; the keys of a known one never change."""
    listed = list(told.items())[:MAX_DEVICES] if isinstance(told, Mapping) else []
    found = (device_of(user, DeviceId(name), keys) for name, keys in listed)
    return {device.id: known.get(device.id, device) for device in found if device is not None}


def device_of(user: UserId, device: DeviceId, told: object) -> Device | None:
    """What *told* says of a device that can take room keys; None where it is not its own word."""
    if not isinstance(told, Mapping) or told.get("user_id") != user or told.get("device_id") != device:
        return None
    algorithms, keys = told.get("algorithms"), told.get("keys")
    if not isinstance(algorithms, list) or MEGOLM not in algorithms or not isinstance(keys, Mapping):
        return None
    curve, ed = keys.get(f"curve25519:{device}"), keys.get(f"ed25519:{device}")
    if not isinstance(curve, str) or not isinstance(ed, str) or not is_signed(told, user, f"ed25519:{device}", ed):
        return None
    return Device(user, device, curve, ed)


def one_time_key(told: object, device: Device) -> str | None:
    """The key in an answer to a claim, which has one for a device; None where the device did not sign it."""
    for name, key in told.items() if isinstance(told, Mapping) else ():
        if isinstance(name, str) and name.startswith("signed_curve25519:") and isinstance(key, Mapping):
            value = key.get("key")
            if isinstance(value, str) and is_signed(key, device.user, f"ed25519:{device.id}", device.ed25519):
                return value
    return None


def keys_told(answer: Content, user: UserId, device: DeviceId) -> Content | None:
    """What an answer to a query says of one device; None where it does not know it."""
    users = answer.get("device_keys")
    devices = users.get(user) if isinstance(users, Mapping) else None
    found = devices.get(device) if isinstance(devices, Mapping) else None
    return found if isinstance(found, Mapping) else None
