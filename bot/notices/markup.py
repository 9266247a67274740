"""One document tree, written as plain text and as Matrix HTML; the only place that escapes text.

All external text passes through `safe` in both forms: valid Unicode, no invisible characters, no pings. Links must
start with an `Allowed` prefix; others become text. The tags are a subset of those that Matrix clients must render
(Matrix specification, "m.room.message msgtypes", HTML subset).
"""

import html
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never
from urllib.parse import quote

from bot.notices.event_link import EventLink
from bot.text import cut, encodable, visible, with_few_marks, with_newlines

MAX_BODY_BYTES = 4_096
MAX_HTML_BYTES = 8_192
_WORD_JOINER = "\u2060"
_ROOM_PING = re.compile("@(?=room)", re.IGNORECASE)
_MATRIX_LINK = re.compile(r"(?<=matrix)(?:\.(?=to/)|:(?=(?:u|r|roomid|e)/))", re.IGNORECASE)
_ADDRESS_CHARACTERS = "!#$%&()*+,/:;=?@[]~'"  # what stays as it is in an address (RFC 3986)
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """Plain words."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Monospaced inline text, such as a command or an id."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Bold words, such as the heading of a list."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A linked text; *spelled* adds the address in plain text."""

    text: str
    url: str
    spelled: bool = True


Inline = Text | Strong | Code | Link | EventLink
Line = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Title:
    """The first line of a card: a linked name, and a remark after it."""

    text: str
    url: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The lines of a card: a linked *name* after a *sign* and before a *remark*, and the *lines* below it.

    In plain text the address comes last, so that the first two lines say what matters most; on a line of its own
    unless the whole *is_short*. The name is struck out if it *is_over*.
    """

    sign: str
    name: str
    url: str
    remark: Line = ()
    lines: tuple[Line, ...] = ()
    is_over: bool = False
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """A block of lines; somebody else's words if it *is_quoted*."""

    lines: tuple[Line, ...]
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A bulleted list, or a list of steps if it is *numbered*."""

    items: tuple[Line, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A monospaced block of preformatted text."""

    text: str


@dataclass(frozen=True, slots=True)
class Details:
    """A block that clients fold under its summary; plain text has only *in_plain* of it, all of it if that is None."""

    summary: str
    content: tuple["Piece", ...]
    in_plain: tuple["Piece", ...] | None = None


Piece = Title | Head | Lines | Bullets | Block | Details
Document = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """The allowed prefixes of links; each ends at a point where anything may follow."""

    prefixes: tuple[str, ...]

    def link(self, url: str) -> bool:
        """Return whether *url* starts with one of the prefixes and does not leave it by ".." segments."""
        if not url.isprintable() or " " in url or "\\" in url:
            return False
        if any(_DOTS.fullmatch(part) for part in re.split("[?#]", url, maxsplit=1)[0].split("/")):
            return False
        return any(url.startswith(_ended(prefix)) for prefix in self.prefixes)


def _ended(prefix: str) -> str:
    """Return *prefix* with a slash after the host, so that it cannot be the beginning of another host."""
    return prefix if prefix.count("/") > 2 else prefix + "/"


def safe(text: str) -> str:
    """Return *text* fit for a room: valid Unicode, normalized line ends, no invisible characters, and no pings."""
    shown = with_few_marks(visible(with_newlines(encodable(text))))
    return _MATRIX_LINK.sub(rf"\g<0>{_WORD_JOINER}", _ROOM_PING.sub("@" + _WORD_JOINER, shown))


def words(*pieces: str | Inline) -> Line:
    """Return a line of plain words and other pieces."""
    return tuple(Text(piece) if isinstance(piece, str) else piece for piece in pieces)


def lines(items: Sequence[Line]) -> Lines:
    """Return a block of lines, without the empty ones."""
    return Lines(tuple(item for item in items if item))


def plain(document: Document, allowed: Allowed) -> str:
    """Return the complete document as plain text."""
    return "\n".join(line for piece in document for line in _plain_piece(piece, allowed))


def rich(document: Document, allowed: Allowed) -> str:
    """Return the document as Matrix HTML.

    The lines under a title share its paragraph: clients leave less space between two messages than between two
    paragraphs, so a title in its own paragraph would seem to belong to the card above.
    """
    match document:
        case (Title() as title, Lines(lines), *rest) if lines:
            first = f"<p>{_html_title(title, allowed)}<br>{_html_lines(lines, allowed)}</p>"
        case _:
            first, rest = "", list(document)
    return first + "".join(_html_piece(piece, allowed) for piece in rest)


def _plain_piece(piece: Piece, allowed: Allowed) -> list[str]:  # a case for each kind of piece
    match piece:
        case Title(text, url, remark):
            first = _with(_one_line(text), _one_line(remark))
            return [first, _address(url)] if allowed.link(url) else [first]
        case Head():
            return _plain_head(piece, allowed)
        case Lines(lines):
            return [f"{'> ' if piece.is_quoted else ''}{_plain_line(line, allowed)}" for line in lines]
        case Bullets(items, numbered):
            marks = (f"{number}. " if numbered else "• " for number in range(1, len(items) + 1))
            return [mark + _plain_line(item, allowed) for mark, item in zip(marks, items, strict=True)]
        case Block(text):
            return safe(text).split("\n")
        case Details(summary, content, in_plain):
            heading = [_one_line(summary)] if in_plain is None else []
            shown = content if in_plain is None else in_plain
            return [*heading, *(line for part in shown for line in _plain_piece(part, allowed))]
        case _:
            assert_never(piece)


def _plain_head(head: Head, allowed: Allowed) -> list[str]:
    first = f"{_one_line(head.sign)} {_one_line(head.name)}{_plain_line(head.remark, allowed)}".strip()
    told = [first, *(_plain_line(line, allowed) for line in head.lines)]
    if not allowed.link(head.url):
        return told
    address = _address(head.url)
    return [*told[:-1], f"{told[-1]} <{address}>"] if head.is_short else [*told, address]


def _plain_line(line: Line, allowed: Allowed) -> str:
    return "".join(_plain_inline(inline, allowed) for inline in line)


def _plain_inline(inline: Inline, allowed: Allowed) -> str:
    match inline:
        case Link(text, url, spelled):
            return f"{_one_line(text)} <{_address(url)}>" if spelled and allowed.link(url) else _one_line(text)
        case EventLink(text, spelled=spelled):
            return f"{_one_line(text)} <{inline.url}>" if spelled else _one_line(text)
        case Text(text) | Strong(text) | Code(text):
            return _one_line(text)
        case _:
            assert_never(inline)


def _html_piece(piece: Piece, allowed: Allowed) -> str:  # a case for each kind of piece
    match piece:
        case Title():
            return f"<p>{_html_title(piece, allowed)}</p>"
        case Head():
            told = "".join(f"<br>{_html_line(line, allowed)}" for line in piece.lines)
            return f"<p>{_html_head(piece, allowed)}{told}</p>"
        case Lines(lines):
            tag = "blockquote" if piece.is_quoted else "p"
            return f"<{tag}>{_html_lines(lines, allowed)}</{tag}>" if lines else ""
        case Bullets(items, numbered):
            tag, rows = "ol" if numbered else "ul", "".join(f"<li>{_html_line(item, allowed)}</li>" for item in items)
            return f"<{tag}>{rows}</{tag}>" if items else ""
        case Block(text):
            return f"<pre><code>{html.escape(safe(text))}</code></pre>"
        case Details(summary, content):
            # Of links in a quotation, Element asks its homeserver for no previews: a page of Patchwork each.
            inner = "".join(_html_piece(part, allowed) for part in content)
            return f"<details><summary>{_escaped(summary)}</summary><blockquote>{inner}</blockquote></details>"
        case _:
            assert_never(piece)


def _html_title(title: Title, allowed: Allowed) -> str:
    return _with(f"<strong>{_anchor(title.text, title.url, allowed)}</strong>", _escaped(title.remark))


def _html_head(head: Head, allowed: Allowed) -> str:
    tag = "del" if head.is_over else "strong"
    name = f"<{tag}>{_anchor(head.name, head.url, allowed)}</{tag}>"
    return f"{_escaped(head.sign)} {name}{_html_line(head.remark, allowed)}".strip()


def _html_lines(lines: Sequence[Line], allowed: Allowed) -> str:
    return "<br>".join(_html_line(line, allowed) for line in lines)


def _html_line(line: Line, allowed: Allowed) -> str:
    return "".join(_html_inline(inline, allowed) for inline in line)


def _html_inline(inline: Inline, allowed: Allowed) -> str:
    match inline:
        case Text(text):
            return _escaped(text)
        case Strong(text):
            return f"<strong>{_escaped(text)}</strong>"
        case Code(text):
            return f"<code>{_escaped(text)}</code>"
        case EventLink(text):
            return f'<a href="{html.escape(inline.url)}">{_escaped(text)}</a>'
        case Link(text, url):
            return _anchor(text, url, allowed)
        case _:
            assert_never(inline)


def _anchor(text: str, url: str, allowed: Allowed) -> str:
    if not allowed.link(url):
        return _escaped(text)
    return f'<a href="{html.escape(_address(url))}">{_escaped(text)}</a>'


def _address(url: str) -> str:
    """Return *url* percent-encoded, including the "@" of "@room", since a word joiner would change the address."""
    return _ROOM_PING.sub("%40", quote(url, safe=_ADDRESS_CHARACTERS, errors="replace"))


def _escaped(text: str) -> str:
    return html.escape(_one_line(text))


def _one_line(text: str) -> str:
    return " ".join(line for line in safe(text).split("\n") if line)


def _with(text: str, remark: str) -> str:
    return f"{text} · {remark}" if remark else text


@dataclass(frozen=True, slots=True)
class _Budget:
    """The limits of a rendering: items of a list, characters of a text, characters of a linked address."""

    items: int
    characters: int
    address: int = 400


_BUDGETS = (
    _Budget(30, 1_000, 1_000),
    *(_Budget(items, 200) for items in (30, 27, 24, 21, 18, 15, 12, 10, 8, 6, 4, 2, 1)),
    _Budget(0, 60),
)
_ESSENCE = _Budget(0, 120)


def written(document: Document, allowed: Allowed) -> tuple[str, str]:
    """Return the document as plain text and as HTML, each within its size limit; lists and texts are cut."""
    for budget in _BUDGETS:
        forms = _rendered(_within(document, budget), allowed)
        if _fit(*forms):
            return forms
    return _rendered(_essence(document, allowed), allowed)


def longest(build: Callable[[int], Document], most: int, allowed: Allowed) -> Document:
    """Return the document of *build* for the largest number up to *most* that fits uncut; for 0 if none does."""
    return build(fitting(build, most, allowed))


def fitting(build: Callable[[int], Document], most: int, allowed: Allowed) -> int:
    """Return the largest number up to *most* for which the document of *build* fits uncut; 0 if none does."""
    fits = range(1, most + 1)
    return bisect_left(fits, 1, key=lambda count: not is_whole(build(count), allowed))


def is_whole(document: Document, allowed: Allowed) -> bool:
    """Return whether both forms of *document* fit uncut."""
    return _fit(*_rendered(_within(document, _BUDGETS[0]), allowed))


def _fit(body: str, html_text: str) -> bool:
    return len(body.encode()) <= MAX_BODY_BYTES and len(html_text.encode()) <= MAX_HTML_BYTES


def _within(document: Document, budget: _Budget) -> Document:
    return tuple(_trimmed(piece, budget) for piece in document)


def _rendered(document: Document, allowed: Allowed) -> tuple[str, str]:
    return plain(document, allowed), rich(document, allowed)


def _essence(document: Document, allowed: Allowed) -> Document:
    """Return the first piece alone, which always fits.

    A character has at most 4 bytes as text and 6 as HTML (`&quot;`), one of an address 1 and 6; so a title of twice 120
    characters and an address of 400 has less than 1,500 and 4,000 bytes, and 400 characters of anything else have less.
    """
    first = document[0]
    if isinstance(first, Title):
        return (_trimmed(first, _ESSENCE),)
    if isinstance(first, Head):
        return (_trimmed(replace(first, lines=(), remark=()), _ESSENCE),)
    return (Lines((words(cut(" ".join(_plain_piece(first, allowed)), 400)),)),)


def _trimmed(piece: Piece, budget: _Budget) -> Piece:  # a case for each kind of piece
    match piece:
        case Title(text, url, remark):
            return Title(cut(text, budget.characters), _short(url, budget), cut(remark, budget.characters))
        case Head(sign, name, url):
            return replace(
                piece,
                sign=cut(sign, budget.characters),
                name=cut(name, budget.characters),
                url=_short(url, budget),
                remark=_trimmed_line(piece.remark, budget),
                lines=tuple(_trimmed_line(line, budget) for line in piece.lines),
            )
        case Lines(all_lines):
            return replace(piece, lines=tuple(_trimmed_line(line, budget) for line in all_lines))
        case Bullets(items, numbered):
            rest = len(items) - budget.items
            more = (words(f"… and {rest} more"),) if rest > 0 else ()
            return Bullets((*(_trimmed_line(item, budget) for item in items[: budget.items]), *more), numbered)
        case Block(text):
            return Block(cut(text, budget.characters * 15))
        case Details(summary, content, in_plain):
            inside = tuple(_trimmed(part, budget) for part in content)
            in_plain = None if in_plain is None else tuple(_trimmed(part, budget) for part in in_plain)
            return Details(cut(summary, budget.characters), inside, in_plain)
        case _:
            assert_never(piece)


def _trimmed_line(line: Line, budget: _Budget) -> Line:
    return tuple(_trimmed_inline(inline, budget) for inline in line)


def _trimmed_inline(inline: Inline, budget: _Budget) -> Inline:
    if isinstance(inline, Link):
        return replace(inline, text=cut(inline.text, budget.characters), url=_short(inline.url, budget))
    return replace(inline, text=cut(inline.text, budget.characters))


def _short(url: str, budget: _Budget) -> str:
    """Return *url*, or "" if it is too long for a link."""
    return url if len(_address(url)) <= budget.address else ""
