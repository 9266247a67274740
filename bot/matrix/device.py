"""The device that the bot is to its homeserver, kept in a file that only the bot may read."""

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
    """Who is logged in, as which device, and the access token, which no log may show."""

    user: UserId
    id: DeviceId
    token: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Device({self.user}, {self.id})"


def load(folder: Path) -> Device | None:
    """The device kept in *folder*; None where there is none that can be read.

    Raises:
        StoreError: others can read it.
    """
    path = folder / FILE
    try:
        restrict(path)
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _log.warning("device.unreadable", file=str(path), reason=type(error).__name__)
        return None
    match told:
        case {"user": str(user), "id": str(number), "token": str(token)}:
            return Device(UserId(user), DeviceId(number), token)
        case _:
            _log.warning("device.malformed", file=str(path))
            return None


def save(folder: Path, device: Device) -> None:
    """Keep *device*: after a crash at any moment the file holds it whole, or the former one whole.

    Raises:
        OSError: it cannot be written.
    """
    keep_private(folder / FILE, json.dumps(asdict(device)).encode())


def keep_private(path: Path, content: bytes) -> None:
    """Write a file that only the bot may read; it is on the disk, whole, when this returns. Raises `OSError`."""
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
    """Let nobody but its owner read a file; one from a backup may have come with wider permissions.

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
    """Make the new name last, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
