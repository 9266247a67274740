"""HTTP client for one Patchwork server.

Two requests run at a time, each for up to 30 s, and the size of a response is limited while it streams. The result is
the bytes of the requested content type or a typed error; nothing is retried here, which is up to the poller. Commands
use a client of their own (`for_commands`) that shares connections and request slots with the polls' client.
"""

import asyncio
import socket
import ssl
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self, TypeVar

import httpx

from bot.errors import ConfigError, Permanent, Temporary
from bot.ids import ServerName
from bot.lease import UNLIMITED, Permit
from bot.patchwork.references import is_private
from bot.patchwork.request_turns import Purpose, RecheckBudget, RequestTurns, counted
from bot.patchwork.response_rows import Params
from bot.patchwork.responses import JSON_TYPE, PAGE_TYPE, Page, PatchworkResponse, ResponseTooLarge, judge, page_with
from bot.patchwork.states import DEFAULT_CLASSES, NO_STATES, StateClasses, States
from bot.patchwork.tokens import ApiToken
from bot.unpacking import body_of, unpacked

AT_ONCE = 2

_MAX_ERROR_BYTES = 64 * 1024  # of an error response; more would add nothing
_MAX_COOKIES = 20  # a wall sets one or two; a server may set new ones with each response
_MAX_PAGE_BYTES = 1024 * 1024  # of an HTML page


_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class PersonalRequest:
    """A request in a person's name; *path* is behind the API's version, *body* is JSON, None if there is none."""

    method: str
    path: str
    token: ApiToken
    params: Params = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """The proxy and the file of certificate authorities; "" is a direct connection, or the system's authorities.

    After *delivery_seconds*, the kernel drops what it could not deliver of a person's request; None: after minutes.
    """

    proxy: str = ""
    ca_file: str = ""
    delivery_seconds: float | None = None

    def prompt_transport(self, *, verify: ssl.SSLContext | bool) -> httpx.AsyncBaseTransport:
        """Return a transport that drops what it cannot deliver in time."""
        options: list[tuple[int, int, int]] = []
        if self.delivery_seconds is not None:
            options = [(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.delivery_seconds * 1000))]
        proxy = httpx.Proxy(self.proxy) if self.proxy else None
        return httpx.AsyncHTTPTransport(verify=verify, proxy=proxy, trust_env=False, socket_options=options)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The total time of a request, and the size of a decoded response.

    *silent_seconds* is the timeout of a command's request if the server did not respond to the last one.
    """

    request_seconds: float = 30.0
    silent_seconds: float = 5.0
    max_bytes: int = 16 * 1024 * 1024


@dataclass(slots=True)
class _Known:
    """The state shared by all clients of a server: the API *version*, the *name* for metrics, the patch *states*."""

    version: str
    name: ServerName
    states: States = NO_STATES
    classes: StateClasses = DEFAULT_CLASSES
    series_version: str | None = None


class PatchworkClient:
    """An HTTP client for one Patchwork server, which identifies itself as *agent*."""

    def __init__(
        self,
        url: str,
        agent: str,
        network: Network | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        limits: RequestLimits | None = None,
    ) -> None:
        network = network or Network()
        self.url = url.rstrip("/")
        self._known = _Known("", ServerName(""))
        self._limits = limits or RequestLimits()
        self._turns = RequestTurns(AT_ONCE)
        self.purpose = Purpose.POLL
        self.permit: Permit = UNLIMITED  # of requests in a person's name, which change something
        self.budget: RecheckBudget | None = None
        self._is_proxied = bool(network.proxy)
        authorities = _authorities(network.ca_file) if transport is None else True
        http = partial(
            httpx.AsyncClient,
            headers={"User-Agent": agent, "Accept-Encoding": "gzip"},
            timeout=self._limits.request_seconds,
            trust_env=False,  # the settings define the route
            follow_redirects=False,
        )
        self._http = http(proxy=network.proxy or None, verify=authorities, transport=transport)
        # What is asked in a person's name leaves no cookie, which could make the next person's request theirs.
        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._personal = http(transport=transport or network.prompt_transport(verify=authorities), cookies=cookies)

    async def __aenter__(self) -> Self:
        """Return the client; the first request opens a connection."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._personal.aclose()

    @property
    def version(self) -> str:
        """The API version in use; "" before it is known."""
        return self._known.version

    @version.setter
    def version(self, version: str) -> None:
        self._known.version = version

    @property
    def series_version(self) -> str | None:
        """The API version in which a series is requested; None for the version in use."""
        return self._known.series_version

    @series_version.setter
    def series_version(self, version: str | None) -> None:
        self._known.series_version = version

    @property
    def server(self) -> ServerName:
        """The server's name in metrics."""
        return self._known.name

    @server.setter
    def server(self, name: ServerName) -> None:
        self._known.name = name

    @property
    def states(self) -> States:
        """The patch states of the server, as far as they are known."""
        return self._known.states

    @states.setter
    def states(self, states: States) -> None:
        self._known.states = states

    @property
    def classes(self) -> StateClasses:
        """What the states of the server mean."""
        return self._known.classes

    @classes.setter
    def classes(self, classes: StateClasses) -> None:
        self._known.classes = classes

    def for_commands(self) -> Self:
        """Return a client for commands, which share one request slot and wait no longer than one request may take."""
        client = copy(self)
        client.purpose = Purpose.COMMAND
        return client

    def within(self, budget: RecheckBudget) -> Self:
        """Return a client for the same server that raises `OverBudget` for requests beyond *budget*."""
        client = copy(self)
        client.budget = budget
        return client

    async def json(self, path: str, params: Params = (), *, version: str | None = None) -> Page:
        """Return the response of /api/VERSION/*path*, by default in the API version in use.

        Raises:
            Temporary: the server, the network or a wall in front of it failed; the same request may work later.
            NotFound: there is no such object, according to the server itself.
            ResponseTooLarge: the response exceeds the size limit.
        """
        return await self._get(f"/api/{version or self.version}/{path}", params, JSON_TYPE)

    async def text(self, path: str) -> str:
        """Return a text/plain response from outside the API; raises as `json` does."""
        page = await self._get(path, (), "text/plain")
        return page.body.decode("utf-8", "replace")

    async def file(self, path: str) -> bytes:
        """Return the content at *path*, of any type; raises as `json` does."""
        return (await self._get(path, (), None)).body

    async def page(self, path: str, params: Params) -> str:
        """Return an HTML page, which may be that of a wall; raises as `json` does."""
        return (await self._get(path, params, PAGE_TYPE)).body.decode("utf-8", "replace")

    @property
    def is_private(self) -> bool:
        """True if nobody on the way can read what is sent: over https, or to this very machine."""
        return is_private(self.url) and not (self._is_proxied and self.url.startswith("http:"))

    async def send(self, request: PersonalRequest) -> PatchworkResponse:
        """Return the response to a request in a person's name, whatever its status; a redirect is not followed.

        Raises:
            Permanent: somebody on the way could read the token, so that nothing was sent.
            ResponseTooLarge: the response exceeds the size limit.
            Temporary: the server or the network failed, and the request may have been carried out, or the permit does
                not allow it now.
        """
        if not self.is_private:
            raise Permanent(f"a token is sent over https only, and {self.url} is not")
        return await self._in_turn(partial(self._submit, request))

    async def _submit(self, request: PersonalRequest) -> PatchworkResponse:
        self.permit.check()
        path = f"/api/{self.version}/{request.path}"
        url = httpx.URL(self.url + path, params=list(request.params)) if request.params else httpx.URL(self.url + path)
        headers = {"Accept": JSON_TYPE, "Authorization": f"Token {request.token.text}"}
        headers |= {"Content-Type": JSON_TYPE} if request.body is not None else {}
        is_answered = request.method == "GET"  # which changes nothing
        try:
            with counted(self.server, path) as answered:
                async with self._personal.stream(
                    request.method, url, headers=headers, content=request.body
                ) as response:
                    answered.code, is_answered = str(response.status_code), True
                    self._turns.is_silent = False
                    is_ok = response.status_code == 200
                    body = await (_body(response, self._limits.max_bytes) if is_ok else _error_body(response))
                    return PatchworkResponse(response.status_code, response.headers, body)
        finally:
            if not is_answered:
                self.permit.doubt()

    async def _get(self, path: str, params: Params, content_type: str | None) -> Page:
        return await self._in_turn(partial(self._stream, path, params, content_type))

    async def _in_turn(self, step: Callable[[], Awaitable[_Result]]) -> _Result:
        """Return the result of a request made by *step*, when it is its turn, and raise its failures as our own."""
        is_asked, seconds = False, self._patience()
        try:
            async with self._turn(seconds):
                is_asked = True
                return await step()
        except TimeoutError as error:
            self._turns.is_silent |= is_asked
            others = "" if is_asked else "; earlier requests are still unanswered"
            raise Temporary(f"no answer within {seconds:g} s{others}") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Temporary(f"cannot connect to {self.url}: {error}") from error
        except (httpx.HTTPError, zlib.error) as error:
            raise Temporary(str(error) or type(error).__name__) from error
        except httpx.InvalidURL as error:
            raise Permanent(str(error)) from error

    def _patience(self) -> float:
        """Return the timeout of a request in seconds, which is shorter for commands if the server is silent."""
        if self.purpose is Purpose.COMMAND and self._turns.is_silent:
            return self._limits.silent_seconds
        return self._limits.request_seconds

    @asynccontextmanager
    async def _turn(self, seconds: float) -> AsyncIterator[None]:
        """Hold a request slot; a command's timeout includes the wait for the slot, a poll's does not."""
        if self.purpose is Purpose.COMMAND:
            async with asyncio.timeout(seconds), self._turns.slot(self.purpose):
                yield
        else:
            async with self._turns.slot(self.purpose), asyncio.timeout(seconds):
                yield

    async def _stream(self, path: str, params: Params, content_type: str | None) -> Page:
        if self.budget is not None:
            self.budget.spend()
        accept, url = {"Accept": content_type or "*/*"}, self.url + path
        # An empty list of parameters would remove the query from *url*.
        target = httpx.URL(url, params=list(params)) if params else httpx.URL(url)
        with counted(self.server, path) as answered:
            async with self._http.stream("GET", target, headers=accept) as response:
                answered.code = str(response.status_code)
                if len(self._http.cookies.jar) > _MAX_COOKIES:
                    self._http.cookies.clear()
                self._turns.is_silent = False
                answer = PatchworkResponse(response.status_code, response.headers)
                if answer.status == 200 and answer.content_type:
                    judge(answer, content_type)  # a large response of another type is not read
                limit = min(self._limits.max_bytes, _MAX_PAGE_BYTES if content_type == PAGE_TYPE else sys.maxsize)
                body = await (_body(response, limit) if answer.status == 200 else _error_body(response))
                judge(replace(answer, body=body), content_type)
                return page_with(body, {str(rel): link.get("url", "") for rel, link in response.links.items()})


async def _body(response: httpx.Response, limit: int) -> bytes:
    """Return the decompressed body, up to *limit*, because a small response can expand to a huge one."""
    encoding = response.headers.get("content-encoding", "gzip").strip().lower()
    if encoding != "gzip":
        raise Temporary(f"the response has the encoding {encoding[:100]}")
    body = await body_of(response.aiter_raw(), limit, is_packed="content-encoding" in response.headers)
    if body is None:
        raise ResponseTooLarge(f"the answer is larger than {limit:,} bytes")
    return body


async def _error_body(response: httpx.Response) -> bytes:
    """Return the start of an error response, or the part of it that can be read."""
    body = bytearray()
    with suppress(httpx.HTTPError, httpx.StreamError, zlib.error):
        is_packed = "content-encoding" in response.headers
        async for step in unpacked(response.aiter_raw(), _MAX_ERROR_BYTES, is_packed=is_packed):
            body += step
            if len(body) >= _MAX_ERROR_BYTES:
                break
    return bytes(body)


def _authorities(ca_file: str) -> ssl.SSLContext:
    """Return the certificate authorities to trust: those in *ca_file*, or the system's if it is ""."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ConfigError("network.ca_file", f"cannot be used: {error.strerror or error}") from error
