"""Watches Patchwork servers and tells Matrix rooms about the patches they subscribed to."""

from importlib.metadata import version

__version__ = version("patchwork-matrix-bot")
