"""The secrets that outlast every device: cross-signing seeds and the secret of the tags, in a file of their own.

It must be in the backup. Anyone who has it can impersonate the bot; without it, the bot's identity must be reset, and
everybody who verified it is warned.
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
    """A cross-signing identity: the seeds of its three keys."""

    master: bytes
    self_signing: bytes
    user_signing: bytes

    def __repr__(self) -> str:
        """Return a description without the seeds."""
        return "Seeds(…)"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The installation's *secret*, and the identities that may be ours, the one to use first."""

    secret: bytes
    identities: tuple[Seeds, ...] = ()

    def __repr__(self) -> str:
        """Return a description without the secrets."""
        return f"Keyring({len(self.identities)})"


def new_seeds() -> Seeds:
    """Return a new identity."""
    return Seeds(*(secrets.token_bytes(_BYTES) for _ in range(3)))


def load(folder: Path) -> Keyring:
    """Return the keyring in *folder*, and create it if there is none.

    Raises:
        StoreError: it cannot be read, and must not be replaced by an empty one, or others can read it.
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
    """Store the keyring durably. Raises `OSError`."""
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
