"""`patchbot run`, `demo` and `check-config`: the bot itself."""

import argparse
import asyncio
import contextlib
import io
import os
import sys
from functools import partial

from bot.cli.streams import TypedLines


def run(arguments: argparse.Namespace) -> int:
    """Be the bot until a signal."""
    from bot.config import load
    from bot.ops.logging import configure
    from bot.run import run_bot

    settings = load(arguments.config, os.environ)
    configure(settings.log.level, settings.log.format)
    asyncio.run(run_bot(settings))
    return 0


def demo(arguments: argparse.Namespace) -> int:
    """Show it here."""
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
    """Say what the settings would do."""
    from bot.config import load
    from bot.installation import known_id
    from bot.ops.configured_queries import room_queries
    from bot.ops.summary import sentences
    from bot.patchwork.user_agent import user_agent

    settings = load(arguments.config, os.environ)
    installation = known_id(settings.store.data_dir) or "ID, a random one made at the first start"
    agent = user_agent(settings.contact, settings.user_agent, installation)
    for sentence in sentences(settings, room_queries(settings), agent):
        print(sentence)
    return 0
