"""Settings on disk, for the tests that load them."""

from pathlib import Path

import pytest

from bot.config import Settings, load
from bot.errors import ConfigError

MATRIX = """
homeserver = "https://matrix.example.org"
user_id = "@patchbot:example.org"
"""
PATCHWORK = """
name = "ozlabs"
url = "https://patchwork.ozlabs.org"
"""
PASSWORD = "hunter2-and-more"  # noqa: S105  # an invented one, to be looked for where it must not be


class ConfigRig:
    """A directory with a settings file and a secrets directory."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "config.toml"
        self.secrets = directory / "secrets"
        self.environ: dict[str, str] = {"HOME": "/home/ops", "CREDENTIALS_DIRECTORY": str(self.secrets)}

    def write(
        self, *, top: str = "", matrix: str = "", patchwork: str = 'projects = ["qemu-devel"]', more: str = ""
    ) -> None:
        """Write the file: the least that is needed, and what is added to its parts."""
        self.file.write_text(f"{top}\n[matrix]{MATRIX}{matrix}\n[[patchwork]]{PATCHWORK}{patchwork}\n{more}")

    def add_secret(self, name: str, content: str | bytes) -> None:
        """Write a file of the secrets directory."""
        self.secrets.mkdir(exist_ok=True)
        (self.secrets / name).write_bytes(content.encode() if isinstance(content, str) else content)

    def load(self, **variables: str) -> Settings:
        """The settings of the file, with *variables* in the environment."""
        return load(self.file, self.environ | variables)

    def mistakes(self, **variables: str) -> list[str]:
        """What is told when they cannot be loaded, line by line."""
        with pytest.raises(ConfigError) as caught:
            self.load(**variables)
        return str(caught.value).splitlines()
