"""Signatures of JSON objects (Matrix specification, appendix "Signing JSON"). Pure."""

import base64
from collections.abc import Mapping
from typing import TypeGuard

import vodozemac

from bot.matrix.content import encoded
from bot.matrix.crypto.errors import CryptoRefused, refusing
from bot.matrix.model import Content

_UNSIGNED = frozenset({"signatures", "unsigned"})
_KEY_BYTES = 32


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


def signed_part(told: Content) -> bytes:
    """Return the bytes that a signature of *told* covers."""
    return encoded({name: value for name, value in told.items() if name not in _UNSIGNED})


def signature_in(told: Content, user: str, key_id: str) -> str | None:
    """Return the unverified signature of *user* in *told* by the key *key_id* ("ed25519:…"); None if there is none."""
    signatures = told.get("signatures")
    ours = signatures.get(user) if isinstance(signatures, Mapping) else None
    found = ours.get(key_id) if isinstance(ours, Mapping) else None
    return found if isinstance(found, str) else None


def is_signed(told: Content, user: str, key_id: str, key: str) -> bool:
    """Return whether *told* has a valid signature of *user* by the ed25519 *key* (unpadded base64) named *key_id*."""
    signature = signature_in(told, user, key_id)
    if signature is None or not is_key(key):
        return False
    try:
        with refusing():
            public = vodozemac.Ed25519PublicKey.from_base64(key)
            public.verify_signature(signed_part(told), vodozemac.Ed25519Signature.from_base64(signature))
    except CryptoRefused:
        return False
    return True
