"""Responses of a Patchwork server, and the errors that they represent, of Patchwork itself or of a wall before it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from bot.backoff import retry_after_in
from bot.errors import Permanent, Temporary
from bot.json_reader import read_json

TOO_MANY_WAIT = timedelta(minutes=1)  # after a 429 without a Retry-After header
JSON_TYPE = "application/json"
PAGE_TYPE = "text/html"
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


class NotFound(Permanent):
    """Patchwork's own 404: JSON with a "detail"."""


class ResponseTooLarge(Permanent):
    """A response that exceeds the size limit."""


class InvalidResponse(Temporary):
    """A response that is not Patchwork's answer to the request: a redirect, a refusal, or another kind of server."""


class NoSuchPage(InvalidResponse):
    """A 404 or 410 that is not about an object; Patchwork's own 404 for an unknown address looks like this."""


class Wall(InvalidResponse):
    """A login page or a bot challenge in front of the server."""


class TooMany(Temporary):
    """A 429: the server asks for fewer requests."""


@dataclass(frozen=True, slots=True)
class PatchworkResponse:
    """An HTTP response with its body as far as it was read; *headers* ignore the case of names."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def content_type(self) -> str:
        """The declared content type in lower case and without parameters; "" if there is none."""
        given: str = self.headers.get("content-type", "")
        return given.partition(";")[0].strip().lower()

    @property
    def is_page(self) -> bool:
        """True if it is an HTML page, by its content type or by its beginning."""
        return self.content_type in _HTML or _PAGE.match(self.body) is not None

    @property
    def is_own_refusal(self) -> bool:
        """True if it is Patchwork's own error message."""
        if self.content_type != JSON_TYPE:
            return False
        try:
            content = read_json(self.body)
        except ValueError:
            return False
        return isinstance(content, dict) and isinstance(content.get("detail"), str)


def judge(answer: PatchworkResponse, content_type: str | None) -> None:
    """Raise the error that a response represents; return if the response is of the requested type.

    A *content_type* of None accepts anything but an HTML page. Only Patchwork's own 404 proves that an object does not
    exist; anything else may come from a wall or a proxy in front of the server, and may go away.

    Raises:
        NotFound: Patchwork's own 404.
        NoSuchPage: any other 404, or a 410.
        Wall: a login page, a bot challenge, or a 401 or 403 that is not Patchwork's own.
        InvalidResponse: redirects (the configured address is not the server's own) and other refusals.
        TooMany: 429.
        Temporary: 5xx, and responses of another type.
    """
    if answer.status == 200 and content_type == answer.content_type and not _is_wall(answer):
        return  # as nearly always
    status, wait = answer.status, _wait(answer)
    if status == 404 and answer.is_own_refusal:
        raise NotFound(f"HTTP {status}")
    if status != 200 or content_type != PAGE_TYPE:
        _judge_wall(answer, wait)
    match status:
        case 200:
            if content_type not in {None, answer.content_type}:
                raise Temporary(f"answered {_kind(answer)} instead of {content_type}")
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


def _wait(answer: PatchworkResponse) -> timedelta | None:
    """Return the delay that the server asks for; None if it asks for none."""
    wait = retry_after_in(answer.headers)
    return wait or TOO_MANY_WAIT if answer.status == 429 else wait


def _judge_wall(answer: PatchworkResponse, wait: timedelta | None) -> None:
    if _is_wall(answer):
        raise Wall(f"HTTP {answer.status} with a login page or a bot challenge ({_kind(answer)}); {_LET_IN}", wait)
    if answer.status in {401, 403} and not answer.is_own_refusal:
        raise Wall(f"HTTP {answer.status} ({_kind(answer)}), not from Patchwork itself; {_LET_IN}", wait)


def _is_wall(answer: PatchworkResponse) -> bool:
    """Return whether something in front of the server asks for a login or for proof of being human.

    Patchwork's own page for an unknown address also has a login link, so on a 404 or 410 the link is ignored.
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


@dataclass(frozen=True, slots=True)
class Page:
    """The body of a response, and the links to other pages.

    *previous* and *last* are page numbers; None if the server has no link to the page. Servers before API 1.3 never
    link the last one.
    """

    body: bytes
    has_next: bool = False
    previous: int | None = None
    last: int | None = None


def page_with(body: bytes, links: Mapping[str, str]) -> Page:
    """Return the page with *body* and the *links* of its Link header by relation."""
    return Page(body, "next" in links, _page_number(links.get("prev")), _page_number(links.get("last")))


def _page_number(url: str | None) -> int | None:
    """Return the page number in a link, 1 if it has none; None if there is no link."""
    if url is None:
        return None
    try:
        number = parse_qs(urlsplit(url).query).get("page", ["1"])[-1]
    except ValueError:
        return None
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
