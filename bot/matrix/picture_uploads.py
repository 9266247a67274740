"""Draws the charts of messages and uploads them, just before the messages are sent.

A notice holds the figures, not the picture: it is drawn when the notice is sent, and a crash before the message has
arrived only makes it drawn and uploaded again. That leaves a file that no event refers to; the event itself cannot be
repeated, whatever picture it has, because its transaction id and key are those of the notice. An upload is remembered,
so that a message that is tried again needs no other.

A picture is worth one more attempt, not the message: after the second failure, or a refusal, the text is sent alone.
What the homeserver says about the pace of uploads says nothing about that of messages, so it does not slow them down.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from nio.crypto.attachments import encrypt_attachment

from bot.errors import Permanent, Temporary
from bot.ids import NoticeKey
from bot.matrix import requests, wire
from bot.matrix.model import Content
from bot.matrix.picture_content import FILE_NAME, UploadedPicture, png_size
from bot.matrix.requests import MatrixRequest
from bot.notices.chart import Chart
from bot.notices.notice import Message
from bot.pictures.drawing import ChartDrawer, NotDrawn

MAX_ATTEMPTS: Final = 2
_REMEMBERED: Final = 32  # uploads, and failures
_log = structlog.get_logger(__name__)


class PictureUploads:
    """The pictures of messages; *ask* sends a request as the bot's device."""

    def __init__(self, ask: Callable[[MatrixRequest], Awaitable[Content]], drawer: ChartDrawer | None = None) -> None:
        self._ask = ask
        self._drawer = drawer or ChartDrawer()
        self._uploaded: OrderedDict[tuple[NoticeKey, bool], UploadedPicture] = OrderedDict()
        self._failures = Counter[NoticeKey]()

    async def of(self, message: Message, *, encrypted: bool) -> UploadedPicture | None:
        """Return the picture of a message; None if it has none, or is to be sent without it.

        Raises:
            Temporary: the upload failed, and is worth another attempt.
            LoggedOut: the device no longer belongs to the account.
        """
        if message.chart is None:
            return None
        key = message.tag.key
        if (known := self._uploaded.get((key, encrypted))) is not None:
            return known
        if self._failures[key] >= MAX_ATTEMPTS:
            return None
        try:
            picture = await self._made(message.chart, encrypted=encrypted)
        except (NotDrawn, Permanent, ValueError) as error:
            self._note_failure(key, str(error), MAX_ATTEMPTS)
            return None
        except Temporary as error:
            self._note_failure(key, str(error), 1)
            if self._failures[key] >= MAX_ATTEMPTS:
                return None
            raise Temporary(f"the picture was not uploaded: {error}") from error
        except asyncio.CancelledError:  # the deadline of the send, in most cases
            self._note_failure(key, "not finished in time", 1)
            raise
        self._uploaded[key, encrypted] = picture
        if len(self._uploaded) > _REMEMBERED:
            self._uploaded.popitem(last=False)
        return picture

    async def _made(self, chart: Chart, *, encrypted: bool) -> UploadedPicture:
        """Return a chart as a picture at the homeserver."""
        drawn = await self._drawer.draw(chart)
        width, height = png_size(drawn)
        keys: Mapping[str, object] | None = None
        data, kind, name = drawn, "image/png", FILE_NAME
        if encrypted:
            data, keys = await asyncio.to_thread(encrypt_attachment, drawn)
            kind, name = "application/octet-stream", ""
        answer = await self._ask(requests.upload(data, kind, name))
        uri = wire.text(answer, "content_uri")
        if not uri.startswith("mxc://"):
            raise Temporary("the homeserver's response has no address of the upload")
        return UploadedPicture(uri, width, height, len(drawn), keys)

    def _note_failure(self, key: NoticeKey, reason: str, count: int) -> None:
        if len(self._failures) > _REMEMBERED:
            self._failures.clear()
        self._failures[key] += count
        _log.warning("picture.failed", key=key, reason=reason)
