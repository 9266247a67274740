"""The pages of a list: what is on one, and which ones are said to be next to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Page:
    """An answer's bytes, and which pages the server says are next to it.

    *previous* and *last* are page numbers; None where the server names none, as one before API 1.3 does of the last.
    """

    body: bytes
    has_next: bool = False
    previous: int | None = None
    last: int | None = None


def page_with(body: bytes, links: Mapping[str, str]) -> Page:
    """Return the page with a *body* and the addresses in its Link header by what they are to it."""
    return Page(body, "next" in links, _page_number(links.get("prev")), _page_number(links.get("last")))


def _page_number(url: str | None) -> int | None:
    """The page that a link leads to, which is the first where the link names none; None for no such link."""
    if url is None:
        return None
    try:
        number = parse_qs(urlsplit(url).query).get("page", ["1"])[-1]
    except ValueError:
        return None
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
