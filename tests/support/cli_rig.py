"""The command line as a process of its own, and in this one."""

import os
import subprocess
from pathlib import Path

import pytest

from support import preloaded

SAMPLES = Path(__file__).parent.parent / "samples"
SEED = SAMPLES / "patch-2194095.json"
CONFIG = """
[matrix]
homeserver = "https://matrix.example.org"
user_id = "@patchbot:example.org"
{matrix}
[[patchwork]]
name = "ozlabs"
url = "https://patchwork.ozlabs.org"
projects = ["qemu-devel"]
{more}
"""


def patchbot(
    *arguments: str | bytes | Path,
    stdin: bytes = b"",
    folder: Path | None = None,
    fresh: bool = False,
    **variables: str,
) -> subprocess.CompletedProcess[bytes]:
    """What the command does, run as a process of its own; a *fresh* one is an interpreter of its own, too."""
    return preloaded.run(
        *("-m", "bot.cli", *map(os.fsdecode, arguments)),
        folder=folder or Path.cwd(),
        environment=environment(**variables),
        stdin=stdin,
        fresh=fresh,
    )


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without settings of the bot, and with its package to be found."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PATCHBOT_", "CREDENTIALS_"))}
    return {**ours, "PYTHONPATH": str(Path(__file__).parent.parent.parent), **variables}


def write_config(folder: Path, *, matrix: str = "", more: str = "") -> Path:
    """A settings file that is right, and what is added to it."""
    file = folder / "config.toml"
    file.write_text(CONFIG.format(matrix=matrix, more=more))
    return file


def work_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the working directory, with no setting of the bot in the environment."""
    for name in os.environ:
        if name.startswith("PATCHBOT_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path
