"""Keys that no honest device has."""

import base64
from collections.abc import Callable, Mapping
from typing import Final

import vodozemac

_NAMES: Final = frozenset({"key", "sender_key", "session_key", "ciphertext", "body", "ed25519"})
_BYTES: Final = 32

# The points of small order on Curve25519 and what is equal to them (RFC 7748 section 6.1, and libsodium's list).
LOW_ORDER: Final[Mapping[str, bytes]] = {
    "order 4": bytes(_BYTES),
    "order 1": bytes([1]) + bytes(_BYTES - 1),
    "order 8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    "order 8, the other": bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    "p - 1": bytes.fromhex("ec" + "ff" * 30 + "7f"),
    "p": bytes.fromhex("ed" + "ff" * 30 + "7f"),
    "p + 1": bytes.fromhex("ee" + "ff" * 30 + "7f"),
}
_OTHER: Final = vodozemac.Account()


def unpadded(key: bytes) -> str:
    """*key* in the base64 of Matrix."""
    return base64.b64encode(key).decode().rstrip("=")


def _of_low_order(point: bytes) -> Callable[[str], str]:
    return lambda _: unpadded(point)


KEYS: Final[Mapping[str, Callable[[str], str]]] = {
    **{f"key of low order ({name})": _of_low_order(point) for name, point in LOW_ORDER.items()},
    "key of another device": lambda _: _OTHER.curve25519_key.to_base64(),
    "truncated key": lambda key: key[:-3],
    "padded key": lambda key: f"{key}==",
    "key that is no base64": lambda key: f"!{key[1:]}",
    "key with a bit flipped": lambda key: key[:8] + ("A" if key[8:9] != "A" else "B") + key[9:],
}


def is_key_material(path: tuple[str | int, ...]) -> bool:
    """Whether the field at *path* holds a key, or what was made with one."""
    name = str(path[-1])
    return name in _NAMES or name.startswith(("curve25519:", "ed25519:", "signed_curve25519:"))
