"""Carries one request to a homeserver and its answer back; the only place that knows nio.

nio's answers are not used, for it turns a failed one into an object that is easily taken for a good one, retries by
itself, and drops what it cannot read. Here an answer is bytes, capped while they stream, judged by `wire`; one that may
be large is read in parts while it comes in. Every request has one deadline and is made once.
"""

import asyncio
import email.utils
import ssl
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import aiohttp
import aiohttp_socks
import nio

from bot import metrics
from bot.clock import Clock
from bot.config import Settings
from bot.errors import ConfigError, Temporary
from bot.matrix import wire
from bot.matrix.answer_reader import MatrixResponseReader, MatrixResponseTooLarge
from bot.matrix.content import encoded
from bot.matrix.model import MatrixResponse
from bot.matrix.requests import MatrixRequest
from bot.unpacking import body_of, unpacked

MAX_ANSWER_BYTES = 32 * 1024 * 1024  # of one that is not read in parts
LARGE_BYTES = 128 * 1024  # takes longer to parse than the loop may stand still
_STEP_BYTES = 64 * 1024  # takes a few milliseconds to read
_NETWORK_ERRORS = (
    aiohttp.ClientError,
    aiohttp_socks.ProxyError,
    aiohttp_socks.ProxyConnectionError,
    aiohttp_socks.ProxyTimeoutError,
    OSError,
)
Parsed = TypeVar("Parsed")


class HomeserverHttp:
    """The connections to one homeserver; *ahead* is how far its clock is before ours, as far as answers tell."""

    def __init__(self, settings: Settings, clock: Clock, request_seconds: float) -> None:
        self.requests = 0
        self.ahead = timedelta()
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
        """Close them."""
        await self._nio.close()

    async def answer(
        self, request: MatrixRequest, token: str | None, parse: Callable[[MatrixResponse], Parsed]
    ) -> Parsed:
        """One request, as *token*'s device; everything that can go wrong with it as an error of ours."""
        self.requests += 1
        seconds = self._seconds if request.seconds is None else request.seconds
        reader = MatrixResponseReader(request.reading) if request.reading is not None else None
        try:
            async with asyncio.timeout(seconds):
                response, body = await self._exchange(request, token, reader)
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

    async def _exchange(
        self, request: MatrixRequest, token: str | None, reader: MatrixResponseReader | None
    ) -> tuple[aiohttp.ClientResponse, bytes | MatrixResponse]:
        """The response, and its body: taken apart by *reader*, where there is one and it is a good answer."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "gzip"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = encoded(request.body).decode() if request.body is not None else None
        if not self._nio.client_session:
            self._nio.client_session = _session(self._nio.proxy)
        unlimited = aiohttp.ClientTimeout()  # the caller's deadline is the only one
        response = await self._nio.send(request.method, request.path, data, headers, timeout=unlimited)
        async with response:
            try:
                if reader is not None and 200 <= response.status < 300:
                    return response, await _parts(response, reader)
                return response, await _body(response)
            except zlib.error as error:
                raise Temporary(str(error)) from error

    def _compare_clocks(self, date: str) -> None:
        """Learn from an answer's Date header how far the homeserver's clock is ahead of ours."""
        try:
            theirs = email.utils.parsedate_to_datetime(date)
        except (ValueError, OverflowError):
            return
        if theirs.tzinfo is not None:
            self.ahead = theirs - self._clock.now()


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The answer, unpacked no further than the limit."""
    body = await body_of(response.content.iter_any(), MAX_ANSWER_BYTES, is_packed=_is_packed(response))
    if body is None:
        raise Temporary(f"the answer is larger than {MAX_ANSWER_BYTES // 1024 // 1024} MiB")
    return body


async def _parts(response: aiohttp.ClientResponse, reader: MatrixResponseReader) -> MatrixResponse:
    """What *reader* keeps of the answer."""
    try:
        async for step in unpacked(response.content.iter_any(), _STEP_BYTES, is_packed=_is_packed(response)):
            reader.feed(step)
        return reader.answer()
    except ValueError as error:
        raise Temporary(f"the homeserver's answer is not JSON: {error}") from error


def _is_packed(response: aiohttp.ClientResponse) -> bool:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise Temporary(f"answered in the encoding {encoding[:100]}")
    return encoding == "gzip"


def _session(proxy: str | None) -> aiohttp.ClientSession:
    """Connections that follow no redirect: what we say, and a password, would go wherever it leads.

    They unpack nothing, for nio's own would unpack answers of any size.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse)
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(),  # each request has a deadline
        connector=aiohttp_socks.ProxyConnector.from_url(proxy) if proxy else None,
        auto_decompress=False,
        trace_configs=[trace],
    )


async def _refuse(_: aiohttp.ClientSession, __: object, told: aiohttp.TraceRequestRedirectParams) -> None:
    target = told.response.headers.get("Location", "nowhere")[:200]
    told.response.close()
    raise aiohttp.ClientError(f"redirects to {target}; configure that address")


def _in_words(error: Exception) -> str:
    """What went wrong on the way, without the insides of the library."""
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        return f"cannot connect to {error.host}:{error.port}: {cause.strerror or cause}"
    return str(error) or type(error).__name__


def _certificates(ca_file: str) -> ssl.SSLContext:
    """Whom to trust: the authorities in a file, or the system's."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError("network.ca_file", f"cannot be used: {error.strerror or error}") from error
