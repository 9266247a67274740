"""The random id by which the administrators of Patchwork servers can tell one installation of the bot from another."""

import re
import secrets
from pathlib import Path

import structlog

from bot.errors import StoreError
from bot.matrix.device import keep_private, restrict

FILE = "installation-id"
_BYTES = 8
_ID = re.compile(rf"[0-9a-f]{{{2 * _BYTES}}}")
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
