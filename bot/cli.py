"""The command line: `patchbot VERB`. Exit status 0 is done, 1 is no or failed, 2 is a mistake in usage or settings.

Verbs import what they need when they run, so that `--help` is there at once.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bot import __version__
from bot.errors import BotError, ConfigError, QueryError, StoreError, UserError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; its exit status."""
    arguments = _parser().parse_args(argv)
    verb: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return verb(arguments)
    except QueryError as error:
        return _complain(error.pointed(), 2)
    except UserError as error:
        return _complain(str(error), 2)
    except BotError as error:
        return _complain(str(error), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _complain(text: str, status: int) -> int:
    for line in text.splitlines():
        print(line, file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="patchbot", description="Tells Matrix rooms about the patches they asked for, from Patchwork servers."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    demo = verbs.add_parser("demo", help="see it work here: no account, no network")
    demo.add_argument(
        "--patch",
        metavar="FILE.json",
        type=Path,
        action="append",
        default=[],
        help="a recorded answer of /api/patches/N/ that arrives as a new patch; may be repeated",
    )
    demo.set_defaults(run=_demo)

    check = verbs.add_parser("check-config", help="say what the settings would do, without contacting anybody")
    _takes_config(check)
    check.set_defaults(run=_check_config)

    paths = verbs.add_parser("paths", help="the paths that diffs touch, old and new names, sorted, one a line")
    paths.add_argument(
        "files", metavar="FILE", nargs="*", type=Path, help="diffs or patch mails; default: standard input"
    )
    paths.set_defaults(run=_paths)

    explain = verbs.add_parser("explain", help="whether a query matches a patch, and why")
    explain.add_argument("query", metavar="QUERY", help='for example "path:migration/ from:@redhat.com"')
    explain.add_argument(
        "file", metavar="FILE.json", nargs="?", type=Path, help="an answer of /api/patches/N/; default: standard input"
    )
    explain.set_defaults(run=_explain)

    database = verbs.add_parser("db", help="the database: upgrade, check, backup")
    actions = database.add_subparsers(metavar="ACTION", required=True)
    for name, text, run in (
        ("upgrade", "bring it to this program's version, after a backup", _db_upgrade),
        ("check", "whether it is sound and of this program's version", _db_check),
        ("backup", "write a consistent copy while the bot runs", _db_backup),
    ):
        action = actions.add_parser(name, help=text)
        _takes_config(action)
        if name == "backup":
            action.add_argument("copy", metavar="FILE", type=Path, help="where to; must not exist yet")
        action.set_defaults(run=run)
    return parser


def _takes_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="default: ./config.toml, then /etc/patchbot/config.toml"
    )


def _demo(arguments: argparse.Namespace) -> int:
    from bot.app import run_demo
    from bot.ops import logging

    logging.configure("ERROR")
    asyncio.run(run_demo(arguments.patch, sys.stdin, sys.stdout))
    return 0


def _check_config(arguments: argparse.Namespace) -> int:
    from bot.app import configured_subscriptions
    from bot.config import load
    from bot.ops.summary import sentences

    settings = load(arguments.config, os.environ)
    for sentence in sentences(settings, configured_subscriptions(settings)):
        print(sentence)
    return 0


def _paths(arguments: argparse.Namespace) -> int:
    from bot.patchwork.diff import changed_files
    from bot.patchwork.model import paths_of

    texts = [_bytes(path) for path in arguments.files] or [sys.stdin.buffer.read()]
    found = {path for text in texts for path in paths_of(changed_files(text.decode("utf-8", "surrogateescape")))}
    for path in sorted(found):
        sys.stdout.buffer.write(path.encode("utf-8", "surrogateescape") + b"\n")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from bot.ids import ServerName
    from bot.patchwork import wire
    from bot.subscriptions.parser import parse
    from bot.subscriptions.verdict import decide, facts_of

    query = parse(arguments.query)
    name = str(arguments.file or "standard input")
    body = _bytes(arguments.file) if arguments.file else sys.stdin.buffer.read()
    try:
        row = wire.read_row(wire.PatchRow, body)
    except wire.Garbled as error:
        raise UserError(f"{name} is no patch: one answer of /api/patches/N/ is needed ({error})") from error
    verdict = decide(query, facts_of(ServerName(""), row.model(), row.series_model()))
    print("match" if verdict.matched else "no match")
    for reason in verdict.reasons:
        print(f"  {reason}")
    return 0 if verdict.matched else 1


def _db_upgrade(arguments: argparse.Namespace) -> int:
    from bot.store import migrate

    async def upgrade() -> str:
        engine, file = _database(arguments)
        try:
            before = await migrate.upgrade(engine, file)
        finally:
            await engine.dispose()
        now = migrate.newest()
        return f"the database is at version {now}" + (f", it was at {before}" if before not in (None, now) else "")

    print(asyncio.run(upgrade()))
    return 0


def _db_check(arguments: argparse.Namespace) -> int:
    from bot.store import migrate

    async def check() -> None:
        engine, _ = _database(arguments, must_exist=True)
        try:
            await migrate.check(engine)
        finally:
            await engine.dispose()

    asyncio.run(check())
    print("the database is sound")
    return 0


def _db_backup(arguments: argparse.Namespace) -> int:
    from bot.config import load
    from bot.store import migrate
    from bot.store.engine import file_of

    file = file_of(load(arguments.config, os.environ).store.url.get_secret_value())
    if file is None:
        raise ConfigError("store.url", "only a SQLite database is backed up here; use pg_dump for PostgreSQL")
    print(f"written to {migrate.backup(file, arguments.copy)}")
    return 0


def _database(arguments: argparse.Namespace, *, must_exist: bool = False) -> "tuple[AsyncEngine, Path | None]":
    from bot.config import load
    from bot.store.engine import connect, file_of

    url = load(arguments.config, os.environ).store.url.get_secret_value()
    file = file_of(url)
    if must_exist and file is not None and not file.exists():
        raise StoreError(f"there is no database at {file}")
    return connect(url), file


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
