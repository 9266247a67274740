"""Conversations between two devices (Matrix specification, "m.olm.v1.curve25519-aes-sha2").

Several may be open with one device: each side may have begun one. The one that was last heard in is used.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import vodozemac

from bot.errors import BotError
from bot.ids import UserId
from bot.matrix.content import encoded
from bot.matrix.crypto import account
from bot.matrix.crypto.account import Own
from bot.matrix.crypto.devices import OLM, Device
from bot.matrix.crypto.signatures import unpacked, unpadded
from bot.matrix.crypto.vault import Vault
from bot.matrix.model import Content

MAX_SESSIONS = 5  # with one device
MAX_BODY = 96 * 1024
_KIND = "olm"


class Unreadable(BotError):
    """A message that cannot be decrypted; says why, and nothing of what is in it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A message of another device, which proved to have *curve25519* and claims *ed25519*."""

    sender: UserId
    curve25519: str
    ed25519: str
    type: str
    content: Content


class Conversations:
    """All conversations of our device."""

    def __init__(self, vault: Vault, own: Own) -> None:
        self._vault = vault
        self._own = own

    def has_one(self, device: Device) -> bool:
        """Whether a message for *device* can be encrypted."""
        return self._vault.get(_KIND, device.curve25519) is not None

    def begin(self, device: Device, one_time_key: str) -> bool:
        """Begin a conversation; whether the keys are such that it can be done."""
        try:
            session = self._own.account.create_outbound_session(
                vodozemac.Curve25519PublicKey.from_base64(device.curve25519),
                vodozemac.Curve25519PublicKey.from_base64(one_time_key),
            )
        except ValueError:
            return False
        self._keep(device.curve25519, [session, *self._sessions(device.curve25519)])
        return True

    def sealed(self, device: Device, kind: str, content: Content) -> Content:
        """A message for *device*, with which there must be a conversation."""
        sessions = self._sessions(device.curve25519)
        payload = {
            "type": kind,
            "content": content,
            "sender": self._own.user,
            "sender_device": self._own.device,
            "keys": {"ed25519": self._own.ed25519},
            "recipient": device.user,
            "recipient_keys": {"ed25519": device.ed25519},
        }
        number, ciphertext = sessions[0].encrypt(encoded(payload)).to_parts()
        self._keep(device.curve25519, sessions)
        return {
            "algorithm": OLM,
            "sender_key": self._own.curve25519,
            "ciphertext": {device.curve25519: {"type": number, "body": unpadded(ciphertext)}},
        }

    def opened(self, sender: UserId, told: Content) -> Opened:
        """What a message says that *sender* is said to have sent.

        Raises:
            Unreadable: it is not for us, was made with keys that we do not have, or is not what it says it is.
        """
        key = told.get("sender_key")
        ciphertexts = told.get("ciphertext")
        ours = ciphertexts.get(self._own.curve25519) if isinstance(ciphertexts, Mapping) else None
        if told.get("algorithm") != OLM or not isinstance(key, str) or not isinstance(ours, Mapping):
            raise Unreadable("not for this device")
        number, body = ours.get("type"), ours.get("body")
        if not isinstance(number, int) or not isinstance(body, str) or len(body) > MAX_BODY:
            raise Unreadable("malformed")
        try:
            message = vodozemac.AnyOlmMessage.from_parts(number, unpacked(body))
        except (ValueError, OverflowError) as error:
            raise Unreadable("malformed") from error
        return self._checked(sender, key, self._decrypted(key, message))

    def _decrypted(self, key: str, message: vodozemac.AnyOlmMessage) -> bytes:
        first = message.to_pre_key()
        sessions = self._sessions(key)
        for session in sessions:
            if first is not None and not session.session_matches(first):
                continue
            try:
                text = session.decrypt(message)
            except ValueError:
                continue
            self._keep(key, [session, *(other for other in sessions if other is not session)])
            return text
        if first is None or any(session.session_matches(first) for session in sessions):
            raise Unreadable("no conversation fits")
        try:
            session, text = self._own.account.create_inbound_session(
                vodozemac.Curve25519PublicKey.from_base64(key), first
            )
        except ValueError as error:
            raise Unreadable("begun with a key that is used up or unknown") from error
        account.keep(self._vault, self._own)  # the one-time key is used up with it
        self._keep(key, [session, *sessions])
        return text

    def _checked(self, sender: UserId, key: str, text: bytes) -> Opened:
        """The payload, if it is of *sender* and for us: else somebody passes on what was meant for others."""
        try:
            payload = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Unreadable("malformed inside") from error
        match payload:
            case {
                "sender": str(claimed),
                "recipient": str(recipient),
                "recipient_keys": {"ed25519": str(meant)},
                "keys": {"ed25519": str(ed25519)},
                "type": str(kind),
                "content": dict(content),
            } if claimed == sender and recipient == self._own.user and meant == self._own.ed25519:
                return Opened(sender, key, ed25519, kind, content)
            case _:
                raise Unreadable("not from whom it says, or not for us")

    def _sessions(self, key: str) -> list[vodozemac.Session]:
        """Those with the owner of *key*, the one to use first."""
        pickles = self._vault.get(_KIND, key)
        return [vodozemac.Session.from_pickle(each, self._vault.pickle_key) for each in (pickles or "").split()]

    def _keep(self, key: str, sessions: list[vodozemac.Session]) -> None:
        pickles = (session.pickle(self._vault.pickle_key) for session in sessions[:MAX_SESSIONS])
        self._vault.put(_KIND, key, " ".join(pickles))
