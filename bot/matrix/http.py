"""Transport of requests to a homeserver and its authorization server; the only module that uses nio's client.

nio's own methods are not used, because they retry by themselves, drop what they cannot parse, and return errors in a
form that is easily mistaken for success. Here a response is bytes, limited in size while they stream, and judged by
`wire`; a large one is parsed while it arrives. Every request has one deadline and is made once.
"""

import asyncio
import email.utils
import socket
import ssl
import weakref
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import aiohttp
import aiohttp_socks
import nio

from bot import __version__, metrics
from bot.backoff import retry_after_in
from bot.clock import Clock
from bot.config import Settings
from bot.errors import ConfigError, Temporary
from bot.lease import SOCKET_SECONDS, UNLIMITED, Permit
from bot.matrix import wire
from bot.matrix.answer_reader import MatrixResponseReader, MatrixResponseTooLarge
from bot.matrix.content import encoded
from bot.matrix.model import MatrixResponse
from bot.matrix.oauth import OAuthRequest, OAuthResponse
from bot.matrix.requests import MatrixRequest
from bot.unpacking import body_of, unpacked

MAX_ANSWER_BYTES = 32 * 1024 * 1024  # of a response that is not parsed while it arrives
MAX_OAUTH_BYTES = 64 * 1024
OAUTH_SECONDS = 15.0
LARGE_BYTES = 128 * 1024  # takes longer to parse than the event loop may block
_STEP_BYTES = 64 * 1024  # takes a few milliseconds to parse
_NETWORK_ERRORS = (
    aiohttp.ClientError,
    aiohttp_socks.ProxyError,
    aiohttp_socks.ProxyConnectionError,
    aiohttp_socks.ProxyTimeoutError,
    OSError,
)
Parsed = TypeVar("Parsed")


class HomeserverHttp:
    """The connections to one homeserver; *ahead* is how far its clock is ahead of ours, according to its responses.

    No request is made that *permit* does not allow at the moment in which its first byte is written.
    """

    def __init__(self, settings: Settings, clock: Clock, request_seconds: float, permit: Permit = UNLIMITED) -> None:
        self.requests = 0
        self.ahead = timedelta()
        self._permit = permit
        self._sockets = weakref.WeakSet[socket.socket]()
        self._running = set[asyncio.Timeout]()
        self._clock = clock
        self._seconds = request_seconds
        self._nio = nio.AsyncClient(
            settings.matrix.homeserver,
            settings.matrix.user_id,
            config=nio.AsyncClientConfig(
                max_limit_exceeded=0,
                max_timeouts=0,
                request_timeout=request_seconds,
                encryption_enabled=False,
                store_sync_tokens=False,
            ),
            ssl=_certificates(settings.network.ca_file),
            proxy=settings.network.proxy.get_secret_value() or None,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._nio.close()

    def abort(self) -> None:
        """Abort all running requests, and drop what is not written yet."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        now = asyncio.get_running_loop().time()
        for running in self._running:
            if not running.expired():
                running.reschedule(now)

    async def answer(
        self, request: MatrixRequest, token: str | None, parse: Callable[[MatrixResponse], Parsed]
    ) -> Parsed:
        """Return the parsed response to a request of the device with *token*; raise failures as errors of the bot."""
        self.requests += 1
        seconds = self._seconds if request.seconds is None else request.seconds
        reader = MatrixResponseReader(request.reading) if request.reading is not None else None
        try:
            response, body = await self._in_time(request, token, reader, seconds)
        except TimeoutError as error:
            metrics.MATRIX_REQUESTS.labels(request.endpoint, "none").inc()
            if reader is not None and reader.largest:
                raise MatrixResponseTooLarge(f"the answer did not end within {seconds:g} s", reader.largest) from error
            raise Temporary(f"no answer within {seconds:g} s") from error
        except _NETWORK_ERRORS as error:
            metrics.MATRIX_REQUESTS.labels(request.endpoint, "none").inc()
            raise Temporary(_in_words(error)) from error
        metrics.MATRIX_REQUESTS.labels(request.endpoint, str(response.status)).inc()
        self._compare_clocks(response.headers.get("Date", ""))

        def read() -> Parsed:
            if isinstance(body, MatrixResponse):
                return parse(body)
            return parse(MatrixResponse(wire.judge(response.status, response.headers.get("Retry-After", ""), body)))

        size = body.size if isinstance(body, MatrixResponse) else len(body)
        return await asyncio.to_thread(read) if size > LARGE_BYTES else read()

    async def _in_time(
        self, request: MatrixRequest, token: str | None, reader: MatrixResponseReader | None, seconds: float
    ) -> tuple[aiohttp.ClientResponse, bytes | MatrixResponse]:
        """Return the response and its body within *seconds*, and let the permit know of a request without a response.

        Raises:
            TimeoutError: it took longer, or was aborted.
        """
        is_answered = request.method == "GET"  # which changes nothing
        try:
            async with asyncio.timeout(seconds) as running:
                self._running.add(running)
                try:
                    result = await self._exchange(request, token, reader)
                finally:
                    self._running.discard(running)
                is_answered = True
                return result
        finally:
            if not is_answered:
                self._permit.doubt()

    async def _exchange(
        self, request: MatrixRequest, token: str | None, reader: MatrixResponseReader | None
    ) -> tuple[aiohttp.ClientResponse, bytes | MatrixResponse]:
        """Return the response and its body; after a success, *reader* parses the body, if given."""
        headers = {"Content-Type": request.kind, "Accept": "application/json", "Accept-Encoding": "gzip"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = encoded(request.body) if request.body is not None else request.data
        self._session()
        self._permit.check()
        unlimited = aiohttp.ClientTimeout()  # the caller's deadline is the only one
        response = await self._nio.send(request.method, request.path, data, headers, timeout=unlimited)
        async with response:
            try:
                if reader is not None and 200 <= response.status < 300:
                    return response, await _parts(response, reader)
                return response, await _body(response)
            except zlib.error as error:
                raise Temporary(str(error)) from error

    async def exchange(self, request: OAuthRequest) -> OAuthResponse:
        """Return the response to a request to the authorization server, which may be on another host.

        Raises:
            Temporary: there is none.
        """
        self.requests += 1
        try:
            async with asyncio.timeout(OAUTH_SECONDS):
                response = await self._oauth_response(request)
        except TimeoutError as error:
            metrics.MATRIX_REQUESTS.labels("oauth", "none").inc()
            raise Temporary(f"no answer from the authorization server within {OAUTH_SECONDS:g} s") from error
        except (*_NETWORK_ERRORS, ValueError) as error:  # ValueError: an address that aiohttp cannot use
            metrics.MATRIX_REQUESTS.labels("oauth", "none").inc()
            raise Temporary(request.redacted(_in_words(error))) from None  # a redirect may repeat what was sent
        metrics.MATRIX_REQUESTS.labels("oauth", str(response.status)).inc()
        return response

    async def _oauth_response(self, request: OAuthRequest) -> OAuthResponse:
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"patchwork-matrix-bot/{__version__}",
        }
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        method = "GET" if request.body is None else "POST"
        async with self._session().request(
            method, request.url, data=request.body, ssl=self._nio.ssl, headers=headers
        ) as response:
            try:
                body = await _body(response, MAX_OAUTH_BYTES)
            except zlib.error as error:
                raise Temporary(str(error)) from error
            retry_after = retry_after_in(response.headers)
            return OAuthResponse(response.status, response.content_type.lower(), body, retry_after)

    def _session(self) -> aiohttp.ClientSession:
        """Return the connections, which nio shares."""
        if not self._nio.client_session:
            self._nio.client_session = self._new_session()
        session: aiohttp.ClientSession = self._nio.client_session
        return session

    def _new_session(self) -> aiohttp.ClientSession:
        """Return connections that reject redirects, which would send our requests, even passwords, anywhere.

        They do not decompress automatically, as nio's own session does with responses of any size.
        """
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(_refuse)
        trace.on_request_headers_sent.append(self._check)  # both are called just before that is written
        trace.on_request_chunk_sent.append(self._check)
        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(),  # each request has a deadline
            connector=self._connector(self._nio.proxy),
            auto_decompress=False,
            trace_configs=[trace],
        )

    async def _check(self, *_: object) -> None:
        self._permit.check()

    def _connector(self, proxy: str | None) -> aiohttp.TCPConnector | None:
        if proxy:
            return aiohttp_socks.ProxyConnector.from_url(proxy)
        return None if self._permit is UNLIMITED else aiohttp.TCPConnector(socket_factory=self._socket)

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Return a socket from which the kernel drops what does not arrive in time, even if this process is stopped."""
        made = socket.socket(*address[:3])
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SOCKET_SECONDS * 1000))
        self._sockets.add(made)
        return made

    def _compare_clocks(self, date: str) -> None:
        """Update the difference of the clocks from a response's Date header."""
        try:
            theirs = email.utils.parsedate_to_datetime(date)
        except (ValueError, OverflowError):
            return
        if theirs.tzinfo is not None:
            self.ahead = theirs - self._clock.now()


async def _body(response: aiohttp.ClientResponse, max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
    """Return the decompressed body, up to the limit."""
    body = await body_of(response.content.iter_any(), max_bytes, is_packed=_is_packed(response))
    if body is None:
        size = f"{max_bytes >> 20} MiB" if max_bytes >> 20 else f"{max_bytes >> 10} KiB"
        raise Temporary(f"the answer is larger than {size}")
    return body


async def _parts(response: aiohttp.ClientResponse, reader: MatrixResponseReader) -> MatrixResponse:
    """Return the parts of the response that *reader* keeps."""
    try:
        async for step in unpacked(response.content.iter_any(), _STEP_BYTES, is_packed=_is_packed(response)):
            reader.feed(step)
        return reader.answer()
    except ValueError as error:
        raise Temporary(f"the homeserver's response is not JSON: {error}") from error


def _is_packed(response: aiohttp.ClientResponse) -> bool:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise Temporary(f"the response has the encoding {encoding[:100]}")
    return encoding == "gzip"


async def _refuse(_: aiohttp.ClientSession, __: object, redirect: aiohttp.TraceRequestRedirectParams) -> None:
    target = redirect.response.headers.get("Location", "nowhere")[:200]
    redirect.response.close()
    raise aiohttp.ClientError(f"redirects to {target}; configure that address")


def _in_words(error: Exception) -> str:
    """Return a network error in plain words, without internals of the library."""
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        return f"cannot connect to {error.host}:{error.port}: {cause.strerror or cause}"
    return str(error) or type(error).__name__


def _certificates(ca_file: str) -> ssl.SSLContext:
    """Return the certificate authorities to trust: those in *ca_file*, or the system's if it is ""."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError("network.ca_file", f"cannot be used: {error.strerror or error}") from error
