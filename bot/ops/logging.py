"""The log: one line an event, key=value for people, on standard error; an exception's trace follows its line."""

import logging
import sys
import traceback
from contextlib import suppress
from typing import TextIO

import structlog
from structlog.typing import ExcInfo


def configure(level: str = "INFO") -> None:
    """Log from *level* on.

    Secrets do not get here: settings keep them wrapped, and a trace is told without the values of its variables.
    """
    number = logging.getLevelNamesMapping()[level]
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        repr_native_str=True,  # whatever a server said stays on its line, and away from the terminal's controls
        exception_formatter=_plain_trace,
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Lines(sys.stderr),  # asked anew: the demo's prompt replaces it
        cache_logger_on_first_use=False,
    )


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
    trace = "".join(traceback.format_exception(*exc_info)).rstrip("\n")
    lines = trace.split("\n")
    stream.write("".join("\n" + "".join(char if char.isprintable() else "�" for char in line) for line in lines))
