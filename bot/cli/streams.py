"""Reads standard input and files for the verbs, and makes text safe for a terminal."""

import getpass
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Self

from bot.errors import UserError

_MAX_HIDDEN_BYTES = 4096


def typed(what: str) -> bytes:
    """Read standard input, and print a prompt if it is a terminal."""
    if sys.stdin.isatty():
        print(f"reading {what} from the terminal; end with Ctrl-D", file=sys.stderr)
    return sys.stdin.buffer.read()


def hidden_line(prompt: str) -> str:
    """Return a line of standard input, which is not shown while it is typed; at most the beginning of a long one."""
    if sys.stdin.isatty():
        try:
            return getpass.getpass(prompt)
        except EOFError:
            print(file=sys.stderr)
            return ""
    return sys.stdin.buffer.readline(_MAX_HIDDEN_BYTES).decode("utf-8", "replace")


def content_of(path: Path) -> bytes:
    """Return the content of a file, or of standard input for "-"."""
    if str(path) == "-":
        return typed("input")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


class TypedLines:
    """The lines of standard input, which end at an interrupt at any moment.

    A signal that arrives just before a read begins does not interrupt that read. Signals therefore also write to a
    socket, which is waited for together with the input.
    """

    interrupted = False

    def __enter__(self) -> Self:
        """Begin to receive signals."""
        self._woken, self._alarm = socket.socketpair()
        self._alarm.settimeout(0)
        self._before = signal.set_wakeup_fd(self._alarm.fileno())
        self._rest = b""
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the previous handling of signals."""
        signal.set_wakeup_fd(self._before)
        self._woken.close()
        self._alarm.close()

    def readline(self) -> str:
        """Return the next line with its end, or "" at the end of the input or an interrupt."""
        while b"\n" not in self._rest:
            ready, _, _ = select.select([sys.stdin, self._woken], [], [])
            if self._woken in ready:
                self.interrupted = True
                return ""
            chunk = os.read(sys.stdin.fileno(), 65_536)
            if not chunk:
                break
            self._rest += chunk
        line, end, self._rest = self._rest.partition(b"\n")
        return (line + end).decode("utf-8", "replace")
