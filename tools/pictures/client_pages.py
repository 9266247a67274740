"""Draws rooms as Matrix clients show them, as HTML pages.

Element Web itself is in no package registry, so its look is rebuilt: the same HTML elements and attributes are let
through as there, and element.css has its measures. The two other clients are no particular ones: one shows HTML but
folds nothing, as clients do whose text is drawn by Qt, the other shows plain text in a terminal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path

from bot.delivery.chat import PostedMessage
from bot.matrix.content import event_content
from sample_rooms import Entry

_ELEMENTS = frozenset({"b", "strong", "i", "em", "u", "del", "a", "code", "pre", "br", "p", "ul", "ol", "li", "span"})
_ELEMENTS |= {"blockquote", "details", "summary"}
_FOLDS = frozenset({"details", "summary"})
_BOT = "patchbot"


class _Sanitizer(HTMLParser):
    """Collects the HTML that a client shows; *dropped* elements leave their content."""

    def __init__(self, dropped: frozenset[str], *, is_open: bool) -> None:
        super().__init__(convert_charrefs=False)
        self.html: list[str] = []
        self._dropped, self._is_open = dropped, is_open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _ELEMENTS or tag in self._dropped:
            return
        url = dict(attrs).get("href")
        link = f' href="{escape(url)}"' if tag == "a" and url else ""
        self.html.append(f"<{tag}{link}{' open' if tag == 'details' and self._is_open else ''}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in _ELEMENTS - self._dropped:
            self.html.append(f"</{tag}>")
        elif tag == "summary":
            self.html.append("<br>")

    def handle_data(self, data: str) -> None:
        self.html.append(data)

    def handle_entityref(self, name: str) -> None:
        self.html.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.html.append(f"&#{name};")


@dataclass(frozen=True, slots=True)
class Look:
    """A graphical client: its style sheet, whether it folds, and which message has been unfolded."""

    style: str
    folds: bool = True
    unfolded: str = ""


def room_page(entries: Sequence[Entry], look: Look, title: str = "") -> str:
    """Return the page of a room, or of a thread, with its *title* above it."""
    groups = [(sender, list(group)) for sender, group in groupby(entries, lambda entry: entry.sender)]
    head = f'<header><div class="avatar room">{escape(title[0])}</div>{escape(title)}</header>' if title else ""
    return _page(look.style, head + "".join(_group(sender, group, look) for sender, group in groups))


def terminal_page(posted: Iterable[PostedMessage]) -> str:
    """Return the page of a terminal client that knows no HTML and no edits: each event's plain body, as it came."""
    return _page("terminal.css", "".join(_row(post) for post in posted))


def _row(post: PostedMessage) -> str:
    body = escape(str(event_content(post.message)["body"]))
    return f'<div class="row"><time>{post.at:%H:%M}</time><b>{_BOT}</b><div class="text">{body}</div></div>'


def _group(sender: str, entries: Sequence[Entry], look: Look) -> str:
    name = sender.removeprefix("@").partition(":")[0] or _BOT
    kind = "person" if sender else "bot"
    head = f'<div class="avatar {kind}">{escape(name[0].upper())}</div>'
    head += f'<div class="name {kind}">{escape(name)}<time>{entries[0].at:%H:%M}</time></div>'
    return f'<div class="group">{head}{"".join(_message(entry, look) for entry in entries)}</div>'


def _message(entry: Entry, look: Look) -> str:
    edited = '<span class="edited">(edited)</span>' if entry.is_edited else ""
    kind = "body" if entry.is_loud else "body notice"
    text = f'<div class="line"><div class="{kind}">{_content(entry, look)}</div>{edited}</div>'
    text += "".join(f'<div class="reaction">{escape(each)} 1</div>' for each in entry.reactions)
    return text + (_thread(entry.replies) if entry.replies else "")


def _content(entry: Entry, look: Look) -> str:
    is_open = bool(look.unfolded) and look.unfolded in entry.body
    reader = _Sanitizer(frozenset() if look.folds else _FOLDS, is_open=is_open)
    reader.feed(entry.html or escape(entry.body).replace("\n", "<br>"))
    reader.close()
    return "".join(reader.html)


def _thread(replies: Sequence[Entry]) -> str:
    count = f"{len(replies)} {'reply' if len(replies) == 1 else 'replies'}"
    last = escape(replies[-1].body.split("\n")[0])
    avatar = '<div class="avatar bot">P</div>'
    return f'<div class="thread"><b>{count}</b>{avatar}<span>{last}</span></div>'


def _page(style: str, content: str) -> str:
    css = (Path(__file__).parent / style).read_text()
    return f'<!DOCTYPE html><meta charset="utf-8"><style>{css}</style><main>{content}</main>'
