"""Manages the data directory, which only one bot may use: the installation id, the key of people's tokens, the lock."""

import base64
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from bot import __version__
from bot.errors import StoreError
from bot.matrix.device import keep_private, restrict
from bot.store.vault import KEY_BYTES, Vault

ID_FILE = "installation-id"
KEY_FILE = "tokens.key"
LOCK_FILE = "patchbot.lock"
_BYTES = 8
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ID = re.compile(rf"[0-9a-f]{{{2 * _BYTES}}}")
AGENT = f"patchwork-matrix-bot/{__version__}"
_log = structlog.get_logger(__name__)


def installation_id(folder: Path) -> str:
    """Return the id stored in *folder*, 16 hex digits; a missing one is created.

    Raises:
        StoreError: it cannot be written, or other users can read it.
    """
    path = folder / ID_FILE
    try:
        if (known := known_id(folder)) is not None:
            restrict(path)
            return known
        new = secrets.token_hex(_BYTES)
        keep_private(path, new.encode())
    except OSError as error:
        raise StoreError(f"store.data_dir: {path} cannot be written: {error.strerror or error}") from error
    _log.info("installation.id_made", file=str(path))
    return new


def token_vault(folder: Path) -> Vault:
    """Return the vault whose key is stored in *folder*; a missing key is created.

    Raises:
        StoreError: the key cannot be read or written, or other users can read it.
    """
    path = folder / KEY_FILE
    try:
        try:
            restrict(path)
            return Vault(base64.b64decode(path.read_bytes(), validate=True))
        except FileNotFoundError:
            key = secrets.token_bytes(KEY_BYTES)
            keep_private(path, base64.b64encode(key))
    except OSError as error:
        raise StoreError(f"store.data_dir: {path} cannot be used: {error.strerror or error}") from error
    except ValueError:
        raise StoreError(
            f"{path} has no key: restore it from the backup, or delete it; people then give their tokens again"
        ) from None
    return Vault(key)


def known_id(folder: Path) -> str | None:
    """Return the id stored in *folder*, or None if there is no readable one."""
    try:
        found = (folder / ID_FILE).read_bytes().decode("ascii", "replace").strip()
    except OSError:
        return None
    return found if _ID.fullmatch(found) else None


def instance_name(folder: Path) -> str:
    """Return a name of this locked folder on this running machine, which no other instance has at the same time.

    It is another one after each restart of the machine, and, where the machine does not tell, of the bot.
    """
    place = (folder / LOCK_FILE).stat()
    try:
        boot = _BOOT_ID.read_text()
    except OSError:  # systemd's ProcSubset=pid hides it
        boot = secrets.token_hex()
    return hashlib.sha256(f"{boot.strip()} {place.st_dev} {place.st_ino}".encode()).hexdigest()[: 4 * _BYTES]


def user_agent(contact: str, product: str = "", installation: str = "") -> str:
    """Return the User-Agent: a name, and in parentheses the contact and the installation id.

    *product* replaces the default name, which is that of the bot with its version, unless it is "".
    """
    known_by = [_printable(contact) or "no contact configured"]
    if installation:
        known_by.append(f"installation {installation}")
    return f"{product or AGENT} ({'; '.join(known_by)})"


def _printable(contact: str) -> str:
    """Return the characters of *contact* that are allowed in a header's comment."""
    return "".join(char for char in contact if " " < char < "\x7f" and char not in "()")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock *folder* for this process, creating it if missing; the kernel releases the lock however the process ends.

    Raises:
        StoreError: another process holds the lock, or the folder cannot be written.
    """
    path = folder / LOCK_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"store.data_dir: {path} cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"another patchbot is already running: it has locked {path}") from error
        yield
    finally:
        os.close(descriptor)
