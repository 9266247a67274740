"""One bot a data directory: two would send everything twice."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import StoreError

FILE = "patchbot.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep *folder*, made where there is none, to this process; the kernel lets go of it however the process ends.

    Raises:
        StoreError: another process has it, or it cannot be written.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"store.data_dir: {path} cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"another patchbot runs already: it holds {path}") from error
        yield
    finally:
        os.close(descriptor)
