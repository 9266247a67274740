"""The secrets that outlive the device: cross-signing seeds and the secret of the tags, in a file of their own.

The file must be in the backup. Anyone who has it can impersonate the bot; without it, the bot's identity must be reset,
which warns everybody who verified it.
"""

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from bot.errors import StoreError
from bot.matrix.device import keep_private, restrict

FILE = "keys.json"
SEED_BYTES = 32


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
    """The installation's *secret*, and its cross-signing identities, the one in use first."""

    secret: bytes
    identities: tuple[Seeds, ...] = ()

    def __repr__(self) -> str:
        """Return a description without the secrets."""
        return f"Keyring({len(self.identities)})"


def new_seeds() -> Seeds:
    """Return a new identity."""
    return Seeds(*(secrets.token_bytes(SEED_BYTES) for _ in range(3)))


def load(folder: Path) -> Keyring:
    """Return the keyring in *folder*, and create it if there is none.

    Raises:
        StoreError: it is unreadable (it is never replaced by an empty one), or other users can read it.
    """
    path = folder / FILE
    try:
        restrict(path)
        content = json.loads(path.read_bytes())
        return Keyring(_bytes(content["secret"]), tuple(_seeds(each) for each in content["identities"]))
    except FileNotFoundError:
        keyring = Keyring(secrets.token_bytes(SEED_BYTES))
        save(folder, keyring)
        return keyring
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} cannot be read: it holds the bot's identity. Restore it from the backup, or move it away and run "
            "`patchbot keys reset`"
        ) from error


def stored(folder: Path) -> Keyring | None:
    """Return the keyring in *folder*; None if there is none. Raises as `load` does."""
    return load(folder) if (folder / FILE).exists() else None


def save(folder: Path, keyring: Keyring) -> None:
    """Store the keyring durably. Raises `OSError`."""
    identities = [{name: _text(getattr(seeds, name)) for name in Seeds.__slots__} for seeds in keyring.identities]
    content = {"secret": _text(keyring.secret), "identities": identities}
    keep_private(folder / FILE, json.dumps(content).encode())


def _seeds(content: dict[str, str]) -> Seeds:
    return Seeds(*(_bytes(content[name]) for name in Seeds.__slots__))


def _bytes(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if len(data) != SEED_BYTES:
        raise ValueError("not a key")
    return data


def _text(secret: bytes) -> str:
    return base64.b64encode(secret).decode()
