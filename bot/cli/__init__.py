"""The command line, `patchbot VERB`."""

from bot.cli.main import main

__all__ = ["main"]
