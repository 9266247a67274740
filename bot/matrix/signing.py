"""Cross-signing (Matrix specification, "Cross-signing"): the bot's proof that a device is its own. Pure.

Clients show messages of a device that its owner did not sign as unsafe, and will reject them in future. A master key is
the identity; the self-signing key, signed by it, signs the devices; the user-signing key is for other users, and exists
because clients expect three keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from bot.ids import DeviceId, UserId
from bot.matrix.crypto.devices import device_keys_in, is_signed, signed_part, unpadded
from bot.matrix.keyring import Seeds
from bot.matrix.model import Content

_USAGES = ("master", "self_signing", "user_signing")


@dataclass(frozen=True, slots=True)
class CrossSigningState:
    """The state of an account at its homeserver: its *master* key, if any, and whether it signed the device."""

    master: str | None
    is_signed: bool


@dataclass(frozen=True, slots=True)
class PublicIdentity:
    """The public keys of an identity; None for each that is not published."""

    master: str | None
    self_signing: str | None
    user_signing: str | None


def public_key(seed: bytes) -> str:
    """Return the ed25519 key of a seed, in unpadded base64."""
    return unpadded(ECC.construct(curve="Ed25519", seed=seed).public_key().export_key(format="raw"))


def identity_keys(user: UserId, seeds: Seeds) -> Content:
    """Return the body of the upload that makes *seeds* the identity of *user*."""
    keys = {usage: _key(user, usage, getattr(seeds, usage)) for usage in _USAGES}
    signed = {usage: key if usage == "master" else _signed(key, user, seeds.master) for usage, key in keys.items()}
    return {f"{usage}_key": key for usage, key in signed.items()}


def device_signature(user: UserId, device: DeviceId, seeds: Seeds, keys: Content) -> Content:
    """Return the body of the upload that signs a device, whose *keys* are those that the device itself made."""
    bare = {name: value for name, value in keys.items() if name not in {"signatures", "unsigned"}}
    return {user: {device: _signed(bare, user, seeds.self_signing)}}


def standing(answer: Content, user: UserId, device: DeviceId) -> CrossSigningState:
    """Return the state in a response to a query for our own keys, with the whole chain of signatures verified."""
    master, self_signing = (_published_key(answer, f"{usage}_keys", user) for usage in _USAGES[:2])
    if master is None or self_signing is None:
        return CrossSigningState(_only_key(master), is_signed=False)
    master_key, signing_key = _only_key(master), _only_key(self_signing)
    keys = device_keys_in(answer, user, device)
    if master_key is None or signing_key is None or keys is None:
        return CrossSigningState(master_key, is_signed=False)
    chain = (
        is_signed(self_signing, user, f"ed25519:{master_key}", master_key),
        is_signed(keys, user, f"ed25519:{signing_key}", signing_key),
    )
    return CrossSigningState(master_key, all(chain))


def public_identity(seeds: Seeds) -> PublicIdentity:
    """Return the public keys of *seeds*."""
    return PublicIdentity(*(public_key(getattr(seeds, usage)) for usage in _USAGES))


def published_identity(answer: Content, user: UserId) -> PublicIdentity:
    """Return the public keys in a response to a query for our own keys, whose signatures are not verified."""
    return PublicIdentity(*(_only_key(_published_key(answer, f"{usage}_keys", user)) for usage in _USAGES))


def ours(identities: Sequence[Seeds], master: str) -> Seeds | None:
    """Return the identity with this master key; None if there is none."""
    return next((seeds for seeds in identities if public_key(seeds.master) == master), None)


def _key(user: UserId, usage: str, seed: bytes) -> Content:
    key = public_key(seed)
    return {"user_id": user, "usage": [usage], "keys": {f"ed25519:{key}": key}}


def _signed(content: Content, user: UserId, seed: bytes) -> Content:
    key = ECC.construct(curve="Ed25519", seed=seed)
    signature = unpadded(eddsa.new(key, "rfc8032").sign(signed_part(content)))
    return {**content, "signatures": {user: {f"ed25519:{public_key(seed)}": signature}}}


def _published_key(answer: Content, name: str, user: UserId) -> Content | None:
    users = answer.get(name)
    key = users.get(user) if isinstance(users, Mapping) else None
    return key if isinstance(key, Mapping) else None


def _only_key(published: Content | None) -> str | None:
    keys = published.get("keys") if published is not None else None
    for name, key in keys.items() if isinstance(keys, Mapping) else ():
        if isinstance(key, str) and name == f"ed25519:{key}":
            return key
    return None
