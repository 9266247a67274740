"""Runs a verb and returns its exit status: 0 for success, 1 for "no" or a failure, 2 for invalid usage or settings."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.cli.arguments import Verb, parser
from bot.errors import BotError, QueryError, UserError
from bot.text import printable


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit status."""
    _make_streams_safe()
    arguments = parser().parse_args(_with_query_guarded(sys.argv[1:] if argv is None else argv))
    verb: Verb = arguments.run
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
    """Open empty streams for closed standard ones, and let stdout replace characters that it cannot encode."""
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115  # for the process's life
    sys.stdout = sys.stdout or io.TextIOWrapper(io.BytesIO())
    sys.stderr = sys.stderr or io.TextIOWrapper(io.BytesIO())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _with_query_guarded(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with "--" before a query that begins with "-", which argparse would take for an option."""
    match list(arguments):
        case ["explain", query, *rest] if query.startswith("-") and query not in {"-h", "--help", "--"}:
            return ["explain", "--", query, *rest]
        case unchanged:
            return unchanged


def _first(group: BaseException) -> BaseException:
    return _first(group.exceptions[0]) if isinstance(group, BaseExceptionGroup) else group


def _failed(error: BaseException) -> int:
    """Print an error to standard error and return the exit status."""
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
    """Discard buffered output that stdout rejects, which the interpreter would otherwise report at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str, status: int) -> int:
    for line in text.splitlines():
        print(printable(line), file=sys.stderr)
    return status
