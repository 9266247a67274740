"""Where tests may write without waiting for a disk."""

import os
import shutil
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")  # noqa: S108  # what is made there has a name of its own
_LEAST_BYTES = 4 << 30  # what all workers leave there together is less than a tenth of that


def memory_folder(elsewhere: str) -> str:
    """A folder whose files are in memory, on a machine that has one with enough space; *elsewhere* on others."""
    try:
        is_runnable = not os.statvfs(_IN_MEMORY).f_flag & os.ST_NOEXEC
        has_space = shutil.disk_usage(_IN_MEMORY).free >= _LEAST_BYTES
    except OSError:
        return elsewhere
    return str(_IN_MEMORY) if is_runnable and has_space and os.access(_IN_MEMORY, os.W_OK) else elsewhere
