"""Implements `patchbot keys`, which checks and replaces the identity of the bot's device."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.cli.database import quiet_log
from bot.errors import UserError
from bot.text import printable

if TYPE_CHECKING:
    from bot.config import Settings
    from bot.matrix.client import MatrixClient
    from bot.matrix.identity import TrustReport


def status(arguments: argparse.Namespace) -> int:
    """Print the state of the device and its identity; return 1 if there is a problem."""
    from bot.config import load
    from bot.matrix.identity import report

    async def reported() -> "TrustReport":
        async with _as_kept(settings) as client:
            return await report(client.ask, client.owner, settings.store.data_dir)

    quiet_log()
    settings = load(arguments.config, os.environ)
    trust = asyncio.run(reported())
    for line in trust.lines():
        print(printable(line))
    return 0 if trust.is_good else 1


def reset(arguments: argparse.Namespace) -> int:
    """Replace the bot's identity after confirmation."""
    from bot.config import load
    from bot.data_dir import locked
    from bot.matrix.identity import reset as replaced

    async def done() -> None:
        async with _as_kept(settings) as client:
            await replaced(client.ask, client.owner, settings.store.data_dir)

    quiet_log()
    settings = load(arguments.config, os.environ)
    with locked(settings.store.data_dir):
        if not arguments.yes and not _is_meant():
            print("Nothing was changed.")
            return 1
        asyncio.run(done())
    print("The bot has a new identity, and its device is signed with it. Keep a copy of keys.json.")
    return 0


@asynccontextmanager
async def _as_kept(settings: "Settings") -> "AsyncIterator[MatrixClient]":
    """Connect as the bot's existing device, without creating a new one."""
    from bot.clock import SystemClock
    from bot.matrix.client import MatrixClient

    async with MatrixClient(settings, SystemClock()) as client:
        await client.use_stored_device()
        yield client


def _is_meant() -> bool:
    if not sys.stdin.isatty():
        raise UserError("people who verified the bot will be warned that its identity changed; confirm with --yes")
    print("People who verified the bot will be warned that its identity changed, and must verify it again.")
    try:
        return input("Replace the bot's identity? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False
