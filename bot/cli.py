"""The command line: `patchbot VERB`. Exit status 0 is done, 1 is no or failed, 2 is a mistake in usage or settings.

Verbs import what they need when they run, so that `--help` is there at once.
"""

import argparse
import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from bot import __version__
from bot.errors import BotError, ConfigError, QueryError, StoreError, UserError

if TYPE_CHECKING:
    from bot.patchwork.wire import PatchRow

_Verb = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; its exit status."""
    _make_streams_safe()
    arguments = _parser().parse_args(_with_query_guarded(sys.argv[1:] if argv is None else argv))
    verb: _Verb = arguments.run
    try:
        status = verb(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BaseExceptionGroup as group:
        expected, unexpected = group.split((BotError, OSError))
        if expected is None or unexpected is not None:
            raise
        return _failed(_first(expected))
    except (BotError, OSError) as error:
        return _failed(error)
    return status


def _make_streams_safe() -> None:
    """Closed standard streams become empty ones, and no character that a stream cannot spell ends a verb."""
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BytesIO())
    sys.stdout = sys.stdout or io.TextIOWrapper(io.BytesIO())
    sys.stderr = sys.stderr or io.TextIOWrapper(io.BytesIO())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _with_query_guarded(arguments: Sequence[str]) -> list[str]:
    """The arguments, with a query that begins with a minus sign kept from being read as an option."""
    match list(arguments):
        case ["explain", query, *rest] if query.startswith("-") and query not in {"-h", "--help", "--"}:
            return ["explain", "--", query, *rest]
        case unchanged:
            return unchanged


def _first(group: BaseException) -> BaseException:
    return _first(group.exceptions[0]) if isinstance(group, BaseExceptionGroup) else group


def _failed(error: BaseException) -> int:
    """Say on standard error what went wrong; the exit status."""
    match error:
        case QueryError():
            return _complain(error.pointed(), 2)
        case UserError():
            return _complain(str(error), 2)
        case BrokenPipeError():  # whoever read has seen enough
            _drop_unwritable_output()
            return 1
        case OSError():
            _drop_unwritable_output()
            where = f"{error.filename}: " if error.filename else ""
            return _complain(f"{where}{error.strerror or error}", 1)
        case _:
            return _complain(str(error), 1)


def _drop_unwritable_output() -> None:
    """Forget what standard output refuses, lest the interpreter complain of it at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str, status: int) -> int:
    for line in text.splitlines():
        print(_shown(line), file=sys.stderr)
    return status


def _shown(text: str) -> str:
    """*text* from outside, with nothing in it that a terminal would obey."""
    return "".join(char if char.isprintable() else "�" for char in text)


# The verbs, described


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="patchbot",
        description="Tells Matrix rooms about the patches they asked for, from Patchwork servers.",
        epilog="Exit status: 0 done, 1 no or failed, 2 a mistake in usage or settings. "
        "Each verb has a --help of its own; `patchbot demo` is where to begin.",
        formatter_class=_Help,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    run = _add(verbs, "run", _run, "the bot; SIGTERM ends it within ten seconds")
    _takes_config(run)
    demo = _add(verbs, "demo", _demo, "see it work here: no account, no network")
    demo.add_argument(
        "--patch",
        metavar="FILE.json",
        type=Path,
        action="append",
        default=[],
        help="a recorded answer of /api/patches/N/ that arrives as a new patch; may be repeated",
    )
    check = _add(verbs, "check-config", _check_config, "say what the settings would do, without contacting anybody")
    _takes_config(check)
    paths = _add(verbs, "paths", _paths, "the paths that diffs touch, old and new names, sorted, one a line")
    paths.add_argument(
        "files", metavar="FILE", nargs="*", type=Path, help="diffs or patch mails; default: standard input"
    )
    explain = _add(verbs, "explain", _explain, "whether a query matches a patch, and why; exit status 1 for no match")
    explain.add_argument("query", metavar="QUERY", help='for example "path:migration/ from:@redhat.com"')
    explain.add_argument(
        "file", metavar="FILE.json", nargs="?", type=Path, help="an answer of /api/patches/N/; default: standard input"
    )
    _add_database(verbs)
    return parser


_Help = partial(argparse.HelpFormatter, max_help_position=30)
_Verbs = argparse._SubParsersAction  # noqa: SLF001  # argparse names the type of its own answer nowhere else


def _add(verbs: "_Verbs[argparse.ArgumentParser]", name: str, run: _Verb | None, text: str) -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}."
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=description, formatter_class=_Help)
    if run is not None:
        parser.set_defaults(run=run)
    return parser


def _add_database(verbs: "_Verbs[argparse.ArgumentParser]") -> None:
    database = _add(verbs, "db", None, "look after the database: upgrade, check, backup")
    actions = database.add_subparsers(title="actions", metavar="ACTION", required=True)
    _takes_config(
        _add(actions, "upgrade", _db_upgrade, "bring it to this program's version; a SQLite file after a backup")
    )
    _takes_config(_add(actions, "check", _db_check, "see that it can be used and is of this program's version"))
    backup = _add(actions, "backup", _db_backup, "write a consistent copy of a SQLite file, also while the bot runs")
    _takes_config(backup)
    backup.add_argument("copy", metavar="FILE", type=Path, help="where to; must not exist yet")


def _takes_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="default: ./config.toml, then /etc/patchbot/config.toml"
    )


# The verbs, done


def _run(arguments: argparse.Namespace) -> int:
    from bot.config import load
    from bot.ops.logging import configure
    from bot.run import run_bot

    settings = load(arguments.config, os.environ)
    configure("INFO")
    asyncio.run(run_bot(settings))
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from bot.app import run_demo
    from bot.ops.logging import configure

    configure("ERROR")
    if sys.stdin.isatty():
        asyncio.run(run_demo(arguments.patch, sys.stdin, sys.stdout))
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # whoever types through a pipe reads the answers through one
    typed = _Typed()
    asyncio.run(run_demo(arguments.patch, cast("TextIO", typed), sys.stdout))
    return 130 if typed.interrupted else 0


class _Typed(io.TextIOBase):
    """Standard input, which ends at an interrupt; asyncio's own handler would let the wait for a line go on."""

    interrupted = False

    def readline(self, _: int = -1, /) -> str:  # type: ignore[override]  # the base has an overload for bytes
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return sys.stdin.readline()
        except KeyboardInterrupt:
            self.interrupted = True
            return ""
        finally:
            signal.signal(signal.SIGINT, before)


def _check_config(arguments: argparse.Namespace) -> int:
    from bot.config import load
    from bot.ops.queries import room_queries
    from bot.ops.summary import sentences

    settings = load(arguments.config, os.environ)
    for sentence in sentences(settings, room_queries(settings)):
        print(sentence)
    return 0


def _paths(arguments: argparse.Namespace) -> int:
    from bot.patchwork.diff import touched_paths

    texts = [_bytes(path) for path in arguments.files] or [_typed("a diff")]
    found = {path for text in texts for path in touched_paths(text.decode("utf-8", "surrogateescape"))}
    lines = sorted(_one_line(path).encode("utf-8", "surrogateescape") for path in found)
    sys.stdout.buffer.write(b"".join(line + b"\n" for line in lines))
    if not lines:
        print("no diff found", file=sys.stderr)
    return 0


def _typed(what: str) -> bytes:
    """Standard input; somebody at a terminal is told what is waited for."""
    if sys.stdin.isatty():
        print(f"reading {what} from the terminal; end it with Ctrl-D", file=sys.stderr)
    return sys.stdin.buffer.read()


def _one_line(path: str) -> str:
    """A path as it is; one with a line break in it quoted, as git does, so that it cannot pass for two."""
    return json.dumps(path, ensure_ascii=False) if "\n" in path or "\r" in path else path


def _explain(arguments: argparse.Namespace) -> int:
    from bot.ids import ServerName
    from bot.subscriptions.parser import parse
    from bot.subscriptions.verdict import decide, facts_of

    query = parse("".join(" " if char.isspace() else char for char in arguments.query))  # one line, for the carets
    name = str(arguments.file or "standard input")
    row = _whole_patch(name, _bytes(arguments.file) if arguments.file else _typed("a patch"))
    verdict = decide(query, facts_of(ServerName(""), row.model(), row.series_model()))
    print("match" if verdict.matched else "no match")
    for reason in verdict.reasons:
        print(_shown(f"  {reason}"))
    return 0 if verdict.matched else 1


def _whole_patch(name: str, body: bytes) -> "PatchRow":
    from bot.patchwork import wire

    try:
        row = wire.read_row(wire.PatchRow, body)
    except wire.Garbled:
        pass  # the mistake is told in the words of whoever saved the file
    else:
        if row.headers is not None:
            return row
    raise UserError(f"{name} is {_kind_of(body)}: one answer of /api/patches/N/ is needed")


def _kind_of(body: bytes) -> str:
    """What somebody saved instead of a patch."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return "no JSON"
    match answer:
        case list():
            return "a list"
        case {"patches": _}:
            return "a series"
        case {"msgid": _, "state": _}:
            return "a patch without its diff, as lists have it"
        case _:
            return "no patch"


def _db_upgrade(arguments: argparse.Namespace) -> int:
    from bot.store import migrate
    from bot.store.engine import connect

    async def upgrade() -> migrate.Upgrade:
        engine = connect(_store_url(arguments))
        try:
            return await migrate.upgrade(engine)
        finally:
            await engine.dispose()

    _quiet_log()
    done = asyncio.run(upgrade())
    if done.copy is not None:
        print(f"a copy of the database as it was is in {done.copy}")
    match done.before:
        case None:
            print(f"made a new database of version {done.now}")
        case done.now:
            print(f"the database is at version {done.now} already")
        case before:
            print(f"the database is at version {done.now} now, it was at {before}")
    return 0


def _db_check(arguments: argparse.Namespace) -> int:
    from bot.store import migrate
    from bot.store.engine import connect, file_of

    url = _store_url(arguments)
    file = file_of(url)

    async def check() -> None:
        if file is not None and not file.exists():
            raise StoreError(f"there is no database at {file}")
        engine = connect(url)
        try:
            await migrate.check(engine)
        finally:
            await engine.dispose()

    _quiet_log()
    asyncio.run(check())
    print(f"the database {'is sound, and' if file else 'answers, and is'} of this program's version")
    return 0


def _db_backup(arguments: argparse.Namespace) -> int:
    from bot.store import migrate
    from bot.store.engine import file_of

    file = file_of(_store_url(arguments))
    if file is None:
        raise ConfigError("store.url", "only a SQLite database is backed up here; use pg_dump for PostgreSQL")
    print(f"written to {migrate.backup(file, arguments.copy)}")
    return 0


def _store_url(arguments: argparse.Namespace) -> str:
    from bot.config import load

    return load(arguments.config, os.environ).store.url.get_secret_value()


def _quiet_log() -> None:
    """The verb says what it did; the log tells only what goes wrong besides."""
    from bot.ops.logging import configure

    configure("WARNING")


def _bytes(path: Path) -> bytes:
    """What is in a file; "-" is standard input."""
    if str(path) == "-":
        return _typed("input")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
