"""A relay of connections that can be cut, as a network is: nothing arrives any more, and nobody is told."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from support.memory_folder import memory_folder

_Open = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
_BYTES = 64 * 1024
_SOCKET = ".s.PGSQL.5432"


@dataclass
class Relay:
    """Passes connections on; *is_cut* holds what comes, on either side."""

    open: _Open
    is_whole: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin whole."""
        self.is_whole.set()

    def cut(self) -> None:
        """From now on, nothing arrives."""
        self.is_whole.clear()

    def heal(self) -> None:
        """Let new connections through; what was held is gone with its connections, as the kernel gives them up."""
        for writer in self._writers:
            writer.transport.abort()
        self.is_whole.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        self._writers.add(writer)
        try:
            await self.is_whole.wait()
            if writer.is_closing():
                return
            there_reader, there_writer = await self.open()
            self._writers.add(there_writer)
            try:
                await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))
            finally:
                there_writer.transport.abort()
                self._writers.discard(there_writer)
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(_BYTES):
                await self.is_whole.wait()
                if writer.is_closing():
                    return
                writer.write(part)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def tcp_relay(port: int) -> AsyncIterator[tuple[Relay, int]]:
    """A relay before a port of this machine, and its own port."""
    relay = Relay(lambda: asyncio.open_connection("127.0.0.1", port))
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    try:
        yield relay, server.sockets[0].getsockname()[1]
    finally:
        await _close(server, relay)


@asynccontextmanager
async def postgres_relay(folder: Path) -> AsyncIterator[tuple[Relay, Path]]:
    """A relay before the PostgreSQL server with its socket in *folder*, and the folder of its own."""
    near_the_root = memory_folder("/tmp")  # noqa: S108  # a socket's path must be short
    with tempfile.TemporaryDirectory(prefix="relay-", dir=near_the_root) as own:
        relay = Relay(lambda: asyncio.open_unix_connection(folder / _SOCKET))
        server = await asyncio.start_unix_server(relay.serve, Path(own, _SOCKET))
        try:
            yield relay, Path(own)
        finally:
            await _close(server, relay)


async def _close(server: asyncio.Server, relay: Relay) -> None:
    server.close()
    relay.heal()
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await server.wait_closed()
