"""What a hostile device can send to the bot, field by field: its keys, its messages, and what is sealed in them."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import vodozemac

from bot.ids import DeviceId, UserId
from bot.matrix.crypto.account import OwnDevice
from bot.matrix.crypto.devices import MEGOLM, OLM, unpacked, unpadded
from inputs import Name
from key_material import LOW_ORDER
from mutations import Mutation, Path, encoded, kinds_for, mutated, paths, shape
from olm_forgery import Recipient, Secrets, first_message
from small_homeserver import DEVICE
from world import BOT, SEALED, Check, World

HOSTILE = DeviceId("HOSTILE")
_BOT_KEY = "curve25519 of the bot"
FAMILIES = ("device", "one-time key", "to-device", "room key", "encrypted event", "sealed event", "ratchet key")


class Hostile:
    """A device of a user of its own, whose messages are made by hand."""

    def __init__(self, number: int) -> None:
        self.user = UserId(f"@hostile{number}:hs.test")
        account = vodozemac.Account()
        account.generate_one_time_keys(5)
        self.account = account
        self.own = OwnDevice(self.user, HOSTILE, account)
        self.megolm = vodozemac.GroupSession()
        self.one_time_keys = dict(self.own.one_time_keys())
        self.forger = Secrets(secrets.token_bytes(32), secrets.token_bytes(32))

    def device_keys(self, *, forges: bool = False) -> dict[str, Any]:
        """What the homeserver tells of it; *forges*: with the key of the messages that are made by hand."""
        told = dict(self.own.device_keys())
        if forges:
            keys = {f"curve25519:{HOSTILE}": unpadded(self.forger.public), f"ed25519:{HOSTILE}": self.own.ed25519}
            told = dict(self.own.signed({**told, "keys": keys}))
        return {**told, "unsigned": {"device_display_name": "phone"}}

    def room_key(self) -> dict[str, Any]:
        """The payload that gives the key of its messages in the room away."""
        content = {
            "algorithm": MEGOLM,
            "room_id": SEALED,
            "session_id": self.megolm.session_id,
            "session_key": self.megolm.session_key.to_base64(),
        }
        return self.payload("m.room_key", content)

    def payload(self, kind: str, content: object, bot_key: str = "") -> dict[str, Any]:
        """A message to the bot's device, not sealed yet."""
        return {
            "type": kind,
            "content": content,
            "sender": self.user,
            "sender_device": HOSTILE,
            "keys": {"ed25519": self.own.ed25519},
            "recipient": BOT,
            "recipient_keys": {"ed25519": bot_key},
        }

    def event(self, number: int, body: bytes, bot_key: str, sender_key: str = "") -> dict[str, Any]:
        """The to-device event around a ciphertext."""
        ciphertext = {bot_key: {"type": number, "body": unpadded(body)}}
        content = {"algorithm": OLM, "sender_key": sender_key or self.own.curve25519, "ciphertext": ciphertext}
        return {"type": "m.room.encrypted", "sender": self.user, "content": content}

    def sealed(self, payload: object, to: "BotKeys") -> dict[str, Any]:
        """The to-device event that says *payload*, whatever that is."""
        key = vodozemac.Curve25519PublicKey.from_base64
        session = self.account.create_outbound_session(key(to.curve25519), key(to.one_time))
        return self.event(*session.encrypt(encoded(payload)).to_parts(), to.curve25519)

    def says(self, payload: object) -> dict[str, Any]:
        """The content of the room event that says *payload*, whatever that is."""
        return {
            "algorithm": MEGOLM,
            "ciphertext": self.megolm.encrypt(encoded(payload)).to_base64(),
            "session_id": self.megolm.session_id,
            "sender_key": self.own.curve25519,
            "device_id": HOSTILE,
        }


@dataclass(frozen=True, slots=True)
class BotKeys:
    """What others know of the bot's device, with a key of it that is used once."""

    curve25519: str
    ed25519: str
    one_time: str

    @classmethod
    def claimed(cls, world: World) -> "BotKeys":
        """As the homeserver gives them away."""
        told = world.homeserver.devices[BOT][DEVICE]["keys"]
        key = next(iter(world.homeserver.claimed(BOT, DEVICE).values()))["key"]
        return cls(told[f"curve25519:{DEVICE}"], told[f"ed25519:{DEVICE}"], key)


def crypto_mutations() -> Iterator[Name]:
    """Every mutation of everything that a hostile device sends, and each ratchet key of low order."""
    for family in FAMILIES[:-1]:
        for number, template in enumerate(_templates(family)):
            for path in paths(template):
                field = shape(template, path)
                for kind in kinds_for(template, path):
                    yield Name(family, number, field, Mutation(path, kind))
    for kind in LOW_ORDER:
        yield Name("ratchet key", 0, "ratchet key", Mutation(("ratchet key",), kind))


@cache
def _templates(family: str) -> tuple[Any, ...]:
    """What is mutated, with names in it that `_live` replaces."""
    device = Hostile(0)
    withheld = {"algorithm": MEGOLM, "room_id": SEALED, "session_id": "x", "sender_key": "x", "code": "m.unverified"}
    event = device.event(0, b"ciphertext", _BOT_KEY)
    match family:
        case "device":
            return (device.device_keys(),)
        case "one-time key":
            return (dict(list(device.one_time_keys.items())[:1]),)
        case "to-device":
            return (event, {"type": "m.room_key.withheld", "sender": device.user, "content": withheld})
        case "room key":
            return (device.room_key(), device.payload("m.dummy", {}), device.payload("m.forwarded_room_key", withheld))
        case "encrypted event":
            return (device.says({"type": "m.room.message", "content": {}, "room_id": SEALED}),)
        case _:
            return ({"type": "m.room.message", "content": _content(), "room_id": SEALED},)


def _content() -> dict[str, Any]:
    return {"msgtype": "m.text", "body": "hello", "m.mentions": {}, "m.relates_to": {"event_id": "$x"}}


@dataclass
class CryptoInput:
    """A hostile device comes into the encrypted room, with one thing wrong about it, and stays until the end."""

    name: Name
    number: int
    _place: int = -1

    async def happen(self, world: World, _: Check) -> None:
        """Let it come, and say what it says."""
        device, bot = Hostile(self.number), BotKeys.claimed(world)
        homeserver = world.homeserver
        told = device.device_keys(forges=self.name.family == "ratchet key")
        homeserver.devices[device.user] = {HOSTILE: self._made("device", told, device)}
        keys = [{name: key} for name, key in device.one_time_keys.items()]
        self._give_keys(world, device, [self._made("one-time key", key, device) for key in keys])
        homeserver.rooms[SEALED].members.append(device.user)
        joins = homeserver.event(SEALED, "m.room.member", {"membership": "join"}, device.user, sender=device.user)
        world.push(joined={SEALED: [joins]}, device_lists={"changed": [device.user]})
        world.push(joined={SEALED: self._events(world, device)}, to_device=self._messages(device, bot))
        self._place = world.homeserver.pushed - 1

    def _messages(self, device: Hostile, bot: BotKeys) -> list[Any]:
        """What it sends to the bot's device."""
        if self.name.family == "ratchet key":
            return [_with_ratchet_key(device, bot, LOW_ORDER[self.name.mutation.kind])]
        payload = {**device.room_key(), "recipient_keys": {"ed25519": bot.ed25519}}
        if self.name.family == "room key":
            told = [device.room_key(), device.payload("m.dummy", {}), device.payload("m.forwarded_room_key", {})]
            payload = {**told[self.name.recording], "recipient_keys": {"ed25519": bot.ed25519}}
            payload = self._made("room key", payload, device)
        message = device.sealed(payload, bot)
        if self.name.family == "to-device":
            withheld = {**_templates("to-device")[1], "sender": device.user}
            message = self._made("to-device", (message, withheld)[self.name.recording], device, bot)
        return [message]

    def _events(self, world: World, device: Hostile) -> list[Any]:
        """What it says in the room."""
        payload = self._made(
            "sealed event", {"type": "m.room.message", "content": _content(), "room_id": SEALED}, device
        )
        content = self._made("encrypted event", device.says(payload), device)
        return [world.homeserver.event(SEALED, "m.room.encrypted", content, sender=device.user)]

    def _made(self, family: str, value: Any, device: Hostile, bot: BotKeys | None = None) -> Any:
        """*value* with what is to be wrong in it, signed once more where it is signed and still can be."""
        if family != self.name.family:
            return value
        names = {Hostile(0).user: device.user, _BOT_KEY: bot.curve25519 if bot else _BOT_KEY}
        path: Path = tuple(names.get(name, name) if isinstance(name, str) else name for name in self.name.mutation.path)
        if family == "one-time key":  # its name is another in each device
            value, path = (
                {"signed_curve25519:AAAAAQ": next(iter(value.values()))},
                ("signed_curve25519:AAAAAQ", *path[1:]),
            )
        wrong = mutated(value, Mutation(path, self.name.mutation.kind))
        return wrong if "signatures" in path else _signed_again(wrong, device, family)

    def _give_keys(self, world: World, device: Hostile, keys: list[Any]) -> None:
        """Let claims of this device's keys be answered with *keys*, one after the other."""
        left = list(keys)

        def change(answer: object) -> object:
            users = answer.get("one_time_keys") if isinstance(answer, dict) else None
            if isinstance(users, dict) and device.user in users and left:
                users[device.user] = {HOSTILE: left.pop()}
            return answer

        world.homeserver.changes["keys/claim"] = change

    def heal(self, world: World) -> None:
        """It leaves."""
        user = UserId(f"@hostile{self.number}:hs.test")
        world.homeserver.rooms[SEALED].members.remove(user)
        world.homeserver.devices.pop(user, None)
        world.homeserver.changes.pop("keys/claim", None)
        world.homeserver.empty(self._place)
        leaves = world.homeserver.event(SEALED, "m.room.member", {"membership": "leave"}, user, sender=user)
        world.push(joined={SEALED: [leaves]}, device_lists={"left": [user]})


def _signed_again(value: Any, device: Hostile, family: str) -> Any:
    """With a good signature, where it is made of what can be signed: a device signs what it likes."""
    try:
        if family == "device":
            return device.own.signed(value)
        if family == "one-time key":
            return {name: device.own.signed(key) for name, key in value.items()}
    except (TypeError, ValueError, AttributeError, RecursionError):
        return value
    return value


def _with_ratchet_key(device: Hostile, bot: BotKeys, point: bytes) -> dict[str, Any]:
    """The room's key in a message after which the bot cannot encrypt to this device."""
    payload = {**device.room_key(), "recipient_keys": {"ed25519": bot.ed25519}}
    to = Recipient(unpacked(bot.curve25519), unpacked(bot.one_time))
    body = first_message(device.forger, to, encoded(payload), point)
    return device.event(0, body, bot.curve25519, unpadded(device.forger.public))
