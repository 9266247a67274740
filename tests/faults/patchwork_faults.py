"""What happens between the bot and a Patchwork server, for a whole bot in virtual time."""

import gzip
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import httpx

from bot.sample_patchwork.server import SampleTransport

Fault: TypeAlias = Callable[[httpx.Request], httpx.Response]

JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}
DATE = "Mon, 23 Nov 2026 01:42:47 GMT"
SOON = "Mon, 23 Nov 2026 01:42:52 GMT"  # five seconds later
BOMB = gzip.compress(bytes(64 * 1024 * 1024))


@dataclass
class FaultyTransport(httpx.AsyncBaseTransport):
    """Asks the sample Patchwork; requests whose path has *place* in it suffer the *fault*, and are counted."""

    sample: SampleTransport
    place: str = ""
    fault: Fault | None = None
    suffered: int = 0
    asked: list[str] = field(default_factory=list)  # every address, also of others

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        self.asked.append(str(request.url))
        if self.fault is not None and self.place in request.url.path:
            self.suffered += 1
            return self.fault(request)
        return await self.sample.handle_async_request(request)


class _Broken(httpx.AsyncByteStream):
    """A body that begins well, and then the network fails."""

    def __init__(self, error: httpx.TransportError) -> None:
        self._error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """A part of a list."""
        yield b'[{"id": 1, '
        raise self._error


def answering(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Fault:
    """The same answer to all that is asked."""
    return lambda _: httpx.Response(status, headers=headers or {}, stream=httpx.ByteStream(body))


def failing(error: httpx.TransportError) -> Fault:
    """No answer at all."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return fail


def breaking(error: httpx.TransportError) -> Fault:
    """An answer that ends in its middle."""
    return lambda _: httpx.Response(200, headers=JSON, stream=_Broken(error))


def to_itself(request: httpx.Request) -> httpx.Response:
    """A redirect that leads nowhere but here."""
    return httpx.Response(302, headers={"location": str(request.url)})


FAULTS: dict[str, Fault] = {
    "500": answering(500, b'{"detail": "Internal server error"}', JSON),
    "502 with HTML": answering(502, b"<html>Bad Gateway</html>", HTML),
    "503": answering(503),
    "503 for some seconds": answering(503, headers={"retry-after": "5"}),
    "503 until a date": answering(503, headers={"retry-after": SOON, "date": DATE}),
    "429": answering(429, b"{}", JSON),
    "429 for some seconds": answering(429, b"{}", {**JSON, "retry-after": "5"}),
    "429 until a date": answering(429, b"{}", {**JSON, "retry-after": SOON, "date": DATE}),
    "a login page": answering(200, b"<html>Are you human?</html>", HTML),
    "truncated JSON": answering(200, b'[{"id": 1, "category"', JSON),
    "another shape": answering(200, b'{"detail": "maintenance"}', JSON),
    "another type": answering(200, b"[]", {"content-type": "application/octet-stream"}),
    "a refused connection": failing(httpx.ConnectError("Connection refused")),
    "a lost connection": failing(httpx.RemoteProtocolError("Server disconnected without sending a response.")),
    "a cut answer": breaking(httpx.RemoteProtocolError("peer closed connection without sending complete body")),
    "a hang": failing(httpx.ReadTimeout("")),
    "a slow drip": breaking(httpx.ReadTimeout("")),
    "a gzip bomb": answering(200, BOMB, {**JSON, "content-encoding": "gzip"}),
    "a redirect loop": to_itself,
    "a redirect to another host": answering(301, headers={"location": "https://elsewhere.example.org/"}),
}
