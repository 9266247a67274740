"""Messages in rooms (Matrix specification, "m.megolm.v1.aes-sha2"): one session a sender, its key given to devices."""

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
    """A message that is not what it says it is; nobody is waiting for an answer to it."""


class MissingKey(UndecryptableMessage):
    """The key of a message has not arrived; it may yet."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """After how many messages, or how long, a session is replaced, and whether others may share it (*shared_history*).

    A session that may be shared is given to people who come later by those who have it; one is never turned into the
    other (specification, "Sharing encrypted history").
    """

    messages: int = 100
    period: timedelta = timedelta(days=7)
    shared_history: bool = False

    @classmethod
    def of(cls, told: Content, *, shared_history: bool = False) -> "Rotation":
        """What a room's `m.room.encryption` asks for; less than an hour would be all key exchange and no message."""
        messages, period = told.get("rotation_period_msgs"), told.get("rotation_period_ms")
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
    """Our session in a room, and which devices have its key; *made* in seconds since the epoch."""

    session: vodozemac.GroupSession
    made: int
    messages: int = 0
    shared: dict[str, dict[str, str]] = field(default_factory=dict)  # user, device: its curve25519 key
    shared_history: bool = False

    @classmethod
    def begun(cls, now: int, *, shared_history: bool = False) -> "OutboundSession":
        """A new one, which nobody has the key of."""
        return cls(vodozemac.GroupSession(), now, shared_history=shared_history)

    def is_over(self, rotation: Rotation, now: int) -> bool:
        """Whether it was used enough, or may be shared otherwise now; a clock set back does not make it last longer."""
        if self.shared_history != rotation.shared_history:
            return True
        return self.messages >= rotation.messages or not 0 <= now - self.made < rotation.period.total_seconds()

    def has(self, device: DeviceKeys) -> bool:
        """Whether *device* has the key."""
        return self.shared.get(device.user, {}).get(device.id) == device.curve25519

    def is_known_beyond(self, devices: Mapping[UserId, Mapping[DeviceId, DeviceKeys]]) -> bool:
        """Whether somebody has the key who is not, or no longer, among *devices*."""
        for user, known in self.shared.items():
            wanted = devices.get(UserId(user), {})
            for name, key in known.items():
                device = wanted.get(DeviceId(name))
                if device is None or device.curve25519 != key:
                    return True
        return False


class RoomSessions:
    """The sessions in all rooms: ours, and those of others that we were given the keys of."""

    def __init__(self, vault: CryptoStore, own: OwnDevice) -> None:
        self._vault = vault
        self._own = own
        self._out: dict[RoomId, OutboundSession] = {}

    def forget_what_was_read(self) -> None:
        """Read our sessions anew: what was written last may not have been kept."""
        self._out.clear()

    # Ours

    def outbound(self, room: RoomId) -> OutboundSession | None:
        """Our session in a room."""
        if (out := self._out.get(room)) is None and (out := self._kept(room)) is not None:
            self._out[room] = out
        return out

    def _kept(self, room: RoomId) -> OutboundSession | None:
        kept = loaded(self._vault.get(_OUT, room))
        match kept:
            case {"pickle": str(pickle), "made": int(made), "messages": int(messages)}:
                pass
            case _:
                return None
        try:
            with refusing():
                session = vodozemac.GroupSession.from_pickle(pickle, self._vault.pickle_key)
        except CryptoRefused:
            return None
        told = self._vault.owned(_SHARED, name_of(room))
        shared = {json.loads(name)[1]: json.loads(told[name]) for name in told}
        return OutboundSession(session, made, messages, shared, kept.get("shared_history") is True)

    def keep(self, room: RoomId, out: OutboundSession) -> None:
        """Keep our session in a room as it is now; who has its key is kept by `share`."""
        pickle = out.session.pickle(self._vault.pickle_key)
        told = {"pickle": pickle, "made": out.made, "messages": out.messages, "shared_history": out.shared_history}
        self._vault.put(_OUT, room, json.dumps(told))
        self._out[room] = out

    def replace(self, room: RoomId, out: OutboundSession) -> None:
        """Use *out* from now on, which nobody has the key of."""
        self.forget(room)
        self.keep(room, out)

    def share(self, room: RoomId, out: OutboundSession, devices: Iterable[DeviceKeys]) -> None:
        """*devices* have the key of our session in a room."""
        devices = tuple(devices)
        for device in devices:
            out.shared.setdefault(device.user, {})[device.id] = device.curve25519
        for user in {device.user for device in devices}:
            self._vault.put(_SHARED, name_of(room, user), json.dumps(out.shared[user]), name_of(room))

    def forget(self, room: RoomId) -> None:
        """Use our session in a room no more."""
        self._vault.drop(_OUT, room)
        self._vault.drop_owned(_SHARED, name_of(room))
        self._out.pop(room, None)

    def key_of(self, room: RoomId, out: OutboundSession) -> Content:
        """The content of an `m.room_key`: whoever has it reads what is sent from now on."""
        return {
            "algorithm": MEGOLM,
            "room_id": room,
            "session_id": out.session.session_id,
            "session_key": out.session.session_key.to_base64(),
            "shared_history": out.shared_history,
            "org.matrix.msc3061.shared_history": out.shared_history,  # its name before v1.19, which clients still read
        }

    def sealed(self, room: RoomId, out: OutboundSession, kind: str, content: Content) -> Content:
        """The content of the `m.room.encrypted` that says *content*."""
        ciphertext = out.session.encrypt(encoded({"type": kind, "content": content, "room_id": room}))
        out.messages += 1
        self.keep(room, out)  # before it leaves: no place of the ratchet is used twice
        return {
            "algorithm": MEGOLM,
            "ciphertext": ciphertext.to_base64(),
            "session_id": out.session.session_id,
            "sender_key": self._own.curve25519,  # deprecated since v1.3, and still looked for
            "device_id": self._own.device,
        }

    # Others'

    def learn(self, key: DecryptedMessage) -> tuple[RoomId, str] | None:
        """Keep the session that an `m.room_key` brings; its room and id, None where it is not kept.

        One that is known is replaced only by its own sender, by one that reads further back: or whoever was given a key
        could say that it is theirs.
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
        told = {"pickle": pickle, "sender": key.sender, "sender_key": key.curve25519, "ed25519": key.ed25519}
        self._vault.put(_IN, place, json.dumps(told), name_of(key.sender, room))
        self._bound(key.sender, room)
        return RoomId(room), number

    def _bound(self, sender: UserId, room: str) -> None:
        """Forget the keys that were not used for longest where there are too many, of a sender or of all."""
        gone = self._vault.keep_newest(_IN, MAX_KEYS_OF_SENDER, name_of(sender, room))
        gone += self._vault.keep_newest(_IN, MAX_KEYS_OF_USER, begins(sender))
        for place in gone + self._vault.keep_newest(_IN, MAX_KEYS):
            its_room, _, session = place.rpartition("|")
            self._vault.drop_owned(_READ, name_of(session, its_room))

    def opened(self, room: RoomId, event: Event) -> tuple[str, Content]:
        """The type and the content that an `m.room.encrypted` hides.

        Raises:
            NoKey: its key may still come.
            Unreadable: it is not what it says it is.
        """
        number, ciphertext = event.content.get("session_id"), event.content.get("ciphertext")
        if event.content.get("algorithm") != MEGOLM or not isinstance(number, str) or not isinstance(ciphertext, str):
            raise UndecryptableMessage("malformed, or of an unknown algorithm")
        known = loaded(self._vault.get(_IN, f"{room}|{number}"))
        if not known:
            raise MissingKey("no key for it")
        if known.get("sender") != event.sender:
            raise ForgedMessage("the session is somebody else's")
        if len(ciphertext) > MAX_CIPHERTEXT:
            raise UndecryptableMessage("too large")
        try:
            with refusing():
                session = vodozemac.InboundGroupSession.from_pickle(str(known["pickle"]), self._vault.pickle_key)
                message = vodozemac.MegolmMessage.from_base64(ciphertext)
                if message.message_index() < session.first_known_index:
                    raise MissingKey("the key is of later messages")
                found = session.decrypt(message)
        except CryptoRefused as error:
            raise UndecryptableMessage("does not fit its key") from error
        self._refuse_replay(f"{number}|{found.message_index}", event.id, name_of(number, room))
        self._vault.use(_IN, f"{room}|{number}")
        return _checked(room, found.plaintext)

    def _refuse_replay(self, place: str, event: EventId, owner: str) -> None:
        """Each place of a session is one event's: a homeserver cannot have the same said again."""
        first = self._vault.get(_READ, place)
        if first is None:
            self._vault.put(_READ, place, event, owner)
        elif first != event:
            raise ForgedMessage("a copy of an earlier event")

    def tidy(self, before: int) -> None:
        """Forget what was last of use *before*, in seconds since the epoch."""
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
        raise UndecryptableMessage("malformed inside") from error
    match payload:
        case {"room_id": str(meant), "type": str(kind), "content": dict(content)} if meant == room:
            return kind, content
        case _:
            raise ForgedMessage("of another room")
