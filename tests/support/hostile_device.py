"""A device whose owner does as they like: keys that nobody can encrypt to, and messages that no library would send."""

import hmac
from dataclasses import dataclass, field

import vodozemac
from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.DH import import_x25519_public_key, key_agreement
from Crypto.Protocol.KDF import HKDF
from Crypto.PublicKey import ECC
from Crypto.Util.Padding import pad

from bot.ids import DeviceId, UserId
from bot.matrix.content import encoded
from bot.matrix.crypto.account import OwnDevice
from bot.matrix.crypto.devices import MEGOLM, OLM, unpacked, unpadded
from bot.matrix.crypto.errors import Fault
from bot.matrix.model import Content, KeyUpdates, ToDeviceEvent
from support.crypto_rig import ROOM, Device

EVIL = DeviceId("EVIL")
LOW_ORDER = unpadded(bytes(32))
LOW_ORDER_KEYS = (LOW_ORDER, unpadded(bytes([1]) + bytes(31)), unpadded(b"\xed" + b"\xff" * 30 + b"\x7f"))


@dataclass
class HostileDevice:
    """Its keys are its own; what is published, and sent, is up to the test."""

    user: UserId
    id: DeviceId = EVIL
    signer: vodozemac.Account = field(default_factory=vodozemac.Account)
    secret: ECC.EccKey = field(default_factory=lambda: ECC.generate(curve="curve25519"))

    @property
    def own(self) -> OwnDevice:
        """Who signs."""
        return OwnDevice(self.user, self.id, self.signer)

    @property
    def curve25519(self) -> str:
        """Its identity key."""
        return unpadded(self.secret.public_key().export_key(format="raw"))

    def device_keys(self, curve25519: str | None = None, ed25519: str | None = None) -> Content:
        """What it has its homeserver tell of it."""
        curve, ed = curve25519 or self.curve25519, ed25519 or self.own.ed25519
        keys = {f"curve25519:{self.id}": curve, f"ed25519:{self.id}": ed}
        told = {"algorithms": [OLM, MEGOLM], "device_id": self.id, "user_id": self.user, "keys": keys}
        return self.own.signed(told)

    def queried(self, **keys: str) -> Content:
        """The answer to a query for it."""
        return {"device_keys": {self.user: {self.id: self.device_keys(**keys)}}}

    def one_time_keys(self, key: str) -> Content:
        """*key* as its one-time key."""
        return {"signed_curve25519:AAAA": self.own.signed({"key": key})}

    def claimed(self, key: str | None = None) -> Content:
        """The answer to a claim."""
        key = key or unpadded(ECC.generate(curve="curve25519").public_key().export_key(format="raw"))
        return {"one_time_keys": {self.user: {self.id: self.one_time_keys(key)}}}

    def first_message(
        self, bot: OwnDevice, one_time_key: str, ratchet_key: str = LOW_ORDER, kind: str = "m.dummy", **payload: object
    ) -> Content:
        """The first message of a conversation with the bot, with *ratchet_key* to go on with.

        Both from the specification of Olm ("The Olm Algorithm", "The Olm Message Format").
        """
        base = ECC.generate(curve="curve25519")
        theirs, once = _public(bot.curve25519), _public(one_time_key)
        shared = _agreed(self.secret, once) + _agreed(base, theirs) + _agreed(base, once)
        chain = HKDF(shared, 64, b"", SHA256, context=b"OLM_ROOT")[32:]
        said = {
            "type": kind,
            "content": {},
            "sender": self.user,
            "keys": {"ed25519": self.own.ed25519},
            "recipient": bot.user,
            "recipient_keys": {"ed25519": bot.ed25519},
            **payload,
        }
        inner = _message(hmac.digest(chain, b"\x01", "sha256"), unpacked(ratchet_key), encoded(said))
        keys = unpacked(one_time_key), _raw(base), _raw(self.secret)
        fields = b"".join(bytes([tag, 32]) + key for tag, key in zip((0x0A, 0x12, 0x1A), keys, strict=True))
        body = b"\x03" + fields + b"\x22" + _varint(len(inner)) + inner
        return self.to(bot, {"type": 0, "body": unpadded(body)})

    def garbage(self, bot: OwnDevice) -> Content:
        """A message that nobody can read."""
        return self.to(bot, {"type": 1, "body": "AwogAAAA"})

    def to(self, bot: OwnDevice, ciphertext: Content) -> Content:
        """The content of an `m.room.encrypted` for the bot's device."""
        return {"algorithm": OLM, "sender_key": self.curve25519, "ciphertext": {bot.curve25519: ciphertext}}


def learns(bot: Device, answer: Content, *users: UserId) -> None:
    """The bot asks for the devices of *users*, and is told this."""
    bot.machine.feed(KeyUpdates(changed=users), is_new=False)
    bot.machine.learn_devices(answer, bot.machine.to_query(users))


def meets(bot: Device, eve: HostileDevice, one_time_key: str | None = None) -> None:
    """The bot is told of Eve's device, and of her one-time key."""
    learns(bot, eve.queried(), eve.user)
    bot.machine.begin(eve.claimed(one_time_key), bot.machine.to_claim([eve.user]))


def one_time_key(bot: Device) -> str:
    """A key of the bot's, as a homeserver gives it away."""
    _, told = bot.uploaded.popitem()
    assert isinstance(told, dict)
    return str(told["key"])


def sends(bot: Device, eve: HostileDevice, content: Content, kind: str = "m.room.encrypted") -> None:
    """The bot hears what Eve sends."""
    bot.hears(ToDeviceEvent(eve.user, kind, content))


def recorded(bot: Device) -> list[Fault]:
    """What the bot could not handle since the last look."""
    return list(bot.machine.faults.take_all())


def key_content(room: str = ROOM, session: vodozemac.GroupSession | None = None) -> Content:
    session = session or vodozemac.GroupSession()
    key = {"session_id": session.session_id, "session_key": session.session_key.to_base64()}
    return {"algorithm": "m.megolm.v1.aes-sha2", "room_id": room, **key}


def _message(key: bytes, ratchet_key: bytes, text: bytes) -> bytes:
    keys = HKDF(key, 80, b"", SHA256, context=b"OLM_KEYS")
    ciphertext = AES.new(keys[:32], AES.MODE_CBC, keys[64:]).encrypt(pad(text, AES.block_size))
    message = b"\x03\x0a\x20" + ratchet_key + b"\x10\x00\x22" + _varint(len(ciphertext)) + ciphertext
    return message + hmac.digest(keys[32:64], message, "sha256")[:8]


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + _varint(number >> 7)


def _agreed(secret: ECC.EccKey, public: ECC.EccKey) -> bytes:
    found: bytes = key_agreement(static_priv=secret, static_pub=public, kdf=lambda shared: shared)
    return found


def _public(key: str) -> ECC.EccKey:
    return import_x25519_public_key(unpacked(key))


def _raw(secret: ECC.EccKey) -> bytes:
    return bytes(secret.public_key().export_key(format="raw"))
