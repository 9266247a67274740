"""An Olm message made by hand, so that it may hold what no library would put there (Olm specification, "Olm").

The recipient opens it like any other: the first message needs no secret of the ratchet key that it announces, so that
key may be one with which no answer can be encrypted.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.DH import import_x25519_private_key, import_x25519_public_key, key_agreement
from Crypto.Protocol.KDF import HKDF
from Crypto.Util.Padding import pad

_VERSION: Final = b"\x03"
_NO_SALT: Final = bytes(32)
_MAC_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Secrets:
    """The private keys of a device that forges: of its identity, and of one conversation."""

    identity: bytes
    base: bytes

    @property
    def public(self) -> bytes:
        """What it shows others as its Curve25519 key."""
        return _public(self.identity)


@dataclass(frozen=True, slots=True)
class Recipient:
    """The public keys of the device that is written to."""

    identity: bytes
    one_time: bytes


def first_message(secrets: Secrets, to: Recipient, plaintext: bytes, ratchet_key: bytes) -> bytes:
    """The message that begins a conversation, and announces *ratchet_key* for the answers."""
    secret = (
        _agreed(secrets.identity, to.one_time) + _agreed(secrets.base, to.identity) + _agreed(secrets.base, to.one_time)
    )
    chain = _derived(secret, b"OLM_ROOT", 64)[32:]
    keys = _derived(hmac.digest(chain, b"\x01", hashlib.sha256), b"OLM_KEYS", 80)
    sealed = AES.new(keys[:32], AES.MODE_CBC, keys[64:]).encrypt(pad(plaintext, 16))
    inner = _VERSION + _field(0x0A, ratchet_key) + b"\x10\x00" + _field(0x22, sealed)
    inner += hmac.digest(keys[32:64], inner, hashlib.sha256)[:_MAC_BYTES]
    outer = _field(0x0A, to.one_time) + _field(0x12, _public(secrets.base)) + _field(0x1A, secrets.public)
    return _VERSION + outer + _field(0x22, inner)


def _field(tag: int, value: bytes) -> bytes:
    """A field as protocol buffers write it."""
    length, size = b"", len(value)
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([tag]) + length + bytes([size]) + value


def _public(private: bytes) -> bytes:
    return bytes(import_x25519_private_key(private).public_key().export_key(format="raw"))


def _agreed(private: bytes, public: bytes) -> bytes:
    agreed: bytes = key_agreement(
        static_priv=import_x25519_private_key(private),
        static_pub=import_x25519_public_key(public),
        kdf=lambda secret: secret,
    )
    return agreed


def _derived(secret: bytes, info: bytes, size: int) -> bytes:
    derived: bytes = HKDF(secret, size, _NO_SALT, SHA256, context=info)
    return derived
