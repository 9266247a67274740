"""What must outlast every device: the cross-signing seeds and the secret behind the tags, in a file of their own.

It belongs into the backup. Whoever has it can be the bot in the eyes of others; whoever lost it must reset the bot's
identity, which everybody who verified it is told of.
"""

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from bot.errors import StoreError
from bot.matrix.device import keep_private, restrict

FILE = "keys.json"
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Seeds:
    """An identity: the seeds of its three keys."""

    master: bytes
    self_signing: bytes
    user_signing: bytes

    def __repr__(self) -> str:
        """Without them."""
        return "Seeds(…)"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The installation's *secret*, and the identities that may be ours, the one to use first."""

    secret: bytes
    identities: tuple[Seeds, ...] = ()

    def __repr__(self) -> str:
        """Without what is in it."""
        return f"Keyring({len(self.identities)})"


def new_seeds() -> Seeds:
    """An identity that nobody knows yet."""
    return Seeds(*(secrets.token_bytes(_BYTES) for _ in range(3)))


def load(folder: Path) -> Keyring:
    """The keyring in *folder*, made where there is none.

    Raises:
        StoreError: there is one that cannot be read, and must not be replaced by an empty one, or that others can read.
    """
    path = folder / FILE
    try:
        restrict(path)
        told = json.loads(path.read_bytes())
        return Keyring(_bytes(told["secret"]), tuple(_seeds(each) for each in told["identities"]))
    except FileNotFoundError:
        keyring = Keyring(secrets.token_bytes(_BYTES))
        save(folder, keyring)
        return keyring
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} cannot be read: it holds the bot's identity. Restore it from the backup, or move it away and run "
            "`patchbot keys reset`"
        ) from error


def save(folder: Path, keyring: Keyring) -> None:
    """Keep it; it is on the disk when this returns. Raises `OSError`."""
    identities = [{name: _text(getattr(seeds, name)) for name in Seeds.__slots__} for seeds in keyring.identities]
    told = {"secret": _text(keyring.secret), "identities": identities}
    keep_private(folder / FILE, json.dumps(told).encode())


def _seeds(told: dict[str, str]) -> Seeds:
    return Seeds(*(_bytes(told[name]) for name in Seeds.__slots__))


def _bytes(text: str) -> bytes:
    found = base64.b64decode(text, validate=True)
    if len(found) != _BYTES:
        raise ValueError("not a key")
    return found


def _text(secret: bytes) -> str:
    return base64.b64encode(secret).decode()
