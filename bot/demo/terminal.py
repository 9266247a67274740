"""Renders messages in a terminal as a Matrix client would: the subset of HTML that cards use, with colours."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from textwrap import indent

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.style import Style
from rich.text import Text

from bot.notices.markup import safe
from bot.notices.notice import Message, NoticeKind, fallback

_STYLES = {
    "b": Style(bold=True),
    "strong": Style(bold=True),
    "i": Style(italic=True),
    "em": Style(italic=True),
    "u": Style(underline=True),
    "del": Style(strike=True),
    "code": Style(color="cyan"),
    "summary": Style(dim=True),
}
_BLOCKS = frozenset({"p", "ul", "ol", "li", "pre", "details", "summary", "blockquote"})
_LISTS = frozenset({"ul", "ol"})
_THREAD_COLUMNS = 4  # indentation of replies
_EDIT_LINES = 2  # the title and the state
_MAX_DEPTH = 20  # nesting of lists up to which they are indented
_BLANKS = re.compile(r"[ \t\r\n\f]+")


@dataclass(slots=True)
class _Open:
    """An open tag: its style, including that of all tags around it, and the number of items if it is a list."""

    tag: str
    style: Style
    items: int = 0


class _Reader(HTMLParser):
    """An HTML parser that collects styled text; it keeps the content of unknown tags, and ignores stray end tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = Text()
        self._open: list[_Open] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.text.append("\n")
            return
        if tag in _BLOCKS:
            self._new_line()
        if tag == "li":
            self._bullet()
        look = self._style + _style(tag, dict(attrs))
        if tag == "summary":
            self.text.append("▾ ", look)
        self._open.append(_Open(tag, look))

    def handle_endtag(self, tag: str) -> None:
        if any(opened.tag == tag for opened in self._open):
            while self._open.pop().tag != tag:
                pass
        if tag in _BLOCKS:
            self._new_line()

    def handle_data(self, data: str) -> None:
        is_pre = any(opened.tag == "pre" for opened in self._open)
        text = safe(data) if is_pre else _BLANKS.sub(" ", safe(data))
        if not is_pre and (not self.text or self.text.plain.endswith(("\n", " "))):
            text = text.removeprefix(" ")
        self.text.append(text, self._style)

    @property
    def _style(self) -> Style:
        return self._open[-1].style if self._open else Style.null()

    def _bullet(self) -> None:
        lists = [opened for opened in self._open if opened.tag in _LISTS]
        self.text.append("  " * min(max(len(lists), 1), _MAX_DEPTH))
        if lists and lists[-1].tag == "ol":
            lists[-1].items += 1
            self.text.append(f"{lists[-1].items}. ")
        else:
            self.text.append("• ")

    def _new_line(self) -> None:
        if self.text and not self.text.plain.endswith("\n"):
            self.text.append("\n")


def _style(tag: str, attributes: dict[str, str | None]) -> Style:
    url = safe(attributes.get("href") or "")
    if tag == "a" and url.startswith(("https://", "http://")):
        return Style(color="bright_blue", underline=True, link=url)
    return _STYLES.get(tag, Style.null())


def rendered(message: Message) -> Text:
    """Return a message as a client would show it."""
    reader = _Reader()
    try:
        reader.feed(message.html)
        reader.close()
    except AssertionError:  # raised by the parser on a malformed declaration
        return Text(safe(message.body))
    reader.text.rstrip()
    return reader.text


def plain(message: Message) -> str:
    """Return a message as plain text: replies in threads are indented, edits marked and not repeated as a whole."""
    if message.edits is not None:
        return f"edited: {fallback(message.body)}"
    return message.body if message.thread is None else f"  ↳ {indent(message.body, '    ').lstrip()}"


def show(console: Console, message: Message) -> None:
    """Print a message as it appears in the room, of an edit its first two lines, because earlier output stays."""
    is_card = message.tag.kind is NoticeKind.CARD
    title = Text(" patchbot ", style="bold green" if is_card else "bold")
    text = rendered(message)
    if message.edits is not None:
        title.append("· edited ", style="yellow")
        text = Text("\n").join(text.split("\n")[:_EDIT_LINES])
    panel = Panel(text, title=title, title_align="left", border_style="green" if is_card else "dim")
    console.print(panel if message.thread is None else Padding(panel, (0, 0, 0, _THREAD_COLUMNS)))
