"""Configures the log, on standard error: one line per event, as key=value for people or JSON for machines.

In the text format, an exception's traceback follows its line; in JSON it is one of the line's values.
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
    """Log events from *level* on, in the *form* "text" or "json".

    Secrets do not reach the log: settings keep them wrapped, and tracebacks do not contain values of variables.
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
    """Print the uncaught exception as the interpreter would, but without characters that a terminal would interpret."""
    _plain_trace(sys.stderr, (kind, error, trace))
    sys.stderr.write("\n")


def _as_json() -> list[Processor]:
    """Return the processors for JSON in ASCII, which keeps any text from a server on its line."""
    return [structlog.processors.ExceptionRenderer(_trace), structlog.processors.JSONRenderer()]


class _Lines(structlog.PrintLogger):
    """A logger that writes lines; if there is no space left, a line is lost without an error."""

    def msg(self, message: str) -> None:
        """Write a line."""
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _plain_trace(stream: TextIO, exc_info: ExcInfo) -> None:
    """Write a traceback without values of variables and without characters that a terminal would interpret."""
    stream.write("".join(f"\n{printable(line)}" for line in _trace(exc_info).split("\n")))


def _trace(exc_info: ExcInfo) -> str:
    """Return a traceback without values of variables."""
    return "".join(traceback.format_exception(*exc_info)).rstrip("\n")


class _TextLine(logging.Formatter):
    """A formatter for the log records of libraries: one line each, with the traceback below it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the base class's
        """Return the line, which may contain text from a server, without control characters."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: ExcInfo) -> str:  # type: ignore[override]  # noqa: N802  # the base class's; never empty here
        """Return the traceback without control characters."""
        return "\n".join(printable(line) for line in _trace(ei).split("\n"))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  # the base class's
        """Return the stack of the logging call without control characters."""
        return "\n".join(printable(line) for line in stack_info.split("\n"))


class _JsonLine(logging.Formatter):
    """A formatter for the log records of libraries, in the format of the bot's own lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line of JSON."""
        told = {
            "logger": record.name,
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)
