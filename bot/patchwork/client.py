"""The only place that speaks HTTP to a Patchwork server.

One client per server, two requests at a time, 30 s each, sizes capped while the answer streams. What comes back is
bytes of the asked type or a typed error; nothing is retried here, the poller owns that. Commands ask through a client
of their own (`for_commands`), which shares connections and places with that of the polls.
"""

import asyncio
import email.utils
import re
import ssl
import sys
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

import httpx

from bot.errors import ConfigError, Permanent, Temporary
from bot.ids import ServerName
from bot.json_reader import read_json
from bot.patchwork.request_metrics import counted
from bot.patchwork.request_turns import Purpose, RecheckBudget, RequestTurns
from bot.patchwork.response_rows import Page, page_with
from bot.patchwork.states import NO_STATES, States
from bot.unpacking import body_of, unpacked

AT_ONCE = 2
_MAX_RETRY_AFTER = timedelta(hours=6)

_MAX_ERROR_BYTES = 64 * 1024  # of an answer that is none; more of it says nothing more
_MAX_COOKIES = 20  # a wall sets one or two; a server may set others with each answer

TOO_MANY_WAIT = timedelta(minutes=1)  # after a 429 that does not say how long

_MAX_PAGE_BYTES = 1024 * 1024  # of one for people

_JSON = "application/json"
_PAGE_TYPE = "text/html"
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_PAGE = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!--|\?xml\b|!doctype\b|html\b|head\b|body\b|script\b|noscript\b|meta\b|title\b)",
    re.IGNORECASE,
)
_WALL = re.compile(
    rb"captcha|challenge|checking your (?:browser|connection)|just a moment|are you (?:a )?human|not a (?:ro)?bot"
    rb"|anubis|proof.of.work|access denied|type=.?password",
    re.IGNORECASE,
)
_LOGIN_LINK = re.compile(rb"\b(?:log|sign) ?in\b", re.IGNORECASE)
_WALL_HEADERS = ("cf-mitigated", "x-amzn-waf-action", "x-vercel-mitigated")  # of Cloudflare, AWS and Vercel
_LOGIN = re.compile(
    r"(?:^|[/?&=._-])(?:log[_-]?in|sign[_-]?in|sso|oauth2?|saml2?|auth|challenge|captcha)\b", re.IGNORECASE
)
_LET_IN = "set contact or user_agent, or ask the server's administrator to let the bot pass"

Params = Sequence[tuple[str, str]]


class NotFound(Permanent):
    """The server says itself that it has no such thing: Patchwork's own 404, which is JSON with a "detail"."""


class ResponseTooLarge(Permanent):
    """The answer is larger than any that is read."""


class InvalidResponse(Temporary):
    """The answer is not the server's word on what was asked for: a redirect, a refusal, or another kind of server."""


class NoSuchPage(InvalidResponse):
    """A 404 or 410 that is not Patchwork's own word on an object; its own 404 of unknown addresses looks like that."""


class Wall(InvalidResponse):
    """A login page or a bot challenge in front of the server answered in its place."""


class TooMany(Temporary):
    """The server wants fewer requests (429)."""


@dataclass(frozen=True, slots=True)
class PatchworkResponse:
    """What came back: its status, its headers, and its body as far as it was read."""

    status: int
    headers: httpx.Headers
    body: bytes = b""

    @property
    def content_type(self) -> str:
        """The type that it claims, in lower case and without parameters; "" where it claims none."""
        given: str = self.headers.get("content-type", "")
        return given.partition(";")[0].strip().lower()

    @property
    def is_page(self) -> bool:
        """Whether it is a page for people, by its type or by how it begins."""
        return self.content_type in _HTML or _PAGE.match(self.body) is not None

    @property
    def is_own_refusal(self) -> bool:
        """Whether it is Patchwork's own word on why it does not give what was asked for."""
        if self.content_type != _JSON:
            return False
        try:
            found = read_json(self.body)
        except ValueError:
            return False
        return isinstance(found, dict) and isinstance(found.get("detail"), str)


@dataclass(frozen=True, slots=True)
class Network:
    """How this machine reaches others; "" = directly, and the system's own authorities."""

    proxy: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How long a request may take in all, and how large an answer may be once it is decoded.

    *silent_seconds* is how long a command waits for a server that left the last request without an answer.
    """

    request_seconds: float = 30.0
    silent_seconds: float = 5.0
    max_bytes: int = 16 * 1024 * 1024


@dataclass(slots=True)
class _Known:
    """What all who ask a server know of it: the API's *version*, e.g. "1.3", its *name* for metrics, its *states*."""

    version: str
    name: ServerName
    states: States = NO_STATES


class PatchworkClient:
    """Asks one Patchwork server; *agent* says who asks."""

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
        self.budget: RecheckBudget | None = None
        self._http = httpx.AsyncClient(
            headers={"User-Agent": agent, "Accept-Encoding": "gzip"},
            timeout=self._limits.request_seconds,
            proxy=network.proxy or None,
            verify=_authorities(network.ca_file) if transport is None else True,
            trust_env=False,  # the settings say how to get there
            transport=transport,
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first request."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def version(self) -> str:
        """The API version in use, "" before it is known."""
        return self._known.version

    @version.setter
    def version(self, version: str) -> None:
        self._known.version = version

    @property
    def server(self) -> ServerName:
        """The name under which its requests are counted."""
        return self._known.name

    @server.setter
    def server(self, name: ServerName) -> None:
        self._known.name = name

    @property
    def states(self) -> States:
        """The states that the server has, as far as they are known."""
        return self._known.states

    @states.setter
    def states(self, states: States) -> None:
        self._known.states = states

    def for_commands(self) -> Self:
        """Ask the same server for people, who share one place and wait no longer than one request may take."""
        client = copy(self)
        client.purpose = Purpose.COMMAND
        return client

    def within(self, budget: RecheckBudget) -> Self:
        """Ask the same server as far as a *budget* allows; beyond it, requests raise `OverBudget`."""
        client = copy(self)
        client.budget = budget
        return client

    async def json(self, path: str, params: Params = (), *, version: str | None = None) -> Page:
        """The answer of /api/VERSION/*path*; of the version in use where none is given.

        Raises:
            Temporary: the server, the network or a wall in front of it failed; the same request may work later.
            NotFound: there is no such object, as the server says itself.
            TooLarge: the answer is too large.
        """
        return await self._get(f"/api/{version or self.version}/{path}", params, _JSON)

    async def text(self, path: str) -> str:
        """A text/plain answer outside the API; raises as `json` does."""
        page = await self._get(path, (), "text/plain")
        return page.body.decode("utf-8", "replace")

    async def file(self, path: str) -> bytes:
        """Whatever is at *path*, of any type; raises as `json` does."""
        return (await self._get(path, (), None)).body

    async def page(self, path: str, params: Params) -> str:
        """A page for people, which may be a wall's; raises as `json` does."""
        return (await self._get(path, params, _PAGE_TYPE)).body.decode("utf-8", "replace")

    async def _get(self, path: str, params: Params, content_type: str | None) -> Page:
        is_asked, seconds = False, self._patience()
        try:
            async with self._turn(seconds):
                is_asked = True
                return await self._stream(path, params, content_type)
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
        """How long to wait for an answer, in seconds; people wait less for a server that just gave none."""
        if self.purpose is Purpose.COMMAND and self._turns.is_silent:
            return self._limits.silent_seconds
        return self._limits.request_seconds

    @asynccontextmanager
    async def _turn(self, seconds: float) -> AsyncIterator[None]:
        """A place among the server's requests; a command's *seconds* begin while it waits for one, a poll's with it."""
        if self.purpose is Purpose.COMMAND:
            async with asyncio.timeout(seconds), self._turns.taken(self.purpose):
                yield
        else:
            async with self._turns.taken(self.purpose), asyncio.timeout(seconds):
                yield

    async def _stream(self, path: str, params: Params, content_type: str | None) -> Page:
        if self.budget is not None:
            self.budget.spend()
        accept, url = {"Accept": content_type or "*/*"}, self.url + path
        # An empty list of parameters would take the query of *url* away.
        asked = httpx.URL(url, params=list(params)) if params else httpx.URL(url)
        with counted(self.server, path) as answered:
            async with self._http.stream("GET", asked, headers=accept) as response:
                answered.code = str(response.status_code)
                if len(self._http.cookies.jar) > _MAX_COOKIES:
                    self._http.cookies.clear()
                self._turns.is_silent = False
                answer = PatchworkResponse(response.status_code, response.headers)
                if answer.status == 200 and answer.content_type:
                    judge(answer, content_type)  # a large answer of another type is not read
                limit = min(self._limits.max_bytes, _MAX_PAGE_BYTES if content_type == _PAGE_TYPE else sys.maxsize)
                body = await (_body(response, limit) if answer.status == 200 else _error_body(response))
                judge(replace(answer, body=body), content_type)
                return page_with(body, {str(rel): link.get("url", "") for rel, link in response.links.items()})


async def _body(response: httpx.Response, limit: int) -> bytes:
    """The body, unpacked no further than the *limit*: a small answer can unfold into a huge one."""
    encoding = response.headers.get("content-encoding", "gzip").strip().lower()
    if encoding != "gzip":
        raise Temporary(f"answered in the encoding {encoding[:100]}")
    body = await body_of(response.aiter_raw(), limit, is_packed="content-encoding" in response.headers)
    if body is None:
        raise ResponseTooLarge(f"the answer is larger than {limit:,} bytes")
    return body


async def _error_body(response: httpx.Response) -> bytes:
    """The beginning of an answer that is an error, as far as it can be read."""
    body = bytearray()
    with suppress(httpx.HTTPError, httpx.StreamError, zlib.error):
        is_packed = "content-encoding" in response.headers
        async for step in unpacked(response.aiter_raw(), _MAX_ERROR_BYTES, is_packed=is_packed):
            body += step
            if len(body) >= _MAX_ERROR_BYTES:
                break
    return bytes(body)


def _authorities(ca_file: str) -> ssl.SSLContext:
    """Whom to believe: the authorities in *ca_file*, the system's where it is ""."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ConfigError("network.ca_file", f"cannot be used: {error.strerror or error}") from error


def judge(answer: PatchworkResponse, content_type: str | None) -> None:
    """Whether an answer is what was asked for; raises the error that it is where it is none.

    *content_type* None: any will do but a page for people. Only Patchwork's own 404 says that something is not there;
    whatever else may come from a wall or a proxy in front of it, and may go away.

    Raises:
        NotFound: Patchwork's own 404.
        Wall: a login page, a bot challenge, or a 401 or 403 that is not Patchwork's own word.
        Refused: redirects (the configured address is not the server's own) and other refusals.
        TooMany: 429.
        Temporary: 5xx, and answers of another type.
    """
    status, wait = answer.status, retry_after(answer.headers)
    if status == 429:
        wait = wait or TOO_MANY_WAIT
    if status == 404 and answer.is_own_refusal:
        raise NotFound(f"HTTP {status}")
    if status != 200 or content_type != _PAGE_TYPE:
        _judge_wall(answer, wait)
    match status:
        case 200:
            if content_type not in {None, answer.content_type}:
                raise Temporary(f"answered {_kind(answer)} where {content_type} was asked for")
        case 404 | 410:
            raise NoSuchPage(f"HTTP {status} ({_kind(answer)}), not from Patchwork itself", wait)
        case 429:
            raise TooMany(f"HTTP {status}", wait)
        case status if 300 <= status < 400:
            raise _redirect(answer.headers.get("location", "nowhere")[:200], wait)
        case status if status >= 500 or status in {408, 425}:
            raise Temporary(f"HTTP {status}", wait)
        case _:
            raise InvalidResponse(f"HTTP {status}", wait)


def _judge_wall(answer: PatchworkResponse, wait: timedelta | None) -> None:
    if _is_wall(answer):
        raise Wall(f"HTTP {answer.status} with a login page or a bot challenge ({_kind(answer)}); {_LET_IN}", wait)
    if answer.status in {401, 403} and not answer.is_own_refusal:
        raise Wall(f"HTTP {answer.status} ({_kind(answer)}), not from Patchwork itself; {_LET_IN}", wait)


def _is_wall(answer: PatchworkResponse) -> bool:
    """Whether something in front of the server wants a person to log in, or to prove to be one.

    Patchwork's own page for an unknown address has a link to its login, so that such a link says nothing there.
    """
    if any(name in answer.headers for name in _WALL_HEADERS):
        return True
    if not answer.is_page:
        return False
    if 200 <= answer.status < 300 or _WALL.search(answer.body):
        return True
    return answer.status not in {404, 410} and _LOGIN_LINK.search(answer.body) is not None


def _redirect(target: str, wait: timedelta | None) -> InvalidResponse:
    if _LOGIN.search(target):
        return Wall(f"redirects to {target[:60]}, a login page or a bot challenge; {_LET_IN}", wait)
    return InvalidResponse(f"redirects to {target}; configure that address", wait)


def _kind(answer: PatchworkResponse) -> str:
    return answer.content_type or "no type"


def retry_after(headers: httpx.Headers) -> timedelta | None:
    """What the Retry-After header asks for (RFC 9110 §10.2.3), six hours at most.

    It names seconds or a date; a date is compared with the answer's own Date header, never with our clock.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = int(value) if len(value) < 10 else _MAX_RETRY_AFTER.total_seconds()
        return min(timedelta(seconds=seconds), _MAX_RETRY_AFTER)
    moment, now = _moment(value), _moment(headers.get("date", ""))
    if moment is None or now is None:
        return None
    return min(max(moment - now, timedelta()), _MAX_RETRY_AFTER)


def _moment(date: str) -> datetime | None:
    """An HTTP date; without a zone it is UTC."""
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
