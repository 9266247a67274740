"""Notices of the Matrix session to rooms: requests to resend undecryptable messages. Pure."""

from datetime import datetime

from bot.ids import NoticeKey, RoomId
from bot.matrix.messages import thread_of
from bot.matrix.model import Event
from bot.notices.markup import Allowed, Code, Lines, words, written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag


def resend_request(room: RoomId, message: Event, now: datetime) -> Notice:
    """Return the request to send an undecryptable message again; its key allows one per hour in a room."""
    text = words(
        "I could not decrypt that message; please send it again. If that does not help, type ",
        Code("/discardsession"),
        " in Element and send it once more, or ask me in a room without encryption.",
    )
    hour = int(now.timestamp()) // 3600
    key = NoticeKey(f"undecrypted/{room}/{hour}")
    body, html = written((Lines((text,)),), Allowed(()))
    answer = Message(body, html, Tag(NoticeKind.ANSWER, key), thread=thread_of(message.content), replies_to=message.id)
    return Notice(room, Lane.ANSWER, answer, asked_by=message.sender)
