"""The cryptography of our device as a whole. Each public method is one transaction, and speaks to nobody.

Its order with the network keeps promises: what is used up is written down before what was made with it leaves, so a
crash loses a message, which is made again, and never uses a key twice. What a sync brings is written down before its
token is; heard again, it is known by its hash, for a used key opens nothing twice.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import structlog

from bot.clock import Clock
from bot.errors import BotError
from bot.ids import DeviceId, EventId, RoomId, UserId
from bot.matrix.crypto import account
from bot.matrix.crypto.account import Own
from bot.matrix.crypto.devices import MEGOLM, Device, one_time_key
from bot.matrix.crypto.lists import DeviceLists, Marks
from bot.matrix.crypto.megolm import Forged, NoKey, Outbound, RoomSessions, Rotation
from bot.matrix.crypto.olm import Conversations, Unreadable
from bot.matrix.crypto.vault import Vault, loaded
from bot.matrix.crypto.waiting import Waiting, WaitingRoom
from bot.matrix.model import Content, Event, KeyNews, ToDevice

PUT_OFF_SECONDS = 300  # before a homeserver that told nothing of a user or device is asked for them again
UNWEDGE_SECONDS = (
    3_600  # between two new conversations with one device (specification, "Recovering from undecryptable messages")
)
KEEP_SECONDS = 365 * 86_400  # room keys of others
AT_ONCE = 100  # devices in one request
_log = structlog.get_logger(__name__)


class KeyLost(BotError):
    """Our session in a room was replaced while its key was being given away: begin again."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A to-device request: *messages* by user and device, and who has our session's key once it arrived."""

    txn: str
    messages: Mapping[UserId, Mapping[DeviceId, Content]]
    session: str = ""
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """Timelines as they read now; *done* are messages that waited, and need not once these timelines are kept."""

    timelines: Mapping[RoomId, tuple[Event, ...]]
    done: tuple[EventId, ...]


class Machine:
    """Encrypts and decrypts as one device."""

    def __init__(self, vault: Vault, own: Own, clock: Clock) -> None:
        self.own = own
        self._vault = vault
        self._clock = clock
        self._lists = DeviceLists(vault)
        self._conversations = Conversations(vault, own)
        self._rooms = RoomSessions(vault, own)
        self._waiting = WaitingRoom(vault)
        self._put_off: dict[str, float] = {}  # a user, or a device's key: until when, by the monotonic clock
        self._wedged: dict[str, Device] = {}

    # Our own keys

    def epoch(self) -> int:
        """A number that only grows: a store that has a smaller one than it had is an old copy."""
        return int(self._vault.get("own", "epoch") or 0)

    def next_epoch(self) -> int:
        """Let it grow."""
        with self._kept():
            epoch = self.epoch() + 1
            self._vault.put("own", "epoch", str(epoch))
            return epoch

    def keys_to_upload(self, on_server: int | None, *, fallback_used: bool) -> Content:
        """What the homeserver is to have of us now; empty where it has enough.

        *on_server* is how many one-time keys of ours it has; None: it did not say.
        """
        with self._kept():
            is_first = self._vault.get("own", "uploaded") is None
            most = self.own.account.max_number_of_one_time_keys
            there = 0 if is_first else most if on_server is None else on_server
            if there < most // 2 or fallback_used:
                self.own.make_keys(there, fallback=is_first or fallback_used)
                account.keep(self._vault, self.own)
            found = {
                "device_keys": self.own.device_keys() if is_first else {},
                "one_time_keys": self.own.one_time_keys(),
                "fallback_keys": self.own.fallback_keys(),
            }
            return {name: keys for name, keys in found.items() if keys}

    def keys_uploaded(self) -> None:
        """The homeserver has what was to be uploaded."""
        with self._kept():
            self.own.account.mark_keys_as_published()
            account.keep(self._vault, self.own)
            self._vault.put("own", "uploaded", "1")

    # What a sync tells

    def feed(self, news: KeyNews, *, is_new: bool) -> None:
        """Take in what a sync tells of keys; *is_new*: nothing is known of what was before it."""
        with self._kept():
            if is_new:
                self._lists.doubt_all()
            self._lists.changed(news.changed)
            self._lists.left(news.left)
            known = loaded(self._vault.get("own", "fed"))
            told = {_hash(each): each for each in news.to_device}
            for number, each in told.items():
                if number not in known and each.type == "m.room.encrypted":
                    self._take(each)
            if told:
                self._vault.put("own", "fed", json.dumps(dict.fromkeys(told, 1)))

    def _take(self, told: ToDevice) -> None:
        try:
            opened = self._conversations.opened(told.sender, told.content)
        except Unreadable as error:
            self._doubt(told, error)
            return
        device = self._lists.by_curve(opened.sender, opened.curve25519)
        if device is not None and device.ed25519 != opened.ed25519:
            _log.warning("a device claims the key of another", user=opened.sender)
        elif opened.type == "m.room_key":
            self._rooms.learn(opened)

    def _doubt(self, told: ToDevice, error: Unreadable) -> None:
        """A conversation may be broken: begin another, so that at least the next message arrives."""
        _log.info("cannot read what a device sent", user=told.sender, reason=str(error))
        key = told.content.get("sender_key")
        device = self._lists.by_curve(told.sender, key) if isinstance(key, str) else None
        if device is None:
            self._lists.changed([told.sender])
            return
        last = self._vault.get("unwedged", device.curve25519)
        if last is None or not 0 <= self._now() - int(last) < UNWEDGE_SECONDS:
            self._wedged[device.curve25519] = device

    # Who has which keys

    def to_query(self, users: Iterable[UserId]) -> Marks:
        """Those of *users* whose devices must be asked for."""
        with self._kept():
            return self._lists.to_query(user for user in users if not self._is_put_off(user))

    def learn_devices(self, answer: Content, marks: Marks) -> None:
        """Take in what the homeserver says of them; a homeserver of theirs may be away."""
        with self._kept():
            for user in self._lists.learn(answer, marks):
                self._put_off[user] = self._clock.monotonic() + PUT_OFF_SECONDS

    def to_claim(self, users: Iterable[UserId]) -> tuple[Device, ...]:
        """The devices of *users* that we cannot write to yet."""
        with self._kept():
            return tuple(
                device
                for device in self._others(users)
                if not self._conversations.has_one(device) and not self._is_put_off(device.curve25519)
            )

    def wedged(self) -> tuple[Device, ...]:
        """The devices that a new conversation is to be begun with."""
        return tuple(self._wedged.values())

    def begin(self, answer: Content, devices: Iterable[Device]) -> None:
        """Begin conversations with the one-time keys that were claimed."""
        with self._kept():
            users = answer.get("one_time_keys")
            for device in devices:
                told = users.get(device.user) if isinstance(users, Mapping) else None
                key = one_time_key(told.get(device.id) if isinstance(told, Mapping) else None, device)
                if key is None or not self._conversations.begin(device, key):
                    self._put_off[device.curve25519] = self._clock.monotonic() + PUT_OFF_SECONDS
            account.keep(self._vault, self.own)

    def greeting(self, devices: Sequence[Device]) -> Parcel:
        """A word in each new conversation with *devices*, so that they use it, too."""
        with self._kept():
            for device in devices:
                self._wedged.pop(device.curve25519, None)
                self._vault.put("unwedged", device.curve25519, str(self._now()))
            return self._parcel([each for each in devices if self._conversations.has_one(each)], "m.dummy", {})

    # Rooms

    def rules(self, room: RoomId) -> Content | None:
        """What the room's `m.room.encryption` said when last heard; None where it was never encrypted."""
        text = self._vault.get("room", room)
        return loaded(text) if text is not None else None

    def are_encrypted(self, told: Mapping[RoomId, Content]) -> None:
        """Rooms with their rules, from now on and for good: an unknown algorithm replaces none that we know."""
        with self._kept():
            for room, rules in told.items():
                known, text = self._vault.get("room", room), json.dumps(rules)
                if known is None or (rules.get("algorithm") == MEGOLM and known != text):
                    self._vault.put("room", room, text)

    def parcels(self, room: RoomId, users: Iterable[UserId], rotation: Rotation) -> tuple[Parcel, ...]:
        """What is to be sent so that the devices of *users*, and no others, can read our next message in *room*."""
        with self._kept():
            now = self._now()
            devices = {user: self._lists.of(user) for user in users}
            out = self._rooms.outbound(room)
            if out is None or out.is_over(rotation, now) or out.is_known_beyond(devices):
                out = Outbound.begun(now, shared_history=rotation.shared_history)
                self._rooms.keep(room, out)
            lacking = [
                each for each in self._others(devices) if not out.has(each) and self._conversations.has_one(each)
            ]
            key, session = self._rooms.key_of(room, out), out.session.session_id
            batches = (lacking[start : start + AT_ONCE] for start in range(0, len(lacking), AT_ONCE))
            return tuple(replace(self._parcel(each, "m.room_key", key), session=session) for each in batches)

    def arrived(self, room: RoomId, parcel: Parcel) -> None:
        """The homeserver has taken it. Raises `KeyLost` where the session is another by now."""
        with self._kept():
            out = self._rooms.outbound(room)
            if out is None or out.session.session_id != parcel.session:
                raise KeyLost("our session in the room was replaced")
            for device in parcel.devices:
                out.shared.setdefault(device.user, {})[device.id] = device.curve25519
            self._rooms.keep(room, out)

    def sealed(self, room: RoomId, kind: str, content: Content) -> Content:
        """The content of the event that says *content*, for whom the session's key was given to."""
        with self._kept():
            out = self._rooms.outbound(room)
            if out is None:
                raise KeyLost("there is no session of ours in the room")
            return self._rooms.sealed(room, out, kind, content)

    def left_room(self, room: RoomId) -> None:
        """What we say when we are back is not for whoever was there before."""
        with self._kept():
            self._rooms.forget(room)

    # Reading

    def read(
        self, timelines: Mapping[RoomId, Sequence[Event]], known: Iterable[RoomId], patience: float | None
    ) -> Read:
        """The *timelines* decrypted, with those messages that waited and can be read now, or never.

        A message whose key is missing waits *patience* seconds; None: it is no news, and does not wait. What waits in
        rooms other than these and the *known* ones is forgotten.
        """
        with self._kept():
            rooms = {*timelines, *known}
            found: dict[RoomId, list[Event]] = {room: [] for room in timelines}
            done: list[EventId] = []
            for each in list(self._waiting.all()):
                event = self._opened(each.room, each.event, may_wait=self._now() < each.until)
                if event is not None or each.room not in rooms:
                    done.append(each.event.id)
                if event is not None and each.room in rooms:
                    found.setdefault(each.room, []).append(event)
            for room, events in timelines.items():
                found[room][:0] = self._timeline(room, events, patience)
            return Read({room: tuple(events) for room, events in found.items()}, tuple(done))

    def tidy(self) -> None:
        """Forget what nobody needs any more."""
        with self._kept():
            self._rooms.tidy(self._now() - KEEP_SECONDS)

    def forget(self, events: Sequence[EventId]) -> None:
        """These messages wait no more."""
        with self._kept():
            self._waiting.forget(events)

    def _timeline(self, room: RoomId, events: Sequence[Event], patience: float | None) -> Iterator[Event]:
        for event in events:
            if event.type != "m.room.encrypted" or event.state_key is not None or "ciphertext" not in event.content:
                yield event
            elif event.sender != self.own.user:
                opened = self._opened(room, event, may_wait=patience is not None)
                if opened is not None:
                    yield opened
                elif not self._waiting.add(Waiting(room, event, int(self._now() + (patience or 0)))):
                    yield replace(event, unreadable=True)

    def _opened(self, room: RoomId, event: Event, *, may_wait: bool) -> Event | None:
        """What *event* hides; None where its key may still come. The relation is the one that the server knows."""
        try:
            kind, content = self._rooms.opened(room, event)
        except NoKey:
            return None if may_wait else replace(event, unreadable=True)
        except Forged as error:
            _log.warning("a message is not what it says it is", room=room, message=event.id, reason=str(error))
            return event
        except Unreadable as error:
            _log.info("cannot read a message", room=room, message=event.id, reason=str(error))
            return replace(event, unreadable=True)
        relation = event.content.get("m.relates_to")
        return replace(event, type=kind, content=content if relation is None else {**content, "m.relates_to": relation})

    # Means

    def _others(self, users: Iterable[UserId]) -> Iterator[Device]:
        """All devices of *users* but ours."""
        for user in users:
            for device in self._lists.of(user).values():
                if (user, device.id) != (self.own.user, self.own.device):
                    yield device

    def _parcel(self, devices: Sequence[Device], kind: str, content: Content) -> Parcel:
        messages: dict[UserId, dict[DeviceId, Content]] = {}
        for device in devices:
            messages.setdefault(device.user, {})[device.id] = self._conversations.sealed(device, kind, content)
        return Parcel(secrets.token_hex(16), messages, devices=tuple(devices))

    def _is_put_off(self, what: str) -> bool:
        return self._clock.monotonic() < self._put_off.get(what, 0.0)

    def _kept(self) -> AbstractContextManager[None]:
        return self._vault.transaction(self._now())

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _hash(told: ToDevice) -> str:
    text = json.dumps([told.sender, told.type, told.content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
