"""The backup of the bot's identity at its homeserver, and the way back.

The cross-signing seeds are stored in the account's secret storage (Matrix specification v1.18, "Secrets"), encrypted
with a recovery key that is shown once and stored nowhere. Whoever signs in as the bot in another client, and types it
there, has a device that the bot's identity vouches for.

Clients use only what is encrypted with the default key. A new key is therefore described first, and the seeds are added
to what is encrypted with other keys; all of it is read back, and only then the key becomes the default one. If anything
fails before that, what was there before still holds.

The description of the bot's key has a proof, keyed with the seeds, that the bot itself stored exactly these seeds with
it. With that, the bot recognizes its backup later, without the recovery key.
"""

import asyncio
import hmac
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import assert_never

from bot.errors import Forbidden, Permanent, Temporary, TransportError, UserError
from bot.ids import UserId
from bot.matrix import keyring as keyrings
from bot.matrix import requests, signing
from bot.matrix import secret_storage as storage
from bot.matrix.content import encoded
from bot.matrix.crypto.devices import unpacked, unpadded
from bot.matrix.identity import RESET_WORDS, Ask
from bot.matrix.keyring import Keyring, Seeds
from bot.matrix.model import Content
from bot.matrix.secret_storage import EncryptedSecret, KeyDescription, StorageKey

KEY_NAME = "Identity of patchwork-matrix-bot"
_PROOF = "org.patchbot.backup"
_SECRETS = {seed: f"m.cross_signing.{seed}" for seed in Seeds.__slots__}
_OTHER_SECRETS = {  # those that the specification and Element know
    "m.megolm_backup.v1": "the key of the backup of encrypted messages",
    "org.matrix.msc3814": "the key of the dehydrated device",
}
_MAX_SECRET_BYTES = 32 * 1024  # of the account data with one seed; homeservers accept twice as much
_MAX_NAME = 60  # characters of a key's name that are shown
_NOT_COMPLETED = "the backup was not completed, and what was there before still holds ({reason})"
_IN_DOUBT = (
    "whether the last step succeeded is unknown ({reason}): see `patchbot keys status`; "
    "`patchbot keys backup --replace` makes another recovery key"
)


class BackupStatus(Enum):
    """Whether the identity is backed up: under the default key, which somebody else may have made."""

    NONE = auto()
    CURRENT = auto()
    OUTDATED = auto()  # made by the bot, of another identity or incomplete
    FOREIGN = auto()


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """The state of the secret storage; *other_secrets* are those that only the default key opens."""

    status: BackupStatus
    key_id: str | None = None
    key_name: str = ""
    other_secrets: tuple[str, ...] = ()

    def line(self) -> str:
        """Return the state as a sentence."""
        match self.status:
            case BackupStatus.NONE:
                return "The identity is not backed up at the homeserver; `patchbot keys backup` does that."
            case BackupStatus.CURRENT:
                return f"The identity is backed up at the homeserver, under the recovery key {self.key_id}."
            case BackupStatus.OUTDATED:
                return (
                    f"The backup at the homeserver, under the recovery key {self.key_id}, lacks the bot's present "
                    "identity; `patchbot keys backup --replace` makes a new one."
                )
            case BackupStatus.FOREIGN:
                return (
                    f"The account has a recovery key that the bot did not make ({self._key()}); whether the identity "
                    "is backed up under it, only its owner can tell."
                )
        assert_never(self.status)

    def warnings(self) -> Iterator[str]:
        """Yield what a new recovery key would change."""
        maker = "which the bot did not make" if self.status is BackupStatus.FOREIGN else "which the bot made"
        yield f"The account has a recovery key already, {maker} ({self._key()})."
        yield "With a new one, clients ask for that instead, and do not accept the old one any more."
        for name in self.other_secrets:
            yield f"Only the old one opens {name}, {_OTHER_SECRETS[name]}, which clients would not find any more."

    def _key(self) -> str:
        return f"{self.key_id}, “{self.key_name}”" if self.key_name else f"{self.key_id}"


@dataclass(frozen=True, slots=True)
class _Contents:
    """What is stored with a key: its description, and the seeds, None for each that is not."""

    key_id: str
    description: KeyDescription
    seeds: tuple[EncryptedSecret | None, ...]


async def present_seeds(ask: Ask, user: UserId, keyring: Keyring | None) -> Seeds:
    """Return the seeds of the account's identity.

    Raises:
        Permanent: they are not in *keyring*; the message says what to do.
        Temporary: the homeserver cannot be reached now.
    """
    if keyring is None or not keyring.identities:
        raise Permanent(
            "there are no seeds of an identity in keys.json: let the bot run once first, or restore the file"
        )
    published = signing.published_identity(await ask(requests.query_keys([user])), user)
    if published.master is None:
        raise Permanent("the account has no cross-signing identity yet: let the bot run once first")
    seeds = signing.ours(keyring.identities, published.master)
    if seeds is None:
        raise Permanent(f"the account has a cross-signing identity that is not the bot's; {RESET_WORDS}")
    if signing.public_identity(seeds) != published:
        raise Permanent(f"the homeserver publishes other keys of the identity than the bot's; {RESET_WORDS}")
    return seeds


async def stored_backup(ask: Ask, user: UserId, seeds: Seeds | None) -> StoredBackup:
    """Return the state of the secret storage, as far as who has *seeds* can tell. Raises as `Chat.send` does."""
    key_id = storage.default_key(await _account_data(ask, user, storage.DEFAULT_KEY))
    if key_id is None:
        return StoredBackup(BackupStatus.NONE)
    raw = await _account_data(ask, user, storage.key_type(key_id))
    contents = await _contents(ask, user, key_id, storage.described(raw))
    others = [name for name in _OTHER_SECRETS if key_id in storage.entries(await _account_data(ask, user, name))]
    stored = StoredBackup(BackupStatus.FOREIGN, key_id, contents.description.name[:_MAX_NAME], tuple(others))
    proof = raw.get(_PROOF)
    if not isinstance(proof, str):
        return stored
    is_current = seeds is not None and _is_proof(proof, _proof(user, seeds, contents))
    return replace(stored, status=BackupStatus.CURRENT if is_current else BackupStatus.OUTDATED)


async def status_line(ask: Ask, user: UserId, keyring: Keyring | None) -> str | None:
    """Return whether the identity is backed up, as a sentence; None if there is none yet."""
    try:
        seeds = await present_seeds(ask, user, keyring)
    except TransportError:
        seeds = None
    try:
        stored = await stored_backup(ask, user, seeds)
    except TransportError as error:
        return f"Whether the identity is backed up at the homeserver is unknown: {error}."
    return None if seeds is None and stored.status is BackupStatus.NONE else stored.line()


async def back_up(ask: Ask, user: UserId, seeds: Seeds, before: StoredBackup) -> StorageKey:
    """Store *seeds* under a new key, make it the default one instead of that of *before*, and return it.

    Raises:
        Permanent: the homeserver refuses it, or does not return what was stored; the message says how far it came.
        Temporary: it cannot be reached now; the message says whether anything changed.
    """
    key = StorageKey(secrets.token_hex(16), secrets.token_bytes(storage.KEY_BYTES))
    try:
        await _refuse_another_default(ask, user, before.key_id)
        await _store(ask, user, key, seeds)
        await _refuse_another_default(ask, user, before.key_id)
    except Temporary as error:
        raise Temporary(_NOT_COMPLETED.format(reason=error), error.retry_after) from error
    await _make_default(ask, user, key.id)
    return key


async def restore(ask: Ask, user: UserId, folder: Path, recovery_key: bytes) -> None:
    """Add the seeds in the secret storage to the keyring in *folder*, before those that are there.

    Raises:
        UserError: the recovery key is not that of the secret storage.
        Permanent: the secret storage does not have the seeds of the account's identity, or they are not lost.
        Temporary: the homeserver cannot be reached now.
    """
    published = signing.published_identity(await ask(requests.query_keys([user])), user)
    if published.master is None:
        raise Permanent("the account has no cross-signing identity: there is nothing to restore")
    keyring = await asyncio.to_thread(keyrings.stored, folder)
    if keyring is not None and signing.ours(keyring.identities, published.master) is not None:
        raise Permanent("keys.json has the account's identity already: there is nothing to restore")
    key_id = storage.default_key(await _account_data(ask, user, storage.DEFAULT_KEY))
    if key_id is None:
        raise Permanent("the account has no recovery key: the identity was not backed up")
    description = storage.described(await _account_data(ask, user, storage.key_type(key_id)))
    if storage.is_key(recovery_key, description) is False:
        raise UserError("this is the recovery key of something else; the account has another one")
    key = StorageKey(key_id, recovery_key)
    seeds = _seeds(key, await _contents(ask, user, key_id, description))
    if seeds is None:
        raise Permanent("the recovery key does not open a complete backup of the identity")
    if signing.public_identity(seeds) != published:
        raise Permanent("the backup is of another identity than the account has now")
    keyring = await asyncio.to_thread(keyrings.load, folder)
    await asyncio.to_thread(keyrings.save, folder, replace(keyring, identities=(seeds, *keyring.identities)))


async def _account_data(ask: Ask, user: UserId, kind: str) -> Content:
    """Return account data; empty if there are none."""
    try:
        return await ask(requests.account_data(user, kind))
    except Forbidden as error:
        if "M_NOT_FOUND" in str(error):
            return {}
        raise


async def _contents(ask: Ask, user: UserId, key_id: str, description: KeyDescription) -> _Contents:
    stored = [storage.encrypted_with(await _account_data(ask, user, name), key_id) for name in _SECRETS.values()]
    return _Contents(key_id, description, tuple(stored))


def _encrypted(key: StorageKey, name: str, seed: bytes) -> EncryptedSecret:
    return storage.encrypt(key.secret, name, unpadded(seed).encode(), secrets.token_bytes(storage.IV_BYTES))


def _seeds(key: StorageKey, contents: _Contents) -> Seeds | None:
    """Return the decrypted seeds; None if one of them is missing or was not stored by a client."""
    seeds = []
    for name, secret in zip(_SECRETS.values(), contents.seeds, strict=True):
        text = storage.decrypt(key.secret, name, secret) if secret is not None else None
        try:
            seed = unpacked((text or b"").decode("ascii"))
        except ValueError:
            return None
        if len(seed) != keyrings.SEED_BYTES:
            return None
        seeds.append(seed)
    return Seeds(*seeds)


async def _store(ask: Ask, user: UserId, key: StorageKey, seeds: Seeds) -> None:
    """Store *seeds* under *key*, which clients do not use yet, and read them back."""
    raw = storage.key_description(key.secret, KEY_NAME, secrets.token_bytes(storage.IV_BYTES))
    encrypted = {name: _encrypted(key, name, getattr(seeds, seed)) for seed, name in _SECRETS.items()}
    contents = _Contents(key.id, storage.described(raw), tuple(encrypted.values()))
    description = {**raw, _PROOF: _proof(user, seeds, contents)}
    await ask(requests.set_account_data(user, storage.key_type(key.id), description))
    for name, secret in encrypted.items():
        await _add(ask, user, name, {key.id: secret.content()})
    await _verify(ask, user, key, seeds)


async def _add(ask: Ask, user: UserId, name: str, entry: Mapping[str, Content]) -> None:
    """Add an entry to a secret, which remains readable with the other keys that it is encrypted with."""
    content = await _account_data(ask, user, name)
    merged = {**content, "encrypted": {**storage.entries(content), **entry}}
    if len(encoded(merged)) > _MAX_SECRET_BYTES:
        raise Permanent(f"the account data {name} are too large for another entry; nothing that was there was changed")
    await ask(requests.set_account_data(user, name, merged))


async def _verify(ask: Ask, user: UserId, key: StorageKey, seeds: Seeds) -> None:
    """Raise an error unless the homeserver returns what was stored with *key*."""
    description = storage.described(await _account_data(ask, user, storage.key_type(key.id)))
    contents = await _contents(ask, user, key.id, description)
    if not storage.is_key(key.secret, description) or _seeds(key, contents) != seeds:
        raise Permanent("the homeserver does not return what was stored; the backup was not completed")


async def _refuse_another_default(ask: Ask, user: UserId, expected: str | None) -> None:
    if storage.default_key(await _account_data(ask, user, storage.DEFAULT_KEY)) != expected:
        raise Permanent("somebody else has just made another recovery key for the account; nothing of it was changed")


async def _make_default(ask: Ask, user: UserId, key_id: str) -> None:
    try:
        await ask(requests.set_account_data(user, storage.DEFAULT_KEY, {"key": key_id}))
        stored = storage.default_key(await _account_data(ask, user, storage.DEFAULT_KEY))
    except Temporary as error:
        raise Temporary(_IN_DOUBT.format(reason=error), error.retry_after) from error
    if stored != key_id:
        raise Permanent(
            "the homeserver did not make the new recovery key the default one; the backup was not completed"
        )


def _proof(user: UserId, seeds: Seeds, contents: _Contents) -> str:
    """Return what only who has *seeds* can write: that they are what is stored in *contents*."""
    iv, mac = contents.description.check or (b"", b"")
    stored = [secret.content() if secret is not None else None for secret in contents.seeds]
    claim = {"user": user, "key": [contents.key_id, unpadded(iv), unpadded(mac)], "secrets": stored}
    key = b"".join(getattr(seeds, seed) for seed in _SECRETS)
    return unpadded(hmac.digest(key, _PROOF.encode() + b"\0" + encoded(claim), "sha256"))


def _is_proof(claimed: str, proof: str) -> bool:
    return hmac.compare_digest(claimed.encode("utf-8", "replace"), proof.encode())
