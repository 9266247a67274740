"""The only place that speaks HTTP to a Patchwork server.

One client per server, two requests at a time, 30 s each, sizes capped while the answer streams. What comes back is
bytes of the asked type or a typed error; nothing is retried here, the poller owns that.
"""

import asyncio
import email.utils
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import httpx

from bot import __version__
from bot.errors import Permanent, Temporary

REQUEST_SECONDS = 30
MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_MBOX_BYTES = 16 * 1024 * 1024
_AT_ONCE = 2
_MAX_RETRY_AFTER = timedelta(hours=6)

Params = Sequence[tuple[str, str]]


class NotFound(Permanent):
    """The server has no such thing, or no longer."""


class Refused(Permanent):
    """The server will not give it: private, or another kind of server."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer's bytes, and whether the server says that more follow."""

    body: bytes
    has_next: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """How this machine reaches others; "" = directly, and the system's own authorities."""

    proxy: str = ""
    ca_file: str = ""


class PatchworkClient:
    """Asks one Patchwork server."""

    def __init__(
        self,
        url: str,
        contact: str,
        network: Network | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        network = network or Network()
        self.url = url.rstrip("/")
        self.version = ""  # "1.3" once it is known
        self.requests = 0
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._http = httpx.AsyncClient(
            headers={"User-Agent": user_agent(contact), "Accept": "application/json"},
            timeout=REQUEST_SECONDS,
            proxy=network.proxy or None,
            verify=httpx.create_ssl_context(network.ca_file or True),
            transport=transport,
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first request."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def json(self, path: str, params: Params = ()) -> Page:
        """The answer of /api/VERSION/*path*.

        Raises:
            Temporary: the server, the network or a wall in front of it failed; the same request may work later.
            NotFound: there is no such object.
            Permanent: this server will not answer it.
        """
        return await self._get(f"/api/{self.version}/{path}", params, "application/json", MAX_JSON_BYTES)

    async def text(self, path: str) -> str:
        """A text/plain answer outside the API; raises as `json` does."""
        page = await self._get(path, (), "text/plain", MAX_MBOX_BYTES)
        return page.body.decode("utf-8", "replace")

    async def _get(self, path: str, params: Params, content_type: str, max_bytes: int) -> Page:
        self.requests += 1
        try:
            async with self._slots, asyncio.timeout(REQUEST_SECONDS):
                return await self._stream(self.url + path, params, content_type, max_bytes)
        except TimeoutError as error:
            raise Temporary(f"no answer within {REQUEST_SECONDS} s") from error
        except httpx.HTTPError as error:
            raise Temporary(str(error) or type(error).__name__) from error
        except httpx.InvalidURL as error:
            raise Permanent(str(error)) from error

    async def _stream(self, url: str, params: Params, content_type: str, max_bytes: int) -> Page:
        accept = {"Accept": content_type}
        async with self._http.stream("GET", url, params=list(params), headers=accept) as response:
            judge(response.status_code, response.headers, content_type)
            body = bytearray()
            async for chunk in response.aiter_bytes(65_536):
                body += chunk
                if len(body) > max_bytes:
                    raise Permanent(f"the answer is larger than {max_bytes // 1024 // 1024} MiB")
            return Page(bytes(body), has_next="next" in response.links)


def judge(status: int, headers: httpx.Headers, content_type: str) -> None:
    """Whether an answer is what was asked for; raises the error that it is where it is none.

    HTML with status 200 is a login page or a bot wall in front of Patchwork; it may go away.

    Raises:
        Temporary: 429, 5xx, and answers of another type.
        NotFound: 404 and 410.
        Permanent: redirects (the configured address is not the server's own) and other 4xx.
    """
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    match status:
        case 200:
            if given != content_type:
                raise Temporary(f"answered {given or 'no type'} where {content_type} was asked for")
        case 404 | 410:
            raise NotFound(f"HTTP {status}")
        case 429 | 408 | 425:
            raise Temporary(f"HTTP {status}", retry_after(headers))
        case status if status >= 500:
            raise Temporary(f"HTTP {status}", retry_after(headers))
        case status if 300 <= status < 400:
            raise Refused(f"redirects to {headers.get('location', 'nowhere')[:200]}; configure that address")
        case _:
            raise Refused(f"HTTP {status}")


def retry_after(headers: httpx.Headers, now: datetime | None = None) -> timedelta | None:
    """What the Retry-After header asks for (RFC 9110 §10.2.3: seconds or a date), six hours at most."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), _MAX_RETRY_AFTER)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    wait = moment - (now or _date(headers) or moment)
    return min(max(wait, timedelta()), _MAX_RETRY_AFTER)


def user_agent(contact: str) -> str:
    """Who is asking, and whom to write to; kernel.org's wall asks for both."""
    printable = "".join(char for char in contact if " " < char < "\x7f")
    return f"patchwork-matrix-bot/{__version__} ({printable or 'no contact configured'})"


def _date(headers: httpx.Headers) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None
