"""Device keys and signatures of JSON objects (Matrix specification, appendix "Signing JSON"). Pure.

Device keys in a response are accepted only if they are signed by the device itself.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeGuard

import vodozemac

from bot.ids import DeviceId, UserId
from bot.matrix.content import encoded
from bot.matrix.crypto.crypto_store import name_of
from bot.matrix.crypto.errors import CryptoRefused, refusing
from bot.matrix.model import Content

_UNSIGNED = frozenset({"signatures", "unsigned"})
_KEY_BYTES = 32
OLM = "m.olm.v1.curve25519-aes-sha2"
MEGOLM = "m.megolm.v1.aes-sha2"
MAX_DEVICES = 200  # of one user; more are an error or an attack
_MAX_ID = 512  # characters
_MAX_CLAIMED = 4  # keys of one device in a response that should have one


def unpadded(data: bytes) -> str:
    """Return unpadded base64 (appendix "Unpadded Base64")."""
    return base64.b64encode(data).rstrip(b"=").decode()


def unpacked(text: str) -> bytes:
    """Return the bytes in unpadded base64. Raises `ValueError` if it is invalid."""
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)


def is_key(text: object) -> TypeGuard[str]:
    """Return whether *text* is a public key: 32 bytes in canonical unpadded base64."""
    try:
        key = unpacked(text) if isinstance(text, str) and len(text) < 2 * _KEY_BYTES else b""
    except ValueError:
        return False
    return len(key) == _KEY_BYTES and unpadded(key) == text


def signed_part(content: Content) -> bytes:
    """Return the bytes that a signature of *content* covers."""
    return encoded({name: value for name, value in content.items() if name not in _UNSIGNED})


def signature_in(content: Content, user: str, key_id: str) -> str | None:
    """Return the unverified signature of *user* in *content* by the key *key_id* ("ed25519:…"), or None."""
    signatures = content.get("signatures")
    ours = signatures.get(user) if isinstance(signatures, Mapping) else None
    signature = ours.get(key_id) if isinstance(ours, Mapping) else None
    return signature if isinstance(signature, str) else None


def is_signed(content: Content, user: str, key_id: str, key: str) -> bool:
    """Return whether *content* has a valid signature of *user* by the ed25519 *key* (base64) named *key_id*."""
    signature = signature_in(content, user, key_id)
    if signature is None or not is_key(key):
        return False
    try:
        with refusing():
            public = vodozemac.Ed25519PublicKey.from_base64(key)
            public.verify_signature(signed_part(content), vodozemac.Ed25519Signature.from_base64(signature))
    except CryptoRefused:
        return False
    return True


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """A device and its public keys, in unpadded base64."""

    user: UserId
    id: DeviceId
    curve25519: str
    ed25519: str

    @property
    def name(self) -> str:
        """The unique name of the device in the store; includes the user, because others may publish its key or id."""
        return name_of(self.user, self.curve25519, self.id)


Devices = Mapping[DeviceId, DeviceKeys]


def devices_of(user: UserId, response: object, known: Devices) -> dict[DeviceId, DeviceKeys]:
    """Return the devices of *user* in a response; the keys of a known one never change.

    Known devices come first, so that a flood of new ones does not displace them.
    """
    listed = response if isinstance(response, Mapping) else {}
    names = sorted(filter(_is_id, listed), key=lambda name: name not in known)[:MAX_DEVICES]
    devices = (device_of(user, DeviceId(name), listed[name]) for name in names)
    return {device.id: known.get(device.id, device) for device in devices if device is not None}


def device_of(user: UserId, device: DeviceId, published: object) -> DeviceKeys | None:
    """Return the keys of a device that can receive room keys; None if the device itself did not sign *published*."""
    if not isinstance(published, Mapping) or published.get("user_id") != user or published.get("device_id") != device:
        return None
    algorithms, keys = published.get("algorithms"), published.get("keys")
    if not isinstance(algorithms, list) or MEGOLM not in algorithms or not isinstance(keys, Mapping):
        return None
    curve, ed = keys.get(f"curve25519:{device}"), keys.get(f"ed25519:{device}")
    if not is_key(curve) or not is_key(ed) or not is_signed(published, user, f"ed25519:{device}", ed):
        return None
    return DeviceKeys(user, device, curve, ed)


def is_user(name: str) -> bool:
    """Return whether *name* is a possible user id; a homeserver rejects a whole request that has an impossible one."""
    return name.startswith("@") and ":" in name and len(name) <= _MAX_ID and _is_text(name)


def _is_id(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _MAX_ID and _is_text(name)


def _is_text(name: str) -> bool:
    """Return whether every database and every JSON library accepts *name*."""
    return not any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in name)


def one_time_key(claimed: object, device: DeviceKeys) -> str | None:
    """Return the one-time key of *device* in a response to a claim; None if the device did not sign it."""
    for name, key in islice(claimed.items() if isinstance(claimed, Mapping) else (), _MAX_CLAIMED):
        if isinstance(name, str) and name.startswith("signed_curve25519:") and isinstance(key, Mapping):
            value = key.get("key")
            if is_key(value) and is_signed(key, device.user, f"ed25519:{device.id}", device.ed25519):
                return value
    return None


def device_keys_in(answer: Content, user: UserId, device: DeviceId) -> Content | None:
    """Return the keys of one device in a response to a query; None if it does not contain them."""
    users = answer.get("device_keys")
    devices = users.get(user) if isinstance(users, Mapping) else None
    keys = devices.get(device) if isinstance(devices, Mapping) else None
    return keys if isinstance(keys, Mapping) else None
