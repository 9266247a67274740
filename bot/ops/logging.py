"""The log, on standard error: one line an event, key=value for people or JSON for machines.

For people an exception's trace follows its line; in JSON it is one of the line's values.
"""

import json
import logging
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

import structlog
from structlog.typing import ExcInfo, Processor

from bot.text import printable

_PLAIN = "%(levelname)s %(name)s: %(message)s"


def configure(level: str = "info", form: str = "text") -> None:
    """Log from *level* on, in the *form* "text" or "json".

    Secrets do not get here: settings keep them wrapped, and a trace is told without the values of its variables.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine() if form == "json" else _TextLine(_PLAIN))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(_as_json() if form == "json" else [_as_text()]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Lines(sys.stderr),  # asked anew: the demo's prompt replaces it
        cache_logger_on_first_use=False,
    )


def _as_text() -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        repr_native_str=True,  # whatever a server said stays on its line, and away from the terminal's controls
        exception_formatter=_plain_trace,
    )


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say what ends the program, as the interpreter does, without what a terminal would obey."""
    _plain_trace(sys.stderr, (kind, error, trace))
    sys.stderr.write("\n")


def _as_json() -> list[Processor]:
    """In ASCII, so that whatever a server said stays on its line."""
    return [structlog.processors.ExceptionRenderer(_trace), structlog.processors.JSONRenderer()]


class _Lines(structlog.PrintLogger):
    """Writes lines; one for which there is no space is lost, and does not end what it tells of."""

    def msg(self, message: str) -> None:
        """Write a line."""
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _plain_trace(stream: TextIO, exc_info: ExcInfo) -> None:
    """Where an exception came from; no variables, and nothing that a terminal would obey."""
    stream.write("".join(f"\n{printable(line)}" for line in _trace(exc_info).split("\n")))


def _trace(exc_info: ExcInfo) -> str:
    """Where an exception came from; no variables."""
    return "".join(traceback.format_exception(*exc_info)).rstrip("\n")


class _TextLine(logging.Formatter):
    """What a library logs, on one line; its trace follows as ours do."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the base class's
        """The line, in which a server may have had a word."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: ExcInfo) -> str:  # type: ignore[override]  # noqa: N802  # the base class's; never empty here
        """Where an exception came from."""
        return "\n".join(printable(line) for line in _trace(ei).split("\n"))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  # the base class's
        """Where a line was logged."""
        return "\n".join(printable(line) for line in stack_info.split("\n"))


class _JsonLine(logging.Formatter):
    """What a library logs, in the form of our own lines."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = {
            "logger": record.name,
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)
