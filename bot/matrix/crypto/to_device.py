"""Messages from other devices to ours, outside of rooms; a message that fails does not affect the others."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from bot.ids import UserId
from bot.matrix.crypto.crypto_store import CryptoStore, loaded, name_of
from bot.matrix.crypto.device_lists import DeviceLists
from bot.matrix.crypto.devices import DeviceKeys
from bot.matrix.crypto.errors import MESSAGE_REFUSED, Faults
from bot.matrix.crypto.key_sharing import NO_OLM, WITHHELD, WithheldKeys
from bot.matrix.crypto.megolm import RoomSessions
from bot.matrix.crypto.missing_keys import UndecryptedMessages
from bot.matrix.crypto.olm import DecryptedMessage, Impostor, OlmSessions, UndecryptableMessage
from bot.matrix.model import Content, ToDeviceEvent

UNWEDGE_SECONDS = (
    3_600  # seconds between new sessions with one device (specification, "Recovering from undecryptable messages")
)
_TYPES = ("m.room.encrypted", WITHHELD)
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ToDeviceInbox:
    """The inbox of to-device messages; *wedged* are the devices that need a new Olm session, by name."""

    vault: CryptoStore
    lists: DeviceLists
    conversations: OlmSessions
    rooms: RoomSessions
    waiting: UndecryptedMessages
    withheld: WithheldKeys
    faults: Faults
    wedged: dict[str, DeviceKeys] = field(default_factory=dict)

    def take(self, events: Iterable[ToDeviceEvent], now: int) -> None:
        """Handle the *events* that were not in the last call; *now* is in seconds since the epoch."""
        known = loaded(self.vault.get("own", "fed"))
        by_hash = {_hash(each): each for each in events if each.type in _TYPES}
        for number, each in by_hash.items():
            if number not in known:
                self._take_one(each, now)
        if by_hash:
            self.vault.put("own", "fed", json.dumps(dict.fromkeys(by_hash, 1)))

    def _take_one(self, event: ToDeviceEvent, now: int) -> None:
        try:
            if event.type == WITHHELD:
                self._learn_withheld(event.sender, event.content, now)
            else:
                self._open(event, now)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001  # a stranger's message must not block the others
            self.faults.add(MESSAGE_REFUSED, f"devices of {event.sender}", error)

    def _open(self, event: ToDeviceEvent, now: int) -> None:
        device = self._device(event.sender, event.content)
        try:
            message = self.conversations.decrypt(event.sender, event.content, device)
        except Impostor as error:
            self.faults.add(MESSAGE_REFUSED, f"devices of {event.sender}", str(error))
        except UndecryptableMessage as error:
            _log.info("to_device.undecryptable", user=event.sender, reason=str(error))
            self._doubt(event.sender, device, now)
        else:
            self._take_content(message, device, now)

    def _take_content(self, message: DecryptedMessage, device: DeviceKeys | None, now: int) -> None:
        if device is not None and device.ed25519 != message.ed25519:
            _log.warning("device.impersonated", user=message.sender)
        elif message.type == WITHHELD:
            self._learn_withheld(message.sender, message.content, now)
        elif message.type == "m.room_key" and (place := self.rooms.learn(message)) is not None:
            self.waiting.arrived(*place)

    def _learn_withheld(self, sender: UserId, content: Content, now: int) -> None:
        """Store that a key is withheld; if the sender has no Olm session with us, start one."""
        if (place := self.withheld.learn(sender, content)) is not None:
            _log.info("room_key.withheld", user=sender, room=place[0], code=str(content.get("code"))[:64])
            self.waiting.arrived(*place)
        elif content.get("code") == NO_OLM and (device := self._device(sender, content)) is not None:
            self._doubt(sender, device, now)

    def _device(self, sender: UserId, content: Content) -> DeviceKeys | None:
        """Return the device of *sender* whose key a message names; None if it is unknown."""
        key = content.get("sender_key")
        return self.lists.by_curve(sender, key) if isinstance(key, str) else None

    def _doubt(self, sender: UserId, device: DeviceKeys | None, now: int) -> None:
        """Schedule a new Olm session instead of a broken one, so that at least the next message arrives."""
        if device is None:
            self.lists.changed([sender])
            return
        last = self.vault.get("unwedged", device.name)
        if last is None or not 0 <= now - int(last) < UNWEDGE_SECONDS:
            self.wedged[device.name] = device

    def unwedged(self, devices: Iterable[DeviceKeys], now: int) -> None:
        """Mark *devices* as having new Olm sessions, as far as that is possible."""
        for device in devices:
            self.wedged.pop(device.name, None)
            self.vault.put("unwedged", device.name, str(now), name_of(device.user))

    def tidy(self, now: int) -> None:
        """Delete the times of new Olm sessions that no longer prevent another one."""
        self.vault.drop_older("unwedged", now - UNWEDGE_SECONDS)


def _hash(event: ToDeviceEvent) -> str:
    try:
        text = json.dumps([event.sender, event.type, event.content], sort_keys=True)
    except RecursionError:
        text = json.dumps([event.sender, event.type, str(event.content.keys())])
    return hashlib.sha256(text.encode()).hexdigest()
