"""Watches Patchwork servers and tells Matrix rooms about the patches they asked for."""

from importlib.metadata import version

__version__ = version("patchwork-matrix-bot")
