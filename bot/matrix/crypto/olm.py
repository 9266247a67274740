"""Olm sessions between two devices (Matrix specification, "m.olm.v1.curve25519-aes-sha2").

Sessions are stored by user, identity key and device, so a user who publishes another device's identity key as their own
neither uses nor replaces the sessions with that device. A device may have several sessions, because each side may have
started one; the one that received the last message is used.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import vodozemac

from bot.errors import BotError
from bot.ids import DeviceId, UserId
from bot.matrix.content import encoded
from bot.matrix.crypto import account
from bot.matrix.crypto.account import OwnDevice
from bot.matrix.crypto.crypto_store import CryptoStore, begins, name_of
from bot.matrix.crypto.devices import OLM, DeviceKeys, device_of, is_key, unpacked, unpadded
from bot.matrix.crypto.errors import CryptoRefused, refusing
from bot.matrix.model import Content

MAX_SESSIONS = 5  # with one device
MAX_DEVICES_TRIED = 10  # of one user with one identity key
MAX_KNOWN = 50_000
MAX_UNKNOWN, MAX_UNKNOWN_OF_USER = 1_000, 20
MAX_BODY = 96 * 1024
_KNOWN, _UNKNOWN = "conversation", "unknown"  # whether the device was known when the session began


class UndecryptableMessage(BotError):
    """A message that cannot be decrypted; the text has the reason, but none of the content."""


class Impostor(UndecryptableMessage):
    """A decrypted message whose sender is not the device that it claims to be."""


@dataclass(frozen=True, slots=True)
class DecryptedMessage:
    """A message of another device, which proved to own *curve25519* and claims *ed25519*."""

    sender: UserId
    curve25519: str
    ed25519: str
    type: str
    content: Content


class OlmSessions:
    """All Olm sessions of our device."""

    def __init__(self, vault: CryptoStore, own: OwnDevice) -> None:
        self.device_keys = own.device_keys()  # our device keys, included in each message
        self._vault = vault
        self._own = own
        self.changes = 0  # increases with each device that gets its first session
        self._session_names: set[str] | None = None  # of devices with sessions; None: not read yet

    def clear_cache(self) -> None:
        """Clear the cached session names, because the last write may have been rolled back."""
        self._session_names = None

    def has_one(self, device: DeviceKeys) -> bool:
        """Return whether a message for *device* can be encrypted."""
        names = self._all_session_names()
        return device.name in names or _name_of_unknown(device) in names

    def begin(self, device: DeviceKeys, one_time_key: str) -> None:
        """Start a session. Raises `CryptoRefused` if the keys cannot be used."""
        with refusing():
            session = self._own.account.create_outbound_session(
                vodozemac.Curve25519PublicKey.from_base64(device.curve25519),
                vodozemac.Curve25519PublicKey.from_base64(one_time_key),
            )
        self._keep(device, [session.pickle(self._vault.pickle_key), *self._pickles(device)])

    def encrypt(self, device: DeviceKeys, kind: str, content: Content) -> Content:
        """Return a message encrypted for *device*.

        Raises:
            CryptoRefused: no session with it can be used; existing ones are deleted.
        """
        text = encoded(self._payload(device, kind, content))
        pickles = self._pickles(device)
        for place, pickle in enumerate(pickles):
            try:
                with refusing():
                    session = vodozemac.Session.from_pickle(pickle, self._vault.pickle_key)
                    number, ciphertext = session.encrypt(text).to_parts()
            except CryptoRefused as error:
                reason = str(error)
                continue
            self._keep(device, [session.pickle(self._vault.pickle_key), *pickles[place + 1 :]])
            return {
                "algorithm": OLM,
                "sender_key": self._own.curve25519,
                "ciphertext": {device.curve25519: {"type": number, "body": unpadded(ciphertext)}},
            }
        self._keep(device, [])
        raise CryptoRefused(reason if pickles else "there is no session with it")

    def _payload(self, device: DeviceKeys, kind: str, content: Content) -> Content:
        return {
            "type": kind,
            "content": content,
            "sender": self._own.user,
            "sender_device": self._own.device,
            "sender_device_keys": self.device_keys,
            "keys": {"ed25519": self._own.ed25519},
            "recipient": device.user,
            "recipient_keys": {"ed25519": device.ed25519},
        }

    def decrypt(self, sender: UserId, content: Content, device: DeviceKeys | None) -> DecryptedMessage:
        """Return the decrypted message from *sender*, sent by *device* as far as that is known.

        Raises:
            Impostor: its sender is not the device that it claims to be.
            UndecryptableMessage: it is not for us, its keys are missing, or it is not what it claims to be.
        """
        key = content.get("sender_key")
        ciphertexts = content.get("ciphertext")
        ours = ciphertexts.get(self._own.curve25519) if isinstance(ciphertexts, Mapping) else None
        if content.get("algorithm") != OLM or not is_key(key) or not isinstance(ours, Mapping):
            raise UndecryptableMessage("not for this device")
        if key == self._own.curve25519:
            raise UndecryptableMessage("sent with our own key")
        number, body = ours.get("type"), ours.get("body")
        if not isinstance(number, int) or not isinstance(body, str) or len(body) > MAX_BODY:
            raise UndecryptableMessage("malformed")
        try:
            with refusing():
                message = vodozemac.AnyOlmMessage.from_parts(number, unpacked(body))
        except CryptoRefused as error:
            raise UndecryptableMessage("malformed") from error
        text = self._decrypted(device or DeviceKeys(sender, DeviceId(""), key, ""), message)
        return self._checked(sender, key, text)

    def _decrypted(self, device: DeviceKeys, message: vodozemac.AnyOlmMessage) -> bytes:
        first = message.to_pre_key()
        may_begin = first is not None
        for place, pickles in self._candidates(device).items():
            for number, pickle in enumerate(pickles):
                try:
                    with refusing():
                        session = vodozemac.Session.from_pickle(pickle, self._vault.pickle_key)
                        if first is not None and not session.session_matches(first):
                            continue
                        may_begin = False
                        text = session.decrypt(message)
                except CryptoRefused:
                    continue
                others = (*pickles[:number], *pickles[number + 1 :])
                self._keep_at(place, device, [session.pickle(self._vault.pickle_key), *others])
                return text
        if first is None or not may_begin:
            raise UndecryptableMessage("no session matches")
        return self._begun_by(device, first)

    def _begun_by(self, device: DeviceKeys, first: vodozemac.PreKeyMessage) -> bytes:
        """Return the first message of a session that *device* started."""
        try:
            with refusing():
                session, text = self._own.account.create_inbound_session(
                    vodozemac.Curve25519PublicKey.from_base64(device.curve25519), first
                )
        except CryptoRefused as error:
            raise UndecryptableMessage("starts a session with a key that is used up or unknown") from error
        account.save(self._vault, self._own)  # the one-time key is used up with it
        self._keep(device, [session.pickle(self._vault.pickle_key), *self._pickles(device)])
        if not device.id:
            self._bound_unknown(device.user)
        return text

    def _checked(self, sender: UserId, key: str, text: bytes) -> DecryptedMessage:
        """Return the payload if it is from *sender* and addressed to us, not a forwarded message to another device."""
        try:
            payload = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UndecryptableMessage("malformed content") from error
        match payload:
            case {
                "sender": str(claimed),
                "recipient": str(recipient),
                "recipient_keys": {"ed25519": str(recipient_key)},
                "keys": {"ed25519": str(ed25519)},
                "type": str(kind),
                "content": dict(content),
            } if claimed == sender and recipient == self._own.user and recipient_key == self._own.ed25519:
                _check_device_keys(payload.get("sender_device_keys"), sender, key, ed25519)
                return DecryptedMessage(sender, key, ed25519, kind, content)
            case _:
                raise UndecryptableMessage("wrong sender or recipient")

    def tidy(self, before: int, is_listed: Callable[[UserId, DeviceId], bool]) -> None:
        """Delete sessions with unknown devices that were not used since *before*, and those beyond the limits."""
        self._vault.drop_older(_UNKNOWN, before)
        for place in self._vault.until(_KNOWN, before):
            user, _, device = json.loads(place)
            if not is_listed(UserId(user), DeviceId(device)):
                self._vault.drop(_KNOWN, place)
        self._vault.keep_newest(_KNOWN, MAX_KNOWN)
        self._session_names = None

    # Storage: the pickles of the sessions with a device, the one to use first

    def _all_session_names(self) -> set[str]:
        if self._session_names is None:
            self._session_names = self._vault.keys(_KNOWN) | self._vault.keys(_UNKNOWN)
        return self._session_names

    def _pickles(self, device: DeviceKeys) -> list[str]:
        known, unknown = self._vault.get(_KNOWN, device.name), self._vault.get(_UNKNOWN, _name_of_unknown(device))
        return f"{known or ''} {unknown or ''}".split()

    def _candidates(self, device: DeviceKeys) -> dict[str, list[str]]:
        """Return, by name, all sessions that a message of this user with this identity key may belong to."""
        owner = name_of(device.user, device.curve25519)
        entries = {**self._vault.owned(_UNKNOWN, owner), **self._vault.owned(_KNOWN, owner)}
        return {name: entries[name].split() for name in [*entries][-MAX_DEVICES_TRIED:]}

    def _keep(self, device: DeviceKeys, pickles: list[str]) -> None:
        """Store all sessions with *device*, including those that began while it was unknown."""
        if device.id:
            self._drop(_UNKNOWN, _name_of_unknown(device))
        self._keep_at(device.name, device, pickles)

    def _keep_at(self, place: str, device: DeviceKeys, pickles: list[str]) -> None:
        kind = _UNKNOWN if place == _name_of_unknown(device) else _KNOWN
        if not pickles:
            self._drop(kind, place)
            return
        owner = name_of(device.user, device.curve25519)
        self._vault.put(kind, place, " ".join(pickles[:MAX_SESSIONS]), owner)
        if place not in self._all_session_names():
            self._all_session_names().add(place)
            self.changes += 1

    def _drop(self, kind: str, place: str) -> None:
        if place in self._all_session_names():
            self._vault.drop(kind, place)
            self._all_session_names().discard(place)

    def _bound_unknown(self, user: UserId) -> None:
        gone = self._vault.keep_newest(_UNKNOWN, MAX_UNKNOWN_OF_USER, begins(user))
        self._all_session_names().difference_update(gone, self._vault.keep_newest(_UNKNOWN, MAX_UNKNOWN))


def _check_device_keys(keys: object, sender: UserId, curve25519: str, ed25519: str) -> None:
    """Check that the sender's device keys in a message, if present, are those that it was sent with.

    Raises `Impostor` (specification, "m.olm.v1.curve25519-aes-sha2", `sender_device_keys`).
    """
    if keys is None:
        return
    name = keys.get("device_id") if isinstance(keys, Mapping) else None
    device = device_of(sender, DeviceId(name), keys) if isinstance(name, str) else None
    if device is None:
        raise Impostor("its sender_device_keys are not signed by the device")
    if (device.curve25519, device.ed25519) != (curve25519, ed25519):
        raise Impostor("its sender_device_keys differ from the keys that it was sent with")


def _name_of_unknown(device: DeviceKeys) -> str:
    return name_of(device.user, device.curve25519, "")
