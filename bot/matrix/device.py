"""The bot's device at its homeserver, stored in a file that only the bot may read."""

import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from bot.errors import StoreError
from bot.ids import DeviceId, UserId

FILE = "device.json"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Device:
    """A login: the user, the device, and the access token, which must not be logged."""

    user: UserId
    id: DeviceId
    token: str

    def __repr__(self) -> str:
        """Return a description without the token."""
        return f"Device({self.user}, {self.id})"


def load(folder: Path) -> Device | None:
    """Return the device stored in *folder*; None if there is none, or it cannot be read.

    Raises:
        StoreError: others can read it.
    """
    path = folder / FILE
    try:
        restrict(path)
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _log.warning("device.unreadable", file=str(path), reason=type(error).__name__)
        return None
    match content:
        case {"user": str(user), "id": str(number), "token": str(token)}:
            return Device(UserId(user), DeviceId(number), token)
        case _:
            _log.warning("device.malformed", file=str(path))
            return None


def save(folder: Path, device: Device) -> None:
    """Store *device* atomically: after a crash the file has either the new or the old one.

    Raises:
        OSError: it cannot be written.
    """
    keep_private(folder / FILE, json.dumps(asdict(device)).encode())


def keep_private(path: Path, content: bytes) -> None:
    """Write a file that only the bot may read, atomically and durably. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync_folder(path.parent)


def restrict(path: Path) -> None:
    """Restrict a file to its owner, because one from a backup may have wider permissions.

    Raises:
        StoreError: the permissions are wider and cannot be changed.
        FileNotFoundError: there is no such file.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & _OTHERS:
        return
    try:
        path.chmod(0o600)
    except OSError as error:
        raise StoreError(
            f"{path} may be read by others (mode {mode:04o}), and the bot cannot change that ({error.strerror}): "
            f"give it to the bot's user, with mode 0600"
        ) from error
    _log.warning("file.restricted", file=str(path), mode=f"{mode:04o}")


def _sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that the new name of a file in it is durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
