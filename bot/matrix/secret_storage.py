"""Secret storage (Matrix specification v1.18, "Secrets"): secrets in account data, encrypted with a recovery key. Pure.

Each secret is encrypted with keys of its own, which are derived from the recovery key and the secret's name; so is a
string of zeros, by whose MAC a client recognizes the recovery key.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF

from bot.errors import UserError
from bot.matrix.crypto.devices import unpacked, unpadded
from bot.matrix.model import Content

ALGORITHM = "m.secret_storage.v1.aes-hmac-sha2"
DEFAULT_KEY = "m.secret_storage.default_key"
KEY_BYTES = 32
IV_BYTES = 16
_MAC_BYTES = 32
_MAX_TEXT = 1024  # characters of base64; a seed has 59
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PREFIX = b"\x8b\x01"
_MAX_TYPED = 1024  # characters of a typed recovery key, which has 48 and spaces
_CHECKED = bytes(32)  # what is encrypted, with an empty name, for the check of a recovery key
_KEY_ID = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class EncryptedSecret:
    """A secret as it is stored."""

    iv: bytes
    ciphertext: bytes
    mac: bytes

    def content(self) -> Content:
        """Return it as it is written in account data."""
        return {"iv": unpadded(self.iv), "ciphertext": unpadded(self.ciphertext), "mac": unpadded(self.mac)}


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """A key of the secret storage, as account data describe it; *check* is None if they say nothing usable."""

    name: str
    check: tuple[bytes, bytes] | None  # the initialization vector and the MAC of zeros


@dataclass(frozen=True, slots=True)
class StorageKey:
    """A key of the secret storage; *secret* must never be logged or be part of an error."""

    id: str
    secret: bytes = field(repr=False)


def key_type(key_id: str) -> str:
    """Return the type of the account data that describe a key."""
    return f"m.secret_storage.key.{key_id}"


def recovery_key(key: bytes) -> str:
    """Return *key* for people, in groups of four (appendix "Cryptographic key representation")."""
    data = _PREFIX + key
    number, digits = int.from_bytes((*data, _parity(data))), ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def typed_key(text: str) -> bytes:
    """Return the key that somebody typed; white space does not matter.

    Raises:
        UserError: it is not a recovery key; the error does not contain it.
    """
    digits = "".join(text[: _MAX_TYPED + 1].split())
    if not digits:
        raise UserError("no recovery key was given")
    if len(text) > _MAX_TYPED or not set(digits) <= set(_ALPHABET):
        raise UserError("this is not a recovery key: it has characters that none has")
    number = 0
    for digit in digits:
        number = number * len(_ALPHABET) + _ALPHABET.index(digit)
    length = len(_PREFIX) + KEY_BYTES + 1
    data = number.to_bytes(max(length, (number.bit_length() + 7) // 8))
    if len(data) != length or not data.startswith(_PREFIX):
        raise UserError("this is not a recovery key: it does not begin or end like one")
    if _parity(data):
        raise UserError("there is a mistake in the recovery key")
    return data[len(_PREFIX) : -1]


def encrypt(key: bytes, name: str, secret: bytes, random: bytes) -> EncryptedSecret:
    """Return *secret* encrypted; *random* are 16 new bytes, one bit of which is cleared, as the specification says."""
    iv = bytes((*random[:8], random[8] & 0x7F, *random[9:]))  # counters of 64 and of 128 bits then count alike
    aes, mac = _derived(key, name)
    ciphertext = AES.new(aes, AES.MODE_CTR, nonce=b"", initial_value=iv).encrypt(secret)
    return EncryptedSecret(iv, ciphertext, hmac.digest(mac, ciphertext, "sha256"))


def decrypt(key: bytes, name: str, stored: EncryptedSecret) -> bytes | None:
    """Return the secret; None if it was encrypted with another key or under another name, or was changed."""
    aes, mac = _derived(key, name)
    if not hmac.compare_digest(hmac.digest(mac, stored.ciphertext, "sha256"), stored.mac):
        return None
    return AES.new(aes, AES.MODE_CTR, nonce=b"", initial_value=stored.iv).decrypt(stored.ciphertext)


def key_description(key: bytes, name: str, random: bytes) -> Content:
    """Return the description of *key*, with *name* for people."""
    check = encrypt(key, "", _CHECKED, random)
    return {"algorithm": ALGORITHM, "name": name, "iv": unpadded(check.iv), "mac": unpadded(check.mac)}


def is_key(key: bytes, description: KeyDescription) -> bool | None:
    """Return whether *description* is that of *key*; None if it does not tell."""
    if description.check is None:
        return None
    iv, mac = description.check
    aes, mac_key = _derived(key, "")
    zeros = AES.new(aes, AES.MODE_CTR, nonce=b"", initial_value=iv).encrypt(_CHECKED)
    return hmac.compare_digest(hmac.digest(mac_key, zeros, "sha256"), mac)


def default_key(content: Content) -> str | None:
    """Return the id of the default key; None if no client can use what is stored."""
    key = content.get("key")
    return key if isinstance(key, str) and _KEY_ID.fullmatch(key) else None


def described(content: Content) -> KeyDescription:
    """Return the parsed description of a key."""
    name = content.get("name")
    iv, mac = _bytes(content.get("iv"), IV_BYTES), _bytes(content.get("mac"), _MAC_BYTES)
    usable = iv is not None and mac is not None and content.get("algorithm") == ALGORITHM
    return KeyDescription(name if isinstance(name, str) else "", (iv, mac) if usable and iv and mac else None)


def encrypted_with(content: Content, key_id: str) -> EncryptedSecret | None:
    """Return a stored secret as it is encrypted with one of the keys; None if it is not, or malformed."""
    stored = entries(content).get(key_id)
    if not isinstance(stored, Mapping):
        return None
    iv, ciphertext = _bytes(stored.get("iv"), IV_BYTES), _bytes(stored.get("ciphertext"))
    mac = _bytes(stored.get("mac"), _MAC_BYTES)
    return None if iv is None or ciphertext is None or mac is None else EncryptedSecret(iv, ciphertext, mac)


def entries(content: Content) -> Content:
    """Return what is stored of a secret, by the id of the key."""
    stored = content.get("encrypted")
    return stored if isinstance(stored, Mapping) else {}


def _derived(key: bytes, name: str) -> tuple[bytes, bytes]:
    """Return the keys of a secret: for AES-256, and for HMAC-SHA-256."""
    derived = HKDF(key, 2 * KEY_BYTES, bytes(KEY_BYTES), SHA256, context=name.encode())
    return derived[:KEY_BYTES], derived[KEY_BYTES:]


def _bytes(text: object, length: int | None = None) -> bytes | None:
    """Return the bytes in base64, with padding or without, of this *length* unless it is None."""
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        return None
    try:
        data = unpacked(text)
    except ValueError:
        return None
    return data if length in {None, len(data)} else None


def _parity(data: bytes) -> int:
    parity = 0
    for each in data:
        parity ^= each
    return parity
