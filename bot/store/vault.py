"""Encrypts people's API tokens with a key that is not in the database.

AES-256-GCM. What is sealed for one purpose cannot be opened for another, so that whoever can write the database cannot
make one person's token another's.
"""

import base64
import secrets
from typing import Self

from Crypto.Cipher import AES
from Crypto.Cipher._mode_gcm import GcmMode

from bot.patchwork.tokens import ApiToken

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16


class TokenLost(Exception):
    """A sealed token that cannot be opened: the key is another one, or the row was changed."""


class Vault:
    """Seals and opens tokens with a *key* of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("the key has another length")
        self._key = key

    @classmethod
    def for_this_process(cls) -> Self:
        """Return a vault with a new key that is stored nowhere."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def seal(self, token: ApiToken, purpose: str) -> str:
        """Return *token* encrypted, as text."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed, tag = self._cipher(nonce, purpose).encrypt_and_digest(token.text.encode())
        return base64.b64encode(nonce + sealed + tag).decode()

    def open(self, sealed: str, purpose: str) -> ApiToken:
        """Return the token that was sealed for *purpose*.

        Raises:
            TokenLost: it cannot be opened.
        """
        try:
            told = base64.b64decode(sealed, validate=True)
            nonce, text, tag = told[:_NONCE_BYTES], told[_NONCE_BYTES:-_TAG_BYTES], told[-_TAG_BYTES:]
            return ApiToken(self._cipher(nonce, purpose).decrypt_and_verify(text, tag).decode())
        except ValueError:
            raise TokenLost("the token cannot be decrypted") from None

    def _cipher(self, nonce: bytes, purpose: str) -> GcmMode:
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        cipher.update(purpose.encode("utf-8", "replace"))
        return cipher
