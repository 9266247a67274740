"""Implements `patchbot keys`, which checks, replaces, backs up and restores the identity of the bot's device."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.cli.database import quiet_log
from bot.cli.streams import hidden_line
from bot.errors import UserError
from bot.text import printable

if TYPE_CHECKING:
    from bot.config import Settings
    from bot.matrix.client import MatrixClient
    from bot.matrix.identity import TrustReport
    from bot.matrix.recovery import StoredBackup


def status(arguments: argparse.Namespace) -> int:
    """Print the state of the device and its identity; return 1 if there is a problem."""
    from bot.config import load
    from bot.matrix import keyring, recovery
    from bot.matrix.identity import report

    async def reported() -> "tuple[TrustReport, str | None]":
        folder = settings.store.data_dir
        async with _as_kept(settings) as client:
            trust = await report(client.ask, client.owner, folder)
            return trust, await recovery.status_line(client.ask, client.user, keyring.stored(folder))

    quiet_log()
    settings = load(arguments.config, os.environ)
    trust, backed_up = asyncio.run(reported())
    for line in (*trust.lines(), *filter(None, [backed_up])):
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


def backup(arguments: argparse.Namespace) -> int:
    """Back the identity up at the homeserver, and print the recovery key, once."""
    from bot.config import load

    quiet_log()
    settings = load(arguments.config, os.environ)
    return asyncio.run(_back_up(settings, may_replace=arguments.replace))


async def _back_up(settings: "Settings", *, may_replace: bool) -> int:
    """Return the exit status: 1 if the operator does not want a new recovery key."""
    from bot.matrix import keyring, recovery
    from bot.matrix.recovery import BackupStatus
    from bot.matrix.secret_storage import recovery_key

    async with _as_kept(settings) as client:
        ask, user = client.ask, client.user
        seeds = await recovery.present_seeds(ask, user, keyring.stored(settings.store.data_dir))
        before = await recovery.stored_backup(ask, user, seeds)
        if before.status is BackupStatus.CURRENT and not may_replace:
            _tell(before.line(), "Nothing was changed; --replace makes another recovery key.")
            return 0
        if before.status is not BackupStatus.NONE and not _may_replace(before, is_confirmed=may_replace):
            _tell("Nothing was changed.")
            return 1
        key = await recovery.back_up(ask, user, seeds, before)
    _show_once(recovery_key(key.secret))
    return 0


def _may_replace(before: "StoredBackup", *, is_confirmed: bool) -> bool:
    """Warn of what a new recovery key changes, and ask, unless *is_confirmed*."""
    warnings = tuple(before.warnings())
    if not is_confirmed and not sys.stdin.isatty():
        raise UserError("\n".join((*warnings, "confirm with --replace")))
    _tell(*warnings)
    if is_confirmed:
        return True
    print("Make a new recovery key? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _show_once(key: str) -> None:
    """Print the recovery key alone to standard output, which may be a file or another program."""
    _tell("The identity is backed up at the homeserver. Its recovery key, which is not shown again:")
    try:
        print(key, flush=True)
    except OSError:
        _tell("The recovery key could not be written; `patchbot keys backup --replace` makes another one.")
        raise


def restore(arguments: argparse.Namespace) -> int:
    """Restore lost seeds from the backup at the homeserver, with the recovery key from standard input."""
    from bot.config import load
    from bot.data_dir import locked
    from bot.matrix import recovery
    from bot.matrix.secret_storage import typed_key

    async def done() -> None:
        async with _as_kept(settings) as client:
            await recovery.restore(client.ask, client.user, settings.store.data_dir, key)

    quiet_log()
    settings = load(arguments.config, os.environ)
    with locked(settings.store.data_dir):
        key = typed_key(hidden_line("Recovery key: "))
        asyncio.run(done())
    print("The bot's identity is restored; the next start signs its device. Keep a copy of keys.json.")
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


def _tell(*lines: str) -> None:
    """Print lines to standard error."""
    for line in lines:
        print(printable(line), file=sys.stderr)
