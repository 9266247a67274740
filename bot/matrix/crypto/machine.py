"""Cryptography of our device as a whole; each public method is one transaction, without network access.

The order of writes and requests guarantees two things. The use of a key is written before anything encrypted with it is
sent, so after a crash a message is encrypted again, and no key is used twice. The contents of a sync are written before
its token; if they arrive again, they are recognized by their hash, because a used key cannot decrypt them again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import structlog

from bot.clock import Clock
from bot.ids import DeviceId, EventId, RoomId, UserId
from bot.matrix.crypto import account
from bot.matrix.crypto.account import OwnDevice
from bot.matrix.crypto.crypto_store import CryptoStore, loaded
from bot.matrix.crypto.device_lists import DeviceLists, Marks
from bot.matrix.crypto.devices import MEGOLM, DeviceKeys, one_time_key
from bot.matrix.crypto.errors import CryptoRefused, Faults
from bot.matrix.crypto.key_sharing import (
    DecryptedTimelines,
    KeyLost,
    KeyShared,
    KeyShares,
    RoomReaders,
    ToDeviceMessages,
    WithheldKeys,
)
from bot.matrix.crypto.megolm import ForgedMessage, MissingKey, OutboundSession, RoomSessions
from bot.matrix.crypto.missing_keys import UndecryptedMessage, UndecryptedMessages
from bot.matrix.crypto.olm import OlmSessions, UndecryptableMessage
from bot.matrix.crypto.to_device import ToDeviceInbox
from bot.matrix.crypto.unreachable import UnreachableDevices
from bot.matrix.model import Content, Event, KeyUpdates

SETTLED_SECONDS = 300.0  # after which the recipients of a key are checked again, even without a change
KEEP_SECONDS = 365 * 86_400  # for room keys of others
KEEP_UNKNOWN_SECONDS = 30 * 86_400  # for Olm sessions with devices that are unknown or deleted
RULES = ("algorithm", "rotation_period_msgs", "rotation_period_ms")
_log = structlog.get_logger(__name__)


class CryptoMachine:
    """Encryption and decryption as one device."""

    def __init__(self, vault: CryptoStore, own: OwnDevice, clock: Clock) -> None:
        self.own = own
        self._our_key = own.curve25519
        self._vault = vault
        self._clock = clock
        self.faults = Faults()
        self._lists = DeviceLists(vault)
        self._conversations = OlmSessions(vault, own)
        self._rooms = RoomSessions(vault, own)
        self._waiting = UndecryptedMessages(vault)
        self._withheld = WithheldKeys(vault)
        self._unreached = UnreachableDevices(clock.monotonic, self._withheld, self.faults)
        self._settled: dict[RoomId, KeyShared] = {}
        self._mailbox = ToDeviceInbox(
            vault, self._lists, self._conversations, self._rooms, self._waiting, self._withheld, self.faults
        )

    # Our own keys

    def epoch(self) -> int:
        """Return a number that only increases; a store with a smaller one than before is an old copy."""
        return int(self._vault.get("own", "epoch") or 0)

    def next_epoch(self) -> int:
        """Increase the epoch, and return it."""
        with self._transaction():
            epoch = self.epoch() + 1
            self._vault.put("own", "epoch", str(epoch))
            return epoch

    def keys_to_upload(self, on_server: int | None, *, fallback_used: bool) -> Content:
        """Return the keys to upload now; empty if the homeserver has enough.

        *on_server* is the number of our one-time keys that it has; None if unknown.
        """
        with self._transaction():
            is_first = self._vault.get("own", "uploaded") is None
            limit = self.own.account.max_number_of_one_time_keys
            available = 0 if is_first else limit if on_server is None else on_server
            if available < limit // 2 or fallback_used:
                self.own.generate_keys(available, fallback=is_first or fallback_used)
                account.save(self._vault, self.own)
            keys_by_name = {
                "device_keys": self.own.device_keys() if is_first else {},
                "one_time_keys": self.own.one_time_keys(),
                "fallback_keys": self.own.fallback_keys(),
            }
            return {name: keys for name, keys in keys_by_name.items() if keys}

    def keys_uploaded(self) -> None:
        """Mark the keys as uploaded."""
        with self._transaction():
            self.own.account.mark_keys_as_published()
            account.save(self._vault, self.own)
            self._vault.put("own", "uploaded", "1")

    def learn_our_signatures(self, server_keys: Content) -> None:
        """Add signatures of our device at the homeserver, such as its owner's, to the keys that we send to others."""
        mine, theirs = self.own.device_keys(), server_keys.get("signatures")
        ours = theirs.get(self.own.user) if isinstance(theirs, Mapping) else None
        if server_keys.get("keys") == mine.get("keys") and isinstance(ours, Mapping):
            self._conversations.device_keys = self.own.also_signed(ours)

    # Updates from a sync

    def feed(self, news: KeyUpdates, *, is_new: bool) -> None:
        """Store the key updates of a sync; *is_new* is true for the first sync, which has no predecessor."""
        with self._transaction():
            if is_new:
                self._lists.doubt_all()
            self._lists.changed(news.changed)
            self._lists.left(news.left)
            self._mailbox.take(news.to_device, self._now())

    # Devices and their keys

    def to_query(self, users: Iterable[UserId]) -> Marks:
        """Return those of *users* whose devices must be queried."""
        with self._transaction():
            return self._lists.to_query(user for user in users if not self._unreached.is_put_off(user))

    def learn_devices(self, answer: Content, marks: Marks) -> None:
        """Store the response to a query for devices; users of unreachable homeservers are missing in it."""
        with self._transaction():
            self._unreached.answered(marks, self._lists.learn(answer, marks))

    def put_off(self, refused: Iterable[UserId | DeviceKeys], reason: str) -> None:
        """Leave out users or devices for a while, because the homeserver refuses requests that contain them."""
        for each in refused:
            self._unreached.put_off(each, reason)

    def to_claim(self, users: Iterable[UserId]) -> tuple[DeviceKeys, ...]:
        """Return the devices of *users* with which there is no Olm session yet."""
        with self._transaction():
            return tuple(
                device
                for device in self._others(users)
                if not self._conversations.has_one(device) and not self._unreached.is_put_off(device)
            )

    def wedged(self) -> tuple[DeviceKeys, ...]:
        """Return the devices with which a new Olm session must be started."""
        return tuple(self._mailbox.wedged.values())

    def begin(self, answer: Content, devices: Iterable[DeviceKeys]) -> None:
        """Start Olm sessions with the one-time keys that were claimed."""
        with self._transaction():
            users, failures = answer.get("one_time_keys"), answer.get("failures")
            for device in devices:
                claimed = users.get(device.user) if isinstance(users, Mapping) else None
                key = one_time_key(claimed.get(device.id) if isinstance(claimed, Mapping) else None, device)
                if key is not None:
                    self._begin(device, key)
                else:
                    is_away = isinstance(failures, Mapping) and device.user.partition(":")[2] in failures
                    self._unreached.without_key(device, is_away=is_away)
            account.save(self._vault, self.own)

    def _begin(self, device: DeviceKeys, one_time_key: str) -> None:
        try:
            self._conversations.begin(device, one_time_key)
        except CryptoRefused as error:
            self._unreached.left_out(device, f"its keys cannot be used: {error}")
        else:
            self._unreached.note_contact(device)

    def greeting(self, devices: Sequence[DeviceKeys]) -> ToDeviceMessages:
        """Return a message for each new Olm session with *devices*, so that they use it, too."""
        with self._transaction():
            self._mailbox.unwedged(devices, self._now())
            return self._parcel([each for each in devices if self._conversations.has_one(each)], "m.dummy", {})

    def notices(self) -> ToDeviceMessages:
        """Return the messages to devices without an Olm session that they get no keys."""
        with self._transaction():
            return self._unreached.notices(self.own.curve25519)

    def noticed(self, devices: Iterable[DeviceKeys]) -> None:
        """Mark *devices* as notified, or as refused by the homeserver."""
        with self._transaction():
            self._unreached.noticed(devices)

    # Rooms

    def rules(self, room: RoomId) -> Content | None:
        """Return the last known `m.room.encryption` of a room; None if it was never encrypted."""
        text = self._vault.get("room", room)
        return loaded(text) if text is not None else None

    def mark_encrypted(self, rules_by_room: Mapping[RoomId, Content]) -> None:
        """Mark rooms as encrypted for good; an unknown algorithm does not replace a known one."""
        with self._transaction():
            for room, rules in rules_by_room.items():
                text = json.dumps({name: rules[name] for name in RULES if isinstance(rules.get(name), str | int)})
                known = self._vault.get("room", room)
                if known is None or (rules.get("algorithm") == MEGOLM and known != text):
                    self._vault.put("room", room, text)

    def is_settled(self, room: RoomId, audience: RoomReaders) -> bool:
        """Return whether all reachable devices of *audience* are known to have the key of our next message."""
        settled, out = self._settled.get(room), self._rooms.outbound(room)
        return (
            settled is not None
            and out is not None
            and not out.is_over(audience.rotation, self._now())
            and settled.until > self._clock.monotonic()
            and (settled.session, settled.changes) == (out.session.session_id, self._changes())
            and settled.audience == audience
        )

    def lacking(self, room: RoomId, audience: RoomReaders) -> KeyShares:
        """Return our session in *room* and the devices of *audience* without its key; replace it if others have it."""
        with self._transaction():
            now = self._now()
            devices = {user: self._lists.of(user) for user in audience.users}
            out = self._rooms.outbound(room)
            if out is None or out.is_over(audience.rotation, now) or out.is_known_beyond(devices):
                out = OutboundSession.begun(now, shared_history=audience.rotation.shared_history)
                self._rooms.replace(room, out)
            lacking = tuple(each for each in self._others(devices) if not out.has(each) and self._can_have_keys(each))
            session = out.session.session_id
            if not lacking:
                until = self._unreached.next_try(self._clock.monotonic() + SETTLED_SECONDS)
                self._settled[room] = KeyShared(audience, session, self._changes(), until)
            return KeyShares(session, self._rooms.key_of(room, out), lacking)

    def _can_have_keys(self, device: DeviceKeys) -> bool:
        return self._conversations.has_one(device) and not self._unreached.is_put_off(device)

    def _changes(self) -> int:
        """Return a number that increases with each new device, and each new Olm session with a device."""
        return self._lists.changes + self._conversations.changes

    def parcel(self, room: RoomId, shares: KeyShares, devices: Sequence[DeviceKeys]) -> ToDeviceMessages:
        """Return messages with the key of our session in *room* for *devices*. Raises `KeyLost` as `arrived` does."""
        with self._transaction():
            self._current(room, shares.session)
            return replace(self._parcel(devices, "m.room_key", shares.key), session=shares.session)

    def arrived(self, room: RoomId, parcel: ToDeviceMessages) -> None:
        """Mark the devices of *messages* as having the key. Raises `KeyLost` if the session was replaced meanwhile."""
        with self._transaction():
            self._rooms.share(room, self._current(room, parcel.session), parcel.devices)

    def _current(self, room: RoomId, session: str) -> OutboundSession:
        out = self._rooms.outbound(room)
        if out is None or out.session.session_id != session:
            raise KeyLost("our session in the room was replaced")
        return out

    def encrypt(self, room: RoomId, kind: str, content: Content) -> Content:
        """Return *content* encrypted for the devices that have the session's key."""
        with self._transaction():
            out = self._rooms.outbound(room)
            if out is None:
                raise KeyLost("there is no outbound session in the room")
            return self._rooms.encrypt(room, out, kind, content)

    def left_room(self, room: RoomId) -> None:
        """Forget our session in a room, so that former members cannot read what we send after a return."""
        with self._transaction():
            self._rooms.forget(room)

    # Decryption

    def read(
        self, timelines: Mapping[RoomId, Sequence[Event]], known: Iterable[RoomId], patience: float | None
    ) -> DecryptedTimelines:
        """Return the *timelines* decrypted, with the waiting messages that are now readable or will never be.

        A message whose key is missing waits *patience* seconds; with None it is old and does not wait. Messages that
        wait in rooms other than these and the *known* ones are dropped.
        """
        with self._transaction():
            rooms = {*timelines, *known}
            decrypted: dict[RoomId, list[Event]] = {room: [] for room in timelines}
            done: list[UndecryptedMessage] = []
            for each in self._waiting.due(self._now()):
                event = self._decrypt(each.room, each.event, may_wait=self._now() < each.until)
                if event is not None or each.room not in rooms:
                    done.append(each)
                if event is not None and each.room in rooms:
                    decrypted.setdefault(each.room, []).append(event)
            self._waiting.looked_at(done)
            for room, events in timelines.items():
                decrypted[room][:0] = self._timeline(room, events, patience)
            read = {room: tuple(events) for room, events in decrypted.items()}
            return DecryptedTimelines(read, tuple(each.event.id for each in done))

    def tidy(self) -> None:
        """Delete entries that are no longer needed."""
        with self._transaction():
            self._rooms.tidy(self._now() - KEEP_SECONDS)
            self._conversations.tidy(self._now() - KEEP_UNKNOWN_SECONDS, self._lists.has)
            self._withheld.tidy(self._now() - KEEP_UNKNOWN_SECONDS)
            self._mailbox.tidy(self._now())

    def forget(self, events: Sequence[EventId]) -> None:
        """Drop messages that wait for a key."""
        with self._transaction():
            self._waiting.forget(events)

    def _timeline(self, room: RoomId, events: Sequence[Event], patience: float | None) -> Iterator[Event]:
        for event in events:
            if event.type != "m.room.encrypted" or event.state_key is not None or "ciphertext" not in event.content:
                yield event
            elif event.sender != self.own.user:
                event_read = self._decrypt(room, event, may_wait=patience is not None)
                if event_read is not None:
                    yield event_read
                elif not self._waiting.add(UndecryptedMessage(room, event, int(self._now() + (patience or 0)))):
                    yield replace(event, unreadable=True)

    def _decrypt(self, room: RoomId, event: Event, *, may_wait: bool) -> Event | None:
        """Return *event* decrypted, with its unencrypted relation; None if the key may still arrive."""
        try:
            kind, content = self._rooms.decrypt(room, event)
        except MissingKey:
            session = str(event.content.get("session_id"))
            if may_wait and self._withheld.code(room, session, event.sender) is None:
                return None
            return replace(event, unreadable=True)
        except ForgedMessage as error:
            _log.warning("message.forged", room=room, message=event.id, reason=str(error))
            return event
        except UndecryptableMessage as error:
            _log.info("message.undecryptable", room=room, message=event.id, reason=str(error))
            return replace(event, unreadable=True)
        relation = event.content.get("m.relates_to")
        told = content if relation is None else {**content, "m.relates_to": relation}
        return replace(event, type=kind, content=told, decrypted=True)

    # Helpers

    def _others(self, users: Iterable[UserId]) -> Iterator[DeviceKeys]:
        """Yield all devices of *users* except ours and those that claim to be ours."""
        for user in users:
            for device in self._lists.of(user).values():
                if device.curve25519 != self._our_key and (user, device.id) != (self.own.user, self.own.device):
                    yield device

    def _parcel(self, devices: Iterable[DeviceKeys], kind: str, content: Content) -> ToDeviceMessages:
        """Return *content* for each of *devices* for which it can be encrypted."""
        messages: dict[UserId, dict[DeviceId, Content]] = {}
        reached: list[DeviceKeys] = []
        for device in devices:
            try:
                ciphertext = self._conversations.encrypt(device, kind, content)
            except CryptoRefused as error:
                self._unreached.left_out(device, f"its conversation cannot be used: {error}")
            else:
                messages.setdefault(device.user, {})[device.id] = ciphertext
                reached.append(device)
        return ToDeviceMessages(messages, devices=tuple(reached))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._vault.transaction(self._now()):
                yield
        except BaseException:
            for part in (self._lists, self._conversations, self._rooms, self._waiting):
                part.clear_cache()
            raise

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
