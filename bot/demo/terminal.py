"""A Matrix client's view of a message, in a terminal: the HTML subset that cards are written in, in colour."""

from html.parser import HTMLParser

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.style import Style
from rich.text import Text

from bot.notices.outbox import Message, NoticeKind

_STYLES = {
    "strong": Style(bold=True),
    "em": Style(italic=True),
    "code": Style(color="cyan"),
    "del": Style(strike=True),
    "summary": Style(dim=True),
}
_BREAKS = frozenset({"p", "ul", "ol", "pre", "details", "blockquote"})


class _Reader(HTMLParser):
    """Collects styled text; unknown tags are their content."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = Text()
        self._styles: list[tuple[str, Style]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.text.append("\n")
            return
        if tag in _BREAKS:
            self._new_line()
        if tag == "li":
            self._new_line()
            self.text.append("  • ")
        if tag == "summary":
            self._new_line()
            self.text.append("▾ ", _STYLES["summary"])
        self._styles.append((tag, _style(tag, dict(attrs))))

    def handle_endtag(self, tag: str) -> None:
        while self._styles:
            if self._styles.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        self.text.append(data, Style.combine(style for _, style in self._styles))

    def _new_line(self) -> None:
        if self.text.plain and not self.text.plain.endswith("\n"):
            self.text.append("\n")


def _style(tag: str, attributes: dict[str, str | None]) -> Style:
    if tag == "a" and (url := attributes.get("href")):
        return Style(color="bright_blue", underline=True, link=url)
    return _STYLES.get(tag, Style.null())


def rendered(message: Message) -> RenderableType:
    """The message as a client would show it."""
    reader = _Reader()
    reader.feed(message.html)
    reader.close()
    return reader.text


def show(console: Console, message: Message) -> None:
    """Print a message as it appears in the room."""
    is_card = message.tag.kind is NoticeKind.CARD
    title = Text(" patchbot ", style="bold green" if is_card else "bold")
    console.print(
        Panel(Group(rendered(message)), title=title, title_align="left", border_style="green" if is_card else "dim")
    )
