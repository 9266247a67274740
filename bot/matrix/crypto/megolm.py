"""Megolm: encryption of messages in rooms, with one session per sender (specification, "m.megolm.v1.aes-sha2")."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import vodozemac

from bot.ids import DeviceId, EventId, RoomId, UserId
from bot.matrix.content import encoded
from bot.matrix.crypto.account import OwnDevice
from bot.matrix.crypto.crypto_store import CryptoStore, begins, loaded, name_of
from bot.matrix.crypto.devices import MEGOLM, DeviceKeys
from bot.matrix.crypto.errors import CryptoRefused, refusing
from bot.matrix.crypto.olm import DecryptedMessage, UndecryptableMessage
from bot.matrix.model import Content, Event

MAX_CIPHERTEXT = 64 * 1024
MAX_KEYS_OF_SENDER = 50  # in one room
MAX_KEYS_OF_USER, MAX_KEYS = 1_000, 20_000
_OUT, _SHARED, _IN, _READ = "out", "shared", "in", "read"


class ForgedMessage(UndecryptableMessage):
    """A message whose sender or event is not what it claims to be, so it gets no reply."""


class MissingKey(UndecryptableMessage):
    """A message whose key has not arrived, but still may."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """The lifetime of a session in messages or time, and whether it may be shared with later members.

    Members who have a session with *shared_history* pass it on to later members; a session never changes its kind
    (specification, "Sharing encrypted history").
    """

    messages: int = 100
    period: timedelta = timedelta(days=7)
    shared_history: bool = False

    @classmethod
    def of(cls, content: Content, *, shared_history: bool = False) -> "Rotation":
        """Return the rotation in a room's `m.room.encryption`, at least an hour so that key exchange stays rare."""
        messages, period = content.get("rotation_period_msgs"), content.get("rotation_period_ms")
        usual = cls()
        return cls(
            messages=min(max(messages, 1), 10_000) if isinstance(messages, int) else usual.messages,
            period=timedelta(milliseconds=min(max(period, 3_600_000), 10**11))
            if isinstance(period, int)
            else usual.period,
            shared_history=shared_history,
        )


@dataclass(slots=True)
class OutboundSession:
    """Our session in a room, and the devices that have its key; *made* is in seconds since the epoch."""

    session: vodozemac.GroupSession
    made: int
    messages: int = 0
    shared: dict[str, dict[str, str]] = field(default_factory=dict)  # user, device: its curve25519 key
    shared_history: bool = False

    @classmethod
    def begun(cls, now: int, *, shared_history: bool = False) -> "OutboundSession":
        """Return a new session, whose key no device has."""
        return cls(vodozemac.GroupSession(), now, shared_history=shared_history)

    def is_over(self, rotation: Rotation, now: int) -> bool:
        """Return whether it must be replaced, also if the clock was set back."""
        if self.shared_history != rotation.shared_history:
            return True
        return self.messages >= rotation.messages or not 0 <= now - self.made < rotation.period.total_seconds()

    def has(self, device: DeviceKeys) -> bool:
        """Return whether *device* has the key."""
        return self.shared.get(device.user, {}).get(device.id) == device.curve25519

    def is_known_beyond(self, devices: Mapping[UserId, Mapping[DeviceId, DeviceKeys]]) -> bool:
        """Return whether any device outside of *devices* has the key."""
        for user, known in self.shared.items():
            listed = devices.get(UserId(user), {})
            for name, key in known.items():
                device = listed.get(DeviceId(name))
                if device is None or device.curve25519 != key:
                    return True
        return False


class RoomSessions:
    """The Megolm sessions in all rooms: ours, and those of others whose keys we received."""

    def __init__(self, vault: CryptoStore, own: OwnDevice) -> None:
        self._vault = vault
        self._own = own
        self._out: dict[RoomId, OutboundSession] = {}

    def clear_cache(self) -> None:
        """Clear the cache of our sessions, because the last write may have been rolled back."""
        self._out.clear()

    # Our sessions

    def outbound(self, room: RoomId) -> OutboundSession | None:
        """Return our session in a room; None if there is none."""
        if (out := self._out.get(room)) is None and (out := self._stored(room)) is not None:
            self._out[room] = out
        return out

    def _stored(self, room: RoomId) -> OutboundSession | None:
        stored = loaded(self._vault.get(_OUT, room))
        match stored:
            case {"pickle": str(pickle), "made": int(made), "messages": int(messages)}:
                pass
            case _:
                return None
        try:
            with refusing():
                session = vodozemac.GroupSession.from_pickle(pickle, self._vault.pickle_key)
        except CryptoRefused:
            return None
        recipients = self._vault.owned(_SHARED, name_of(room))
        shared = {json.loads(name)[1]: json.loads(recipients[name]) for name in recipients}
        return OutboundSession(session, made, messages, shared, stored.get("shared_history") is True)

    def keep(self, room: RoomId, out: OutboundSession) -> None:
        """Store our session in a room; the devices that have its key are stored by `share`."""
        pickle = out.session.pickle(self._vault.pickle_key)
        content = {"pickle": pickle, "made": out.made, "messages": out.messages, "shared_history": out.shared_history}
        self._vault.put(_OUT, room, json.dumps(content))
        self._out[room] = out

    def replace(self, room: RoomId, out: OutboundSession) -> None:
        """Use the new session *out* from now on, whose key no device has."""
        self.forget(room)
        self.keep(room, out)

    def share(self, room: RoomId, out: OutboundSession, devices: Iterable[DeviceKeys]) -> None:
        """Store that *devices* have the key of our session in a room."""
        devices = tuple(devices)
        for device in devices:
            out.shared.setdefault(device.user, {})[device.id] = device.curve25519
        for user in {device.user for device in devices}:
            self._vault.put(_SHARED, name_of(room, user), json.dumps(out.shared[user]), name_of(room))

    def forget(self, room: RoomId) -> None:
        """Delete our session in a room."""
        self._vault.drop(_OUT, room)
        self._vault.drop_owned(_SHARED, name_of(room))
        self._out.pop(room, None)

    def key_of(self, room: RoomId, out: OutboundSession) -> Content:
        """Return the content of an `m.room_key`, with which a device can read what is sent from now on."""
        return {
            "algorithm": MEGOLM,
            "room_id": room,
            "session_id": out.session.session_id,
            "session_key": out.session.session_key.to_base64(),
            "shared_history": out.shared_history,
            "org.matrix.msc3061.shared_history": out.shared_history,  # the name before v1.19, still read by clients
        }

    def encrypt(self, room: RoomId, out: OutboundSession, kind: str, content: Content) -> Content:
        """Return the content of an `m.room.encrypted` with *content* encrypted."""
        ciphertext = out.session.encrypt(encoded({"type": kind, "content": content, "room_id": room}))
        out.messages += 1
        self.keep(room, out)  # before it is sent, so that no index of the ratchet is used twice
        return {
            "algorithm": MEGOLM,
            "ciphertext": ciphertext.to_base64(),
            "session_id": out.session.session_id,
            "sender_key": self._own.curve25519,  # deprecated since v1.3, but some clients still need it
            "device_id": self._own.device,
        }

    # Sessions of others

    def learn(self, key: DecryptedMessage) -> tuple[RoomId, str] | None:
        """Store the session in an `m.room_key`, and return its room and id; None if it is rejected.

        A known session is replaced only by its own sender, and only by one that reads further back; otherwise anyone
        with the key could claim the session as their own.
        """
        match key.content:
            case {"algorithm": algorithm, "room_id": str(room), "session_id": str(number), "session_key": str(value)}:
                pass
            case _:
                return None
        if algorithm != MEGOLM:
            return None
        try:
            with refusing():
                session = vodozemac.InboundGroupSession(vodozemac.SessionKey(value))
        except CryptoRefused:
            return None
        place = f"{room}|{number}"
        known = loaded(self._vault.get(_IN, place))
        if session.session_id != number or (known and not _is_better(session, key, known, self._vault)):
            return None
        pickle = session.pickle(self._vault.pickle_key)
        content = {"pickle": pickle, "sender": key.sender, "sender_key": key.curve25519, "ed25519": key.ed25519}
        self._vault.put(_IN, place, json.dumps(content), name_of(key.sender, room))
        self._bound(key.sender, room)
        return RoomId(room), number

    def _bound(self, sender: UserId, room: str) -> None:
        """Delete the least recently used keys beyond the limits per room, per sender and in total."""
        gone = self._vault.keep_newest(_IN, MAX_KEYS_OF_SENDER, name_of(sender, room))
        gone += self._vault.keep_newest(_IN, MAX_KEYS_OF_USER, begins(sender))
        for place in gone + self._vault.keep_newest(_IN, MAX_KEYS):
            its_room, _, session = place.rpartition("|")
            self._vault.drop_owned(_READ, name_of(session, its_room))

    def decrypt(self, room: RoomId, event: Event) -> tuple[str, Content]:
        """Return the decrypted type and content of an `m.room.encrypted`.

        Raises:
            MissingKey: its key may still arrive.
            ForgedMessage: it is not what it claims to be.
            UndecryptableMessage: it is malformed, or does not match its key.
        """
        number, ciphertext = event.content.get("session_id"), event.content.get("ciphertext")
        if event.content.get("algorithm") != MEGOLM or not isinstance(number, str) or not isinstance(ciphertext, str):
            raise UndecryptableMessage("malformed, or of an unknown algorithm")
        known = loaded(self._vault.get(_IN, f"{room}|{number}"))
        if not known:
            raise MissingKey("no key for it")
        if known.get("sender") != event.sender:
            raise ForgedMessage("the session belongs to another user")
        if len(ciphertext) > MAX_CIPHERTEXT:
            raise UndecryptableMessage("too large")
        try:
            with refusing():
                session = vodozemac.InboundGroupSession.from_pickle(str(known["pickle"]), self._vault.pickle_key)
                message = vodozemac.MegolmMessage.from_base64(ciphertext)
                if message.message_index() < session.first_known_index:
                    raise MissingKey("the key is of later messages")
                decrypted = session.decrypt(message)
        except CryptoRefused as error:
            raise UndecryptableMessage("does not match its key") from error
        self._refuse_replay(f"{number}|{decrypted.message_index}", event.id, name_of(number, room))
        self._vault.use(_IN, f"{room}|{number}")
        return _checked(room, decrypted.plaintext)

    def _refuse_replay(self, place: str, event: EventId, owner: str) -> None:
        """Reject a second event for an index of a session, so that a homeserver cannot replay a message."""
        first = self._vault.get(_READ, place)
        if first is None:
            self._vault.put(_READ, place, event, owner)
        elif first != event:
            raise ForgedMessage("a copy of an earlier event")

    def tidy(self, before: int) -> None:
        """Delete entries last used *before*, in seconds since the epoch."""
        for kind in (_IN, _READ):
            self._vault.drop_older(kind, before)


def _is_better(
    session: vodozemac.InboundGroupSession, key: DecryptedMessage, known: Content, vault: CryptoStore
) -> bool:
    if (known.get("sender"), known.get("sender_key")) != (key.sender, key.curve25519):
        return False
    try:
        with refusing():
            former = vodozemac.InboundGroupSession.from_pickle(str(known["pickle"]), vault.pickle_key)
            return session.first_known_index < former.first_known_index
    except CryptoRefused:
        return True


def _checked(room: RoomId, text: bytes) -> tuple[str, Content]:
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UndecryptableMessage("malformed content") from error
    match payload:
        case {"room_id": str(room_id), "type": str(kind), "content": dict(content)} if room_id == room:
            return kind, content
        case _:
            raise ForgedMessage("belongs to another room")
