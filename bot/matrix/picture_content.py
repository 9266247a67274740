"""The content of events with a picture. Pure.

Shapes: Matrix specification v1.18, "m.image" (with a caption: a body beside a file name) and "Sending encrypted
attachments".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bot.matrix.content import event_content, size
from bot.matrix.model import Content
from bot.notices.markup import Allowed, Lines, words, written
from bot.notices.notice import Message

FILE_NAME: Final = "chart.png"
_NOT_POSTED: Final = written(
    (Lines((words("There is no picture this time; the operator finds the reason in the log."),)),), Allowed(())
)


@dataclass(frozen=True, slots=True)
class UploadedPicture:
    """A PNG at the homeserver, its size in pixels and in bytes; *keys* decrypt it, None if it is not encrypted."""

    uri: str
    width: int
    height: int
    bytes: int
    keys: Mapping[str, object] | None


def picture_content(message: Message, picture: UploadedPicture, limit: int) -> Content:
    """Return the content of the event for *message* with its picture: the text is the description and the caption."""
    where: dict[str, object] = (
        {"url": picture.uri} if picture.keys is None else {"file": {**picture.keys, "url": picture.uri}}
    )
    about = {"w": picture.width, "h": picture.height, "mimetype": "image/png", "size": picture.bytes}
    image = {"msgtype": "m.image", "filename": FILE_NAME, "info": about, **where}
    return {**event_content(message, limit - size(image)), **image}


def without_picture(message: Message) -> Message:
    """Return *message* as text alone, which says that the picture is missing."""
    body, html = _NOT_POSTED
    return Message(
        f"{message.body}\n{body}",
        f"{message.html}{html}",
        message.tag,
        message.rings,
        message.thread,
        message.replies_to,
    )


def png_size(picture: bytes) -> tuple[int, int]:
    """Return the width and height in the header of a PNG (PNG specification, "IHDR").

    Raises:
        ValueError: it is no PNG.
    """
    if picture[:8] != b"\x89PNG\r\n\x1a\n" or picture[12:16] != b"IHDR":
        raise ValueError("it is no PNG")
    return int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])
