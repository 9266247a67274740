"""Identifies this installation to administrators of Patchwork servers in the User-Agent: a name, a contact, an id."""

import re
import secrets
from pathlib import Path

import structlog

from bot import __version__
from bot.errors import StoreError
from bot.matrix.device import keep_private, restrict

FILE = "installation-id"
_BYTES = 8
_ID = re.compile(rf"[0-9a-f]{{{2 * _BYTES}}}")
AGENT = f"patchwork-matrix-bot/{__version__}"
_log = structlog.get_logger(__name__)


def installation_id(folder: Path) -> str:
    """Return the id kept in *folder*, 16 hex digits; one is made where there is none.

    Raises:
        StoreError: it cannot be written, or others can read it.
    """
    path = folder / FILE
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


def known_id(folder: Path) -> str | None:
    """Return the id kept in *folder*; None where there is none that can be read."""
    try:
        found = (folder / FILE).read_bytes().decode("ascii", "replace").strip()
    except OSError:
        return None
    return found if _ID.fullmatch(found) else None


def user_agent(contact: str, product: str = "", installation: str = "") -> str:
    """Return the User-Agent: a name, and in brackets whom to write to and which installation asks.

    *product* is the name where it is not "", and the bot's own with its version otherwise.
    """
    known_by = [_printable(contact) or "no contact configured"]
    if installation:
        known_by.append(f"installation {installation}")
    return f"{product or AGENT} ({'; '.join(known_by)})"


def _printable(contact: str) -> str:
    """What of it may stand in a header's comment."""
    return "".join(char for char in contact if " " < char < "\x7f" and char not in "()")
