"""Implements `patchbot login` and `logout`: signing in in a browser, without a password."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.cli.database import quiet_log
from bot.errors import ConfigError, Temporary, UserError
from bot.text import printable

if TYPE_CHECKING:
    from bot.config import Settings
    from bot.ids import DeviceId
    from bot.matrix.sign_in import SignInContext


def login(arguments: argparse.Namespace) -> int:
    """Sign the bot in; a person agrees in a browser."""
    from bot.config import load
    from bot.data_dir import locked
    from bot.matrix.sign_in import SigningIn

    async def signed_in() -> "DeviceId":
        async with _context(settings) as around:
            try:
                return await SigningIn(around, _say).run()
            except Temporary as error:
                raise Temporary(f"{error}; run `patchbot login` again later, it goes on where it was") from error

    quiet_log()
    settings = load(arguments.config, os.environ)
    _refuse_configured_secret(settings)
    os.umask(0o077)
    with locked(settings.store.data_dir):
        try:
            device = asyncio.run(signed_in())
        except KeyboardInterrupt:
            print("\nInterrupted: `patchbot login` goes on where it was.", file=sys.stderr)
            raise
    _say(f"Signed in as {settings.matrix.user_id}, device {device}. `patchbot run` needs no password now.")
    return 0


def logout(arguments: argparse.Namespace) -> int:
    """End the sign-in at the homeserver, after confirmation; return 1 if there is none."""
    from bot.config import load
    from bot.data_dir import locked
    from bot.matrix.oauth_tokens import SignInFile
    from bot.matrix.sign_in import sign_out

    async def signed_out() -> None:
        async with _context(settings) as around:
            await sign_out(around)

    quiet_log()
    settings = load(arguments.config, os.environ)
    os.umask(0o077)
    with locked(settings.store.data_dir):
        if not SignInFile(settings.store.data_dir, settings.matrix.user_id).load().is_signed_in:
            _say(f"{settings.matrix.user_id} is not signed in with `patchbot login`.")
            return 1
        if not arguments.yes and not _is_meant():
            _say("Nothing was changed.")
            return 1
        asyncio.run(signed_out())
    _say(
        f"{settings.matrix.user_id} is signed out, and the tokens are deleted. The keys of its device and its identity "
        "are kept: `patchbot login` signs the same device in again."
    )
    return 0


def _refuse_configured_secret(settings: "Settings") -> None:
    """Raise an error if the bot would never use a sign-in."""
    for name in ("password", "access_token"):
        if getattr(settings.matrix, name):
            raise ConfigError(f"matrix.{name}", "is set, and the bot signs in with that; remove it first")


@asynccontextmanager
async def _context(settings: "Settings") -> "AsyncIterator[SignInContext]":
    from bot.clock import SystemClock
    from bot.matrix.client import Deadlines
    from bot.matrix.http import HomeserverHttp
    from bot.matrix.login import context

    clock = SystemClock()
    http = HomeserverHttp(settings, clock, Deadlines().request_seconds)
    try:
        yield context(settings, http, clock)
    finally:
        await http.close()


def _say(text: str) -> None:
    for line in text.split("\n"):
        print(printable(line), flush=True)


def _is_meant() -> bool:
    if not sys.stdin.isatty():
        raise UserError("the bot cannot run until somebody signs in again; confirm with --yes")
    print("The bot cannot run until somebody signs in again. The homeserver deletes its device, but the keys are kept.")
    try:
        return input("Sign out? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False
