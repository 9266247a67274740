"""Defines the verbs and their arguments; a verb imports its modules when it runs, to keep `--help` fast."""

import argparse
import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import NoReturn

from bot import __version__
from bot.cli import bot, database, outbox, queries
from bot.cli import device_keys as keys
from bot.cli import login as sign_in

Verb = Callable[[argparse.Namespace], int]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    patchbot: argparse.ArgumentParser = _Parser(
        prog="patchbot",
        description="Tells Matrix rooms about the patches on Patchwork servers that they subscribed to.",
        epilog="Exit status: 0 for success, 1 for failure or “no”, 2 for a mistake in the usage or the settings. "
        "`patchbot VERB --help` explains a verb; `patchbot demo` is a good start.",
        formatter_class=_Help,
    )
    patchbot.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    verbs = patchbot.add_subparsers(title="verbs", metavar="VERB", required=True)

    run = _add(verbs, "run", bot.run, "run the bot; SIGTERM stops it within ten seconds")
    _takes_config(run)
    _add_demo(verbs)
    check = _add(
        verbs,
        "check-config",
        bot.check_config,
        "check the settings, and describe what the bot would do; contacts no server",
    )
    _takes_config(check)
    paths = _add(
        verbs, "paths", queries.paths, "list the paths that diffs touch, old and new names, sorted, one per line"
    )
    paths.add_argument(
        "files", metavar="FILE", nargs="*", type=Path, help="diffs or patch mails; default: standard input"
    )
    explain = _add(
        verbs, "explain", queries.explain, "tell whether a query matches a patch, and why; exit status 1 means no match"
    )
    explain.add_argument("query", metavar="QUERY", help='for example "path:migration/ from:@redhat.com"')
    explain.add_argument(
        "file",
        metavar="FILE.json",
        nargs="?",
        type=Path,
        help="a patch, as /api/patches/N/ returns it; default: standard input",
    )
    explain.add_argument(
        "--maintainers", metavar="FILE", type=Path, help="the project's MAINTAINERS file, which maint: needs"
    )
    maintainers = _add(
        verbs, "maintainers", queries.maintainers, "list the sections of a MAINTAINERS file that cover paths"
    )
    maintainers.add_argument("file", metavar="FILE", type=Path, help='a MAINTAINERS file; "-" is standard input')
    maintainers.add_argument("paths", metavar="PATH", nargs="+", help="from the root of the tree; it need not exist")
    _add_login(verbs)
    _add_outbox(verbs)
    _add_database(verbs)
    _add_keys(verbs)
    asks = _add(verbs, "healthcheck", bot.healthcheck, "ask a running bot whether it is ready; exit status 1 means no")
    _takes_config(asks)
    return patchbot


class _Parser(argparse.ArgumentParser):
    """An argument parser that suggests a similar verb for an unknown one."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 2."""
        if wrong := _UNKNOWN.search(message):
            near = get_close_matches(wrong[1], re.findall(r"'([^']*)'", wrong[2]), n=1)
            message += f"; did you mean {near[0]}?" if near else ""
        super().error(message)


_UNKNOWN = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)")
_Help = partial(argparse.HelpFormatter, max_help_position=30)
_Verbs = argparse._SubParsersAction  # noqa: SLF001  # argparse has no public name for this type


def _add(verbs: "_Verbs[argparse.ArgumentParser]", name: str, run: Verb | None, text: str) -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}."
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=description, formatter_class=_Help)
    if run is not None:
        parser.set_defaults(run=run)
    return parser


def _add_demo(verbs: "_Verbs[argparse.ArgumentParser]") -> None:
    demo = _add(verbs, "demo", bot.demo, "try the bot on this machine: no account, no network")
    either = demo.add_mutually_exclusive_group()
    either.add_argument(
        "--patch",
        metavar="FILE.json",
        type=Path,
        action="append",
        default=[],
        help="a file with a patch, as /api/patches/N/ returns it, which arrives as a new one; may be repeated",
    )
    either.add_argument(
        "--serve",
        metavar="PORT",
        type=_port,
        nargs="?",
        const=8088,
        help="run only the sample Patchwork server, for `patchbot run` to watch; default port: 8088",
    )


def _add_login(verbs: "_Verbs[argparse.ArgumentParser]") -> None:
    login = _add(verbs, "login", sign_in.login, "sign the bot in in a browser, instead of with a password")
    logout = _add(verbs, "logout", sign_in.logout, "end the sign-in of `login`, and delete its tokens; keeps all keys")
    logout.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    for verb in (login, logout):
        _takes_config(verb)


def _add_outbox(verbs: "_Verbs[argparse.ArgumentParser]") -> None:
    text = "list, retry or drop messages that are not sent yet"
    actions = _add(verbs, "outbox", None, text).add_subparsers(title="actions", metavar="ACTION", required=True)
    _takes_config(
        _add(actions, "list", outbox.list_unsent, "list the messages that are not sent yet, oldest first, and why")
    )
    retry = _add(actions, "retry", outbox.retry, "try messages again now")
    drop = _add(actions, "drop", outbox.drop, "delete messages without sending them")
    drop.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    for action in (retry, drop):
        _takes_config(action)
        action.add_argument("--dead", action="store_true", help="all dead messages, which were given up")
        action.add_argument(
            "ids", metavar="ID", nargs="*", type=_notice_id, help="the id of a message, as `outbox list` shows it"
        )


def _port(text: str) -> int:
    """Return a TCP port from an argument."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 1 << 16):
        raise argparse.ArgumentTypeError(f"invalid port {text[:20]}: must be 1–65535")
    return int(text)


def _notice_id(text: str) -> int:
    """Return a notice id from an argument, which a database integer must be able to hold."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) < 1 << 63):
        raise argparse.ArgumentTypeError(f"invalid id {text[:20]}: must be a number that `patchbot outbox list` shows")
    return int(text)


def _add_database(verbs: "_Verbs[argparse.ArgumentParser]") -> None:
    text = "upgrade, check or back up the database"
    actions = _add(verbs, "db", None, text).add_subparsers(title="actions", metavar="ACTION", required=True)
    _takes_config(
        _add(
            actions,
            "upgrade",
            database.upgrade,
            "upgrade the database to this program's version; a SQLite file is backed up first",
        )
    )
    _takes_config(
        _add(actions, "check", database.check, "check that the database can be used, and has this program's version")
    )
    backup = _add(
        actions, "backup", database.backup, "write a consistent copy of a SQLite file, even while the bot runs"
    )
    _takes_config(backup)
    backup.add_argument("copy", metavar="FILE", type=Path, help="the copy; must not exist yet")


def _add_keys(verbs: "_Verbs[argparse.ArgumentParser]") -> None:
    text = "show, back up, restore or reset the keys that let others trust the bot"
    actions = _add(verbs, "keys", None, text).add_subparsers(title="actions", metavar="ACTION", required=True)
    status = _add(
        actions, "status", keys.status, "tell whether others can trust the bot's device; exit status 1 means no"
    )
    reset = _add(actions, "reset", keys.reset, "give the bot a new cross-signing identity; stop the bot first")
    reset.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    backup = _add(
        actions, "backup", keys.backup, "back up the identity at the homeserver, and print its recovery key, once"
    )
    backup.add_argument("--replace", action="store_true", help="make a new recovery key, even if the account has one")
    restore = _add(
        actions,
        "restore",
        keys.restore,
        "restore a lost identity from its backup; reads the recovery key from standard input; stop the bot first",
    )
    for action in (status, reset, backup, restore):
        _takes_config(action)


def _takes_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="default: ./config.toml, then /etc/patchbot/config.toml"
    )
