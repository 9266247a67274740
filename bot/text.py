"""Makes text from outside harmless, and short enough: the one place that replaces or removes characters. Pure.

What comes in is made `storable` and, where it is to be a line, `one_line`; what goes out is made fit for its reader:
`visible` for rooms and pages, `sendable` for a homeserver, `printable` for terminals and logs.
"""

import re
import unicodedata
from typing import Final

MAX_LINE: Final = 1_000
DASHES: Final = "-‐‑‒–—―−﹘﹣－⁃˗➖⸺⸻"  # what phones and word processors type for a minus sign
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNSENT = re.compile("[\x00-\x08\x0b-\x1f\x7f]")  # tabs and newlines may be sent
_BREAKS = re.compile("\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # controls
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # directions
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"  # blanks
    "\ufdd0-\ufdef\ufff0-\ufffc\ufffe\uffff"  # no characters, and notes between lines
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "\U000e0000-\U000e0fff]"  # tags
)


MAX_MARKS = 4  # on one letter; no script in use needs more, and towers of them cover the lines above
_JOINER = "\u200d"  # what binds several emoji into one
_COLUMNS = {"W": 2, "F": 2}  # of a terminal's, by East Asian width


def encodable(text: str) -> str:
    """Return *text* with "?" for each lone surrogate, which JSON can spell and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def storable(text: str) -> str:
    """Return *text* as a database and a homeserver take it: no lone surrogates, U+FFFD for each NUL."""
    return encodable(text).replace("\x00", "\ufffd")


def one_line(text: str, limit: int = MAX_LINE) -> str:
    """Return *text* as one storable line without control characters, *limit* characters at most."""
    return storable(_CONTROLS.sub(" ", text[: limit * 4])).strip()[:limit]


def with_newlines(text: str) -> str:
    """Return *text* with each of its lines ended by a newline, whatever ended it before."""
    return _BREAKS.sub("\n", text)


def visible(text: str) -> str:
    """Return *text* without characters that nobody sees: controls but line breaks and tabs, directions, blanks."""
    return _INVISIBLE.sub("", text)


def spelled_out(text: str) -> str:
    """Return *text* with each character that nobody sees, or that ends a line, as its number: "⟨U+202E⟩"; tabs stay."""
    return "".join(char if _is_seen(char) else f"⟨U+{ord(char):04X}⟩" for char in text)


def _is_seen(char: str) -> bool:
    return char == "\t" or (char.isprintable() and not _INVISIBLE.match(char))


def sendable(text: str) -> str:
    """Return *text* as JSON and every homeserver hold it: no lone surrogates, no controls but tabs and newlines."""
    return _UNSENT.sub("", encodable(text))


def printable(text: str, replacement: str = "\ufffd") -> str:
    """Return *text* with a *replacement* for each character that ends a line, commands a terminal, or is invisible."""
    return "".join(char if char.isprintable() else replacement for char in text)


def with_few_marks(text: str) -> str:
    """Return *text* with at most `MAX_MARKS` combining marks per letter."""
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if _is_mark(char) else 0
        if marks <= MAX_MARKS:
            kept.append(char)
    return "".join(kept)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in {"Mn", "Me"}


def cut(text: str, limit: int) -> str:
    """Return *text* with at most *limit* characters (1 or more), with an ellipsis if it was cut.

    A letter keeps its marks, and an emoji made of several is kept whole or dropped.
    """
    if len(text) <= limit:
        return text
    end = limit - 1
    while end and (_is_mark(text[end]) or _JOINER in text[end - 1 : end + 1]):
        end -= 1
    return text[:end].rstrip() + "…"


def columns(text: str) -> int:
    """Return about how wide *text* is, in letters: wide characters count twice, marks and joiners not at all."""
    return sum(_COLUMNS.get(unicodedata.east_asian_width(char), 1) for char in text if not _has_no_width(char))


def _has_no_width(char: str) -> bool:
    return unicodedata.category(char) in {"Mn", "Me", "Cf"}


def cut_to_columns(text: str, limit: int) -> str:
    """Return *text* no wider than *limit* columns (2 or more), with an ellipsis if it was cut."""
    if columns(text) <= limit:
        return text
    width = count = 0
    for char in text:
        width += columns(char)
        if width > limit - 1:
            break
        count += 1
    return cut(text, count + 1)
