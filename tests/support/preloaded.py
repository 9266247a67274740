"""Bots as processes of their own that have no modules left to import: forked, on request, from one that did it once.

To import everything takes a second and a half, which is more than most of what tests do with such a process. What is
forked is a process like any other: it has its own streams, folder and environment, it is killed by its pid, and it ends
as an interpreter does. Under `make test`, `started` and `run` fork; without `prepare`, and where a test asks for it,
they start a new interpreter.
"""

import asyncio
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import bot

_NUMBER = struct.Struct("!i")


class Process(Protocol):
    """What `asyncio.subprocess.Process` and a forked process have in common."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""

    async def wait(self) -> int:
        """Wait for its end; the exit status."""

    def send_signal(self, signal: signal.Signals, /) -> None:
        """Send it a signal."""

    def kill(self) -> None:
        """End it without a last word."""


class _Forked:
    """A process that was forked; the parent tells of its end."""

    def __init__(self, pid: int, parent: asyncio.StreamReader, closing: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._parent, self._closing = parent, closing
        self._watch = asyncio.create_task(self._until_end())

    async def wait(self) -> int:
        """Wait for its end; the exit status."""
        return await asyncio.shield(self._watch)

    def send_signal(self, signal: signal.Signals, /) -> None:
        """Send it a signal."""
        if self.returncode is None:
            os.kill(self.pid, signal)

    def kill(self) -> None:
        """End it without a last word."""
        self.send_signal(signal.SIGKILL)

    async def _until_end(self) -> int:
        try:
            (self.returncode,) = _NUMBER.unpack(await self._parent.readexactly(_NUMBER.size))
        finally:
            self._closing.close()
        return self.returncode


class _Preloaded:
    """This side of the process that has everything imported and forks."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # this file
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def fork(self, request: Mapping[str, object], streams: tuple[int, int, int]) -> socket.socket:
        """Have a process made; where its pid and, at its end, its exit status can be read."""
        body = json.dumps(request).encode()
        ours, theirs = socket.socketpair()
        with self._lock, theirs:
            socket.send_fds(self._socket, [_NUMBER.pack(len(body))], [*streams, theirs.fileno()])
            self._socket.sendall(body)
        return ours

    def close(self) -> None:
        """End it, and what it forked."""
        self._socket.close()
        self._process.wait()


@dataclass
class _Forking:
    """Whether bots are forked, and from what; it is started when the first one is."""

    is_allowed: bool = False
    preloaded: _Preloaded | None = None


_forking = _Forking()


def prepare() -> None:
    """Fork from now on, until `close`."""
    _forking.is_allowed = True


def is_prepared() -> bool:
    """Whether what is started may be forked."""
    return _forking.is_allowed


def close() -> None:
    """Fork no more, and end what was forked."""
    if _forking.preloaded is not None:
        _forking.preloaded.close()
    _forking.is_allowed, _forking.preloaded = False, None


def _preloaded() -> _Preloaded:
    if _forking.preloaded is None:
        _forking.preloaded = _Preloaded()
    return _forking.preloaded


async def started(
    *arguments: str, folder: Path, environment: Mapping[str, str], output: Path, fresh: bool = False
) -> Process:
    """Start Python with *arguments*, `-m MODULE …` or `FILE …`; a *fresh* one is an interpreter of its own."""
    streams = _nothing_and(output)
    try:
        if fresh or not _forking.is_allowed:
            stdin, stdout, stderr = streams
            return await asyncio.create_subprocess_exec(
                *(sys.executable, *arguments), cwd=folder, env=environment, stdin=stdin, stdout=stdout, stderr=stderr
            )
        status = await asyncio.to_thread(_preloaded().fork, _request(arguments, folder, environment), streams)
    finally:
        os.close(streams[0])
        os.close(streams[1])
    reader, writer = await asyncio.open_unix_connection(sock=status)
    (pid,) = _NUMBER.unpack(await reader.readexactly(_NUMBER.size))
    return _Forked(pid, reader, writer)


def _nothing_and(output: Path) -> tuple[int, int, int]:
    """The streams of whoever reads nothing and writes everything into one file."""
    into = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    return os.open(os.devnull, os.O_RDONLY), into, into


def run(
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str],
    stdin: bytes = b"",
    seconds: float = 600,
    fresh: bool = False,
) -> "subprocess.CompletedProcess[bytes]":
    """Run Python with *arguments*, `-m MODULE …` or `FILE …`, to its end, which comes in so many *seconds*."""
    if fresh or not _forking.is_allowed:
        return subprocess.run(  # noqa: S603  # our own program
            [sys.executable, *arguments],
            input=stdin,
            capture_output=True,
            cwd=folder,
            env=environment,
            timeout=seconds,
            check=False,
        )
    with tempfile.TemporaryFile() as typed, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        typed.write(stdin)
        typed.seek(0)
        streams = (typed.fileno(), output.fileno(), errors.fileno())
        with _preloaded().fork(_request(arguments, folder, environment), streams) as status:
            status.settimeout(seconds)
            pid = _number(status)
            try:
                returncode = _number(status)
            except TimeoutError as error:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, seconds) from error
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, returncode, output.read(), errors.read())


def _request(arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str]) -> dict[str, object]:
    return {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}


def _number(stream: socket.socket) -> int:
    return int(_NUMBER.unpack(_exactly(stream, _NUMBER.size))[0])


def _exactly(stream: socket.socket, size: int) -> bytes:
    """So many bytes; EOFError where there are no more."""
    read = b""
    while len(read) < size:
        chunk = stream.recv(size - len(read))
        if not chunk:
            raise EOFError
        read += chunk
    return read


class _Parent:
    """The other side: the process that has everything imported and forks."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._living: dict[int, tuple[int, socket.socket]] = {}  # pids and who asked, by a pipe that death closes

    def serve(self) -> list[str]:
        """Fork for each request, until nobody can ask; returns in what was forked only, with its arguments."""
        while True:
            asked = self._requests.fileno()
            ready, _, _ = select.select([asked, *self._living], [], [])
            for each in ready:
                if each != asked:
                    self._bury(each)
                elif (arguments := self._fork()) is not None:
                    return arguments

    def _fork(self) -> list[str] | None:
        """Do what the next request asks; the arguments in what was forked, None in the parent."""
        size, descriptors, _, _ = socket.recv_fds(self._requests, _NUMBER.size, 4)
        if not size:
            self._end()
        request = json.loads(_exactly(self._requests, *_NUMBER.unpack(size)))
        *streams, told = descriptors
        alive, death = os.pipe()
        pid = os.fork()
        if not pid:
            self._forget_the_others(alive, told)
            return _become(request, streams)
        for each in (*streams, death):
            os.close(each)
        asking = socket.socket(fileno=told)
        self._living[alive] = (pid, asking)
        with suppress(OSError):
            asking.sendall(_NUMBER.pack(pid))
        return None

    def _bury(self, alive: int) -> None:
        """Tell who asked how it ended."""
        os.close(alive)
        pid, asking = self._living.pop(alive)
        _, status = os.waitpid(pid, 0)
        with asking, suppress(OSError):
            asking.sendall(_NUMBER.pack(os.waitstatus_to_exitcode(status)))

    def _forget_the_others(self, *ours: int) -> None:
        self._requests.close()
        for each in (*self._living, *ours):
            os.close(each)
        for _, asking in self._living.values():
            asking.close()

    def _end(self) -> None:
        """Nobody is there any more, so nobody may be left."""
        for pid, _ in self._living.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        sys.exit()


def _become(request: dict[str, Any], streams: Sequence[int]) -> list[str]:
    """Be as if started by who asked; the arguments."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    arguments: list[str] = request["arguments"]
    return arguments


def _import_all() -> None:
    """All of the bot, and with it what it imports, but for what it only runs."""
    for module in pkgutil.walk_packages(bot.__path__, "bot."):
        if not module.name.endswith(".__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # or the first collection of each fork would touch, and so copy, all of it


def _be_python(arguments: list[str]) -> None:
    """Go on as `python ARGUMENTS…` does."""
    if arguments[0] == "-m":
        sys.argv, sys.path[0] = arguments[1:], str(Path.cwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).parent)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    _import_all()
    _be_python(_Parent(socket.socket(fileno=int(sys.argv[1]))).serve())
