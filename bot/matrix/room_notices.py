"""Notices of the Matrix session to rooms: the welcome, and requests to resend undecryptable messages. Pure."""

from datetime import datetime

from bot.ids import NoticeKey, RoomId, UserId
from bot.matrix.messages import thread_of
from bot.matrix.model import Event
from bot.notices.markup import Allowed, Code, Lines, words, written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag


def welcome(room: RoomId, prefix: str, inviter: UserId | None, *, direct: bool) -> Notice:
    """Return the welcome, posted once per room; commands in it have the *prefix* unless the room is a direct chat.

    *inviter* is None in a configured room that the bot joined without an invitation.
    """
    spoken = "" if direct else f"{prefix} "
    who = "you" if direct else "this room"
    rule: tuple[str | Code, ...] = () if direct else (" In rooms, each command begins with ", Code(prefix), ".")
    text = words(
        f"Hello! I tell {who} about patches. To subscribe, type for example ",
        Code(f"{spoken}sub path:drivers/net/"),
        "; ",
        Code(f"{spoken}help"),
        " lists all commands.",
        *rule,
    )
    body, html = written((Lines((text,)),), Allowed(()))
    message = Message(body, html, Tag(NoticeKind.WELCOME, NoticeKey(f"welcome/{room}")), rings=direct)
    return Notice(room, Lane.ANSWER, message, asked_by=inviter)


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
