"""Implements `patchbot run`, `demo`, `check-config` and `healthcheck`."""

import argparse
import asyncio
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from bot.cli.streams import TypedLines
from bot.errors import ConfigError
from bot.text import printable

if TYPE_CHECKING:
    from bot.config import Settings

_HEALTHCHECK_SECONDS = 10.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # where it listens, not we

# structlog and httpx load rich and click (9 MiB) for colours, which the log has not; nio loads a database library that
# is not used here, and which loads psycopg (8 MiB); a bot with SQLite does not need it.
_UNUSED = ("click", "rich", "psycopg")


def run(arguments: argparse.Namespace) -> int:
    """Run the bot until a signal."""
    with _without_unused_libraries():
        from bot.config import load
        from bot.ops.logging import configure
        from bot.run import run_bot

    settings = load(arguments.config, os.environ)
    configure(settings.log.level, settings.log.format)
    asyncio.run(run_bot(settings))
    return 0


@contextlib.contextmanager
def _without_unused_libraries() -> Iterator[None]:
    """Import libraries without `_UNUSED`, which they load if they can.

    None in `sys.modules` is Python's own way to hide a module. Who needs one of them later can import it.
    """
    hidden = dict.fromkeys(name for name in _UNUSED if name not in sys.modules)
    sys.modules.update(hidden)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def demo(arguments: argparse.Namespace) -> int:
    """Run the demo, in the terminal, in a pipe, or as a sample server only."""
    from bot.demonstration import run_demo, run_sample
    from bot.ops.logging import configure

    configure("ERROR")
    if arguments.serve is not None:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run_sample(arguments.serve, partial(print, flush=True)))
        return 0
    if sys.stdin.isatty():
        asyncio.run(run_demo(arguments.patch, None, sys.stdout))
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # whoever types through a pipe reads the answers through one
    with TypedLines() as typed:
        asyncio.run(run_demo(arguments.patch, typed, sys.stdout))
    return 130 if typed.interrupted else 0


def check_config(arguments: argparse.Namespace) -> int:
    """Print what the bot would do with the settings, and then what is probably a mistake in them."""
    from bot.config import SECRETS_VARIABLE, load
    from bot.data_dir import known_id, user_agent
    from bot.ops.config_notes import notes
    from bot.ops.summary import room_queries, sentences

    settings = load(arguments.config, os.environ)
    installation = known_id(settings.store.data_dir) or "ID, a random one made at the first start"
    agent = user_agent(settings.contact, settings.user_agent, installation)
    subscriptions = room_queries(settings)
    for sentence in sentences(settings, subscriptions, agent):
        print(printable(sentence))
    secrets, is_signed_in = os.environ.get(SECRETS_VARIABLE) or None, _is_signed_in(settings)
    for note in notes(settings, subscriptions, secrets, is_signed_in=is_signed_in):
        print(printable(f"Note: {note}"))
    return 0


def _is_signed_in(settings: "Settings") -> bool:
    """Return whether there is a sign-in to use; the file of another user cannot be read."""
    from bot.errors import StoreError
    from bot.matrix.oauth_tokens import SignInFile

    try:
        return SignInFile(settings.store.data_dir, settings.matrix.user_id).load().is_signed_in
    except StoreError as error:
        print(printable(f"Note: {error}."))
        return False


def healthcheck(arguments: argparse.Namespace) -> int:
    """Request /readyz; return 0 if the bot is ready, and 1 if it is not or does not respond."""
    import httpx

    from bot.config import load

    address = load(arguments.config, os.environ).web.address
    if address is None:
        raise ConfigError("web.listen", 'is "", so the bot serves no pages to ask')
    host, port = address
    host = _EVERYWHERE.get(host, host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/readyz"
    try:
        answer = httpx.get(url, timeout=_HEALTHCHECK_SECONDS, trust_env=False)
    except httpx.ConnectError:
        print(f"no bot responds at {url}: is it running?", file=sys.stderr)
        return 1
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        print(f"no bot responds at {url}: {printable(str(error) or type(error).__name__)}", file=sys.stderr)
        return 1
    is_ready = answer.status_code == httpx.codes.OK
    for line in answer.text.splitlines():
        print(printable(line), file=sys.stdout if is_ready else sys.stderr)
    return 0 if is_ready else 1
