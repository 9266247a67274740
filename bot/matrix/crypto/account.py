"""The keys of our own device: its identity keys, and the keys with which others start Olm sessions."""

from dataclasses import dataclass
from pathlib import Path

import vodozemac

from bot.ids import DeviceId, UserId
from bot.matrix.crypto import crypto_store as vaults
from bot.matrix.crypto.crypto_store import CryptoStore, CryptoStoreDamaged
from bot.matrix.crypto.devices import MEGOLM, OLM, signature_in, signed_part
from bot.matrix.model import Content

_KIND = "own"
_MAX_SIGNATURE = 500  # characters, including the name of its key


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """Our user and device, and the account with its keys."""

    user: UserId
    device: DeviceId
    account: vodozemac.Account

    @property
    def curve25519(self) -> str:
        """The identity key to which others encrypt."""
        return self.account.curve25519_key.to_base64()

    @property
    def ed25519(self) -> str:
        """The key with which we sign."""
        return self.account.ed25519_key.to_base64()

    def signed(self, content: Content) -> Content:
        """Return *content* with our device's signature."""
        signature = self.account.sign(signed_part(content)).to_base64()
        return {**content, "signatures": {self.user: {f"ed25519:{self.device}": signature}}}

    def device_keys(self) -> Content:
        """Return the device keys that the homeserver publishes for us."""
        return self.signed(
            {
                "algorithms": [OLM, MEGOLM],
                "device_id": self.device,
                "user_id": self.user,
                "keys": {f"curve25519:{self.device}": self.curve25519, f"ed25519:{self.device}": self.ed25519},
            }
        )

    def also_signed(self, signatures: Content) -> Content:
        """Return our device keys with added *signatures* of our user's other keys, such as the self-signing key."""
        keys = self.device_keys()
        good = {name: text for name, text in signatures.items() if isinstance(text, str) and _is_signature(name, text)}
        own = signature_in(keys, self.user, f"ed25519:{self.device}")
        return {**keys, "signatures": {self.user: {**good, f"ed25519:{self.device}": own}}}

    def one_time_keys(self) -> Content:
        """Return the signed one-time keys that are not uploaded yet."""
        keys = self.account.one_time_keys
        return {f"signed_curve25519:{number}": self.signed({"key": key.to_base64()}) for number, key in keys.items()}

    def fallback_keys(self) -> Content:
        """Return the signed fallback key if it is not uploaded yet; used when no one-time keys are left."""
        keys: dict[str, vodozemac.Curve25519PublicKey] = self.account.fallback_key  # type: ignore[attr-defined]  # its stub lacks it
        return {
            f"signed_curve25519:{number}": self.signed({"key": key.to_base64(), "fallback": True})
            for number, key in keys.items()
        }

    def generate_keys(self, on_server: int, *, fallback: bool) -> None:
        """Generate missing one-time keys, besides those not uploaded yet, and a *fallback* key if requested."""
        short = self.account.max_number_of_one_time_keys - on_server - len(self.account.one_time_keys)
        if short > 0:
            self.account.generate_one_time_keys(short)
        if fallback and not self.fallback_keys():
            self.account.generate_fallback_key()  # type: ignore[attr-defined]  # its stub lacks it


def _is_signature(name: str, text: str) -> bool:
    """Return whether *name* and *text* may be the key name and text of a signature."""
    return name.startswith("ed25519:") and len(name) + len(text) < _MAX_SIGNATURE and (name + text).isascii()


def load(vault: CryptoStore, user: UserId, device: DeviceId) -> OwnDevice | None:
    """Return the stored account of this device; None if there is none. Raises `ValueError` if it cannot be read."""
    if (vault.get(_KIND, "user"), vault.get(_KIND, "device")) != (user, device):
        return None
    pickle = vault.get(_KIND, "account")
    return OwnDevice(user, device, vodozemac.Account.from_pickle(pickle, vault.pickle_key)) if pickle else None


def stored_device_keys(folder: Path, user: UserId, device: DeviceId) -> Content | None:
    """Return the public keys of this device in the crypto store in *folder*; None if it has none."""
    if not vaults.exists(folder):
        return None
    try:
        vault = CryptoStore.open(folder)
    except CryptoStoreDamaged:
        return None
    try:
        own = load(vault, user, device)
        return own.device_keys() if own is not None else None
    except ValueError:
        return None
    finally:
        vault.close()


def create(vault: CryptoStore, user: UserId, device: DeviceId) -> OwnDevice:
    """Create a new account, and store it."""
    own = OwnDevice(user, device, vodozemac.Account())
    vault.put(_KIND, "user", user)
    vault.put(_KIND, "device", device)
    save(vault, own)
    return own


def save(vault: CryptoStore, own: OwnDevice) -> None:
    """Store the current state of the account."""
    vault.put(_KIND, "account", own.account.pickle(vault.pickle_key))
