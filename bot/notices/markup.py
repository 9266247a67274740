"""One document tree, written as plain text and as Matrix HTML; the only place where text is escaped.

Everything that came from outside goes through `safe` on its way into either form: valid Unicode, no control and no
bidirectional characters, `@room` broken by a word joiner. Links go only where `Allowed` says; another is shown as its
text. The tags are a subset of what Matrix clients must render (Matrix specification, "m.room.message msgtypes",
HTML subset).
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb]"
)
_ROOM_PING = re.compile("@(?=room)", re.IGNORECASE)
_WORD_JOINER = "\u2060"
MAX_BODY_BYTES = 4_096
MAX_HTML_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Words that stand out."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Something to be typed or compared, in a fixed width."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead somewhere; *spelled* unless plain text can do without the address."""

    text: str
    url: str
    spelled: bool = True


Inline = Text | Strong | Code | Link
Line = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Title:
    """The first line of a card: what it is about, linked, and a remark behind it."""

    text: str
    url: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines under each other."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Text in a fixed width, as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Details:
    """What a client folds away under its summary."""

    summary: str
    content: tuple["Lines | Bullets | Block", ...]


Piece = Title | Lines | Bullets | Block | Details
Document = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where links may lead: the addresses of the configured servers and archives, by their beginning."""

    prefixes: tuple[str, ...]

    def link(self, url: str) -> bool:
        """Whether *url* lies below one of the prefixes."""
        return any(url == prefix or url.startswith(prefix.rstrip("/") + "/") for prefix in self.prefixes)


def safe(text: str) -> str:
    """*text* fit for a room: valid Unicode, nothing unseen, and nobody pinged by it."""
    valid = text.encode("utf-8", "replace").decode("utf-8")
    return _ROOM_PING.sub("@" + _WORD_JOINER, _UNSEEN.sub("", valid.replace("\r", "")))


def cut(text: str, limit: int) -> str:
    """*text* with at most *limit* characters, an ellipsis where something is missing."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def words(*pieces: str | Inline) -> Line:
    """A line of plain words and other pieces."""
    return tuple(Text(piece) if isinstance(piece, str) else piece for piece in pieces)


def plain(document: Document) -> str:
    """The document as plain text, complete."""
    return "\n".join(line for piece in document for line in _plain_piece(piece))


def rich(document: Document, allowed: Allowed) -> str:
    """The document as Matrix HTML."""
    return "".join(_html_piece(piece, allowed) for piece in document)


def _plain_piece(piece: Piece) -> list[str]:
    match piece:
        case Title(text, url, remark):
            return [_with(safe(text), safe(remark)), safe(url)]
        case Lines(lines):
            return [_plain_line(line) for line in lines]
        case Bullets(items):
            return ["• " + _plain_line(item) for item in items]
        case Block(text):
            return safe(text).split("\n")
        case Details(summary, content):
            return [safe(summary), *(line for part in content for line in _plain_piece(part))]
        case _:
            assert_never(piece)


def _plain_line(line: Line) -> str:
    return "".join(_plain_inline(inline) for inline in line)


def _plain_inline(inline: Inline) -> str:
    match inline:
        case Link(text, url, spelled):
            return f"{_one_line(text)} <{_one_line(url)}>" if spelled else _one_line(text)
        case Text(text) | Strong(text) | Code(text):
            return _one_line(text)
        case _:
            assert_never(inline)


def _html_piece(piece: Piece, allowed: Allowed) -> str:
    match piece:
        case Title(text, url, remark):
            return f"<p>{_with(f'<strong>{_anchor(text, url, allowed)}</strong>', _escaped(remark))}</p>"
        case Lines(lines):
            return f"<p>{'<br>'.join(_html_line(line, allowed) for line in lines)}</p>" if lines else ""
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{_html_line(item, allowed)}</li>' for item in items)}</ul>" if items else ""
        case Block(text):
            return f"<pre><code>{html.escape(safe(text))}</code></pre>"
        case Details(summary, content):
            inner = "".join(_html_piece(part, allowed) for part in content)
            return f"<details><summary>{_escaped(summary)}</summary>{inner}</details>"
        case _:
            assert_never(piece)


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
        case Link(text, url):
            return _anchor(text, url, allowed)
        case _:
            assert_never(inline)


def _anchor(text: str, url: str, allowed: Allowed) -> str:
    if not allowed.link(url):
        return _escaped(text)
    return f'<a href="{html.escape(url)}">{_escaped(text)}</a>'


def _escaped(text: str) -> str:
    return html.escape(_one_line(text))


def _one_line(text: str) -> str:
    return " ".join(safe(text).split("\n"))


def _with(text: str, remark: str) -> str:
    return f"{text} · {remark}" if remark else text


def lines(items: Sequence[Line]) -> Lines:
    """Lines under each other, without the empty ones."""
    return Lines(tuple(item for item in items if item))


@dataclass(frozen=True, slots=True)
class _Room:
    """How much of a long list, and of a long text, is shown."""

    items: int
    characters: int


_ROOMS = (_Room(30, 200), _Room(20, 200), _Room(12, 160), _Room(6, 120), _Room(2, 120))


def written(document: Document, allowed: Allowed) -> tuple[str, str]:
    """The document as plain text and as HTML, each within its size: lists and texts are cut, never broken."""
    for room in _ROOMS:
        trimmed = tuple(_trimmed(piece, room) for piece in document)
        body, html_text = plain(trimmed), rich(trimmed, allowed)
        if len(body.encode()) <= MAX_BODY_BYTES and len(html_text.encode()) <= MAX_HTML_BYTES:
            break
    return body, html_text


def _trimmed(piece: Piece, room: _Room) -> Piece:
    match piece:
        case Title(text, _, remark):
            return replace(piece, text=cut(text, room.characters), remark=cut(remark, room.characters))
        case Lines(all_lines):
            return Lines(tuple(_trimmed_line(line, room) for line in all_lines))
        case Bullets(items):
            rest = len(items) - room.items
            more = (words(f"… and {rest} more"),) if rest > 0 else ()
            return Bullets((*(_trimmed_line(item, room) for item in items[: room.items]), *more))
        case Block(text):
            return Block(cut(text, room.characters * 15))
        case Details(summary, content):
            return Details(summary, tuple(_trimmed_inside(part, room) for part in content))
        case _:
            assert_never(piece)


def _trimmed_inside(piece: Lines | Bullets | Block, room: _Room) -> Lines | Bullets | Block:
    trimmed = _trimmed(piece, room)
    assert isinstance(trimmed, Lines | Bullets | Block)  # noqa: S101  # trimming keeps the kind
    return trimmed


def _trimmed_line(line: Line, room: _Room) -> Line:
    return tuple(replace(inline, text=cut(inline.text, room.characters)) for inline in line)
