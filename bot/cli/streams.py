"""Standard streams and files, as the verbs use them."""

import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Self

from bot.errors import UserError


def typed(what: str) -> bytes:
    """Standard input; somebody at a terminal is told what is waited for."""
    if sys.stdin.isatty():
        print(f"reading {what} from the terminal; end it with Ctrl-D", file=sys.stderr)
    return sys.stdin.buffer.read()


def content_of(path: Path) -> bytes:
    """What is in a file; "-" is standard input."""
    if str(path) == "-":
        return typed("input")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


class TypedLines:
    """The lines of standard input, which end at an interrupt, whenever that comes.

    A read that begins just after a signal is not ended by it; so what is waited for beside the input is a descriptor
    that each signal writes to.
    """

    interrupted = False

    def __enter__(self) -> Self:
        """Listen for signals."""
        self._woken, self._alarm = socket.socketpair()
        self._alarm.settimeout(0)
        self._before = signal.set_wakeup_fd(self._alarm.fileno())
        self._rest = b""
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        signal.set_wakeup_fd(self._before)
        self._woken.close()
        self._alarm.close()

    def readline(self) -> str:
        """The next line with its end; "" when there are no more, or at an interrupt."""
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
